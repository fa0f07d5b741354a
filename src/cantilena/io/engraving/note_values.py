"""Note values and triplets: how a span of ticks within a bar is written.

A bar has metrical levels: 4/4 has the bar, its halves, quarters, eighths and so on; 6/8 has the bar, its two beats,
then eighths. A span is written as one value where this hides at most one beat, of the next stronger level (E. Gould,
Behind Bars, Faber 2011, "Grouping of note-values"); else it is cut at the strongest beat inside, and tied.

Ticks are exact for 32nds (3 ticks) and for triplets (8, 4, 2, 1 ticks). A boundary between notes off the grid of 32nds
needs a triplet around it; of the candidates the most legible is taken, best one that no note enters or leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cantilena.music import Meter

# Twice the ticks, so that a 64th (one and a half) counts too.
_PLAIN = {
    384: "breve", 192: "whole", 96: "half", 48: "quarter", 24: "eighth", 12: "16th", 6: "32nd", 3: "64th",
}  # fmt: skip
_VALUES = {twice: (name, 0) for twice, name in _PLAIN.items()} | {
    twice * 3 // 2: (name, 1) for twice, name in _PLAIN.items() if twice % 2 == 0
}
_BEAMS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}
SMALLEST = 3
"""Ticks of the shortest value outside triplets, a 32nd."""


@dataclass(frozen=True, slots=True)
class Value:
    """A note value.

    Args:
        kind: `whole`, `half`, `quarter`, `eighth`, `16th`, ... as in MusicXML.
        dots: 0 or 1.
    """

    kind: str
    dots: int = 0

    @property
    def flags(self) -> int:
        """Number of flags or beams: 1 for an eighth, 2 for a 16th, 0 for a quarter and longer."""
        return _BEAMS.get(self.kind, 0)


def value_of(ticks: int, *, triplet: bool = False) -> Value | None:
    """Return the value of a duration, alone or as part of a triplet; None if there is none.

    Examples:
        >>> value_of(36), value_of(16, triplet=True), value_of(30)
        (Value(kind='quarter', dots=1), Value(kind='quarter', dots=0), None)
    """
    value = _VALUES.get(ticks * 3 if triplet else ticks * 2)
    return Value(*value) if value else None


def meter_levels(meter: Meter) -> tuple[int, ...]:
    """Return the lengths of a bar's levels in ticks, from the bar down to 32nds.

    Examples:
        >>> meter_levels(Meter(4, 4)), meter_levels(Meter(6, 8))
        ((96, 48, 24, 12, 6, 3), (72, 36, 12, 6, 3))
    """
    levels, beats = [meter.ticks_per_bar], meter.ticks_per_bar // meter.ticks_per_beat
    while beats % 2 == 0:
        beats //= 2
        levels.append(levels[-1] // 2)
    if beats > 1:
        levels.append(meter.ticks_per_beat)
    written = 96 // meter.denominator
    if meter.ticks_per_beat != written:
        levels.append(written)
    while levels[-1] % (2 * SMALLEST) == 0:
        levels.append(levels[-1] // 2)
    return tuple(levels)


def triplet_levels(span: int) -> tuple[int, ...]:
    """Return the levels of a triplet that fills `span` ticks: the whole, its thirds, and their halves."""
    levels = [span, span // 3]
    while levels[-1] > 1:
        levels.append(levels[-1] // 2)
    return tuple(levels)


def cut_to_values(start: int, end: int, levels: Sequence[int], *, rest: bool, triplet: bool) -> Iterator[int]:
    """Cut a span into note values.

    Args:
        start: ticks from the start of the bar (or of the triplet whose levels are given).
        end: ticks likewise.
        levels: from `meter_levels` or `triplet_levels`; both ends lie on the lowest.
        rest: whether it is silence, which hides no beat at all.
        triplet: whether it is part of a triplet.

    Yields:
        The ends of the values, the last one `end`.

    Examples:
        >>> list(cut_to_values(36, 72, (96, 48, 24, 12, 6, 3), rest=False, triplet=False))
        [48, 72]
    """
    if value_of(end - start, triplet=triplet) and not _hides_a_beat(start, end, levels, rest=rest):
        yield end
        return
    inside = _strongest(start, end, levels)
    if start % levels[_rank(inside[0], levels)] == 0:
        # From a beat of that strength on, the longest value that ends on another one.
        inside = [cut for cut in inside if value_of(cut - start, triplet=triplet)][-1:] or inside
    yield from cut_to_values(start, inside[0], levels, rest=rest, triplet=triplet)
    yield from cut_to_values(inside[0], end, levels, rest=rest, triplet=triplet)


def _rank(position: int, levels: Sequence[int]) -> int:
    """The level of a position: 0 on a barline, 1 on the next level, and so on."""
    return next((rank for rank, level in enumerate(levels) if position % level == 0), len(levels) - 1)


def _strongest(start: int, end: int, levels: Sequence[int]) -> list[int]:
    """The positions strictly inside a span on the strongest level found there."""
    for level in levels:
        inside = list(range(start - start % level + level, end, level))
        if inside:
            return inside
    return []


def _hides_a_beat(start: int, end: int, levels: Sequence[int], *, rest: bool) -> bool:
    inside = _strongest(start, end, levels)
    if not inside:
        return False
    weakest_end = max(_rank(start, levels), _rank(end, levels))
    strongest = _rank(inside[0], levels)
    if strongest > weakest_end:
        return False
    in_threes = strongest > 0 and levels[strongest - 1] == 3 * levels[strongest]
    if strongest == weakest_end:
        # Rests keep beats in groups of three visible, except the first two eighths of a beat.
        return rest and in_threes and (strongest == 1 or start % levels[strongest - 1] != 0)
    next_stronger = levels[strongest] == 2 * levels[weakest_end]
    return rest or strongest != weakest_end - 1 or not next_stronger or len(inside) > 1


# Spans to try, best first among equally good ones: the triplet of eighths, of 16ths, of quarters, of 32nds, of halves.
_SPANS = (24, 12, 48, 6, 96, 3)


@dataclass(frozen=True, slots=True)
class Triplet:
    """A span of a bar that is divided by three.

    Args:
        start: ticks from the bar's start.
        span: its ticks: 24 for three eighths in the time of a quarter.
    """

    start: int
    span: int

    @property
    def end(self) -> int:
        """Ticks from the bar's start to its end."""
        return self.start + self.span


