"""From a run to what its report is made of."""

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
from cantilena.runtime import generator, options_record, versions
from cantilena.workflows.data import Material
from cantilena.workflows.evaluate.compare import EvalResults
from cantilena.workflows.evaluate.report import METHOD, distributions
from cantilena.workflows.evaluate.verdicts import TONES
from cantilena.workflows.reproduce.models import MadeModel, tuning_history
from cantilena.workflows.reproduce.options import STEPS, Plan, ReproduceOptions


@dataclass(frozen=True)
class Findings:
    """What was found out, beside the numbers of each system.

    Args:
        judged: differences, verdicts, and what was counted in each melody.
        similarity: how melodies are like themselves.
        copies: what those that can be heard have copied.
    """

    judged: EvalResults
    similarity: Sequence[SelfSimilarity]
    copies: Sequence[CopiedPassage]


def report_data(
    results: Mapping[str, Any],
    findings: Findings,
    heard: Mapping[str, Sequence[Melody]],
    descriptions: Mapping[str, str],
    made: Mapping[str, MadeModel],
    material: Material,
    corpus: Mapping[str, Any],
    options: ReproduceOptions,
    what: Plan,
    seconds: Mapping[str, float],
) -> ReportData:
    """Gather everything that the report tells."""
    trained = [name for name in made if not name.endswith("+rl")]
    tuned = [name for name in made if name.endswith("+rl")]
    return ReportData(
        results=results,
        melodies=[
            SystemMelodies(name, descriptions[name], melodies, f"melodies/{name}") for name, melodies in heard.items()
        ],
        curves=[_curve(name, made[name]) for name in trained],
        rewards=[_rewards(name, made[name]) for name in tuned],
        probabilities=[_probabilities(name, made[name], material, options) for name in ("lstm", "lstm+rl")],
        verdicts=[Remark(one.system, one.text, TONES[one.kind]) for one in findings.judged.verdicts],
        differences=findings.judged.differences,
        distributions=distributions(
            {name: findings.judged.counts[name] for name in _OVERLAID if name in findings.judged.counts}
        ),
        similarity=findings.similarity,
        copies=findings.copies,
        method=METHOD,
        hashes={str(corpus.get("name", "corpus")): str(corpus.get("sha256", ""))},
        corpus=corpus,
        options={
            "run": options_record(options),
            "network": options_record(what.network),
            "training": options_record(what.training),
            "tuning": options_record(what.tuning),
        },
        seeds={"run": options.seed},
        versions=versions(),
        timings=seconds,
    )


_OVERLAID = ("human", "lstm", "lstm+rl")
"""Whose distributions are drawn over one another."""


def _curve(name: str, model: MadeModel) -> TrainingCurve:
    history = model.facts["history"]
    return TrainingCurve(name, [entry["train"] for entry in history], [entry["valid"] for entry in history])


def _rewards(name: str, model: MadeModel) -> RewardHistory:
    history = tuning_history(model.facts)
    told = history.accuracy
    return RewardHistory(name, history.environment_steps, history.terms, history.log_p, history.kl, accuracy=told)


def _probabilities(name: str, model: MadeModel, material: Material, options: ReproduceOptions) -> NoteProbabilities:
    """What the model thought at each step of one melody of its own: the paper's figures 8 and 9."""
    sequence, bars = model.bundle.model(), Bars.common_time(1)
    uniforms = generator(options.seed, "figure", name).random((1, STEPS))
    tokens = sample(sequence, uniforms, bars=bars).tokens
    log_probs = np.asarray(to_numpy(log_probs_with_bars(sequence, tokens, bars)), dtype=np.float64)[0]
    return NoteProbabilities(name, np.exp(log_probs), material.encoding.vocabulary, tokens[0].tolist())
