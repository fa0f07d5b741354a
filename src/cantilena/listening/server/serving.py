"""Serving a study to listeners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cantilena.errors import InputError
from cantilena.listening.options import ServeOptions
from cantilena.listening.study.study_file import read_study
from cantilena.runtime import say
from cantilena.server import address_of, listen, run

_MOST_CONNECTIONS = 2000
"""A class that opens the link at once: six connections a browser."""


def serve(path: Path, options: ServeOptions, *, opened: Callable[[str], None] = say) -> Path:
    """Serve a study until it is interrupted.

    Args:
        path: of the study file.
        options: where it listens, and where the answers go.
        opened: is told where, when the test can be taken there.

    Returns:
        The file of the answers.

    Raises:
        InputError: the study or the file of the answers cannot be used, or the port is taken.
    """
    from cantilena.listening.server.app import make_app
    from cantilena.listening.server.state import ListeningRoom

    study = read_study(path)
    if not study.sessions:
        raise InputError(f"{path} has no sessions", "name a file that `cantilena listen create` wrote")
    answers = options.answers or path.with_suffix(".answers.sqlite")
    listening = listen(options)
    try:
        room = ListeningRoom(path, study, answers)
    except BaseException:
        listening.close()
        raise
    port = listening.getsockname()[1]
    address = address_of(options, port)

    def tell() -> None:
        opened(f"The listening test is open: {address} (Ctrl-C ends it)")
        for name in options.allow_host:
            opened(f"Listeners at other computers: http://{name}:{port}/")
        if not options.is_here_alone and not options.allow_host:
            opened("Other computers must call this one by a name that you allow: --allow-host NAME")
        opened(f"Progress and export, for you alone: {address}admin#{room.admin_key}")
        opened(f"Answers go to {answers}")

    run(make_app(room, options), listening, opened=tell, most_connections=_MOST_CONNECTIONS)
    return answers
