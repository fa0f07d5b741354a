"""The transport: speed, loop, metronome, instruments, chords, and MIDI output with its clock."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cantilena.io import accompaniment, read_score
from cantilena.studio.schemas.melody import MelodySchema

from ..conftest import Json, melody_json

STATE = "#primer=C4+D4+E4+F4&key=C+major&bars=2&count=1&seed=2&tempo=240"
TICK = 60 / (240 * 24)

# Records what is sent to MIDI outputs, with timestamps.
FAKE_MIDI = """
window.sent = [];
const send = (data, time) => window.sent.push({ data: [...data], time, now: performance.now() });
const port = (name) => ({ name, send });
const outputs = new Map([["1", port("Synth A")], ["2", port("Synth B")]]);
navigator.requestMIDIAccess = async () => ({ inputs: new Map(), outputs, addEventListener() {} });
"""


def play(app: Any) -> None:
    app.page.click("#play")
    app.find("#play[aria-label=Stop]").wait_for()


def wait_until_stopped(app: Any) -> None:
    app.find("#play[aria-label=Play]").wait_for(timeout=20_000)


def played(app: Any) -> list[dict[str, float]]:
    """The sounds that were not taken back before they began."""
    return [one for one in app.page.evaluate("window.played") if one["end"] is None or one["end"] > one["start"]]


def set_range(app: Any, name: str, value: int) -> None:
    app.page.eval_on_selector(
        f"#{name}", "(field, value) => { field.value = value; field.dispatchEvent(new Event('input')); }", value
    )


def open_melody(app: Any, melody: Json) -> None:
    whole = {"key": "C major", "meter": "4/4", "tempo": 240, "pickup": 0, "title": "", **melody}
    app.page.evaluate("async (melody) => { (await import('/page/compose.js')).openMelody(melody); }", whole)
    app.ready()


@pytest.fixture
def chords() -> Json:
    notes = melody_json((72, 24), (74, 24), (76, 24), (77, 24), (79, 96))
    return {**notes, "tempo": 240, "chords": [{"onset": 0, "symbol": "C"}, {"onset": 96, "symbol": "F"}]}


def test_speed_changes_at_once_and_keeps_the_melody(visit: Any) -> None:
    app = visit(STATE).ready()
    melody = app.melody()
    set_range(app, "speed", 50)
    assert app.page.eval_on_selector("#speed-value", "one => one.textContent") == "50 % · ♩ = 120"
    play(app)
    app.page.wait_for_timeout(900)
    set_range(app, "speed", 200)
    wait_until_stopped(app)
    notes = played(app)
    assert len(notes) == len(melody)
    gaps = [b["start"] - a["start"] for a, b in pairwise(notes)]
    written = [(b[0] - a[0]) * TICK for a, b in pairwise(melody)]
    assert gaps[0] == pytest.approx(2 * written[0], abs=0.01)
    assert gaps[-1] == pytest.approx(written[-1] / 2, abs=0.01)
    assert app.count_requests("/api/compose") == 1
    with app.page.expect_request("**/api/export/mid") as sent:
        app.page.get_by_role("button", name="Download", exact=True).click()
        app.page.click("[data-kind=mid]")
    assert sent.value.post_data_json["melody"]["tempo"] == 240


def test_selected_bars_are_repeated_until_the_loop_ends(visit: Any) -> None:
    app = visit(STATE).ready()
    melody = app.melody()
    app.page.evaluate("""async () => {
      const { activeColumn, selectBars } = await import("/page/state.js");
      selectBars(activeColumn(), { first: 1, last: 1 });
    }""")
    bar = [onset for onset, _ in melody if onset < 96]
    app.page.click("#loop")
    play(app)
    while len(played(app)) <= 2 * len(bar):
        app.page.wait_for_timeout(50)
    app.page.click("#loop")
    wait_until_stopped(app)
    notes = played(app)
    starts = [note["start"] - notes[0]["start"] for note in notes]
    passes = next(count for count in range(1, 20) if len(notes) == count * len(bar) + len(melody) - len(bar))
    assert passes >= 2
    expected = [(96 * turn + onset) * TICK for turn in range(passes) for onset in bar]
    expected += [(96 * (passes - 1) + onset) * TICK for onset, _ in melody if onset >= 96]
    assert starts == pytest.approx(expected, abs=1e-3)


def test_the_metronome_and_the_count_in_know_the_pickup(visit: Any) -> None:
    app = visit()
    open_melody(app, {**melody_json((67, 24), (72, 72), (72, 72)), "meter": "3/4", "pickup": 24, "tempo": 240})
    app.page.click("#metronome")
    app.page.click("#open-sound")
    app.page.check("#count-in")
    app.page.keyboard.press("Escape")
    play(app)
    wait_until_stopped(app)
    sounds = sorted(played(app), key=lambda one: one["start"])
    clicks = [one for one in sounds if one["seconds"] < 0.1]
    notes = [one for one in sounds if one["seconds"] >= 0.1]
    first = notes[0]["start"]
    assert [one["start"] - first for one in clicks] == pytest.approx(
        [24 * beat * TICK for beat in range(-3, 7)], abs=1e-6
    )
    loud = [one["peak"] > 0.45 for one in clicks]
    assert loud == [beat % 3 == 1 for beat in range(-3, 7)]


def test_instrument_and_volume_are_remembered(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.click("#open-sound")
    app.page.select_option("#instrument", "flute")
    set_range(app, "volume", 40)
    app.page.keyboard.press("Escape")
    assert app.find("#sound-panel").is_hidden()
    play(app)
    wait_until_stopped(app)
    assert any("instrument=flute" in sent for sent in app.requests)
    assert len(played(app)) == len(app.melody())
    app.page.reload()
    app.page.wait_for_selector("html[data-loaded=yes]")
    assert app.text("#sound-summary") == "Flute"
    assert app.page.input_value("#volume") == "40"


@pytest.mark.parametrize("pattern", ["block", "arpeggio", "none"])
def test_chords_are_heard_under_the_melody(visit: Any, chords: Json, pattern: str) -> None:
    app = visit()
    open_melody(app, chords)
    app.page.click("#open-sound")
    app.page.select_option("#accompaniment", pattern)
    app.page.keyboard.press("Escape")
    play(app)
    wait_until_stopped(app)
    under = accompaniment(MelodySchema.model_validate(chords).to_melody(), pattern)  # type: ignore[arg-type]
    expected = [note.onset for note in under for _ in note.pitches] + [note["onset"] for note in chords["notes"]]
    notes = sorted(note["start"] for note in played(app))
    assert [start - notes[0] for start in notes] == pytest.approx([tick * TICK for tick in sorted(expected)], abs=1e-6)


def test_the_accompaniment_is_offered_for_melodies_with_chords_only(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.click("#open-sound")
    assert app.find("#accompaniment").is_hidden()


@pytest.mark.parametrize("large", [False, True])
def test_the_play_button_is_visible_on_a_phone(visit: Any, large: bool) -> None:
    app = visit(STATE, viewport={"width": 390, "height": 844}).ready()
    if large:
        app.page.click("#large")
    for selector in ("#play", "#loop", "#metronome", "#open-sound"):
        box = app.find(selector).bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    app.page.click("#open-sound")
    box = app.find("#sound-panel").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] >= 0
    assert app.page.evaluate("document.documentElement.scrollWidth") <= 390
    app.page.focus("#speed")
    app.page.keyboard.press("ArrowRight")
    assert app.page.input_value("#speed") == "105"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_is_legible_and_named(visit: Any, chords: Json, page_checks: dict[str, str], scheme: str) -> None:
    app = visit(color_scheme=scheme)
    open_melody(app, chords)
    app.page.click("#loop")
    app.page.click("#open-sound")
    assert app.find("#accompaniment").is_visible()
    assert app.page.evaluate(page_checks["faint"])["faint"] == []
    assert app.page.evaluate(page_checks["nameless"]) == []
    assert app.page.evaluate("document.activeElement.id") == "instrument"
    app.page.keyboard.press("Escape")
    assert app.page.evaluate("document.activeElement.id") == "open-sound"


# --- MIDI output ---


@pytest.fixture
def midi(visit: Any) -> Iterator[Any]:
    app = visit()
    app.context.add_init_script(FAKE_MIDI)
    app.page.goto("about:blank")
    app.open(STATE).ready()
    app.page.click("#open-sound")
    app.page.select_option("#midi-output", "connect")
    app.find("#midi-output option[value='Synth B']").wait_for(state="attached")
    app.page.select_option("#midi-output", "Synth B")
    app.page.check("#midi-clock")
    app.page.keyboard.press("Escape")
    return app


def sent(app: Any) -> list[dict[str, Any]]:
    return list(app.page.evaluate("window.sent"))


def sounding(messages: list[dict[str, Any]]) -> set[tuple[int, int]]:
    """Channel and pitch of the notes that were begun and not ended."""
    on: set[tuple[int, int]] = set()
    for message in sorted(messages, key=lambda one: one["time"]):
        status, pitch, _ = (*message["data"], 0, 0)[:3]
        if status & 0xF0 == 0x90:
            assert (status & 0xF, pitch) not in on
            on.add((status & 0xF, pitch))
        elif status & 0xF0 == 0x80:
            on.remove((status & 0xF, pitch))
    return on


def test_notes_and_clock_are_sent_in_time(midi: Any) -> None:
    app = midi
    melody = app.melody()
    length = app.page.evaluate("async () => (await import('/page/state.js')).currentCandidate().melody.length")
    play(app)
    wait_until_stopped(app)
    messages = sent(app)
    assert sounding(messages) == set()
    ons = [one for one in messages if one["data"][0] & 0xF0 == 0x90]
    assert [one["data"][1] for one in ons] == [int(pitches) for _, pitches in melody]
    start = ons[0]["time"]
    assert [one["time"] - start for one in ons] == pytest.approx([1000 * onset * TICK for onset, _ in melody], abs=1)
    assert all(one["time"] > one["now"] - 100 for one in ons)
    clocks = [one["time"] for one in messages if one["data"] == [0xF8]]
    assert len(clocks) == length
    assert [time - start for time in clocks] == pytest.approx([1000 * tick * TICK for tick in range(length)], abs=1)
    real_time = [one["data"][0] for one in messages if one["data"][0] in (0xFA, 0xFB, 0xFC)]
    assert real_time == [0xFA, 0xFC]
    # What sounds in the page sounds there at the same time, but for a constant.
    gaps = [one["start"] - played(app)[0]["start"] for one in played(app)]
    assert [(one["time"] - start) / 1000 for one in ons] == pytest.approx(gaps, abs=2e-3)


def test_nothing_hangs_after_stop_and_after_changes(midi: Any) -> None:
    app = midi
    play(app)
    app.page.wait_for_timeout(350)
    set_range(app, "speed", 60)
    app.page.wait_for_timeout(350)
    set_range(app, "speed", 150)
    app.page.click("#loop")
    app.page.wait_for_timeout(500)
    app.page.click("#play")
    wait_until_stopped(app)
    messages = sent(app)
    assert sounding(messages) == set()
    assert [one["data"] for one in messages[-3:]] == [[0xB0, 123, 0], [0xB1, 123, 0], [0xFC]]
    app.page.wait_for_timeout(300)
    assert len(sent(app)) == len(messages)


def test_from_the_middle_the_clock_continues(midi: Any) -> None:
    app = midi
    app.page.focus("svg.roll")
    app.page.keyboard.press("ArrowRight")
    play(app)
    wait_until_stopped(app)
    first = [one["data"] for one in sent(app)][:2]
    assert first == [[0xF2, app.melody()[1][0] // 6, 0], [0xFB]]


# --- dragging ---


def test_a_drag_carries_the_melody_as_a_midi_file(visit: Any, tmp_path: Path) -> None:
    app = visit(STATE).ready()
    handle = app.page.get_by_role("button", name="Drag MIDI")
    with app.page.expect_response("**/api/export/mid"):
        handle.hover()
    app.page.wait_for_timeout(200)
    data = handle.evaluate(
        """(handle) => {
          const dataTransfer = new DataTransfer();
          const event = new DragEvent("dragstart", { dataTransfer, bubbles: true, cancelable: true });
          return handle.dispatchEvent(event) ? dataTransfer.getData("DownloadURL") : null;
        }"""
    )
    found = re.fullmatch(r"audio/midi:([^:/]+\.mid):data:audio/midi;base64,(.+)", data)
    assert found
    path = tmp_path / found[1]
    path.write_bytes(base64.b64decode(found[2]))
    (score,) = read_score(path)
    (part,) = score.parts
    assert [str(pitch) for pitch in part.pitch] == [pitches for _, pitches in app.melody()]
    assert [int(onset) * 24 // score.resolution for onset in part.onset] == [onset for onset, _ in app.melody()]
    with app.page.expect_download() as saved:
        handle.click()
    assert Path(saved.value.path()).read_bytes() == path.read_bytes()
