"""What the listener must tell, what it must not, and when it must refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cantilena.discriminators import FAMILIES, TwoSampleResult, TwoSampleOptions, two_sample_tests_by_bars, classifier_two_sample_test
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
QUICK = TwoSampleOptions(families=("logistic",))
Walks = Callable[..., Line]


def check_json(found: TwoSampleResult) -> dict[str, Any]:
    answer = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (answer["headline"] is None) == bool(answer["refused"])
    assert isinstance(answer, dict)
    return answer


def test_shuffled_notes_are_told_from_people(people: Callable[[int], Any]) -> None:
    some, others = people(128).in_part(0), people(128).in_part(1)
    found = classifier_two_sample_test(some.line, some.pieces, others.shuffled(np.random.default_rng(1)), QUICK, quiet=True)
    assert found.refused == ""
    assert found.best is not None
    assert found.best.auc.low > 0.85
    assert found.p == pytest.approx(2 / 1001)
    assert found.controls["trivial"].p > 0.05
    real = found.controls["real-against-real"]
    assert real.accuracy.low < 0.5 < real.accuracy.high
    answer = check_json(found)
    assert answer["families"][found.headline]["accuracy"] == answer["accuracy"]
    assert answer["controls"]["trivial"]["accuracy"]["value"] == round(found.controls["trivial"].accuracy.value, 6)


def test_people_are_not_told_from_people(people: Callable[[int], Any]) -> None:
    one, other = people(128).in_part(0), people(128).in_part(1)
    found = classifier_two_sample_test(one.line, one.pieces, other.line, QUICK, generated_pieces=other.pieces, quiet=True)
    assert found.refused == ""
    assert found.best is not None
    assert found.best.accuracy.low < 0.5 < found.best.accuracy.high
    assert found.p is not None
    assert found.p > 0.05


def signatures(rng: np.random.Generator, pieces: int, excerpts: int, steps: int = 32) -> Line:
    """Pieces that each go their own few ways up and down, again and again: an excerpt gives its piece away."""
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
def test_what_range_or_number_of_notes_tells_is_refused(walks: Walks, other: dict[str, float]) -> None:
    rng = np.random.default_rng(6)
    # Only how far or how often notes go differs, so that a count of them says all there is to say.
    found = classifier_two_sample_test(walks(rng, 150), np.arange(150), walks(rng, 150, **other), QUICK, quiet=True)
    if "widest" in other:  # intervals tell more than the range: an honest answer or a refusal, never silence
        assert found.controls["trivial"].accuracy.low > 0.5
    else:
        assert "length, range and number of notes alone tell" in found.refused
        assert found.families == {}
        assert found.p is None
    answer = check_json(found)
    assert answer["controls"]["trivial"]["accuracy"]["value"] > 0.6


def test_one_melody_again_and_again(walks: Walks) -> None:
    rng = np.random.default_rng(7)
    again = walks(rng, 1)[np.zeros(400, np.int64)]
    found = classifier_two_sample_test(walks(rng, 200), np.arange(200), again, QUICK, quiet=True)
    assert found.best is None or found.best.accuracy.value > 0.95
    assert found.best is not None or "alone tell" in found.refused
    same = classifier_two_sample_test(again, np.arange(400), again, QUICK, quiet=True)
    assert same.best is not None
    assert (same.best.accuracy.value, same.p) == (0.5, 1.0)


def test_too_few_are_refused_with_their_numbers(walks: Walks) -> None:
    rng = np.random.default_rng(8)
    many = walks(rng, 100)
    for human, pieces, generated, says in (
        (many, np.arange(100) % 19, many, "100 human melodies of 19 pieces"),
        (many[:59], np.arange(59), many, "59 human melodies"),
        (many, np.arange(100), many[:0], "0 generated melodies"),
        (many, np.arange(100), many[:1], "1 generated melodies"),
    ):
        found = classifier_two_sample_test(human, pieces, generated, QUICK, quiet=True)
        assert says in found.refused
        assert (found.headline, found.best, found.families, found.controls) == (None, None, {}, {})
        assert check_json(found)["accuracy"]["reason"] == found.refused


@pytest.mark.parametrize(
    "family", ["logistic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("boosting", "gru"))]
)
def test_silence_is_heard_and_not_stumbled_over(walks: Walks, family: str) -> None:
    silence = GRID.line(np.random.default_rng(1).integers(0, 2, (80, 16)))
    options = TwoSampleOptions(families=(family,))
    alike = classifier_two_sample_test(silence, np.arange(80), silence[::-1], options, quiet=True)
    assert alike.best is not None
    assert alike.best.accuracy.value == 0.5
    told = classifier_two_sample_test(walks(np.random.default_rng(2), 80, 16), np.arange(80), silence, options, quiet=True)
    assert "alone tell 100% right" in told.refused
    check_json(told)


def test_melodies_without_steps_are_refused() -> None:
    for nothing in (
        GRID.line(np.zeros((80, 0), np.int64)),
        GRID.line(np.zeros((80, 8), np.int64), np.zeros(80, np.int64)),
    ):
        found = classifier_two_sample_test(nothing, np.arange(80), nothing, QUICK, quiet=True)
        assert found.refused == "the melodies have only 0 steps in common"
        check_json(found)


@pytest.mark.parametrize("families", [("logistic",), pytest.param(FAMILIES, marks=pytest.mark.slow)])
def test_the_same_seed_gives_the_same_numbers(walks: Walks, families: tuple[str, ...]) -> None:
    rng = np.random.default_rng(9)
    human, generated = walks(rng, 70, 16), walks(rng, 70, 16, struck=0.55)
    first, again, other = (
        classifier_two_sample_test(human, np.arange(70), generated, TwoSampleOptions(families=families, seed=seed), quiet=True).to_json()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert other["controls"] != first["controls"]


def test_accuracy_by_length_says_why_where_there_is_none(people: Callable[[int], Any]) -> None:
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


def test_what_cannot_be_asked_is_refused_in_words() -> None:
    for wrong, says in (
        ({"families": ("oracle",)}, "no classifier 'oracle'"),
        ({"families": ()}, "no classifier"),
        ({"families": ("gru", "gru")}, "one twice"),
        ({"seeds": 4}, "seeds is 4"),
        ({"permutations": 10}, "permutations is 10"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(UsageError, match=says):
            TwoSampleOptions(**wrong)
    line = GRID.line(np.full((4, 8), 62))
    with pytest.raises(UsageError, match="no steps"):
        two_sample_tests_by_bars(line, np.arange(4), line, 0)
    many = GRID.line(np.random.default_rng(1).integers(0, 99, (80, 8)))
    abacus = TwoSampleOptions(families=("gru",), device="abacus")
    with pytest.raises(UsageError, match="there is no device"):
        classifier_two_sample_test(many, np.arange(80), many, abacus, quiet=True)


@pytest.mark.slow
def test_every_family_tells_shuffled_notes(people: Callable[[int], Any]) -> None:
    some, others = people(64).in_part(0), people(64).in_part(1)
    found = classifier_two_sample_test(some.line, some.pieces, others.shuffled(np.random.default_rng(1)), quiet=True)
    assert set(found.families) == set(FAMILIES)
    assert all(told.auc.low > 0.7 for told in found.families.values())
    assert not math.isnan(found.controls["real-against-real"].auc.low)


@pytest.mark.slow
def test_people_against_people_are_seldom_told_or_refused(people: Callable[[int], Any]) -> None:
    some = people(64)
    refused = told = 0
    for seed in range(20):
        half = np.random.default_rng(seed).permutation(int(some.pieces.max()) + 1)[some.pieces] % 2 == 0
        found = classifier_two_sample_test(
            some.line[half],
            some.pieces[half],
            some.line[~half],
            TwoSampleOptions(families=("logistic",), seed=seed),
            generated_pieces=some.pieces[~half],
            quiet=True,
        )
        refused += bool(found.refused)
        told += found.p is not None and found.p <= 0.05
    assert refused <= 1
    assert told <= 2
