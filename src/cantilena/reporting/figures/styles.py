"""Melodies by style: a map of their two main components, and how well each number of clusters tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cantilena.reporting.figures.style import CYCLE, INK, STYLE, Figure, literal

_DRAWN = 3000
"""Melodies that a map shows; of more, every so many-th."""

_MARKS = "os^DvPX*<>"


def style_map(
    places: NDArray[np.float64], labels: NDArray[np.int64], names: Sequence[str], axes_words: tuple[str, str]
) -> Figure:
    """Each melody as a dot by its two main components, in the colour and the shape of its cluster.

    Args:
        places: `(melodies, 2)`.
        labels: `(melodies,)`: the cluster of each, from 0.
        names: of the clusters.
        axes_words: what the two components say.

    Example:
        >>> figure = style_map(np.eye(2), np.array([0, 1]), ["style-1", "style-2"], ("fast", "wide"))
        >>> len(figure.axes)
        1
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.8))
        axes = figure.subplots()
        every = max(-(-len(places) // _DRAWN), 1)
        for cluster in range(len(names)):
            here = places[labels == cluster]
            colour, mark = mark_of(cluster)
            shown = here[::every]
            # A picture within the picture: thousands of dots as shapes would make a page of megabytes.
            axes.plot(
                shown[:, 0], shown[:, 1], mark, color=colour, markersize=3, alpha=0.45, markeredgewidth=0,
                linestyle="none", rasterized=True,
            )  # fmt: skip
        for cluster, name in enumerate(names):
            colour, mark = mark_of(cluster)
            middle = places[labels == cluster].mean(axis=0)
            axes.plot(*middle, mark, color=colour, markersize=11, markeredgecolor=INK, label=literal(name, 24))
        axes.set(xlabel=literal(axes_words[0], 80), ylabel=literal(axes_words[1], 60))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5, ncols=-(-len(names) // 20))
    return figure


def silhouette_curve(curve: Mapping[int, float], chosen: int) -> Figure:
    """The mean silhouette by number of clusters, the chosen one marked.

    Args:
        curve: by number of clusters.
        chosen: one of them.

    Example:
        >>> len(silhouette_curve({2: 0.4, 3: 0.3}, 2).axes)
        1
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.6))
        axes = figure.subplots()
        numbers = sorted(curve)
        axes.plot(numbers, [curve[k] for k in numbers], "o-", color=CYCLE[0], markersize=4, linewidth=1.4)
        axes.plot([chosen], [curve[chosen]], "o", color=CYCLE[1], markersize=9)
        axes.set(xlabel="clusters", ylabel="mean silhouette")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(min(0.0, *curve.values()), max(0.05, 1.15 * max(curve.values())))
    return figure


def mark_of(cluster: int) -> tuple[str, str]:
    """The colour and the shape of a cluster; after ten colours each is seen again with another shape.

    Example:
        >>> mark_of(0), mark_of(10)
        (('#3a80c2', 'o'), ('#3a80c2', 's'))
    """
    colours = len(CYCLE)
    return CYCLE[cluster % colours], _MARKS[(cluster + cluster // colours) % len(_MARKS)]
