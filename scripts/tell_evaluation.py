"""Update docs/evaluation.md: the shipped models beside human melodies, the classifiers' answers, and a picture.

    python scripts/tell_evaluation.py [--out FOLDER]

It evaluates the shipped models, which takes minutes. The picture requires playwright and Chromium (Debian: apt install
chromium); without them only the tables are written.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cantilena.discriminators import GROUPS
from cantilena.metrics.registry import get_metric
from cantilena.workflows import EvaluateOptions, run_evaluation
from document_tables import between, cell

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = CHECKOUT / "docs" / "evaluation.md", CHECKOUT / "docs" / "pictures" / "evaluation.png"
SYSTEMS = ("tunes", "tunes+rl", "tunes+rl-tuner", "ngram", "shuffled")
METRICS = (
    "excessively_repeated", "not_in_key", "in_motif", "cantilena.opening", "cantilena.motion", "cantilena.motif_return",
    "cantilena.motif", "similarity_2", "similarity_4", "distinct_4", "self_bleu_4", "vendi", "kl_per_step",
    "log_likelihood_per_step", "overlap", "pitch_class_entropy", "copied_notes", "copied_beyond_people", "novel_8",
)  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate, write the tables, and the picture if there is a browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "runs" / "evaluation")
    folder = parser.parse_args(words).out
    results = run_evaluation(SYSTEMS, EvaluateOptions(listener=True, steps=128), folder, force=True).to_dict()
    text = DOCUMENT.read_text(encoding="utf-8")
    text = between(text, "measured", table(results["systems"]))
    text = between(text, "listener", listener_table(results["listener"]))
    text = between(text, "groups", group_table(results["listener"]))
    DOCUMENT.write_text(text, encoding="utf-8")
    if shutil.which("chromium") is None:
        print("Chromium is missing: the picture was not updated", file=sys.stderr)
        return 1
    draw(folder / "report.html")
    return 0


def table(systems: Mapping[str, Any]) -> str:
    """Metrics down, systems across."""
    rows = ["| | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for metric in METRICS:
        cells = (cell(system["metrics"].get(metric), metric) for system in systems.values())
        rows.append(f"| {get_metric(metric).label} | " + " | ".join(cells) + " |")
    return "\n".join(rows).replace("\u00a0", " ")


def listener_table(answers: Mapping[str, Any]) -> str:
    """The accuracy and AUC of each classifier and control on each system."""
    columns = list(dict.fromkeys(name for one in answers.values() for name in (*one["families"], *one["controls"])))
    rows = ["| | " + " | ".join(columns) + " | verdict |", "|---" * (len(columns) + 2) + "|"]
    for system, one in answers.items():
        results = {**one["families"], **one["controls"]}
        cells = (accuracy_cell(results.get(name)) for name in columns)
        verdict = one["refused"] or f"{one['headline']}, p {one['p']:.3f}"
        rows.append(f"| {system} | " + " | ".join(cells) + f" | {verdict} |")
    return "\n".join(rows)


def group_table(answers: Mapping[str, Any]) -> str:
    """The AUC of each group of features on each system, the largest in bold, and the drop without it."""
    rows = ["| | " + " | ".join(GROUPS) + " |", "|---" * (len(GROUPS) + 1) + "|"]
    for system, one in answers.items():
        groups = {group["group"]: group for group in one["groups"]}
        cells = (group_cell(groups.get(name), one["groups"]) for name in GROUPS)
        rows.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def group_cell(group: Mapping[str, Any] | None, groups: Sequence[Mapping[str, Any]]) -> str:
    """AUC with its interval, and the drop."""
    if group is None:
        return "–"
    auc, drop = group["auc"], group["drop"]
    value = f"**{auc['value']:.2f}**" if group is groups[0] else f"{auc['value']:.2f}"
    without = f"; drop {drop['value']:z.2f}" if drop else ""
    return f"{value}<br><small>{auc['low']:.2f} to {auc['high']:.2f}{without}</small>"


def accuracy_cell(result: Mapping[str, Any] | None) -> str:
    """Accuracy with its interval, and AUC."""
    if not result or not result.get("accuracy") or result["accuracy"]["value"] is None:
        return "–"
    accuracy, auc = result["accuracy"], result["auc"]
    interval = f"{100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f}" if accuracy["low"] is not None else ""
    return f"{100 * accuracy['value']:.0f} %<br><small>{interval}; AUC {auc['value']:.2f}</small>"


def draw(report: Path) -> None:
    """Take a picture of the head of the report."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 1060}, device_scale_factor=1.5)
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(1500)
        page.screenshot(path=str(PICTURE))
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
