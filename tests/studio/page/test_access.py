"""The page for everybody: by keyboard alone, for ears, on a telephone, in the dark, on a wall, safe and offline."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

PHONE = {"width": 375, "height": 812}
STATE = "#model=tunes%2Brl&compare=tunes&primer=C4+D4+E4+F4&key=C+major&bars=4&count=2&seed=5"


def test_a_melody_is_composed_heard_and_taken_away_by_keyboard_alone(visit: Any) -> None:
    app = visit()
    keys = app.page.keyboard
    for _ in range(40):
        keys.press("Tab")
        if app.page.evaluate("document.activeElement.id") == "compose":
            break
    keys.press("Enter")
    app.ready()
    for _ in range(60):
        keys.press("Tab")
        if app.page.evaluate("document.activeElement.textContent") == "Download":
            break
    keys.press("Enter")
    assert app.page.evaluate("document.activeElement.dataset.kind") == "mid"
    keys.press("ArrowDown")
    with app.page.expect_download() as download:
        keys.press("Enter")
    assert download.value.suggested_filename.endswith(".musicxml")
    assert app.page.evaluate("document.activeElement.textContent") == "Download"


def test_the_jump_to_the_music_keeps_the_address(visit: Any) -> None:
    app = visit(STATE).ready()
    before = app.page.url
    app.page.focus(".skip")
    app.page.keyboard.press("Enter")
    assert app.page.evaluate("document.activeElement.id") == "music"
    assert app.page.url == before


def test_everything_that_can_be_used_has_a_name(visit: Any, page_checks: dict[str, str]) -> None:
    app = visit(STATE).ready()
    for tab in ("compose", "rules", "tune"):
        app.page.click(f"#tab-{tab}")
        assert app.page.evaluate(page_checks["nameless"]) == []
    app.page.click("#open-history")
    assert app.page.evaluate(page_checks["nameless"]) == []


def test_the_cursor_says_where_it_is(visit: Any) -> None:
    app = visit(STATE).ready()
    roll = app.find("article.active svg.roll")
    roll.focus()
    assert roll.get_attribute("aria-valuetext") == "bar 1, beat 1, C4"
    app.page.keyboard.press("ArrowRight")
    assert roll.get_attribute("aria-valuetext") == "bar 1, beat 2, D4"


def test_what_happened_is_said_aloud(visit: Any) -> None:
    app = visit().compose()
    app.find("#announcement").filter(has_text="8 bars composed, 4 melodies").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(visit: Any, page_checks: dict[str, str], scheme: str) -> None:
    app = visit(STATE, color_scheme=scheme).ready()
    app.find(".choice label").filter(has_text="Rules").click()
    for tab in ("compose", "rules", "tune"):
        app.page.click(f"#tab-{tab}")
        found = app.page.evaluate(page_checks["faint"])
        assert found["looked"] > 30
        assert found["faint"] == []


@pytest.mark.parametrize("model", ["tunes%2Brl", "piano"])
def test_a_telephone_shows_everything_without_scrolling_sideways(visit: Any, model: str) -> None:
    app = visit(STATE.replace("tunes%2Brl", model), viewport=PHONE, has_touch=True, is_mobile=True).ready()
    for tab in ("compose", "rules", "tune"):
        app.page.tap(f"#tab-{tab}")
        assert app.page.evaluate("document.documentElement.scrollWidth") == 375
    sizes = app.page.evaluate(
        "[...document.querySelectorAll('.key:not(.black)')].map((key) => key.getBoundingClientRect().width)"
    )
    assert min(sizes) > 30
    assert app.page.evaluate("document.querySelector('.dock').getBoundingClientRect().height") < 300


def test_a_touch_on_the_piano_plays(visit: Any) -> None:
    app = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    app.page.tap("#primer-clear")
    app.page.tap('[data-pitch="60"]')
    assert app.find("#primer").input_value() == "C4"


def test_the_large_page_fits_a_wall(visit: Any) -> None:
    app = visit(STATE, viewport={"width": 1920, "height": 1080}).ready()
    app.page.click("#large")
    assert app.page.evaluate("document.documentElement.scrollWidth") == 1920


def test_nothing_is_fetched_from_elsewhere(visit: Any) -> None:
    app = visit(STATE).ready()
    assert all(path.startswith(("/", "blob:")) for path in app.requests)


def test_words_of_a_stranger_are_never_markup(visit: Any) -> None:
    evil = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
    app = visit(f"#primer={quote(evil)}&range={quote(evil)}&style={quote(evil)}&key={quote(evil)}")
    assert app.find("#primer").input_value() == evil
    assert app.page.evaluate("window.hurt") is None
    assert "is not a note" in app.text("#primer-error")
