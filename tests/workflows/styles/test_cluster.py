"""Styles are heard through different pieces, for thirty seconds at most, and the document tells what is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import Corpus, Entry, Manifest
from cantilena.errors import UsageError
from cantilena.music import Melody, Meter, Tempo
from cantilena.workflows import find_styles, write_styles
from cantilena.workflows.styles.cluster import melody_style_features, styles_of

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "styles.md"


def tune(seed: int, *, ticks: int, title: str) -> Melody:
    pitches = np.random.default_rng(seed).choice([60, 62, 64, 65, 67, 69], 40)
    return Melody.from_pitches([(int(pitch), ticks) for pitch in pitches], title=title, source=f"{seed}.mid")


def corpus(*, slow: float = 20.0) -> Corpus:
    """Eighths in 4/4, and quarters in 3/4 that last minutes; two of a piece, and two of a title."""
    entries = [Entry(tune(seed, ticks=12, title=f"Fast {seed // 2}"), piece=f"f{seed}") for seed in range(10)]
    quarters = [
        replace(tune(seed, ticks=24, title=""), tempo=Tempo.constant(slow), meter=Meter(3, 4)) for seed in range(20, 30)
    ]
    entries += [Entry(melody, piece=f"s{number // 5}") for number, melody in enumerate(quarters)]
    return Corpus.from_entries(entries, Manifest("slow and fast"))


def test_central_melodies_are_of_different_pieces_and_are_cut() -> None:
    found = styles_of(corpus(), np.random.default_rng(1), 2)
    fast, slow = sorted(found.styles, key=lambda style: -style.features["notes_per_quarter"].mean)
    pieces, titles = found.corpus.column("piece"), found.corpus.column("title")
    assert {pieces[row] for row in slow.central} == {"s0", "s1"}
    assert len(slow.central) == 2
    assert len({titles[row] for row in fast.central}) == len(fast.central) == 3
    heard = found.excerpts(slow)
    assert all(29 <= melody.seconds <= 31 for melody in heard)
    assert "fast" in fast.words
    assert fast.rows[0] == fast.central[0]


def test_long_and_short_melodies_of_odd_meters_are_measured_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        Entry(replace(tune(seed, ticks=6 * (1 + seed % 9), title=""), meter=Meter(5 - seed % 3, 4)), piece=str(seed))
        for seed in range(24)
    ]
    mixed = Corpus.from_entries(entries, Manifest("mixed"))
    whole = melody_style_features(mixed)
    monkeypatch.setattr("cantilena.workflows.styles.cluster._BATCH_STEPS", 1)  # each melody by itself
    np.testing.assert_allclose(melody_style_features(mixed), whole)


def test_silly_numbers_and_seeds_are_refused_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match="the number of clusters is 1"):
        find_styles("nowhere", clusters=1)
    with pytest.raises(UsageError, match="seed -1"):
        find_styles("nowhere", seed=-1)


@pytest.mark.slow
def test_the_document_tells_what_the_built_in_corpus_falls_into(tmp_path: Path) -> None:
    found = find_styles("tunes")
    text = DOCUMENT.read_text(encoding="utf-8")
    assert found.summary() in text
    for style in found.styles:
        told = next(line for line in text.splitlines() if line.startswith(f"| {style.name} |"))
        assert told.split(" | ")[3] == style.words
        assert abs(int(told.split(" | ")[1].replace(",", "")) - len(style.rows)) <= 0.02 * len(style.rows)
    basses = {row for row, source in enumerate(found.corpus.column("source")) if source.endswith("#bass")}
    assert max(len(basses & {*style.rows.tolist()}) for style in found.styles) > 0.9 * len(basses)
    files = write_styles(found, tmp_path / "styles")
    assert files["page"].stat().st_size < 6_000_000


@pytest.mark.slow
def test_piano_music_falls_into_styles(shared: Path) -> None:
    found = find_styles(str(shared / "data" / "piano-midi"))
    assert found.clusters.k == len(found.styles) >= 2
    assert sum(len(style.rows) for style in found.styles) == len(found.corpus) > 250
