"""A hyper-parameter search: the loss by trial, and against each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from numpy.typing import NDArray

from cantilena.reporting.figures.style import CYCLE, INK, Figure, literal, spaced, styled

_FINISHED, _PRUNED, _BEST = CYCLE[0], CYCLE[9], CYCLE[1]

_ABOVE = 1.5
"""The upper limit of the axes: so many interquartile ranges above the third quartile of finished trials (Tukey's
fence), so that diverged trials do not compress the others."""


@dataclass(frozen=True)
class SearchedParameter:
    """The values of one parameter.

    Args:
        name: of the parameter.
        values: of each trial: numbers, or choices.
        choices: in order; empty for a range of numbers.
        log: whether its axis is logarithmic.
    """

    name: str
    values: Sequence[object]
    choices: Sequence[str] = ()
    log: bool = False

    def places(self) -> NDArray[np.float64]:
        """The position of each trial on the axis."""
        if self.choices:
            return np.array([self.choices.index(str(value)) for value in self.values], dtype=np.float64)
        return np.array(self.values, dtype=np.float64)


@styled
def search_panels(
    numbers: Sequence[int], losses: Sequence[float], finished: Sequence[bool], parameters: Sequence[SearchedParameter]
) -> Figure:
    """The validation loss by trial with the best so far as a line, and below it against each parameter.

    Args:
        numbers: of the trials.
        losses: nats a step on the validation pieces; for a pruned trial the best until then.
        finished: which were not pruned.
        parameters: in order, each with a value for each trial.

    Examples:
        >>> width = SearchedParameter("width", [8, 16, 32])
        >>> len(search_panels([0, 1, 2], [1.5, 1.2, 1.4], [True, True, False], [width]).axes)
        2
    """
    at, loss, whole = np.array(numbers, float), np.array(losses, float), np.array(finished, bool)
    across = min(max(len(parameters), 1), 3)
    down = -(-len(parameters) // across)
    figure = Figure(figsize=(8.6, 2.9 + 2.3 * down))
    grid = figure.add_gridspec(1 + down, across, height_ratios=[1.25] + [1.0] * down)
    history = figure.add_subplot(grid[0, :])
    top = _top(loss[whole])
    _dots(history, at, loss, whole, top)
    if whole.any():
        best = np.minimum.accumulate(np.where(whole, loss, np.inf))
        seen = best <= top  # before it, only diverged trials had finished
        history.step(at[seen], best[seen], where="post", color=INK, linewidth=1.4, label="best so far")
    history.set(xlabel="trial", ylabel="nats a step", title="Validation loss by trial")
    history.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(loss):
        history.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, fontsize=8, borderpad=0)
    for number, parameter in enumerate(parameters):
        axes = figure.add_subplot(grid[1 + number // across, number % across], sharey=history)
        _dots(axes, parameter.places(), loss, whole, top)
        _scale(axes, parameter)
        axes.set_title(literal(spaced(parameter.name), 30))
        axes.tick_params(labelleft=number % across == 0)
    return figure


def _top(loss: NDArray[np.float64]) -> float:
    """The highest loss that is drawn at its value; higher ones are marked at the upper edge."""
    if not len(loss):
        return np.inf
    first, third = np.percentile(loss, [25, 75])
    fence = third + _ABOVE * (third - first)
    return float(loss[loss <= fence].max())


def _dots(
    axes: Axes, places: NDArray[np.float64], loss: NDArray[np.float64], whole: NDArray[np.bool_], top: float
) -> None:
    """A dot for each trial, hollow if it was pruned; above the upper edge as a triangle there."""
    above = loss > top
    edge = top + 0.06 * (top - float(loss[~above].min())) if above.any() and not above.all() else top
    shown = np.where(above, edge, loss)
    best = int(np.where(whole, loss, np.inf).argmin()) if whole.any() else -1
    others = whole & (np.arange(len(loss)) != best)
    for those, mark, face, colour, label in (
        (~whole & ~above, "o", "none", _PRUNED, "pruned"),
        (~whole & above, "^", "none", _PRUNED, "pruned, above"),
        (others & ~above, "o", _FINISHED, _FINISHED, "finished"),
        (others & above, "^", _FINISHED, _FINISHED, "finished, above"),
    ):
        if those.any():
            axes.plot(
                places[those], shown[those], mark, markersize=5, markerfacecolor=face, markeredgecolor=colour,
                alpha=0.85, label=label,
            )  # fmt: skip
    if best >= 0:
        axes.plot(places[best], shown[best], "*", color=_BEST, markersize=12, label="best", zorder=4)


def _scale(axes: Axes, parameter: SearchedParameter) -> None:
    if parameter.choices:
        axes.set_xticks(range(len(parameter.choices)), [literal(choice, 14) for choice in parameter.choices])
        axes.set_xlim(-0.5, len(parameter.choices) - 0.5)
    elif parameter.log:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        few = (1.0, 2.0, 5.0) if high < 20 * low else (1.0, 3.0) if high < 200 * low else (1.0,)
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=few, numticks=9))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
