"""A folder of scores becomes a corpus: every file is in it or in the report."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cantilena.data.folder as folder_module
from cantilena.data import ExtractedMelody, ReadOptions, read_folder
from cantilena.data.folder import find_scores
from cantilena.errors import CantilenaError, CorpusError, ScoreError
from cantilena.io import PieceSource
from cantilena.io.notation.abc_tunes import TuneText
from cantilena.music import Melody, Note
from cantilena.runtime import Failure


def tune(seed: int, title: str = "") -> Melody:
    rng = np.random.default_rng(seed)
    pitches = 60 + np.cumsum(rng.choice([-3, -2, -1, 1, 2, 4], 50)) % 24
    return Melody.from_pitches(
        list(zip(pitches.tolist(), rng.choice([6, 12, 24], 50).tolist(), strict=True)), title=title
    )


def fake_pieces(path: Path) -> Iterator[PieceSource]:
    """Each line of a book is a tune."""
    if path.suffix.lower() != ".abc":
        yield PieceSource(path)
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "stop":
            raise ScoreError("it has too many tunes", "cut it into pieces")
        yield PieceSource(path, TuneText(line, number, str(number), ""))


def fake_extract(piece: PieceSource, options: ReadOptions) -> ExtractedMelody:
    """A piece that says `tune 3` holds tune 3; `refuse` and `silence` do what they say."""
    text = piece.tune.text if piece.tune is not None else piece.path.read_text()
    word, _, rest = text.partition(" ")
    number, _, title = rest.partition(" ")
    if word == "tune":
        return ExtractedMelody(tune(int(number), title), rounded=2)
    if word == "refuse":
        raise ScoreError(f"{piece.path} holds no notes", "name another file")
    return ExtractedMelody(Melody((Note((), 0, 24),) if word == "silence" else ()))


def in_this_process(
    task: Callable[[Any], Any], items: Iterable[Any], *, jobs: int, seconds: float, memory: int
) -> Iterator[tuple[int, Any]]:
    """What `bounded_map` does, without processes, in the worst order."""
    assert seconds == 10
    assert memory == 2**30
    order = list(enumerate(items))
    random.Random(jobs).shuffle(order)
    for index, item in order:
        try:
            yield index, task(item)
        except CantilenaError as error:
            yield index, Failure(error.text, error.hint)


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "extract_piece", fake_extract)
    monkeypatch.setattr(folder_module, "pieces_of", fake_pieces)
    monkeypatch.setattr(folder_module, "bounded_map", in_this_process)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_files_become_melodies_with_their_sources(tmp_path: Path) -> None:
    write(tmp_path, {"b.mid": "tune 1 Waltz", "Bach/a.mid": "tune 2", "c.ABC": "tune 3\ntune 4", "notes.txt": "no"})
    corpus = read_folder(tmp_path, quiet=True)
    assert corpus.column("source") == ["Bach/a.mid", "b.mid", "c.ABC#1", "c.ABC#2"]
    assert [melody.notes for melody in corpus] == [tune(number).notes for number in (2, 1, 3, 4)]
    assert corpus.column("title") == ["", "Waltz", "", ""]
    assert corpus.column("collection") == ["Bach", tmp_path.name, tmp_path.name, tmp_path.name]
    assert corpus.column("rounded") == [2, 2, 2, 2]
    assert corpus.manifest.read == 3
    assert corpus.manifest.skipped == ()
    assert corpus.manifest.ignored == {".txt": 1}
    assert "jobs" not in corpus.manifest.options


def test_failures_copies_and_silence_are_rows(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.mid": "tune 1", "b.mid": "refuse", "c.mid": "tune 1", "d.mid": "silence", "e.mid": "", "f.mid": "tune 5"},
    )
    corpus = read_folder(tmp_path, quiet=True)
    assert [(row.file, row.reason) for row in corpus.manifest.skipped] == [
        ("b.mid", "b.mid holds no notes (name another file)"),
        ("c.mid", "near-duplicate of a.mid"),
        ("d.mid", "no notes"),
        ("e.mid", "no notes"),
    ]
    assert corpus.manifest.read == 2
    assert corpus.manifest.read + len(corpus.manifest.skipped) == 6


def test_a_bad_tune_costs_itself_alone(tmp_path: Path) -> None:
    write(tmp_path, {"a.abc": "tune 1\nrefuse\ntune 2\nsilence\nstop\ntune 3", "b.abc": "stop", "c.abc": "tune 4"})
    corpus = read_folder(tmp_path, quiet=True)
    assert corpus.column("source") == ["a.abc#1", "a.abc#3", "c.abc"]
    assert [(row.file, row.reason) for row in corpus.manifest.skipped] == [
        ("a.abc", "it has too many tunes (cut it into pieces)"),
        ("a.abc#2", "a.abc holds no notes (name another file)"),
        ("a.abc#4", "no notes"),
        ("b.abc", "it has too many tunes (cut it into pieces)"),
    ]
    assert corpus.manifest.read == 2


def test_jobs_and_order_change_nothing(tmp_path: Path) -> None:
    write(tmp_path, {f"{number:03}.mid": f"tune {number % 31}" for number in range(30)})
    write(tmp_path, {"book.abc": "\n".join(f"tune {number % 31}" for number in range(30, 60))})
    one, eight = (read_folder(tmp_path, ReadOptions(jobs=jobs), quiet=True) for jobs in (1, 8))
    one.save(tmp_path / "one.arrow")
    eight.save(tmp_path / "eight.arrow")
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "eight.arrow").read_bytes()
    assert len(one) == 31


def test_movements_of_a_work_stay_in_one_split(tmp_path: Path) -> None:
    files = {f"sonata{k}_{part}.mid": f"tune {10 * k + part} Sonata Op. {k}, {part}. Satz" for k in range(30)
             for part in range(1, 4)}  # fmt: skip
    corpus = read_folder(write(tmp_path, files), quiet=True)
    splits = dict(zip(corpus.column("source"), corpus.column("split"), strict=True))
    assert set(splits.values()) == {"train", "valid", "test"}
    for k in range(30):
        assert len({splits[f"sonata{k}_{part}.mid"] for part in range(1, 4)}) == 1


def test_as_is_keeps_copies_and_makes_no_split(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": "tune 1", "b.mid": "tune 1", "c.mid": "tune 2", "d.mid": "tune 3"})
    corpus = read_folder(tmp_path, as_is=True, quiet=True)
    assert len(corpus) == 4
    assert corpus.count("split") == {"train": 4}


def test_one_melody_written_in_several_ways_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"1.mid": "tune 1", "1.musicxml": "tune 1", "2.musicxml": "tune 2", "3.mid": "tune 3"})
    corpus = read_folder(tmp_path, as_is=True, once=True, quiet=True)
    assert corpus.column("source") == ["1.mid", "2.musicxml", "3.mid"]
    assert corpus.manifest.skipped == ()
    assert corpus.manifest.ignored == {".musicxml": 1}


def test_strange_things_are_rows_and_stop_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"good.mid": "tune 1", "x.mid/inner.mid": "tune 2", "deep/er/still.mid": "tune 3"})
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / "zero.mid").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "deep" / "up").symlink_to(tmp_path / "deep")
    (tmp_path / "ring.mid").symlink_to(tmp_path / "ring.mid")
    (tmp_path / "gone.mid").symlink_to(tmp_path / "nowhere.mid")
    (tmp_path / "again.mid").symlink_to(tmp_path / "good.mid")
    (tmp_path / os.fsdecode(b"f\xfcr.mid")).write_text("tune 4")
    (tmp_path / ".hidden.mid").write_text("tune 5")
    (tmp_path / "two\nlines\x1b[31m.mid").write_text("refuse")
    corpus = read_folder(tmp_path, quiet=True)
    assert corpus.column("source") == ["again.mid", "deep/er/still.mid", "x.mid/inner.mid"]
    reasons = {row.file: row.reason for row in corpus.manifest.skipped}
    assert reasons.pop("ring.mid").startswith("a broken link")
    assert reasons.pop("gone.mid").startswith("a broken link")
    assert reasons.pop("two\\nlines\\x1b[31m.mid").endswith("holds no notes (name another file)")
    assert reasons == {
        "good.mid": "near-duplicate of again.mid",
        "pipe.mid": "a pipe, not a file",
        "zero.mid": "a device, not a file",
        "x.mid": "a folder, not a file",
        "loop": "a link to a folder that is read already",
        "deep/up": "a link to a folder that is read already",
        "f\\xfcr.mid": "its name is not UTF-8: rename it to read it",
    }


def test_links_to_folders_outside_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "far", {"a.mid": "tune 1", "sub/b.mid": "tune 2"})
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "one").symlink_to(tmp_path / "far")
    (tmp_path / "near" / "two").symlink_to(tmp_path / "far" / "sub")
    found = find_scores(tmp_path / "near", [".mid"])
    assert found.files == ("one/a.mid", "one/sub/b.mid")
    assert [row.file for row in found.skipped] == ["two"]


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "holds no score"),
        ({"a.txt": "", "b": ""}, "holds no score among its 2 files"),
        ({"a.mid": "refuse", "b.mid": ""}, "none of the 2 scores .* can be used; a.mid: a.mid holds no notes"),
    ],
)
def test_nothing_usable_is_one_line_and_advice(tmp_path: Path, files: dict[str, str], text: str) -> None:
    with pytest.raises(CorpusError, match=text) as caught:
        read_folder(write(tmp_path, files), quiet=True)
    assert "\n" not in caught.value.text
    assert caught.value.hint


def test_no_such_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        with pytest.raises(CorpusError, match="cannot read"):
            read_folder(tmp_path / name, quiet=True)


def test_the_result_does_not_say_where_the_folder_lies(tmp_path: Path) -> None:
    files = {"a.mid": "tune 1", "b.mid": "refuse", "c.mid": "tune 2"}
    for place in ("one", "two"):
        read_folder(write(tmp_path / place / "mine", files), quiet=True).save(tmp_path / f"{place}.arrow")
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "two.arrow").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "one.arrow").read_bytes()
