"""The page in a real browser, as somebody who sits before it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

DESK, TELEPHONE = {"width": 1360, "height": 900}, {"width": 375, "height": 812}

# What the page strikes is written down before it is heard: pitch (by the address of its sound), start and end.
LISTEN = """
window.struck = [];
const start = AudioBufferSourceNode.prototype.start, stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.start = function (when, ...more) {
  const peak = this.buffer.getChannelData(0).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  this.record = { start: when, end: null, seconds: this.buffer.duration, peak };
  window.struck.push(this.record);
  return start.call(this, when, ...more);
};
AudioBufferSourceNode.prototype.stop = function (when, ...more) {
  if (this.record) this.record.end = when;
  return stop.call(this, when, ...more);
};
"""


class Visit:
    """A page of the studio that is open, what it asked the studio for, and what went wrong in it."""

    def __init__(self, browser: Any, url: str, viewport: dict[str, int], **context: Any) -> None:
        self.context = browser.new_context(viewport=viewport, accept_downloads=True, **context)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.add_init_script(LISTEN)
        self.page = self.context.new_page()
        self.url = url
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url.removeprefix(url)))

    def open(self, state: str = "") -> Visit:
        """Open the page, in a state that stands in its address, and wait until it is all there."""
        self.page.goto(f"{self.url}/{state}")
        self.page.wait_for_selector("html[data-loaded=yes]", timeout=20_000)
        return self

    def compose(self) -> Visit:
        """Press the one big button, and wait for the score."""
        self.page.click("#compose")
        return self.ready()

    def ready(self) -> Visit:
        """Wait until everything that was composed is engraved."""
        self.page.locator("#compose", has_text=re.compile("^Compose$")).wait_for(state="attached", timeout=20_000)
        self.page.wait_for_selector("article[data-ready]", timeout=20_000)
        columns = self.page.locator("article.column").count()
        self.page.wait_for_selector(f"article.column:nth-child({columns})[data-ready]", timeout=20_000)
        return self

    def times(self, address: str) -> int:
        """How often the page asked for something."""
        return sum(asked.startswith(address) for asked in self.asked)

    def see(self, selector: str) -> Any:
        """What a selector finds."""
        return self.page.locator(selector)

    def text(self, selector: str) -> str:
        """The words of something."""
        return str(self.page.locator(selector).first.inner_text())

    def refused(self) -> None:
        """Take out what the browser itself says of a request that was refused."""
        end = time.monotonic() + 5
        while not self.wrong and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        assert self.wrong
        assert all(re.search(r"status of 4\d\d", line) for line in self.wrong)
        self.wrong.clear()

    def melody(self, column: int = 0) -> list[tuple[int, str]]:
        """The notes that the roll of a column shows: onset in ticks and pitches."""
        notes = self.page.locator("article.column").nth(column).locator("svg.roll g.note").all()
        return [(int(note.get_attribute("data-onset")), note.get_attribute("data-pitches")) for note in notes]


Open = Callable[..., Visit]


@pytest.fixture(scope="session")
def visitor() -> type[Visit]:
    """Who opens a page; for what several tests look at together."""
    return Visit


@pytest.fixture
def visit(browser: Any, live: Any) -> Iterator[Open]:
    """Opens pages of the studio; at the end nothing may have gone wrong in them that the test did not take out."""
    opened: list[Visit] = []

    def begin(state: str = "", *, url: str = "", viewport: dict[str, int] = DESK, **context: Any) -> Visit:
        opened.append(Visit(browser, url or live.url, viewport, **context))
        return opened[-1].open(state)

    yield begin
    wrong = [line for one in opened for line in one.wrong]
    for one in opened:
        one.context.close()
    assert wrong == []
