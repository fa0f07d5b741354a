"""Diversity of a set, counted another way in plain Python."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.metrics import different_melodies, distinct_n, note_ngrams
from cantilena.music import Line
from cantilena.tokenizers import EventsEncoding, GridEncoding

grids = st.integers(1, 12).flatmap(
    lambda steps: st.lists(
        st.lists(st.sampled_from([0, 1, 1, 14, 16, 18]), min_size=steps, max_size=steps), min_size=1, max_size=6
    )
)


def plain_ngrams(melody: list[int], n: int) -> list[tuple[tuple[int, int], ...]]:
    """The same by the decoded notes of one melody."""
    grid = GridEncoding()
    notes = grid.decode(melody).sounding
    pairs = [(after.top - before.top, before.duration // grid.ticks_per_step) for before, after in pairwise(notes)]
    return [tuple(pairs[start : start + n]) for start in range(len(pairs) - n + 1)]


@settings(max_examples=40, deadline=None)
@given(melodies=grids, n=st.integers(1, 4))
def test_distinct_n_equals_a_plain_count(melodies: list[list[int]], n: int) -> None:
    line = GridEncoding().line(np.array(melodies))
    ngrams = [ngram for melody in melodies for ngram in plain_ngrams(melody, n)]
    owners = [row for row, melody in enumerate(melodies) for _ in plain_ngrams(melody, n)]
    found = note_ngrams(line, n)
    assert found.melody.tolist() == owners
    assert len(set(found.number.tolist())) == len(set(ngrams))
    assert len(set(zip(found.number.tolist(), ngrams, strict=True))) == len(set(ngrams))
    if ngrams:
        assert distinct_n(line, n) == len(set(ngrams)) / len(ngrams)
    else:
        assert math.isnan(distinct_n(line, n))


@settings(max_examples=40, deadline=None)
@given(melodies=grids, n=st.integers(1, 4), semitones=st.integers(-12, 12))
def test_distinct_n_does_not_hear_transposition(melodies: list[list[int]], n: int, semitones: int) -> None:
    line = GridEncoding().line(np.array(melodies))
    moved = Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + semitones, -1))
    both = Line.from_events(np.concatenate([line.event, line.event]), np.concatenate([line.pitch, moved.pitch]))
    np.testing.assert_equal(distinct_n(moved, n), distinct_n(line, n))
    np.testing.assert_equal(distinct_n(both, n), distinct_n(line, n) / 2)


def test_padding_does_not_count() -> None:
    tokens = np.array([[14, 16, 18, 33], [14, 16, 18, 2]])
    padded = GridEncoding().line(tokens, length=np.array([3, 3]))
    assert distinct_n(padded, 1) == 0.25
    assert different_melodies(padded) == 0.5
    assert different_melodies(GridEncoding().line(tokens, length=np.array([3, 4]))) == 1.0


def test_one_tune_for_ever_is_seen() -> None:
    tokens = np.tile(np.random.default_rng(0).integers(0, 38, 32), (500, 1))
    assert different_melodies(tokens) == different_melodies(GridEncoding().line(tokens)) == 1 / 500
    assert distinct_n(GridEncoding().line(tokens), 4) < 0.01


def test_chords_under_one_top_note_are_different_melodies() -> None:
    encoding = EventsEncoding(("C4+G4", "E4+G4", "C4"), chords="full")
    assert different_melodies(encoding.line(np.array([[0, 2], [1, 2]]))) == 1.0


def test_nothing_has_no_diversity() -> None:
    assert math.isnan(different_melodies(np.zeros((0, 32), dtype=int)))
    assert math.isnan(distinct_n(GridEncoding().line(np.zeros((3, 0), dtype=int)), 2))
    assert math.isnan(distinct_n(GridEncoding().line(np.ones((3, 8), dtype=int)), 1))
    assert different_melodies(np.zeros((4, 0), dtype=int)) == 0.25


def test_wrong_questions_are_answered() -> None:
    with pytest.raises(UsageError):
        distinct_n(GridEncoding().line(np.array([[14, 16]])), 0)
    with pytest.raises(UsageError):
        different_melodies(np.array([14, 16]))


def test_long_ngrams_of_long_melodies_do_not_overflow() -> None:
    rng = np.random.default_rng(1)
    event, pitch = np.full((3, 4000), 2), rng.integers(0, 128, (3, 4000))
    assert distinct_n(Line.from_events(event, pitch), 8) == 1.0
