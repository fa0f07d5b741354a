"""How many listeners each claim of a planned study needs, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.listening.analysis.text import percent
from cantilena.listening.options import PowerOptions
from cantilena.listening.planning.power import MOST_LISTENERS, Needed, Planned, Size, listeners_needed, planned_claims
from cantilena.listening.planning.simulation import Truth
from cantilena.listening.study.design import Design
from cantilena.runtime import generator, progress


@dataclass(frozen=True)
class PowerTable:
    """What `--power` says.

    Args:
        design: of the study.
        options: what was assumed.
        rows: a claim each.
        margin: of `equal`.
    """

    design: Design
    options: PowerOptions
    rows: Sequence[Needed]
    margin: float

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "arms": list(self.design.arms),
            "clips_of_an_arm": self.design.clips,
            "trials_of_an_arm": self.design.heard,
            "claims": [
                {
                    "claim": row.planned.kind,
                    "shares": list(row.planned.truth.shares),
                    "independent_trials": row.planned.independent,
                    "listeners": row.listeners,
                    **({} if row.listeners else {"reason": f"more than {MOST_LISTENERS}: give more clips"}),
                    "design_effect": row.design_effect,
                    "power": {"value": row.power.value, "low": row.power.low, "high": row.power.high},
                }
                for row in self.rows
            ],
        }

    def text(self) -> str:
        """The answer for a terminal."""
        lines = [
            f"{self.design.clips} clips of each arm, of each of which a listener hears {self.design.heard}; "
            f"{self.options.studies} simulated studies at each number:",
        ]
        for row in self.rows:
            if row.listeners is None:
                lines.append(f"  {self._what(row)}: not with {MOST_LISTENERS:,} listeners; give more --clips")
                continue
            lines.append(
                f"  {self._what(row)}: {row.listeners} listeners ({row.planned.independent} independent trials, design "
                f"effect {row.design_effect:.1f}); found in {percent(row.power)} of studies"
            )
        return "\n".join(lines)

    def _what(self, row: Needed) -> str:
        arms, options = self.design.arms, self.options
        if row.planned.kind == "told":
            return f"to tell {arms[1]} from human at {100 * options.right:g} % right"
        if row.planned.kind == "equal":
            return f"to show that {arms[1]} cannot be told, within {100 * self.margin:g} points"
        return f"to tell {arms[1]} ({options.lower:g}) from {arms[2]} ({options.higher:g})"


def power_table(design: Design, options: PowerOptions, *, margin: float, seed: int) -> PowerTable:
    """Work out how many listeners each claim needs, by simulation.

    Args:
        design: of the study.
        options: what is assumed.
        margin: of `equal`.
        seed: of the simulations.
    """
    size = Size(design.arms, design.clips, design.heard)
    spreads = Truth((0.5,), sd_listener=options.spread_of_listeners, sd_clip=options.spread_of_clips)
    planned = planned_claims(
        size, people=options.people, right=options.right, lower=options.lower, higher=options.higher,
        truth=spreads, margin=margin,
    )  # fmt: skip
    with progress("Simulating studies", unit="studies") as bar:

        def row(number: int, one: Planned) -> Needed:
            rng = generator(seed, "power", number)
            return listeners_needed(
                one, size, rng, power=options.promise, studies=options.studies, margin=margin, tick=bar.advance
            )

        rows = [row(number, one) for number, one in enumerate(planned)]
    return PowerTable(design, options, rows, margin)
