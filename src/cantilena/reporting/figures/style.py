"""How all figures look: ink, grid, letters, and a colour of its own for each system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cantilena.reporting.data import HUMAN

INK, LINE = "#1f2430", "#d4d7dd"
"""Text and axes; grid. In a page they become its own (`output.svg_text`)."""

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "cantilena",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
"""The settings of matplotlib in which every figure is drawn and written."""

PEOPLE_FILL = 0.16
"""How much of the ink people's shapes and bands show: they stand behind the systems."""

_KNOWN: Mapping[str, str] = {
    HUMAN: INK,
    "oracle": "#7c8f2f",
    "random-top10": "#b39d82",
    "rnn": "#9079b8",
    "ngram": "#4f9f76",
    "shuffled": "#c2577f",
    "lstm": "#3a80c2",
    "lstm+rl": "#df5f35",
    "lstm-greedy": "#6fb0de",
    "lstm-events": "#2b9a9c",
    "lstm-events+rl": "#c58a1e",
}
"""Systems that keep their colour from report to report."""

CYCLE = ("#3a80c2", "#df5f35", "#4f9f76", "#9079b8", "#c58a1e", "#2b9a9c", "#c2577f", "#7c8f2f", "#5b6fd6", "#b39d82")
"""Colours that can be told apart on white and on black, in the order in which they are taken."""


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each system: its own where it has one, else the first that no other system here has.

    Args:
        names: of the systems, in their order.

    Example:
        >>> colours_of(["human", "mine", "lstm"])
        {'human': '#1f2430', 'mine': '#df5f35', 'lstm': '#3a80c2'}
    """
    all_of_them = list(dict.fromkeys(names))
    taken = {_KNOWN[name] for name in all_of_them if name in _KNOWN}
    free = [colour for colour in CYCLE if colour not in taken] or list(CYCLE)
    others = (name for name in all_of_them if name not in _KNOWN)
    chosen = {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: _KNOWN.get(name) or chosen[name] for name in all_of_them}


def plain(name: str) -> str:
    """A name of the program's as words."""
    return name.replace("_", " ")


def literal(text: str, longest: int = 60) -> str:
    r"""Text that matplotlib takes literally, and not too long: a dollar sign would begin a formula.

    Example:
        >>> literal("a$b"), literal("melody", longest=5)
        ('a\\$b', 'melo…')
    """
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return short.replace("$", r"\$")


def panels(
    count: int,
    across: int,
    size: tuple[float, float],
    *,
    left: float = 0.45,
    right: float = 0.15,
    top: float = 0.0,
    between: float = 0.35,
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels at fixed places: what needs no laying out, which takes longer than drawing.

    Args:
        count: how many panels, one or more.
        across: how many stand in a row.
        size: width and height of a panel's axes, inches; titles and ticks have room around it.
        left: room for labels left of the first panel of a row, inches.
        right: room right of the last, inches.
        top: room above all, inches, for a legend.
        between: room between the panels of a row, inches.
    """
    wide, high = size
    above, below = 0.28, 0.42
    across = min(across, count)
    down = -(-count // across)
    width = left + across * wide + (across - 1) * between + right
    height = top + down * (above + high + below)
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")
    axes = []
    for number in range(count):
        row, column = divmod(number, across)
        x, y = left + column * (wide + between), height - top - row * (above + high + below) - above - high
        axes.append(figure.add_axes((x / width, y / height, wide / width, high / height)))
    return figure, axes


def system_legend(figure: Figure, colours: Mapping[str, str], top: float) -> None:
    """Names of systems in their colours in a line at the top of a figure; people's as the shape that they are.

    Args:
        figure: that has the room.
        colours: by system.
        top: the room, inches.
    """
    marks = [
        Patch(facecolor=colour, alpha=2 * PEOPLE_FILL, label=literal(name, 20))
        if name == HUMAN
        else Line2D([], [], color=colour, linewidth=1.8, label=literal(name, 20))
        for name, colour in colours.items()
    ]
    place = (0.01, 1 - 0.1 * top / figure.get_figheight())
    figure.legend(handles=marks, loc="upper left", bbox_to_anchor=place, ncols=min(len(marks), 5), fontsize=8.5)


def legend_room(systems: int) -> float:
    """Inches that the legend of so many systems takes at the top of a figure."""
    return 0.15 + 0.2 * -(-systems // 5)
