"""Between melodies on the page: two are taken, a slider goes from one to the other, another says how much to vary."""

from __future__ import annotations

from typing import Any

STATE = "#model=tunes&primer=C4+D4+E4+F4&key=C+major&bars=4&count=2&seed=5"


def interpolated(visit: Any) -> Any:
    """The page with both ends taken: the two melodies that were composed."""
    app = visit(STATE).ready()
    app.page.click("#tab-between")
    app.page.click("#between-first")
    app.first = app.melody()
    app.find(".card-show[aria-pressed=false]").first.click()
    app.last = app.melody()
    assert app.last != app.first
    app.page.click("#between-last")
    app.page.wait_for_selector("#between-position:not([disabled])", timeout=20_000)
    app.page.wait_for_selector("article[aria-label='Between two melodies'][data-ready]", timeout=20_000)
    return app


def test_the_slider_goes_from_one_melody_to_the_other_by_keyboard(visit: Any) -> None:
    app = interpolated(visit)
    assert app.count_requests("/api/interpolate") == 1
    assert app.find(".card").count() == 9
    assert "step 4 of 8" in app.text(".facts")
    slider = app.find("#between-position")
    slider.focus()
    app.page.keyboard.press("Home")
    assert app.melody() == app.first
    assert slider.get_attribute("aria-valuetext") == "the first melody"
    app.page.keyboard.press("End")
    assert app.melody() == app.last
    assert slider.get_attribute("aria-valuetext") == "the last melody"
    seen = []
    for _ in range(7):
        app.page.keyboard.press("ArrowLeft")
        seen.append(app.melody())
    assert len({str(melody) for melody in seen}) > 3
    assert app.count_requests("/api/interpolate") == 1  # the whole way came at once: dragging asks for nothing


def test_the_slider_can_be_dragged(visit: Any) -> None:
    app = interpolated(visit)
    box = app.find("#between-position").bounding_box()
    app.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    app.page.mouse.down()
    app.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=5)
    app.page.mouse.up()
    assert app.melody() == app.last


def test_a_melody_is_varied_by_the_amount_of_the_slider(visit: Any) -> None:
    app = visit(STATE).ready()
    before = app.melody()
    app.page.click("#tab-between")
    slider = app.find("#between-amount")
    slider.focus()
    app.page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "not at all"
    app.page.click("#between-vary")
    app.page.wait_for_selector("article[aria-label='Variations'][data-ready]", timeout=20_000)
    assert app.melody() == before
    slider.focus()
    app.page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "completely: a new melody"
    app.page.click("#between-vary")
    app.page.locator(".facts", has_text="varied by 100 %").wait_for()
    assert app.find(".card").count() == 2
    assert app.melody() != before


def test_before_there_is_a_melody_nothing_can_be_taken(visit: Any, page_checks: dict[str, str]) -> None:
    app = visit()
    app.page.click("#tab-between")
    assert app.find("#between-first").is_disabled()
    assert app.find("#between-position").is_disabled()
    assert app.find("#between-vary").is_disabled()
    assert app.page.evaluate(page_checks["nameless"]) == []


def test_melodies_of_two_meters_are_refused_in_a_sentence(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.click("#tab-between")
    app.page.click("#between-first")
    app.page.click("#tab-compose")
    app.page.select_option("#meter", "3/4")
    app.compose()
    app.page.click("#tab-between")
    app.page.click("#between-last")
    app.page.wait_for_selector("#between-error:not([hidden])")
    assert "4/4" in app.text("#between-error")
    app.clear_http_errors()
