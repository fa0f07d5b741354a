"""Self-similarity of melodies: bar by bar as a map, and by the distance in bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cantilena.metrics import SelfSimilarity
from cantilena.reporting.data import HUMAN
from cantilena.reporting.figures.style import (
    HUMAN_FILL,
    INK,
    PERCENT,
    Figure,
    colours_of,
    legend_right,
    literal,
    panels,
    styled,
)

Scale = tuple[float, float]
"""The similarities that are drawn darkest and brightest."""


def scale_of(similarity: Sequence[SelfSimilarity]) -> Scale:
    """The least and the greatest similarity of two different bars in the mean of any system, for comparable maps.

    Examples:
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


@styled
def similarity_maps(similarity: Sequence[SelfSimilarity], scale: Scale | None = None) -> Figure:
    """Bar by bar: the mean of each system's melodies, and one melody.

    Args:
        similarity: of one system or more.
        scale: of the means; their own if not given. Single melodies are drawn from 0 to 1.
    """
    darkest, brightest = scale or scale_of(similarity)
    across = 2 if len(similarity) < 2 else 4
    figure, drawn = panels(2 * len(similarity), across, (1.75, 1.75), left=0.4, between=0.4)
    for number, one in enumerate(similarity):
        name = literal(one.system, 18)
        _draw_map(drawn[2 * number], one.matrix, f"{name}: mean", darkest, brightest)
        _draw_map(drawn[2 * number + 1], one.example, "one melody", 0.0, 1.0)
    return figure


@styled
def similarity_by_distance(similarity: Sequence[SelfSimilarity]) -> Figure:
    """The similarity of a bar to the one so many bars before; the band has eight in ten human melodies."""
    figure, (axes,) = panels(1, 1, (4.6, 2.6), left=0.6, right=1.5)
    colours = colours_of(one.system for one in similarity)
    known = [np.flatnonzero(~np.isnan(one.after)) for one in similarity]
    furthest = max((int(bars[-1]) + 1 for bars in known if len(bars)), default=1)
    for one in similarity:
        bars = np.arange(1, len(one.after) + 1)
        if one.system == HUMAN:
            axes.fill_between(bars, one.low, one.high, color=INK, alpha=HUMAN_FILL, linewidth=0)
        axes.plot(
            bars, one.after, "o-", color=colours[one.system], markersize=3.5, linewidth=1.4,
            label=literal(one.system, 24),
        )  # fmt: skip
    axes.set(xlabel="distance in bars", xlim=(0.5, furthest + 0.5), ylim=(0, None))
    axes.set_title("Similarity of bars by distance")
    axes.set_xticks(range(1, furthest + 1) if furthest <= 8 else [1, *range(2, furthest + 1, 2)])
    axes.yaxis.set_major_formatter(PERCENT)
    legend_right(axes)
    return figure


def _draw_map(axes: Axes, matrix: NDArray[np.float64], title: str, darkest: float, brightest: float) -> None:
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
