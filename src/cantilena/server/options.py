"""Where a page is served: the address, the port, and the names that it may be called by."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cantilena.errors import UsageError


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Raises:
        UsageError: no port, no address, or no name.
    """

    port: int = 8000
    """The port of the page; 0 takes any free one."""

    host: str = "127.0.0.1"
    """The address to listen on: 127.0.0.1 is this computer alone, 0.0.0.0 all that can reach it."""

    allow_host: tuple[str, ...] = ()
    """Names by which other computers may call the page, such as music.local; needed only with --host."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port {self.port}", "give a number from 1 to 65535, or 0 for any free port")
        if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", self.host):
            raise UsageError(f"'{self.host}' is no address", "give an address such as 127.0.0.1 or 0.0.0.0")
        for name in self.allow_host:
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?", name):
                raise UsageError(f"'{name}' is no name of a host", "give it without port or slashes: music.local")

    @property
    def is_here_alone(self) -> bool:
        """Whether no other computer can reach it."""
        return self.host in ("127.0.0.1", "localhost", "::1")
