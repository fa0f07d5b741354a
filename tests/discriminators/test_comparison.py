"""Two samples: normalisation, and splits by whole pieces, balanced and disjoint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.discriminators.comparison import Comparison, canonical_rests, common_steps, cut, transpose_randomly
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
Walks = Callable[..., Line]


def comparison(human: int, of_pieces: int, generated: int, seed: int) -> Comparison:
    pieces = np.random.default_rng(seed).integers(0, of_pieces, human)
    return Comparison.from_samples(GRID.line(np.full((human, 8), 62)), pieces, GRID.line(np.full((generated, 8), 62)))


@settings(max_examples=60, deadline=None)
@given(st.integers(60, 200), st.integers(20, 60), st.integers(60, 300), st.integers(0, 10_000))
def test_splits_are_disjoint_by_piece_and_balanced(human: int, of_pieces: int, generated: int, seed: int) -> None:
    made = comparison(human, of_pieces, generated, seed)
    rng = np.random.default_rng(seed)
    aside = made.model_selection_part(rng)
    learned, judged = made.split(~aside, rng)
    parts = [set(made.piece[rows].tolist()) for rows in (np.flatnonzero(aside), learned, judged)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    for rows in (learned, judged, made.balance(np.flatnonzero(aside), rng)):
        assert len(rows)
        assert 2 * made.generated[rows].sum() == len(rows)
        assert len(set(rows.tolist())) == len(rows)


def test_at_most_four_melodies_of_a_piece_are_drawn() -> None:
    pieces = np.concatenate([np.zeros(100, np.int64), np.arange(1, 101)])
    line = GRID.line(np.full((200, 8), 62))
    made = Comparison.from_samples(line, pieces, line)
    drawn = [made.balance(np.arange(400), np.random.default_rng(seed)) for seed in (1, 2)]
    for rows in drawn:
        assert np.bincount(made.piece[rows])[0] == 4
        assert len(rows) == 208
    assert set(drawn[0].tolist()) != set(drawn[1].tolist())


def test_halves_are_human_and_of_whole_pieces() -> None:
    made = comparison(200, 40, 100, 1)
    halves = made.human_halves(np.random.default_rng(1))
    assert halves.line.melodies == 200
    assert 70 < halves.generated.sum() < 130
    assert not set(halves.piece[halves.generated]) & set(halves.piece[~halves.generated])


def test_sides_never_share_a_piece_whatever_their_labels() -> None:
    line = GRID.line(np.full((4, 8), 62))
    made = Comparison.from_samples(line, np.array(["a", "a", "b", "b"]), line, np.array(["a", "b", "a", "b"]))
    assert made.piece.tolist() == [0, 0, 1, 1, 2, 3, 2, 3]


def test_short_melodies_are_left_out_and_counted() -> None:
    rows = np.full((20, 12), 62)
    some = GRID.line(rows, np.array([3, 5] + [8] * 18))
    made = Comparison.from_samples(some, np.arange(20), GRID.line(rows))
    assert (made.steps, made.left_out, made.melodies(generated=False)) == (8, 2, 18)


def test_each_melody_needs_its_label() -> None:
    line = GRID.line(np.full((4, 8), 62))
    with pytest.raises(UsageError, match="3 labels for 4 melodies"):
        Comparison.from_samples(line, np.arange(3), line)
    with pytest.raises(UsageError, match="5 labels for 4 melodies"):
        Comparison.from_samples(line, np.arange(4), line, np.arange(5))


def test_redundant_offs_are_removed() -> None:
    line = GRID.line(np.array([[0, 1, 62, 0, 0, 1, 0, 64], [1, 1, 62, 0, 1, 1, 1, 64]]))
    canonical = canonical_rests(line)
    assert canonical.event[0].tolist() == canonical.event[1].tolist() == [1, 1, 2, 0, 1, 1, 1, 2]


def test_random_transpositions_stay_within_the_range_of_midi(walks: Walks) -> None:
    rng = np.random.default_rng(4)
    high, low = GRID.line(np.full((500, 2), 2 + 126)), GRID.line(np.full((500, 2), 2))
    assert set(transpose_randomly(high, rng).pitch[:, 0].tolist()) == set(range(120, 128))
    assert set(transpose_randomly(low, rng).pitch[:, 0].tolist()) == set(range(6))
    middle = transpose_randomly(walks(rng, 200), rng)
    assert np.all(middle.pitch_classes == np.where(middle.pitch >= 0, 1 << (middle.pitch.astype(int) % 12), 0))


def test_the_common_length_is_that_of_nine_in_ten_on_each_side() -> None:
    rows = np.full((20, 12), 62)
    some = GRID.line(rows, np.array([3, 5] + [8] * 18))
    assert common_steps(some, GRID.line(rows)) == 8
    assert common_steps(some, GRID.line(rows[:0])) == 0
    assert cut(GRID.line(rows), 8).length.tolist() == [8] * 20
