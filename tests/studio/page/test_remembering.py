"""What was composed stays on this computer: across a reload, and across a restart of the studio."""

from __future__ import annotations

import signal
from typing import Any

STATE = "#primer=C4+D4+E4&key=C+major&bars=3&count=2&seed=6&temperature=1.3"


def test_a_melody_comes_back_after_a_restart(visit: Any, start: Any) -> None:
    studio = start()
    app = visit(url=studio.url)
    app.page.fill("#primer", "C4 D4 E4")
    app.page.fill("#bars", "3")
    app.compose()
    melody = app.melody()
    app.page.get_by_role("button", name="Keep", exact=True).click()
    app.page.wait_for_timeout(300)
    app.page.close()
    studio.end(signal.SIGKILL)
    again = visit(url=start().url)
    again.page.click("#open-history")
    again.find("#entries li").first.wait_for()
    assert again.find("#entries li").count() == 1
    assert again.find("#entries .keep").get_attribute("aria-pressed") == "true"
    again.page.click("#entries .open")
    again.find("article[data-ready]").wait_for()
    assert again.melody() == melody
    assert again.find("#primer").input_value() == "C4 D4 E4"
    assert again.find("#bars").input_value() == "3"
    assert again.find(".tools button").filter(has_text="Kept").count() == 1


def test_an_entry_is_deleted(visit: Any, start: Any) -> None:
    app = visit(url=start().url).compose()
    app.page.click("#open-history")
    app.find("#entries li").first.wait_for()
    app.page.click("#entries .close")
    app.find("#no-entries").wait_for()
    assert app.find("#entries li").count() == 0


def test_a_link_that_was_opened_writes_nothing_into_the_history(visit: Any, start: Any) -> None:
    app = visit(STATE, url=start().url).ready()
    app.page.click("#open-history")
    app.find("#no-entries").wait_for()


def test_colours_and_size_are_remembered(visit: Any) -> None:
    app = visit()
    app.page.click("#theme")
    app.page.click("#large")
    app.open()
    assert app.text("#theme") == "Light"
    assert app.find("#large").get_attribute("aria-pressed") == "true"
    assert app.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"


def test_the_page_says_when_the_studio_is_gone_and_comes_back_with_it(visit: Any, start: Any) -> None:
    studio = start()
    app = visit(STATE, url=studio.url).ready()
    melody = app.melody()
    studio.end(signal.SIGKILL)
    app.find("#banner").wait_for(timeout=10_000)
    app.page.click("#compose")
    app.find("#compose-error").wait_for()
    assert "not responding" in app.text("#compose-error")
    assert app.melody() == melody
    start("--port", studio.url.rpartition(":")[2])
    app.find("#banner").wait_for(state="hidden", timeout=20_000)
    app.errors.clear()  # the browser tells of every attempt
    app.page.fill("#seed", "6")
    app.compose()
    assert app.melody() == melody


def test_entries_are_named_and_found(visit: Any, start: Any) -> None:
    app = visit(url=start().url)
    app.page.fill("#primer", "C4 D4 E4")
    app.compose()
    app.page.select_option("#key", "G major")
    app.compose()
    app.page.click("#open-history")
    app.find("#entries li").first.wait_for()
    assert app.find("#entries li").count() == 2
    assert app.find("#entries li svg.small rect").count() > 8
    app.page.locator("#entries input").first.fill("Evening song")
    app.page.keyboard.press("Tab")
    app.page.fill("#entries-filter", "evening")
    assert app.find("#entries li").count() == 1
    assert "G major" in app.text("#entries li")
    app.page.fill("#entries-filter", "")
    app.page.check("#entries-kept")
    assert "No melody like that" in app.text("#no-entries")
    app.page.keyboard.press("Escape")
    app.page.click("#open-history")
    app.page.uncheck("#entries-kept")
    app.find("#entries li").nth(1).wait_for()
    assert app.page.locator("#entries input").first.input_value() == "Evening song"


def test_two_columns_are_one_row(visit: Any, start: Any) -> None:
    app = visit("", url=start().url)
    app.page.select_option("#model", "tunes+rl")
    app.page.check("#compare")
    app.compose()
    app.page.click("#open-history")
    app.find("#entries li").first.wait_for()
    assert app.find("#entries li").count() == 1
