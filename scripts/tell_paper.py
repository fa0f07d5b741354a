"""Put the results of `cantilena reproduce --preset paper` into docs/paper.md, with its figures.

    python scripts/tell_paper.py RUN

RUN is the folder of a finished run. Tables are between the marks `<!-- NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cantilena.metrics.registry import get_metric
from cantilena.runtime import read_json
from document_tables import between, cell

DOCS = Path(__file__).resolve().parents[1] / "docs"
DOCUMENT = DOCS / "paper.md"
PUBLISHED = {
    "excessively_repeated": ("63.3 %", "2.5 %"),
    "not_in_key": ("5.0 %", "3.5 %"),
    "in_motif": ("10.2 %", "69.5 %"),
    "in_repeated_motif": ("0.0 %", "0.62 %"),
}
"""The paper's table, section IX.C: LSTM, and LSTM with reinforcement learning."""

BESIDE = (
    "starts_on_tonic",
    "ends_on_tonic",
    "leaps_resolved",
    "autocorrelation_1",
    "different_melodies",
    "distinct_4",
    "kl_per_step",
    "overlap",
    "copied_beyond_people",
)
"""Metrics that the paper does not give, and no result of this kind should be without."""

FIGURES = ("figure-8.png", "figure-9.png", "figure-10.png")


def main(run: Path) -> None:
    """Write the tables and copy the figures."""
    systems = read_json(run / "results.json")["systems"]
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in ("grid", "events"):
        part = {one: system for one, system in systems.items() if ("events" in one) == (name == "events")}
        text = between(text, name, table(part))
    text = between(text, "training", training(run))
    DOCUMENT.write_text(text, encoding="utf-8")
    for figure in FIGURES:
        if (run / "figures" / figure).exists():
            shutil.copy(run / "figures" / figure, DOCS / "pictures" / f"paper-{figure}")


def table(systems: Mapping[str, Any]) -> str:
    """A Markdown table: a row a metric, a column a system, the paper's own two beside them."""
    lines = [f"| | {' | '.join(systems)} | paper: LSTM | paper: RL |", "|---" * (len(systems) + 3) + "|"]
    for metric in (*PUBLISHED, *BESIDE):
        cells = [cell(system["metrics"].get(metric), metric, "") for system in systems.values()]
        if any(cells):
            label = get_metric(metric).label
            lines.append(f"| {' | '.join([label, *cells, *PUBLISHED.get(metric, ('', ''))])} |")
    return "\n".join(lines)


def training(run: Path) -> str:
    """A Markdown table: epochs, losses and minutes of each network."""
    lines = ["| | epochs | best | nats a step, learned from | held out | minutes |", "|---|---|---|---|---|---|"]
    for facts in sorted((run / "work").glob("*/facts.json")):
        about: Mapping[str, Any] = read_json(facts)
        history: Sequence[Mapping[str, float]] | Mapping[str, Any] = about.get("history", ())
        if isinstance(history, list):  # that of a tuning is another: rewards by update
            best = min(history, key=lambda epoch: epoch["valid"])
            numbers = (len(history), best["epoch"], f"{best['train']:.3f}", f"{best['valid']:.3f}")
            minutes = f"{about['seconds'] / 60:.0f}"
            lines.append(f"| {' | '.join(str(one) for one in (facts.parent.name, *numbers, minutes))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
