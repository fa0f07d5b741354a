"""What is taken away: files that other programs read, ABC, and a link that brings everything back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cantilena.data import read_melody
from cantilena.music import Melody

STATE = "#model=tunes%2Brl&primer=C4+D4+E4+F4&key=C+major&bars=4&count=2&seed=9&tempo=100"
OPENING = {
    "mid": b"MThd",
    "pdf": b"%PDF-",
    "png": b"\x89PNG",
    "svg": b"<",
    "wav": b"RIFF",
    "musicxml": b"<?xml",
    "abc": b"%abc",
}

Taken = tuple[list[tuple[int, str]], dict[str, Path]]


def download(desk: Any, kind: str, folder: Path) -> Path:
    desk.page.get_by_role("button", name="Download").click()
    with desk.page.expect_download(timeout=20_000) as found:
        desk.page.click(f".menu-list [data-kind={kind}]")
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


@pytest.fixture(scope="module")
def taken(browser: Any, live: Any, visitor: Any, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """A melody as the page shows it, and every kind of file that was downloaded of it."""
    desk = visitor(browser, live.url, {"width": 1360, "height": 900}).open(STATE).ready()
    folder = tmp_path_factory.mktemp("downloads")
    files = {kind: download(desk, kind, folder) for kind in OPENING}
    melody = desk.melody()
    assert desk.wrong == []
    desk.context.close()
    return melody, files


def shown(melody: Melody) -> list[tuple[int, str]]:
    return [(note.onset, " ".join(str(pitch) for pitch in note.pitches)) for note in melody.sounding]


@pytest.mark.parametrize("kind", OPENING)
def test_every_kind_of_file_is_what_it_says(taken: Taken, kind: str) -> None:
    path = taken[1][kind]
    assert path.suffix == f".{kind}"
    content = path.read_bytes()
    assert content.startswith(OPENING[kind])
    assert len(content) > 100


@pytest.mark.parametrize("kind", ["mid", "musicxml", "abc"])
def test_other_programs_read_the_very_notes(taken: Taken, kind: str) -> None:
    melody, files = taken
    assert shown(read_melody(files[kind])) == melody


def test_the_sound_has_the_right_length_and_every_note_its_pitch(taken: Taken) -> None:
    melody, files = taken
    sound, rate = soundfile.read(files["wav"])
    sound = sound if sound.ndim == 1 else sound.mean(axis=1)
    seconds = 60 / 100 / 24
    assert 5 * 96 * seconds <= len(sound) / rate <= 5 * 96 * seconds + 5
    assert np.sqrt(np.mean(sound**2)) > 0.01
    ends = [onset for onset, _ in melody[1:]] + [5 * 96]
    for (onset, pitch), end in zip(melody, ends, strict=True):
        first = int((onset * seconds + 0.03) * rate)
        part = sound[first : first + int(min((end - onset) * seconds - 0.03, 0.4) * rate)]
        expected = 440 * 2 ** ((int(pitch) - 69) / 12)
        assert energy(part, rate, expected) > 2 * max(
            energy(part, rate, expected * step) for step in (2 ** (1 / 12), 2 ** (-1 / 12))
        )


def energy(sound: np.ndarray, rate: int, frequency: float) -> float:
    """How strong a sine of a frequency is in a sound, where the sound has faded in and out."""
    time = np.arange(len(sound)) / rate
    return float(abs(np.sum(sound * np.hanning(len(sound)) * np.exp(-2j * np.pi * frequency * time))))


def test_expressive_files_differ_in_velocity_and_time(visit: Any, tmp_path: Path, taken: Taken) -> None:
    desk = visit(STATE).ready()
    desk.page.check("#expressive")
    path = download(desk, "mid", tmp_path)
    assert path.read_bytes() != taken[1]["mid"].read_bytes()
    assert len(read_melody(path).sounding) == len(taken[0])


def test_abc_is_copied(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.get_by_role("button", name="Download").click()
    desk.page.click("[data-kind=copy]")
    desk.see("#said").filter(has_text="Copied as ABC").wait_for()
    assert desk.page.evaluate("navigator.clipboard.readText()").startswith("%abc-2.1\nX:1\n")


def link_of(desk: Any) -> str:
    desk.page.click("article.active .copy-link")
    desk.see("#said").filter(has_text="The link is copied").wait_for()
    return str(desk.page.evaluate("navigator.clipboard.readText()")).removeprefix(desk.url + "/")


def test_a_link_brings_back_the_same_melody_with_the_same_settings(visit: Any) -> None:
    desk = visit(STATE + "&temperature=1.2&top_k=20&rules=key:3").ready()
    desk.page.click(".card:nth-child(2) .card-show")
    again = visit(link_of(desk)).ready()
    assert again.melody() == desk.melody()
    for field in ("temperature", "top_k", "bars", "count", "seed", "tempo", "key", "weight-key"):
        assert again.see(f"#{field}").input_value() == desk.see(f"#{field}").input_value()


def test_a_link_brings_back_what_no_seed_gives(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.focus("svg.roll")
    desk.page.keyboard.press("Shift+ArrowRight")
    desk.page.get_by_role("button", name="Rewrite bar 1").click()
    desk.see(".facts").filter(has_text="anew").wait_for()
    link = link_of(desk)
    assert "notes=" in link
    again = visit(link)
    again.see("article[data-ready]").wait_for()
    assert again.melody() == desk.melody()
    assert again.times("/api/compose") == 0


def test_going_back_goes_back_to_the_melody_before(visit: Any) -> None:
    desk = visit("#primer=C4+D4&bars=2&count=1&seed=1").ready()
    first = desk.melody()
    desk.page.fill("#primer", "A4 G4")
    second = desk.compose().melody()
    assert second != first
    desk.page.go_back()
    desk.see("#primer").and_(desk.page.locator("textarea")).wait_for()
    desk.page.wait_for_timeout(300)
    assert desk.ready().melody() == first
    assert desk.see("#primer").input_value() == "C4 D4"


@pytest.mark.parametrize(
    "state",
    [
        "#model=../../etc/passwd&seed=-1&bars=9999",
        "#notes=%00%ff~~~&primer=%3Cscript%3E",
        "#idea=x&count=NaN&rules=a:b,:,",
    ],
)
def test_a_link_of_nonsense_opens_a_page_that_works(visit: Any, state: str) -> None:
    desk = visit(state)
    desk.page.fill("#primer", "C4 D4")
    desk.page.fill("#bars", "2")
    desk.compose()
    assert len(desk.melody()) > 2
