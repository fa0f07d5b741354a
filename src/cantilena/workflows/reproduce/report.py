"""The data of the report of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cantilena.generation import sample
from cantilena.metrics import SelfSimilarity
from cantilena.models import Bars, log_probs_with_bars, to_numpy
from cantilena.music import Melody
from cantilena.reporting import (
    CopiedPassage,
    NoteProbabilities,
    Remark,
    ReportData,
    RewardHistory,
    SystemMelodies,
    TrainingCurve,
)
from cantilena.rl import TuningHistory
from cantilena.runtime import generator, options_record, versions
from cantilena.workflows.evaluate.compare import EvalResults
from cantilena.workflows.evaluate.report import METHOD, distributions
from cantilena.workflows.evaluate.verdicts import TONES
from cantilena.workflows.reproduce.options import STEPS, Plan, ReproduceOptions
from cantilena.workflows.runs import TrainedModel

_OVERLAID = ("human", "lstm", "lstm+rl")
"""Systems whose distributions are drawn over one another."""


@dataclass(frozen=True)
class Findings:
    """What a run made and measured.

    Args:
        results: as in `results.json`.
        judged: differences, verdicts, and the counts of each melody.
        heard: the melodies to listen to, by system.
        descriptions: of the systems.
        models: by name.
        similarity: self-similarity of melodies.
        copies: copied passages of the melodies to listen to.
        corpus: facts of the corpus.
    """

    results: Mapping[str, Any]
    judged: EvalResults
    heard: Mapping[str, Sequence[Melody]]
    descriptions: Mapping[str, str]
    models: Mapping[str, TrainedModel]
    similarity: Sequence[SelfSimilarity]
    copies: Sequence[CopiedPassage]
    corpus: Mapping[str, Any]


def report_data(
    findings: Findings, options: ReproduceOptions, settings: Plan, seconds: Mapping[str, float]
) -> ReportData:
    """Gather everything that the report shows."""
    judged, models, corpus = findings.judged, findings.models, findings.corpus
    tuned = {name: model for name, model in models.items() if name.endswith("+rl")}
    trained = {name: model for name, model in models.items() if name not in tuned}
    return ReportData(
        results=findings.results,
        melodies=[
            SystemMelodies(name, findings.descriptions[name], melodies, f"melodies/{name}")
            for name, melodies in findings.heard.items()
        ],
        curves=[_curve(name, model.report["history"]) for name, model in trained.items()],
        rewards=[_rewards(name, TuningHistory(**model.report["history"])) for name, model in tuned.items()],
        probabilities=[_probabilities(name, models[name], options.seed) for name in ("lstm", "lstm+rl")],
        verdicts=[Remark(one.system, one.text, TONES[one.kind]) for one in judged.verdicts],
        differences=judged.differences,
        distributions=distributions({name: judged.counts[name] for name in _OVERLAID if name in judged.counts}),
        similarity=findings.similarity,
        copies=findings.copies,
        method=METHOD,
        hashes={str(corpus.get("name", "corpus")): str(corpus.get("sha256", ""))},
        corpus=corpus,
        options={
            "run": options_record(options),
            "network": options_record(settings.network),
            "training": options_record(settings.training),
            "tuning": options_record(settings.tuning),
        },
        seeds={"run": options.seed},
        versions=versions(),
        timings=seconds,
    )


def _curve(name: str, history: Sequence[Mapping[str, float]]) -> TrainingCurve:
    return TrainingCurve(name, [entry["train"] for entry in history], [entry["valid"] for entry in history])


def _rewards(name: str, history: TuningHistory) -> RewardHistory:
    return RewardHistory(
        name, history.environment_steps, history.terms, history.log_p, history.kl, accuracy=history.accuracy
    )


def _probabilities(name: str, model: TrainedModel, seed: int) -> NoteProbabilities:
    """The probabilities at each step of one melody of the model: the paper's figures 8 and 9."""
    sequence, bars = model.bundle.model(), Bars.common_time(1)
    tokens = sample(sequence, generator(seed, "figure", name).random((1, STEPS)), bars=bars).tokens
    log_probs = np.asarray(to_numpy(log_probs_with_bars(sequence, tokens, bars)), dtype=np.float64)[0]
    return NoteProbabilities(name, np.exp(log_probs), model.bundle.encoding.vocabulary, tokens[0].tolist())
