"""Melodies as they are written down: bars of notes, rests, ties, triplets and beams.

A staff with one voice says less than a `Melody` may hold, so for the score (never for MIDI):
- a note is cut where the next one begins, and notes that begin together are one chord, as long as the longest;
- written rests are silence like any other;
- the last bar is filled up with rests, except where it completes the pickup to a whole bar.

Beams: eighths and shorter notes joined by the beat, so that a reader sees the beat.

Clefs: the one that keeps a melody nearest to its staff.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from cantilena.errors import UsageError
from cantilena.io.engraving.note_values import (
    Triplet,
    Value,
    cut_to_values,
    find_triplets,
    meter_levels,
    triplet_levels,
    value_of,
)
from cantilena.music import Melody, Meter

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


_MOST_BARS = 50_000


@dataclass(frozen=True, slots=True)
class Chord:
    """What one voice does from one moment on: pitches struck together, cut where the next begin.

    Args:
        pitches: MIDI numbers, ascending.
        sources: for each pitch the index in `melody.sounding` of the note that it comes from.
        start: ticks from the start of the melody.
        end: ticks likewise.
    """

    pitches: tuple[int, ...]
    sources: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """One sign on the staff: a note or chord, or a rest.

    Args:
        chord: index in the voice; -1 for a rest.
        start: ticks from the start of the melody.
        position: ticks from the start of a full bar (a pickup bar begins late).
        duration: ticks.
        value: the note value; None for the rest of a whole bar.
        triplet: the triplet that it belongs to.
        triplet_edges: whether it opens and whether it closes that triplet.
        tied: whether it is tied from the sign before and to the sign after.
        beams: for each beam `begin`, `continue`, `end`, `forward hook` or `backward hook`.
    """

    chord: int
    start: int
    position: int
    duration: int
    value: Value | None
    triplet: Triplet | None = None
    triplet_edges: tuple[bool, bool] = (False, False)
    tied: tuple[bool, bool] = (False, False)
    beams: tuple[str, ...] = ()

    @property
    def is_rest(self) -> bool:
        """Whether it is silence."""
        return self.chord < 0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Args:
        start: ticks from the start of the melody.
        end: ticks likewise.
        position: where in a full bar it begins: 0, later for a pickup.
        is_whole: whether it is as long as the meter says.
        symbols: what stands in it, gapless.
    """

    start: int
    end: int
    position: int
    is_whole: bool
    symbols: tuple[Symbol, ...]


def voice(melody: Melody) -> tuple[Chord, ...]:
    """What a single voice plays of a melody.

    Example:
        >>> from cantilena.music import Note
        >>> voice(Melody((Note((60,), 0, 96), Note((64,), 24, 24))))
        (Chord(pitches=(60,), sources=(0,), start=0, end=24), Chord(pitches=(64,), sources=(1,), start=24, end=48))
    """
    struck: dict[int, tuple[dict[int, int], int]] = {}
    for index, note in enumerate(melody.sounding):
        sources, end = struck.setdefault(note.onset, ({}, 0))
        for pitch in note.pitches:
            sources.setdefault(pitch, index)
        struck[note.onset] = sources, max(end, note.end)
    following = (*struck, melody.length)[1:]
    return tuple(
        Chord(tuple(sorted(sources)), tuple(sources[pitch] for pitch in sorted(sources)), start, min(end, next_start))
        for (start, (sources, end)), next_start in zip(struck.items(), following, strict=True)
    )


def notated(melody: Melody, chords: Sequence[Chord]) -> tuple[Bar, ...]:
    """Write a voice into bars.

    Args:
        melody: gives meter, pickup and length.
        chords: what `voice` gave for it.

    Raises:
        UsageError: more than 50,000 bars.

    Example:
        >>> tune = Melody.from_pitches([(60, 36), (62, 84)])
        >>> [[(sign.duration, sign.tied[1]) for sign in bar.symbols] for bar in notated(tune, voice(tune))]
        [[(36, False), (12, True), (48, True)], [(24, False), (24, False), (48, False)]]
    """
    frames = list(_frames(melody))
    if len(frames) > _MOST_BARS:
        raise UsageError(f"a score of {len(frames)} bars is too long to write", f"cut it to {_MOST_BARS} bars")
    bars, first = [], 0
    for start, end in frames:
        while first < len(chords) and chords[first].end <= start:
            first += 1
        last = first
        while last < len(chords) and chords[last].start < end:
            last += 1
        bars.append(_bar(melody, start, end, list(range(first, last)), chords))
    return tuple(bars)


def _frames(melody: Melody) -> Iterator[tuple[int, int]]:
    """Where bars begin and end."""
    bar, starts = melody.meter.ticks_per_bar, []
    for start in melody.bar_starts():
        starts.append(start)
        if len(starts) > _MOST_BARS:
            break
    pickup = melody.pickup % bar
    end = max(starts[-1] + bar if starts[-1] or not pickup else pickup, melody.length)
    if pickup and starts[-1] and melody.length - starts[-1] == bar - pickup:
        end = melody.length
    yield from pairwise((*starts, end))


