"""Put the results of `cantilena tune --frontier` and of the G experiment into docs/tuning.md, with their pictures.

    python scripts/tell_frontier.py FRONTIER [G_EXPERIMENT]
    python scripts/tell_frontier.py --notes JUDGED

Each of the first is the folder of a finished run; without the second its table stays as it is. JUDGED is a folder of
files that `judge_openings.py --json` wrote, NUMBER-NAME.json for each way to compose, in the order of their numbers:
its table and picture set how well it is told from people's melodies against the reward of the rules. Tables are between
the marks `<!-- NAME -->` and `<!-- end -->` of the document.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cantilena.metrics.registry import get_metric
from cantilena.reporting.figures import png_bytes
from cantilena.reporting.figures.style import CYCLE, INK, Figure, legend_right, literal, styled
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

STEPS = {"128": 8, "240": 15}
"""Steps of openings that were judged, and how many bars of 4/4 these are."""

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


def tell_notes(folder: Path) -> None:
    """Write the table of models of notes, and draw their AUC against the reward of the rules."""
    judged = {path.stem.partition("-")[2]: read_json(path) for path in sorted(folder.glob("*-*.json"))}
    people = next(iter(judged.values()))["people"]
    head = ["", *(f"{bars} bars" for bars in STEPS.values()), "rules", "distinct-4", "by step", "strong tonic"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, one in {"people": {"composed": people}, **judged}.items():
        aucs = [
            ", ".join(f"{mean:.3f} ± {error:.3f}" for mean, error in one["auc"][steps].values())
            for steps in STEPS
            if "auc" in one
        ]
        known = one["composed"]
        numbers = [
            f"{known['reward']:.1f}",
            f"{known['distinct_4']:.3f}",
            f"{known['near']:.0%}",
            f"{known['strong']:.0%}",
        ]
        rows.append(f"| {' | '.join([name, *(aucs or ['.5'] * len(STEPS)), *numbers])} |")
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(between(text, "frontier-notes", "\n".join(rows)), encoding="utf-8")
    (DOCS / "pictures" / "listener.png").write_bytes(png_bytes(told_against_rules(judged, people["reward"])))


@styled
def told_against_rules(judged: Mapping[str, Any], people: float) -> Figure:
    """The AUC of the strongest classifier against the reward of the rules a melody, people's at chance."""
    figure = Figure(figsize=(9.6, 4.2))
    for axes, (steps, bars) in zip(figure.subplots(1, len(STEPS), sharey=True), STEPS.items(), strict=True):
        axes.plot([people], [0.5], "*", color=INK, markersize=11, label="people")
        for number, (name, one) in enumerate(judged.items()):
            mean, error = max(one["auc"][steps].values())
            axes.errorbar(
                [one["composed"]["reward"]], [mean], yerr=[error], fmt="osD^v"[number // len(CYCLE)],
                color=CYCLE[number % len(CYCLE)], markersize=6, label=literal(name, 40),
            )  # fmt: skip
        axes.set(xlabel="reward of the rules a melody", title=f"openings of {bars} bars")
        axes.set_ylabel("AUC, told from people's melodies")
    legend_right(axes)
    return figure


def table(systems: Mapping[str, Any], columns: Mapping[str, str], *, reward: bool) -> str:
    """A Markdown table: a row a system, values with their 95 % intervals below; with rewards also AUCs."""
    head = ["", *(["reward", "AUC"] if reward else []), *columns.values()]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, system in systems.items():
        cells: Sequence[str] = [cell(system["metrics"].get(metric), metric) for metric in columns]
        auc = system.get("auc", {}).get("value")
        rewards = [f"{system['reward']:.0f}", "–" if auc is None else f"{auc:.3f}"] if reward else []
        rows.append(f"| {' | '.join([name, *rewards, *cells])} |")
    return "\n".join(rows)


if __name__ == "__main__":
    if sys.argv[1] == "--notes":
        tell_notes(Path(sys.argv[2]))
    else:
        main(*map(Path, sys.argv[1:3]))
