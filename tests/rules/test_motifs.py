"""Motifs that return, against every window compared with every other."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.music import Key, Line
from cantilena.rules import (
    RULE_SETS,
    Context,
    MotifModel,
    Notes,
    different_motifs,
    find_motifs,
    motif_coverage,
    scale_steps,
)
from cantilena.rules.motif_model import motif_model
from cantilena.tokenizers import GridEncoding

C_MAJOR, A_MINOR = Context(), Context(Key.parse("A minor"))


def written(*rows: list[int]) -> Line:
    return GridEncoding().line(np.array(rows))


Pattern = tuple[tuple[int, ...], tuple[int, ...], tuple[Fraction, ...]]


class PlainListener:
    """Hears one melody and finds its motifs by the definition, window by window."""

    def __init__(self, row: list[int], key: Key) -> None:
        self.steps = [step for step, event in enumerate(row) if event > 1]
        self.pitch = [row[step] + 46 for step in self.steps]
        self.degree = [int(scale_steps(np.array([pitch]), key)[0]) for pitch in self.pitch]

    def pattern(self, end: int, notes: int) -> Pattern:
        """The last notes up to one: intervals in semitones, in steps of the scale, proportions."""
        window = range(end - notes + 1, end + 1)
        waits = [self.steps[b] - self.steps[a] for a, b in pairwise(window)]
        return (
            tuple(self.pitch[b] - self.pitch[a] for a, b in pairwise(window)),
            tuple(self.degree[b] - self.degree[a] for a, b in pairwise(window)),
            tuple(Fraction(later, earlier) for earlier, later in pairwise(waits)),
        )

    def alike(self, one: int, other: int, notes: int) -> bool:
        a, b = self.pattern(one, notes), self.pattern(other, notes)
        return (a[0] == b[0] or a[1] == b[1]) and a[2] == b[2]

    def bits(self, end: int, notes: int) -> int:
        """The surprisal of a window, in hundredths of a bit."""
        model = motif_model()
        _, climbs, proportions = self.pattern(end, notes)
        intervals = [min(max(climb, -8), 8) + 8 for climb in climbs]
        kinds = [min(max(round(2 * np.log2(float(one))), -4), 4) + 4 for one in proportions]
        total = model.interval[intervals[0]] + model.proportion[kinds[0]]
        total += sum(model.next_interval[a, b] for a, b in pairwise(intervals))
        return int(total + sum(model.next_proportion[a, b] for a, b in pairwise(kinds)))

    def is_motif(self, end: int, notes: int) -> bool:
        moves = any(self.pattern(end, notes)[0])
        return moves and self.bits(end, notes) > motif_model().medians[notes - 4]

    def returns(self, end: int) -> tuple[int, int]:
        """Notes of the longest motif that returns up to a note, and where it first ended."""
        for notes in range(8, 3, -1):
            if end - notes + 1 < notes or not self.is_motif(end, notes):
                continue
            for before in range(notes - 1, end - notes + 1):
                if self.alike(before, end, notes):
                    return notes, before
        return 0, -1

    def all(self) -> tuple[list[int], set[int], int]:
        """What returns at each note, which notes are covered, how many motifs are different."""
        found = [self.returns(end) for end in range(len(self.steps))]
        covered: set[int] = set()
        counted: list[tuple[int, int]] = []
        last = -1
        for end, (notes, before) in enumerate(found):
            if not notes:
                continue
            covered |= set(range(end - notes + 1, end + 1)) | set(range(before - notes + 1, before + 1))
            grows = notes < 8 and end + 1 < len(found) and found[end + 1][0] == notes + 1
            if grows or end - notes + 1 <= last:
                continue
            last = end
            if not any(n == notes and self.alike(other, end, notes) for other, n in counted):
                counted.append((end, notes))
        return [notes for notes, _ in found], covered, len(counted)


phrases = st.lists(st.sampled_from([1, 14, 16, 18, 19, 20, 21, 23, 24, 26]), min_size=3, max_size=9)
melodies = st.lists(phrases, min_size=1, max_size=4).flatmap(
    lambda some: st.lists(
        st.tuples(st.sampled_from(some), st.sampled_from([0, 0, 2, 4, 5, -2]), st.booleans()), min_size=1, max_size=7
    ).map(
        lambda parts: [
            event if event < 2 else event + up
            for phrase, up, slower in parts
            for one in phrase
            for event in ([one, 1] if slower else [one])
        ]
    )
)


@settings(deadline=None, max_examples=50)
@given(melody=melodies, context=st.sampled_from([C_MAJOR, A_MINOR]))
def test_the_loops_find_what_the_definition_says(melody: list[int], context: Context) -> None:
    line, plain = written(melody), PlainListener(melody, context.key)
    found = find_motifs(line, context)
    returns, covered, different = plain.all()
    assert found.returns[0, plain.steps].tolist() == returns
    assert found.covered[0, plain.steps].nonzero()[0].tolist() == sorted(covered)
    assert found.different.tolist() == [different]
    assert found.returns.sum() == sum(returns)  # nothing where no note begins
    notes = len(plain.steps)
    assert motif_coverage(line, context).tolist() == [len(covered) / notes if notes else 0]
    assert different_motifs(line, context).tolist() == [different]


def test_surprisals_are_those_of_the_windows() -> None:
    row = np.random.default_rng(2).integers(12, 28, 40).tolist()
    plain, notes = PlainListener(row, Key()), Notes.from_line(written(row))
    bits = motif_model().surprisals(notes, C_MAJOR)
    for end in range(7, 40):
        assert [int(bits[k, end]) for k in range(4, 9)] == [plain.bits(end, k) for k in range(4, 9)]


THEME = [14, 1, 1, 21, 18, 19, 1, 1]
"""C4 G4 E4 F4, a dotted eighth, two sixteenths and more: rarer than most fours."""


def test_a_motif_returns_exact_in_sequence_and_in_another_key() -> None:
    same = THEME
    sequence = [16, 1, 1, 23, 19, 21, 1, 1]  # a step of the scale higher: D A F G
    transposed = [19, 1, 1, 26, 23, 24, 1, 1]  # a fourth higher to the semitone: F C A Bb
    slower = [event for one in THEME for event in (one, 1)]
    for again in (same, sequence, transposed, slower):
        found = find_motifs(written(THEME + again), C_MAJOR)
        assert found.returns.max() == 4
        assert found.covered.sum() == 8
        assert found.different.tolist() == [1]
    other_rhythm = [14, 21, 1, 1, 18, 19, 1, 1]
    upside_down = [26, 1, 1, 19, 23, 21, 1, 1]
    for other in (other_rhythm, upside_down):
        assert find_motifs(written(THEME + other), C_MAJOR).returns.max() == 0


def test_the_last_notes_length_does_not_count() -> None:
    found = find_motifs(written(THEME + [14, 1, 1, 21, 18, 19] + [1] * 10), C_MAJOR)
    assert found.returns.max() == 4


def test_occurrences_share_no_note() -> None:
    # C E C E C E C: four notes return only when four others lay before
    wave = [14, 1, 1, 21, 14, 1, 1, 21, 14, 1, 1, 21, 14, 1, 1, 21]
    found = find_motifs(written(wave), C_MAJOR).returns[0]
    assert found[[0, 3, 4, 7, 8, 11]].max() == 0
    assert found[15] >= 4


def test_one_pitch_and_everyday_scales_are_no_motifs() -> None:
    up_and_down = [14, 16, 18, 19, 21, 23, 25, 26, 25, 23, 21, 19, 18, 16]
    for plain in ([14] * 32, up_and_down * 3, [event for one in up_and_down * 3 for event in (one, 1)]):
        assert find_motifs(written(plain), C_MAJOR).different.tolist() == [0]


def test_the_first_return_is_rewarded_once() -> None:
    rule = RULE_SETS["cantilena"]["motif_return"]
    paid = rule.rewards(written(THEME * 4), C_MAJOR)[0]
    assert np.flatnonzero(paid).tolist() == [13]
    assert paid.sum() == 3
    assert rule.with_parameters(most=3).rewards(written(THEME * 4), C_MAJOR).sum() == 9


def test_the_model_is_that_of_its_counts() -> None:
    tune = written([14, 1, 16, 1, 14, 1, 16, 1, 14, 1, 1, 1])  # up, down, up, down; equal
    model = MotifModel.measured([(tune, C_MAJOR)])
    # Up and down twice each of four intervals, one added to each of the 17
    assert model.interval[9] == model.interval[7] == round(-100 * np.log2(3 / 21))
    assert model.interval[8] == round(-100 * np.log2(1 / 21))
    # After up came down, twice of two: (2 + 1 kind x p(down)) / (2 + 1)
    assert model.next_interval[9, 7] == round(-100 * np.log2((2 + 3 / 21) / 3))
    assert model.next_interval[8, 9] == round(-100 * np.log2(3 / 21))  # never seen before: as if alone
    assert model.proportion[4] == round(-100 * np.log2(4 / 12))
    again = MotifModel.from_toml(model.to_toml())
    for name in ("interval", "next_interval", "proportion", "next_proportion", "medians"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))


def test_likelihoods_of_the_shipped_model_sum_to_one() -> None:
    model = motif_model()
    for table in (model.interval, model.next_interval, model.proportion, model.next_proportion):
        np.testing.assert_allclose((2.0 ** (-table / 100)).sum(axis=-1), 1, atol=0.02)
