"""Converts a part of a music21 score to melodies, bar by bar, and refuses what would misplace a note.

Repeats are not played; of alternative endings the last is used. A short bar at the end of a section is completed by the
upbeat that follows it, or by silence, so that every barline stays where the meter puts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from music21 import harmony, spanner, stream
from music21 import key as m21_key

from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Meter, Note, Tempo

FEWEST_NOTES = 16
"""The fewest notes of a melody."""

_MINOR_MODES = ("minor", "dorian", "phrygian", "aeolian", "locrian")


class UnfitError(Exception):
    """The score has no usable melody; the text is the reason."""


@dataclass
class Bar:
    """A measure as written.

    Args:
        number: its number in the score.
        length: of its notes and rests, in quarters.
        notes: (onset in the bar, duration in quarters, pitch, whether it continues a tie), monophonic.
        meter: its meter.
        fifths: its key signature, None if there is none.
        key: its key, if the score gives the mode.
        closes: whether a section ends with it.
        opens: whether a section begins with it.
    """

    number: int
    length: Fraction
    notes: list[tuple[Fraction, Fraction, int, bool]]
    meter: Meter
    fifths: int | None
    key: Key | None
    closes: bool = False
    opens: bool = False


@dataclass
class Laid:
    """Notes in time, in ticks."""

    meter: Meter
    key: Key | None
    pickup: int = 0
    length: int = 0
    notes: list[Note] = field(default_factory=list)
    rounded: int = 0


def bars_of(part: stream.Stream) -> list[Bar]:
    """The measures of a part without first endings.

    Raises:
        UnfitError: there is no measure, or no meter.
    """
    measures = list(part.getElementsByClass(stream.Measure))
    left_out = _first_endings(part, measures)
    found: list[Bar] = []
    meter: Meter | None = None
    fifths: int | None = None
    key: Key | None = None
    closed_before = False
    for measure in measures:
        if measure.timeSignature is not None:
            meter = Meter.parse(measure.timeSignature.ratioString)
        for signature in measure.getElementsByClass(m21_key.KeySignature):
            fifths, key = signature.sharps, key_of(signature)
        if meter is None:
            raise UnfitError("no meter")
        if id(measure) in left_out:
            continue
        notes = list(_top_line(measure))
        sounding = [element for element in _timed(measure) if element[1]]
        length = max((onset + duration for onset, duration, _ in sounding), default=Fraction(0))
        closes, opens = _ends_section(measure.rightBarline), _ends_section(measure.leftBarline)
        if length:
            found.append(Bar(measure.number, length, notes, meter, fifths, key, closes, opens or closed_before))
        closed_before = closes or (not length and (opens or closed_before))
    if not found:
        raise UnfitError("no bars")
    return found


def sections(bars: Sequence[Bar]) -> Iterator[list[Bar]]:
    """Runs of bars in one meter and one key signature."""
    run: list[Bar] = []
    for bar in bars:
        if run and (bar.meter, bar.fifths) != (run[0].meter, run[0].fifths):
            yield run
            run = []
        run.append(bar)
    if run:
        yield run


def laid_out(bars: Sequence[Bar]) -> Laid:
    """Place bars one after the other, each barline where the meter puts it.

    Raises:
        UnfitError: a bar is too long, or too short within a section.
    """
    laid, broken = _laid_until_broken(bars)
    if broken is not None:
        raise UnfitError(f"bar {bars[broken].number} has the wrong length ({bars[broken].length} quarters)")
    return laid


def unbroken(bars: Sequence[Bar], fewest: int) -> Iterator[tuple[int, int, Laid]]:
    """The runs of at least so many bars between bars of the wrong length: first and last bar, notes."""
    while bars:
        laid, broken = _laid_until_broken(bars)
        good = bars if broken is None else bars[:broken]
        if len(good) >= fewest:
            yield good[0].number, good[-1].number, laid
        bars = [] if broken is None else bars[broken + 1 :]


def _laid_until_broken(bars: Sequence[Bar]) -> tuple[Laid, int | None]:
    """The notes of all bars before the first one of the wrong length, and the index of that one."""
    meter = bars[0].meter
    full = Fraction(meter.numerator * 4, meter.denominator)
    laid = Laid(meter, bars[0].key)
    position = phase = Fraction(0)  # of the next bar, and the part of a bar before it
    if len(bars) > 1 and bars[0].length < full:
        phase = full - bars[0].length
        laid.pickup = _ticks(bars[0].length)[0]
    for index, bar in enumerate(bars):
        begins_section = index > 0 and (bar.opens or bars[index - 1].closes)
        if begins_section and phase and phase + bar.length != full:
            position += full - phase  # silence to the end of the bar
            phase = Fraction(0)
        if begins_section and not phase and bar.length < full and not bar.closes:
            phase = full - bar.length  # an upbeat to the bar that follows
            position += phase
        ends_short = bar.closes or index + 1 == len(bars) or bar.length + bars[index + 1].length == full
        if phase + bar.length != full and not (phase == 0 and bar.length < full and ends_short):
            return laid, index
        _add_notes(laid, bar, position)
        position += bar.length
        laid.length = _ticks(position)[0]
        phase = (phase + bar.length) % full
    return laid, None


def melody_of(laid: Laid, *, key: Key | None = None, tempo: Tempo, title: str, source: str) -> Melody:
    """Build a melody from notes in time; its key is the score's own if none is given.

    Raises:
        UnfitError: there are fewer than `FEWEST_NOTES` notes.
    """
    if len(laid.notes) < FEWEST_NOTES:
        raise UnfitError(f"fewer than {FEWEST_NOTES} notes")
    return Melody(
        tuple(laid.notes),
        key or laid.key,
        laid.meter,
        tempo,
        pickup=laid.pickup,
        length=laid.length,
        title=title,
        source=source,
    )


def key_of(signature: Any) -> Key | None:  # noqa: ANN401  (music21 is untyped)
    """A music21 key as major or minor; church modes by their third."""
    if not isinstance(signature, m21_key.Key):
        return None
    return Key(signature.tonic.pitchClass, "minor" if signature.mode in _MINOR_MODES else "major")


def _ends_section(line: Any) -> bool:  # noqa: ANN401  (music21 is untyped)
    return line is not None and line.type not in ("regular", "none", "dashed", "dotted")


def _first_endings(part: stream.Stream, measures: Sequence[stream.Measure]) -> set[int]:
    """Ids of the measures under a bracket that another bracket follows immediately."""
    brackets = [list(each.getSpannedElements()) for each in part.recurse().getElementsByClass(spanner.RepeatBracket)]
    place = {id(measure): index for index, measure in enumerate(measures)}
    spans = [[place[id(measure)] for measure in bracket if id(measure) in place] for bracket in brackets]
    firsts = {min(span) for span in spans if span}
    return {
        id(measures[index])
        for span in spans
        if span and max(span) + 1 in firsts
        for index in range(min(span), max(span) + 1)  # a bracket may name only its ends
    }


def _timed(measure: stream.Measure) -> Iterator[tuple[Fraction, Fraction, Any]]:
    for element in measure.flatten().notesAndRests:
        if not isinstance(element, harmony.ChordSymbol):
            yield Fraction(element.offset), Fraction(element.quarterLength), element


def _top_line(measure: stream.Measure) -> Iterator[tuple[Fraction, Fraction, int, bool]]:
    """The highest note at each time; grace notes, which have no duration, are left out."""
    struck: dict[Fraction, tuple[int, Fraction, bool]] = {}
    for onset, duration, element in _timed(measure):
        if element.isRest or not duration:
            continue
        top = max(element.notes, key=lambda note: note.pitch.midi) if element.isChord else element
        goes_on = top.tie is not None and top.tie.type in ("stop", "continue")
        if onset not in struck or top.pitch.midi > struck[onset][0]:
            struck[onset] = (top.pitch.midi, duration, goes_on)
    line: list[tuple[Fraction, Fraction, int, bool]] = []
    for onset in sorted(struck):
        pitch, duration, goes_on = struck[onset]
        if line and onset < line[-1][0] + line[-1][1]:
            if pitch < line[-1][2]:
                continue  # below a note that still sounds
            line[-1] = (line[-1][0], onset - line[-1][0], *line[-1][2:])
        line.append((onset, duration, pitch, goes_on))
    yield from line


def _add_notes(laid: Laid, bar: Bar, position: Fraction) -> None:
    for onset, duration, pitch, goes_on in bar.notes:
        start, start_rounded = _ticks(position + onset)
        end, end_rounded = _ticks(position + onset + duration)
        last = laid.notes[-1] if laid.notes else None
        if goes_on and last is not None and last.pitches == (pitch,) and last.end == start:
            laid.notes[-1] = Note((pitch,), last.onset, max(end - last.onset, 1))
            continue
        laid.rounded += start_rounded or end_rounded
        if end > start:
            laid.notes.append(Note((pitch,), start, end - start))


def _ticks(quarters: Fraction) -> tuple[int, bool]:
    exact = quarters * TICKS_PER_QUARTER
    return round(exact), exact.denominator != 1
