"""What answers prove: against scikit-learn's curve, against cases worked by hand, and against chance itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cantilena.discriminators.answers import Answers
from cantilena.metrics import bootstrap_ratio


def answers(
    score: NDArray[np.float64], generated: NDArray[np.bool_], piece: NDArray[np.int64] | None = None, seed: int = 0
) -> Answers:
    count = np.arange(len(score))
    return Answers(score, generated, count if piece is None else piece, np.full(len(score), seed))


def half(size: int) -> NDArray[np.bool_]:
    return np.arange(2 * size) >= size


def test_the_area_is_scikit_learns_ties_included() -> None:
    rng = np.random.default_rng(1)
    seeds = [answers(rng.integers(0, 9, 80) / 8 + 0.0, half(40), seed=seed) for seed in range(3)]
    expected = np.mean([roc_auc_score(one.generated, one.score) for one in seeds])
    told = Answers.joined(seeds)
    assert told.auc_of_all() == pytest.approx(expected)
    interval = told.auc(rng)
    assert interval.value == pytest.approx(expected)
    assert interval.low < expected < interval.high


def test_all_right_all_wrong_and_undecided() -> None:
    rng = np.random.default_rng(1)
    right = answers(half(20).astype(float), half(20))
    assert (right.accuracy(rng).low, right.auc(rng).low) == (1.0, 1.0)
    assert right.p_value(rng, permutations=999) == pytest.approx(0.002)
    wrong = answers(1.0 - half(20), half(20))
    assert (wrong.accuracy(rng).high, wrong.auc_of_all(), wrong.p_value(rng)) == (0.0, 0.0, 1.0)
    undecided = answers(np.full(40, 0.5), half(20))
    assert (undecided.accuracy(rng).value, undecided.auc_of_all(), undecided.p_value(rng)) == (0.5, 0.5, 1.0)
    for says in (0.1, 0.9):  # always the same answer
        assert answers(np.full(40, says), half(20)).p_value(rng) == 1.0


def test_one_piece_a_side_proves_nothing() -> None:
    rng = np.random.default_rng(1)
    told = answers(half(30).astype(float), half(30), piece=half(30).astype(np.int64))
    assert told.p_value(rng) == 1.0


def test_excerpts_of_one_piece_are_not_taken_for_independent() -> None:
    rng = np.random.default_rng(1)
    score = np.repeat(rng.random(20), 10)  # all ten of a piece are heard alike
    piece = np.repeat(np.arange(20), 10)
    by_piece, alone = answers(score, half(100), piece), answers(score, half(100))
    wide, narrow = by_piece.accuracy(rng), alone.accuracy(rng)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    wide, narrow = by_piece.auc(rng), alone.auc(rng)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize("excerpts", [1, 4])
def test_chance_is_called_significant_no_more_often_than_it_says(excerpts: int) -> None:
    """Human pieces with several excerpts each, all heard alike, and generated ones by themselves."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        score = np.concatenate([np.repeat(rng.random(60 // excerpts), excerpts), rng.random(60)])
        piece = np.concatenate([np.repeat(np.arange(60 // excerpts), excerpts), 100 + np.arange(60)])
        found.append(answers(score, half(60), piece).p_value(rng, permutations=199))
    # Twice the p-value of the one seed: 5 % is reached in 2.5 % of cases.
    assert np.mean(np.array(found) <= 0.05) < 0.05
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.25, abs=0.07)


def test_seeds_that_share_melodies_are_no_more_evidence_than_one() -> None:
    rng = np.random.default_rng(3)
    one = answers(np.where(rng.random(60) < 0.6, half(30), ~half(30)).astype(float), half(30))
    again = Answers.joined([Answers(one.score, one.generated, one.piece, np.full(60, seed)) for seed in range(9)])
    alone = one.p_value(np.random.default_rng(1), permutations=4000)
    assert again.p_value(np.random.default_rng(1), permutations=4000) == pytest.approx(alone, abs=0.03)
    width = [found.high - found.low for found in (told.accuracy(rng, resamples=4000) for told in (one, again))]
    assert width[1] == pytest.approx(width[0], rel=0.2)


def test_the_interval_of_one_seed_is_the_bootstrap_by_piece() -> None:
    rng = np.random.default_rng(4)
    told = answers(np.where(rng.random(120) < 0.7, half(60), ~half(60)).astype(float), half(60))
    found = told.accuracy(rng, resamples=4000)
    expected = bootstrap_ratio(told.right, np.ones(120), None, rng, resamples=4000)
    assert found.value == expected.value
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_seeds_that_disagree_widen_the_interval() -> None:
    """Each seed judges other melodies: five are right in half of the cases, five always."""
    right = np.concatenate([np.arange(40) % 2 < 1 if seed < 5 else np.ones(40, np.bool_) for seed in range(10)])
    generated = np.tile(half(20), 10)
    told = Answers(
        np.where(right, generated, ~generated).astype(float), generated, np.arange(400), np.arange(400) // 40
    )
    found = told.accuracy(np.random.default_rng(1))
    assert found.value == 0.75
    assert found.high - found.low > 0.25


def test_an_advantage_is_of_the_same_melodies() -> None:
    rng = np.random.default_rng(1)
    better = answers(half(50).astype(float), half(50))
    worse = answers(np.where(np.arange(100) % 5 == 0, 1.0 - half(50), half(50)), half(50))
    ahead = better.advantage(worse, rng)
    assert ahead.value == pytest.approx(0.2)
    assert ahead.low > 0
    assert better.advantage(better, rng).low == 0
