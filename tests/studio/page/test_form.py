"""Bars, form and seed on the page: what is asked for, what is refused, and sections that are composed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import music21
import pytest

from .test_taking_away import download

PHONE = {"width": 390, "height": 844}
AABA = "#model=tunes&primer=&form=A2A2B2A%272&cadences=half,half,half,full&key=C+major&meter=4%2F4&count=1&seed=3"


def inside(melody: list[tuple[int, str]], first: int, last: int) -> list[tuple[int, str]]:
    """The notes of bars of 4/4, counted from the start of the melody."""
    start, end = (first - 1) * 96, last * 96
    return [(onset - start, pitches) for onset, pitches in melody if start <= onset < end]


def open_form(app: Any) -> None:
    app.page.click("#form-chords summary")


def rewrite_section(app: Any, name: str) -> None:
    """Press the button of the first section with this name, and wait for the two melodies."""
    cards = app.find(".card").count()
    app.find(f".section[data-section={name}] .section-rewrite").first.press("Enter")
    app.page.wait_for_selector(f".card:nth-child({max(cards, 1) + 2})", timeout=60_000)
    app.ready()


def test_sixteen_bars_are_sixteen_with_the_opening(visit: Any, tmp_path: Path) -> None:
    app = visit("#model=tunes&primer=C4+D4+E4+F4+G4%2F2+r%2F2&key=C+major&meter=4%2F4&count=1&bars=16&seed=3").ready()
    part = music21.converter.parse(download(app, "musicxml", tmp_path)).parts[0]
    bars = [bar for bar in part.getElementsByClass("Measure") if bar.number]
    assert len(bars) == 16
    assert [note.nameWithOctave for note in bars[0].notes] == ["C4", "D4", "E4", "F4"]


@pytest.mark.parametrize(
    ("given", "words"), [("0", "0 is not"), ("201", "201 is not"), ("1.5", "1.5 is not"), ("", "empty")]
)
def test_wrong_bars_are_said_beside_the_field_and_nothing_is_composed(visit: Any, given: str, words: str) -> None:
    app = visit()
    app.page.fill("#bars", given)
    app.page.press("#bars", "Tab")
    assert words in app.text("#bars-error")
    assert "whole number from 1 to 200" in app.text("#bars-error")
    assert app.find("#bars").input_value() == given
    app.page.click("#compose")
    assert app.page.evaluate("document.activeElement.id") == "bars"
    assert app.count_requests("/api/compose") == 0
    app.page.fill("#bars", "3")
    assert not app.find("#bars-error").is_visible()
    app.compose()
    assert app.count_requests("/api/compose") == 1


def test_other_numbers_are_checked_as_well(visit: Any) -> None:
    app = visit()
    app.page.fill("#count", "17")
    assert "17 is not allowed: give a whole number from 1 to 16." in app.text("#count-error")
    app.page.fill("#count", "2")
    app.page.click("#more summary")
    app.page.fill("#tempo", "5")
    app.page.click("#more summary")
    app.page.click("#compose")
    assert app.find("#more").get_attribute("open") is not None
    assert app.page.evaluate("document.activeElement.id") == "tempo"


def test_a_link_with_wrong_bars_says_so(visit: Any) -> None:
    app = visit("#primer=&bars=300&count=1&seed=2").ready()
    assert "The link says 300" in app.text("#bars-error")
    assert app.find("#bars").input_value() == "8"


def test_an_opening_that_fills_the_bars_is_an_error_in_words(visit: Any) -> None:
    app = visit()
    app.page.fill("#bars", "2")
    app.page.click("#compose")
    app.find("#compose-error").wait_for()
    assert "The primer fills 2 bars" in app.text("#compose-error")


def test_a_period_has_two_sections_with_their_cadences(visit: Any) -> None:
    app = visit("#model=tunes&primer=&key=C+major&meter=4%2F4&count=1&seed=2&bars=7").ready()
    open_form(app)
    app.page.select_option("#form", "AA'")
    assert app.find("#bars").input_value() == "8"  # the nearest number that two sections can share
    app.compose()
    assert app.find(".section b").all_inner_texts() == ["A", "A′"]
    assert app.find(".section-bars").all_inner_texts() == ["1–4", "5–8"]
    assert app.find(".section-cadence").all_inner_texts() == ["half", "full"]
    assert int(app.melody()[-1][1]) % 12 == 0
    assert "form=AA%27" in app.page.evaluate("location.hash")


def test_sections_have_bars_returns_and_cadences_of_their_own(visit: Any) -> None:
    app = visit("#model=tunes&primer=&key=C+major&meter=4%2F4&count=1&seed=2&bars=8&form=AABA").ready()
    open_form(app)
    app.page.get_by_label("Bars of section 3, B").fill("4")
    assert app.find("#bars").input_value() == "10"
    app.page.get_by_label("How section 4, A, returns").select_option("varied")
    app.page.get_by_label("How section 4, A′, ends").select_option("full")
    assert app.find("#form-letters").input_value() == "A2A2B4A'2"
    app.page.fill("#bars", "20")  # the sections grow with the bars
    assert app.find("#form-letters").input_value() == "A4A4B8A'4"
    app.page.fill("#bars", "19")
    assert "19 bars do not fit" in app.text("#bars-error")
    app.page.fill("#bars", "10")
    app.compose()
    assert app.find(".section-bars").all_inner_texts() == ["1–2", "3–4", "5–8", "9–10"]


def test_own_letters_are_checked_while_they_are_typed(visit: Any) -> None:
    app = visit()
    open_form(app)
    app.page.select_option("#form", "own")
    app.page.fill("#form-letters", "A4B'4")
    assert "varies B before there is one" in app.text("#form-letters-error")
    app.page.click("#compose")
    assert app.count_requests("/api/compose") == 0
    app.page.fill("#form-letters", "a3 b3 a3")
    assert not app.find("#form-letters-error").is_visible()
    assert app.find("#bars").input_value() == "9"


def test_a_section_is_rewritten_with_its_returns_by_keyboard(visit: Any, tmp_path: Path) -> None:
    app = visit(AABA).ready()
    before = app.melody()
    rewrite_section(app, "A")
    after = app.melody()
    assert inside(after, 1, 2) != inside(before, 1, 2)
    assert inside(after, 3, 4) == inside(after, 1, 2)
    assert inside(after, 5, 6) == inside(before, 5, 6)
    assert inside(after, 7, 7) == inside(after, 1, 1)
    assert "section A rewritten" in app.text(".facts")
    assert app.find(".section b").all_inner_texts() == ["A", "A", "B", "A′"]
    app.find("#announcement").filter(has_text="Section A rewritten with its returns").wait_for()
    score = music21.converter.parse(download(app, "musicxml", tmp_path))
    heard = [(round(24 * note.offset), note.pitch.midi) for note in score.parts[0].stripTies().flatten().notes]
    assert [pitch for _, pitch in heard] == [int(pitches) for _, pitches in after]


def test_the_bars_of_a_section_are_selected(visit: Any) -> None:
    app = visit(AABA).ready()
    app.find(".section[data-section=B] .section-select").click()
    assert app.find(".tools .rewrite").inner_text() == "Rewrite bars 5–6"


def test_a_link_of_a_rewritten_section_brings_back_notes_and_form(visit: Any) -> None:
    app = visit(AABA).ready()
    rewrite_section(app, "B")
    app.page.get_by_role("button", name="Copy link").click()
    app.page.get_by_role("button", name="Copied").wait_for()
    link = app.page.evaluate("navigator.clipboard.readText()")
    again = visit(link[link.index("#") :]).ready()
    assert again.melody() == app.melody()
    assert again.find(".section b").all_inner_texts() == ["A", "A", "B", "A′"]
    assert again.find(".section-cadence").all_inner_texts() == ["half", "half", "half", "full"]


def test_a_model_that_has_learned_no_forms_says_so(visit: Any) -> None:
    app = visit("#model=tunes%2Brl-tuner&primer=&bars=4&count=1&form=AA&chords=C&seed=2").ready()
    open_form(app)
    assert app.find("#form").is_disabled()
    assert "learned no forms" in app.text("#form-hint")
    assert app.find("#chords").is_disabled()
    assert "not learned to follow chords" in app.text("#chords-hint")
    assert "without the form and chords" in app.text(".facts")


def test_every_press_draws_a_new_seed_and_the_link_has_it(visit: Any) -> None:
    app = visit().compose()
    first = app.melody(), app.find("#seed").input_value()
    app.page.get_by_role("button", name="Copy link").click()
    app.page.get_by_role("button", name="Copied").wait_for()
    link = app.page.evaluate("navigator.clipboard.readText()")
    app.compose()
    assert app.melody() != first[0]
    assert app.find("#seed").input_value() != first[1]
    again = visit(link[link.index("#") :]).ready()
    assert (again.melody(), again.find("#seed").input_value()) == first
    assert not again.find("#lock-seed").is_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_form_and_chords_can_be_read_and_have_names(visit: Any, page_checks: dict[str, str], scheme: str) -> None:
    app = visit(AABA + "&chords=C+%7C+G7&colour=chords", color_scheme=scheme).ready()
    open_form(app)
    app.page.click(".chord-lane summary")
    app.page.wait_for_selector(".palette-chord")
    app.page.fill("#bars", "0")
    assert app.page.evaluate(page_checks["nameless"]) == []
    assert app.page.evaluate(page_checks["faint"])["faint"] == []


def test_a_telephone_shows_form_and_chords(visit: Any) -> None:
    app = visit(AABA + "&chords=C+%7C+G7&colour=chords", viewport=PHONE, has_touch=True, is_mobile=True).ready()
    open_form(app)
    app.page.tap(".chord-lane summary")
    app.page.wait_for_selector(".palette-chord")
    assert app.page.evaluate("document.documentElement.scrollWidth") == 390
    assert (
        app.page.evaluate(
            "Math.min(...[...document.querySelectorAll('.section button')].map((one) => one.offsetHeight))"
        )
        >= 24
    )


def test_two_hundred_bars_can_be_asked_for_one_or_two_at_once(visit: Any) -> None:
    app = visit()
    app.page.fill("#bars", "200")
    app.page.route("**/api/compose", lambda route: None)
    with app.page.expect_request("**/api/compose") as sent:
        app.page.click("#compose")
    assert sent.value.post_data_json["total_bars"] == 200
    assert sent.value.post_data_json["count"] == 2
    assert app.find("#count").input_value() == "2"
    assert "up to 2 at once" in app.text("#count-error")
    app.page.click("#compose")
