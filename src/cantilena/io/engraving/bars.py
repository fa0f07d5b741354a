"""Melodies as bars of notes, rests, ties, triplets and beams, and the clef that fits them.

A staff with one voice shows less than a `Melody` may hold, so in a score (never in MIDI):
- a note is cut where the next one begins, and notes that begin together are one chord, as long as the longest;
- written rests are silence like any other;
- the last bar is filled up with rests, except where it completes the pickup to a whole bar.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
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
_MOST_BARS = 50_000


@dataclass(frozen=True, slots=True)
class Chord:
    """Pitches that one voice strikes together, cut where the next ones begin.

    Args:
        pitches: MIDI numbers, ascending.
        sources: for each pitch the index in `melody.sounding` of the note that it comes from.
        start: ticks from the start of the melody.
        end: ticks likewise.
        following: the pitches that follow without a rest between.
    """

    pitches: tuple[int, ...]
    sources: tuple[int, ...]
    start: int
    end: int
    following: tuple[int, ...] = ()

    def resolution(self, pitch: int) -> int | None:
        """Return the pitch a semitone away that a pitch moves on to, if any."""
        return next((other for other in self.following if abs(other - pitch) == 1), None)


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol on the staff: a note or chord, or a rest.

    Args:
        chord: what sounds; None for a rest.
        start: ticks from the start of the melody.
        position: ticks from the start of a full bar (a pickup bar begins late).
        duration: ticks.
        value: the note value; None for the rest of a whole bar.
        triplet: the triplet that it belongs to.
        triplet_edges: whether it opens and whether it closes that triplet.
        tied: whether it is tied from the symbol before and to the symbol after.
        beams: for each beam `begin`, `continue`, `end`, `forward hook` or `backward hook`, as in MusicXML.
    """

    chord: Chord | None
    start: int
    position: int
    duration: int
    value: Value | None
    triplet: Triplet | None = None
    triplet_edges: tuple[bool, bool] = (False, False)
    tied: tuple[bool, bool] = (False, False)
    beams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Args:
        start: ticks from the start of the melody.
        end: ticks likewise.
        is_whole: whether it is as long as the meter says.
        symbols: its content, without gaps.
    """

    start: int
    end: int
    is_whole: bool
    symbols: tuple[Symbol, ...]


def notate(melody: Melody, cuts: Collection[int] = ()) -> tuple[Bar, ...]:
    """Write a melody into bars.

    Args:
        melody: the melody.
        cuts: ticks at which a symbol begins, within a note too, which is then tied.

    Raises:
        UsageError: more than 50,000 bars.

    Examples:
        >>> tune = Melody.from_pitches([(60, 36), (62, 84)])
        >>> [[(symbol.duration, symbol.tied[1]) for symbol in bar.symbols] for bar in notate(tune)]
        [[(36, False), (12, True), (48, True)], [(24, False), (24, False), (48, False)]]
    """
    chords = voice(melody)
    edges = _barlines(melody)
    ordered = sorted(set(cuts))
    bars, first = [], 0
    for start, end in pairwise(edges):
        while first < len(chords) and chords[first].end <= start:
            first += 1
        last = first
        while last < len(chords) and chords[last].start < end:
            last += 1
        inside = ordered[bisect_right(ordered, start) : bisect_left(ordered, end)]
        bars.append(_bar(melody, start, end, chords[first:last], inside))
    return tuple(bars)


def voice(melody: Melody) -> tuple[Chord, ...]:
    """Return what a single voice plays of a melody.

    Examples:
        >>> from cantilena.music import Note
        >>> overlapping = Melody((Note((60,), 0, 96), Note((64,), 24, 24)))
        >>> [(chord.pitches, chord.start, chord.end) for chord in voice(overlapping)]
        [((60,), 0, 24), ((64,), 24, 48)]
    """
    struck: dict[int, tuple[dict[int, int], int]] = {}
    for index, note in enumerate(melody.sounding):
        sources, end = struck.setdefault(note.onset, ({}, 0))
        for pitch in note.pitches:
            sources.setdefault(pitch, index)
        struck[note.onset] = sources, max(end, note.end)
    chords = []
    for (start, (sources, end)), after in zip(struck.items(), (*struck, melody.length)[1:], strict=True):
        pitches = tuple(sorted(sources))
        following = tuple(sorted(struck[after][0])) if after in struck and end >= after else ()
        chords.append(Chord(pitches, tuple(sources[pitch] for pitch in pitches), start, min(end, after), following))
    return tuple(chords)


def beam_states(
    places: Sequence[tuple[int, int]], flags: Sequence[int], triplets: Sequence[int], meter: Meter
) -> list[tuple[str, ...]]:
    """Join the eighths and shorter notes of a bar by beams, so that the beat can be seen.

    Args:
        places: (position in the bar, duration) of notes and rests, in ticks, in order, without gaps.
        flags: for each the flags that it would have alone; 0 for a quarter, and for a rest.
        triplets: for each the position at which its triplet begins; -1 outside triplets.
        meter: the bar's meter.

    Returns:
        For each the states of its beams as in `Symbol.beams`; none for a note that stays alone.

    Examples:
        >>> beam_states([(0, 18), (18, 6), (24, 24)], [1, 2, 0], [-1, -1, -1], Meter(2, 4))
        [('begin',), ('end', 'backward hook'), ()]
    """
    states: list[tuple[str, ...]] = [()] * len(places)
    for group in _beam_groups(places, flags, triplets, meter):
        if len(group) > 1:
            for before, index, after in zip([None, *group], group, [*group[1:], None], strict=False):
                left, right = (0 if other is None else flags[other] for other in (before, after))
                position, duration = places[index]
                on_the_beat = position % (2 * duration) == 0
                states[index] = tuple(
                    _beam_state(level, left, right, on_the_beat) for level in range(1, flags[index] + 1)
                )
    return states


def _beam_groups(
    places: Sequence[tuple[int, int]], flags: Sequence[int], triplets: Sequence[int], meter: Meter
) -> list[list[int]]:
    """Neighbours within a beat; beats of two eighths join within half a bar, or a bar of up to three beats."""
    beats = _beats(meter)
    # A beam and a bracket never cut across each other: a triplet that is not beamed whole keeps its beams to itself.
    beats_in_triplets: dict[int, set[int | None]] = {}
    for (position, _), own, triplet in zip(places, flags, triplets, strict=True):
        beats_in_triplets.setdefault(triplet, set()).add(beats[position] if own else None)
    apart = {triplet for triplet, held in beats_in_triplets.items() if triplet >= 0 and (len(held) > 1 or None in held)}
    numbered = [
        (flags[index] > 0, beats[position], triplets[index] if triplets[index] in apart else -1, index)
        for index, (position, _) in enumerate(places)
    ]
    groups: list[list[int]] = []
    for (is_beamed, _, _), members in groupby(numbered, key=lambda one: one[:3]):
        group = [index for *_, index in members]
        if is_beamed and groups and _may_join(groups[-1], group, places, meter):
            groups[-1] = groups[-1] + group
        elif is_beamed:
            groups.append(group)
    return groups


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
    # 3/8, 5/8, 7/8 and the like: pairs, and a group of three at the end where the number is odd.
    pairs = max(meter.numerator // 2, 1)
    return [min(tick // (2 * written), pairs - 1) for tick in range(meter.ticks_per_bar)]


def _beam_state(level: int, before: int, after: int, on_the_beat: bool) -> str:
    if before >= level and after >= level:
        return "continue"
    if before >= level:
        return "end"
    if after >= level:
        return "begin"
    # Alone at this level: the hook points to the note that completes the beat.
    return "forward hook" if (on_the_beat and after) or not before else "backward hook"


def _barlines(melody: Melody) -> list[int]:
    """The ticks where bars begin, and where the last one ends."""
    bar, edges = melody.meter.ticks_per_bar, []
    for start in melody.bar_starts():
        edges.append(start)
        if len(edges) > _MOST_BARS:
            raise UsageError(f"a score of over {_MOST_BARS} bars is too long to write", f"cut it to {_MOST_BARS} bars")
    last, pickup = edges[-1], melody.pickup % bar
    if pickup and last and melody.length - last == bar - pickup:
        return [*edges, melody.length]
    return [*edges, max(last + bar if last or not pickup else pickup, melody.length)]


def _bar(melody: Melody, start: int, end: int, chords: Sequence[Chord], cuts: Sequence[int]) -> Bar:
    meter = melody.meter
    is_whole = end - start == meter.ticks_per_bar
    if not chords and is_whole and not cuts:
        return Bar(start, end, is_whole, (Symbol(None, start, 0, end - start, None),))
    shift = start - (start - melody.pickup) % meter.ticks_per_bar  # from positions in the bar to ticks of the melody
    spans = list(_cut_spans(_spans(start, end, shift, chords), [tick - shift for tick in cuts]))
    sounding = [(a, b) for a, b, chord in spans if chord is not None]
    triplets = find_triplets([edge for a, b, _ in spans for edge in (a, b)], sounding, meter)
    symbols = []
    for a, b, chord in spans:
        for piece, piece_end, value, triplet in _pieces(a, b, chord is None, triplets, meter_levels(meter)):
            tied = (False, False) if chord is None else (piece + shift > chord.start, piece_end + shift < chord.end)
            symbols.append(Symbol(chord, piece + shift, piece, piece_end - piece, value, triplet, tied=tied))
    places = [(symbol.position, symbol.duration) for symbol in symbols]
    flags = [symbol.value.flags if symbol.chord is not None and symbol.value else 0 for symbol in symbols]
    beams = beam_states(places, flags, [one.triplet.start if one.triplet else -1 for one in symbols], meter)
    owners = [None, *(symbol.triplet for symbol in symbols), None]
    finished = (
        replace(symbol, beams=states, triplet_edges=(own != left, own != right) if own else (False, False))
        for symbol, states, left, own, right in zip(symbols, beams, owners, owners[1:], owners[2:], strict=False)
    )
    return Bar(start, end, is_whole, tuple(finished))


def _spans(start: int, end: int, shift: int, chords: Sequence[Chord]) -> Iterator[tuple[int, int, Chord | None]]:
    """Sound and silence of a bar as (start, end, chord) in positions of the bar, without gaps."""
    now, bar_end = start - shift, end - shift
    for chord in chords:
        onset, stop = max(chord.start, start) - shift, min(chord.end, end) - shift
        if onset > now:
            yield now, onset, None
        yield onset, stop, chord
        now = stop
    if now < bar_end:
        yield now, bar_end, None


def _cut_spans(
    spans: Iterator[tuple[int, int, Chord | None]], cuts: Sequence[int]
) -> Iterator[tuple[int, int, Chord | None]]:
    for start, end, chord in spans:
        for a, b in pairwise((start, *(cut for cut in cuts if start < cut < end), end)):
            yield a, b, chord


def _pieces(
    start: int, end: int, rest: bool, triplets: list[Triplet], levels: tuple[int, ...]
) -> Iterator[tuple[int, int, Value, Triplet | None]]:
    """A span cut at the edges of triplets, then into note values."""
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


@dataclass(frozen=True, slots=True)
class Clef:
    """A clef.

    Args:
        sign: `G` or `F`.
        line: the staff line on which it stands, counted from below.
        octaves: how many octaves higher it sounds than written: 1 for a treble clef with an 8 above.
        low: MIDI number of the lowest note that is easy to read, two ledger lines below the staff.
        high: MIDI number of the highest such note, two ledger lines above.
    """

    sign: str
    line: int
    octaves: int
    low: int
    high: int


_CLEFS = (
    Clef("G", 2, 0, 57, 84),
    Clef("F", 4, 0, 36, 64),
    Clef("G", 2, 1, 69, 96),
    Clef("F", 4, -1, 24, 52),
    Clef("G", 2, 2, 81, 108),
)


def best_clef(pitches: Sequence[int]) -> Clef:
    """Return the clef with the fewest ledger lines for some MIDI pitches; the treble clef where several are equal.

    Examples:
        >>> best_clef([60, 67, 72]).sign, best_clef([36, 48, 55]).sign, best_clef([96, 100]).octaves
        ('G', 'F', 1)
    """

    def cost(clef: Clef) -> float:
        """Mean of the squared semitones outside the easy range; clefs with octaves are penalised."""
        outside = (max(clef.low - pitch, pitch - clef.high, 0) for pitch in pitches)
        return sum(step**2 for step in outside) / len(pitches) + 30 * abs(clef.octaves)

    return min(_CLEFS, key=cost) if pitches else _CLEFS[0]
