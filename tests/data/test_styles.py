"""Styles apply to every part of a corpus, in any order; damaged files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cantilena.data import Corpus, Entry, Manifest, Styles
from cantilena.errors import CorpusError, InputError, RunError, UsageError
from cantilena.music import Melody


def tunes(count: int = 5) -> Corpus:
    entries = [
        Entry(
            Melody.from_pitches([(60 + k, 24)], title=f"<Tune {k}>", source=f"f{k}.mid"), piece=f"p{k}", split="train"
        )
        for k in range(count)
    ]
    return Corpus.from_entries(entries, Manifest("five"))


STYLES = Styles.from_names(tunes(), ["a", "b", "a", "", "b"], {"a": "slow", "b": "fast"})


def test_what_is_saved_is_loaded_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "clusters.json"
    STYLES.save(path, tunes())
    assert Styles.load(path) == STYLES
    record = json.loads(path.read_text(encoding="utf-8"))
    first = record["melodies"][0]
    assert (first["source"], first["piece"], first["title"], first["style"]) == ("f0.mid", "p0", "<Tune 0>", "a")
    assert record["styles"] == {"a": "slow", "b": "fast"}
    with pytest.raises(RunError, match="exists already"):
        STYLES.save(path, tunes(), overwrite=False)


def test_parts_and_other_orders_know_their_styles() -> None:
    corpus = tunes()
    backwards = Corpus(corpus.table.take([4, 3, 2, 1, 0]), corpus.manifest)
    assert STYLES.column(backwards) == ["b", "", "a", "b", "a"]
    assert STYLES.column(tunes(2)) == ["a", "b"]
    assert STYLES.where(corpus, "b").column("source") == ["f1.mid", "f4.mid"]
    with pytest.raises(UsageError, match="there is no style 'c'"):
        STYLES.where(corpus, "c")
    with pytest.raises(UsageError, match="no melody of this corpus"):
        STYLES.where(Corpus(corpus.table.slice(0, 1), corpus.manifest), "b")


def damaged(**changes: Any) -> str:
    whole = {"format": 1, "corpus": "x", "styles": {"a": "slow"}, "melodies": [{"sha256": "0", "style": "a"}]}
    return json.dumps({**whole, **changes})


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", damaged(format=2), damaged(styles=[]), damaged(styles={"a": 3}), damaged(melodies={"a": 1}),
     damaged(melodies=[{"sha256": "0"}]), damaged(melodies=[{"sha256": "0", "style": "b"}]),
     damaged(melodies=[{"sha256": 0, "style": "a"}]), damaged(corpus=None), damaged(melodies=None)],
)  # fmt: skip
def test_damaged_files_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "clusters.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError) as refused:
        Styles.load(path)
    assert "\n" not in refused.value.text + refused.value.hint
    path.write_text(damaged(), encoding="utf-8")
    assert Styles.load(path).of_melody == {"0": "a"}


def test_no_file_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Styles.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError):
        Styles.load(tmp_path / "bad.json")
