"""Real folders through real worker processes: piano-midi as it is, and good files among broken ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import Corpus, ReadOptions, corpus_report, read_folder
from cantilena.errors import CorpusError
from cantilena.io import write
from cantilena.music import Melody


def tune(seed: int) -> Melody:
    rng = np.random.default_rng(seed)
    pitches = 60 + np.cumsum(rng.choice([-3, -2, -1, 1, 2, 4], 50)) % 24
    return Melody.from_pitches(list(zip(pitches.tolist(), rng.choice([6, 12, 24], 50).tolist(), strict=True)))


@pytest.mark.e2e
def test_piano_midi_is_read_whole(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "piano-midi"
    corpus = read_folder(folder, ReadOptions(seconds=30, jobs=2), quiet=True)
    assert corpus.manifest.read == len(corpus) == 305
    # Godowsky's arrangement of Albeniz's tango, and the promenade that comes again in Mussorgsky's pictures.
    assert [(row.file, row.reason) for row in corpus.manifest.skipped] == [
        ("Godowsky/god_alb_esp2.mid", "near-duplicate of Albeniz/alb_esp2.mid"),
        ("Mussorgsky/muss_7.mid", "near-duplicate of Mussorgsky/muss_1.mid"),
    ]
    splits = dict(zip(corpus.column("source"), corpus.column("split"), strict=True))
    assert len({splits[f"Beethoven/mond_{movement}.mid"] for movement in (1, 2, 3)}) == 1
    assert len({splits[f"Clementi/clementi_opus36_2_{movement}.mid"] for movement in (1, 2, 3)}) == 1
    corpus.save(tmp_path / "two.arrow")
    read_folder(folder, ReadOptions(seconds=30, jobs=1), quiet=True).save(tmp_path / "one.arrow")
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "two.arrow").read_bytes()
    assert list(Corpus.load(tmp_path / "one.arrow")) == list(corpus)


def test_good_files_survive_among_broken_ones(tmp_path: Path) -> None:
    for number in range(3):
        write(tune(number), tmp_path / f"good{number}.mid")
    good = (tmp_path / "good0.mid").read_bytes()
    (tmp_path / "cut.mid").write_bytes(good[:40])
    (tmp_path / "empty.mid").touch()
    (tmp_path / "text.mid").write_text("not midi")
    (tmp_path / "zero_division.mid").write_bytes(good[:12] + b"\0\0" + good[14:])
    (tmp_path / "copy.mid").write_bytes(good)
    (tmp_path / "x.mid").mkdir()
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / os.fsdecode(b"\xff.mid")).write_bytes(good)
    corpus = read_folder(tmp_path, ReadOptions(jobs=2), quiet=True)
    assert sorted(corpus.column("source")) == ["copy.mid", "good1.mid", "good2.mid"]
    assert next(iter(corpus)).notes == tune(0).notes
    reasons = {row.file: row.reason for row in corpus.manifest.skipped}
    assert set(reasons) == {
        "cut.mid", "empty.mid", "text.mid", "zero_division.mid", "good0.mid", "x.mid", "pipe.mid", "\\xff.mid"
    }  # fmt: skip
    assert all(reason and "\n" not in reason and str(tmp_path) not in reason for reason in reasons.values())
    text = corpus_report(corpus, vocabulary=0).text()
    assert "3 files; 8 skipped" in text
    assert all(name in text for name in reasons)


def test_a_folder_of_broken_files_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd")
    with pytest.raises(CorpusError, match=r"none of the 1 scores in .* can be used; a.mid: "):
        read_folder(tmp_path, ReadOptions(jobs=1), quiet=True)
