"""A small report, with hostile words wherever words come from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cantilena.metrics.permutation import Difference
from cantilena.metrics.self_similarity import self_similarity
from cantilena.music import Key, Melody
from cantilena.reporting.data import (
    CopiedPassage,
    Distribution,
    NoteProbabilities,
    Remark,
    ReportData,
    RewardHistory,
    SystemMelodies,
    TrainingCurve,
)
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding

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


def result(accuracy: float) -> dict[str, Any]:
    """The result of a family of classifiers."""
    number = {"value": accuracy, "low": accuracy - 0.05, "high": accuracy + 0.05}
    return {"accuracy": number, "auc": number}


def two_sample() -> dict[str, Any]:
    """Answers of the classifier two-sample test: for one system a number, for the other why there is none."""
    controls = {"real-against-real": result(0.5), "trivial": result(0.55)}
    rows = [{"bars": bars, "accuracy": result(0.5 + 0.04 * bars)["accuracy"]} for bars in (1, 2, 4)]
    rows.append({"bars": 8, "accuracy": None, "reason": "too few melodies are as long"})
    families = {"logistic": result(0.7), "boosting": result(0.81)}
    return {
        "lstm": {
            "headline": "boosting",
            "families": families,
            "controls": controls,
            "p": 0.001,
            "by_bars": rows,
            "groups": [
                {"group": "form", "auc": {"value": 0.83, "low": 0.7, "high": 0.9}, "drop": None},
                {"group": "key", "auc": {"value": 0.6, "low": 0.5, "high": 0.7}, "drop": {"value": 0.04, "low": 0.01}},
            ],
        },
        "lstm+rl": {"headline": None, "families": families, "controls": controls, "refused": f"20 works {HOSTILE}"},
    }


def passage(title: str, notes: int, system: str = "lstm", melody: int | None = 0) -> CopiedPassage:
    """A run of notes that a melody and a piece have in common, from the second note on."""
    tune = Melody.from_pitches([(60 + step % 5, 12) for step in range(notes + 2)], key=Key())
    return CopiedPassage(
        system, f"m{notes}", notes, "5-8", title, f"{HOSTILE}.mid", "1-4", tune, tune.transposed(2), notes > 10, melody,
        first=1, source_first=1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def report_data(results: dict[str, Any]) -> ReportData:
    """A whole report of two melodies a system."""
    rng = np.random.default_rng(7)

    def tune(title: str = "") -> Melody:
        pitches = rng.choice([60, 62, 64, 65, 67, 69, 71, 72], 14)
        return Melody.from_pitches([(int(pitch), 12) for pitch in pitches], key=Key(), title=title)

    chords = Melody.from_pitches([((60, 64, 67), 48), (None, 24)])

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
        verdicts=[
            Remark("lstm", f"it copies {HOSTILE}", "bad"),
            Remark("lstm+rl", "no number tells it from people's melodies (0 of 4)", "good"),
            Remark("lstm and lstm+rl", "3 of 4 numbers differ"),
        ],
        differences=[
            Difference("human", "lstm", "in_motif", -0.09, 0.0005, 0.002),
            Difference("human", "lstm", "distinct_4", 0.04, 0.2, 0.4),
            Difference("human", "lstm", "leaps_resolved", None, reason=f"nothing to count {HOSTILE}"),
            Difference("lstm", "lstm+rl", "kl_per_step", 0.55, 0.01, 0.02),
        ],
        distributions=[
            Distribution("range", f"Range {HOSTILE}$", "semitones", {
                name: rng.integers(5, 25, 80).astype(float) for name in ("human", "lstm", "lstm+rl")
            }),
            Distribution("repeated", "Repeated", "", {name: rng.random(80) for name in ("lstm", "human", "lstm+rl")}),
        ],
        similarity=[
            self_similarity(name, GridEncoding().line(rng.choice([0, 1, 14, 16, 18], (20, 128))), Context())
            for name in ("human", "lstm", "lstm+rl")
        ],
        copies=[passage("", 6, "lstm+rl", None), passage(HOSTILE, 12), passage("The Hag", 9, melody=1)],
        two_sample=two_sample(),
        method=[f"Whole pieces are permuted. {HOSTILE}"],
        hashes={f"corpus {HOSTILE}": "9f" * 32},
    )  # fmt: skip
