"""Sets made comparable: equal in melodies, near equal in notes, chosen by the generator alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cantilena.metrics import matched_notes
from cantilena.rules import tones
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_neither_set_is_larger_by_more_than_a_melody(first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = 12
    dense = GRID.line(rng.integers(2, 38, (first, steps)))
    sparse = GRID.line(np.where(rng.random((second, steps)) < 0.7, 1, 20))
    ours, theirs = matched_notes(dense, sparse, rng=rng)
    notes = [int(tones(line).sum()) for line in (ours, theirs)]
    assert theirs.melodies <= min(first, second)
    assert abs(notes[0] - notes[1]) <= steps
    assert notes[0] <= max(notes[1], 0) or ours.melodies == min(first, second)


def test_equal_sets_stay_whole_and_the_seed_decides() -> None:
    line = GRID.line(np.random.default_rng(1).integers(2, 38, (30, 8)))
    ours, theirs = matched_notes(line, line, rng=np.random.default_rng(2))
    assert ours.melodies == theirs.melodies == 30
    sparse = GRID.line(np.where(np.random.default_rng(3).random((30, 8)) < 0.5, 1, 20))
    first, again, other = (matched_notes(line, sparse, rng=np.random.default_rng(seed))[0] for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.pitch, again.pitch)
    assert first.pitch.shape != other.pitch.shape or not np.array_equal(first.pitch, other.pitch)
