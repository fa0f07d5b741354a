"""The beginning of a melody: played, typed, opened, dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
def desk(visit: Any) -> Any:
    desk = visit()
    desk.page.click("#primer-clear")
    return desk


def test_the_piano_adds_notes_of_the_chosen_length(desk: Any) -> None:
    desk.page.click('[data-pitch="60"]')
    desk.page.select_option("#value", label="an eighth")
    desk.page.click('[data-pitch="66"]', position={"x": 5, "y": 20})
    desk.page.click("#rest")
    assert desk.see("#primer").input_value() == "C4 F#4/8 r/8"
    desk.page.click("#primer-undo")
    assert desk.see("#primer").input_value() == "C4 F#4/8"


def test_the_letters_of_the_computer_play_too(desk: Any) -> None:
    desk.page.evaluate("document.activeElement.blur()")
    for letter in "asd":
        desk.page.keyboard.press(letter)
    desk.page.keyboard.press("x")
    desk.page.keyboard.press("a")
    assert desk.see("#primer").input_value() == "C4 D4 E4 C5"
    desk.page.wait_for_timeout(500)
    assert len(desk.page.evaluate("window.struck")) == 4


def test_letters_that_are_typed_are_no_notes(desk: Any) -> None:
    desk.page.click("#primer")
    desk.page.keyboard.type("A4 D4")
    assert desk.see("#primer").input_value() == "A4 D4"
    assert desk.page.evaluate("window.struck") == []


def test_the_keys_are_reached_one_by_one_without_a_mouse(desk: Any) -> None:
    desk.page.focus('[data-pitch="60"]')
    desk.page.keyboard.press("ArrowRight")
    desk.page.keyboard.press("Enter")
    assert desk.see("#primer").input_value() == "C#4"


def test_notes_are_as_long_as_they_are_held(desk: Any) -> None:
    desk.page.select_option("#value", label="as I play it")
    desk.page.locator('[data-pitch="64"]').click(delay=500)
    assert desk.see("#primer").input_value() in {"E4", "E4/4.", "E4/8."}


def test_a_midi_keyboard_plays(visit: Any) -> None:
    desk = visit()
    desk.context.add_init_script(MIDI_KEYBOARD)
    desk.open()
    desk.page.click("#primer-clear")
    desk.page.click("#open-help")
    desk.page.click("#midi")
    desk.see("#midi-says").filter(has_text="Connected: Test keyboard").wait_for()
    desk.page.click("#help .shut")
    for message in ([144, 67, 90], [128, 67, 0], [144, 71, 80], [144, 71, 0]):
        desk.page.evaluate("(message) => window.keyboard.onmidimessage({ data: message })", message)
    assert desk.see("#primer").input_value() == "G4 B4"


def test_a_word_that_is_no_note_is_named_and_nothing_is_asked(desk: Any) -> None:
    desk.page.fill("#primer", "C4 H9 E4")
    assert "“H9” is not a note" in desk.text("#primer-error")
    desk.page.click("#compose")
    assert desk.times("/api/compose") == 0
    assert desk.page.evaluate("document.activeElement.id") == "primer"


def test_the_beginning_is_engraved_while_it_is_typed(desk: Any) -> None:
    desk.page.fill("#primer", "C4 D4 E4/2")
    desk.see('.beginning svg[aria-label="Score of 3 notes"]').wait_for()
    assert desk.see(".beginning .notehead").count() == 3


@pytest.mark.parametrize("name", ["tune.mid", "tune.musicxml", "tune.abc"])
def test_a_file_is_opened(desk: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(typed_notes("D4 E4 F#4/2 A4 A4 D4/2"), path)
    desk.page.set_input_files("#primer-file", str(path))
    desk.see("#said").filter(has_text="6 notes read").wait_for(timeout=20_000)
    assert desk.see("#primer").input_value() == "D4 E4 F#4/2 A4 A4 D4/2"


def test_a_dropped_file_begins_the_melody(desk: Any, tmp_path: Path) -> None:
    path = tmp_path / "dropped.mid"
    write(typed_notes("G4 A4 B4/2"), path)
    desk.page.evaluate(
        """([name, bytes]) => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(bytes)], name));
          for (const kind of ["dragover", "drop"]) {
            window.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
          }
        }""",
        [path.name, list(path.read_bytes())],
    )
    desk.see("#said").filter(has_text="3 notes read from dropped.mid").wait_for(timeout=20_000)
    assert desk.see("#primer").input_value() == "G4 A4 B4/2"
    desk.compose()
    assert desk.melody()[:3] == [(0, "67"), (24, "69"), (48, "71")]


@pytest.mark.parametrize(
    ("name", "content"), [("broken.mid", b"MThd nonsense"), ("words.musicxml", b"<a>"), ("x.mid", b"")]
)
def test_a_broken_file_is_refused_in_a_sentence(desk: Any, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    desk.page.set_input_files("#primer-file", str(path))
    desk.see("#primer-error").wait_for(timeout=20_000)
    assert desk.text("#primer-error").endswith(".")
    desk.refused()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(desk: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.mid"
    path.write_bytes(bytes(2**20 + 1))
    desk.page.set_input_files("#primer-file", str(path))
    desk.see("#primer-error").wait_for()
    assert "larger than 1 MB" in desk.text("#primer-error")
    assert desk.times("/api/read") == 0
