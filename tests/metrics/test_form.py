"""Metrics of form: each against a plain loop, and on melodies whose answer is known."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.data import load_builtin
from cantilena.metrics import form_counts, form_f1
from cantilena.metrics.form import METRICS, bar_returns, ends_on_strong_tonic, phrase_end_lengthening, scalar_run_share
from cantilena.music import Form, Key, Line, Meter, Repeats, find_form, written_form
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
FOUR = Context(steps_per_bar=4)
"""A bar of four steps in 4/4."""


def line(*rows: list[int]) -> Line:
    width = max(map(len, rows))
    tokens = np.array([row + [0] * (width - len(row)) for row in rows])
    return GRID.line(tokens)


def random_line(melodies: int = 40, steps: int = 64) -> Line:
    rng = np.random.default_rng(3)
    return GRID.line(rng.choice([0, 1, 1, 1, 14, 16, 18, 19, 21], (melodies, steps)))


def notes_of(one: Line, row: int) -> list[tuple[int, int]]:
    """(step, pitch) of the notes of a melody."""
    return [(step, int(one.pitch[row, step])) for step in range(one.steps) if one.event[row, step] == 2]


def test_scalar_runs_by_a_plain_loop() -> None:
    many = random_line()
    expected = []
    for row in range(many.melodies):
        pitches = [pitch for _, pitch in notes_of(many, row)]
        intervals = [after - before for before, after in itertools.pairwise(pitches)]
        pairs = list(itertools.pairwise(intervals))
        runs = [0 < abs(one) <= 2 and 0 < abs(two) <= 2 and one * two > 0 for one, two in pairs]
        expected.append(np.mean(runs) if pairs else np.nan)
    assert np.allclose(scalar_run_share(many), expected, equal_nan=True)


@pytest.mark.parametrize("transposed", [False, True])
def test_returns_by_a_plain_loop(transposed: bool) -> None:
    many = random_line()
    expected = []
    for row in range(many.melodies):
        bars: dict[int, list[tuple[int, int]]] = {}
        for step, pitch in notes_of(many, row):
            bars.setdefault(step // 4, []).append((step % 4, pitch))
        seen: list[list[tuple[int, int]]] = []
        found = []
        for bar in bars.values():
            if len(bar) < 2:
                continue
            root = bar[0][1] if transposed else 0
            shape = [(step, pitch - root) for step, pitch in bar]
            found += [shape in seen] if seen else []
            seen.append(shape)
        expected.append(np.mean(found) if found else np.nan)
    assert np.allclose(bar_returns(many, FOUR, transposed=transposed), expected, equal_nan=True)


C, D, E, G = 14, 16, 18, 21


@pytest.mark.parametrize(
    ("tokens", "context", "ends"),
    [
        ([D, 1, 1, 1, C, 1, 1, 1], Context(steps_per_bar=8), 1.0),
        ([D, 1, 1, 1, 1, 1, C, 1], Context(steps_per_bar=8), 0.0),  # on a weak beat
        ([D, 1, 1, 1, C, 0, 0, 0], Context(steps_per_bar=8), 0.0),  # an eighth long
        ([D, 1, 1, 1, G, 1, 1, 1], Context(steps_per_bar=8), 0.0),
        ([D, 1, 1, 1, G, 1, 1, 1], Context(Key.parse("G mixolydian"), steps_per_bar=8), 1.0),
        ([C] + [1] * 11 + [C] + [1] * 5, Context(meter=Meter(6, 8), steps_per_bar=12), 1.0),
        ([0, 1, 1, 1, 1, 1, 1, 1], Context(steps_per_bar=8), np.nan),
        ([D, 1, 1, 1, C, 1, 1, 1], Context(steps_per_bar=8, timed=False), np.nan),
    ],
)
def test_ends(tokens: list[int], context: Context, ends: float) -> None:
    assert np.array_equal(ends_on_strong_tonic(line(tokens), context), [ends], equal_nan=True)


def test_phrases_that_end_on_long_notes() -> None:
    even = [C, D, E, D] * 4
    long = [*([C, D, E, D] * 3), C, D, E, 1]
    incomplete = long[:12]
    values = phrase_end_lengthening(line(even, long), FOUR)
    assert values.tolist() == [1.0, pytest.approx(2 / (16 / 15))]
    assert np.isnan(phrase_end_lengthening(line(incomplete), FOUR)).all()


def values_of(one: Line) -> NDArray[np.float64]:
    return np.array([*form_counts(one, FOUR).statistics().values()])


def test_counts_have_all_metrics_and_add_up() -> None:
    many = random_line()
    counts = form_counts(many, FOUR)
    assert counts.names == tuple(metric.name for metric in METRICS)
    halves = [form_counts(many[rows], FOUR) for rows in (slice(0, 20), slice(20, 40))]
    for name in counts.names:
        assert counts.counted[name].sum() == pytest.approx(sum(half.counted[name].sum() for half in halves))
    assert np.isnan(values_of(line([0, 1, 1, 1]))).all()


def letters_and_places(form: Form) -> list[tuple[str, int]]:
    return [(section.label, place) for section in form.sections for place in range(section.bars)]


@pytest.mark.parametrize(
    ("found", "true"),
    [
        ("A4A4B8", "A4A4B4A4"),
        ("A2B2A2B2C4A2B2", "A4A'4B4A'4"),
        ("A4B4A4B4", "A8A8"),
        ("A5A5B6", "A4A4B8"),
        ("A16", "A8B8"),
    ],
)
def test_f1_of_forms_by_a_plain_loop(found: str, true: str) -> None:
    one, other = (letters_and_places(Form.parse(text)) for text in (found, true))
    pairs = list(itertools.combinations(range(len(one)), 2))
    both = sum(one[i] == one[j] and other[i] == other[j] for i, j in pairs)
    either = sum((one[i] == one[j]) + (other[i] == other[j]) for i, j in pairs)
    assert form_f1(Form.parse(found), Form.parse(true)) == pytest.approx(2 * both / either if either else 1)
    assert form_f1(Form.parse(found), Form.parse(true)) == form_f1(Form.parse(true), Form.parse(found))


def test_f1_of_equal_forms_is_1_however_they_are_divided() -> None:
    assert form_f1(Form.parse("A8A8B8A8"), Form.parse("A4B4A4B4C8A4B4")) == 1
    assert form_f1(Form.parse("A8"), Form.parse("A4B4")) == 1
    assert form_f1(Form.parse("A4A4"), Form.parse("A8")) == 0


@pytest.mark.e2e
def test_forms_found_in_notes_agree_with_the_repeats_of_scores() -> None:
    melodies = [one for one in load_builtin("tunes").melodies("test") if one.unfolded() is not one]
    assert len(melodies) == 330
    melodies = melodies[::2]
    by_notes = [replace(one.unfolded(), repeats=Repeats(), phrase_ends=()) for one in melodies]
    agreement = [form_f1(find_form(notes), written_form(one)) for notes, one in zip(by_notes, melodies, strict=True)]
    assert np.median(agreement) == 1
    assert np.mean(agreement) > 0.87
