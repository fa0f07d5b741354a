"""How many listeners a claim needs: whole studies are simulated and analysed as a real one will be.

A formula for independent trials, times the design effect, says where to begin; simulation says where to stop, because
only it knows how many clips there are: more listeners make trials, but not clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cantilena.listening.planning.simulation import Truth, simulated_trials
from cantilena.listening.stats.bootstrap import draw
from cantilena.listening.stats.hypothesis_tests import MARGIN, Kind, claims
from cantilena.listening.stats.mixed_model import fit_mixed_model
from cantilena.listening.stats.proportions import trials_to_differ, trials_to_equate, trials_to_tell, wilson
from cantilena.metrics import Interval

MOST_LISTENERS = 2000
"""A claim that needs more is said to be out of reach."""

_DRAWS = 200


@dataclass(frozen=True)
class Planned:
    """A claim that a study is planned for.

    Args:
        kind: of the claim.
        truth: in which it shall be found, a share for each arm.
        independent: trials that it would need if all were independent, by formula.
    """

    kind: Kind
    truth: Truth
    independent: int


@dataclass(frozen=True)
class Size:
    """A study's size.

    Args:
        arms: names, `human` first.
        clips: of each arm.
        heard: clips of each arm that one listener hears.
    """

    arms: tuple[str, ...]
    clips: int
    heard: int


@dataclass(frozen=True)
class Needed:
    """How many listeners a claim needs.

    Args:
        planned: the claim.
        listeners: how many; None where more clips are needed, since even `MOST_LISTENERS` are too few.
        power: how often it stood at that number of simulated studies.
        design_effect: how many times the independent trials that is; None where there is no number.
    """

    planned: Planned
    listeners: int | None
    power: Interval
    design_effect: float | None


def planned_claims(
    size: Size, *, people: float, right: float, lower: float, higher: float, truth: Truth, margin: float = MARGIN
) -> list[Planned]:
    """The claims that a study with these arms can be planned for.

    Args:
        size: of the study.
        people: share of people's clips that are called human.
        right: right answers, for `told`.
        lower: share of the first generated arm called human, for `differ`.
        higher: that of the second.
        truth: whose spreads are taken.
        margin: for `equal`.

    Example:
        >>> size = Size(("human", "lstm", "tuned"), clips=30, heard=5)
        >>> found = planned_claims(size, people=0.7, right=0.65, lower=0.2, higher=0.4, truth=Truth((0.5,)))
        >>> [(one.kind, one.independent) for one in found]
        [('told', 92), ('equal', 215), ('differ', 182)]
    """
    others = len(size.arms) - 1
    told = people - 2 * (right - 0.5)
    found = [
        Planned("told", replace(truth, shares=(people, *[told] * others)), trials_to_tell(right)),
        Planned("equal", replace(truth, shares=(people,) * (others + 1)), trials_to_equate(margin)),
    ]
    if others > 1:
        shares = (people, lower, higher, *[lower] * (others - 2))
        found.append(Planned("differ", replace(truth, shares=shares), trials_to_differ(lower, higher)))
    return found


def power_of(
    planned: Planned,
    size: Size,
    listeners: int,
    studies: int,
    rng: np.random.Generator,
    *,
    margin: float = MARGIN,
    tick: Callable[[], None] = lambda: None,
) -> Interval:
    """How often a claim stands in simulated studies of so many listeners, with Wilson's interval.

    Args:
        planned: the claim, about the first generated arm (and the second, for `differ`).
        size: of each study.
        listeners: how many.
        studies: how many studies are simulated.
        rng: the randomness.
        margin: of `equal`.
        tick: called after each.
    """
    found = 0
    for _ in range(studies):
        trials = simulated_trials(
            planned.truth, size.arms, listeners=listeners, clips=size.clips, heard=size.heard, rng=rng
        )
        made = claims(trials, fit_mixed_model(trials), draw(trials, rng, _DRAWS), margin=margin)
        arm = size.arms[1]
        other = size.arms[2] if planned.kind == "differ" else size.arms[0]
        found += any(one.stands for one in made if one.kind == planned.kind and {one.one, one.other} == {arm, other})
        tick()
    return wilson(found, studies)


def listeners_needed(
    planned: Planned,
    size: Size,
    rng: np.random.Generator,
    *,
    power: float = 0.8,
    studies: int = 200,
    margin: float = MARGIN,
    tick: Callable[[], None] = lambda: None,
) -> Needed:
    """The fewest listeners with whom a claim stands as often as asked.

    The number is doubled until it is enough, and the gap is halved until it is a tenth of it. What a search finds was
    partly luck, so the number is tried again on twice as many new studies, and raised until it is enough there.

    Args:
        planned: the claim.
        size: of the study.
        rng: the randomness.
        power: how often the claim shall stand.
        studies: simulated at each number of listeners.
        margin: of `equal`.
        tick: called after each simulated study.
    """

    def at(listeners: int, times: int = 1) -> Interval:
        return power_of(planned, size, listeners, times * studies, rng, margin=margin, tick=tick)

    start = max(math.ceil(planned.independent / (2 * size.heard)), 4)
    low, high = 3, start
    reached = at(high)
    while reached.value < power:
        if high >= MOST_LISTENERS:
            return Needed(planned, None, reached, None)
        low, high = high, min(2 * high, MOST_LISTENERS)
        reached = at(high)
    while high - low > max(0.1 * high, 1):
        middle = (low + high) // 2
        found = at(middle)
        low, high = (low, middle) if found.value >= power else (middle, high)
    reached = at(high, 2)
    while reached.value < power:
        high += max(high // 12, 1)
        if high > MOST_LISTENERS:
            return Needed(planned, None, reached, None)
        reached = at(high, 2)
    return Needed(planned, high, reached, high * 2 * size.heard / planned.independent)
