"""What a listener answered on melodies that it had not heard, over all seeds, and how sure that makes us."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import Interval

_NOTHING = 1e-12
"""Differences below this are rounding."""


@dataclass(frozen=True)
class Answers:
    """One answer for each melody that was judged; a melody can be judged with several seeds.

    Args:
        score: `(answers,)`: how generated it sounded, 0 to 1.
        generated: `(answers,)`: whether it was.
        piece: `(answers,)`: its piece.
        seed: `(answers,)`: with which seed it was judged.

    Example:
        >>> told = Answers(np.array([0.2, 0.9]), np.array([False, True]), np.arange(2), np.zeros(2, int))
        >>> told.right.tolist(), told.auc_of_all()
        ([1.0, 1.0], 1.0)
    """

    score: NDArray[np.float64]
    generated: NDArray[np.bool_]
    piece: NDArray[np.int64]
    seed: NDArray[np.int64]

    @classmethod
    def joined(cls, several: list[Answers]) -> Answers:
        """Answers of several seeds as one."""
        return cls(
            np.concatenate([one.score for one in several]),
            np.concatenate([one.generated for one in several]),
            np.concatenate([one.piece for one in several]),
            np.concatenate([one.seed for one in several]),
        )

    @property
    def right(self) -> NDArray[np.float64]:
        """`(answers,)`: 1 where the answer is right, 0 where it is wrong, a half where it is undecided."""
        return np.where(self.score == 0.5, 0.5, (self.score > 0.5) == self.generated)

    def accuracy(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The share of right answers, with its bootstrap interval: pieces and seeds are drawn anew."""
        return self._mean(self.right, rng, resamples)

    def advantage(self, other: Answers, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """How many more of its answers are right than another listener's on the same melodies, likewise."""
        return self._mean(self.right - other.right, rng, resamples)

    def auc_of_all(self) -> float:
        """The area under the curve, each melody counting once: the mean over seeds."""
        return float(_weighted(self._areas(np.ones((1, len(np.unique(self.piece))))), np.ones((1, self.seeds)))[0])

    def auc(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The chance that a generated melody sounds more generated than a human one, with its interval, likewise.

        Scores of different seeds are not compared: it is the mean of the seeds' areas.
        """
        pieces, seeds = self._drawn(rng, resamples)
        return _interval(_weighted(self._areas(pieces), seeds))

    @property
    def seeds(self) -> int:
        """How many seeds."""
        return len(np.unique(self.seed))

    def p_value(self, rng: np.random.Generator, *, permutations: int = 1000) -> float:
        """How often labels dealt at random among pieces are told as well: twice the median of the seeds' p-values.

        The listener stays as it is; the labels of the pieces that it had not heard are dealt anew. With one seed that
        is an exact test where pieces are alike, and asymptotically one where those of one kind have more excerpts,
        because the difference of the two kinds' mean answers is divided by its standard error (E. Chung, J. P. Romano,
        Exact and Asymptotically Robust Permutation Tests, Annals of Statistics 41, 2013). Seeds share melodies; twice
        the median holds whatever they share (N. Meinshausen, L. Meier, P. Bühlmann, p-Values for High-Dimensional
        Regression, JASA 104, 2009).
        """
        each = [_p_of_seed(self, np.flatnonzero(self.seed == seed), rng, permutations) for seed in np.unique(self.seed)]
        return float(min(1.0, 2.0 * np.median(each)))

    def _drawn(self, rng: np.random.Generator, resamples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How often each piece and each seed counts, `(resamples + 1, ..)`: first once each, then as drawn.

        Pieces and seeds are crossed: both are drawn with replacement, and an answer counts as often as their product
        (A. B. Owen, The Pigeonhole Bootstrap, Annals of Applied Statistics 1, 2007), which is on the safe side.
        """
        sizes = (len(np.unique(self.piece)), self.seeds)
        first, second = (
            np.concatenate([np.ones((1, size)), rng.multinomial(size, np.full(size, 1 / size), resamples)])
            for size in sizes
        )
        return first, second

    def _mean(self, values: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> Interval:
        pieces, seeds = self._drawn(rng, resamples)
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

    def _areas(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(draws, seeds)`: the area of each seed, each piece counted as often as `(draws, pieces)` says."""
        piece = np.unique(self.piece, return_inverse=True)[1]
        areas = np.full((len(weights), self.seeds), np.nan)
        for column, seed in enumerate(np.unique(self.seed)):
            human, generated = (
                np.flatnonzero((self.seed == seed) & (self.generated == side)) for side in (False, True)
            )
            above = np.sign(self.score[generated][:, None] - self.score[human]) / 2 + 0.5
            heavy, light = weights[:, piece[generated]], weights[:, piece[human]]
            total = heavy.sum(axis=1) * light.sum(axis=1)
            np.divide(((heavy @ above) * light).sum(axis=1), total, out=areas[:, column], where=total > 0)
        return areas


def _weighted(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(draws,)`: the mean over seeds, each counted as often as it was drawn; those without a value left out."""
    counted = np.where(np.isnan(values), 0.0, weights)
    total = counted.sum(axis=1)
    mean = np.full(len(values), np.nan)
    np.divide((np.nan_to_num(values) * counted).sum(axis=1), total, out=mean, where=total > 0)
    return mean


def _interval(values: NDArray[np.float64]) -> Interval:
    """The first value, between the bounds of nineteen in twenty of the others."""
    defined = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
    return Interval(float(values[0]), float(low), float(high))


def _p_of_seed(answers: Answers, rows: NDArray[np.int64], rng: np.random.Generator, permutations: int) -> float:
    pieces, member = np.unique(answers.piece[rows], return_inverse=True)
    size = np.bincount(member, minlength=len(pieces))
    called = np.where(answers.right[rows] == 0.5, 0.5, answers.score[rows] > 0.5)
    mean = np.bincount(member, weights=called, minlength=len(pieces)) / size
    is_generated = np.bincount(member, weights=answers.generated[rows], minlength=len(pieces)) > 0
    kinds = int(is_generated.sum())
    if min(kinds, len(pieces) - kinds) < 2:
        return 1.0
    dealt = np.zeros((permutations + 1, len(pieces)))
    dealt[0] = is_generated
    chosen = np.argpartition(rng.random((permutations, len(pieces))), kinds - 1, axis=1)[:, :kinds]
    np.put_along_axis(dealt[1:], chosen, 1.0, axis=1)
    found = _studentised(dealt, mean)
    return float(np.mean(found >= found[0] - _NOTHING))  # the labels as they are among those dealt


def _studentised(dealt: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference of two groups' means over its standard error, for each way to deal pieces, `(deals,)`."""
    powers = np.stack([np.ones_like(mean), mean, mean**2], axis=1)
    here = dealt @ powers
    there = powers.sum(axis=0) - here
    middle, error = [], np.zeros(len(dealt))
    for size, total, squares in (here.T, there.T):
        middle.append(total / size)
        error += np.maximum(squares / size - (total / size) ** 2, 0.0) / (size - 1)
    difference = middle[0] - middle[1]
    difference[np.abs(difference) < _NOTHING] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = difference / np.sqrt(np.where(error < _NOTHING, 0.0, error))
    known: NDArray[np.float64] = np.where(np.isnan(ratio), 0.0, ratio)  # no difference of what does not vary
    return known
