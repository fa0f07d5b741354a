"""The listening test in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

DESKTOP = {"width": 1100, "height": 800}


class Visitor:
    """A visitor of the page, with the errors in its console and the requests that it sent."""

    def __init__(self, browser: Any, url: str, viewport: dict[str, int], **context: Any) -> None:
        self.context = browser.new_context(viewport=viewport, accept_downloads=True, **context)
        self.url = url
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.open()

    def open(self, path: str = "/") -> Visitor:
        """Open a tab, and wait until the page is loaded."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url.removeprefix(self.url)))
        self.page.goto(path if path.startswith("http") else self.url + path)
        if "admin" not in path:
            self.page.wait_for_selector("html[data-loaded=yes]")
        return self

    @property
    def place(self) -> str:
        """Name of the current step."""
        return str(self.page.locator("main > form").get_attribute("data-place"))

    def next(self) -> str:
        """Press the submit button, wait for the next card, and return its step."""
        before = self.place
        self.page.click("main .big")
        self.page.wait_for_function(f"""() => document.querySelector("main > form:not([data-place='{before}'])")""")
        return self.place

    def hear(self) -> None:
        """Play the clip to its end."""
        self.page.wait_for_selector(".player[data-ready]")
        self.page.click(".play")
        self.page.wait_for_function("""() => document.querySelector(".play").textContent === "Play again" """)

    def choose(self, name: str, value: object) -> None:
        """Choose a tile."""
        self.page.locator(f"label:has([name={name}][value='{value}'])").click()

    def until(self, stage: str) -> Visitor:
        """Complete steps until a stage is reached."""
        while not self.place.startswith(stage):
            self.do()
        return self

    def do(self, *, quietest: Sequence[int] = (0, 1, 2), answer: tuple[str, int] | None = None) -> str:
        """Complete one step; the default answer to a trial depends on the parity of its number."""
        stage, _, rest = self.place.partition("-")
        number = rest.rpartition("-")[2]
        if stage == "training":
            self.page.fill("#years", "3")
        if stage in ("headphones", "volume", "practice", "trial"):
            self.hear()
        if stage == "headphones":
            self.choose("quietest", quietest[int(number)])
        if stage in ("practice", "trial"):
            choice, confidence = answer or ("human" if int(number) % 2 else "computer", int(number) % 4 + 1)
            self.choose("answer", choice)
            self.choose("confidence", confidence)
        return self.next()

    def clear_connection_errors(self) -> None:
        """Remove the browser's own errors about a server that was down."""
        assert self.errors
        assert all(re.search("ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|ERR_SOCKET", line) for line in self.errors)
        self.errors.clear()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visitor]]:
    """Opens the page; at the end of the test its console must have no errors."""
    opened: list[Visitor] = []

    def open_page(url: str, viewport: dict[str, int] = DESKTOP, **context: Any) -> Visitor:
        opened.append(Visitor(browser, url, viewport, **context))
        return opened[-1]

    yield open_page
    errors = [line for visitor in opened for line in visitor.errors]
    for visitor in opened:
        visitor.context.close()
    assert errors == []
