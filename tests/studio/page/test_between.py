"""Between melodies on the page: two are taken, a slider goes from one to the other, another says how much to vary."""

from __future__ import annotations

from typing import Any

STATE = "#model=tunes&primer=C4+D4+E4+F4&key=C+major&bars=4&count=2&seed=5"


def way_of(visit: Any) -> Any:
    """The page with both ends taken: the two melodies that were composed."""
    desk = visit(STATE).ready()
    desk.page.click("#tab-between")
    desk.page.click("#between-first")
    desk.first = desk.melody()
    desk.see(".card-show[aria-pressed=false]").first.click()
    desk.last = desk.melody()
    assert desk.last != desk.first
    desk.page.click("#between-last")
    desk.page.wait_for_selector("#between-way:not([disabled])", timeout=20_000)
    desk.page.wait_for_selector("article[aria-label='Between two melodies'][data-ready]", timeout=20_000)
    return desk


def test_the_slider_goes_from_one_melody_to_the_other_by_keyboard(visit: Any) -> None:
    desk = way_of(visit)
    assert desk.times("/api/interpolate") == 1
    assert desk.see(".card").count() == 9
    assert "step 4 of 8" in desk.text(".facts")
    slider = desk.see("#between-way")
    slider.focus()
    desk.page.keyboard.press("Home")
    assert desk.melody() == desk.first
    assert slider.get_attribute("aria-valuetext") == "the first melody"
    desk.page.keyboard.press("End")
    assert desk.melody() == desk.last
    assert slider.get_attribute("aria-valuetext") == "the last melody"
    seen = []
    for _ in range(7):
        desk.page.keyboard.press("ArrowLeft")
        seen.append(desk.melody())
    assert len({str(melody) for melody in seen}) > 3
    assert desk.times("/api/interpolate") == 1  # the whole way came at once: dragging asks for nothing


def test_the_slider_can_be_dragged(visit: Any) -> None:
    desk = way_of(visit)
    box = desk.see("#between-way").bounding_box()
    desk.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=5)
    desk.page.mouse.up()
    assert desk.melody() == desk.last


def test_a_melody_is_varied_by_the_amount_of_the_slider(visit: Any) -> None:
    desk = visit(STATE).ready()
    before = desk.melody()
    desk.page.click("#tab-between")
    slider = desk.see("#between-amount")
    slider.focus()
    desk.page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "nothing"
    desk.page.click("#between-vary")
    desk.page.wait_for_selector("article[aria-label='Variations'][data-ready]", timeout=20_000)
    assert desk.melody() == before
    slider.focus()
    desk.page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "everything: a free draw"
    desk.page.click("#between-vary")
    desk.page.locator(".facts", has_text="varied by 100 %").wait_for()
    assert desk.see(".card").count() == 2
    assert desk.melody() != before


def test_before_there_is_a_melody_nothing_can_be_taken(visit: Any, page_checks: dict[str, str]) -> None:
    desk = visit()
    desk.page.click("#tab-between")
    assert desk.see("#between-first").is_disabled()
    assert desk.see("#between-way").is_disabled()
    assert desk.see("#between-vary").is_disabled()
    assert desk.page.evaluate(page_checks["nameless"]) == []


def test_melodies_of_two_meters_are_refused_in_a_sentence(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.click("#tab-between")
    desk.page.click("#between-first")
    desk.page.click("#tab-compose")
    desk.page.select_option("#meter", "3/4")
    desk.compose()
    desk.page.click("#tab-between")
    desk.page.click("#between-last")
    desk.page.wait_for_selector("#between-error:not([hidden])")
    assert "4/4" in desk.text("#between-error")
    desk.refused()
