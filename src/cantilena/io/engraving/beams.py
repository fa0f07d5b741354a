"""Beams: eighths and shorter notes joined by the beat, so that a reader sees the beat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from cantilena.music import Meter

_EIGHTH = 12


def beamed(
    places: Sequence[tuple[int, int]], flags: Sequence[int], triplets: Sequence[int], meter: Meter
) -> list[tuple[str, ...]]:
    """Join the notes of a bar by beams.

    Args:
        places: (position in the bar, duration) of notes and rests, in ticks, in order, gapless.
        flags: for each the flags that it would have alone; 0 for a quarter, and for a rest.
        triplets: for each the position at which its triplet begins; -1 outside triplets.
        meter: the bar's meter.

    Returns:
        For each the state of each of its beams, in the words of MusicXML; nothing for what stays alone.

    Example:
        >>> beamed([(0, 18), (18, 6), (24, 24)], [1, 2, 0], [-1, -1, -1], Meter(2, 4))
        [('begin',), ('end', 'backward hook'), ()]
    """
    beams: list[tuple[str, ...]] = [()] * len(places)
    for group in _groups(places, flags, triplets, meter):
        if len(group) > 1:
            states = _states([places[index] for index in group], [flags[index] for index in group])
            for index, own in zip(group, states, strict=True):
                beams[index] = own
    return beams


def _groups(
    places: Sequence[tuple[int, int]], flags: Sequence[int], triplets: Sequence[int], meter: Meter
) -> list[list[int]]:
    """Neighbours within a beat; beats of two eighths each join within half a bar, or a bar of up to three beats."""
    beats = _beats(meter)
    # A beam and a bracket never cut across each other: a triplet that is not beamed whole keeps its beams to itself.
    beats_in_triplets: dict[int, set[int | None]] = {}
    for (position, _), own, triplet in zip(places, flags, triplets, strict=True):
        beats_in_triplets.setdefault(triplet, set()).add(beats[position] if own else None)
    apart = {triplet for triplet, held in beats_in_triplets.items() if triplet >= 0 and (len(held) > 1 or None in held)}
    groups: list[list[int]] = []
    numbered = [
        (flags[index] > 0, beats[position], triplets[index] if triplets[index] in apart else -1, index)
        for index, (position, _) in enumerate(places)
    ]
    for (is_beamed, _, _), members in groupby(numbered, key=lambda one: one[:3]):
        if is_beamed:
            groups.append([index for *_, index in members])
    joined: list[list[int]] = []
    for group in groups:
        if joined and _may_join(joined[-1], group, places, meter):
            joined[-1] = joined[-1] + group
        else:
            joined.append(group)
    return joined


def _may_join(left: list[int], right: list[int], places: Sequence[tuple[int, int]], meter: Meter) -> bool:
    if meter.ticks_per_beat != 2 * _EIGHTH or right[0] != left[-1] + 1:
        return False
    beats_in_bar = meter.ticks_per_bar // meter.ticks_per_beat
    span = {2: 48, 3: 72, 4: 48}.get(beats_in_bar, 24)
    same_span = places[left[0]][0] // span == places[right[-1]][0] // span
    only_eighths = all(places[one][1] == _EIGHTH for one in left + right)
    return same_span and only_eighths and len(left) % 2 == 0 and len(right) == 2


def _beats(meter: Meter) -> list[int]:
    """For each tick of the bar the beat that it belongs to."""
    written = 4 * 2 * _EIGHTH // meter.denominator
    if meter.ticks_per_beat > written or meter.denominator < 8:
        length = max(meter.ticks_per_beat, 2 * _EIGHTH)
        return [tick // length for tick in range(meter.ticks_per_bar)]
    # 3/8, 5/8, 7/8 and their kin: pairs, and a group of three at the end where the number is odd.
    pairs = max(meter.numerator // 2, 1)
    return [min(tick // (2 * written), pairs - 1) for tick in range(meter.ticks_per_bar)]


def _states(places: Sequence[tuple[int, int]], flags: Sequence[int]) -> list[tuple[str, ...]]:
    states = []
    for index, own in enumerate(flags):
        before = flags[index - 1] if index else 0
        after = flags[index + 1] if index + 1 < len(flags) else 0
        position, duration = places[index]
        on_the_beat = position % (2 * duration) == 0
        states.append(tuple(_state(level, before, after, on_the_beat) for level in range(1, own + 1)))
    return states


def _state(level: int, before: int, after: int, on_the_beat: bool) -> str:
    if before >= level and after >= level:
        return "continue"
    if before >= level:
        return "end"
    if after >= level:
        return "begin"
    # Alone at this level: the hook points to the note that fills up the beat with it.
    return "forward hook" if (on_the_beat and after) or not before else "backward hook"
