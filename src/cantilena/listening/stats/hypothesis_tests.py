"""Hypothesis tests of a study: which arms can be distinguished from human melodies, and which cannot.

Every hypothesis is tested twice: by the mixed model, which accounts for differences among listeners and clips, and by
a bootstrap of both, which assumes no model. The larger of the two p-values counts. Tests of one family are corrected by
Holm's method.

How well an arm is distinguished is the share of correct answers of an unbiased listener, (1 + H - F) / 2, where H and F
are the shares of human clips and of the arm's clips that are called human; 1/2 is chance. Equivalence to human melodies
means that this share lies within a margin of 1/2, by two one-sided tests (Schuirmann 1987). If human clips are called
human so rarely or so often that an arm that is never or always called human would lie within the margin too, the data
cannot show equivalence, and p is 1.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from cantilena.listening.stats.bootstrap import Bootstrap
from cantilena.listening.stats.mixed_model import MixedModel
from cantilena.listening.stats.proportions import independent_errors, signal_detection
from cantilena.listening.trials import HUMAN, Trials
from cantilena.metrics import Interval, holm

Hypothesis = Literal["told", "differ", "equal"]

MARGIN = 0.10
"""Default equivalence margin: how far from chance the share of correct answers may be."""

ALPHA = 0.05
"""Error rate of a family of tests."""


@dataclass(frozen=True)
class HypothesisTest:
    """One hypothesis and its test.

    Args:
        kind: `told`: the arm is distinguished from human clips; `differ`: two arms are called human at different rates;
            `equal`: the arm is equivalent to human clips, within the margin.
        arm: the arm.
        other: the arm that it is compared with.
        effect: share of correct answers of an unbiased listener (`told`, `equal`), or difference of the shares called
            human (`differ`), with the wider of the two intervals: 95 %, or 90 % for `equal`, as its tests imply.
        p_model: p-value by the mixed model.
        p_bootstrap: p-value by resampling listeners and clips.
        p_holm: the larger of both, corrected by Holm's method.
    """

    kind: Hypothesis
    arm: str
    other: str
    effect: Interval
    p_model: float
    p_bootstrap: float
    p_holm: float = math.nan

    @property
    def p(self) -> float:
        """The larger of the two p-values."""
        return max(self.p_model, self.p_bootstrap)

    @property
    def significant(self) -> bool:
        """Whether the hypothesis is supported at the error rate of its family."""
        return self.p_holm < ALPHA


def hypothesis_tests(
    trials: Trials, model: MixedModel, resampled: Bootstrap, *, margin: float = MARGIN
) -> list[HypothesisTest]:
    """Test every hypothesis of a study: `told` and `differ` form one family, `equal` another.

    Examples:
        >>> from cantilena.listening.stats.bootstrap import bootstrap
        >>> from cantilena.listening.stats.mixed_model import fit_mixed_model
        >>> from cantilena.listening.planning.simulation import ListenerModel, simulate_trials
        >>> rng = np.random.default_rng(1)
        >>> truth, arms = ListenerModel((0.7, 0.3)), ("human", "lstm")
        >>> trials = simulate_trials(truth, arms, listeners=40, clips=30, clips_per_listener=10, rng=rng)
        >>> tests = hypothesis_tests(trials, fit_mixed_model(trials), bootstrap(trials, rng))
        >>> [(test.kind, test.significant) for test in tests]
        [('told', True), ('equal', False)]
    """
    arms, human_share = trials.arms, float(trials.shares[0])
    differences, equivalences = [], []
    for first, second in itertools.combinations(range(len(arms)), 2):
        by_model, by_bootstrap = _share_differences(first, second, trials, model, resampled)
        beta, beta_error = model.difference(first, second)
        p_model = 2 * float(stdtr(by_model.df, -abs(beta / beta_error)))
        p_bootstrap = 2 * float(stdtr(by_bootstrap.df, -abs(by_bootstrap.value) / by_bootstrap.error))
        effect = _wider_interval(by_model, by_bootstrap, 0.95)
        if first > 0:  # two generated arms
            differences.append(HypothesisTest("differ", arms[first], arms[second], effect, p_model, p_bootstrap))
            continue
        correct = _share_correct(effect)
        differences.append(HypothesisTest("told", arms[second], HUMAN, correct, p_model, p_bootstrap))
        p_values = [1.0, 1.0]
        if 2 * margin < human_share < 1 - 2 * margin:
            p_values = [
                float(stdtr(estimate.df, (abs(estimate.value) - 2 * margin) / max(estimate.error, 1e-9)))
                for estimate in (by_model, by_bootstrap)
            ]
        correct = _share_correct(_wider_interval(by_model, by_bootstrap, 0.90))
        equivalences.append(HypothesisTest("equal", arms[second], HUMAN, correct, *p_values))
    return [*_holm_corrected(differences), *_holm_corrected(equivalences)]


class _Estimate(NamedTuple):
    """The difference of the shares of two arms that are called human."""

    value: float
    error: float
    df: int


def _share_differences(
    first: int, second: int, trials: Trials, model: MixedModel, resampled: Bootstrap
) -> tuple[_Estimate, _Estimate]:
    """Estimate the difference by the model and by the bootstrap."""

    def statistic(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = signal_detection(counts).shares
        return np.asarray(shares[..., [first]] - shares[..., [second]])

    df = trials.n_clips_heard(first, second) - 2
    minimum_error = float(np.hypot(*independent_errors(resampled.counts).shares[[first, second]]))
    error = max(float(resampled.standard_errors(statistic)[0]), minimum_error)
    value = float(statistic(resampled.counts)[0])
    return (
        _Estimate(*model.share_difference(first, second), max(df, 1)),
        _Estimate(value, error, min(resampled.n_listeners - 1, df)),
    )


def _wider_interval(by_model: _Estimate, by_bootstrap: _Estimate, level: float) -> Interval:
    """The observed difference, with bounds that include both intervals."""
    low, high = np.inf, -np.inf
    for estimate in (by_model, by_bootstrap):
        half_width = float(stdtrit(estimate.df, (1 + level) / 2)) * estimate.error
        low, high = min(low, estimate.value - half_width), max(high, estimate.value + half_width)
    return Interval(by_bootstrap.value, max(low, -1.0), min(high, 1.0))


def _share_correct(difference: Interval) -> Interval:
    """(1 + H - F) / 2 from H - F."""
    return Interval((1 + difference.value) / 2, (1 + difference.low) / 2, (1 + difference.high) / 2)


def _holm_corrected(family: list[HypothesisTest]) -> list[HypothesisTest]:
    p_holm = holm([test.p for test in family])
    return [replace(test, p_holm=float(p or 0.0)) for test, p in zip(family, p_holm, strict=True)]
