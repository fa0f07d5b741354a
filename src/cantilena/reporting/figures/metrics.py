"""Where systems stand: each metric with its interval, and rules beside what they may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from cantilena.metrics.registry import Metric, get_metric
from cantilena.reporting.data import HUMAN
from cantilena.reporting.figures.style import CYCLE, INK, STYLE, Figure, colours_of, literal


def metric_panels(systems: Mapping[str, Any], metrics: Sequence[str]) -> Figure:
    """Each metric as a panel, each system as a point with its interval; a line marks the human value.

    Args:
        systems: as in results.json.
        metrics: which, in order.
    """
    names, across = list(systems), 3
    down = -(-len(metrics) // across)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, down * (0.65 + 0.2 * len(names))))
        panels = np.atleast_1d(figure.subplots(down, across, sharey=True)).reshape(-1)
        for axes, metric in zip(panels, metrics, strict=False):
            _metric_panel(axes, systems, get_metric(metric))
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
    up, right = get_metric(rule), get_metric(diversity)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 4.2))
        axes = figure.subplots()
        colours = colours_of(systems)
        for name, system in systems.items():
            across, high = _measured(system, diversity), _measured(system, rule)
            if across is None or high is None:
                continue
            axes.errorbar(
                across[0], high[0], xerr=_arms(across), yerr=_arms(high), fmt="o", color=colours[name],
                markersize=7, elinewidth=1.0, label=literal(name),
            )  # fmt: skip
        human = _measured(systems.get(HUMAN, {}), diversity)
        if human is not None:
            axes.axvline(0.9 * human[0], color=INK, linewidth=0.8, linestyle=":")
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


def frontier_panels(systems: Mapping[str, Any]) -> Figure:
    """How much reward, and how much diversity, each way to compose has at its distance from the untuned model.

    Args:
        systems: by name, each with its `curve` (those of one curve are joined), `reward` a melody, and the metrics
            `kl_per_step` and `distinct_4`; those whose distance nobody knows, as people's, are drawn as lines.
    """
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for system in systems.values():
        kl, diversity = _measured(system, "kl_per_step"), _measured(system, "distinct_4")
        if kl is not None and diversity is not None:
            curves.setdefault(system["curve"], []).append((kl[0], system["reward"], diversity[0]))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.0))
        panels = figure.subplots(1, 2)
        for axes, column, label in ((panels[0], 1, "reward a melody"), (panels[1], 2, "distinct-4")):
            for number, (name, points) in enumerate(curves.items()):
                rows = sorted(points)
                again = number >= len(CYCLE)  # where colours come round, markers and lines are others
                axes.plot(
                    [row[0] for row in rows],
                    [row[column] for row in rows],
                    marker=("os" if len(rows) > 1 else "D^")[again],
                    linestyle="--" if again else "-",
                    markersize=5,
                    linewidth=1.2,
                    color=CYCLE[number % len(CYCLE)],
                    label=literal(name),
                )
            axes.set(xlabel="KL divergence from the untuned model, nats a step", ylabel=label)
        for name, system in systems.items():
            diversity = _measured(system, "distinct_4")
            if _measured(system, "kl_per_step") is None and diversity is not None:
                style = ":" if name == HUMAN else "-."
                for axes, level in zip(panels, (system["reward"], diversity[0]), strict=True):
                    label = "people" if name == HUMAN else literal(name)
                    axes.axhline(level, color=INK, linewidth=0.8, linestyle=style, label=label)
        panels[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure


def _metric_panel(axes: Axes, systems: Mapping[str, Any], words: Metric) -> None:
    human = _measured(systems.get(HUMAN, {}), words.name)
    if human is not None:
        axes.axvline(human[0], color=INK, linewidth=0.8, linestyle=":")
    colours = colours_of(systems)
    for number, (name, system) in enumerate(systems.items()):
        measured = _measured(system, words.name)
        if measured is not None:
            axes.errorbar(
                measured[0], number, xerr=_arms(measured), fmt="o", color=colours[name], markersize=5,
                elinewidth=1.4,
            )  # fmt: skip
    axes.set_yticks(range(len(systems)), [literal(name) for name in systems], fontsize=8.5)
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


def _ticks(words: Metric) -> Any:  # noqa: ANN401  (what matplotlib asks for)
    if words.unit == "share":
        return lambda value, _: f"{100 * value:.3g} %"
    return lambda value, _: f"{value:.3g}"
