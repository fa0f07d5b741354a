"""The figures: what models think of the next note, how they learned, and where they stand.

Drawn with matplotlib's figure objects alone: no global state, no window, the same bytes for the same numbers. Each can
be had as PNG, to keep, and as SVG whose lines take the colours of the page that it stands in.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure as Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from cantilena.evaluation.metric_catalogue import words_of
from cantilena.evaluation.metric_words import MetricWords
from cantilena.evaluation.report_data import NoteProbabilities, RewardHistory, TrainingCurve

_INK, _LINE = "#1f2430", "#d4d7dd"
"""Text and axes; grid. In a page they become its own (see `svg_text`)."""

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _LINE,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": _INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "cantilena",
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}

_COLOURS = {
    "human": _INK,
    "oracle": "#8b919b",
    "random-top10": "#b39d82",
    "rnn": "#9079b8",
    "ngram": "#4f9f76",
    "lstm": "#3a80c2",
    "lstm+rl": "#df5f35",
    "lstm-greedy": "#6fb0de",
    "lstm-events": "#2b9a9c",
    "lstm-events+rl": "#c58a1e",
}
_OTHERS = ("#c2577f", "#7c8f2f", "#5b6fd6", "#a0522d")
_CYCLE = ("#3a80c2", "#df5f35", "#4f9f76", "#9079b8", "#c58a1e", "#2b9a9c", "#c2577f", "#7c8f2f", "#8b919b", "#5b6fd6")

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

_SHOWN_CLASSES = 48
"""A vocabulary larger than this is shown by its most probable tokens."""


def note_probabilities(seen: NoteProbabilities) -> Figure:
    """What a model thought at each step of a melody, and what it took: the paper's figures 8 and 9.

    Args:
        seen: the probabilities, their classes and the tokens taken.
    """
    probabilities = np.asarray(seen.probabilities, dtype=np.float64)
    steps, classes = probabilities.shape
    tokens = np.asarray(seen.tokens, dtype=np.int64)
    rows, which = np.arange(classes), "each token"
    if classes > _SHOWN_CLASSES:
        weight = probabilities.sum(axis=0) + np.bincount(tokens, minlength=classes)
        rows = np.sort(np.argsort(-weight, kind="stable")[:_SHOWN_CLASSES])
        which = f"the {_SHOWN_CLASSES} likeliest of {classes} tokens"
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(max(6.0, min(1.6 + 0.16 * steps, 12.0)), 1.1 + 0.13 * len(rows)))
        axes = figure.subplots()
        axes.grid(visible=False)
        image = axes.imshow(
            probabilities[:, rows].T,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            cmap="magma",
            norm=PowerNorm(0.5, vmin=0.0, vmax=1.0),
        )
        place = {int(row): index for index, row in enumerate(rows)}
        taken = [(step, place[token]) for step, token in enumerate(tokens.tolist()) if token in place]
        axes.plot(*zip(*taken, strict=True), "o", markersize=4, markerfacecolor="none", markeredgecolor="#58d3c4")
        axes.set_yticks(range(len(rows)), [_text(seen.classes[row]) for row in rows.tolist()], fontsize=6.5)
        axes.set(xlabel="step", title=_text(f"{seen.name}: probability of {which}; circles mark what was taken"))
        figure.colorbar(image, ax=axes, pad=0.01, ticks=[0, 0.01, 0.1, 0.25, 0.5, 1]).outline.set_visible(False)
    return figure


def learning_curves(curves: Sequence[TrainingCurve]) -> Figure:
    """How well networks predicted, epoch by epoch: held-out pieces drawn out, training pieces dashed."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.0, 3.4))
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            colour = _colour(curve.name, number)
            axes.plot(range(1, len(curve.train) + 1), curve.train, "--", color=colour, linewidth=1.2)
            axes.plot(range(1, len(curve.valid) + 1), curve.valid, color=colour, label=_text(curve.name))
        axes.set(xlabel="epoch", ylabel="nats a step", title="Surprise at held-out (—) and training pieces (- -)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return figure


def reward_history(history: RewardHistory) -> Figure:
    """Rewards while tuning, split by rule, and how far the model moved: the paper's figure 10."""
    steps = np.asarray(history.steps, dtype=np.float64)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, 5.6))
        rules, distance = figure.subplots(2, 1, sharex=True, height_ratios=(5, 2))
        for number, (name, term) in enumerate(history.terms.items()):
            rules.plot(steps, term, color=_CYCLE[number % len(_CYCLE)], linewidth=1.2, label=_text(_plain(name)))
        if history.terms:
            rules.plot(steps, history.total, color=_INK, linewidth=2.0, label="all rules")
            rules.set_yscale("symlog", linthresh=10)
            rules.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
        rules.axhline(0, color=_INK, linewidth=0.6)
        rules.set(ylabel="reward a melody", title=_text(f"{history.name}: rewards by rule while tuning"))
        for values, label, colour in ((history.log_p, "log p", _CYCLE[0]), (history.kl, "KL", _CYCLE[1])):
            if len(values):
                distance.plot(steps, values, color=colour, linewidth=1.4, label=label)
        distance.set(xlabel="environment steps", ylabel="nats a step")
        distance.xaxis.set_major_locator(MaxNLocator(6))
        distance.xaxis.set_major_formatter(FuncFormatter(_short))
        if len(history.log_p) or len(history.kl):
            distance.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure


