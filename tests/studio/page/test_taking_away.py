"""What is taken away: files that other programs read, ABC, and a link that brings everything back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cantilena.data import read_melody
from cantilena.music import Melody

STATE = "#model=tunes%2Brl&primer=C4+D4+E4+F4&key=C+major&bars=5&count=2&seed=9&tempo=100"
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


def download(app: Any, kind: str, folder: Path) -> Path:
    app.page.get_by_role("button", name="Download").click()
    with app.page.expect_download(timeout=20_000) as found:
        app.page.click(f".menu-list [data-kind={kind}]")
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


@pytest.fixture(scope="module")
def taken(browser: Any, live: Any, studio_page: Any, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """A melody as the page shows it, and every kind of file that was downloaded of it."""
    app = studio_page(browser, live.url, {"width": 1360, "height": 900}).open(STATE).ready()
    folder = tmp_path_factory.mktemp("downloads")
    files = {kind: download(app, kind, folder) for kind in OPENING}
    melody = app.melody()
    assert app.errors == []
    app.context.close()
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
        # Of a very short note, a semitone is more than such a window can tell apart.
        apart = max(expected * (2 ** (1 / 12) - 1), 2 * rate / len(part))
        assert energy(part, rate, expected) > 2 * max(energy(part, rate, expected + away) for away in (apart, -apart))


def energy(sound: np.ndarray, rate: int, frequency: float) -> float:
    """How strong a sine of a frequency is in a sound, where the sound has faded in and out."""
    time = np.arange(len(sound)) / rate
    return float(abs(np.sum(sound * np.hanning(len(sound)) * np.exp(-2j * np.pi * frequency * time))))


def test_expressive_files_differ_in_velocity_and_time(visit: Any, tmp_path: Path, taken: Taken) -> None:
    app = visit(STATE).ready()
    app.page.check("#expressive")
    path = download(app, "mid", tmp_path)
    assert path.read_bytes() != taken[1]["mid"].read_bytes()
    assert len(read_melody(path).sounding) == len(taken[0])


def test_abc_is_copied(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.get_by_role("button", name="Download").click()
    app.page.click("[data-kind=copy]")
    app.find("#announcement").filter(has_text="Copied as ABC").wait_for()
    assert app.page.evaluate("navigator.clipboard.readText()").startswith("%abc-2.1\nX:1\n")


def link_of(app: Any) -> str:
    app.page.click("article.active .copy-link")
    app.find("#announcement").filter(has_text="Link copied").wait_for()
    return str(app.page.evaluate("navigator.clipboard.readText()")).removeprefix(app.url + "/")


def test_a_link_brings_back_the_same_melody_with_the_same_settings(visit: Any) -> None:
    app = visit(STATE + "&temperature=1.2&top_k=20&rules=key:3").ready()
    app.page.click(".card:nth-child(2) .card-show")
    again = visit(link_of(app)).ready()
    assert again.melody() == app.melody()
    for field in ("temperature", "top_k", "bars", "count", "seed", "tempo", "key", "weight-key"):
        assert again.find(f"#{field}").input_value() == app.find(f"#{field}").input_value()


def test_a_link_brings_back_what_no_seed_gives(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.focus("svg.roll")
    app.page.keyboard.press("Shift+ArrowRight")
    app.page.get_by_role("button", name="Rewrite bar 1").click()
    app.find(".facts").filter(has_text="rewritten").wait_for()
    link = link_of(app)
    assert "notes=" in link
    again = visit(link)
    again.find("article[data-ready]").wait_for()
    assert again.melody() == app.melody()
    assert again.count_requests("/api/compose") == 0


def test_going_back_goes_back_to_the_melody_before(visit: Any) -> None:
    app = visit("#primer=C4+D4&bars=2&count=1&seed=1").ready()
    first = app.melody()
    app.page.fill("#primer", "A4 G4")
    second = app.compose().melody()
    assert second != first
    app.page.go_back()
    app.find("#primer").and_(app.page.locator("textarea")).wait_for()
    app.page.wait_for_timeout(300)
    assert app.ready().melody() == first
    assert app.find("#primer").input_value() == "C4 D4"


@pytest.mark.parametrize(
    "state",
    [
        "#model=../../etc/passwd&seed=-1&bars=9999",
        "#notes=%00%ff~~~&primer=%3Cscript%3E",
        "#idea=x&count=NaN&rules=a:b,:,",
    ],
)
def test_a_link_of_nonsense_opens_a_page_that_works(visit: Any, state: str) -> None:
    app = visit(state)
    app.page.fill("#primer", "C4 D4")
    app.page.fill("#bars", "2")
    app.compose()
    assert len(app.melody()) > 2
