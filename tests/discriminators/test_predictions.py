"""Predictions: against scikit-learn's AUC, against cases by hand, and under the null hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cantilena.discriminators import Predictions
from cantilena.metrics import bootstrap_ratio


def predictions(
    score: NDArray[np.float64], generated: NDArray[np.bool_], piece: NDArray[np.int64] | None = None, seed: int = 0
) -> Predictions:
    count = np.arange(len(score))
    return Predictions(score, generated, count if piece is None else piece, np.full(len(score), seed))


def half(size: int) -> NDArray[np.bool_]:
    return np.arange(2 * size) >= size


def test_the_auc_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(1)
    seeds = [predictions(rng.integers(0, 9, 80) / 8 + 0.0, half(40), seed=seed) for seed in range(3)]
    expected = np.mean([roc_auc_score(one.generated, one.score) for one in seeds])
    made = Predictions.concatenate(seeds)
    assert made.mean_auc() == pytest.approx(expected)
    interval = made.auc(rng)
    assert interval.value == pytest.approx(expected)
    assert interval.low < expected < interval.high


def test_all_correct_all_wrong_and_undecided() -> None:
    rng = np.random.default_rng(1)
    right = predictions(half(20).astype(float), half(20))
    assert (right.accuracy(rng).low, right.auc(rng).low) == (1.0, 1.0)
    assert right.p_value(rng, permutations=999) == pytest.approx(0.002)
    wrong = predictions(1.0 - half(20), half(20))
    assert (wrong.accuracy(rng).high, wrong.mean_auc(), wrong.p_value(rng)) == (0.0, 0.0, 1.0)
    undecided = predictions(np.full(40, 0.5), half(20))
    assert (undecided.accuracy(rng).value, undecided.mean_auc(), undecided.p_value(rng)) == (0.5, 0.5, 1.0)
    for score in (0.1, 0.9):  # always the same answer
        assert predictions(np.full(40, score), half(20)).p_value(rng) == 1.0


def test_one_piece_on_each_side_is_no_evidence() -> None:
    rng = np.random.default_rng(1)
    made = predictions(half(30).astype(float), half(30), piece=half(30).astype(np.int64))
    assert made.p_value(rng) == 1.0


def test_excerpts_of_one_piece_are_not_independent() -> None:
    rng = np.random.default_rng(1)
    score = np.repeat(rng.random(20), 10)  # all ten of a piece have one score
    piece = np.repeat(np.arange(20), 10)
    by_piece, alone = predictions(score, half(100), piece), predictions(score, half(100))
    wide, narrow = by_piece.accuracy(rng), alone.accuracy(rng)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    wide, narrow = by_piece.auc(rng), alone.auc(rng)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize("excerpts", [1, 4])
def test_the_p_value_is_valid_under_the_null_hypothesis(excerpts: int) -> None:
    """Human pieces with several excerpts of one score each, and generated ones with one."""
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(400):
        score = np.concatenate([np.repeat(rng.random(60 // excerpts), excerpts), rng.random(60)])
        piece = np.concatenate([np.repeat(np.arange(60 // excerpts), excerpts), 100 + np.arange(60)])
        p_values.append(predictions(score, half(60), piece).p_value(rng, permutations=199))
    # Twice the p-value of the one seed: 5 % is reached in 2.5 % of cases.
    assert np.mean(np.array(p_values) <= 0.05) < 0.05
    assert np.mean(np.array(p_values) <= 0.5) == pytest.approx(0.25, abs=0.07)


def test_seeds_that_share_melodies_are_no_more_evidence_than_one() -> None:
    rng = np.random.default_rng(3)
    one = predictions(np.where(rng.random(60) < 0.6, half(30), ~half(30)).astype(float), half(30))
    again = Predictions.concatenate(
        [Predictions(one.score, one.generated, one.piece, np.full(60, seed)) for seed in range(9)]
    )
    alone = one.p_value(np.random.default_rng(1), permutations=4000)
    assert again.p_value(np.random.default_rng(1), permutations=4000) == pytest.approx(alone, abs=0.03)
    width = [interval.high - interval.low for interval in (made.accuracy(rng, resamples=4000) for made in (one, again))]
    assert width[1] == pytest.approx(width[0], rel=0.2)


def test_the_interval_of_one_seed_is_the_bootstrap_by_piece() -> None:
    rng = np.random.default_rng(4)
    made = predictions(np.where(rng.random(120) < 0.7, half(60), ~half(60)).astype(float), half(60))
    interval = made.accuracy(rng, resamples=4000)
    expected = bootstrap_ratio(made.correct, np.ones(120), None, rng, resamples=4000)
    assert interval.value == expected.value
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_seeds_that_disagree_widen_the_interval() -> None:
    """Each seed has other melodies: five seeds are correct in half of the cases, five always."""
    right = np.concatenate([np.arange(40) % 2 < 1 if seed < 5 else np.ones(40, np.bool_) for seed in range(10)])
    generated = np.tile(half(20), 10)
    made = Predictions(
        np.where(right, generated, ~generated).astype(float), generated, np.arange(400), np.arange(400) // 40
    )
    interval = made.accuracy(np.random.default_rng(1))
    assert interval.value == 0.75
    assert interval.high - interval.low > 0.25


def test_the_advantage_is_paired() -> None:
    rng = np.random.default_rng(1)
    better = predictions(half(50).astype(float), half(50))
    worse = predictions(np.where(np.arange(100) % 5 == 0, 1.0 - half(50), half(50)), half(50))
    ahead = better.advantage(worse, rng)
    assert ahead.value == pytest.approx(0.2)
    assert ahead.low > 0
    assert better.advantage(better, rng).low == 0
