"""Bootstrap standard errors for answers of which both the listeners and the clips are samples.

Resampling listeners and clips at the same time counts the variance of single trials three times instead of once (A. B.
Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007). Therefore listeners, clips within their arm, and
single answers are resampled separately, and the variances are combined as for sums with two-way clustering (Cameron,
Gelbach and Miller 2011), with the larger of the first two as a lower bound:

    variance = V(listeners) G/(G-1) + V(clips) J/(J-1) - V(answers)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from cantilena.listening.trials import RATING_LEVELS, Trials
from cantilena.metrics import Interval

Array = NDArray[np.float64]

REPLICATES = 1000
"""Bootstrap replicates of listeners, of clips and of answers."""


@dataclass(frozen=True)
class Bootstrap:
    """Counts of ratings, observed and resampled.

    Args:
        counts: `(arms, 8)` observed counts of each rating.
        by_listener: `(replicates, arms, 8)` counts with listeners resampled.
        by_clip: `(replicates, arms, 8)` counts with clips resampled within each arm.
        by_answer: `(replicates, arms, 8)` counts with answers resampled within each arm.
        n_listeners: number of listeners who answered.
        n_clips: number of clips of the arm that has the fewest.
    """

    counts: Array
    by_listener: Array
    by_clip: Array
    by_answer: Array
    n_listeners: int
    n_clips: int

    @property
    def df(self) -> int:
        """Degrees of freedom: the smaller of the numbers of listeners and of clips per arm, minus one."""
        return max(min(self.n_listeners, self.n_clips) - 1, 1)

    def standard_errors(self, statistic: Callable[[Array], Array]) -> Array:
        """Return the standard errors `(values,)` of a statistic of counts `(..., arms, 8)` -> `(..., values)`."""
        listeners, clips, answers = (
            np.nanvar(statistic(counts), axis=0) for counts in (self.by_listener, self.by_clip, self.by_answer)
        )
        listeners = listeners * self.n_listeners / max(self.n_listeners - 1, 1)
        clips = clips * self.n_clips / max(self.n_clips - 1, 1)
        return np.asarray(np.sqrt(np.maximum(listeners + clips - answers, np.maximum(listeners, clips))))

    def intervals(
        self, statistic: Callable[[Array], Array], *, level: float = 0.95, minimum_error: Array | float = 0.0
    ) -> list[Interval]:
        """Compute Student's t interval of each value of a statistic; no standard error is below `minimum_error`."""
        errors = np.maximum(self.standard_errors(statistic), minimum_error)
        values, half_widths = statistic(self.counts), stdtrit(self.df, (1 + level) / 2) * errors
        return [
            Interval(float(value), float(value - half), float(value + half))
            for value, half in zip(values, half_widths, strict=True)
        ]


def bootstrap(trials: Trials, rng: np.random.Generator, replicates: int = REPLICATES) -> Bootstrap:
    """Resample listeners, clips and answers, `replicates` times each.

    Examples:
        >>> from cantilena.listening.stats.proportions import signal_detection
        >>> listener, clip = np.divmod(np.arange(200), 20)
        >>> said_human = np.random.default_rng(1).random(200) < np.where(clip < 10, 0.8, 0.3)
        >>> trials = Trials(listener, clip, said_human, np.full(200, 2), np.repeat([0, 1], 10), ("human", "lstm"), 10)
        >>> resampled = bootstrap(trials, np.random.default_rng(1))
        >>> d_prime = resampled.intervals(lambda counts: signal_detection(counts).d_prime)[1]
        >>> 0 < d_prime.low < 1.37 < d_prime.high
        True
    """
    n_arms = len(trials.arms)
    listeners = np.unique(trials.listener, return_inverse=True)[1]
    n_listeners = int(listeners.max()) + 1
    per_listener = _count_ratings(listeners * n_arms + trials.arm, trials.rating, n_listeners * n_arms)
    per_listener = per_listener.reshape(n_listeners, n_arms * RATING_LEVELS)
    per_clip = _count_ratings(trials.clip, trials.rating, trials.n_clips)
    was_heard = per_clip.sum(axis=1) > 0
    by_listener = _weights(n_listeners, replicates, rng) @ per_listener
    by_clip, by_answer = (np.empty((replicates, n_arms, RATING_LEVELS)) for _ in range(2))
    clips_per_arm = []
    for arm in range(n_arms):
        clips = per_clip[was_heard & (trials.arm_of_clip == arm)]
        clips_per_arm.append(len(clips))
        by_clip[:, arm] = _weights(len(clips), replicates, rng) @ clips
        total = clips.sum(axis=0)
        by_answer[:, arm] = rng.multinomial(int(total.sum()), total / total.sum(), replicates)
    return Bootstrap(
        per_listener.sum(axis=0).reshape(n_arms, RATING_LEVELS),
        by_listener.reshape(replicates, n_arms, RATING_LEVELS),
        by_clip,
        by_answer,
        n_listeners,
        min(clips_per_arm),
    )


def _count_ratings(row: NDArray[np.int64], rating: NDArray[np.int64], n_rows: int) -> Array:
    counts = np.bincount(row * RATING_LEVELS + rating, minlength=n_rows * RATING_LEVELS)
    return counts.reshape(n_rows, RATING_LEVELS).astype(np.float64)


def _weights(size: int, replicates: int, rng: np.random.Generator) -> Array:
    """`(replicates, size)`: how often each element is drawn with replacement."""
    return rng.multinomial(size, np.full(size, 1 / size), replicates).astype(np.float64)
