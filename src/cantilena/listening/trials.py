"""Trials as arrays: who heard which clip of which arm, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import InputError

HUMAN = "human"
"""The arm of people's melodies, which every other arm is held beside."""

CONFIDENCES = 4
"""Steps of confidence: 1 a guess, 4 certain."""

RATINGS = 2 * CONFIDENCES
"""Answers on one scale: 0 "computer, certain" to 7 "human, certain"."""


@dataclass(frozen=True)
class Trials:
    """The answers to clips of the arms, a row a trial; anchors, repeats and checks are not among them.

    Args:
        listener: `(trials,)` int64, which listener, from 0.
        clip: `(trials,)` int64, which clip, from 0.
        said_human: `(trials,)` bool, whether the clip was called human.
        confidence: `(trials,)` int64, 1 to 4.
        arm_of_clip: `(clips,)` int64, the arm of each clip.
        arms: names of the arms, `human` first.
        listeners: how many listeners there are.

    Raises:
        InputError: an arm is missing or was never heard.

    Example:
        >>> heard = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
        >>> trials = Trials(*heard, np.array([True, False, True, False]), np.full(4, 2), np.array([0, 1]),
        ...                 ("human", "lstm"), 2)
        >>> trials.counts.tolist(), trials.shares.tolist()
        ([2, 2], [1.0, 0.0])
    """

    listener: NDArray[np.int64]
    clip: NDArray[np.int64]
    said_human: NDArray[np.bool_]
    confidence: NDArray[np.int64]
    arm_of_clip: NDArray[np.int64]
    arms: tuple[str, ...]
    listeners: int

    def __post_init__(self) -> None:
        if self.arms[:1] != (HUMAN,) or len(self.arms) < 2:
            raise InputError(
                "the arms are not people's and another", "a study has an arm `human` and one or more others"
            )
        for name, count in zip(self.arms, self.counts, strict=True):
            if count == 0:
                raise InputError(f"no answer to a clip of {name} is left", "ask more listeners before you analyse")

    def __len__(self) -> int:
        return len(self.listener)

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return len(self.arm_of_clip)

    @property
    def arm(self) -> NDArray[np.int64]:
        """`(trials,)`: the arm of each trial."""
        return self.arm_of_clip[self.clip]

    @property
    def counts(self) -> NDArray[np.int64]:
        """`(arms,)`: how many trials each arm has."""
        return np.bincount(self.arm, minlength=len(self.arms))

    @property
    def human_counts(self) -> NDArray[np.int64]:
        """`(arms,)`: how many trials of each arm were called human."""
        return np.bincount(self.arm[self.said_human], minlength=len(self.arms))

    @property
    def shares(self) -> NDArray[np.float64]:
        """`(arms,)`: the share of each arm's trials called human."""
        return self.human_counts / self.counts

    @property
    def rating(self) -> NDArray[np.int64]:
        """`(trials,)`: answer and confidence on one scale, 0 "computer, certain" to 7 "human, certain"."""
        return np.where(self.said_human, CONFIDENCES - 1 + self.confidence, CONFIDENCES - self.confidence)

    def clips_of(self, *arms: int) -> int:
        """How many clips of some arms were heard at least once."""
        return len(np.unique(self.clip[np.isin(self.arm, arms)]))

    def only(self, kept: NDArray[np.bool_]) -> Trials:
        """Some of the trials, `kept` is `(trials,)`; listeners and clips keep their numbers."""
        return Trials(
            self.listener[kept],
            self.clip[kept],
            self.said_human[kept],
            self.confidence[kept],
            self.arm_of_clip,
            self.arms,
            self.listeners,
        )
