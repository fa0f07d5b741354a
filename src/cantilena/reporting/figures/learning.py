"""Training and tuning: losses by epoch, rewards by rule, diversity checks, and note probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from cantilena.reporting.data import NoteProbabilities, RewardHistory, TrainingCurve
from cantilena.reporting.figures.style import CYCLE, INK, Figure, colours_of, legend_right, literal, spaced, styled

_SHOWN_CLASSES = 48
"""Of a larger vocabulary, the most probable tokens are shown."""

_CHECKS = {"Diversity": ("distinct_4",), "Nats a step": ("kl", "entropy"), "Share of steps": ("holds", "rests")}


@styled
def learning_curves(curves: Sequence[TrainingCurve]) -> Figure:
    """The loss of networks by epoch: validation solid, training dashed."""
    figure = Figure(figsize=(7.0, 3.4))
    axes = figure.subplots()
    colours = colours_of(curve.name for curve in curves)
    for curve in curves:
        colour = colours[curve.name]
        axes.plot(range(1, len(curve.train) + 1), curve.train, "--", color=colour, linewidth=1.2)
        axes.plot(range(1, len(curve.valid) + 1), curve.valid, color=colour, label=literal(curve.name))
    axes.set(xlabel="epoch", ylabel="nats a step", title="Validation (—) and training loss (- -)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


@styled
def reward_history(history: RewardHistory) -> Figure:
    """Rewards by rule during tuning, the distance of the model, and the accuracy of a critic: the paper's figure 10."""
    steps = np.asarray(history.steps, dtype=np.float64)
    critic = len(history.accuracy) > 0
    figure = Figure(figsize=(7.6, 7.0 if critic else 5.6))
    rules, distance, *accuracy = figure.subplots(2 + critic, 1, sharex=True, height_ratios=(5, 2, 2)[: 2 + critic])
    for number, (name, term) in enumerate(history.terms.items()):
        rules.plot(steps, term, color=CYCLE[number % len(CYCLE)], linewidth=1.2, label=literal(spaced(name)))
    if history.terms:
        rules.plot(steps, history.total, color=INK, linewidth=2.0, label="all" if critic else "all rules")
        rules.set_yscale("symlog", linthresh=10)
        legend_right(rules)
    rules.axhline(0, color=INK, linewidth=0.6)
    rules.set(ylabel="reward a melody", title=literal(f"{history.name}: rewards by rule during tuning"))
    for values, label, colour in ((history.log_p, "log p", CYCLE[0]), (history.kl, "KL", CYCLE[1])):
        if len(values):
            distance.plot(steps, values, color=colour, linewidth=1.4, label=label)
    distance.set(ylabel="nats a step")
    for axes in accuracy:
        axes.plot(steps, np.asarray(history.accuracy), color=CYCLE[2], linewidth=1.4)
        axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
        axes.set(ylabel="accuracy", ylim=(0.4, 1.0))
    [distance, *accuracy][-1].set_xlabel("environment steps")
    distance.xaxis.set_major_locator(MaxNLocator(6))
    distance.xaxis.set_major_formatter(FuncFormatter(_short_count))
    if len(history.log_p) or len(history.kl):
        legend_right(distance)
    return figure


def _short_count(value: float, _: int) -> str:
    """A count on an axis: 250k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


@styled
def watch_history(looks: Sequence[Mapping[str, Any]]) -> Figure:
    """The diversity checks of a tuning: diversity, entropy and KL, holds and rests, with human values and alarms.

    Args:
        looks: in order, each with `update`, `distinct_4`, `vendi`, `entropy`, `kl`, `holds`, `rests`, `reference` and
            `alarms`; and `told`, the classifier test, where a critic rewarded.
    """
    updates = [look["update"] for look in looks]
    alarms = [look["update"] for look in looks if look["alarms"]]
    tests = [(look["update"], look["told"]) for look in looks if look.get("told")]
    figure = Figure(figsize=(12.0 if tests else 9.0, 2.8))
    *checks, last = figure.subplots(1, 3 + bool(tests))
    if tests:
        _draw_auc(last, tests)
    for axes, (title, names) in zip([*checks] if tests else [*checks, last], _CHECKS.items(), strict=True):
        for number, name in enumerate(names):
            axes.plot(updates, _numbers(look[name] for look in looks), color=CYCLE[number], label=spaced(name))
            reference = _numbers(look["reference"].get(name) for look in looks)
            if not np.isnan(reference).all():
                axes.plot(updates, reference, ":", color=CYCLE[number], linewidth=1.0)
        for update in alarms:
            axes.axvline(update, color=CYCLE[1], alpha=0.25, linewidth=3)
        axes.set(title=title, xlabel="updates")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    figure.supxlabel("dotted: human melodies; bars: an alarm", fontsize=8)
    return figure


def _draw_auc(axes: Axes, tests: Sequence[tuple[int, Mapping[str, float]]]) -> None:
    """The AUC of the classifier that can stop a run, with its intervals."""
    updates, results = zip(*tests, strict=True)
    low, high = ([one[bound] for one in results] for bound in ("low", "high"))
    axes.fill_between(updates, low, high, color=CYCLE[2], alpha=0.2)
    axes.plot(updates, [one["auc"] for one in results], color=CYCLE[2])
    axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    axes.set(title="Classifier test (AUC)", xlabel="updates", ylim=(0.4, 1.0))


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@styled
def note_probabilities(data: NoteProbabilities) -> Figure:
    """The probabilities at each step of a melody, and the tokens that were taken: the paper's figures 8 and 9."""
    probabilities = np.asarray(data.probabilities, dtype=np.float64)
    steps, classes = probabilities.shape
    tokens = np.asarray(data.tokens, dtype=np.int64)
    rows, which = np.arange(classes), "each token"
    if classes > _SHOWN_CLASSES:
        weight = probabilities.sum(axis=0) + np.bincount(tokens, minlength=classes)
        rows = np.sort(np.argsort(-weight, kind="stable")[:_SHOWN_CLASSES])
        which = f"the {_SHOWN_CLASSES} most probable of {classes} tokens"
    figure = Figure(figsize=(max(6.0, min(1.6 + 0.16 * steps, 12.0)), 1.1 + 0.13 * len(rows)))
    axes = figure.subplots()
    axes.grid(visible=False)
    image = axes.imshow(
        probabilities[:, rows].T, aspect="auto", origin="lower", interpolation="nearest", cmap="magma",
        norm=PowerNorm(0.5, vmin=0.0, vmax=1.0),
    )  # fmt: skip
    place = {int(row): index for index, row in enumerate(rows)}
    taken = [(step, place[token]) for step, token in enumerate(tokens.tolist()) if token in place]
    axes.plot(*zip(*taken, strict=True), "o", markersize=4, markerfacecolor="none", markeredgecolor="#58d3c4")
    axes.set_yticks(range(len(rows)), [literal(data.classes[row]) for row in rows.tolist()], fontsize=6.5)
    axes.set(xlabel="step", title=f"{literal(data.name)}: probability of {which}\nCircles mark the tokens taken")
    figure.colorbar(image, ax=axes, pad=0.01, ticks=[0, 0.01, 0.1, 0.25, 0.5, 1]).outline.set_visible(False)
    return figure
