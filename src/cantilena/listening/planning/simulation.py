"""Simulated listeners with known parameters, to plan and rehearse studies and to validate the statistics.

For a listener, a clip sounds as human as x = beta of its arm + u of the listener + v of the listener and the arm + w of
the clip + noise of the trial. All are normal; the noise has variance 1. The clip is called human if x is above 0, and
the confidence increases with the distance from 0.

Answers of a rehearsal are marked as simulated in every row, and are never analysed together with those of human
listeners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cantilena.errors import UsageError
from cantilena.listening.analysis.answers import Answer, AnswerTables, Listener
from cantilena.listening.study.design import allocate_clips
from cantilena.listening.study.study import Study
from cantilena.listening.trials import Trials
from cantilena.runtime import generator

CONFIDENCE_THRESHOLDS = (0.4, 0.9, 1.6)
"""Distances of x from 0 at which the confidence increases to 2, 3 and 4."""

_MEAN_YEARS = 4.0
"""Mean years of musical training."""


@dataclass(frozen=True)
class ListenerModel:
    """Parameters of simulated listeners.

    Args:
        shares: share of the clips of each arm that are called human, over all listeners and clips; `human` first.
        sd_listener: standard deviation among listeners.
        sd_clip: standard deviation among the clips of one arm.
        sd_sensitivity: standard deviation among listeners of their response to one arm.
        lapse: share of trials that are answered at random.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> ListenerModel((0.5, 0.5)).beta.tolist()
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
                raise UsageError(f"a share called human is {share:g}", "give a number between 0 and 1")
        if min(self.sd_listener, self.sd_clip, self.sd_sensitivity) < 0:
            raise UsageError("a standard deviation is negative", "give numbers from 0 on")
        if not 0 <= self.lapse < 1:
            raise UsageError(f"the share of lapses is {self.lapse:g}", "give a number from 0 to below 1")

    @property
    def total_sd(self) -> float:
        """Standard deviation of x over listeners, clips and trials."""
        return math.sqrt(1 + self.sd_listener**2 + self.sd_clip**2 + self.sd_sensitivity**2)

    @property
    def beta(self) -> NDArray[np.float64]:
        """`(arms,)`: mean of x of each arm."""
        return np.asarray(ndtri(np.array(self.shares)) * self.total_sd)


def simulate_answers(
    model: ListenerModel,
    listener: NDArray[np.int64],
    clip: NDArray[np.int64],
    arm_of_clip: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Simulate the answers to trials, of which `listener` and `clip`, `(trials,)`, are indices.

    Returns:
        `(trials,)` whether the clip is called human, and `(trials,)` the confidence, 1 to 4.
    """
    n_listeners, arm = int(listener.max()) + 1, arm_of_clip[clip]
    bias = rng.normal(0, 1, n_listeners) * model.sd_listener
    sensitivity = rng.normal(0, 1, (n_listeners, len(model.shares))) * model.sd_sensitivity
    of_clip = rng.normal(0, 1, len(arm_of_clip)) * model.sd_clip
    x = model.beta[arm] + bias[listener] + sensitivity[listener, arm] + of_clip[clip] + rng.normal(0, 1, len(clip))
    lapsed = rng.random(len(clip)) < model.lapse
    x = np.where(lapsed, rng.normal(0, 1, len(clip)), x)
    return x > 0, 1 + np.searchsorted(CONFIDENCE_THRESHOLDS, np.abs(x)).astype(np.int64)


def simulate_trials(
    model: ListenerModel,
    arms: tuple[str, ...],
    *,
    listeners: int,
    clips: int,
    clips_per_listener: int,
    rng: np.random.Generator,
) -> Trials:
    """Simulate the trials of a study with so many listeners, clips per arm, and clips of each arm per listener.

    Examples:
        >>> model, rng = ListenerModel((0.7, 0.3)), np.random.default_rng(1)
        >>> trials = simulate_trials(model, ("human", "lstm"), listeners=40, clips=30, clips_per_listener=5, rng=rng)
        >>> len(trials), bool(trials.shares[0] > trials.shares[1])
        (400, True)
    """
    clip = allocate_clips(listeners, len(arms), clips, clips_per_listener, rng).ravel()
    listener = np.repeat(np.arange(listeners), len(arms) * clips_per_listener)
    arm_of_clip = np.repeat(np.arange(len(arms)), clips)
    said_human, confidence = simulate_answers(model, listener, clip, arm_of_clip, rng)
    return Trials(listener, clip, said_human, confidence, arm_of_clip, arms, listeners)


def rehearse(
    study: Study, model: ListenerModel, listeners: int, seed: int, *, careless: float = 0.05, known: float = 0.02
) -> AnswerTables:
    """Simulate answers to a study.

    Args:
        study: the study.
        model: parameters of the listeners.
        listeners: number of listeners, at most the number of sessions.
        seed: random seed.
        careless: share of listeners who answer at random and fail checks.
        known: share of human clips whose piece a listener knows.

    Raises:
        UsageError: there are more listeners than sessions, or not one share per arm.
    """
    if len(model.shares) != len(study.arms):
        raise UsageError(
            f"{len(model.shares)} shares for {len(study.arms)} arms", f"give one for each of {', '.join(study.arms)}"
        )
    if not 1 <= listeners <= len(study.sessions):
        raise UsageError(
            f"{listeners} listeners for {len(study.sessions)} sessions", f"give 1 to {len(study.sessions)} listeners"
        )
    index_of = {clip.id: index for index, clip in enumerate(study.items)}
    trials = [
        (listener, position, trial)
        for listener in range(listeners)
        for position, trial in enumerate(study.sessions[listener])
    ]
    items = [(listener, index_of[trial.clip]) for listener, _, trial in trials if trial.clip in index_of]
    said_human, confidence = simulate_answers(
        model,
        np.array([listener for listener, _ in items]),
        np.array([clip for _, clip in items]),
        np.array([study.arms.index(clip.arm) for clip in study.items]),
        generator(seed, "rehearsal"),
    )
    perceived = iter(zip(said_human.tolist(), confidence.tolist(), strict=True))
    rng = generator(seed, "habits")
    is_careless = rng.random(listeners) < careless
    names = [f"simulated-{listener + 1:03}" for listener in range(listeners)]
    answers = []
    for listener, position, trial in trials:
        clip, at_random = study.clip(trial.clip), is_careless[listener]
        # Anchors and the attention check are recognised with certainty.
        human, level = next(perceived) if trial.clip in index_of else (False, 4)
        random_answer = bool(rng.random() < 0.5), int(rng.integers(1, 5))
        if at_random:
            human, level = random_answer
        seconds = clip.seconds * (rng.uniform(0.2, 1.0) if at_random else rng.uniform(0.8, 1.3))
        knows_piece = clip.arm == study.arms[0] and trial.kind == "item" and rng.random() < known
        mean_rating = 4.7 if human else 3.3
        liking, classical = (int(np.clip(round(mean_rating + rng.normal(0, 1.3)), 1, 7)) for _ in range(2))
        answers.append(
            Answer(names[listener], position, trial.kind, trial.clip, "human" if human else "computer", level,
                   bool(knows_piece), round(float(seconds), 2), liking, classical)
        )  # fmt: skip
    rows = tuple(
        Listener(study.digest, names[listener], listener, simulated=True, consent=True,
                 years_of_training=round(float(rng.exponential(_MEAN_YEARS)), 1),
                 headphones=bool(not is_careless[listener] or rng.random() < 0.5))
        for listener in range(listeners)
    )  # fmt: skip
    return AnswerTables(rows, tuple(answers))
