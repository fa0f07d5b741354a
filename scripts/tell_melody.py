"""Write the results of a run of `make melody` into the README, with a screenshot of the report's table.

    python scripts/tell_melody.py RUN

RUN is the folder of the finished run. The screenshot needs playwright and a Chromium (Debian: apt install chromium);
without them only the table is written.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cantilena.metrics.registry import get_metric
from cantilena.reporting.published import JAQUES, PAPER, PUBLISHED
from cantilena.reporting.tables import number
from cantilena.runtime import read_json
from document_tables import between

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = CHECKOUT / "README.md", CHECKOUT / "docs" / "pictures" / "table.png"
SYSTEMS = {"human": "people", "lstm": "LSTM", "lstm+rl": "LSTM + RL"}
METRICS = (
    "excessively_repeated",
    "not_in_key",
    "starts_on_tonic",
    "leaps_resolved",
    "unique_max",
    "unique_min",
    "in_motif",
    "in_repeated_motif",
    "different_melodies",
    "distinct_4",
    "vendi",
    "kl_per_step",
    "overlap",
    "copied_beyond_people",
)
"""The metrics in the README."""


def main(run: Path) -> int:
    """Write the table, and the screenshot if there is a browser."""
    systems = read_json(run / "results.json")["systems"]
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(between(text, "reached", table(systems)), encoding="utf-8")
    if shutil.which("chromium") is None:
        print("Chromium was not found: the screenshot is unchanged", file=sys.stderr)
        return 1
    draw(run / "report.html")
    return 0


def table(systems: Mapping[str, Any]) -> str:
    """Metrics by row; human melodies, the two models and the published systems by column."""
    theirs = {f"{who}: {one.name}": one.values for who, one in _published()}
    lines = [f"| | {' | '.join([*SYSTEMS.values(), *theirs])} |", "|---" * (1 + len(SYSTEMS) + len(theirs)) + "|"]
    for metric in METRICS:
        words = get_metric(metric)
        ours = [systems[name]["metrics"].get(metric, {}).get("value") for name in SYSTEMS]
        values = [*ours, *(published.get(metric) for published in theirs.values())]
        cells = ["" if value is None else number(value, words).replace("\u00a0", " ") for value in values]
        lines.append(f"| {' | '.join([words.label, *cells])} |")
    return "\n".join(lines)


def _published() -> list[tuple[str, Any]]:
    """The paper's two systems, and Q of the RL Tuner."""
    return [("paper", one) for one in PUBLISHED if one.authors == PAPER] + [
        ("Jaques et al.", one) for one in PUBLISHED if one.authors == JAQUES and one.name == "Q"
    ]


def draw(report: Path) -> None:
    """Take the screenshot of the report's table."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 860})
        page.goto(report.resolve().as_uri())
        heading = page.get_by_role("heading", name="Metrics, beside the published ones")
        for _ in range(3):  # scores above it are laid out when they come near, and move it
            heading.evaluate("element => element.scrollIntoView()")
            page.wait_for_timeout(700)
        page.screenshot(path=str(PICTURE))
        browser.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
