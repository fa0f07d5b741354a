"""The listening test in a real browser, as somebody who takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

DESK = {"width": 1100, "height": 800}


class Visitor:
    """Somebody at a page of the test, and what went wrong in it."""

    def __init__(self, browser: Any, url: str, viewport: dict[str, int], **context: Any) -> None:
        self.context = browser.new_context(viewport=viewport, accept_downloads=True, **context)
        self.url = url
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.open()

    def open(self, path: str = "/") -> Visitor:
        """Open a tab, and wait until the page is there."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url.removeprefix(self.url)))
        self.page.goto(path if path.startswith("http") else self.url + path)
        if "admin" not in path:
            self.page.wait_for_selector("html[data-loaded=yes]")
        return self

    @property
    def place(self) -> str:
        """Where in the test they are."""
        return str(self.page.locator("main > form").get_attribute("data-place"))

    def next(self) -> str:
        """Press the big button and wait for the next card; where it is."""
        before = self.place
        self.page.click("main .big")
        self.page.wait_for_selector(f"main > form:not([data-place='{before}'])")
        return self.place

    def hear(self) -> None:
        """Play the clip until it may be answered."""
        self.page.wait_for_selector(".player[data-ready]")
        self.page.click(".play")
        self.page.locator(".play", has_text="Play again").wait_for()

    def choose(self, name: str, value: object) -> None:
        """Choose a tile."""
        self.page.locator(f"label:has([name={name}][value='{value}'])").click()

    def until(self, stage: str) -> Visitor:
        """Do what comes until a stage is reached: agree, pass the checks, answer by the parity of the trial."""
        while not self.place.startswith(stage):
            self.do()
        return self

    def do(self, *, quietest: Sequence[int] = (0, 1, 2), answer: tuple[str, int] | None = None) -> str:
        """Do what one card asks for, and go on; the answer to a trial is by its parity where none is given."""
        stage, _, rest = self.place.partition("-")
        number = rest.rpartition("-")[2]
        if stage == "training":
            self.page.fill("#years", "3")
        if stage in ("headphones", "volume", "practice", "trial"):
            self.hear()
        if stage == "headphones":
            self.choose("quietest", quietest[int(number)])
        if stage in ("practice", "trial"):
            said, sure = answer or ("human" if int(number) % 2 else "computer", int(number) % 4 + 1)
            self.choose("answer", said)
            self.choose("confidence", sure)
        return self.next()

    def refused_connections(self) -> None:
        """Take out what the browser itself says of a server that was gone."""
        assert self.wrong
        assert all(re.search("ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|ERR_SOCKET", line) for line in self.wrong)
        self.wrong.clear()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visitor]]:
    """Opens the page; at the end nothing may have gone wrong in it that the test did not take out."""
    opened: list[Visitor] = []

    def begin(url: str, viewport: dict[str, int] = DESK, **context: Any) -> Visitor:
        opened.append(Visitor(browser, url, viewport, **context))
        return opened[-1]

    yield begin
    wrong = [line for one in opened for line in one.wrong]
    for one in opened:
        one.context.close()
    assert wrong == []
