"""Styles: a map of clusters, silhouettes by number of clusters, and the confusion of predicted styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cantilena.metrics import Interval
from cantilena.reporting.data import HUMAN
from cantilena.reporting.figures.style import CYCLE, INK, PERCENT, Figure, literal, styled

_DRAWN = 3000
"""The number of melodies that a map shows about."""

_MARKS = "os^DvPX*<>"

_LONGEST = 12
"""Characters of a style's name that are shown."""

_LEFT, _LABELS, _BETWEEN = 1.15, 3.3, 0.3
"""Inches left of the matrices, left of the bars, and between matrices."""

_TITLE, _UNDER, _TICKS, _ROW = 0.32, 1.05, 0.5, 0.32
"""Inches above a panel, below a matrix, below the bars, and of a bar."""


@styled
def style_map(
    places: NDArray[np.float64], labels: NDArray[np.int64], names: Sequence[str], axes_words: tuple[str, str]
) -> Figure:
    """Each melody as a dot by its two principal components, with the colour and the shape of its cluster.

    Args:
        places: `(melodies, 2)`.
        labels: `(melodies,)`: the cluster of each, from 0.
        names: of the clusters.
        axes_words: descriptions of the two components.

    Examples:
        >>> figure = style_map(np.eye(2), np.array([0, 1]), ["style-1", "style-2"], ("fast", "wide"))
        >>> len(figure.axes)
        1
    """
    figure = Figure(figsize=(7.2, 4.8))
    axes = figure.subplots()
    every = max(-(-len(places) // _DRAWN), 1)
    for cluster in range(len(names)):
        colour, mark = mark_of(cluster)
        shown = places[labels == cluster][::every]
        # Rasterized: thousands of dots as shapes would make a page of megabytes.
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


def mark_of(cluster: int) -> tuple[str, str]:
    """The colour and the marker of a cluster; after ten colours they repeat with another marker.

    Examples:
        >>> mark_of(0), mark_of(10)
        (('#3a80c2', 'o'), ('#3a80c2', 's'))
    """
    colours = len(CYCLE)
    return CYCLE[cluster % colours], _MARKS[(cluster + cluster // colours) % len(_MARKS)]


@styled
def silhouette_curve(curve: Mapping[int, float], chosen: int) -> Figure:
    """The mean silhouette by number of clusters, with the chosen one marked.

    Examples:
        >>> len(silhouette_curve({2: 0.4, 3: 0.3}, 2).axes)
        1
    """
    figure = Figure(figsize=(7.2, 2.6))
    axes = figure.subplots()
    numbers = sorted(curve)
    axes.plot(numbers, [curve[k] for k in numbers], "o-", color=CYCLE[0], markersize=4, linewidth=1.4)
    axes.plot([chosen], [curve[chosen]], "o", color=CYCLE[1], markersize=9)
    axes.set(xlabel="clusters", ylabel="mean silhouette")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(min(0.0, *curve.values()), max(0.05, 1.15 * max(curve.values())))
    return figure


@styled
def style_confusion(
    names: Sequence[str],
    confusions: Mapping[str, NDArray[np.float64]],
    right: Mapping[str, Interval],
    chance: float,
) -> Figure:
    """Confusion matrices of predicted styles, and the balanced accuracy on each set of melodies against chance.

    Args:
        names: of the styles.
        confusions: by set of melodies, `(styles, styles)`: the share of each style predicted as each; a row of NaN
            where there is no melody of it.
        right: by set of melodies, controls included, the balanced accuracy; names that begin with `human` or with
            `style given` have a colour of their own.
        chance: the accuracy of guessing.

    Examples:
        >>> known, sure = np.array([[0.9, 0.1], [np.nan, np.nan]]), Interval(0.9, 0.8, 0.95)
        >>> len(style_confusion(["jig", "reel"], {"human": known}, {"human": sure, "a model": sure}, 0.5).axes)
        2
    """
    side = min(max(0.42 * len(names), 2.3), 5.0)
    rows = _ROW * len(right)
    wide = max(_LEFT + (side + _BETWEEN) * len(confusions), _LABELS + 4.0)
    high = _TITLE + side + _UNDER + _TITLE + rows + _TICKS
    figure = Figure(figsize=(wide, high))
    figure.set_layout_engine("none")

    def axes_at(left: float, below_top: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / wide, 1 - (below_top + height) / high, width / wide, height / high))

    for number, (title, shares) in enumerate(confusions.items()):
        axes = axes_at(_LEFT + number * (side + _BETWEEN), _TITLE, side, side)
        _draw_matrix(axes, names, shares, title, is_first=number == 0)
    _draw_bars(axes_at(_LABELS, high - _TICKS - rows, wide - _LABELS - _BETWEEN, rows), right, chance)
    return figure


def _draw_matrix(axes: Axes, names: Sequence[str], shares: NDArray[np.float64], title: str, *, is_first: bool) -> None:
    styles = len(names)
    axes.imshow(_tint(shares), aspect="equal")
    for row, column in np.ndindex(shares.shape):
        share = float(shares[row, column])
        if styles <= 12 and not np.isnan(share) and round(100 * share):
            colour = "white" if share > 0.6 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.5, color=colour)
        elif np.isnan(share) and column == 0:
            axes.text((styles - 1) / 2, row, "no melodies", ha="center", va="center", fontsize=8, color=INK)
    labels = [literal(name, _LONGEST) for name in names]
    axes.set_xticks(range(styles), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(styles), labels if is_first else [""] * styles)
    axes.set(title=literal(title, 40), xlabel="predicted, %")
    if is_first:
        axes.set_ylabel("true")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _tint(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours from transparent to blue, `(styles, styles, 4)`, for any background."""
    red, green, blue = (int(CYCLE[0][place : place + 2], 16) / 255 for place in (1, 3, 5))
    tinted = np.zeros((*shares.shape, 4))
    tinted[..., 0], tinted[..., 1], tinted[..., 2] = red, green, blue
    tinted[..., 3] = 0.06 + 0.94 * np.nan_to_num(shares)
    return tinted


def _draw_bars(axes: Axes, right: Mapping[str, Interval], chance: float) -> None:
    places = np.arange(len(right))[::-1]
    for place, (name, one) in zip(places.tolist(), right.items(), strict=True):
        if np.isnan(one.value):
            continue
        colour = INK if name.startswith(HUMAN) else CYCLE[0] if name.startswith("style given") else "#9aa1ad"
        axes.barh(place, one.value, height=0.62, color=colour, alpha=0.85)
        end = one.value
        if not np.isnan(one.low):
            axes.plot([one.low, one.high], [place, place], color=CYCLE[1], linewidth=2.0, solid_capstyle="butt")
            end = max(one.high, one.value)
        axes.text(end + 0.012, place, f"{100 * one.value:.0f} %", va="center", fontsize=9)
    axes.axvline(chance, color=INK, linestyle=":", linewidth=1.2)
    axes.text(chance, len(right) - 0.42, "chance", ha="center", va="bottom", fontsize=8.5)
    axes.set_yticks(places, [literal(name, 48) for name in right])
    axes.set(xlim=(0, 1.06), ylim=(-0.5, len(right) - 0.45), xlabel="balanced accuracy")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.grid(visible=False, axis="y")
