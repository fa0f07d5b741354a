"""Power analysis: how many listeners each hypothesis test needs, by simulating and analysing whole studies.

A formula for independent trials gives the starting point. Only a simulation accounts for the number of clips: more
listeners give more trials, but not more clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cantilena.listening.analysis.text import percent
from cantilena.listening.options import PowerOptions
from cantilena.listening.planning.simulation import ListenerModel, simulate_trials
from cantilena.listening.stats.bootstrap import bootstrap
from cantilena.listening.stats.hypothesis_tests import MARGIN, Hypothesis, hypothesis_tests
from cantilena.listening.stats.mixed_model import fit_mixed_model
from cantilena.listening.stats.proportions import (
    sample_size_equivalence,
    sample_size_one_proportion,
    sample_size_two_proportions,
    wilson,
)
from cantilena.listening.study.design import Design
from cantilena.metrics import Interval
from cantilena.runtime import generator, progress

MAX_LISTENERS = 2000
"""Upper limit of the search."""

_REPLICATES = 200


@dataclass(frozen=True)
class PlannedTest:
    """A hypothesis test for which a study is planned.

    Args:
        kind: the hypothesis, about the first generated arm (and the second, for `differ`).
        model: the listeners for whom it should be significant.
        independent_trials: number of trials that it would need if all were independent, by formula.
    """

    kind: Hypothesis
    model: ListenerModel
    independent_trials: int


@dataclass(frozen=True)
class RequiredListeners:
    """Number of listeners that a test needs.

    Args:
        test: the test.
        listeners: the number; None if `MAX_LISTENERS` are too few, so that more clips are needed.
        power: share of simulated studies with that number in which the test was significant.
        design_effect: ratio of the required and the independent trials; None if there is no number.
    """

    test: PlannedTest
    listeners: int | None
    power: Interval
    design_effect: float | None


@dataclass(frozen=True)
class PowerTable:
    """The required number of listeners of each test of a study, with the assumptions."""

    design: Design
    options: PowerOptions
    rows: Sequence[RequiredListeners]
    margin: float

    def to_json(self) -> dict[str, Any]:
        """Return the answer of `--json`."""
        return {
            "arms": list(self.design.arms),
            "clips_of_an_arm": self.design.clips,
            "trials_of_an_arm": self.design.clips_per_listener,
            "claims": [
                {
                    "claim": row.test.kind,
                    "shares": list(row.test.model.shares),
                    "independent_trials": row.test.independent_trials,
                    "listeners": row.listeners,
                    **({} if row.listeners else {"reason": f"more than {MAX_LISTENERS}: give more clips"}),
                    "design_effect": row.design_effect,
                    "power": {"value": row.power.value, "low": row.power.low, "high": row.power.high},
                }
                for row in self.rows
            ],
        }

    def text(self) -> str:
        """Return the answer for a terminal."""
        arms, options = self.design.arms, self.options
        purposes = {
            "told": f"to distinguish {arms[1]} from human at {100 * options.right:g} % correct answers",
            "equal": f"to show that {arms[1]} is equivalent to human within {100 * self.margin:g} points",
            "differ": f"to distinguish {arms[1]} ({options.lower:g}) from {''.join(arms[2:3])} ({options.higher:g})",
        }
        lines = [
            f"{self.design.clips} clips per arm, {self.design.clips_per_listener} of each arm per listener; "
            f"{options.studies} simulated studies for each number of listeners:",
        ]
        for row in self.rows:
            needed = f"more than {MAX_LISTENERS:,} listeners; give more --clips"
            if row.listeners is not None:
                needed = (
                    f"{row.listeners} listeners, with a power of {percent(row.power)} "
                    f"({row.test.independent_trials} independent trials, design effect {row.design_effect:.1f})"
                )
            lines.append(f"  {purposes[row.test.kind]}: {needed}")
        return "\n".join(lines)


def power_table(design: Design, options: PowerOptions, *, margin: float, seed: int) -> PowerTable:
    """Find the required number of listeners of each test of a study by simulation."""
    with progress("Simulating studies", unit="studies") as bar:
        rows = [
            required_listeners(
                test, design, options, generator(seed, "power", number), margin=margin, on_study=bar.advance
            )
            for number, test in enumerate(planned_tests(len(design.arms), options, margin=margin))
        ]
    return PowerTable(design, options, rows, margin)


def planned_tests(n_arms: int, options: PowerOptions, *, margin: float = MARGIN) -> list[PlannedTest]:
    """Return the tests for which a study with so many arms can be planned.

    Examples:
        >>> [(test.kind, test.independent_trials) for test in planned_tests(3, PowerOptions())]
        [('told', 92), ('equal', 215), ('differ', 182)]
    """

    def model(*generated: float) -> ListenerModel:
        shares = (options.people, *generated)
        return ListenerModel(shares, sd_listener=options.spread_of_listeners, sd_clip=options.spread_of_clips)

    distinguished = options.people - 2 * (options.right - 0.5)
    tests = [
        PlannedTest("told", model(*[distinguished] * (n_arms - 1)), sample_size_one_proportion(options.right)),
        PlannedTest("equal", model(*[options.people] * (n_arms - 1)), sample_size_equivalence(margin)),
    ]
    if n_arms > 2:
        trials = sample_size_two_proportions(options.lower, options.higher)
        shares = (options.lower, options.higher, *[options.lower] * (n_arms - 3))
        tests.append(PlannedTest("differ", model(*shares), trials))
    return tests


def required_listeners(
    planned: PlannedTest,
    design: Design,
    options: PowerOptions,
    rng: np.random.Generator,
    *,
    margin: float = MARGIN,
    on_study: Callable[[], None] = lambda: None,
) -> RequiredListeners:
    """Find the smallest number of listeners with which a test has the required power.

    The number is doubled until the power is reached, then found by bisection to a tenth. The result of a search is
    biased towards lucky draws, so it is checked with twice as many new studies, and increased until it passes.
    `on_study` is called after each simulated study.
    """

    def power_with(listeners: int, times: int = 1) -> Interval:
        studies = times * options.studies
        return estimate_power(planned, design, listeners, studies, rng, margin=margin, on_study=on_study)

    low, high = 3, max(math.ceil(planned.independent_trials / (2 * design.clips_per_listener)), 4)
    estimate = power_with(high)
    while estimate.value < options.promise:
        if high >= MAX_LISTENERS:
            return RequiredListeners(planned, None, estimate, None)
        low, high = high, min(2 * high, MAX_LISTENERS)
        estimate = power_with(high)
    while high - low > max(0.1 * high, 1):
        middle = (low + high) // 2
        low, high = (low, middle) if power_with(middle).value >= options.promise else (middle, high)
    estimate = power_with(high, 2)
    while estimate.value < options.promise:
        high += max(high // 12, 1)
        if high > MAX_LISTENERS:
            return RequiredListeners(planned, None, estimate, None)
        estimate = power_with(high, 2)
    trials = high * 2 * design.clips_per_listener
    return RequiredListeners(planned, high, estimate, trials / planned.independent_trials)


def estimate_power(
    planned: PlannedTest,
    design: Design,
    listeners: int,
    studies: int,
    rng: np.random.Generator,
    *,
    margin: float = MARGIN,
    on_study: Callable[[], None] = lambda: None,
) -> Interval:
    """Estimate the power of a test in simulated studies with so many listeners, with Wilson's interval."""
    arms = design.arms
    compared = {arms[1], arms[2] if planned.kind == "differ" else arms[0]}
    significant = 0
    for _ in range(studies):
        trials = simulate_trials(
            planned.model, arms, listeners=listeners, clips=design.clips,
            clips_per_listener=design.clips_per_listener, rng=rng,
        )  # fmt: skip
        model = fit_mixed_model(trials)
        tests = hypothesis_tests(trials, model, bootstrap(trials, rng, _REPLICATES), margin=margin)
        significant += any(
            test.significant for test in tests if test.kind == planned.kind and {test.arm, test.other} == compared
        )
        on_study()
    return wilson(significant, studies)
