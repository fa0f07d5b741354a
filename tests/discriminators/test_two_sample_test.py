"""The two-sample test: what it must tell, what it must not, and when it must refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cantilena.discriminators import (
    FAMILIES,
    GROUPS,
    TwoSampleOptions,
    TwoSampleResult,
    classifier_two_sample_test,
    find_keys,
    two_sample_tests_by_bars,
)
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules import Notes
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
GROUPED = TwoSampleOptions(families=("logistic",), permutations=200, resamples=200)
QUICK = replace(GROUPED, groups=False)
Walks = Callable[..., Line]


def check_json(result: TwoSampleResult) -> dict[str, Any]:
    answer = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert (answer["headline"] is None) == bool(answer["refused"])
    assert isinstance(answer, dict)
    return answer


def test_shuffled_notes_are_told_from_human_melodies(people: Callable[[int], Any]) -> None:
    some, others = people(128).in_part(0), people(128).in_part(1)
    result = classifier_two_sample_test(
        some.line, some.pieces, others.shuffled(np.random.default_rng(1)), QUICK, quiet=True
    )
    assert result.refused == ""
    assert result.best is not None
    assert result.best.auc.low > 0.85
    assert result.p == pytest.approx(2 / 201)
    assert result.controls["trivial"].p > 0.05
    real = result.controls["real-against-real"]
    assert real.accuracy.low < 0.5 < real.accuracy.high
    answer = check_json(result)
    assert answer["families"][result.headline]["accuracy"] == answer["accuracy"]
    assert answer["controls"]["trivial"]["accuracy"]["value"] == round(result.controls["trivial"].accuracy.value, 6)


@pytest.fixture(scope="module")
def alike(people: Callable[[int], Any]) -> TwoSampleResult:
    """The result of human against other human melodies."""
    one, other = people(128).in_part(0), people(128).in_part(1)
    return classifier_two_sample_test(
        one.line, one.pieces, other.line, GROUPED, generated_pieces=other.pieces, quiet=True
    )


@pytest.mark.e2e
def test_human_melodies_are_not_told_from_human_melodies(alike: TwoSampleResult) -> None:
    result = alike
    assert result.refused == ""
    assert result.best is not None
    assert result.best.accuracy.low < 0.5 < result.best.accuracy.high
    assert result.p is not None
    assert result.p > 0.05


def with_strong_ends(line: Line) -> Line:
    """The same melodies, with the tonic as the only note of the last bar."""
    event, pitch = line.event.copy(), line.pitch.copy()
    event[:, -16:], pitch[:, -16:] = 1, -1
    event[:, -16], pitch[:, -16] = 2, 60 + find_keys(Notes.from_line(line)).tonic
    return Line.from_events(event, pitch, length=line.length)


@pytest.mark.e2e
def test_the_group_of_features_that_differs_is_found(people: Callable[[int], Any], alike: TwoSampleResult) -> None:
    one, other = people(128).in_part(0), people(128).in_part(1)
    result = classifier_two_sample_test(
        one.line, one.pieces, with_strong_ends(other.line), GROUPED, generated_pieces=other.pieces, quiet=True
    )
    assert result.refused == ""
    assert sorted(group.group for group in result.groups) == sorted(GROUPS)
    first, second = result.groups[:2]
    assert first.group == "ends"
    assert first.auc.low > second.auc.value > 0
    assert first.drop is None or first.drop.value > 0.05
    assert [group.drop is None or group.drop.value < 0.05 for group in result.groups[1:]] == [True] * (len(GROUPS) - 1)
    values = [group["auc"]["value"] for group in check_json(result)["groups"]]
    assert values == sorted(values, reverse=True)
    assert all(group.auc.low < 0.5 < group.auc.high for group in alike.groups)


def signatures(rng: np.random.Generator, pieces: int, excerpts: int, steps: int = 32) -> Line:
    """Pieces that each repeat their own intervals: an excerpt reveals its piece."""
    rows = []
    for _ in range(pieces):
        pattern = rng.integers(-4, 5, 5)
        struck = rng.random((excerpts, steps)) < 0.9
        moves = np.tile(pattern, steps)[:steps] * np.ones((excerpts, 1), np.int64)
        rows.append(np.where(struck, 62 + np.cumsum(moves, axis=1) % 12, 1))
    return GRID.line(np.concatenate(rows))


def test_excerpts_of_one_piece_do_not_leak() -> None:
    rng = np.random.default_rng(5)
    human, generated = signatures(rng, 24, 12), signatures(rng, 24, 12)
    labels = np.repeat(np.arange(24), 12)
    kept = classifier_two_sample_test(human, labels, generated, QUICK, generated_pieces=labels, quiet=True)
    assert kept.best is None or kept.best.p > 0.05
    leaking = classifier_two_sample_test(human, np.arange(288), generated, QUICK, quiet=True)
    assert leaking.best is not None
    assert leaking.best.accuracy.low > 0.8


@pytest.mark.parametrize("other", [{"widest": 5}, {"struck": 0.4}])
def test_a_difference_in_range_or_number_of_notes_is_refused(walks: Walks, other: dict[str, float]) -> None:
    rng = np.random.default_rng(6)
    # Only the size of intervals or the number of notes differs.
    result = classifier_two_sample_test(walks(rng, 150), np.arange(150), walks(rng, 150, **other), QUICK, quiet=True)
    if "widest" in other:  # intervals tell more than the range: a result or a refusal
        assert result.controls["trivial"].accuracy.low > 0.5
    else:
        assert "length, range and number of notes alone" in result.refused
        assert result.families == {}
        assert result.p is None
    answer = check_json(result)
    assert answer["controls"]["trivial"]["accuracy"]["value"] > 0.6


def test_a_single_repeated_melody(walks: Walks) -> None:
    rng = np.random.default_rng(7)
    again = walks(rng, 1)[np.zeros(400, np.int64)]
    result = classifier_two_sample_test(walks(rng, 200), np.arange(200), again, QUICK, quiet=True)
    assert result.best is None or result.best.accuracy.value > 0.95
    assert result.best is not None or "notes alone reach" in result.refused
    same = classifier_two_sample_test(again, np.arange(400), again, QUICK, quiet=True)
    assert same.best is not None
    assert (same.best.accuracy.value, same.p) == (0.5, 1.0)


def test_too_few_melodies_are_refused(walks: Walks) -> None:
    rng = np.random.default_rng(8)
    many = walks(rng, 100)
    for human, pieces, generated, says in (
        (many, np.arange(100) % 19, many, "100 human melodies of 19 pieces"),
        (many[:59], np.arange(59), many, "59 human melodies"),
        (many, np.arange(100), many[:0], "0 generated melodies"),
        (many, np.arange(100), many[:1], "1 generated melodies"),
    ):
        result = classifier_two_sample_test(human, pieces, generated, QUICK, quiet=True)
        assert says in result.refused
        assert (result.headline, result.best, result.families, result.controls) == (None, None, {}, {})
        assert check_json(result)["accuracy"]["reason"] == result.refused


@pytest.mark.parametrize(
    "family", ["logistic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("boosting", "gru"))]
)
def test_silent_melodies(walks: Walks, family: str) -> None:
    silence = GRID.line(np.random.default_rng(1).integers(0, 2, (80, 16)))
    options = TwoSampleOptions(families=(family,), groups=False)
    alike = classifier_two_sample_test(silence, np.arange(80), silence[::-1], options, quiet=True)
    assert alike.best is not None
    assert alike.best.accuracy.value == 0.5
    told = classifier_two_sample_test(
        walks(np.random.default_rng(2), 80, 16), np.arange(80), silence, options, quiet=True
    )
    assert "notes alone reach an accuracy of 100%" in told.refused
    check_json(told)


def test_melodies_without_steps_are_refused() -> None:
    for nothing in (
        GRID.line(np.zeros((80, 0), np.int64)),
        GRID.line(np.zeros((80, 8), np.int64), np.zeros(80, np.int64)),
    ):
        result = classifier_two_sample_test(nothing, np.arange(80), nothing, QUICK, quiet=True)
        assert result.refused == "the melodies have only 0 steps in common"
        check_json(result)


@pytest.mark.parametrize(
    ("families", "groups"),
    [
        (("logistic",), False),
        pytest.param(("logistic",), True, marks=pytest.mark.e2e),
        pytest.param(FAMILIES, True, marks=pytest.mark.slow),
    ],
)
def test_the_same_seed_gives_the_same_numbers(walks: Walks, families: tuple[str, ...], groups: bool) -> None:
    rng = np.random.default_rng(9)
    human, generated = walks(rng, 70, 16), walks(rng, 70, 16, struck=0.55)
    asked = TwoSampleOptions(families=families, groups=groups, permutations=99, resamples=100)
    first, again, other = (
        classifier_two_sample_test(human, np.arange(70), generated, replace(asked, seed=seed), quiet=True).to_json()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert other["controls"] != first["controls"]


def test_tests_by_bars_have_a_result_or_a_reason(people: Callable[[int], Any]) -> None:
    some = people(128).in_part(0)
    rows = two_sample_tests_by_bars(
        some.line, some.pieces, some.shuffled(np.random.default_rng(1)), 16, (2, 8, 16), options=QUICK, quiet=True
    )
    assert [row.bars for row in rows] == [2, 8, 16]
    assert rows[0].accuracy is not None
    assert rows[1].accuracy is not None
    assert rows[0].accuracy.value < rows[1].accuracy.value
    assert rows[2].accuracy is None
    assert "there are 0 human melodies" in rows[2].reason
    json.dumps([row.to_json() for row in rows], allow_nan=False)


def test_invalid_options_are_refused() -> None:
    for wrong, says in (
        ({"families": ("oracle",)}, "unknown classifier 'oracle'"),
        ({"families": ()}, "no classifier"),
        ({"families": ("gru", "gru")}, "one twice"),
        ({"seeds": 4}, "seeds is out of range: 4"),
        ({"permutations": 10}, "permutations is out of range: 10"),
        ({"seed": -1}, "seed is out of range: -1"),
    ):
        with pytest.raises(UsageError, match=says):
            TwoSampleOptions(**wrong)
    line = GRID.line(np.full((4, 8), 62))
    with pytest.raises(UsageError, match="no steps"):
        two_sample_tests_by_bars(line, np.arange(4), line, 0)
    many = GRID.line(np.random.default_rng(1).integers(0, 99, (80, 8)))
    abacus = TwoSampleOptions(families=("gru",), device="abacus")
    with pytest.raises(UsageError, match="device"):
        classifier_two_sample_test(many, np.arange(80), many, abacus, quiet=True)


@pytest.mark.slow
def test_every_classifier_tells_shuffled_notes(people: Callable[[int], Any]) -> None:
    some, others = people(64).in_part(0), people(64).in_part(1)
    result = classifier_two_sample_test(some.line, some.pieces, others.shuffled(np.random.default_rng(1)), quiet=True)
    assert set(result.families) == set(FAMILIES)
    assert all(told.auc.low > 0.7 for told in result.families.values())
    assert not math.isnan(result.controls["real-against-real"].auc.low)


@pytest.mark.slow
def test_human_against_human_is_rarely_told_or_refused(people: Callable[[int], Any]) -> None:
    some = people(64)
    refused = told = 0
    for seed in range(20):
        half = np.random.default_rng(seed).permutation(int(some.pieces.max()) + 1)[some.pieces] % 2 == 0
        result = classifier_two_sample_test(
            some.line[half],
            some.pieces[half],
            some.line[~half],
            TwoSampleOptions(families=("logistic",), seed=seed),
            generated_pieces=some.pieces[~half],
            quiet=True,
        )
        refused += bool(result.refused)
        told += result.p is not None and result.p <= 0.05
    assert refused <= 1
    assert told <= 2
