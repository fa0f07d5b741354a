"""The style of all figures, a colour for each system, and figures as PNG on white or as SVG for a page."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from cantilena.reporting.data import HUMAN

INK, LINE = "#1f2430", "#d4d7dd"
"""Text and axes; grid. In a page they become its own (`svg_text`)."""

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
"""The matplotlib settings of every figure."""

HUMAN_FILL = 0.16
"""The opacity of the shapes and bands of human melodies behind the systems."""

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
"""Systems with the same colour in every report."""

CYCLE = ("#3a80c2", "#df5f35", "#4f9f76", "#9079b8", "#c58a1e", "#2b9a9c", "#c2577f", "#7c8f2f", "#5b6fd6", "#b39d82")
"""Colours that are distinct on white and on black, in the order of use."""

PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.3g} %")
"""Ticks of shares."""

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

Parameters = ParamSpec("Parameters")


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Let a function draw its figure in our style."""

    @functools.wraps(draw)
    def drawn(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each system: its own if it has one, else the first that no other system here has.

    Examples:
        >>> colours_of(["human", "mine", "lstm"])
        {'human': '#1f2430', 'mine': '#df5f35', 'lstm': '#3a80c2'}
    """
    unique = list(dict.fromkeys(names))
    taken = {_KNOWN[name] for name in unique if name in _KNOWN}
    free = [colour for colour in CYCLE if colour not in taken] or list(CYCLE)
    others = (name for name in unique if name not in _KNOWN)
    chosen = {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: _KNOWN.get(name) or chosen[name] for name in unique}


def spaced(name: str) -> str:
    """An identifier as words."""
    return name.replace("_", " ")


def literal(text: str, longest: int = 60) -> str:
    r"""Text that matplotlib does not take for a formula, cut to a length.

    Examples:
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
    """A figure of equal panels at fixed positions, which needs no layout engine: that takes longer than drawing.

    Args:
        count: the number of panels, one or more.
        across: the most panels in a row.
        size: width and height of a panel's axes in inches, without titles and ticks.
        left: inches for labels left of the first panel of a row.
        right: inches right of the last.
        top: inches above all, for a legend.
        between: inches between the panels of a row.
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


def legend_right(axes: Axes) -> None:
    """Add a legend at the right of the axes."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)


def system_legend(figure: Figure, colours: Mapping[str, str], top: float) -> None:
    """Add the names of systems in their colours in the top inches of a figure; human melodies as a shape."""
    marks = [
        Patch(facecolor=colour, alpha=2 * HUMAN_FILL, label=literal(name, 20))
        if name == HUMAN
        else Line2D([], [], color=colour, linewidth=1.8, label=literal(name, 20))
        for name, colour in colours.items()
    ]
    place = (0.01, 1 - 0.1 * top / figure.get_figheight())
    figure.legend(handles=marks, loc="upper left", bbox_to_anchor=place, ncols=min(len(marks), 5), fontsize=8.5)


def legend_room(systems: int) -> float:
    """The inches that `system_legend` takes for so many systems."""
    return 0.15 + 0.2 * -(-systems // 5)


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG on white."""
    file = io.BytesIO()
    with _drawing(figure):
        figure.savefig(file, format="png", dpi=150, facecolor="white", metadata={"Software": None})
    return file.getvalue()


def svg_text(figure: Figure, name: str) -> str:
    """A figure as an SVG element for a page: its ink is the page's, its ids begin with a name unique in the page."""
    file = io.StringIO()
    with _drawing(figure):
        figure.savefig(file, format="svg", dpi=150, transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(LINE, "var(--line, #d4d7dd)")
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    head = f'<svg xmlns="{_SVG}" xmlns:xlink="{_XLINK}" style="--width: {110 * figure.get_figwidth():.0f}px"'
    svg = re.sub(r'<svg\b[^>]*?( viewBox="[^"]*")[^>]*>', rf"{head}\1>", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)


@contextmanager
def _drawing(figure: Figure) -> Iterator[None]:
    """Our style, without warnings about glyphs that the font lacks; runs the layout engine once."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.execute(figure)
            figure.set_layout_engine("none")
        yield
