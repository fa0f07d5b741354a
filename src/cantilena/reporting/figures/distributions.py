"""Distributions of features: human melodies as a shape, each system as a line over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cantilena.reporting.data import HUMAN, Distribution
from cantilena.reporting.figures.style import (
    HUMAN_FILL,
    INK,
    PERCENT,
    Figure,
    colours_of,
    legend_room,
    literal,
    panels,
    styled,
    system_legend,
)

TOGETHER = 5
"""Of more systems than this, each has its own row in a panel, over the human shape."""

_TALLEST = 3.0
"""Relative to the peak of human melodies: what is higher is cut off."""

_MOST_BINS, _FEWEST_BINS, _GRID = 40, 12, 96

Values = NDArray[np.float64]


@styled
def distribution_panels(
    distributions: Sequence[Distribution], *, legend: bool = True, colours: Mapping[str, str] | None = None
) -> Figure:
    """Each feature as a panel: the share of melodies by its value.

    Integers are counted one by one, or in bins by Rice's rule where there are many; other values are smoothed by a
    Gaussian kernel with Scott's width. Values beyond the middle 99 % are drawn at the ends, and a peak of over three
    times the human one is cut off.

    Args:
        distributions: one or more.
        legend: whether to add the names of the systems.
        colours: of all systems in their order; their own if None.

    Examples:
        >>> one = Distribution("range", "Range", "semitones", {"human": np.array([7.0, 12.0, 12.0])})
        >>> len(distribution_panels([one]).axes)
        1
    """
    names = dict.fromkeys(name for one in distributions for name in one.values)
    colours = colours or colours_of(sorted(names, key=lambda name: name != HUMAN))
    systems = [name for name in colours if name != HUMAN]
    is_many = len(systems) > TOGETHER
    high = 0.24 * len(systems) + 0.3 if is_many else 1.35
    top = legend_room(len(colours)) if legend else 0.0
    left = 0.2 + (0.07 * max(map(len, (literal(name, 20) for name in systems))) if is_many else 0)
    between = left + 0.1 if is_many else 0.25
    figure, drawn = panels(len(distributions), 3, (2.75, high), left=left, top=top, between=between)
    for axes, one in zip(drawn, distributions, strict=True):
        _draw(axes, one, colours, systems if is_many else [])
    if legend:
        system_legend(figure, colours, top)
    return figure


def shares_by_value(values: Mapping[str, NDArray[np.floating[Any]]]) -> tuple[Values, dict[str, Values], bool]:
    """Values of a feature, and by system the share of its melodies there.

    Args:
        values: by system, `(melodies,)`; NaN is left out.

    Returns:
        The values, the shares (each sums to 1, or to 0 without melodies), and whether the values are bins.

    Examples:
        >>> shares_by_value({"lstm": np.array([1.0, 2.0, 2.0, np.nan])})
        (array([1., 2.]), {'lstm': array([0.33333333, 0.66666667])}, True)
    """
    known = {name: np.asarray(some, dtype=np.float64) for name, some in values.items()}
    known = {name: some[np.isfinite(some)] for name, some in known.items()}
    pooled = np.concatenate(list(known.values()) or [np.zeros(0)])
    if not len(pooled):
        return np.zeros(0), {name: np.zeros(0) for name in known}, True
    low, high = np.quantile(pooled, [0.005, 0.995])
    if (pooled == np.round(pooled)).all():
        low, high = np.floor(low), np.ceil(high)
        fewest = min(len(some) for some in known.values() if len(some))
        bins = min(max(2 * fewest ** (1 / 3), _FEWEST_BINS), _MOST_BINS)  # Rice's rule: few melodies would make a comb
        width = max(int(np.ceil((high - low + 1) / bins)), 1)
        edges = np.arange(low, high + width + 1, width) - 0.5
        return (edges[:-1] + edges[1:]) / 2, {name: _shares(some, edges) for name, some in known.items()}, True
    span = max(high - low, 1e-9)
    edges = np.linspace(low - 0.02 * span, high + 0.02 * span, _GRID + 1)
    smooth = {name: _smoothed(_shares(some, edges), some, float(edges[1] - edges[0])) for name, some in known.items()}
    return (edges[:-1] + edges[1:]) / 2, smooth, False


def _draw(axes: Axes, one: Distribution, colours: Mapping[str, str], rows: Sequence[str]) -> None:
    """Draw one feature; each system in its own row if there are any rows, else all together."""
    places, shares, is_counted = shares_by_value({name: one.values[name] for name in colours if name in one.values})
    peaks = {name: float(some.max(initial=0.0)) for name, some in shares.items()}
    highest = max(peaks.values(), default=0.0) or 1.0
    if peaks.get(HUMAN):  # a collapsed system is a needle that would make all others flat
        highest = min(highest, _TALLEST * peaks[HUMAN])
    step: Literal["mid"] | None = "mid" if is_counted else None
    drawn: Literal["steps-mid", "default"] = "steps-mid" if is_counted else "default"
    human = shares.get(HUMAN)
    for number in range(max(len(rows), 1)):
        if human is not None and len(places):
            base = np.full(len(places), len(rows) - 1.0 - number if rows else 0.0)
            axes.fill_between(places, base, base + human / highest, step=step, color=INK, alpha=HUMAN_FILL, linewidth=0)
    for name, some in shares.items():
        if name != HUMAN and len(places):
            over = len(rows) - 1.0 - rows.index(name) if rows else 0.0
            axes.plot(
                places, over + np.minimum(some / highest, 1.0), color=colours[name], linewidth=1.4, drawstyle=drawn
            )
    axes.grid(visible=False)
    axes.set_ylim(0, max(len(rows), 1) + 0.08)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    if rows:
        axes.set_yticks(np.arange(len(rows))[::-1] + 0.3, [literal(name, 20) for name in rows], fontsize=8)
    has_unit = not one.unit or one.unit in one.label.lower()
    axes.set_title(literal(one.label if has_unit else f"{one.label}, {one.unit}", 48), fontsize=9.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=is_counted))
    if not one.unit and not is_counted:
        axes.xaxis.set_major_formatter(PERCENT)
    if not len(places):
        axes.set_xticks([])
        axes.text(0.5, 0.5, "undefined for all melodies", transform=axes.transAxes, ha="center", fontsize=8.5)


def _shares(values: Values, edges: Values) -> Values:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return counts / max(len(values), 1)


def _smoothed(shares: Values, values: Values, width: float) -> Values:
    """Shares of bins, smoothed with Scott's width and mirrored at both ends."""
    if len(values) < 2 or not shares.any():
        return shares
    deviation = float(np.std(values, ddof=1)) * len(values) ** -0.2 / width
    reach = int(min(max(np.ceil(4 * deviation), 1), len(shares)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(deviation, 0.5)) ** 2)
    mirrored = np.pad(shares, reach, mode="symmetric")
    return np.convolve(mirrored, kernel / kernel.sum(), mode="valid")
