"""Styles as a listener heard them: what each was taken for, and how often that was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from cantilena.metrics import Interval
from cantilena.reporting.figures.style import CYCLE, INK, STYLE, Figure, literal

_LONGEST = 12
"""Letters of a style's name that are shown."""

_LEFT, _WORDS, _BETWEEN = 1.15, 3.3, 0.3
"""Inches left of the matrices, left of the bars, and between matrices."""

_TITLE, _UNDER, _TICKS, _ROW = 0.32, 1.05, 0.5, 0.32
"""Inches above a panel, below a matrix, below the bars, and of a bar."""


def style_confusion(
    names: Sequence[str],
    confusions: Mapping[str, NDArray[np.float64]],
    right: Mapping[str, Interval],
    chance: float,
) -> Figure:
    """Confusion matrices side by side, and how much was right of each set of melodies beside chance.

    Args:
        names: of the styles.
        confusions: by what was heard, `(styles, styles)`: of each style the share taken for each; a row of NaN where
            there was no melody of it.
        right: by what was heard, balanced accuracy, the controls too.
        chance: what guessing gets right.

    Example:
        >>> known, sure = np.array([[0.9, 0.1], [np.nan, np.nan]]), Interval(0.9, 0.8, 0.95)
        >>> len(style_confusion(["jig", "reel"], {"people": known}, {"people": sure, "a model": sure}, 0.5).axes)
        2
    """
    with matplotlib.rc_context(STYLE):
        side = min(max(0.42 * len(names), 2.3), 5.0)
        rows = _ROW * len(right)
        wide = max(_LEFT + (side + _BETWEEN) * len(confusions), _WORDS + 4.0)
        high = _TITLE + side + _UNDER + _TITLE + rows + _TICKS
        figure = Figure(figsize=(wide, high))
        figure.set_layout_engine("none")

        def axes_at(left: float, below_top: float, width: float, height: float) -> Axes:
            return figure.add_axes((left / wide, 1 - (below_top + height) / high, width / wide, height / high))

        for number, (title, shares) in enumerate(confusions.items()):
            axes = axes_at(_LEFT + number * (side + _BETWEEN), _TITLE, side, side)
            _matrix(axes, names, shares, title, is_first=number == 0)
        _bars(axes_at(_WORDS, high - _TICKS - rows, wide - _WORDS - _BETWEEN, rows), right, chance)
    return figure


def _matrix(axes: Axes, names: Sequence[str], shares: NDArray[np.float64], title: str, *, is_first: bool) -> None:
    styles = len(names)
    axes.imshow(_tint(shares), aspect="equal")
    for row, column in np.ndindex(shares.shape):
        share = float(shares[row, column])
        if styles <= 12 and not np.isnan(share) and round(100 * share):
            colour = "white" if share > 0.6 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.5, color=colour)
        elif np.isnan(share) and column == 0:
            axes.text((styles - 1) / 2, row, "no melody of it", ha="center", va="center", fontsize=8, color=INK)
    labels = [literal(name, _LONGEST) for name in names]
    axes.set_xticks(range(styles), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(styles), labels if is_first else [""] * styles)
    axes.set(title=literal(title, 40), xlabel="taken for, %")
    if is_first:
        axes.set_ylabel("is of")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _tint(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours from clear to blue, `(styles, styles, 4)`: so they stand on any page."""
    red, green, blue = (int(CYCLE[0][place : place + 2], 16) / 255 for place in (1, 3, 5))
    tinted = np.zeros((*shares.shape, 4))
    tinted[..., 0], tinted[..., 1], tinted[..., 2] = red, green, blue
    tinted[..., 3] = 0.06 + 0.94 * np.nan_to_num(shares)
    return tinted


def _bars(axes: Axes, right: Mapping[str, Interval], chance: float) -> None:
    places = np.arange(len(right))[::-1]
    for place, (name, one) in zip(places.tolist(), right.items(), strict=True):
        if np.isnan(one.value):
            continue
        colour = INK if name.startswith("people") else CYCLE[0] if "told a style" in name else "#9aa1ad"
        axes.barh(place, one.value, height=0.62, color=colour, alpha=0.85)
        end = one.value
        if not np.isnan(one.low):
            axes.plot([one.low, one.high], [place, place], color=CYCLE[1], linewidth=2.0, solid_capstyle="butt")
            end = max(one.high, one.value)
        axes.text(end + 0.012, place, f"{100 * one.value:.0f} %", va="center", fontsize=9)
    axes.axvline(chance, color=INK, linestyle=":", linewidth=1.2)
    axes.text(chance, len(right) - 0.42, "chance", ha="center", va="bottom", fontsize=8.5)
    axes.set_yticks(places, [literal(name, 48) for name in right])
    axes.set(xlim=(0, 1.06), ylim=(-0.5, len(right) - 0.45), xlabel="right, the mean over styles")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.grid(visible=False, axis="y")
