"""The beginning of a melody: played, typed, opened, dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mido
import pytest

from cantilena.generation import typed_notes
from cantilena.io import write

MIDI_KEYBOARD = """
navigator.requestMIDIAccess = async () => {
  window.keyboard = { name: "Test keyboard", onmidimessage: null };
  return { inputs: new Map([["one", window.keyboard]]), onstatechange: null };
};
"""


@pytest.fixture
def app(visit: Any) -> Any:
    app = visit()
    app.page.click("#primer-clear")
    return app


def test_the_piano_adds_notes_of_the_chosen_length(app: Any) -> None:
    app.page.click('[data-pitch="60"]')
    app.page.select_option("#note-length", label="an eighth")
    app.page.click('[data-pitch="66"]', position={"x": 5, "y": 20})
    app.page.click("#rest")
    assert app.find("#primer").input_value() == "C4 F#4/8 r/8"
    app.page.click("#primer-undo")
    assert app.find("#primer").input_value() == "C4 F#4/8"


def test_the_letters_of_the_computer_play_too(app: Any) -> None:
    app.page.evaluate("document.activeElement.blur()")
    for letter in "asd":
        app.page.keyboard.press(letter)
    app.page.keyboard.press("x")
    app.page.keyboard.press("a")
    assert app.find("#primer").input_value() == "C4 D4 E4 C5"
    app.page.wait_for_timeout(500)
    assert len(app.page.evaluate("window.played")) == 4


def test_letters_that_are_typed_are_no_notes(app: Any) -> None:
    app.page.click("#primer")
    app.page.keyboard.type("A4 D4")
    assert app.find("#primer").input_value() == "A4 D4"
    assert app.page.evaluate("window.played") == []


def test_the_keys_are_reached_one_by_one_without_a_mouse(app: Any) -> None:
    app.page.focus('[data-pitch="60"]')
    app.page.keyboard.press("ArrowRight")
    app.page.keyboard.press("Enter")
    assert app.find("#primer").input_value() == "C#4"


def test_notes_are_as_long_as_they_are_held(app: Any) -> None:
    app.page.select_option("#note-length", label="as I play it")
    app.page.locator('[data-pitch="64"]').click(delay=500)
    assert app.find("#primer").input_value() in {"E4", "E4/4.", "E4/8."}


def test_a_midi_keyboard_plays(visit: Any) -> None:
    app = visit()
    app.context.add_init_script(MIDI_KEYBOARD)
    app.open()
    app.page.click("#primer-clear")
    app.page.click("#open-help")
    app.page.click("#midi")
    app.find("#midi-status").filter(has_text="Connected: Test keyboard").wait_for()
    app.page.click("#help .close")
    for message in ([144, 67, 90], [128, 67, 0], [144, 71, 80], [144, 71, 0]):
        app.page.evaluate("(message) => window.keyboard.onmidimessage({ data: message })", message)
    assert app.find("#primer").input_value() == "G4 B4"


def test_a_word_that_is_no_note_is_named_and_nothing_is_asked(app: Any) -> None:
    app.page.fill("#primer", "C4 H9 E4")
    assert "“H9” is not a note" in app.text("#primer-error")
    app.page.click("#compose")
    assert app.count_requests("/api/compose") == 0
    assert app.page.evaluate("document.activeElement.id") == "primer"


def test_the_beginning_is_engraved_while_it_is_typed(app: Any) -> None:
    app.page.fill("#primer", "C4 D4 E4/2")
    app.find('.preview svg[aria-label="Score of 3 notes"]').wait_for()
    assert app.find(".preview .notehead").count() == 3


@pytest.mark.parametrize("name", ["tune.mid", "tune.musicxml", "tune.abc"])
def test_a_file_is_opened(app: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(typed_notes("D4 E4 F#4/2 A4 A4 D4/2"), path)
    app.page.set_input_files("#primer-file", str(path))
    app.find("#announcement").filter(has_text="6 notes read").wait_for(timeout=20_000)
    assert app.find("#primer").input_value() == "D4 E4 F#4/2 A4 A4 D4/2"


def test_a_dropped_file_begins_the_melody(app: Any, tmp_path: Path) -> None:
    path = tmp_path / "dropped.mid"
    write(typed_notes("G4 A4 B4/2"), path)
    app.page.evaluate(
        """([name, bytes]) => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(bytes)], name));
          for (const kind of ["dragover", "drop"]) {
            window.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
          }
        }""",
        [path.name, list(path.read_bytes())],
    )
    app.find("#announcement").filter(has_text="3 notes read from dropped.mid").wait_for(timeout=20_000)
    assert app.find("#primer").input_value() == "G4 A4 B4/2"
    app.compose()
    assert app.melody()[:3] == [(0, "67"), (24, "69"), (48, "71")]


@pytest.mark.parametrize(
    ("name", "content"), [("broken.mid", b"MThd nonsense"), ("words.musicxml", b"<a>"), ("x.mid", b"")]
)
def test_a_broken_file_is_refused_in_a_sentence(app: Any, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    app.page.set_input_files("#primer-file", str(path))
    app.find("#primer-error").wait_for(timeout=20_000)
    assert app.text("#primer-error").endswith(".")
    app.clear_http_errors()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(app: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.mid"
    path.write_bytes(bytes(2**20 + 1))
    app.page.set_input_files("#primer-file", str(path))
    app.find("#primer-error").wait_for()
    assert "larger than 1 MB" in app.text("#primer-error")
    assert app.count_requests("/api/read") == 0


def test_typed_notes_can_be_moved_into_the_key_that_is_chosen(visit: Any) -> None:
    app = visit("#primer=C4+E4+G4%2F2&key=C+major&bars=2&count=1").ready()
    app.page.select_option("#key", "D major")
    assert app.page.input_value("#primer") == "C4 E4 G4/2"
    app.page.get_by_role("button", name="Transpose them to D major").click()
    assert app.page.input_value("#primer") == "D4 F#4 A4/2"
    assert not app.find("#primer-transpose").is_visible()
    app.page.select_option("#key", "A minor")
    assert not app.find("#primer-transpose").is_visible()  # another mode


def test_a_voice_and_bars_of_a_file_are_chosen(visit: Any, tmp_path: Path) -> None:
    midi = mido.MidiFile(ticks_per_beat=24)
    for name, low in (("Flute", 72), ("Cello", 48)):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        for step in range(32):
            track.append(mido.Message("note_on", note=low + step % 5, velocity=80, time=0))
            track.append(mido.Message("note_off", note=low + step % 5, velocity=0, time=24))
        midi.tracks.append(track)
    midi.save(tmp_path / "duet.mid")
    app = visit()
    app.page.set_input_files("#primer-file", tmp_path / "duet.mid")
    app.find("#primer-part").wait_for()
    assert "Left out: 32 notes of other voices" in app.text("#primer-part")
    app.page.select_option("#part-voice", label="Cello")
    app.page.fill("#part-first", "2")
    app.page.fill("#part-last", "2")
    app.page.get_by_role("button", name="Take these").click()
    app.page.locator("#primer-part", has_text="7 of 8 bars").wait_for()
    assert app.page.input_value("#primer") == "E3 C3 C#3 D3"
