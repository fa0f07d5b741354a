"""What a study's answers say: every arm in numbers with intervals, every claim, every listener and every clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from cantilena.listening.analysis.answers import Answers
from cantilena.listening.analysis.screening import Screened, screen
from cantilena.listening.stats.bootstrap import DRAWS, Draws, draw
from cantilena.listening.stats.hypothesis_tests import Claim, claims
from cantilena.listening.stats.mixed_model import MixedModel, fit_mixed_model
from cantilena.listening.stats.proportions import design_effect, detect, independent_errors, wilson
from cantilena.listening.study.study import Study
from cantilena.listening.trials import RATINGS, Trials
from cantilena.metrics import Interval
from cantilena.runtime import generator

NOTHING = Interval(math.nan, math.nan, math.nan)
"""Where there is no number."""

RATED = ("liking", "classical")
"""Optional ratings, 1 to 7."""


@dataclass(frozen=True)
class ArmNumbers:
    """One arm.

    Args:
        name: of the arm.
        trials: how many count.
        called_human: how many of them were called human.
        wilson: the share with Wilson's interval, as if trials were independent: too narrow.
        share: the share with Wilson's interval at what the trials are worth.
        design_effect: how many trials are worth one.
        model_share: the share over all listeners and clips by the mixed model.
        d_prime: of people's clips from this arm's; nothing for people's own.
        criterion: likewise.
        area: likewise, under the ROC of the ratings.
        clips: clips that were heard.
        passed: clips that more than half of their listeners called human.
        ratings: the mean of each optional rating over listeners; nothing where nobody rated.
    """

    name: str
    trials: int
    called_human: int
    wilson: Interval
    share: Interval
    design_effect: float
    model_share: Interval
    d_prime: Interval
    criterion: Interval
    area: Interval
    clips: int
    passed: int
    ratings: dict[str, Interval]

    @property
    def of_ten(self) -> int:
        """Times in ten that the arm was called human: the paper's "passed 4 of 10"."""
        return math.floor(10 * self.share.value + 0.5)


@dataclass(frozen=True)
class ListenerNumbers:
    """One listener: trials and how many were called human by arm, and d' of people's clips from all others."""

    name: str
    years_of_training: float | None
    trials: tuple[int, ...]
    called_human: tuple[int, ...]
    d_prime: float


@dataclass(frozen=True)
class ClipNumbers:
    """One clip and the share that called it human."""

    clip: str
    arm: str
    source: str
    trials: int
    called_human: int
    share: Interval


@dataclass(frozen=True)
class Analysis:
    """Everything that the report tells.

    Args:
        study: the study.
        simulated: whether nobody was asked.
        screened: what counts and what does not.
        model: the mixed model.
        arms: numbers of each arm, people's first.
        claims: what may be claimed and what not.
        listeners: numbers of each listener.
        clips: numbers of each clip that was heard.
    """

    study: Study
    simulated: bool
    screened: Screened
    model: MixedModel
    arms: tuple[ArmNumbers, ...]
    claims: tuple[Claim, ...]
    listeners: tuple[ListenerNumbers, ...]
    clips: tuple[ClipNumbers, ...]

    @property
    def ratings(self) -> NDArray[np.int64]:
        """`(arms, 8)` how often each answer was given to each arm, "computer, certain" to "human, certain"."""
        trials = self.screened.trials
        cells = np.bincount(trials.arm * RATINGS + trials.rating, minlength=len(trials.arms) * RATINGS)
        return cells.reshape(len(trials.arms), RATINGS)