def _bar(melody: Melody, start: int, end: int, inside: list[int], chords: Sequence[Chord]) -> Bar:
    meter = melody.meter
    position = (start - melody.pickup) % meter.ticks_per_bar
    shift = start - position  # from positions in the bar to ticks of the melody
    is_whole = end - start == meter.ticks_per_bar
    if not inside and is_whole:
        rest = Symbol(-1, start, 0, end - start, None)
        return Bar(start, end, 0, is_whole, (rest,))
    stretches = list(_stretches(start - shift, end - shift, shift, inside, chords))
    sounding = [(a, b) for a, b, chord in stretches if chord >= 0]
    triplets = find_triplets([edge for a, b, _ in stretches for edge in (a, b)], sounding, meter)
    symbols = []
    for a, b, chord in stretches:
        pieces = list(_pieces(a, b, chord < 0, triplets, meter_levels(meter)))
        for piece_start, piece_end, value, triplet in pieces:
            tied = (False, False)
            if chord >= 0:
                tied = piece_start + shift > chords[chord].start, piece_end + shift < chords[chord].end
            symbols.append(
                Symbol(chord, piece_start + shift, piece_start, piece_end - piece_start, value, triplet, tied=tied)
            )
    return Bar(start, end, position, is_whole, tuple(_beamed(_bracketed(symbols), melody)))


def _stretches(
    start: int, end: int, shift: int, inside: list[int], chords: Sequence[Chord]
) -> Iterator[tuple[int, int, int]]:
    """Sound and silence of a bar as (start, end, chord), gapless."""
    now = start
    for index in inside:
        onset, stop = max(chords[index].start - shift, start), min(chords[index].end - shift, end)
        if onset > now:
            yield now, onset, -1
        yield onset, stop, index
        now = stop
    if now < end:
        yield now, end, -1


def _pieces(
    start: int, end: int, rest: bool, triplets: list[Triplet], levels: tuple[int, ...]
) -> Iterator[tuple[int, int, Value, Triplet | None]]:
    """A stretch cut at the edges of triplets, then into note values."""
    edges = {edge for triplet in triplets for edge in (triplet.start, triplet.end) if start < edge < end}
    for a, b in pairwise((start, *sorted(edges), end)):
        triplet = next((one for one in triplets if one.start <= a and b <= one.end), None)
        origin = triplet.start if triplet else 0
        own_levels = triplet_levels(triplet.span) if triplet else levels
        ends = cut_to_values(a - origin, b - origin, own_levels, rest=rest, triplet=triplet is not None)
        for piece_start, piece_end in pairwise((a, *(origin + stop for stop in ends))):
            value = value_of(piece_end - piece_start, triplet=triplet is not None)
            assert value is not None
            yield piece_start, piece_end, value, triplet


def _bracketed(symbols: list[Symbol]) -> list[Symbol]:
    """Mark where triplets open and close."""
    before = [None, *(symbol.triplet for symbol in symbols[:-1])]
    after = [*(symbol.triplet for symbol in symbols[1:]), None]
    return [
        replace(symbol, triplet_edges=(symbol.triplet != left, symbol.triplet != right)) if symbol.triplet else symbol
        for symbol, left, right in zip(symbols, before, after, strict=True)
    ]


def _beamed(symbols: list[Symbol], melody: Melody) -> Iterator[Symbol]:
    flags = [0 if symbol.is_rest or symbol.value is None else symbol.value.flags for symbol in symbols]
    places = [(symbol.position, symbol.duration) for symbol in symbols]
    triplets = [symbol.triplet.start if symbol.triplet else -1 for symbol in symbols]
    for symbol, beams in zip(symbols, beamed(places, flags, triplets, melody.meter), strict=True):
        yield replace(symbol, beams=beams)


@dataclass(frozen=True, slots=True)
class Clef:
    """A clef.

    Args:
        sign: `G` or `F`.
        line: the staff line on which it stands, counted from below.
        octaves: how many octaves higher it sounds than written: 1 for a treble clef with an 8 above.
        low: MIDI number of the lowest note that is easy to read: two ledger lines below the staff.
        high: MIDI number of the highest such note, two ledger lines above.
    """

    sign: str
    line: int
    octaves: int
    low: int
    high: int


TREBLE = Clef("G", 2, 0, 57, 84)
_CLEFS = (
    TREBLE,
    Clef("F", 4, 0, 36, 64),
    Clef("G", 2, 1, 69, 96),
    Clef("F", 4, -1, 24, 52),
    Clef("G", 2, 2, 81, 108),
)


def best_clef(pitches: Sequence[int]) -> Clef:
    """The clef that asks for the fewest ledger lines; the treble clef where it makes no difference.

    Args:
        pitches: MIDI numbers of all notes.

    Example:
        >>> best_clef([60, 67, 72]).sign, best_clef([36, 48, 55]).sign, best_clef([96, 100]).octaves
        ('G', 'F', 1)
    """
    if not pitches:
        return TREBLE
    return min(_CLEFS, key=lambda clef: _distance(clef, pitches))


def _distance(clef: Clef, pitches: Sequence[int]) -> float:
    """Mean of the squared semitones outside the easy range; clefs with octaves must be well worth it."""
    outside = (max(clef.low - pitch, pitch - clef.high, 0) for pitch in pitches)
    return sum(step**2 for step in outside) / len(pitches) + 30 * abs(clef.octaves)
