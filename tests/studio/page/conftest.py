"""The page in a real browser. All tests of this folder are e2e."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DESKTOP = {"width": 1360, "height": 900}

# Records what the page plays: start and end on the audio clock, duration and peak of each sound.
RECORD_SOUNDS = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start, stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.start = function (when, ...more) {
  const peak = this.buffer.getChannelData(0).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  this.record = { start: when, end: null, seconds: this.buffer.duration, peak };
  window.played.push(this.record);
  return start.call(this, when, ...more);
};
AudioBufferSourceNode.prototype.stop = function (when, ...more) {
  if (this.record) this.record.end = when;
  return stop.call(this, when, ...more);
};
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


class StudioPage:
    """A page of the studio in a browser, with the requests that it sent and the errors that it logged."""

    def __init__(self, browser: Any, url: str, viewport: dict[str, int], **context: Any) -> None:
        self.context = browser.new_context(viewport=viewport, accept_downloads=True, **context)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.add_init_script(RECORD_SOUNDS)
        self.page = self.context.new_page()
        self.url = url
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url.removeprefix(url)))

    def open(self, state: str = "") -> StudioPage:
        """Open the page with a URL fragment, and wait until it has loaded."""
        self.page.goto(f"{self.url}/{state}")
        self.page.wait_for_selector("html[data-loaded=yes]", timeout=20_000)
        return self

    def compose(self) -> StudioPage:
        """Click Compose, and wait for the score."""
        self.page.click("#compose")
        return self.ready()

    def ready(self) -> StudioPage:
        """Wait until all columns are engraved."""
        self.page.locator("#compose", has_text=re.compile("^Compose$")).wait_for(state="attached", timeout=20_000)
        self.page.wait_for_selector("article[data-ready]", timeout=20_000)
        columns = self.page.locator("article.column").count()
        self.page.wait_for_selector(f"article.column:nth-child({columns})[data-ready]", timeout=20_000)
        return self

    def count_requests(self, path: str) -> int:
        """Count the requests to a path."""
        return sum(sent.startswith(path) for sent in self.requests)

    def find(self, selector: str) -> Any:
        """Return a locator."""
        return self.page.locator(selector)

    def text(self, selector: str) -> str:
        """Return the text of the first match."""
        return str(self.page.locator(selector).first.inner_text())

    def clear_http_errors(self) -> None:
        """Expect and clear the browser's log entries of rejected requests."""
        end = time.monotonic() + 5
        while not self.errors and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        assert self.errors
        assert all(re.search(r"status of 4\d\d", line) for line in self.errors)
        self.errors.clear()

    def melody(self, column: int = 0) -> list[tuple[int, str]]:
        """Return the notes on the piano roll of a column: onset in ticks, and pitches."""
        notes = self.page.locator("article.column").nth(column).locator("svg.roll g.note").all()
        return [(int(note.get_attribute("data-onset")), note.get_attribute("data-pitches")) for note in notes]


@pytest.fixture(scope="session")
def studio_page() -> type[StudioPage]:
    """The class of pages, for fixtures that several tests share."""
    return StudioPage


@pytest.fixture
def visit(browser: Any, live: Any) -> Iterator[Callable[..., StudioPage]]:
    """Opens pages of the studio; at the end, they must have logged no errors that were not cleared."""
    pages: list[StudioPage] = []

    def visit(state: str = "", *, url: str = "", viewport: dict[str, int] = DESKTOP, **context: Any) -> StudioPage:
        pages.append(StudioPage(browser, url or live.url, viewport, **context))
        return pages[-1].open(state)

    yield visit
    errors = [line for page in pages for line in page.errors]
    for page in pages:
        page.context.close()
    assert errors == []
