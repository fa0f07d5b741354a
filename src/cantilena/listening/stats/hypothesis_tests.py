"""What answers let us claim: that an arm is told from people's clips, that two arms differ, that one cannot be told.

Each claim is tested twice, by the mixed model, which knows that listeners and clips differ, and by resampling both,
which assumes no model. It stands only where both say so: its p-value is the larger one. What is claimed together is one
family, corrected by Holm.

How well an arm is told is the share of right answers that a listener without leaning would give, (1 + H - F) / 2, with
H and F the shares of people's clips and of the arm's that are called human; 1/2 is chance. An arm cannot be told where
that share lies surely within a margin of 1/2: two one-sided tests (Schuirmann 1987). Where people's own clips are
called human so seldom, or so often, that an arm that never is, or always, would be within the margin too, the answers
cannot show it: p is 1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from cantilena.listening.stats.bootstrap import Draws
from cantilena.listening.stats.mixed_model import MixedModel
from cantilena.listening.stats.proportions import detect, independent_errors
from cantilena.listening.trials import HUMAN, Trials
from cantilena.metrics import Interval, holm

Kind = Literal["told", "differ", "equal"]

MARGIN = 0.10
"""How far from chance right answers may be where an arm counts as not to be told."""

ALPHA = 0.05
"""How often a family of claims may err."""


@dataclass(frozen=True)
class Claim:
    """One claim and what speaks for it.

    Args:
        kind: `told`: an arm is told from people's clips; `differ`: two arms are called human unequally often;
            `equal`: an arm cannot be told from people's clips, within the margin.
        one: the arm.
        other: what it is held beside.
        size: right answers of a listener without leaning (`told`, `equal`), or the difference of shares called human
            (`differ`), with the wider of the two intervals: 95 %, or 90 % for `equal`, which is what its tests look at.
        p: the larger of the two p-values.
        adjusted: the same after Holm's correction.
        p_model: by the mixed model.
        p_resampled: by resampling listeners and clips.
    """

    kind: Kind
    one: str
    other: str
    size: Interval
    p: float
    adjusted: float
    p_model: float
    p_resampled: float

    @property
    def stands(self) -> bool:
        """Whether it may be claimed."""
        return self.adjusted < ALPHA


def claims(trials: Trials, model: MixedModel, draws: Draws, *, margin: float = MARGIN) -> list[Claim]:
    """Every claim of a study: `told` and `differ` are one family, `equal` another.

    Args:
        trials: the answers.
        model: fitted to them.
        draws: of them.
        margin: of `equal`.

    Example:
        >>> from cantilena.listening.stats.bootstrap import draw
        >>> from cantilena.listening.stats.mixed_model import fit_mixed_model
        >>> from cantilena.listening.planning.simulation import Truth, simulated_trials
        >>> rng = np.random.default_rng(1)
        >>> trials = simulated_trials(Truth((0.7, 0.3)), ("human", "lstm"), listeners=40, clips=30, heard=10, rng=rng)
        >>> found = claims(trials, fit_mixed_model(trials), draw(trials, rng))
        >>> [(claim.kind, claim.stands) for claim in found]
        [('told', True), ('equal', False)]
    """
    pairs = list(itertools.combinations(range(len(trials.arms)), 2))
    differences = [_difference(one, other, trials, model, draws) for one, other in pairs]
    first = [found.unequal(trials.arms) for found in differences]
    second = [found.equal(trials.arms, margin) for found in differences if found.beside_people]
    return [*_corrected(first), *_corrected(second)]


def _corrected(family: list[Claim]) -> list[Claim]:
    adjusted = holm([claim.p for claim in family])
    return [replace(claim, adjusted=float(p or 0.0)) for claim, p in zip(family, adjusted, strict=True)]


@dataclass(frozen=True)
class _Difference:
    """The difference of two arms' shares called human, by the model and by resampling: values, errors, freedoms."""

    one: int
    other: int
    people: float
    t_model: float
    by_model: tuple[float, float, int]
    by_draws: tuple[float, float, int]

    @property
    def beside_people(self) -> bool:
        return self.one == 0

    def unequal(self, arms: tuple[str, ...]) -> Claim:
        value, error, freedom = self.by_draws
        p_model = 2 * float(stdtr(self.by_model[2], -abs(self.t_model)))
        p_draws = 2 * float(stdtr(freedom, -abs(value) / error))
        name, other = (arms[self.other], HUMAN) if self.beside_people else (arms[self.one], arms[self.other])
        kind: Kind = "told" if self.beside_people else "differ"
        return _claim(kind, name, other, self._size(0.95), p_model, p_draws)

    def equal(self, arms: tuple[str, ...], margin: float) -> Claim:
        ps = []
        if not 2 * margin < self.people < 1 - 2 * margin:
            return _claim("equal", arms[self.other], HUMAN, self._size(0.90), 1.0, 1.0)
        for value, error, freedom in (self.by_model, self.by_draws):
            ps.append(float(stdtr(freedom, (abs(value) - 2 * margin) / max(error, 1e-9))))
        return _claim("equal", arms[self.other], HUMAN, self._size(0.90), *ps)

    def _size(self, level: float) -> Interval:
        """The value as counted, and the wider of the two intervals around its own centre."""
        low, high = np.inf, -np.inf
        for value, error, freedom in (self.by_model, self.by_draws):
            reach = float(stdtrit(freedom, (1 + level) / 2)) * error
            low, high = min(low, value - reach), max(high, value + reach)
        low, high = max(low, -1.0), min(high, 1.0)
        value = self.by_draws[0]
        if self.beside_people:
            return Interval((1 + value) / 2, (1 + low) / 2, (1 + high) / 2)
        return Interval(value, low, high)


def _difference(one: int, other: int, trials: Trials, model: MixedModel, draws: Draws) -> _Difference:
    def statistic(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = detect(counts).shares
        return np.asarray(shares[..., [one]] - shares[..., [other]])

    clips = trials.clips_of(one, other) - 2
    on_scale, scale_error = model.difference(one, other)
    by_model = (*model.share_difference(one, other), max(clips, 1))
    least = float(np.hypot(*independent_errors(draws.counts).shares[[one, other]]))
    error = max(float(draws.errors(statistic)[0]), least)
    by_draws = (float(statistic(draws.counts)[0]), error, min(draws.listeners - 1, clips))
    people = float(trials.shares[0])
    return _Difference(one, other, people, on_scale / scale_error, by_model, by_draws)


def _claim(kind: Kind, one: str, other: str, size: Interval, p_model: float, p_draws: float) -> Claim:
    p = max(p_model, p_draws)
    return Claim(kind, one, other, size, p, p, p_model, p_draws)
