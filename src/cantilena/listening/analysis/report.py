"""The report of an analysis: an HTML page, CSV tables, JSON and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.listening.analysis.analysis import OPTIONAL_RATINGS, Analysis, ArmResult
from cantilena.listening.analysis.text import (
    SIMULATED,
    decimal,
    describe_method,
    describe_paper_score,
    describe_screening,
    describe_test,
    headline,
    number,
    p_text,
    percent,
)
from cantilena.metrics import Interval
from cantilena.reporting import csv_table, figures
from cantilena.runtime import check_folder, json_text, write_bytes, write_text

_UNDEFINED = "the arm `human` is the reference of the others, or nobody answered"

CAPTIONS = {
    "arms": "The share of trials in which each arm was called human, with 95 % intervals; dotted: human clips.",
    "curves": "Each point is a level of confidence; an arm on the dotted diagonal cannot be told from human clips.",
    "listeners": "Each line is a listener: how often they called each arm human.",
    "clips": "Each point is a clip with its 95 % interval, sorted within each arm.",
}
"""Captions of the figures, by name."""


def write_report(analysis: Analysis, out: Path, *, force: bool = False) -> dict[str, Path]:
    """Write `report.html`, `results.json`, four CSV tables and four figures, and return their paths by name.

    Raises:
        RunError: the report exists and `force` is off.
        InputError: a file cannot be written.
    """
    check_folder(out, force=force)
    drawings = report_figures(analysis)
    contents: dict[str, str | bytes] = {
        **{f"{name}.png": figures.png_bytes(figure) for name, figure in drawings.items()},
        "report.html": report_html(analysis, drawings),
        "results.json": json_text(analysis_json(analysis)),
        **{f"{name}.csv": table for name, table in csv_tables(analysis).items()},
    }
    for name, content in contents.items():
        if isinstance(content, bytes):
            write_bytes(out / name, content, overwrite=force)
        else:
            write_text(out / name, content, overwrite=force)
    return {name: out / name for name in contents}


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """Return the contents of `results.json`; an undefined value is null, with a reason beside it."""
    screened, model = analysis.screened, analysis.model
    return {
        "study": analysis.study.digest,
        "preset": analysis.study.preset,
        "simulated": analysis.simulated,
        **({"note": SIMULATED} if analysis.simulated else {}),
        "listeners": len(analysis.listeners),
        "answers": len(screened.trials),
        "arms": {arm.name: _arm_json(arm) for arm in analysis.arms},
        "claims": _tests_json(analysis),
        "model": {
            "beta": dict(zip(model.arms, model.beta.tolist(), strict=True)),
            "sd_listener": model.sd_listener,
            "sd_clip": model.sd_clip,
            "log_likelihood": model.log_likelihood,
        },
        "screening": {
            "left_out": screened.excluded_listeners,
            "dropped": screened.excluded_trials,
            "anchors_called_human": list(screened.anchors),
            "repeats_answered_alike": list(screened.repeats),
        },
    }


def _arm_json(arm: ArmResult) -> dict[str, Any]:
    return {
        "trials": arm.trials,
        "called_human": arm.called_human,
        "share": _interval_json(arm.share),
        "share_as_if_independent": _interval_json(arm.wilson),
        "design_effect": arm.design_effect,
        "share_by_model": _interval_json(arm.model_share),
        "d_prime": _interval_json(arm.d_prime),
        "criterion": _interval_json(arm.criterion),
        "area": _interval_json(arm.auc),
        "clips": arm.clips,
        "clips_passed": arm.passed,
        "passed_of_ten": arm.passed_of_ten,
        "turing_score": round(arm.share.value, 1),
        "paper": describe_paper_score(arm),
        **{name: _interval_json(value) for name, value in arm.ratings.items()},
    }


def _tests_json(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "kind": test.kind,
            "arm": test.arm,
            "beside": test.other,
            **_interval_json(test.effect),
            "p": test.p,
            "p_model": test.p_model,
            "p_resampled": test.p_bootstrap,
            "p_holm": test.p_holm,
            "stands": test.significant,
            "words": describe_test(test),
        }
        for test in analysis.tests
    ]


def _interval_json(interval: Interval) -> dict[str, Any]:
    values = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {**dict.fromkeys(values), "reason": _UNDEFINED} if math.isnan(interval.value) else values


def csv_tables(analysis: Analysis) -> dict[str, str]:
    """Return the CSV tables by name: `arms`, `claims`, `listeners`, `clips`."""
    arms, bounds = analysis.study.arms, ("value", "low", "high")
    values: list[Sequence[Any]] = []
    for arm in analysis.arms:
        for name, value in _arm_json(arm).items():
            if isinstance(value, dict):
                values.append((arm.name, name, *map(value.get, bounds)))
            elif isinstance(value, int | float):
                values.append((arm.name, name, value, None, None))
    keys = ("kind", "arm", "beside", *bounds, "p", "p_model", "p_resampled", "p_holm", "stands")
    claims = [[int(claim[key]) if key == "stands" else claim[key] for key in keys] for claim in _tests_json(analysis)]
    listeners = [
        (listener.name, listener.years_of_training, arm, trials, human, listener.d_prime)
        for listener in analysis.listeners
        for arm, trials, human in zip(arms, listener.trials, listener.called_human, strict=True)
    ]
    clips = [
        (clip.clip, clip.arm, clip.source, clip.trials, clip.called_human, *astuple(clip.share))
        for clip in analysis.clips
    ]
    return {
        "arms": csv_table(("arm", "number", *bounds), values),
        "claims": csv_table(("claim", *keys[1:]), claims),
        "listeners": csv_table(
            ("listener", "years_of_training", "arm", "trials", "called_human", "d_prime"), listeners
        ),
        "clips": csv_table(("clip", "arm", "source", "trials", "called_human", "share", "low", "high"), clips),
    }


def report_figures(analysis: Analysis) -> dict[str, figures.Figure]:
    """Draw the figures of a report by name: `arms`, `curves`, `listeners`, `clips`."""
    arms = analysis.study.arms
    counts = np.array([[listener.trials, listener.called_human] for listener in analysis.listeners], np.float64)
    shares = np.full((len(counts), len(arms)), np.nan)
    np.divide(counts[:, 1], counts[:, 0], out=shares, where=counts[:, 0] > 0)
    return {
        "arms": figures.called_human(arms, [arm.share for arm in analysis.arms]),
        "curves": figures.confidence_curves(arms, analysis.ratings),
        "listeners": figures.by_listener(arms, shares),
        "clips": figures.by_clip(arms, [[clip.share for clip in analysis.clips if clip.arm == arm] for arm in arms]),
    }


def report_html(analysis: Analysis, drawings: dict[str, figures.Figure]) -> str:
    """Return the page, which needs no script and no other file."""
    environment = Environment(
        loader=PackageLoader("cantilena.listening"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "number": number, "decimal": decimal, "p_text": p_text}
    css = "".join(
        (resources.files(package) / "templates" / name).read_text(encoding="utf-8")
        for package, name in (("cantilena.reporting", "report.css"), ("cantilena.listening", "listening.css"))
    )
    lines = headline(analysis)
    template = environment.get_template("listening.html")
    return template.render(
        analysis=analysis,
        version=__version__,
        css=Markup(css),  # noqa: S704  (from the package)
        simulated=SIMULATED if analysis.simulated else "",
        headline=lines[1:] if analysis.simulated else lines,
        figures={
            name: {"svg": Markup(figures.svg_text(figure, name)), "caption": CAPTIONS[name]}  # noqa: S704  (drawn here)
            for name, figure in drawings.items()
        },
        rated=[name for name in OPTIONAL_RATINGS if any(arm.ratings[name].value > 0 for arm in analysis.arms)],
        paper=[describe_paper_score(arm) for arm in analysis.arms],
        screening=describe_screening(analysis),
        method=describe_method(analysis),
    )
