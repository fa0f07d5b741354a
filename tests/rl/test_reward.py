"""Rewards of steps become rewards of tokens: nothing is lost, and no note is rewarded before it is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.rl import MusicReward
from cantilena.rl.reward import most_tokens, padded_together, sum_by_token, token_of_steps, token_places
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import END, GridEncoding, NotesEncoding

NOTES, CHORDS = NotesEncoding(), NotesEncoding(chords=((), (5,), (4, 9)))
STEPS = 12


def reward(encoding: NotesEncoding | GridEncoding, rules: str = "rl-tuner") -> MusicReward:
    return MusicReward(encoding, RULE_SETS[rules], Context(), c=2.0, clip=10.0)


@st.composite
def whole_melodies(draw: st.DrawFn, encoding: NotesEncoding = NOTES) -> np.ndarray:
    """`(melodies, tokens)`: melodies of `STEPS` sixteenths, padded."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row, left = [], STEPS * 6
        while left:
            fitting = [ticks for ticks in encoding.durations if ticks <= left]
            ticks = draw(st.sampled_from(fitting))
            later = [draw(st.integers(first, after - 1)) for first, after in encoding.parts[1:]]
            row += [1 + encoding.durations.index(ticks), *later]
            left -= ticks
        rows.append(np.array([row]))
    return padded_together(rows)


@settings(deadline=None, max_examples=25)
@given(data=st.data(), encoding=st.sampled_from([NOTES, CHORDS]), seed=st.integers(0, 9))
def test_sums_over_tokens_are_sums_over_steps(data: st.DataObject, encoding: NotesEncoding, seed: int) -> None:
    tokens = data.draw(whole_melodies(encoding))
    values = np.random.default_rng(seed).normal(size=(len(tokens), STEPS))
    by_token = reward(encoding).by_token(values, tokens)
    assert by_token.shape == tokens.shape
    np.testing.assert_allclose(by_token.sum(1), values.sum(1))
    assert not by_token[tokens == END].any()
    period = len(encoding.parts)
    assert not np.delete(by_token, np.s_[period - 1 :: period], axis=1).any()  # the last token of a note gets all


@settings(deadline=None, max_examples=25)
@given(tokens=whole_melodies())
def test_a_step_belongs_to_the_last_note_that_has_begun(tokens: np.ndarray) -> None:
    owner = token_of_steps(NOTES, tokens, STEPS)
    places = token_places(NOTES, tokens, STEPS)
    assert (np.diff(owner, axis=1) >= 0).all()
    for row in range(len(tokens)):
        for step in range(STEPS):
            begun = np.flatnonzero((places[row, 1::2] <= step) & (tokens[row, 1::2] != END))
            assert owner[row, step] == 2 * begun[-1] + 1


@pytest.mark.parametrize("rules", ["rl-tuner", "paper", "cantilena"])
def test_notes_on_the_grid_are_rewarded_as_on_the_grid(rules: str) -> None:
    """Sixteenths and longer notes: the line is the same, and with it each reward; a note gets those of its holds."""
    rng, grid, notes = np.random.default_rng(3), GridEncoding(), NotesEncoding((1, *range(6, 97, 6)))
    on_grid = np.where(rng.random((20, 16)) < 0.5, 1, rng.integers(2, 38, (20, 16)))
    on_grid[:, 0] = rng.integers(2, 38, 20)
    tokens = padded_together([notes.encode(grid.decode(row))[None] for row in on_grid])
    ours, theirs = reward(notes, rules), reward(grid, rules)
    terms, expected = ours.terms(tokens), theirs.terms(on_grid)
    for name, values in expected.items():
        np.testing.assert_array_equal(terms[name], values)
    scaled = theirs.scaled(expected)
    np.testing.assert_allclose(ours.by_token(ours.scaled(terms), tokens).sum(1), scaled.sum(1), rtol=1e-5)
    assert theirs.by_token(scaled, on_grid) is scaled


def test_notes_by_hand() -> None:
    half_sixteenth, quarter = (1 + NOTES.durations.index(ticks) for ticks in (3, 24))
    c, d, e = 29, 31, 33
    # C for a 32nd, D for a 32nd, E for a quarter and a rest: C ends in the sixteenth in which D begins.
    tokens = np.array([[half_sixteenth, c, half_sixteenth, d, quarter, e, half_sixteenth + 1, NOTES.rest]])
    assert token_places(NOTES, tokens, 6).tolist() == [[0, 0, 1, 1, 1, 1, 5, 5]]
    assert token_of_steps(NOTES, tokens, 6).tolist() == [[1, 5, 5, 5, 5, 7]]
    assert token_places(GridEncoding(), np.zeros((2, 3), dtype=int), 3).tolist() == [[0, 1, 2]] * 2


def test_sums_keep_the_type() -> None:
    values = np.ones((2, 3), dtype=np.float32)
    sums = sum_by_token(values, np.array([[1, 1, 3], [0, 0, 0]]), 4)
    assert sums.dtype == np.float32
    assert sums.tolist() == [[0, 2, 0, 1], [3, 0, 0, 0]]


def test_lengths_are_told_to_models_of_notes_only() -> None:
    assert reward(NOTES).bars(2, steps=16).length.tolist() == [96, 96]  # type: ignore[union-attr]
    assert reward(GridEncoding()).bars(2, steps=16).length.tolist() == [0, 0]  # type: ignore[union-attr]
    assert most_tokens(GridEncoding(), 16) == 16
    assert most_tokens(CHORDS, 16) == 16 * 6 * 3


def test_rules_that_need_chords_are_left_out() -> None:
    given = reward(GridEncoding(), "cantilena")
    assert given.rules == RULE_SETS["cantilena"].without_chords()
    with pytest.raises(UsageError, match="need chords"):
        MusicReward(GridEncoding(), RULE_SETS["cantilena"].only("chord_tones"), Context(), c=2.0, clip=10.0)
