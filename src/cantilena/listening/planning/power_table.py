"""The required number of listeners of each hypothesis test of a study, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.listening.analysis.text import percent
from cantilena.listening.options import PowerOptions
from cantilena.listening.planning.power import MAX_LISTENERS, RequiredListeners, planned_tests, required_listeners
from cantilena.listening.planning.simulation import ListenerModel
from cantilena.listening.study.design import Design
from cantilena.runtime import generator, progress


@dataclass(frozen=True)
class PowerTable:
    """The result of a power analysis: the design, the assumptions, a row for each test, and the equivalence margin."""

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
        lines = [
            f"{self.design.clips} clips per arm, {self.design.clips_per_listener} of each arm per listener; "
            f"{self.options.studies} simulated studies for each number of listeners:",
        ]
        for row in self.rows:
            if row.listeners is None:
                lines.append(f"  {self._purpose(row)}: more than {MAX_LISTENERS:,} listeners; give more --clips")
                continue
            lines.append(
                f"  {self._purpose(row)}: {row.listeners} listeners, with a power of {percent(row.power)} "
                f"({row.test.independent_trials} independent trials, design effect {row.design_effect:.1f})"
            )
        return "\n".join(lines)

    def _purpose(self, row: RequiredListeners) -> str:
        arms, options = self.design.arms, self.options
        if row.test.kind == "told":
            return f"to distinguish {arms[1]} from human at {100 * options.right:g} % correct answers"
        if row.test.kind == "equal":
            return f"to show that {arms[1]} is equivalent to human within {100 * self.margin:g} points"
        return f"to distinguish {arms[1]} ({options.lower:g}) from {arms[2]} ({options.higher:g})"


def power_table(design: Design, options: PowerOptions, *, margin: float, seed: int) -> PowerTable:
    """Find the required number of listeners of each test by simulation.

    Args:
        design: the design of the study.
        options: the assumptions.
        margin: margin of `equal`.
        seed: random seed of the simulations.
    """
    model = ListenerModel((0.5,), sd_listener=options.spread_of_listeners, sd_clip=options.spread_of_clips)
    tests = planned_tests(
        len(design.arms), human=options.people, correct=options.right, lower=options.lower, higher=options.higher,
        model=model, margin=margin,
    )  # fmt: skip
    with progress("Simulating studies", unit="studies") as bar:
        rows = [
            required_listeners(
                test, design, generator(seed, "power", number), power=options.promise, studies=options.studies,
                margin=margin, on_study=bar.advance,
            )
            for number, test in enumerate(tests)
        ]  # fmt: skip
    return PowerTable(design, options, rows, margin)
