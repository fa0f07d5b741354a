"""Splits: whole pieces, equal numbers, nothing judged that was learned or chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.discriminators.comparison import Comparison
from cantilena.errors import UsageError
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)


def comparison(human: int, of_pieces: int, generated: int, seed: int) -> Comparison:
    pieces = np.random.default_rng(seed).integers(0, of_pieces, human)
    return Comparison.of(GRID.line(np.full((human, 8), 62)), pieces, GRID.line(np.full((generated, 8), 62)))


@settings(max_examples=60, deadline=None)
@given(st.integers(60, 200), st.integers(20, 60), st.integers(60, 300), st.integers(0, 10_000))
def test_pieces_stay_together_and_kinds_are_as_many(human: int, of_pieces: int, generated: int, seed: int) -> None:
    made = comparison(human, of_pieces, generated, seed)
    rng = np.random.default_rng(seed)
    aside = made.aside(rng)
    learned, judged = made.deal(~aside, rng)
    parts = [set(made.piece[rows].tolist()) for rows in (np.flatnonzero(aside), learned, judged)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    for rows in (learned, judged, made.balanced(np.flatnonzero(aside), rng)):
        assert len(rows)
        assert 2 * made.generated[rows].sum() == len(rows)
        assert len(set(rows.tolist())) == len(rows)


def test_a_long_piece_does_not_speak_for_all() -> None:
    pieces = np.concatenate([np.zeros(100, np.int64), np.arange(1, 101)])
    line = GRID.line(np.full((200, 8), 62))
    made = Comparison.of(line, pieces, line)
    drawn = [made.balanced(np.arange(400), np.random.default_rng(seed)) for seed in (1, 2)]
    for rows in drawn:
        assert np.bincount(made.piece[rows])[0] == 4
        assert len(rows) == 208
    assert set(drawn[0].tolist()) != set(drawn[1].tolist())


def test_halves_are_of_people_alone_and_of_whole_pieces() -> None:
    made = comparison(200, 40, 100, 1)
    halves = made.halves(np.random.default_rng(1))
    assert halves.line.melodies == 200
    assert 70 < halves.generated.sum() < 130
    assert not set(halves.piece[halves.generated]) & set(halves.piece[~halves.generated])


def test_sides_never_share_a_piece_whatever_their_labels() -> None:
    line = GRID.line(np.full((4, 8), 62))
    made = Comparison.of(line, np.array(["a", "a", "b", "b"]), line, np.array(["a", "b", "a", "b"]))
    assert made.piece.tolist() == [0, 0, 1, 1, 2, 3, 2, 3]


def test_melodies_that_are_too_short_are_left_out_and_counted() -> None:
    rows = np.full((20, 12), 62)
    some = GRID.line(rows, np.array([3, 5] + [8] * 18))
    made = Comparison.of(some, np.arange(20), GRID.line(rows))
    assert (made.steps, made.left_out, made.melodies(generated=False)) == (8, 2, 18)


def test_each_melody_needs_its_label() -> None:
    line = GRID.line(np.full((4, 8), 62))
    with pytest.raises(UsageError, match="4 melodies with 3 labels"):
        Comparison.of(line, np.arange(3), line)
    with pytest.raises(UsageError, match="4 melodies with 5 labels"):
        Comparison.of(line, np.arange(4), line, np.arange(5))