def find_triplets(onsets_and_ends: Collection[int], sounding: Iterable[tuple[int, int]], meter: Meter) -> list[Triplet]:
    """Choose triplets for every boundary off the grid of 32nds.

    Args:
        onsets_and_ends: boundaries of notes and rests, ticks from the bar's start.
        sounding: (start, end) of the notes, likewise.
        meter: the bar's meter.

    Returns:
        Triplets that do not overlap, ascending.

    Examples:
        >>> find_triplets([0, 8, 16, 24], [(0, 8), (8, 16), (16, 24)], Meter(2, 4))
        [Triplet(start=0, span=24)]
    """
    boundaries = sorted(set(onsets_and_ends))
    notes = list(sounding)
    chosen: list[Triplet] = []
    for boundary in boundaries:
        if boundary % SMALLEST == 0 or any(triplet.start < boundary < triplet.end for triplet in chosen):
            continue
        best = min(_around(boundary, meter, chosen), key=lambda triplet: _cost(triplet, boundaries, notes))
        chosen = [triplet for triplet in chosen if not (best.start <= triplet.start and triplet.end <= best.end)]
        chosen.append(best)
    return chosen


def _around(boundary: int, meter: Meter, chosen: list[Triplet]) -> list[Triplet]:
    """Triplets on a beat with a boundary inside that do not cut into one chosen before."""
    bar, compound = meter.ticks_per_bar, meter.ticks_per_beat % 9 == 0
    candidates = []
    for span in _SPANS:
        if compound and span > meter.ticks_per_beat // 3:
            continue
        step = span // 2 if span == 48 and meter.numerator % 2 else span  # in 3/4 also over beats two and three
        for start in {boundary - boundary % span, boundary - boundary % step, boundary - boundary % step - span + step}:
            triplet = Triplet(start, span)
            if start >= 0 and start < boundary < triplet.end <= bar and not any(_cuts(triplet, one) for one in chosen):
                candidates.append(triplet)
    return candidates


def _cuts(one: Triplet, other: Triplet) -> bool:
    overlap = one.start < other.end and other.start < one.end
    holds = one.start <= other.start and other.end <= one.end
    return overlap and not holds


def _cost(triplet: Triplet, boundaries: list[int], notes: list[tuple[int, int]]) -> tuple[float, int]:
    """How hard it is to read: ties over its edges, and divisions of its thirds."""
    ties = sum(start < edge < end for edge in (triplet.start, triplet.end) for start, end in notes)
    divisions, grid = 0, triplet.span // 3
    inside = [boundary - triplet.start for boundary in boundaries if triplet.start < boundary < triplet.end]
    while grid > 1 and any(boundary % grid for boundary in inside):
        divisions, grid = divisions + 1, grid // 2
    return ties + 1.5 * divisions, _SPANS.index(triplet.span)
