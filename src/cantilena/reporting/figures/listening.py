"""Answers in a listening test: by arm, by listener, by clip, and by confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cantilena.metrics import Interval
from cantilena.reporting.figures.style import INK, PERCENT, Figure, colours_of, literal, styled


@styled
def called_human(arms: Sequence[str], shares: Sequence[Interval]) -> Figure:
    """The share of each arm's trials called human, with intervals.

    Examples:
        >>> len(called_human(["human", "lstm"], [Interval(0.7, 0.6, 0.8), Interval(0.3, 0.2, 0.4)]).axes)
        1
    """
    figure = Figure(figsize=(6.4, 0.9 + 0.45 * len(arms)))
    axes, colours = figure.subplots(), colours_of(arms)
    for row, (name, share) in enumerate(zip(arms, shares, strict=True)):
        axes.plot([share.low, share.high], [row, row], color=colours[name], linewidth=2)
        axes.plot([share.value], [row], "o", color=colours[name], markersize=7)
    axes.axvline(shares[0].value, color=INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(arms)), [literal(name, 24) for name in arms])
    axes.set(xlim=(0, 1), ylim=(len(arms) - 0.5, -0.5), xlabel="called human")
    axes.xaxis.set_major_formatter(PERCENT)
    return figure


@styled
def by_listener(arms: Sequence[str], shares: NDArray[np.float64]) -> Figure:
    """The share of each arm that each listener called human, as a line for each listener.

    Args:
        arms: names, human melodies first.
        shares: `(listeners, arms)`, NaN where a listener heard none.

    Examples:
        >>> len(by_listener(["human", "lstm"], np.array([[0.7, 0.3], [0.6, 0.5]])).axes)
        1
    """
    figure = Figure(figsize=(6.4, 3.4))
    axes, colours = figure.subplots(), colours_of(arms)
    # Shares of few trials coincide: each listener has a fixed offset.
    offset = np.linspace(-0.12, 0.12, len(shares)) if len(shares) > 1 else np.zeros(len(shares))
    for row, off in zip(shares, offset, strict=True):
        axes.plot(np.arange(len(arms)) + off, row, color=INK, linewidth=0.5, alpha=0.25)
    for place, name in enumerate(arms):
        axes.plot(place + offset, shares[:, place], "o", color=colours[name], markersize=4, alpha=0.7)
    axes.set_xticks(range(len(arms)), [literal(name, 18) for name in arms])
    _share_axis(axes)
    return figure


@styled
def by_clip(arms: Sequence[str], clips: Sequence[Sequence[Interval]]) -> Figure:
    """The share of listeners that called each clip human, with its interval, sorted within an arm.

    Examples:
        >>> len(by_clip(["human", "lstm"], [[Interval(0.7, 0.6, 0.8)], []]).axes)
        1
    """
    figure = Figure(figsize=(7.2, 3.2))
    axes, colours = figure.subplots(), colours_of(arms)
    start, ticks = 0, []
    for name, some in zip(arms, clips, strict=True):
        ordered = sorted(some, key=lambda one: one.value)
        places = np.arange(start, start + len(ordered))
        for place, one in zip(places, ordered, strict=True):
            axes.plot([place, place], [one.low, one.high], color=colours[name], linewidth=0.8, alpha=0.6)
        axes.plot(places, [one.value for one in ordered], "o", color=colours[name], markersize=3.5)
        ticks.append(start + (len(ordered) - 1) / 2)
        start += len(ordered) + 2
    axes.axhline(0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xticks(ticks, [literal(name, 18) for name in arms])
    _share_axis(axes)
    return figure


@styled
def confidence_curves(arms: Sequence[str], ratings: NDArray[np.int64]) -> Figure:
    """The ROC curve of each arm against the human clips, with a point for each level of confidence.

    Args:
        arms: names, human melodies first.
        ratings: `(arms, 8)` how often each answer was given, "computer, certain" to "human, certain".

    Examples:
        >>> len(confidence_curves(["human", "lstm"], np.ones((2, 8), np.int64)).axes)
        1
    """
    figure = Figure(figsize=(4.6, 3.4))
    axes, colours = figure.subplots(), colours_of(arms)
    above = np.cumsum(ratings[:, ::-1], axis=1) / np.maximum(ratings.sum(axis=1, keepdims=True), 1)
    above = np.hstack([np.zeros((len(ratings), 1)), above])
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    for name, row in zip(arms[1:], above[1:], strict=True):
        axes.plot(row, above[0], "o-", color=colours[name], markersize=3.5, linewidth=1.4, label=literal(name, 24))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="the arm's clips", ylabel="human clips")
    axes.set_title("Called human, by confidence")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="lower right", fontsize=8.5)
    return figure


def _share_axis(axes: Axes) -> None:
    axes.set(ylim=(-0.04, 1.04), ylabel="called human")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(PERCENT)
