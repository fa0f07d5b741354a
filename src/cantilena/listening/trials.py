"""Trials of a listening test as arrays: the form in which the statistics read the answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import InputError

HUMAN = "human"
"""The name of the arm with human melodies, against which the other arms are compared."""

CONFIDENCE_LEVELS = 4
"""Confidence is rated from 1, a guess, to 4, certain."""

RATING_LEVELS = 2 * CONFIDENCE_LEVELS
"""Answer and confidence form one rating scale: 0 is "computer, certain", 7 is "human, certain"."""


@dataclass(frozen=True)
class Trials:
    """The answers to the clips of the arms, one row per trial; anchors, repeats and checks are not included.

    Args:
        listener: `(trials,)` index of the listener.
        clip: `(trials,)` index of the clip.
        said_human: `(trials,)` whether the clip was called human.
        confidence: `(trials,)` 1 to 4.
        arm_of_clip: `(clips,)` index of the arm of each clip.
        arms: names of the arms, `human` first.
        n_listeners: number of listeners.

    Raises:
        InputError: there are fewer than two arms, the first is not `human`, or an arm has no answers.

    Examples:
        >>> listener, clip = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
        >>> said_human = np.array([True, False, True, False])
        >>> trials = Trials(listener, clip, said_human, np.full(4, 2), np.array([0, 1]), ("human", "lstm"), 2)
        >>> trials.counts.tolist(), trials.shares.tolist()
        ([2, 2], [1.0, 0.0])
    """

    listener: NDArray[np.int64]
    clip: NDArray[np.int64]
    said_human: NDArray[np.bool_]
    confidence: NDArray[np.int64]
    arm_of_clip: NDArray[np.int64]
    arms: tuple[str, ...]
    n_listeners: int

    def __post_init__(self) -> None:
        if self.arms[:1] != (HUMAN,) or len(self.arms) < 2:
            raise InputError(
                f"the arms are {', '.join(self.arms) or 'missing'}",
                "a study needs the arm `human`, which comes first, and at least one other arm",
            )
        for name, count in zip(self.arms, self.counts, strict=True):
            if count == 0:
                raise InputError(f"no answers to clips of {name} are left", "collect more answers before the analysis")

    def __len__(self) -> int:
        return len(self.listener)

    @property
    def n_clips(self) -> int:
        """Number of clips, whether heard or not."""
        return len(self.arm_of_clip)

    @property
    def arm(self) -> NDArray[np.int64]:
        """`(trials,)`: index of the arm of each trial."""
        return self.arm_of_clip[self.clip]

    @property
    def counts(self) -> NDArray[np.int64]:
        """`(arms,)`: number of trials of each arm."""
        return np.bincount(self.arm, minlength=len(self.arms))

    @property
    def human_counts(self) -> NDArray[np.int64]:
        """`(arms,)`: number of trials of each arm in which the clip was called human."""
        return np.bincount(self.arm[self.said_human], minlength=len(self.arms))

    @property
    def shares(self) -> NDArray[np.float64]:
        """`(arms,)`: share of each arm's trials in which the clip was called human."""
        return self.human_counts / self.counts

    @property
    def rating(self) -> NDArray[np.int64]:
        """`(trials,)`: answer and confidence on one scale, from 0 "computer, certain" to 7 "human, certain"."""
        return np.where(self.said_human, CONFIDENCE_LEVELS - 1 + self.confidence, CONFIDENCE_LEVELS - self.confidence)

    def n_clips_heard(self, *arms: int) -> int:
        """Return how many different clips of the given arms were heard."""
        return len(np.unique(self.clip[np.isin(self.arm, arms)]))
