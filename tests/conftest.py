"""What all tests share."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

# One thread a test process: pytest-xdist runs as many processes as there are cores, and threads that wait for each
# other's cores are slower than none. It must be said before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout; its tests are skipped where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no folder ../shared with development data beside this checkout")
    return folder


@pytest.fixture(scope="session")
def serve() -> Callable[[Any], AbstractContextManager[int]]:
    """Serves an application in a thread of the tests, on a port of its own."""

    @contextmanager
    def serve(app: Any) -> Iterator[int]:
        import uvicorn

        from cantilena.server import RequestTimeoutProtocol

        config = uvicorn.Config(
            app, http=RequestTimeoutProtocol, log_level="critical", h11_max_incomplete_event_size=2**15
        )
        server = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            thread = threading.Thread(target=server.run, args=([listening],))
            thread.start()
            try:
                yield int(listening.getsockname()[1])
            finally:
                server.should_exit = True
                thread.join(10)

    return serve


# There is no graphics card, and none is imitated: a page takes a tenth less of the processor.
FRUGAL = ["--disable-gpu", "--disable-gpu-compositing", "--disable-software-rasterizer", "--num-raster-threads=1"]


OPENED = pytest.StashKey[tuple[ExitStack, Any]]()
"""What closes the browser, and the browser, while it is open."""


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Any:
    """Chromium, where this machine has it; the tests of pages are skipped elsewhere.

    Modules that follow one another share it. Not so a session: while it is open, no test can run asyncio in its thread.
    """
    stash = request.config.stash
    if OPENED not in stash:
        sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if chromium is None:
            pytest.skip("no Chromium on this machine: apt-get install chromium")
        with ExitStack() as stack:
            playwright = stack.enter_context(sync_api.sync_playwright())
            opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *FRUGAL])
            stack.callback(opened.close)
            stash[OPENED] = stack.pop_all(), opened
        request.config.add_cleanup(stash[OPENED][0].close)  # if the tests are interrupted
    return stash[OPENED][1]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Close the browser after the last test of a module, unless the next one begins with it too."""
    ends = nextitem is None or (nextitem.path != item.path and "browser" not in getattr(nextitem, "fixturenames", ()))
    if ends and OPENED in item.config.stash:
        item.config.stash[OPENED][0].close()
        del item.config.stash[OPENED]


@pytest.fixture(scope="session")
def page_checks() -> dict[str, str]:
    """What is looked at on every page that we serve, as functions that a browser evaluates, by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "page_checks").iterdir()}
