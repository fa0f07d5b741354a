"""Simulated listeners: answers of nobody, with a truth that is known, to rehearse a study and to check its statistics.

A clip sounds human to a listener by x = beta of its arm + u of the listener + v of the listener with that arm + w of
the clip + noise of the trial, all normal, the last with variance 1. Above 0 it is called human, and the farther from 0
the more surely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cantilena.errors import UsageError
from cantilena.listening.study.design import allocate
from cantilena.listening.trials import Trials

SURENESS = (0.4, 0.9, 1.6)
"""How far from 0 an impression is where confidence rises from 1 to 2, 3 and 4."""


@dataclass(frozen=True)
class Truth:
    """What simulated listeners are like.

    Args:
        shares: of each arm, people's first: how often a clip is called human by a listener, over all of both.
        sd_listener: how much listeners differ in saying human.
        sd_clip: how much clips of one arm differ.
        sd_sensitivity: how much listeners differ in what they make of one arm.
        lapse: share of trials answered by chance.

    Raises:
        UsageError: a share that is not between 0 and 1, or a spread below 0.

    Example:
        >>> Truth((0.5, 0.5)).beta.tolist()
        [0.0, 0.0]
    """

    shares: tuple[float, ...]
    sd_listener: float = 0.4
    sd_clip: float = 0.4
    sd_sensitivity: float = 0.0
    lapse: float = 0.0

    def __post_init__(self) -> None:
        for share in self.shares:
            if not 0 < share < 1:
                raise UsageError(f"a share of {share:g}", "give how often an arm is called human, between 0 and 1")
        if min(self.sd_listener, self.sd_clip, self.sd_sensitivity) < 0 or not 0 <= self.lapse < 1:
            raise UsageError("a spread below 0, or lapses outside 0 to 1", "give numbers from 0 on, lapses below 1")

    @property
    def spread(self) -> float:
        """Standard deviation of x over listeners, clips and trials."""
        return math.sqrt(1 + self.sd_listener**2 + self.sd_clip**2 + self.sd_sensitivity**2)

    @property
    def beta(self) -> NDArray[np.float64]:
        """`(arms,)`: the mean of x of each arm."""
        return np.asarray(ndtri(np.array(self.shares)) * self.spread)


def answers(
    truth: Truth,
    listener: NDArray[np.int64],
    clip: NDArray[np.int64],
    arm_of_clip: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """What simulated listeners answer.

    Args:
        truth: what they are like.
        listener: `(trials,)` who, from 0.
        clip: `(trials,)` what, from 0.
        arm_of_clip: `(clips,)`.
        rng: the randomness.

    Returns:
        `(trials,)` whether it was called human, and `(trials,)` the confidence, 1 to 4.
    """
    people, arm = int(listener.max()) + 1, arm_of_clip[clip]
    ready = rng.normal(0, 1, people) * truth.sd_listener
    keen = rng.normal(0, 1, (people, len(truth.shares))) * truth.sd_sensitivity
    sound = rng.normal(0, 1, len(arm_of_clip)) * truth.sd_clip
    x = truth.beta[arm] + ready[listener] + keen[listener, arm] + sound[clip] + rng.normal(0, 1, len(clip))
    lapsed = rng.random(len(clip)) < truth.lapse
    x = np.where(lapsed, rng.normal(0, 1, len(clip)), x)
    return x > 0, 1 + np.searchsorted(SURENESS, np.abs(x)).astype(np.int64)


def simulated_trials(
    truth: Truth, arms: tuple[str, ...], *, listeners: int, clips: int, heard: int, rng: np.random.Generator
) -> Trials:
    """A whole study by simulated listeners, without clips that sound.

    Args:
        truth: what they are like.
        arms: names, `human` first.
        listeners: how many.
        clips: of each arm.
        heard: clips of each arm that one listener hears.
        rng: the randomness.

    Example:
        >>> trials = simulated_trials(Truth((0.7, 0.3)), ("human", "lstm"), listeners=40, clips=30, heard=5,
        ...                           rng=np.random.default_rng(1))
        >>> len(trials), bool(trials.shares[0] > trials.shares[1])
        (400, True)
    """
    dealt = allocate(listeners, len(arms), clips, heard, rng)
    listener = np.repeat(np.arange(listeners), len(arms) * heard)
    arm_of_clip = np.repeat(np.arange(len(arms)), clips)
    said, confidence = answers(truth, listener, dealt.ravel(), arm_of_clip, rng)
    return Trials(listener, dealt.ravel(), said, confidence, arm_of_clip, arms, listeners)