def watched_looks(looks: Sequence[Mapping[str, Any]]) -> Figure:
    """What the watch saw while tuning: diversity, entropy and KL, holds and rests, beside people's; alarms marked.

    Args:
        looks: in order, each with `update`, `distinct_4`, `vendi`, `entropy`, `kl`, `holds`, `rests`, `reference` and
            `alarms`.
    """
    updates = [look["update"] for look in looks]
    alarmed = [look["update"] for look in looks if look["alarms"]]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 2.8))
        panels = figure.subplots(1, 3)
        for axes, (title, names) in zip(panels, _LOOKED_AT.items(), strict=True):
            for number, name in enumerate(names):
                axes.plot(updates, _numbers(look[name] for look in looks), color=_CYCLE[number], label=_plain(name))
                beside = _numbers(look["reference"].get(name) for look in looks)
                if not np.isnan(beside).all():
                    axes.plot(updates, beside, ":", color=_CYCLE[number], linewidth=1.0)
            for update in alarmed:
                axes.axvline(update, color=_CYCLE[1], alpha=0.25, linewidth=3)
            axes.set(title=title, xlabel="updates")
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=8)
        figure.supxlabel("dotted: people's melodies; bars: an alarm", fontsize=8)
    return figure


_LOOKED_AT = {"Diversity": ("distinct_4",), "Nats a step": ("kl", "entropy"), "Share of steps": ("holds", "rests")}


