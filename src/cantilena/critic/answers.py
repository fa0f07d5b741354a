"""What a listener answered on melodies that it had not heard, over all seeds, and how sure that makes us."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.evaluation import Interval, bootstrap_ratio

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
        """The share of right answers, with its bootstrap interval by piece."""
        return bootstrap_ratio(self.right, np.ones(len(self.score)), self.piece, rng, resamples=resamples)

    def advantage(self, other: Answers, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """How many more of its answers are right than another listener's on the same melodies, by piece."""
        more = self.right - other.right
        return bootstrap_ratio(more, np.ones(len(more)), self.piece, rng, resamples=resamples)

    def auc_of_all(self) -> float:
        """The area under the curve, each melody counting once: the mean over seeds."""
        return float(np.mean(self._areas(np.ones((1, int(self.piece.max(initial=0)) + 1)))))

    def auc(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The chance that a generated melody sounds more generated than a human one, with its interval by piece.

        Scores of different seeds are not compared: it is the mean of the seeds' areas, and each draw of pieces gives
        one such mean.
        """
        pieces, member = np.unique(self.piece, return_inverse=True)
        size = len(pieces)
        drawn = rng.multinomial(size, np.full(size, 1 / size), resamples).astype(np.float64)
        weights = np.concatenate([np.ones((1, size)), drawn])
        areas = Answers(self.score, self.generated, member.astype(np.int64), self.seed)._areas(weights)
        defined = areas[1:][~np.isnan(areas[1:])]
        low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
        return Interval(float(areas[0]), float(low), float(high))

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

    def _areas(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(draws,)`: the mean area over seeds, each piece counted as often as `(draws, pieces)` says."""
        areas = []
        for seed in np.unique(self.seed):
            human, generated = (
                np.flatnonzero((self.seed == seed) & (self.generated == side)) for side in (False, True)
            )
            above = np.sign(self.score[generated][:, None] - self.score[human]) / 2 + 0.5
            heavy, light = weights[:, self.piece[generated]], weights[:, self.piece[human]]
            total = heavy.sum(axis=1) * light.sum(axis=1)
            area = np.full(len(weights), np.nan)
            np.divide(((heavy @ above) * light).sum(axis=1), total, out=area, where=total > 0)
            areas.append(area)
        defined = np.stack(areas)
        known = ~np.isnan(defined)
        mean = np.full(len(weights), np.nan)
        np.divide(np.where(known, defined, 0.0).sum(axis=0), known.sum(axis=0), out=mean, where=known.any(axis=0))
        return mean


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
