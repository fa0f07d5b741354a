"""`cantilena corpus cluster`: two kinds of melodies are separated, described and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest, Styles
from cantilena.io import read_score
from cantilena.music import Key, Melody, Meter

HYMN, JIG = "Hymn", "Jig </h2>"


def melodies(each: int = 12) -> list[Entry]:
    """Slow hymns in steps in 4/4, and fast jigs in leaps in A minor."""
    rng = np.random.default_rng(2)
    entries = []
    for number in range(each):
        height = 60 + np.cumsum(rng.choice([-2, -1, 1, 2], 16)).clip(-8, 8)
        hymn = Melody.from_pitches(
            [(int(pitch), 48 if rng.random() < 0.2 else 24) for pitch in height],
            key=Key(), meter=Meter(4, 4), title=f"{HYMN} {number}", source=f"hymns/{number}.mid",
        )  # fmt: skip
        jig = Melody.from_pitches(
            [(int(pitch), 12) for pitch in rng.choice([57, 64, 69, 72, 76, 81], 48)],
            key=Key.parse("A minor"), meter=Meter(6, 8), title=f"{JIG} {number}", source=f"jigs/{number}.mid",
        )  # fmt: skip
        entries.append(Entry(hymn, piece=f"h{number}", collection="hymns", composer="A. Nonymous"))
        entries.append(Entry(jig, piece=f"j{number}", collection="jigs"))
    return entries


def save(path: Path, entries: list[Entry]) -> str:
    Corpus.from_entries(entries, Manifest("two kinds")).save(path)
    return str(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("styles") / "two.arrow", melodies())


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["corpus", "cluster", *words, "--json"]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_two_kinds_are_found_and_described(corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, corpus)
    assert told["k"] == 2
    assert told["silhouette"] == max(told["curve"].values()) > 0.3
    by_collection = {next(iter(cluster["collections"])): cluster for cluster in told["clusters"]}
    hymns, jigs = by_collection["hymns"], by_collection["jigs"]
    assert hymns["collections"] == {"hymns": 12}
    assert jigs["collections"] == {"jigs": 12}
    assert hymns["composers"] == {"A. Nonymous": 12}
    assert "6/8" in jigs["words"]
    assert jigs["features"]["notes_per_quarter"]["mean"] > hymns["features"]["notes_per_quarter"]["mean"] * 1.5
    assert len(jigs["central"]) == 3
    assert all(one["source"].startswith("jigs/") for one in jigs["central"])
    assert jigs["silhouette"] > 0.3


@pytest.mark.e2e
def test_the_same_seed_gives_the_same_and_k_can_be_given(corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, corpus, "--seed", "3") == answer(capsys, corpus, "--seed", "3")
    told = answer(capsys, corpus, "--clusters", "3")
    assert (told["k"], len(told["clusters"]), list(told["curve"])) == (3, 3, ["3"])
    assert sum(cluster["melodies"] for cluster in told["clusters"]) == 24


@pytest.mark.e2e
def test_the_folder_is_whole_and_the_assignment_reads_back(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.workflows.styles.cluster._CENTRAL", 2)
    out = tmp_path / "styles"
    told = answer(capsys, corpus, "--out", str(out))
    for cluster in told["clusters"]:
        files = {path.name for path in (out / cluster["name"]).iterdir()}
        assert files == {"manifest.json"} | {
            f"{n:03}{suffix}" for n in (1, 2) for suffix in (".mid", ".musicxml", ".svg", ".wav")
        }
        assert read_score(out / cluster["name"] / "001.mid")
    whole = Corpus.load(Path(corpus))
    styles = Styles.load(Path(told["assignment"]))
    for cluster in told["clusters"]:
        part = styles.where(whole, cluster["name"])
        assert len(part) == cluster["melodies"]
        assert len(part.count("collection")) == 1
    assert Path(told["map"]).read_bytes().startswith(b"\x89PNG")
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert "Jig &lt;/h2&gt;" in page
    assert "Jig </h2>" not in page
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert main(["corpus", "cluster", corpus, "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err
    answer(capsys, corpus, "--out", str(out), "--force")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first


def test_fewer_styles_replace_more(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.workflows.styles.cluster._CENTRAL", 1)
    out = tmp_path / "styles"
    answer(capsys, corpus, "--clusters", "4", "--out", str(out))
    (out / "style-4" / "mine.txt").write_text("mine", encoding="utf-8")
    answer(capsys, corpus, "--clusters", "2", "--out", str(out), "--force")
    assert sorted(path.name for path in out.glob("style-*")) == ["style-1", "style-2", "style-4"]
    assert [path.name for path in (out / "style-4").iterdir()] == ["mine.txt"]


def test_the_terminal_shows_words_and_the_curve(corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "cluster", corpus]) == 0
    text = capsys.readouterr().out
    assert text.startswith("two kinds: 24 melodies fall into 2 styles")
    assert "clusters        2     3" in text
    assert "hymns 100 %; A. Nonymous 100 %" in text


ONE = Melody.from_pitches([(60, 24), (62, 24)])
SILENT = Melody.from_pitches([(None, 96)])


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["corpus", "cluster", *words]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == ""
    error = said.err.splitlines()
    assert "Traceback" not in said.err
    assert [line.partition(":")[0] for line in error if not line.startswith("Reading")] == ["error", "hint"]
    return error[-2]


def test_what_cannot_be_clustered_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = save(tmp_path / "few.arrow", melodies(2))
    assert "4 melodies cannot form 5 clusters" in refused([few, "--clusters", "5"], capsys)
    same = save(tmp_path / "same.arrow", [Entry(ONE, piece=str(k)) for k in range(9)])
    assert "9 melodies are all the same" in refused([same], capsys)
    silent = save(tmp_path / "silent.arrow", [Entry(SILENT, piece=str(k)) for k in range(9)])
    assert "nothing sounds" in refused([silent], capsys)
    for number in ("0", "1", "-2", "1000"):
        assert f"the number of clusters is {number}" in refused([few, "--clusters", number], capsys)
    assert "whole number" in refused([few, "--clusters", "some"], capsys)
    assert "there is no corpus" in refused(["nowhere"], capsys)
    assert "has no name" in refused([""], capsys)
    taken = tmp_path / "file"
    taken.write_text("", encoding="utf-8")
    assert "is a file, not a folder" in refused([few, "--out", str(taken)], capsys)
    assert "exists already" in refused([few, "--out", str(tmp_path)], capsys)


def test_silent_melodies_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.workflows.styles.cluster._CENTRAL", 1)
    mixed = save(tmp_path / "mixed.arrow", [*melodies(), Entry(SILENT, piece="s", collection="silence")])
    told = answer(capsys, mixed, "--out", str(tmp_path / "out"))
    assert (told["melodies"], told["silent"]) == (24, 1)
    styles = Styles.load(tmp_path / "out" / "clusters.json")
    assert styles.column(Corpus.load(Path(mixed)))[-1] == ""
