"""Where a server listens, and which host names it answers to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cantilena.errors import UsageError


@dataclass(frozen=True)
class ServerOptions:
    """Where a server listens.

    Raises:
        UsageError: a port, an address or a host name is invalid.
    """

    port: int = 8000
    """The port to listen on; 0 takes any free one."""

    host: str = "127.0.0.1"
    """The address to listen on: 127.0.0.1 for this computer only, 0.0.0.0 for every computer that can reach it."""

    allow_host: tuple[str, ...] = ()
    """Host names by which other computers may open the page, such as music.local; needed only with --host."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"the port must be 0 to 65535, got {self.port}", "give 1 to 65535, or 0 for any free port")
        if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", self.host):
            raise UsageError(f"'{self.host}' is not an address", "give an address such as 127.0.0.1 or 0.0.0.0")
        for name in self.allow_host:
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?", name):
                raise UsageError(
                    f"'{name}' is not a host name", "give it without port and slashes, such as music.local"
                )

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach the server."""
        return self.host in ("127.0.0.1", "localhost", "::1")
