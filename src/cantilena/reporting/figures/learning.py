"""How models learned and were tuned: surprise by epoch, rewards by rule, what the watch saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from cantilena.reporting.data import RewardHistory, TrainingCurve
from cantilena.reporting.figures.style import CYCLE, INK, STYLE, Figure, colours_of, literal, plain


def learning_curves(curves: Sequence[TrainingCurve]) -> Figure:
    """How well networks predicted, epoch by epoch: held-out pieces drawn out, training pieces dashed."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 3.4))
        axes = figure.subplots()
        colours = colours_of(curve.name for curve in curves)
        for curve in curves:
            colour = colours[curve.name]
            axes.plot(range(1, len(curve.train) + 1), curve.train, "--", color=colour, linewidth=1.2)
            axes.plot(range(1, len(curve.valid) + 1), curve.valid, color=colour, label=literal(curve.name))
        axes.set(xlabel="epoch", ylabel="nats a step", title="Surprise at held-out (—) and training pieces (- -)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return figure


def reward_history(history: RewardHistory) -> Figure:
    """Rewards while tuning by rule, how far the model moved, how well discriminators told: the paper's figure 10."""
    steps = np.asarray(history.steps, dtype=np.float64)
    with matplotlib.rc_context(STYLE):
        heard = len(history.accuracy) > 0
        figure = Figure(figsize=(7.6, 7.0 if heard else 5.6))
        rules, distance, *told = figure.subplots(2 + heard, 1, sharex=True, height_ratios=(5, 2, 2)[: 2 + heard])
        for number, (name, term) in enumerate(history.terms.items()):
            rules.plot(steps, term, color=CYCLE[number % len(CYCLE)], linewidth=1.2, label=literal(plain(name)))
        if history.terms:
            rules.plot(steps, history.total, color=INK, linewidth=2.0, label="all" if heard else "all rules")
            rules.set_yscale("symlog", linthresh=10)
            rules.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
        rules.axhline(0, color=INK, linewidth=0.6)
        rules.set(ylabel="reward a melody", title=literal(f"{history.name}: rewards by rule while tuning"))
        for values, label, colour in ((history.log_p, "log p", CYCLE[0]), (history.kl, "KL", CYCLE[1])):
            if len(values):
                distance.plot(steps, values, color=colour, linewidth=1.4, label=label)
        distance.set(ylabel="nats a step")
        for axes in told:
            axes.plot(steps, np.asarray(history.accuracy), color=CYCLE[2], linewidth=1.4)
            axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
            axes.set(ylabel="told right", ylim=(0.4, 1.0))
        [distance, *told][-1].set_xlabel("environment steps")
        distance.xaxis.set_major_locator(MaxNLocator(6))
        distance.xaxis.set_major_formatter(FuncFormatter(_short))
        if len(history.log_p) or len(history.kl):
            distance.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure


def watch_history(looks: Sequence[Mapping[str, Any]]) -> Figure:
    """What the watch saw while tuning: diversity, entropy and KL, holds and rests, beside people's; alarms marked.

    Args:
        looks: in order, each with `update`, `distinct_4`, `vendi`, `entropy`, `kl`, `holds`, `rests`, `reference` and
            `alarms`; and `told`, by a listener, where a critic rewarded.
    """
    updates = [look["update"] for look in looks]
    alarmed = [look["update"] for look in looks if look["alarms"]]
    with matplotlib.rc_context(STYLE):
        told = [(look["update"], look["told"]) for look in looks if look.get("told")]
        figure = Figure(figsize=(12.0 if told else 9.0, 2.8))
        *panels, last = figure.subplots(1, 3 + bool(told))
        if told:
            _draw_told(last, told)
        for axes, (title, names) in zip([*panels] if told else [*panels, last], _LOOKED_AT.items(), strict=True):
            for number, name in enumerate(names):
                axes.plot(updates, _numbers(look[name] for look in looks), color=CYCLE[number], label=plain(name))
                beside = _numbers(look["reference"].get(name) for look in looks)
                if not np.isnan(beside).all():
                    axes.plot(updates, beside, ":", color=CYCLE[number], linewidth=1.0)
            for update in alarmed:
                axes.axvline(update, color=CYCLE[1], alpha=0.25, linewidth=3)
            axes.set(title=title, xlabel="updates")
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=8)
        figure.supxlabel("dotted: people's melodies; bars: an alarm", fontsize=8)
    return figure


def _draw_told(axes: Axes, told: Sequence[tuple[int, Mapping[str, float]]]) -> None:
    """How well the listener that stops a run tells the melodies from people's, with its intervals."""
    updates = [update for update, _ in told]
    axes.fill_between(
        updates, [one["low"] for _, one in told], [one["high"] for _, one in told], color=CYCLE[2], alpha=0.2
    )
    axes.plot(updates, [one["auc"] for _, one in told], color=CYCLE[2])
    axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    axes.set(title="Told from people's (AUC)", xlabel="updates", ylim=(0.4, 1.0))


_LOOKED_AT = {"Diversity": ("distinct_4",), "Nats a step": ("kl", "entropy"), "Share of steps": ("holds", "rests")}


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _short(value: float, _: int) -> str:
    """A count as axes show it: 250k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
