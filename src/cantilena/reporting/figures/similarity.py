"""How melodies are like themselves: bar beside bar as a map, and how soon they come back."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from cantilena.metrics import SelfSimilarity
from cantilena.reporting.data import HUMAN
from cantilena.reporting.figures.style import INK, PEOPLE_FILL, STYLE, Figure, colours_of, literal, panels

Scale = tuple[float, float]
"""The likeness that is drawn darkest, and the one that is drawn brightest."""


def scale_of(similarity: Sequence[SelfSimilarity]) -> Scale:
    """From the least to the greatest likeness of two different bars in the mean of any system, so that maps compare.

    Example:
        >>> nothing = np.zeros(0)
        >>> scale_of([SelfSimilarity("lstm", np.array([[1.0, 0.25], [0.25, 1.0]]), nothing, nothing, nothing)])
        (0.25, 0.35)
    """
    others = [one.matrix[~np.eye(len(one.matrix), dtype=np.bool_)] for one in similarity]
    known = np.concatenate(others or [np.zeros(0)])
    known = known[~np.isnan(known)]
    if not len(known):
        return 0.0, 1.0
    low = float(known.min())
    return low, max(float(known.max()), low + 0.1)


def likeness_maps(similarity: Sequence[SelfSimilarity], scale: Scale | None = None) -> Figure:
    """Bar beside bar: the mean of each system's melodies, and beside it one melody.

    Args:
        similarity: of one system or more.
        scale: of the means; their own where not given. One melody is drawn from 0 to 1.
    """
    darkest, brightest = scale or scale_of(similarity)
    with matplotlib.rc_context(STYLE):
        across = 2 if len(similarity) < 2 else 4
        figure, drawn = panels(2 * len(similarity), across, (1.75, 1.75), left=0.4, between=0.4)
        for number, one in enumerate(similarity):
            name = literal(one.system, 18)
            _map(drawn[2 * number], one.matrix, f"{name}: mean", darkest, brightest)
            _map(drawn[2 * number + 1], one.example, "one melody", 0.0, 1.0)
    return figure


def likeness_after(similarity: Sequence[SelfSimilarity]) -> Figure:
    """How much of a melody comes back, by the distance in bars; the band holds eight in ten of people's.

    Args:
        similarity: of each system.
    """
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = panels(1, 1, (4.6, 2.6), left=0.6, right=1.5)
        colours = colours_of(one.system for one in similarity)
        furthest = max(
            [int(np.flatnonzero(~np.isnan(one.after))[-1]) + 1 for one in similarity if _is_known(one)] or [1]
        )
        for one in similarity:
            bars = np.arange(1, len(one.after) + 1)
            if one.system == HUMAN:
                axes.fill_between(bars, one.low, one.high, color=INK, alpha=PEOPLE_FILL, linewidth=0)
            axes.plot(
                bars, one.after, "o-", color=colours[one.system], markersize=3.5, linewidth=1.4,
                label=literal(one.system, 24),
            )  # fmt: skip
        axes.set(xlabel="bars before", xlim=(0.5, furthest + 0.5), ylim=(0, None))
        axes.set_title("Likeness of a bar to the one so many bars before")
        axes.set_xticks(range(1, furthest + 1) if furthest <= 8 else [1, *range(2, furthest + 1, 2)])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure


def _is_known(one: SelfSimilarity) -> bool:
    return bool((~np.isnan(one.after)).any())


def _map(axes: Axes, matrix: NDArray[np.float64], title: str, darkest: float, brightest: float) -> None:
    axes.grid(visible=False)
    axes.set_title(title, fontsize=9)
    if not matrix.size:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no bar to compare", transform=axes.transAxes, ha="center", fontsize=8)
        return
    axes.imshow(
        np.ma.masked_invalid(matrix), cmap="magma", vmin=darkest, vmax=brightest, origin="lower",
        interpolation="nearest", extent=(0.5, len(matrix) + 0.5, 0.5, len(matrix) + 0.5),
    )  # fmt: skip
    ticks = [bar for bar in (1, 4, 8, 12, 16) if bar <= len(matrix)]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlabel("bar", fontsize=8.5, labelpad=1)
