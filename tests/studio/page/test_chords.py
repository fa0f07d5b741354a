"""The chord lane: typed, tapped and suggested chords, what is composed over them, and the files that have them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mido
import music21
import pytest

from .test_taking_away import download

expect: Any = pytest.importorskip("playwright.sync_api").expect

SONG = "#melody=C4+E4+G4%2F2+A4+A4+G4%2F2+F4+F4+E4+E4+D4+D4+C4%2F2&key=C+major"  # four bars of 4/4


@pytest.fixture
def app(visit: Any) -> Any:
    """A melody of four bars with its chord lane open."""
    page = visit(SONG).ready()
    page.page.click(".chord-lane summary")
    page.page.wait_for_selector(".palette-chord")
    return page


def field(app: Any, bar: int) -> Any:
    return app.page.get_by_label(f"Chords of bar {bar}", exact=True)


def symbols(app: Any) -> list[str]:
    return [field(app, bar).input_value() for bar in range(1, app.find(".lane-bar").count() + 1)]


def wait_for_chords(app: Any, *expected: str) -> None:
    for bar, chords in enumerate(expected, start=1):
        expect(field(app, bar)).to_have_value(chords, timeout=20_000)


def type_chords(app: Any, text: str, *expected: str) -> None:
    field(app, 1).fill(text)
    field(app, 1).press("Enter")
    wait_for_chords(app, *expected)
    app.find(".score .harm").first.wait_for(state="attached")


def test_chords_are_typed_and_other_programs_read_them(app: Any, tmp_path: Path) -> None:
    type_chords(app, "C | F C | Dm G7/B | C", "C", "F C", "Dm G7/B", "C")
    numerals = [text.strip() for text in app.find(".lane-bar .roman").all_inner_texts()]
    assert numerals == ["I", "IV I", "ii V65", "I"]
    score = music21.converter.parse(download(app, "musicxml", tmp_path))
    found = [
        (float(one.getOffsetInHierarchy(score)), one.figure)
        for one in score.recurse().getElementsByClass("ChordSymbol")
    ]
    assert found == [(0, "C"), (4, "F"), (6, "C"), (8, "Dm"), (10, "G7/B"), (12, "C")]
    played = mido.MidiFile(download(app, "mid", tmp_path))
    voices = [
        {message.note % 12 for message in track if message.type == "note_on" and message.velocity}
        for track in played.tracks
    ]
    assert any({7, 11, 2, 5} <= notes for notes in voices)  # G7 is played beside the melody
    abc = download(app, "abc", tmp_path).read_text()
    assert re.findall(r'"([A-G][^"]*)"', abc) == ["C", "F", "C", "Dm", "G7/B", "C"]


def test_what_is_no_chord_is_said_with_its_bar(app: Any) -> None:
    field(app, 2).fill("H7")
    field(app, 2).press("Enter")
    app.page.wait_for_selector(".chord-lane .error:not([hidden])")
    assert "In bar 2, 'H7' is not a chord symbol" in app.text(".chord-lane .error")
    assert field(app, 2).get_attribute("aria-invalid") == "true"
    assert field(app, 1).get_attribute("aria-invalid") == "false"
    app.clear_http_errors()
    field(app, 2).fill("G7")
    field(app, 2).press("Enter")
    wait_for_chords(app, "", "G7", "", "")
    app.find(".chord-lane .error").wait_for(state="hidden")


def test_chords_are_tapped_from_the_palette_by_keyboard(app: Any) -> None:
    field(app, 2).focus()
    app.page.get_by_role("button", name="F, IV", exact=True).press("Enter")
    wait_for_chords(app, "", "F", "", "")
    app.page.get_by_role("button", name="Fm, iv", exact=True).press("Enter")  # a borrowed one, in the next bar
    wait_for_chords(app, "", "F", "Fm", "")
    app.find("#announcement").filter(has_text="Fm in bar 3").wait_for()
    field(app, 1).focus()
    app.page.evaluate("document.querySelectorAll('.palette-chord').forEach((one, at) => { if (at < 2) one.click(); })")
    wait_for_chords(app, "C", "Dm", "Fm", "")  # of two presses at once neither is lost
    app.find(".lane-clear").click()
    wait_for_chords(app, "", "", "", "")
    assert app.find(".score .harm").count() == 0 or app.ready().find(".score .harm").count() == 0


def test_suggested_chords_are_put_over_the_melody(app: Any, tmp_path: Path) -> None:
    app.page.get_by_label("Style of suggested chords").select_option("chorale")
    app.find(".lane-suggest").click()
    app.page.wait_for_selector(".lane-suggestions li:nth-child(3)", timeout=30_000)
    before = app.melody()
    app.page.get_by_role("button", name="Use suggestion 2").click()
    expect(field(app, 1)).not_to_have_value("", timeout=20_000)
    assert app.melody() == before
    given = [chord for text in symbols(app) for chord in text.split()]
    score = music21.converter.parse(download(app, "musicxml", tmp_path))
    written = [one.figure.replace("-", "b") for one in score.recurse().getElementsByClass("ChordSymbol")]
    assert set(written) == set(given)


def test_the_next_melody_is_composed_over_the_chords_of_the_lane(app: Any) -> None:
    type_chords(app, "Am | F | Dm E7 | Am", "Am", "F", "Dm E7", "Am")
    app.find(".lane-use").click()
    assert app.find("#chords").input_value() == "Am | F | Dm E7 | Am"
    assert app.find("#bars").input_value() == "4"
    app.page.fill("#primer", "")
    app.compose()
    app.page.wait_for_selector(".palette-chord")
    wait_for_chords(app, "Am", "F", "Dm E7", "Am")


def test_notes_are_coloured_by_their_chords_with_signs(app: Any) -> None:
    type_chords(app, "C | F | F | G7", "C", "F", "F", "G7")
    app.find(".choice label").filter(has_text="Chord tones").click()
    kinds = app.page.evaluate("[...document.querySelectorAll('svg.roll g.note')].map((one) => one.classList[1])")
    tone, other = "chord-tone", "non-chord-tone"
    assert kinds == [tone, tone, tone, tone, tone, other, tone, tone, other, other, tone, tone, other]
    marks = app.find("svg.roll text.mark").all_text_contents()
    assert marks == ["•" if kind == tone else "×" for kind in kinds]
    assert "non-chord tone" in app.text("#legend")
    app.page.focus("svg.roll")
    for _ in range(5):
        app.page.keyboard.press("ArrowRight")
    assert "non-chord tone over F" in app.text(".note-info")


def test_a_link_brings_back_the_chords(app: Any, visit: Any) -> None:
    type_chords(app, "C | F C | F#m7b5 G7/B | C", "C", "F C", "F#m7b5 G7/B", "C")
    app.page.get_by_role("button", name="Copy link").click()
    app.page.get_by_role("button", name="Copied").wait_for()
    link = app.page.evaluate("navigator.clipboard.readText()")
    again = visit(link[link.index("#") :]).ready()
    assert again.melody() == app.melody()
    again.page.click(".chord-lane summary")
    again.page.wait_for_selector(".palette-chord")
    assert symbols(again) == ["C", "F C", "F#m7b5 G7/B", "C"]


def test_a_link_composes_over_its_chords(visit: Any) -> None:
    app = visit("#model=tunes&primer=&bars=4&count=1&seed=3&key=C+major&chords=C+%7C+Am+%7C+F+G7+%7C+C").ready()
    assert app.find("#chords").input_value() == "C | Am | F G7 | C"
    assert "C Am F G7 …" in app.text(".chord-lane summary")
