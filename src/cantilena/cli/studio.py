"""`cantilena studio`."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags
from cantilena.studio import StudioOptions


def run(
    options: StudioOptions,
    *,
    browser: Annotated[bool, arg(name="open", help="Open the page in a browser, if there is a display.")] = True,
    flags: Flags,
) -> Answer:
    """Open a web page to compose, hear and understand melodies.

    It runs on this computer, needs no network, and ends with Ctrl-C.

    Args:
        browser: Open the page in a browser, if there is a display.

    Example:
        cantilena studio --port 8000
    """
    from cantilena.studio import serve

    serve(options, browser=browser)
    return Answer({"closed": True}, text="The studio is closed")
