"""`examples/reaper.lua` with a stand-in for REAPER, against a studio in a process of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent / "examples" / "reaper.lua"
LUA = shutil.which("lua5.4") or shutil.which("lua5.3") or shutil.which("lua")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(LUA is None, reason="no Lua on this machine: apt-get install lua5.4"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine"),
]

NOTES = [(8, 9, 60), (9, 10, 64), (10, 11, 67), (11, 12, 64), (12, 13, 65), (13, 14, 62), (14, 15.5, 60)]
"""Quarter notes of a project: two bars from bar 3 on, the last note shorter."""

Note = tuple[float, float, int, int]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    words = [sys.executable, "-m", "cantilena", "studio", "--no-open", "--port", "0", "--home", str(home)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        found = next(match for line in process.stderr if (match := re.search(r"http://127[^\s/]+", line)))
        yield found[0]
        process.kill()


def run_script(
    folder: Path,
    address: str,
    answers: str,
    span: tuple[float, float] = (8, 16),
    notes: list[tuple[float, ...]] = NOTES,
) -> list[str]:
    """What the script did, line by line."""
    numbers = [str(number) for note in notes for number in note]
    words = [str(LUA), str(HERE / "reaper_stand_in.lua"), str(SCRIPT), str(folder), address, answers]
    done = subprocess.run([*words, *map(str, span), *numbers], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert list(folder.iterdir()) == [], "no file is left"
    return done.stdout.splitlines()


def notes_of(lines: list[str]) -> list[Note]:
    found = [line.split()[1:] for line in lines if line.startswith("note ")]
    return sorted((float(on), float(off), int(channel), int(pitch)) for on, off, channel, pitch in found)


def test_continue_writes_new_bars_after_the_item(tmp_path: Path, address: str) -> None:
    lines = run_script(tmp_path, address, "continue,4,tunes")
    assert lines[0] == "item 16.0000 32.0000"
    notes = notes_of(lines)
    assert len(notes) > 4
    assert all(16 <= on < off <= 32 and channel == 0 for on, off, channel, _ in notes)


def test_rewrite_keeps_the_other_bars(tmp_path: Path, address: str) -> None:
    lines = run_script(tmp_path, address, "rewrite,2-2,tunes")
    assert lines[0] == "item 16.0000 24.0000"
    first = [note for note in notes_of(lines) if note[0] < 20]
    assert first == [(on + 8, off + 8, 0, pitch) for on, off, pitch in NOTES[:4]]


def test_harmonise_writes_melody_and_chords(tmp_path: Path, address: str) -> None:
    lines = run_script(tmp_path, address, "harmonise,,")
    assert lines[0] == "item 16.0000 24.0000"
    melody = [note for note in notes_of(lines) if note[2] == 0]
    chords = [note for note in notes_of(lines) if note[2] == 1]
    assert melody == [(on + 8, off + 8, 0, pitch) for on, off, pitch in NOTES]
    assert len(chords) >= 4
    assert all(36 <= pitch < 60 for *_, pitch in chords)
    assert (chords[0][0], max(off for _, off, _, _ in chords)) == (16, 24)


def test_an_item_that_begins_within_a_bar_has_a_pickup(tmp_path: Path, address: str) -> None:
    lines = run_script(tmp_path, address, "continue,2,tunes", (7, 12), [(7, 8, 67), *NOTES[:4]])
    assert lines[0] == "item 12.0000 19.0000", "the last bar is shorter by the pickup"


@pytest.mark.parametrize(
    ("answers", "span", "message"),
    [
        ("continue,4,tunes", (8, 8), "No item is selected."),
        ("continue,4,tunes", (100, 104), "The selected item has no notes."),
        ("continue,many,tunes", (8, 16), '"many" is no number of bars.'),
        ("sing,4,tunes", (8, 16), 'There is no "sing".'),
        ("continue,4,nobody", (8, 16), "The studio: there is no such model | choose one of"),
        ("rewrite,9-9,tunes", (8, 16), "The studio: "),
    ],
)
def test_errors_are_shown(tmp_path: Path, address: str, answers: str, span: tuple[float, float], message: str) -> None:
    (line,) = run_script(tmp_path, address, answers, span)
    assert line.startswith(f"message {message}")


def test_without_the_studio_it_says_how_to_start_it(tmp_path: Path) -> None:
    (line,) = run_script(tmp_path, "http://127.0.0.1:9", "continue,4,tunes")
    assert line == (
        "message The studio does not answer at http://127.0.0.1:9. | Start it: cantilena studio --no-open --port 8000"
    )


def test_nothing_happens_when_it_is_cancelled(tmp_path: Path) -> None:
    assert run_script(tmp_path, "http://127.0.0.1:9", "") == []
