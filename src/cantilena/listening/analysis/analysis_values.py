"""The analysis for other programs: one object of JSON values, and tables as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cantilena.listening.analysis.analysis import Analysis, ArmNumbers
from cantilena.listening.analysis.text import SIMULATED, claim_words, papers_words
from cantilena.metrics import Interval
from cantilena.reporting import csv_table

_UNDEFINED = "people's clips are what the others are held beside, or nobody answered"


def analysis_values(analysis: Analysis) -> dict[str, Any]:
    """The object of results.json; an undefined number is null with a reason beside it."""
    screened, model = analysis.screened, analysis.model
    return {
        "study": analysis.study.digest,
        "preset": analysis.study.preset,
        "simulated": analysis.simulated,
        **({"note": SIMULATED} if analysis.simulated else {}),
        "listeners": len(analysis.listeners),
        "answers": len(screened.trials),
        "arms": {arm.name: _arm(arm) for arm in analysis.arms},
        "claims": [
            {
                "kind": claim.kind,
                "arm": claim.one,
                "beside": claim.other,
                **_interval(claim.size),
                "p": claim.p,
                "p_model": claim.p_model,
                "p_resampled": claim.p_resampled,
                "p_holm": claim.adjusted,
                "stands": claim.stands,
                "words": claim_words(claim),
            }
            for claim in analysis.claims
        ],
        "model": {
            "beta": dict(zip(model.arms, model.beta.tolist(), strict=True)),
            "sd_listener": model.sd_listener,
            "sd_clip": model.sd_clip,
            "log_likelihood": model.log_likelihood,
        },
        "screening": {
            "left_out": screened.left_out,
            "dropped": screened.dropped,
            "anchors_called_human": list(screened.anchors),
            "repeats_answered_alike": list(screened.repeats),
        },
    }


def arms_csv(analysis: Analysis) -> str:
    """A row an arm and number: value, low, high."""
    rows: list[Sequence[Any]] = []
    for arm in analysis.arms:
        for name, value in _arm(arm).items():
            if isinstance(value, dict) and "value" in value:
                rows.append((arm.name, name, value["value"], value["low"], value["high"]))
            elif isinstance(value, int | float):
                rows.append((arm.name, name, value, None, None))
    return csv_table(("arm", "number", "value", "low", "high"), rows)


def claims_csv(analysis: Analysis) -> str:
    """A row a claim."""
    return csv_table(
        ("claim", "arm", "beside", "value", "low", "high", "p", "p_model", "p_resampled", "p_holm", "stands"),
        (
            (one.kind, one.one, one.other, one.size.value, one.size.low, one.size.high, one.p, one.p_model,
             one.p_resampled, one.adjusted, int(one.stands))
            for one in analysis.claims
        ),
    )  # fmt: skip


def listeners_csv(analysis: Analysis) -> str:
    """A row a listener and arm; d' is of people's clips from all others together."""
    return csv_table(
        ("listener", "years_of_training", "arm", "trials", "called_human", "d_prime"),
        (
            (one.name, one.years_of_training, arm, heard, human, one.d_prime)
            for one in analysis.listeners
            for arm, heard, human in zip(analysis.study.arms, one.trials, one.called_human, strict=True)
        ),
    )


def clips_csv(analysis: Analysis) -> str:
    """A row a clip."""
    return csv_table(
        ("clip", "arm", "source", "trials", "called_human", "share", "low", "high"),
        (
            (
                one.clip,
                one.arm,
                one.source,
                one.trials,
                one.called_human,
                one.share.value,
                one.share.low,
                one.share.high,
            )
            for one in analysis.clips
        ),
    )


def _arm(arm: ArmNumbers) -> dict[str, Any]:
    return {
        "trials": arm.trials,
        "called_human": arm.called_human,
        "share": _interval(arm.share),
        "share_as_if_independent": _interval(arm.wilson),
        "design_effect": arm.design_effect,
        "share_by_model": _interval(arm.model_share),
        "d_prime": _interval(arm.d_prime),
        "criterion": _interval(arm.criterion),
        "area": _interval(arm.area),
        "clips": arm.clips,
        "clips_passed": arm.passed,
        "passed_of_ten": arm.of_ten,
        "turing_score": round(arm.share.value, 1),
        "paper": papers_words(arm),
        **{name: _interval(value) for name, value in arm.ratings.items()},
    }


def _interval(interval: Interval) -> dict[str, Any]:
    values = {"value": interval.value, "low": interval.low, "high": interval.high}
    if math.isnan(interval.value):
        return {**dict.fromkeys(values), "reason": _UNDEFINED}
    return values