def frontier_panels(systems: Mapping[str, Any]) -> Figure:
    """How much reward, and how much diversity, each way to compose has at its distance from the untuned model.

    Args:
        systems: by name, each with its `curve` (those of one curve are joined), `reward` a melody, and the metrics
            `kl_per_step` and `distinct_4`; people's melodies, whose distance nobody knows, are drawn as a line.
    """
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for system in systems.values():
        kl, diversity = _measured(system, "kl_per_step"), _measured(system, "distinct_4")
        if kl is not None and diversity is not None:
            curves.setdefault(system["curve"], []).append((kl[0], system["reward"], diversity[0]))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 4.0))
        panels = figure.subplots(1, 2)
        for axes, column, label in ((panels[0], 1, "reward a melody"), (panels[1], 2, "distinct-4")):
            for number, (name, points) in enumerate(curves.items()):
                rows = sorted(points)
                axes.plot(
                    [row[0] for row in rows],
                    [row[column] for row in rows],
                    marker="o" if len(rows) > 1 else "D",
                    markersize=5,
                    linewidth=1.2,
                    color=_CYCLE[number % len(_CYCLE)],
                    label=_text(name),
                )
            axes.set(xlabel="KL divergence from the untuned model, nats a step", ylabel=label)
        human = systems.get("human")
        if human is not None:
            panels[0].axhline(human["reward"], color=_INK, linewidth=0.8, linestyle=":", label="people")
            diversity = _measured(human, "distinct_4")
            if diversity is not None:
                panels[1].axhline(diversity[0], color=_INK, linewidth=0.8, linestyle=":", label="people")
        panels[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def metric_panels(systems: Mapping[str, Any], metrics: Sequence[str]) -> Figure:
    """Each metric as a panel, each system as a point with its interval; a line marks the human value.

    Args:
        systems: as in results.json.
        metrics: which, in order.
    """
    names, across = list(systems), 3
    down = -(-len(metrics) // across)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, down * (0.65 + 0.2 * len(names))))
        panels = np.atleast_1d(figure.subplots(down, across, sharey=True)).reshape(-1)
        for axes, metric in zip(panels, metrics, strict=False):
            _metric_panel(axes, systems, words_of(metric))
        for axes in panels[len(metrics) :]:
            axes.set_axis_off()
        panels[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def rules_and_diversity(systems: Mapping[str, Any], rule: str = "in_motif", diversity: str = "distinct_4") -> Figure:
    """A rule that can be had by collapse, against the diversity that collapse costs.

    A system that always plays one good melody sits high at the left: only the right half is worth having.

    Args:
        systems: as in results.json.
        rule: the metric that goes up.
        diversity: the metric that goes right.
    """
    up, right = words_of(rule), words_of(diversity)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.0, 4.2))
        axes = figure.subplots()
        for number, (name, system) in enumerate(systems.items()):
            across, high = _measured(system, diversity), _measured(system, rule)
            if across is None or high is None:
                continue
            axes.errorbar(
                across[0], high[0], xerr=_arms(across), yerr=_arms(high), fmt="o", color=_colour(name, number),
                markersize=7, elinewidth=1.0, label=_text(name),
            )  # fmt: skip
        human = _measured(systems.get("human", {}), diversity)
        if human is not None:
            axes.axvline(0.9 * human[0], color=_INK, linewidth=0.8, linestyle=":")
            axes.annotate(
                "90 % of human diversity", (0.9 * human[0], 0.02), xycoords=("data", "axes fraction"), rotation=90,
                xytext=(-4, 0), textcoords="offset points", ha="right", va="bottom", fontsize=8,
            )  # fmt: skip
        axes.set(xlabel=right.label, ylabel=up.label, xlim=(0, None), ylim=(0, None))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        axes.set_title(f"{up.label} beside {right.label.lower()}")
        for axis, words in ((axes.xaxis, right), (axes.yaxis, up)):
            axis.set_major_formatter(FuncFormatter(_ticks(words)))
    return figure


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG on white, to keep beside the report."""
    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        _settle(figure)
        figure.savefig(file, format="png", dpi=150, facecolor="white", metadata={"Software": None})
    return file.getvalue()


def svg_text(figure: Figure, name: str) -> str:
    """A figure as an SVG element that can stand in a page: its ink is the page's, its ids carry its name.

    Args:
        figure: what to draw.
        name: a word that no other figure of the page has.
    """
    file = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        _settle(figure)
        figure.savefig(file, format="svg", dpi=150, transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor").replace(_LINE, "var(--line, #d4d7dd)")
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    head = f'<svg xmlns="{_SVG}" xmlns:xlink="{_XLINK}" style="--width: {110 * figure.get_figwidth():.0f}px"'
    svg = re.sub(r'<svg\b[^>]*?( viewBox="[^"]*")[^>]*>', rf"{head}\1>", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)


def _settle(figure: Figure) -> None:
    """Lay a figure out once and for all: it takes longer than drawing."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")


def _metric_panel(axes: Axes, systems: Mapping[str, Any], words: MetricWords) -> None:
    human = _measured(systems.get("human", {}), words.name)
    if human is not None:
        axes.axvline(human[0], color=_INK, linewidth=0.8, linestyle=":")
    for number, (name, system) in enumerate(systems.items()):
        measured = _measured(system, words.name)
        if measured is not None:
            axes.errorbar(
                measured[0], number, xerr=_arms(measured), fmt="o", color=_colour(name, number), markersize=5,
                elinewidth=1.4,
            )  # fmt: skip
    axes.set_yticks(range(len(systems)), [_text(name) for name in systems], fontsize=8.5)
    axes.set_title(f"{words.label} {words.sign}".strip(), fontsize=9)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(_ticks(words)))
    axes.locator_params(axis="x", nbins=4)
    if words.unit == "share":
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -0.04), min(max(high, 0.01), 1.04))


def _measured(system: Mapping[str, Any], metric: str) -> tuple[float, float, float] | None:
    """A metric's value, low and high; None where it is undefined."""
    entry = system.get("metrics", {}).get(metric) or {}
    value = entry.get("value")
    if value is None:
        return None
    low, high = entry.get("low"), entry.get("high")
    return float(value), float(value if low is None else low), float(value if high is None else high)


def _arms(measured: tuple[float, float, float]) -> list[list[float]]:
    value, low, high = measured
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def _ticks(words: MetricWords) -> Any:  # noqa: ANN401  (what matplotlib asks for)
    if words.unit == "share":
        return lambda value, _: f"{100 * value:.3g} %"
    return lambda value, _: f"{value:.3g}"


def _short(value: float, _: int) -> str:
    """A count as axes show it: 250k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _colour(name: str, number: int) -> str:
    return _COLOURS.get(name, _OTHERS[number % len(_OTHERS)])


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _text(text: str) -> str:
    """Text that matplotlib takes literally: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")
