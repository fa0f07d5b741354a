"""What was composed stays on this computer: across a reload, and across a restart of the studio."""

from __future__ import annotations

import signal
from typing import Any

STATE = "#primer=C4+D4+E4&key=C+major&bars=2&count=2&seed=6&temperature=1.3"


def test_a_melody_comes_back_after_a_restart(visit: Any, start: Any) -> None:
    studio = start()
    desk = visit(url=studio.url)
    desk.page.fill("#primer", "C4 D4 E4")
    desk.page.fill("#bars", "3")
    desk.compose()
    melody = desk.melody()
    desk.page.get_by_role("button", name="Keep", exact=True).click()
    desk.page.wait_for_timeout(300)
    desk.page.close()
    studio.end(signal.SIGKILL)
    again = visit(url=start().url)
    again.page.click("#open-history")
    again.see("#entries li").first.wait_for()
    assert again.see("#entries li").count() == 1
    assert again.see("#entries .keep").get_attribute("aria-pressed") == "true"
    again.page.click("#entries .open")
    again.see("article[data-ready]").wait_for()
    assert again.melody() == melody
    assert again.see("#primer").input_value() == "C4 D4 E4"
    assert again.see("#bars").input_value() == "3"
    assert again.see(".tools button").filter(has_text="Kept").count() == 1


def test_an_entry_is_deleted(visit: Any, start: Any) -> None:
    desk = visit(url=start().url).compose()
    desk.page.click("#open-history")
    desk.see("#entries li").first.wait_for()
    desk.page.click("#entries .shut")
    desk.see("#no-entries").wait_for()
    assert desk.see("#entries li").count() == 0


def test_a_link_that_was_opened_writes_nothing_into_the_history(visit: Any, start: Any) -> None:
    desk = visit(STATE, url=start().url).ready()
    desk.page.click("#open-history")
    desk.see("#no-entries").wait_for()


def test_colours_and_size_are_remembered(visit: Any) -> None:
    desk = visit()
    desk.page.click("#theme")
    desk.page.click("#large")
    desk.open()
    assert desk.text("#theme") == "Light"
    assert desk.see("#large").get_attribute("aria-pressed") == "true"
    assert desk.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"


def test_the_page_says_when_the_studio_is_gone_and_comes_back_with_it(visit: Any, start: Any) -> None:
    studio = start()
    desk = visit(STATE, url=studio.url).ready()
    melody = desk.melody()
    studio.end(signal.SIGKILL)
    desk.see("#banner").wait_for(timeout=10_000)
    desk.page.click("#compose")
    desk.see("#compose-error").wait_for()
    assert "does not answer" in desk.text("#compose-error")
    assert desk.melody() == melody
    start("--port", studio.url.rpartition(":")[2])
    desk.see("#banner").wait_for(state="hidden", timeout=20_000)
    desk.wrong.clear()  # the browser tells of every attempt
    desk.compose()
    assert desk.melody() == melody