def analyse(study: Study, answers: Answers, seed: int = 1) -> Analysis:
    """Analyse a study's answers; the same answers and seed give the same numbers.

    Args:
        study: the study.
        answers: to it, people's or simulated listeners'.
        seed: of the bootstrap.

    Raises:
        InputError: the answers are not to this study, or too few are left.
    """
    screened = screen(study, answers)
    trials = screened.trials
    model = fit_mixed_model(trials)
    draws = draw(trials, generator(seed, "bootstrap"), DRAWS)
    least = independent_errors(draws.counts)
    areas = draws.intervals(lambda counts: detect(counts).area, least=least.area)
    intervals = {
        "d_prime": draws.intervals(lambda counts: detect(counts).d_prime, least=least.d_prime),
        "criterion": draws.intervals(lambda counts: detect(counts).criterion, least=least.criterion),
        "area": [_within_one(one) for one in areas],
    }
    clips = _clips(study, screened)
    arms = [_arm(number, screened, model, draws, intervals, clips) for number in range(len(study.arms))]
    years = {one.listener: one.years_of_training for one in answers.listeners}
    return Analysis(
        study,
        answers.simulated,
        screened,
        model,
        tuple(arms),
        tuple(claims(trials, model, draws, margin=study.margin)),
        tuple(_listener(number, name, trials, years[name]) for number, name in enumerate(screened.listeners)),
        tuple(clips),
    )


def _arm(
    number: int,
    screened: Screened,
    model: MixedModel,
    draws: Draws,
    intervals: dict[str, list[Interval]],
    clips: Sequence[ClipNumbers],
) -> ArmNumbers:
    trials, name = screened.trials, screened.trials.arms[number]
    count, human = int(trials.counts[number]), int(trials.human_counts[number])
    mine = trials.arm == number
    effect = design_effect(trials.said_human[mine], trials.listener[mine], trials.clip[mine])
    reach = float(stdtrit(draws.freedom, 0.975)) * model.share_error(number)
    scaled = float(model.beta[number]) / model.spread
    heard = [clip for clip in clips if clip.arm == name]
    return ArmNumbers(
        name=name,
        trials=count,
        called_human=human,
        wilson=wilson(human, count),
        share=wilson(human / effect, count / effect, freedom=draws.freedom),
        design_effect=effect,
        model_share=Interval(*(float(ndtr(scaled + side * reach)) for side in (0, -1, 1))),
        clips=len(heard),
        passed=sum(2 * clip.called_human > clip.trials for clip in heard),
        ratings={rating: _rated(screened, name, rating) for rating in RATED},
        **{key: found[number] if number else NOTHING for key, found in intervals.items()},
    )


def _rated(screened: Screened, arm: str, rating: str) -> Interval:
    """The mean over listeners of each one's mean, with Student's interval."""
    names = {clip: screened.trials.arms[screened.trials.arm_of_clip[n]] for n, clip in enumerate(screened.clips)}
    by_listener: dict[str, list[float]] = {}
    for one in screened.kept:
        value = getattr(one, rating)
        if value is not None and names[one.clip] == arm:
            by_listener.setdefault(one.listener, []).append(value)
    means = np.array([np.mean(values) for values in by_listener.values()])
    if len(means) < 2:
        return NOTHING
    middle, reach = means.mean(), stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / math.sqrt(len(means))
    return Interval(float(middle), max(float(middle - reach), 1.0), min(float(middle + reach), 7.0))


def _listener(number: int, name: str, trials: Trials, years: float | None) -> ListenerNumbers:
    mine = trials.listener == number
    arms = len(trials.arms)
    heard = np.bincount(trials.arm[mine], minlength=arms)
    human = np.bincount(trials.arm[mine & trials.said_human], minlength=arms)
    counts = np.zeros((2, RATINGS))
    for row, (yes, all_of_them) in enumerate(((human[0], heard[0]), (human[1:].sum(), heard[1:].sum()))):
        counts[row, [0, -1]] = all_of_them - yes, yes
    d_prime = float(detect(counts).d_prime[1]) if counts.sum(axis=1).all() else math.nan
    return ListenerNumbers(name, years, tuple(heard.tolist()), tuple(human.tolist()), d_prime)


def _clips(study: Study, screened: Screened) -> list[ClipNumbers]:
    trials = screened.trials
    heard = np.bincount(trials.clip, minlength=trials.clips)
    human = np.bincount(trials.clip[trials.said_human], minlength=trials.clips)
    rows = []
    for number, name in enumerate(screened.clips):
        if heard[number]:
            clip = study.clip(name)
            share = wilson(int(human[number]), int(heard[number]))
            rows.append(ClipNumbers(name, clip.arm, clip.source, int(heard[number]), int(human[number]), share))
    return rows


def _within_one(interval: Interval) -> Interval:
    return Interval(interval.value, max(interval.low, 0.0), min(interval.high, 1.0))
