"""How sure a number is where both listeners and clips were drawn: a bootstrap over both.

Drawing listeners and clips at once counts the noise of single trials three times where it belongs once (A. B. Owen, The
pigeonhole bootstrap, Annals of Applied Statistics 1, 2007). So listeners are drawn, clips are drawn within their arm,
and single answers are drawn, each apart, and

    variance = V(listeners) G/(G-1) + V(clips) J/(J-1) - V(answers)

as for sums clustered both ways (Cameron, Gelbach and Miller 2011), but never less than the larger of the first two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from cantilena.listening.trials import RATINGS, Trials
from cantilena.metrics import Interval

Array = NDArray[np.float64]

DRAWS = 1000
"""Draws of listeners, of clips and of answers."""


@dataclass(frozen=True)
class Draws:
    """Counts of ratings as they are and as they might have been.

    Args:
        counts: `(arms, 8)` as they are.
        by_listener: `(draws, arms, 8)` with listeners drawn with replacement.
        by_clip: `(draws, arms, 8)` with clips drawn with replacement, within each arm.
        by_answer: `(draws, arms, 8)` with answers drawn with replacement, within each arm.
        listeners: how many listeners answered.
        clips: how many clips the smallest arm has.
    """

    counts: Array
    by_listener: Array
    by_clip: Array
    by_answer: Array
    listeners: int
    clips: int

    @property
    def freedom(self) -> int:
        """Degrees of freedom: one less than there are listeners, or clips of an arm where those are fewer."""
        return max(min(self.listeners, self.clips) - 1, 1)

    def errors(self, statistic: Callable[[Array], Array]) -> Array:
        """Standard errors of a statistic.

        Args:
            statistic: takes `(..., arms, 8)` counts, gives `(..., numbers)`.

        Returns:
            `(numbers,)`.
        """
        listeners, clips, answers = (
            np.nanvar(statistic(counts), axis=0) for counts in (self.by_listener, self.by_clip, self.by_answer)
        )
        listeners = listeners * self.listeners / max(self.listeners - 1, 1)
        clips = clips * self.clips / max(self.clips - 1, 1)
        return np.asarray(np.sqrt(np.maximum(listeners + clips - answers, np.maximum(listeners, clips))))

    def intervals(
        self, statistic: Callable[[Array], Array], *, level: float = 0.95, least: Array | float = 0.0
    ) -> list[Interval]:
        """Each number of a statistic with its interval, by Student's t; no standard error is below `least`."""
        errors = np.maximum(self.errors(statistic), least)
        values, reach = statistic(self.counts), stdtrit(self.freedom, (1 + level) / 2) * errors
        return [
            Interval(float(value), float(value - half), float(value + half))
            for value, half in zip(values, reach, strict=True)
        ]


def draw(trials: Trials, rng: np.random.Generator, draws: int = DRAWS) -> Draws:
    """Draw listeners, clips and answers again and again.

    Args:
        trials: the answers.
        rng: where the draws come from.
        draws: how many of each.

    Example:
        >>> from cantilena.listening.stats.proportions import detect
        >>> listener, clip = np.divmod(np.arange(200), 20)
        >>> said = np.random.default_rng(1).random(200) < np.where(clip < 10, 0.8, 0.3)
        >>> trials = Trials(listener, clip, said, np.full(200, 2), np.repeat([0, 1], 10), ("human", "lstm"), 10)
        >>> drawn = draw(trials, np.random.default_rng(1))
        >>> low, high = [(one.low, one.high) for one in drawn.intervals(lambda counts: detect(counts).d_prime)][1]
        >>> 0 < low < 1.37 < high
        True
    """
    arms = len(trials.arms)
    listeners = np.unique(trials.listener, return_inverse=True)[1]
    n = int(listeners.max()) + 1
    of_listener = _counted(listeners * arms + trials.arm, trials.rating, n * arms).reshape(n, arms * RATINGS)
    of_clip = _counted(trials.clip, trials.rating, trials.clips)
    heard = of_clip.sum(axis=1) > 0
    by_listener = _weights(n, draws, rng) @ of_listener
    by_clip, by_answer = np.empty((draws, arms, RATINGS)), np.empty((draws, arms, RATINGS))
    sizes = []
    for arm in range(arms):
        mine = of_clip[heard & (trials.arm_of_clip == arm)]
        sizes.append(len(mine))
        by_clip[:, arm] = _weights(len(mine), draws, rng) @ mine
        total = mine.sum(axis=0)
        by_answer[:, arm] = rng.multinomial(int(total.sum()), total / total.sum(), draws)
    counts = of_listener.sum(axis=0).reshape(arms, RATINGS)
    return Draws(counts, by_listener.reshape(draws, arms, RATINGS), by_clip, by_answer, n, min(sizes))


def _counted(row: NDArray[np.int64], rating: NDArray[np.int64], rows: int) -> Array:
    return np.bincount(row * RATINGS + rating, minlength=rows * RATINGS).reshape(rows, RATINGS).astype(np.float64)


def _weights(size: int, draws: int, rng: np.random.Generator) -> Array:
    return rng.multinomial(size, np.full(size, 1 / size), draws).astype(np.float64)
