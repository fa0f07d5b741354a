"""Opening the studio."""

from __future__ import annotations

from collections.abc import Callable

from cantilena.runtime import say
from cantilena.server import address_of, listen, run
from cantilena.studio.options import StudioOptions


def serve(options: StudioOptions, *, opened: Callable[[str], None] = say, browser: bool = False) -> None:
    """Run the studio until it is interrupted.

    Args:
        options: where it listens and keeps its things.
        opened: is told where, when the studio answers there.
        browser: whether to show it in a browser.

    Raises:
        InputError: the port is taken, or the address is not this computer's.
    """
    listening = listen(options)
    from cantilena.studio.app import make_app

    address = address_of(options, listening.getsockname()[1])
    if not options.is_here_alone:
        say("The studio is open to other computers: whoever reaches it can compose, tune and see its history")
    app = make_app(options)
    run(
        app,
        listening,
        opened=lambda: opened(f"The studio is open: {address} (Ctrl-C ends it)"),
        ending=app.state.studio.say_goodbye,
        show=address if browser else "",
    )
