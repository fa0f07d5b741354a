"""Systems by metric: values with intervals, rules against diversity, the frontier of tuning, the classifier test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from cantilena.metrics import Interval
from cantilena.metrics.registry import Metric, get_metric
from cantilena.reporting.data import HUMAN, read_interval
from cantilena.reporting.figures.style import (
    CYCLE,
    INK,
    PERCENT,
    Figure,
    colours_of,
    legend_right,
    literal,
    panels,
    styled,
)
from cantilena.reporting.sections import LengthRow


@styled
def metric_panels(systems: Mapping[str, Any], metrics: Sequence[str]) -> Figure:
    """Each metric as a panel, each system as a point with its interval; a line marks the human value."""
    names, across = list(systems), 3
    down = -(-len(metrics) // across)
    figure = Figure(figsize=(9.6, down * (0.65 + 0.2 * len(names))))
    grid = np.atleast_1d(figure.subplots(down, across, sharey=True)).reshape(-1)
    for axes, metric in zip(grid, metrics, strict=False):
        _metric_panel(axes, systems, get_metric(metric))
    for axes in grid[len(metrics) :]:
        axes.set_axis_off()
    grid[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def _metric_panel(axes: Axes, systems: Mapping[str, Any], metric: Metric) -> None:
    human = _measured(systems.get(HUMAN, {}), metric.name)
    if human is not None:
        axes.axvline(human.value, color=INK, linewidth=0.8, linestyle=":")
    colours = colours_of(systems)
    for number, (name, system) in enumerate(systems.items()):
        measured = _measured(system, metric.name)
        if measured is not None:
            axes.errorbar(
                measured.value, number, xerr=_arms(measured), fmt="o", color=colours[name], markersize=5,
                elinewidth=1.4,
            )  # fmt: skip
    axes.set_yticks(range(len(systems)), [literal(name) for name in systems], fontsize=8.5)
    axes.set_title(f"{metric.label} {metric.sign}".strip(), fontsize=9)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(_ticks(metric))
    axes.locator_params(axis="x", nbins=4)
    if metric.unit == "share":
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -0.04), min(max(high, 0.01), 1.04))


@styled
def rules_and_diversity(systems: Mapping[str, Any], rule: str = "in_motif", diversity: str = "distinct_4") -> Figure:
    """A rule that collapse can satisfy against the diversity that collapse costs.

    A system that always plays one good melody is at the top left: only the right half is of use.
    """
    up, right = get_metric(rule), get_metric(diversity)
    figure = Figure(figsize=(7.0, 4.2))
    axes = figure.subplots()
    colours = colours_of(systems)
    for name, system in systems.items():
        across, high = _measured(system, diversity), _measured(system, rule)
        if across is None or high is None:
            continue
        axes.errorbar(
            across.value, high.value, xerr=_arms(across), yerr=_arms(high), fmt="o", color=colours[name],
            markersize=7, elinewidth=1.0, label=literal(name),
        )  # fmt: skip
    human = _measured(systems.get(HUMAN, {}), diversity)
    if human is not None:
        axes.axvline(0.9 * human.value, color=INK, linewidth=0.8, linestyle=":")
        axes.annotate(
            "90 % of human diversity", (0.9 * human.value, 0.02), xycoords=("data", "axes fraction"), rotation=90,
            xytext=(-4, 0), textcoords="offset points", ha="right", va="bottom", fontsize=8,
        )  # fmt: skip
    axes.set(xlabel=right.label, ylabel=up.label, xlim=(0, None), ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_title(f"{up.label} against {right.label.lower()}")
    for axis, metric in ((axes.xaxis, right), (axes.yaxis, up)):
        axis.set_major_formatter(_ticks(metric))
    return figure


@styled
def frontier_panels(systems: Mapping[str, Any]) -> Figure:
    """Reward, diversity and separability of each way to compose against its KL divergence from the untuned model.

    Args:
        systems: by name, each with its `curve` (those of one curve are joined), `reward` a melody, `auc`, and the
            metrics `kl_per_step` and `distinct_4`; those without a KL divergence, such as human melodies, are lines.
    """
    labels = ("reward a melody", "distinct-4", "AUC, told from human melodies")
    known = {name: _frontier_values(system) for name, system in systems.items()}
    shown = [number for number in range(3) if any(values[number] is not None for values in known.values())]
    curves: dict[str, list[tuple[float, _Values]]] = {}
    for name, system in systems.items():
        if (kl := _measured(system, "kl_per_step")) is not None:
            curves.setdefault(system["curve"], []).append((kl.value, known[name]))
    figure = Figure(figsize=(1.6 + 4.0 * len(shown), 4.0))
    row = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, column in zip(row, shown, strict=True):
        for number, (name, points) in enumerate(curves.items()):
            places = sorted((kl, value) for kl, values in points if (value := values[column]) is not None)
            again = number >= len(CYCLE)  # where colours repeat, markers and lines differ
            axes.plot(
                [kl for kl, _ in places], [value for _, value in places],
                marker=("os" if len(places) > 1 else "D^")[again], linestyle="--" if again else "-", markersize=5,
                linewidth=1.2, color=CYCLE[number % len(CYCLE)], label=literal(name),
            )  # fmt: skip
        axes.set(xlabel="KL divergence from the untuned model, nats a step", ylabel=labels[column])
    for name, system in systems.items():
        if _measured(system, "kl_per_step") is None:
            style = ":" if name == HUMAN else "-."
            for axes, column in zip(row, shown, strict=True):
                level = _CHANCE if name == HUMAN and column == _AUC else known[name][column]
                if level is not None:
                    axes.axhline(level, color=INK, linewidth=0.8, linestyle=style, label=literal(name))
    legend_right(row[-1])
    return figure


_Values = tuple[float | None, float | None, float | None]
_AUC, _CHANCE = 2, 0.5
"""The place of the AUC in these, and that of human melodies."""


def _frontier_values(system: Mapping[str, Any]) -> _Values:
    """Reward, distinct-4 and AUC of a point."""
    diversity = _measured(system, "distinct_4")
    return system["reward"], None if diversity is None else diversity.value, system.get("auc", {}).get("value")


@styled
def accuracy_by_length(lengths: Mapping[str, Sequence[LengthRow]]) -> Figure:
    """The accuracy of the classifier two-sample test against the length of the excerpts in bars; half is chance.

    Args:
        lengths: by system, one row for each length; those without a number are left out.
    """
    known = sorted({row.bars for rows in lengths.values() for row in rows if row.accuracy is not None})
    place = {bars: number for number, bars in enumerate(known)}
    figure, (axes,) = panels(1, 1, (4.6, 2.4), left=0.6, right=1.5)
    axes.axhline(0.5, color=INK, linewidth=0.8, linestyle=":", label="chance")
    colours = colours_of([HUMAN, *lengths])
    for number, (name, rows) in enumerate(lengths.items()):
        shown = [(row.bars, row.accuracy) for row in rows if row.accuracy is not None]
        if not shown:
            continue
        offset = 0.05 * (number - (len(lengths) - 1) / 2)  # so that equal values do not hide each other
        arms = [_arms(one) for _, one in shown]
        axes.errorbar(
            [place[bars] + offset for bars, _ in shown], [one.value for _, one in shown],
            yerr=[[low for (low,), _ in arms], [high for _, (high,) in arms]],
            fmt="o-", color=colours[name], markersize=4, linewidth=1.4, elinewidth=1.2, label=literal(name, 24),
        )  # fmt: skip
    axes.set(xlabel="bars", ylim=(min(0.4, axes.get_ylim()[0]), 1.02))
    axes.set_title("Accuracy of the classifier two-sample test")
    axes.set_xticks(range(len(known)), [f"{bars:g}" for bars in known])
    axes.yaxis.set_major_formatter(PERCENT)
    legend_right(axes)
    return figure


def _measured(system: Mapping[str, Any], metric: str) -> Interval | None:
    return read_interval(system.get("metrics", {}).get(metric))


def _arms(measured: Interval) -> list[list[float]]:
    value, low, high = measured.value, measured.low, measured.high
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def _ticks(metric: Metric) -> FuncFormatter:
    return PERCENT if metric.unit == "share" else FuncFormatter(lambda value, _: f"{value:.3g}")
