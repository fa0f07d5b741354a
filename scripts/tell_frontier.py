"""Put the results of `cantilena tune --frontier` and of the G experiment into docs/tuning.md, with their pictures.

    python scripts/tell_frontier.py FRONTIER [G_EXPERIMENT]

Each is the folder of a finished run; without the second its table stays as it is. Tables are between the marks
`<!-- NAME -->` and `<!-- end -->` of the document.
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
DOCUMENT = DOCS / "tuning.md"

COLUMNS = {
    "excessively_repeated": "repeated",
    "not_in_key": "not in key",
    "starts_on_tonic": "starts on tonic",
    "leaps_resolved": "leaps resolved",
    "unique_max": "unique max",
    "unique_min": "unique min",
    "in_motif": "in motif",
    "in_repeated_motif": "in repeated motif",
    "autocorrelation_1": "rho 1",
    "different_melodies": "different",
    "distinct_4": "distinct-4",
    "kl_per_step": "KL",
}
"""The columns of the frontier, and their labels."""

G_COLUMNS = ("not_in_key", "autocorrelation_1", "autocorrelation_2", "autocorrelation_3", "in_motif", "kl_per_step")


def main(frontier: Path, g_experiment: Path | None = None) -> None:
    """Write the tables and copy the picture of the frontier."""
    text = DOCUMENT.read_text(encoding="utf-8")
    points = read_json(frontier / "results.json")["systems"]
    text = between(text, "frontier", table(points, COLUMNS, reward=True))
    if g_experiment is not None:
        systems = read_json(g_experiment / "results.json")["systems"]
        labels = {name: get_metric(name).label for name in G_COLUMNS}
        text = between(text, "g-learning", table(systems, labels, reward=False))
    DOCUMENT.write_text(text, encoding="utf-8")
    shutil.copy(frontier / "frontier.png", DOCS / "pictures" / "frontier.png")


def table(systems: Mapping[str, Any], columns: Mapping[str, str], *, reward: bool) -> str:
    """A Markdown table: a row a system, values with their 95 % intervals below."""
    head = ["", *(["reward"] if reward else []), *columns.values()]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, system in systems.items():
        cells: Sequence[str] = [cell(system["metrics"].get(metric), metric) for metric in columns]
        rewards = [f"{system['reward']:.0f}"] if reward else []
        rows.append(f"| {' | '.join([name, *rewards, *cells])} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
