"""Writing melodies as Standard MIDI Files: format 0, or format 1 where there are chords.

Tick 0 of the file is tick 0 of the melody, also where it begins with a pickup. A pickup is a short first bar with a
time signature of its own (1/4, say), followed by the melody's meter at the first barline, as in notation programs.

MIDI cannot hold written rests, nor two notes of the same pitch at once: the earlier one ends where the later one
begins, as on a piano; of two that begin together the longer stays.

The chords of a melody are a second track named `Chords` on a channel of its own: their symbols as markers, of which the
reader makes chords again, and their notes as an accompaniment, which the reader leaves out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from cantilena.errors import UsageError
from cantilena.io.midi.reader import CHORD_TRACK
from cantilena.io.printable import printable
from cantilena.io.sound.accompaniment import ACCOMPANIMENT_VELOCITY, Pattern, accompaniment
from cantilena.io.sound.instruments import Instrument, find_instrument
from cantilena.io.sound.names import InstrumentName
from cantilena.io.sound.performance import VELOCITY, perform
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Meter, Note, find_key

MIDI_TICKS_PER_QUARTER = 480
"""Resolution of the files: 20 MIDI ticks for each tick of a `Melody`, so that nothing is rounded."""

_SCALE = MIDI_TICKS_PER_QUARTER // TICKS_PER_QUARTER
_CHORD_CHANNEL = 1
_LONGEST = (2**28 - 1) // _SCALE  # ticks that a delta time of four bytes can hold
_SLOWEST = 60e6 / (2**24 - 1)
# The order of events at the same tick: meta events, ends of notes, beginnings of notes.
_META, _OFF, _ON = range(3)

_Event = tuple[int, int, bytes]


def midi_bytes(
    melody: Melody,
    *,
    velocity: int | Sequence[int] = 80,
    expressive: bool = False,
    pattern: Pattern = "block",
    instrument: InstrumentName = "piano",
) -> bytes:
    """Encode a melody as a MIDI file with one track, and one of its chords if it has any.

    The same melody gives the same bytes.

    Args:
        melody: the melody; its title becomes the name of the track, its source a text event.
        velocity: MIDI velocity, 1..127: one for all notes, or one for each note of `melody.sounding`.
        expressive: play it as `perform` does: a tempo map, and velocities around the given one; velocities for each
            note stay as they are.
        pattern: how the chords are played, as in `accompaniment`; with `none` they are symbols only.
        instrument: what plays it, a name of `INSTRUMENTS`: a program change of General MIDI.

    Raises:
        UsageError: an unknown instrument, a velocity out of range, a tempo under 3.6 quarters a minute, or a melody
            too long for MIDI.

    Examples:
        >>> midi_bytes(Melody.from_pitches([(60, 24)]))[:14].hex(" ")
        '4d 54 68 64 00 00 00 06 00 00 00 01 01 e0'
    """
    if expressive:
        played = perform(melody, velocity if isinstance(velocity, int) else VELOCITY)
        melody = replace(melody, tempo=played.tempo)
        velocity = played.velocities if isinstance(velocity, int) else velocity
    if melody.length > _LONGEST:
        raise UsageError(f"a melody of {melody.length} ticks is too long for MIDI", f"cut it to {_LONGEST} ticks")
    voice = find_instrument(instrument)
    tracks = [_track((*_meta_events(melody, voice), *_note_events(melody, velocity)), melody.length)]
    if any(tick < melody.length for tick, _ in melody.chords):
        tracks.append(_track((*_chord_symbols(melody, voice.chords), *_chord_notes(melody, pattern)), melody.length))
    header = struct.pack(">4sIHHH", b"MThd", 6, int(len(tracks) > 1), len(tracks), MIDI_TICKS_PER_QUARTER)
    return header + b"".join(tracks)


def _track(events: Iterable[_Event], end: int) -> bytes:
    """A chunk of events in any order."""
    track = bytearray()
    now = 0
    for tick, _, message in (*sorted(events, key=lambda event: event[:2]), (end, _ON, b"\xff\x2f\x00")):
        track += _variable_length((tick - now) * _SCALE) + message
        now = tick
    return struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _meta_events(melody: Melody, instrument: Instrument) -> Iterator[_Event]:
    """Name, source, meters, key, tempo map and instrument."""
    if title := printable(melody.title):
        yield 0, _META, _meta(0x03, title.encode())
    if source := printable(melody.source):
        yield 0, _META, _meta(0x01, source.encode())
    first_barline = melody.pickup % melody.meter.ticks_per_bar
    has_pickup = 0 < first_barline <= melody.length
    if has_pickup:
        yield 0, _META, _time_signature(*_short_bar(first_barline), melody.meter)
    meter = melody.meter
    yield first_barline if has_pickup else 0, _META, _time_signature(meter.numerator, meter.denominator, meter)
    if melody.key is not None:
        yield 0, _META, _meta(0x59, struct.pack("bB", melody.key.fifths, melody.key.is_minor))
    for tick, rate in melody.tempo.changes:
        if tick <= melody.length:
            yield tick, _META, _meta(0x51, _microseconds(rate).to_bytes(3, "big"))
    yield 0, _META, bytes((0xC0, instrument.program))


def _chord_symbols(melody: Melody, instrument: Instrument) -> Iterator[_Event]:
    """Name, instrument and symbols of the track of chords."""
    yield 0, _META, _meta(0x03, CHORD_TRACK.encode())
    yield 0, _META, bytes((0xC0 | _CHORD_CHANNEL, instrument.program))
    key = melody.key or find_key(melody) or Key()
    for tick, chord in melody.chords:
        if tick < melody.length:
            yield tick, _META, _meta(0x06, chord.symbol(key).encode())


def _chord_notes(melody: Melody, pattern: Pattern) -> Iterator[_Event]:
    notes = accompaniment(melody, pattern)
    yield from _strikes(notes, [ACCOMPANIMENT_VELOCITY] * len(notes), melody.length, _CHORD_CHANNEL)


def _short_bar(ticks: int) -> tuple[int, int]:
    """The time signature of a bar of so many ticks; the nearest longer one where none is exact."""
    whole = 4 * TICKS_PER_QUARTER
    for denominator in (4, 8, 16, 32):
        if ticks * denominator % whole == 0 and ticks * denominator // whole <= 64:
            return ticks * denominator // whole, denominator
    denominator = next(value for value in (32, 16, 8, 4, 2, 1) if ticks * value <= 63 * whole)
    return -(-ticks * denominator // whole), denominator


def _time_signature(numerator: int, denominator: int, meter: Meter) -> bytes:
    # The last two bytes: MIDI clocks (24 a quarter) a click of the metronome, 32nds a quarter.
    click = min(meter.ticks_per_beat, 255)
    return _meta(0x58, bytes((numerator, denominator.bit_length() - 1, click, 8)))


def _microseconds(rate: float) -> int:
    if rate < _SLOWEST:
        raise UsageError(
            f"MIDI has no tempo as slow as {rate:g} quarters a minute", f"its slowest is {_SLOWEST + 0.05:.1f}"
        )
    return round(60e6 / rate)


def _note_events(melody: Melody, velocity: int | Sequence[int]) -> Iterator[_Event]:
    """Note-on and note-off of all notes."""
    sounding = melody.sounding
    velocities = [velocity] * len(sounding) if isinstance(velocity, int) else [int(value) for value in velocity]
    if len(velocities) != len(sounding) or not all(1 <= value <= 127 for value in velocities):
        raise UsageError("the velocities do not fit the notes", "give one number from 1 to 127 for each note")
    yield from _strikes(sounding, velocities, melody.length, channel=0)


def _strikes(notes: Sequence[Note], velocities: Sequence[int], length: int, channel: int) -> Iterator[_Event]:
    by_pitch: dict[int, dict[int, tuple[int, int]]] = {}
    for note, struck in zip(notes, velocities, strict=True):
        for pitch in note.pitches:
            begun = by_pitch.setdefault(pitch, {})
            begun[note.onset] = max(begun.get(note.onset, (0, 0)), (note.end, struck))
    for pitch, begun in by_pitch.items():
        for (onset, (end, struck)), (again, _) in pairwise((*begun.items(), (length, (0, 0)))):
            yield onset, _ON, bytes((0x90 | channel, pitch, struck))
            yield min(end, again), _OFF, bytes((0x80 | channel, pitch, 0))


def _meta(kind: int, content: bytes) -> bytes:
    return bytes((0xFF, kind)) + _variable_length(len(content)) + content


def _variable_length(value: int) -> bytes:
    """Encode a number in groups of seven bits, the first bit of a byte set where another follows."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
