"""Triplets: where three stand in the time of two.

Ticks are exact for 32nds (3 ticks) and for triplets (8, 4, 2, 1 ticks). A boundary between notes that lies off the
grid of 32nds asks for a triplet around it; which one is a question of legibility: best is one that no note enters or
leaves, in plain thirds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cantilena.io.engraving.note_values import SMALLEST
from cantilena.music import Meter

# Spans to try, best first among equally good ones: the triplet of eighths, of 16ths, of quarters, of 32nds, of halves.
_SPANS = (24, 12, 48, 6, 96, 3)


@dataclass(frozen=True, slots=True)
class Triplet:
    """A stretch of a bar that is divided by three.

    Args:
        start: ticks from the bar's start.
        span: ticks that it fills: 24 for three eighths in the time of a quarter.
    """

    start: int
    span: int

    @property
    def end(self) -> int:
        """Where it ends, ticks from the bar's start."""
        return self.start + self.span


def find_triplets(onsets_and_ends: Collection[int], sounding: Iterable[tuple[int, int]], meter: Meter) -> list[Triplet]:
    """Choose triplets for every boundary that lies off the grid of 32nds.

    Args:
        onsets_and_ends: boundaries of notes and rests, ticks from the bar's start.
        sounding: (start, end) of the notes, likewise.
        meter: the bar's meter.

    Returns:
        Triplets that do not overlap, ascending.

    Example:
        >>> find_triplets([0, 8, 16, 24], [(0, 8), (8, 16), (16, 24)], Meter(2, 4))
        [Triplet(start=0, span=24)]
    """
    boundaries = sorted(set(onsets_and_ends))
    notes = list(sounding)
    found: list[Triplet] = []
    for boundary in boundaries:
        if boundary % SMALLEST == 0 or any(triplet.start < boundary < triplet.end for triplet in found):
            continue
        best = min(_around(boundary, meter, found), key=lambda triplet: _cost(triplet, boundaries, notes))
        found = [triplet for triplet in found if not (best.start <= triplet.start and triplet.end <= best.end)]
        found.append(best)
    return found


def _around(boundary: int, meter: Meter, found: list[Triplet]) -> list[Triplet]:
    """Triplets on a beat that hold a boundary inside, and do not cut into one that is there already."""
    bar, compound = meter.ticks_per_bar, meter.ticks_per_beat % 9 == 0
    candidates = []
    for span in _SPANS:
        if compound and span > meter.ticks_per_beat // 3:
            continue
        step = span // 2 if span == 48 and meter.numerator % 2 else span  # in 3/4 also over beats two and three
        for start in {boundary - boundary % span, boundary - boundary % step, boundary - boundary % step - span + step}:
            triplet = Triplet(start, span)
            if start >= 0 and start < boundary < triplet.end <= bar and not any(_cuts(triplet, one) for one in found):
                candidates.append(triplet)
    return candidates


def _cuts(one: Triplet, other: Triplet) -> bool:
    overlap = one.start < other.end and other.start < one.end
    holds = one.start <= other.start and other.end <= one.end
    return overlap and not holds


def _cost(triplet: Triplet, boundaries: list[int], notes: list[tuple[int, int]]) -> tuple[float, int]:
    """How hard it is to read: ties over its edges, and how far its thirds must be divided."""
    ties = sum(start < edge < end for edge in (triplet.start, triplet.end) for start, end in notes)
    divisions, grid = 0, triplet.span // 3
    inside = [boundary - triplet.start for boundary in boundaries if triplet.start < boundary < triplet.end]
    while grid > 1 and any(boundary % grid for boundary in inside):
        divisions, grid = divisions + 1, grid // 2
    return ties + 1.5 * divisions, _SPANS.index(triplet.span)
