"""The report of a listening test: a page, tables for other programs, and figures to keep.

The analysis for other programs: one object of JSON values, and tables as CSV.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.listening.analysis.analysis import Analysis, ArmNumbers
from cantilena.listening.analysis.text import (
    SIMULATED,
    claim_words,
    headline,
    number,
    p_words,
    papers_words,
    percent,
    screening_words,
)
from cantilena.metrics import Interval
from cantilena.reporting import csv_table, figures
from cantilena.runtime import check_folder, json_text, write_bytes, write_text

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


CAPTIONS = {
    "arms": "The share of trials in which each arm was called human, with 95 % intervals; dotted: people's own.",
    "curves": "Each point is a step of confidence; on the dotted diagonal an arm cannot be told from people's clips.",
    "listeners": "A line is a listener: how often each arm was called human.",
    "clips": "A point is a clip with its 95 % interval, the clips of an arm in order.",
}
"""What stands under each figure, by name."""


def write_report(analysis: Analysis, out: Path, *, force: bool = False) -> dict[str, Path]:
    """Write `report.html`, `results.json`, four CSV tables and four figures.

    Args:
        analysis: what it tells.
        out: the folder; made if missing.
        force: replace a report that is there.

    Returns:
        Where each file is, by name.

    Raises:
        RunError: something is there and `force` is off.
        InputError: the disk said no.
    """
    check_folder(out, force=force)
    drawn = drawings(analysis)
    texts: dict[str, Callable[[], str]] = {
        "report.html": lambda: page(analysis, drawn),
        "results.json": lambda: json_text(analysis_values(analysis)),
        "arms.csv": lambda: arms_csv(analysis),
        "claims.csv": lambda: claims_csv(analysis),
        "listeners.csv": lambda: listeners_csv(analysis),
        "clips.csv": lambda: clips_csv(analysis),
    }
    written = {}
    for name, figure in drawn.items():
        written[f"{name}.png"] = out / f"{name}.png"
        write_bytes(out / f"{name}.png", figures.png_bytes(figure), overwrite=force)
    for name, text in texts.items():
        written[name] = out / name
        write_text(out / name, text(), overwrite=force)
    return written


def drawings(analysis: Analysis) -> dict[str, figures.Figure]:
    """The figures of a report by name: `arms`, `curves`, `listeners`, `clips`."""
    arms = analysis.study.arms
    counts = np.array([[one.trials, one.called_human] for one in analysis.listeners], np.float64)
    shares = np.full((len(counts), len(arms)), np.nan)
    np.divide(counts[:, 1], counts[:, 0], out=shares, where=counts[:, 0] > 0)
    return {
        "arms": figures.called_human(arms, [arm.share for arm in analysis.arms]),
        "curves": figures.confidence_curves(arms, analysis.ratings),
        "listeners": figures.by_listener(arms, shares),
        "clips": figures.by_clip(arms, [[one.share for one in analysis.clips if one.arm == arm] for arm in arms]),
    }


def page(analysis: Analysis, drawn: dict[str, figures.Figure]) -> str:
    """The page as HTML text, complete without a script and without another file.

    Args:
        analysis: what it tells.
        drawn: its figures.
    """
    environment = Environment(
        loader=PackageLoader("cantilena.listening"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    css = _template("reporting", "report.css") + _template("listening", "listening.css")
    said = headline(analysis)
    return environment.get_template(
        "listening.html"
    ).render(
        title=analysis.study.title,
        version=__version__,
        digest=analysis.study.digest,
        css=Markup(css),  # noqa: S704  (our own)
        simulated=SIMULATED if analysis.simulated else "",
        headline=said[1:] if analysis.simulated else said,
        figures={
            name: {"svg": Markup(figures.svg_text(figure, name)), "caption": CAPTIONS[name]}  # noqa: S704  (drawn by us)
            for name, figure in drawn.items()
        },
        margin=f"{100 * analysis.study.margin:g}",
        paper=[papers_words(arm) for arm in analysis.arms],
        screening=screening_words(analysis),
        method=method_words(analysis),
        **_tables(analysis),
    )


def method_words(analysis: Analysis) -> list[str]:
    """How the study was made and counted, a paragraph each."""
    study, model = analysis.study, analysis.model
    design = {
        "paper": "The paper's design: ten raters hear twenty clips, ten of people's and ten generated.",
        "full": "Single clips, human or computer, with four steps of confidence; negative anchors, a repeat, a check.",
    }
    found = [
        design.get(study.preset, study.preset),
        f"Mixed model: probit, listeners and clips as crossed random intercepts, by Laplace's approximation; standard "
        f"deviation of listeners {model.sd_listener:.2f}, of clips {model.sd_clip:.2f}.",
    ]
    accepted = study.checks.get("accepted")
    if isinstance(accepted, list) and accepted:
        found.append(
            f"The author let arms differ in {', '.join(map(str, accepted))}; what is told may be told by that."
        )
    return found


def _tables(analysis: Analysis) -> dict[str, Sequence[Any]]:
    arms = analysis.study.arms
    rated = [name for name in ("liking", "classical") if any(arm.ratings[name].value > 0 for arm in analysis.arms)]
    return {
        "arm_columns": (
            "arm", "trials", "called human", "Wilson, as if independent", "design effect", "mixed model", "d′", "c",
            "area", *rated,
        ),
        "arm_rows": [
            (
                arm.name, f"{arm.trials:,}", percent(arm.share), percent(arm.wilson), f"{arm.design_effect:.1f}",
                percent(arm.model_share), number(arm.d_prime), number(arm.criterion), number(arm.area),
                *(number(arm.ratings[name]) for name in rated),
            )
            for arm in analysis.arms
        ],
        "claim_columns": ("claim", "arm", "beside", "size", "p, model", "p, resampled", "after Holm", "stands"),
        "claim_rows": [
            (
                one.kind, one.one, one.other, percent(one.size), p_words(one.p_model), p_words(one.p_resampled),
                p_words(one.adjusted), "yes" if one.stands else "no",
            )
            for one in analysis.claims
        ],
        "listener_columns": ("listener", "years of training", *arms, "d′"),
        "listener_rows": [
            (
                one.name, "–" if one.years_of_training is None else f"{one.years_of_training:g}",
                *(f"{human} of {heard}" for human, heard in zip(one.called_human, one.trials, strict=True)),
                "–" if math.isnan(one.d_prime) else f"{one.d_prime:.2f}".replace("-", "−"),
            )
            for one in analysis.listeners
        ],
        "clip_columns": ("clip", "arm", "source", "called human"),
        "clip_rows": [
            (one.clip, one.arm, one.source, f"{one.called_human} of {one.trials}") for one in analysis.clips
        ],
    }  # fmt: skip


def _template(room: str, name: str) -> str:
    return (resources.files(f"cantilena.{room}") / "templates" / name).read_text(encoding="utf-8")
