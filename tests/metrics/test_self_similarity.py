"""Bars beside bars: worked by hand, against the rules' own likeness, and with nothing to compare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cantilena.metrics.registry import METRICS, RULES_BY_US
from cantilena.metrics.self_similarity import DISTANCES, MOST_BARS, bar_similarity, self_similarity, similarity_counts
from cantilena.music import Line, Meter
from cantilena.rules import Context, similarity_after
from cantilena.tokenizers import GridEncoding

OFF, HOLD, C, D, E = 0, 1, 14, 16, 18
BAR = Context(steps_per_bar=4)


def line_of(rows: list[list[int]], length: list[int] | None = None) -> Line:
    return GridEncoding().line(np.array(rows), None if length is None else np.array(length))


def test_two_bars_worked_by_hand() -> None:
    # C D E -, D E D -: three places in common, reached from: nowhere, below, below; above, below, above.
    # Alike at the second place alone: (3 + 1) / (2 * 3).
    matrix = bar_similarity(line_of([[C, D, E, HOLD, D, E, D, HOLD]]), BAR)
    assert matrix.shape == (1, 2, 2)
    assert matrix[0] == pytest.approx(np.array([[1, 2 / 3], [2 / 3, 1]]))


def test_rhythm_alone_counts_half_and_transposition_is_no_difference() -> None:
    up, up_higher, down = [C, D, E, D], [D, E, 20, E], [E, D, C, D]
    matrix = bar_similarity(line_of([[*up, *up_higher, *down, C, OFF, OFF, OFF]]), BAR)[0]
    # first notes: none, by repetition (D D), by repetition (E E)
    assert matrix[1, 0] == pytest.approx((4 + 3) / 8)
    assert matrix[2, 1] == pytest.approx((4 + 1) / 8)
    assert matrix[3, 0] == pytest.approx(1 / 8)  # one common place of four, reached from above and from nowhere


def test_the_matrix_agrees_with_the_rules_likeness() -> None:
    rng = np.random.default_rng(4)
    line = GridEncoding().line(rng.choice([OFF, HOLD, HOLD, C, D, E], (40, 16 * 12)))
    for bars in DISTANCES:
        counts = similarity_counts(line, Context())
        pooled = counts.counted[f"similarity_{bars}"] / counts.out_of[f"similarity_{bars}"]
        assert pooled == pytest.approx(similarity_after(line, Context(), bars=bars))
    for bars in (2, 4, 8):
        matrix = bar_similarity(line, Context())
        # a mean over a diagonal, weighted by the places of each pair of bars, is the rule's ratio
        begins = ((line.event == 2) & line.valid).reshape(40, 12, 16)
        places = (begins[:, bars:] | begins[:, :-bars]).sum(axis=2)
        diagonal = np.nan_to_num(np.diagonal(matrix, offset=bars, axis1=1, axis2=2))
        assert (diagonal * places).sum(axis=1) / places.sum(axis=1) == pytest.approx(
            similarity_after(line, Context(), bars=bars)
        )


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(0, 40)), elements=st.sampled_from([OFF, HOLD, C, D, E])),
    st.integers(1, 7),
    st.data(),
)
def test_it_is_symmetric_bounded_and_agrees_for_any_melodies(
    tokens: np.ndarray, steps: int, data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(0, tokens.shape[1]), min_size=len(tokens), max_size=len(tokens)))
    line = GridEncoding().line(tokens, np.array(lengths))
    context = Context(steps_per_bar=steps)
    matrix = bar_similarity(line, context)
    known = ~np.isnan(matrix)
    assert np.array_equal(known, known.swapaxes(1, 2))
    assert np.allclose(np.nan_to_num(matrix), np.nan_to_num(matrix).swapaxes(1, 2))
    assert ((matrix[known] >= 0) & (matrix[known] <= 1)).all()
    assert np.allclose(np.diagonal(np.nan_to_num(matrix, nan=1.0), axis1=1, axis2=2), 1)
    counts = similarity_counts(line, context)
    for bars in (1, 2, 4):
        counted, out_of = counts.counted[f"similarity_{bars}"], counts.out_of[f"similarity_{bars}"]
        rule = similarity_after(line, context, bars=bars)
        assert (out_of[np.isnan(rule)] == 0).all()
        some = out_of > 0
        assert counted[some] / out_of[some] == pytest.approx(rule[some])


@pytest.mark.parametrize(
    "line",
    [
        GridEncoding().line(np.zeros((0, 32), dtype=np.int64)),
        GridEncoding().line(np.zeros((3, 0), dtype=np.int64)),
        line_of([[OFF] * 32]),
        line_of([[C] + [HOLD] * 3]),
    ],
    ids=["no melody", "no step", "silence", "one note"],
)
def test_nothing_to_compare_is_no_number(line: Line) -> None:
    assert all(np.isnan(value) for value in similarity_counts(line, BAR).statistics().values())
    found = self_similarity("x", line, BAR)
    assert np.isnan(found.after).all()
    assert np.isnan(found.low).all()
    assert found.melodies == line.melodies


def test_steps_that_tell_no_time_have_no_bars() -> None:
    line = line_of([[C, D, E, C] * 8])
    assert np.isnan(bar_similarity(line, Context(steps_per_bar=4, timed=False))).all()
    assert np.isnan(self_similarity("events", line, Context(timed=False)).after).all()


def test_the_same_bar_for_ever_is_like_itself_everywhere() -> None:
    # The first note is reached from nowhere, all others of its place from above: 4 places, 7 of 8 halves.
    found = self_similarity("loop", line_of([[C, D, E, D] * 20] * 3), BAR)
    assert found.matrix.shape == (MOST_BARS, MOST_BARS)
    assert found.matrix[1:, 1:] == pytest.approx(np.ones((15, 15)))
    assert found.matrix[0, 5] == pytest.approx(7 / 8)
    assert found.low == pytest.approx(found.high)
    assert found.after[0] == pytest.approx((18 + 7 / 8) / 19)


def test_melodies_in_other_meters_are_measured_in_their_own_bars() -> None:
    four, three = [C, D, E, D] * 6, [C, D, E] * 8
    contexts = [Context(meter=Meter(4, 16), steps_per_bar=4), Context(meter=Meter(3, 16), steps_per_bar=3)]
    both = self_similarity("x", line_of([four, three]), contexts)
    alone = self_similarity("x", line_of([three]), contexts[1])
    assert both.matrix.shape == (8, 8)
    assert both.matrix[7] == pytest.approx(alone.matrix[7])
    assert both.example.shape == (6, 6)
    with pytest.raises(ValueError, match="2 melodies need as many contexts"):
        self_similarity("x", line_of([four, four]), contexts[:1])


def test_the_numbers_have_words() -> None:
    for bars in DISTANCES:
        words = METRICS[f"similarity_{bars}"]
        assert (words.group, words.better, words.unit) == (RULES_BY_US, "none", "share")
