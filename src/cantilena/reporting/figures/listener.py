"""How well the machine listener tells systems from people, by the length of what it hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.ticker import FuncFormatter

from cantilena.reporting.data import HUMAN
from cantilena.reporting.figures.style import INK, STYLE, Figure, colours_of, literal, panels
from cantilena.reporting.sections import LengthHeard


def accuracy_by_length(heard: Mapping[str, Sequence[LengthHeard]]) -> Figure:
    """Accuracy against the length of the excerpts in bars; half is chance.

    Args:
        heard: by system, one row a length; those without a number are left out.
    """
    lengths = sorted({row.bars for rows in heard.values() for row in rows if row.accuracy is not None})
    place = {bars: number for number, bars in enumerate(lengths)}
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = panels(1, 1, (4.6, 2.4), left=0.6, right=1.5)
        axes.axhline(0.5, color=INK, linewidth=0.8, linestyle=":", label="chance")
        colours = colours_of([HUMAN, *heard])
        for number, (name, rows) in enumerate(heard.items()):
            shown = [(row, row.accuracy) for row in rows if row.accuracy is not None]
            if not shown:
                continue
            aside = 0.05 * (number - (len(heard) - 1) / 2)  # so that the bars of equal numbers stand side by side
            axes.errorbar(
                [place[row.bars] + aside for row, _ in shown],
                [number.value for _, number in shown],
                yerr=[
                    [max(number.value - number.low, 0.0) for _, number in shown],
                    [max(number.high - number.value, 0.0) for _, number in shown],
                ],
                fmt="o-", color=colours[name], markersize=4, linewidth=1.4, elinewidth=1.2, label=literal(name, 24),
            )  # fmt: skip
        axes.set(xlabel="bars heard", ylim=(min(0.4, axes.get_ylim()[0]), 1.02))
        axes.set_title("How often the machine listener is right")
        axes.set_xticks(range(len(lengths)), [f"{bars:g}" for bars in lengths])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure
