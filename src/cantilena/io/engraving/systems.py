"""Where the lines of a score break.

An engraver fills line after line and leaves what remains, so that eight bars become six and two. People read phrases:
four or eight bars a line where they fit and leave no bar alone, else lines of about equal width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

_PHRASES = (8, 4)
_TIGHTER = 1.12  # how far beyond its natural spacing a line may be filled for the sake of a phrase


def line_breaks(widths: Sequence[float], room: float, *, has_pickup: bool) -> list[int]:
    """Choose the bars that begin a new line.

    Args:
        widths: of each bar at its natural spacing.
        room: what a line holds, in the same unit.
        has_pickup: whether the first bar is a pickup, which joins the line of the bar after it.

    Returns:
        Indices of bars, ascending, without the first.

    Example:
        >>> line_breaks([2.0] * 8, room=13.0, has_pickup=False)
        [4]
        >>> line_breaks([3.0] * 7, room=10.0, has_pickup=False)
        [3, 5]
    """
    bars = len(widths) - has_pickup
    for phrase in _PHRASES:
        breaks = list(range(phrase + has_pickup, len(widths), phrase))
        fits = all(sum(widths[a:b]) <= _TIGHTER * room for a, b in pairwise((0, *breaks, len(widths))))
        if fits and (bars % phrase == 0 or (phrase == 4 and bars % phrase > 1)):
            return breaks
    return _balanced(widths, room)


def _balanced(widths: Sequence[float], room: float) -> list[int]:
    """As few lines as possible, and of those ways the one whose lines leave least room, squared and summed."""
    upto = [0.0, *accumulate(widths)]
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # lines, badness, minus where the last line begins
    for end in range(1, len(upto)):
        choices = []
        for start in range(end - 1, -1, -1):
            width = upto[end] - upto[start]
            if width > room and start < end - 1:
                break
            lines, badness, _ = best[start]
            choices.append((lines + 1, badness + (room - width) ** 2, -start))
        best.append(min(choices))
    breaks, end = [], len(widths)
    while (end := -best[end][2]) > 0:
        breaks.append(end)
    return breaks[::-1]
