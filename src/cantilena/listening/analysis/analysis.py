"""The analysis of a study: every arm with confidence intervals, every hypothesis test, every listener and clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from cantilena.listening.analysis.answers import AnswerTables
from cantilena.listening.analysis.screening import Screened, screen
from cantilena.listening.stats.bootstrap import Bootstrap, bootstrap
from cantilena.listening.stats.hypothesis_tests import HypothesisTest, hypothesis_tests
from cantilena.listening.stats.mixed_model import MixedModel, fit_mixed_model
from cantilena.listening.stats.proportions import design_effect, independent_errors, signal_detection, wilson
from cantilena.listening.study.study import Study
from cantilena.listening.trials import RATING_LEVELS, Trials
from cantilena.metrics import Interval
from cantilena.runtime import generator

UNDEFINED = Interval(math.nan, math.nan, math.nan)
"""A value that does not exist."""

OPTIONAL_RATINGS = ("liking", "classical")
"""Ratings from 1 to 7 that listeners may give."""


@dataclass(frozen=True)
class ArmResult:
    """Results of one arm.

    Args:
        name: name of the arm.
        trials: number of trials.
        called_human: in how many of them the clip was called human.
        wilson: share called human with Wilson's interval for independent trials, which is too narrow.
        share: share called human with Wilson's interval for the effective number of trials.
        design_effect: by how much shared listeners and clips increase the variance of the share.
        model_share: share called human by the mixed model.
        d_prime: d' of human clips and the arm's; undefined for the arm `human`.
        criterion: c, likewise.
        auc: area under the ROC of the ratings, likewise.
        clips: number of clips that were heard.
        passed: number of clips that more than half of their listeners called human.
        ratings: mean of each optional rating over listeners; undefined if nobody gave it.
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
    auc: Interval
    clips: int
    passed: int
    ratings: dict[str, Interval]

    @property
    def passed_of_ten(self) -> int:
        """The share in tenths, rounded: the paper's "passed 4 of 10"."""
        return math.floor(10 * self.share.value + 0.5)


@dataclass(frozen=True)
class ListenerResult:
    """Results of one listener: trials and those called human for each arm, and d' of human clips and all others."""

    name: str
    years_of_training: float | None
    trials: tuple[int, ...]
    called_human: tuple[int, ...]
    d_prime: float


@dataclass(frozen=True)
class ClipResult:
    """Results of one clip: its trials, those in which it was called human, and their share."""

    clip: str
    arm: str
    source: str
    trials: int
    called_human: int
    share: Interval


@dataclass(frozen=True)
class Analysis:
    """The analysis of a study: its arms, `human` first, the tests, and the listeners and clips that remain."""

    study: Study
    simulated: bool
    screened: Screened
    model: MixedModel
    arms: tuple[ArmResult, ...]
    tests: tuple[HypothesisTest, ...]
    listeners: tuple[ListenerResult, ...]
    clips: tuple[ClipResult, ...]

    @property
    def ratings(self) -> NDArray[np.int64]:
        """`(arms, 8)`: counts of each rating, from "computer, certain" to "human, certain"."""
        trials = self.screened.trials
        cells = np.bincount(trials.arm * RATING_LEVELS + trials.rating, minlength=len(trials.arms) * RATING_LEVELS)
        return cells.reshape(len(trials.arms), RATING_LEVELS)


def analyse(study: Study, tables: AnswerTables, seed: int = 1) -> Analysis:
    """Analyse the answers to a study; the same answers and seed give the same values.

    Raises:
        InputError: the answers do not belong to this study, or too few remain.
    """
    screened = screen(study, tables)
    trials = screened.trials
    model = fit_mixed_model(trials)
    resampled = bootstrap(trials, generator(seed, "bootstrap"))
    minimum = independent_errors(resampled.counts)
    detection = {
        name: resampled.intervals(lambda counts: getattr(signal_detection(counts), name), minimum_error=minimum_error)  # noqa: B023
        for name, minimum_error in vars(minimum).items()
        if name != "shares"
    }
    detection["auc"] = [Interval(auc.value, max(auc.low, 0.0), min(auc.high, 1.0)) for auc in detection["auc"]]
    clips = _clip_results(study, screened)
    years = {listener.listener: listener.years_of_training for listener in tables.listeners}
    return Analysis(
        study,
        tables.simulated,
        screened,
        model,
        tuple(_arm_result(arm, screened, model, resampled, detection, clips) for arm in range(len(study.arms))),
        tuple(hypothesis_tests(trials, model, resampled, margin=study.margin)),
        tuple(_listener_result(index, name, trials, years[name]) for index, name in enumerate(screened.listeners)),
        tuple(clips),
    )


def _arm_result(
    arm: int,
    screened: Screened,
    model: MixedModel,
    resampled: Bootstrap,
    detection: dict[str, list[Interval]],
    clips: Sequence[ClipResult],
) -> ArmResult:
    trials, name = screened.trials, screened.trials.arms[arm]
    count, human = int(trials.counts[arm]), int(trials.human_counts[arm])
    of_arm = trials.arm == arm
    effect = design_effect(trials.said_human[of_arm], trials.listener[of_arm], trials.clip[of_arm])
    half_width = float(stdtrit(resampled.df, 0.975)) * model.scaled_error(arm)
    scaled = float(model.beta[arm]) / model.total_sd
    heard = [clip for clip in clips if clip.arm == name]
    return ArmResult(
        name=name,
        trials=count,
        called_human=human,
        wilson=wilson(human, count),
        share=wilson(human / effect, count / effect, df=resampled.df),
        design_effect=effect,
        model_share=Interval(*(float(ndtr(scaled + side * half_width)) for side in (0, -1, 1))),
        clips=len(heard),
        passed=sum(2 * clip.called_human > clip.trials for clip in heard),
        ratings={rating: _mean_rating(screened, arm, rating) for rating in OPTIONAL_RATINGS},
        **{name: intervals[arm] if arm > 0 else UNDEFINED for name, intervals in detection.items()},
    )


def _mean_rating(screened: Screened, arm: int, rating: str) -> Interval:
    """The mean over listeners of their mean rating, with Student's t interval."""
    by_listener: dict[str, list[float]] = {}
    for answer, of_arm in zip(screened.answers, (screened.trials.arm == arm).tolist(), strict=True):
        value = getattr(answer, rating)
        if of_arm and value is not None:
            by_listener.setdefault(answer.listener, []).append(value)
    means = np.array([np.mean(values) for values in by_listener.values()])
    if len(means) < 2:
        return UNDEFINED
    mean, half_width = means.mean(), stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / math.sqrt(len(means))
    return Interval(float(mean), max(float(mean - half_width), 1.0), min(float(mean + half_width), 7.0))


def _listener_result(index: int, name: str, trials: Trials, years: float | None) -> ListenerResult:
    of_listener = trials.listener == index
    heard = np.bincount(trials.arm[of_listener], minlength=len(trials.arms))
    human = np.bincount(trials.arm[of_listener & trials.said_human], minlength=len(trials.arms))
    counts = np.zeros((2, RATING_LEVELS))
    for row, (yes, total) in enumerate(((human[0], heard[0]), (human[1:].sum(), heard[1:].sum()))):
        counts[row, [0, -1]] = total - yes, yes
    d_prime = float(signal_detection(counts).d_prime[1]) if counts.sum(axis=1).all() else math.nan
    return ListenerResult(name, years, tuple(heard.tolist()), tuple(human.tolist()), d_prime)


def _clip_results(study: Study, screened: Screened) -> list[ClipResult]:
    trials = screened.trials
    heard = np.bincount(trials.clip, minlength=trials.n_clips).tolist()
    human = np.bincount(trials.clip[trials.said_human], minlength=trials.n_clips).tolist()
    return [
        ClipResult(clip_id, study.clip(clip_id).arm, study.clip(clip_id).source, count, yes, wilson(yes, count))
        for clip_id, count, yes in zip(screened.clips, heard, human, strict=True)
        if count
    ]
