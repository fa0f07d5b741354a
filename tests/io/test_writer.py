"""Writing by suffix, and the page of melodies."""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path
from xml.etree import ElementTree

import pytest
import symusic

from cantilena.errors import InputError, RunError, UsageError
from cantilena.io import WRITABLE, sheet_html, write
from cantilena.music import Key, Melody

TUNE = Melody.from_pitches([(60, 24), (62, 24), (64, 48)], title="Three notes", key=Key())


@pytest.mark.parametrize("suffix", [*WRITABLE, ".MID", ".Svg"])
def test_each_suffix_writes_its_format_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    path, again = tmp_path / f"new/tune{suffix}", tmp_path / f"again{suffix}"
    write(TUNE, path)
    write(TUNE, str(again))
    content = path.read_bytes()
    assert content == again.read_bytes()
    match suffix.lower():
        case ".mid" | ".midi":
            assert symusic.Score.from_midi(content).note_num() == 3
        case ".musicxml" | ".xml":
            assert ElementTree.fromstring(content).tag == "score-partwise"
        case ".svg":
            assert content.startswith(b"<svg ")
        case ".wav":
            with wave.open(io.BytesIO(content)) as sound:
                assert sound.getnframes() / sound.getframerate() >= TUNE.seconds
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["tune.pdf", "tune", "tune.", ".mid"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        write(TUNE, tmp_path / name)
    assert all(suffix in caught.value.hint for suffix in WRITABLE)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "tune.mid"
    path.write_text("precious")
    with pytest.raises(RunError, match="exists"):
        write(TUNE, path, overwrite=False)
    assert path.read_text() == "precious"
    write(TUNE, path)
    assert path.read_bytes()[:4] == b"MThd"


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "folder.mid", tmp_path / "file/tune.mid"):
        with pytest.raises(InputError, match="cannot write"):
            write(TUNE, path)


def test_midi_is_written_without_waiting_for_the_engraver(tmp_path: Path) -> None:
    code = (
        "import sys; from cantilena.io import write; from cantilena.music import Melody;"
        f"write(Melody.from_pitches([(60, 24)]), {str(tmp_path / 'a.mid')!r});"
        "print([name for name in ('verovio', 'soundfile', 'music21', 'torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_sheet_shows_each_melody_with_score_and_roll() -> None:
    hostile = Melody.from_pitches([(60, 24)], title="<script>alert(1)</script>", source="a\x00<b>")
    page = sheet_html([TUNE, hostile, Melody(())], "Tunes & <more>")
    assert page.count("<article>") == 3
    assert page.count('class="cantilena-score"') == page.count('class="cantilena-roll"') == 3
    assert "<script" not in page
    assert "<h2>1. Three notes</h2>" in page
    assert "Tunes &amp; &lt;more&gt;" in page
    assert "C major · 4/4 · 1 bar, 2 s" in page
    assert page == sheet_html([TUNE, hostile, Melody(())], "Tunes & <more>")
    assert "http" not in page.replace("http://www.w3.org/", "")
