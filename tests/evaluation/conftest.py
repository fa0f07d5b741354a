"""A small report, with hostile words wherever words come from outside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cantilena.encoding import GridEncoding
from cantilena.evaluation.report_data import (
    NoteProbabilities,
    ReportData,
    RewardHistory,
    SystemMelodies,
    TrainingCurve,
)
from cantilena.music import Key, Melody

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
"""What a title, a reason or a file name may hold."""


def measured(**values: float | None) -> dict[str, Any]:
    """Metrics with intervals of one hundredth to either side."""
    return {
        name: {"value": None, "low": None, "high": None, "reason": f"nothing to count {HOSTILE}"}
        if value is None
        else {"value": value, "low": value - 0.01, "high": value + 0.01}
        for name, value in values.items()
    }


@pytest.fixture(scope="session")
def results() -> dict[str, Any]:
    """What results.json holds, for three systems."""
    human = measured(excessively_repeated=0.04, in_motif=0.28, distinct_4=0.70, different_melodies=0.99)
    lstm = measured(
        excessively_repeated=0.136, not_in_key=0.05, starts_on_tonic=0.085, in_motif=0.19, distinct_4=0.74,
        different_melodies=1.0, leaps_resolved=None, autocorrelation_1=-0.16, kl_per_step=0.0,
    )  # fmt: skip
    tuned = measured(
        excessively_repeated=0.02, not_in_key=0.02, starts_on_tonic=0.95, in_motif=0.65, distinct_4=0.69,
        different_melodies=1.0, leaps_resolved=0.9, autocorrelation_1=-0.1, kl_per_step=0.55,
    )  # fmt: skip
    return {
        "systems": {
            "human": {"melodies": 412, "metrics": human},
            "lstm": {"melodies": 1000, "metrics": lstm},
            "lstm+rl": {"melodies": 1000, "metrics": tuned},
        }
    }


@pytest.fixture(scope="session")
def report_data(results: dict[str, Any]) -> ReportData:
    """A whole report of two melodies a system."""
    rng = np.random.default_rng(7)

    def tune(title: str = "") -> Melody:
        pitches = rng.choice([60, 62, 64, 65, 67, 69, 71, 72], 14)
        return Melody.of([(int(pitch), 12) for pitch in pitches], key=Key(), title=title)

    chords = Melody.of([((60, 64, 67), 48), (None, 24)])

    def probabilities(name: str) -> NoteProbabilities:
        table = rng.dirichlet(np.full(38, 0.2), 16)
        return NoteProbabilities(name, table, GridEncoding().vocabulary, table.argmax(axis=1).tolist())

    steps = list(range(0, 50_000, 1000))
    return ReportData(
        results=results,
        melodies=[
            SystemMelodies("human", f"Held out. {HOSTILE}", [tune(HOSTILE), tune()], "melodies/human"),
            SystemMelodies("lstm", "The network.", [tune(), tune()], "melodies/lstm"),
            SystemMelodies("lstm+rl", "Tuned.", [tune(), chords], "melodies/lstm+rl"),
        ],
        curves=[TrainingCurve("lstm", [2.0, 1.0, 0.8], [2.1, 1.2, 1.1])],
        rewards=[
            RewardHistory(
                "lstm+rl", steps, {"key": [-1.0] * 50, f"x{HOSTILE}$": np.linspace(0, 70, 50).tolist()}, [-0.8] * 50,
                np.linspace(0, 0.5, 50).tolist(),
            )
        ],
        probabilities=[probabilities("lstm"), probabilities("lstm+rl")],
        corpus={
            "name": HOSTILE,
            "read": 1200,
            "skipped": [{"file": HOSTILE, "reason": HOSTILE}, {"file": "b.mid", "reason": "it is empty"}],
            "melodies": 1100,
            "split": {"train": 900, "valid": 100, "test": 100},
            "range": [48, 83],
        },
        options={"seed": 1, "training": {"epochs": 3, "name": HOSTILE}},
        seeds={"run": 1},
        versions={"cantilena": "0.1", HOSTILE: "1"},
        timings={"training": 1.5},
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, where this machine has it; the tests of pages are skipped elsewhere."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
