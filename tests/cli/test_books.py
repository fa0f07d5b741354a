"""Books of tunes on the command line: read in parallel, one tune named, and limits that hold for one tune."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.data import Corpus, read_melody
from cantilena.errors import ScoreError

TUNES = [
    f"X:{place}\nT:Air {place}\nL:1/8\nK:C\n{'cdefgabc'[place % 5 :]}{'GABcde'[place % 3 :]}|\n\n"
    for place in range(1, 40)
]
HUGE = "X:3\nT:Huge\nL:1/8\nK:C\n" + "cdef gabc'|" * 95_000 + "\n\n"


class Said:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def obj(self, *words: str | Path, status: int = 0) -> Any:
        self.capsys.readouterr()
        assert main([*map(str, words), "--json"]) == status
        return json.loads(self.capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "books" / "airs.abc"
    path.parent.mkdir()
    path.write_text("".join(TUNES), encoding="utf-8")
    return path


def test_one_tune_is_scored_and_continued(said: Said, book: Path, tmp_path: Path) -> None:
    for name in (f"{book}#3", f"{book}:air 3", f"{book}#X:3"):
        assert said.obj("rules", "score", name)["title"] == "Air 3"
    third = read_melody(f"{book}#3")
    assert third.source == "airs.abc#3"
    made = ["-n", "1", "--bars", "3", "--no-copy-check"]
    (row,) = said.obj("compose", "--primer", f"{book}#3", *made, "--out", tmp_path / "on")["melodies"]
    notes = [note.pitches for note in read_melody(row["mid"]).sounding]
    assert notes[: len(third.sounding)] == [note.pitches for note in third.sounding]


@pytest.mark.parametrize(
    ("name", "error", "hint"),
    [
        ("#0", "it has no tune 0: it has 39 tunes", "tunes count from 1"),
        ("#40", "it has no tune 40: it has 39 tunes", "airs.abc#1 to airs.abc#39"),
        (":Aire 7", "no tune in it has the title 'Aire 7'", "airs.abc#7 (Air 7)"),
        (":Air", "39 of its tunes have the title 'Air'", "and 33 more"),
    ],
)
def test_a_tune_that_is_not_there_is_refused_everywhere(
    said: Said, book: Path, tmp_path: Path, name: str, error: str, hint: str
) -> None:
    out = ["--out", str(tmp_path / "made")]
    for words in (
        ["rules", "score", f"{book}{name}"],
        ["compose", "--primer", f"{book}{name}", *out],
        ["compose", "--of", f"{book}{name}", "--bars", "1-2", *out],
        ["compose", "--vary", f"{book}{name}", *out],
        ["compose", "--interpolate", "C4 D4", f"{book}{name}", *out],
    ):
        answer = said.obj(*words, status=1)
        assert error in answer["error"]
        assert hint in answer["hint"]
        assert not (tmp_path / "made").exists()


@pytest.mark.e2e
def test_a_huge_tune_costs_itself_alone(said: Said, book: Path, tmp_path: Path) -> None:
    book.write_text("".join([*TUNES[:2], HUGE, *TUNES[2:]]), encoding="utf-8")
    out = tmp_path / "airs.arrow"
    said.obj("corpus", "read", book.parent, "--out", out, "--time-limit", "0.5", "--memory-limit", "256")
    corpus = Corpus.load(out)
    (row,) = [row for row in corpus.manifest.skipped if "near-duplicate" not in row.reason]
    assert row.file == "airs.abc#3"
    assert row.reason.startswith(("it took longer than 0.5 s", "it needs more than 256 MB"))
    assert len(corpus) + len(corpus.manifest.skipped) == 40
    limits = ["--time-limit", "0.5", "--memory-limit", "256"]
    answer = said.obj("rules", "score", f"{book}:Huge", *limits, status=1)
    assert "with --" in answer["hint"]
    assert said.obj("rules", "score", book, *limits)["title"] == "Air 1"


def test_the_search_for_a_tune_has_a_limit_too(book: Path) -> None:
    book.write_text("X:1\nT:A\nK:C\nz4|\n\n" * 30, encoding="utf-8")
    with pytest.raises(ScoreError, match="none of the first 30 tunes can be used: it has no notes"):
        read_melody(book)


@pytest.mark.parametrize("words", [["compose"], ["rules", "score"], ["evaluate"], ["corpus", "read"]])
def test_limits_are_flags_of_every_command_that_reads_scores(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    page = capsys.readouterr().out
    assert "--time-limit" in page
    assert "--memory-limit" in page
