"""Predictions of a classifier on held-out melodies over all seeds: accuracy, AUC, intervals and p-values."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import Interval

_EPSILON = 1e-12
"""Smaller differences are rounding errors."""


@dataclass(frozen=True)
class Predictions:
    """One prediction for each melody and seed.

    Args:
        score: `(predictions,)`: predicted probability that the melody is generated.
        generated: `(predictions,)`: whether it is.
        piece: `(predictions,)`: its piece.
        seed: `(predictions,)`: the seed of the classifier.

    Examples:
        >>> predictions = Predictions(np.array([0.2, 0.9]), np.array([False, True]), np.arange(2), np.zeros(2, int))
        >>> predictions.correct.tolist(), predictions.mean_auc()
        ([1.0, 1.0], 1.0)
    """

    score: NDArray[np.float64]
    generated: NDArray[np.bool_]
    piece: NDArray[np.int64]
    seed: NDArray[np.int64]

    @classmethod
    def concatenate(cls, parts: list[Predictions]) -> Predictions:
        """The predictions of several seeds together."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def correct(self) -> NDArray[np.float64]:
        """`(predictions,)`: 1 if correct, 0 if wrong, 0.5 if the score is 0.5."""
        return np.where(self.score == 0.5, 0.5, (self.score > 0.5) == self.generated)

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(np.unique(self.seed))

    def accuracy(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The share of correct predictions with its bootstrap interval over pieces and seeds."""
        return self._mean(self.correct, rng, resamples)

    def advantage(self, other: Predictions, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The difference in accuracy to another classifier on the same melodies, with its interval."""
        return self._mean(self.correct - other.correct, rng, resamples)

    def mean_auc(self) -> float:
        """The area under the ROC curve, averaged over seeds."""
        return float(
            _mean_over_seeds(self._aucs(np.ones((1, len(np.unique(self.piece))))), np.ones((1, self.seeds)))[0]
        )

    def auc(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The area under the ROC curve with its interval.

        Scores of different seeds are not compared: it is the mean of the AUCs of the seeds.
        """
        pieces, seeds = self._weights(rng, resamples)
        return _interval(_mean_over_seeds(self._aucs(pieces), seeds))

    def auc_advantage(self, other: Predictions, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The difference in the area under the ROC curve to another classifier on the same melodies, as in `auc`."""
        pieces, seeds = self._weights(rng, resamples)
        return _interval(_mean_over_seeds(self._aucs(pieces) - other._aucs(pieces), seeds))

    def p_value(self, rng: np.random.Generator, *, permutations: int = 1000) -> float:
        """The p-value of a permutation test of the labels: twice the median of the p-values of the seeds.

        The scores stay as they are; the labels are permuted among pieces. With one seed this is an exact test for
        exchangeable pieces, and asymptotically one if pieces of one kind have more excerpts, because the difference of
        means is studentised (E. Chung, J. P. Romano, Exact and Asymptotically Robust Permutation Tests, Annals of
        Statistics 41, 2013). Seeds share melodies; twice the median holds under any dependence (N. Meinshausen, L.
        Meier, P. Bühlmann, p-Values for High-Dimensional Regression, JASA 104, 2009).
        """
        by_seed = [
            self._p_of_rows(np.flatnonzero(self.seed == seed), rng, permutations) for seed in np.unique(self.seed)
        ]
        return float(min(1.0, 2.0 * np.median(by_seed)))

    def _weights(self, rng: np.random.Generator, resamples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The weights of pieces and of seeds in each resample, `(resamples + 1, ..)`; the first row is all ones.

        Pieces and seeds are crossed: both are resampled, and a prediction has the product of their weights (A. B. Owen,
        The Pigeonhole Bootstrap, Annals of Applied Statistics 1, 2007), which is conservative.
        """
        pieces, seeds = (
            np.concatenate([np.ones((1, size)), rng.multinomial(size, np.full(size, 1 / size), resamples)])
            for size in (len(np.unique(self.piece)), self.seeds)
        )
        return pieces, seeds

    def _mean(self, values: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> Interval:
        pieces, seeds = self._weights(rng, resamples)
        piece, seed = (np.unique(label, return_inverse=True)[1] for label in (self.piece, self.seed))
        shape = (seeds.shape[1], pieces.shape[1])
        cell = seed * shape[1] + piece
        total, count = (
            np.bincount(cell, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
            for weights in (values, np.ones(len(values)))
        )
        above, below = ((pieces @ table.T * seeds).sum(axis=1) for table in (total, count))
        means = np.full(len(above), np.nan)
        np.divide(above, below, out=means, where=below > 0)
        return _interval(means)

    def _aucs(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(resamples, seeds)`: the AUC of each seed, with `(resamples, pieces)` weights."""
        piece = np.unique(self.piece, return_inverse=True)[1]
        aucs = np.full((len(weights), self.seeds), np.nan)
        for column, seed in enumerate(np.unique(self.seed)):
            human, generated = (
                np.flatnonzero((self.seed == seed) & (self.generated == side)) for side in (False, True)
            )
            above = np.sign(self.score[generated][:, None] - self.score[human]) / 2 + 0.5
            of_generated, of_human = weights[:, piece[generated]], weights[:, piece[human]]
            total = of_generated.sum(axis=1) * of_human.sum(axis=1)
            np.divide(((of_generated @ above) * of_human).sum(axis=1), total, out=aucs[:, column], where=total > 0)
        return aucs

    def _p_of_rows(self, rows: NDArray[np.int64], rng: np.random.Generator, permutations: int) -> float:
        pieces, member = np.unique(self.piece[rows], return_inverse=True)
        size = np.bincount(member, minlength=len(pieces))
        label = np.where(self.correct[rows] == 0.5, 0.5, self.score[rows] > 0.5)
        mean = np.bincount(member, weights=label, minlength=len(pieces)) / size
        is_generated = np.bincount(member, weights=self.generated[rows], minlength=len(pieces)) > 0
        count = int(is_generated.sum())
        if min(count, len(pieces) - count) < 2:
            return 1.0
        groups = np.zeros((permutations + 1, len(pieces)))
        groups[0] = is_generated
        members = np.argpartition(rng.random((permutations, len(pieces))), count - 1, axis=1)[:, :count]
        np.put_along_axis(groups[1:], members, 1.0, axis=1)
        statistics = _studentized_differences(groups, mean)
        return float(np.mean(statistics >= statistics[0] - _EPSILON))  # the observed labels are one permutation


def _mean_over_seeds(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(resamples,)`: the weighted mean over seeds, without undefined values."""
    defined = np.where(np.isnan(values), 0.0, weights)
    total = defined.sum(axis=1)
    mean = np.full(len(values), np.nan)
    np.divide((np.nan_to_num(values) * defined).sum(axis=1), total, out=mean, where=total > 0)
    return mean


def _interval(values: NDArray[np.float64]) -> Interval:
    """The first value with the 95 % interval of the others."""
    defined = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high))


def _studentized_differences(groups: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(permutations,)`: the difference of the means of two groups over its standard error.

    `groups` is `(permutations, pieces)`, 1 for the members of the first group.
    """
    powers = np.stack([np.ones_like(mean), mean, mean**2], axis=1)
    inside = groups @ powers
    outside = powers.sum(axis=0) - inside
    means, variance = [], np.zeros(len(groups))
    for size, total, squares in (inside.T, outside.T):
        means.append(total / size)
        variance += np.maximum(squares / size - (total / size) ** 2, 0.0) / (size - 1)
    difference = means[0] - means[1]
    difference[np.abs(difference) < _EPSILON] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = difference / np.sqrt(np.where(variance < _EPSILON, 0.0, variance))
    result: NDArray[np.float64] = np.where(np.isnan(ratio), 0.0, ratio)  # no difference, no variance
    return result
