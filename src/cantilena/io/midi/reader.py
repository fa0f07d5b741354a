"""Reading Standard MIDI Files of format 0 and 1, also wrapped in RIFF.

Every event is checked: files without time in beats, with damaged events or with notes that never end are refused with
the reason, where libraries return wrong notes silently.
Source: MIDI 1.0 Detailed Specification, Standard MIDI Files 1.0, RP-001.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from cantilena.errors import ScoreError, UsageError
from cantilena.io.notation.text import decoded
from cantilena.io.score import Part, Score
from cantilena.music import Chord, Key, Meter

_MAX_TRACKS = 20_000
_MAX_NOTES = 1_000_000
_MAX_QUARTERS = 100_000  # 14 hours at 120 quarters a minute

CHORD_TRACK = "Chords"
"""The name of a track whose markers are chord symbols and whose notes accompany: what `midi_bytes` writes."""

_NAME, _MARKER, _END, _TEMPO, _METER, _KEY = 0x03, 0x06, 0x2F, 0x51, 0x58, 0x59
_LONGEST_SYMBOL = 40  # bytes
_LENGTHS = {_TEMPO: 3, _METER: 4, _KEY: 2}
_SILENCING = frozenset((120, 123, 124, 125, 126, 127))  # controllers: All Sound Off, All Notes Off, changes of mode
_DRUMS = 9  # the channel of percussion in General MIDI
_EXPORT = "open it in a music program and export it as MIDI again"


@dataclass(slots=True)
class _Track:
    """One track: its name, its notes in the order of their onsets as columns, and its meta events."""

    name: str = ""
    onsets: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # -1 for notes that never end
    pitches: list[int] = field(default_factory=list)
    velocities: list[int] = field(default_factory=list)
    voices: list[int] = field(default_factory=list)  # channel x 128 + program
    tempos: dict[int, float] = field(default_factory=dict)
    meters: dict[int, Meter] = field(default_factory=dict)
    keys: dict[int, Key] = field(default_factory=dict)
    silences: list[tuple[int, int]] = field(default_factory=list)  # ticks and channels where all notes end
    markers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def unended(self) -> int:
        """How many notes never end."""
        return self.ends.count(-1)

    def end_at(self, silences: Mapping[int, list[int]]) -> None:
        """End notes at the silences of their channel, ascending ticks, which other tracks may hold."""
        for row, voice in enumerate(self.voices):
            ticks = silences.get(voice >> 7, [])
            after = bisect_right(ticks, self.onsets[row])
            if after < len(ticks) and not 0 <= self.ends[row] <= ticks[after]:
                self.ends[row] = ticks[after]

    def parts(self, number: int) -> Iterator[Part]:
        """Yield the notes that end, by channel and program."""
        columns = np.array([self.onsets, self.ends, self.pitches, self.velocities], dtype=np.int64)
        voices = np.array(self.voices, dtype=np.int64)
        for voice in sorted(set(self.voices)):
            onset, end, pitch, velocity = columns[:, (voices == voice) & (columns[1] >= 0)]
            if len(onset):
                is_drums = voice >> 7 == _DRUMS
                yield Part(self.name, onset, end - onset, pitch, velocity, is_drums=is_drums, track=number)


def read_midi(content: bytes) -> Score:
    """Read a MIDI file of format 0 or 1.

    A note-off ends the earliest sounding note of its pitch and channel; All Sound Off, All Notes Off and a change of
    mode (controllers 120 and 123 to 127) end all notes of their channel. Notes that never end are left out and counted
    as lost. Each channel and program of a track is a part of its own.

    A track named `Chords` whose markers are all chord symbols gives the chords; its notes are left out unless no other
    track has notes.

    Args:
        content: the file's bytes, also wrapped in RIFF (RMID).

    Raises:
        ScoreError: it is not MIDI, cut short, damaged, too large, without beats or without notes.
    """
    division, tracks = _tracks(content)
    silences: dict[int, list[int]] = {}
    for tick, channel in sorted(silence for track in tracks for silence in track.silences):
        silences.setdefault(channel, []).append(tick)
    if silences and len(tracks) > 1:
        for track in tracks:
            track.end_at(silences)
    total, unended = sum(len(track.onsets) for track in tracks), sum(track.unended for track in tracks)
    if total > _MAX_NOTES:
        raise ScoreError(f"it has {total} notes", f"a score may have up to {_MAX_NOTES}")
    if total == unended:
        raise (
            ScoreError("its notes never end", _EXPORT)
            if total
            else ScoreError("it has no notes", "name a file with music in it")
        )
    chord_tracks = {number: chords for number, track in enumerate(tracks) if (chords := _chords(track))}
    has_others = any(track.onsets and number not in chord_tracks for number, track in enumerate(tracks))
    parts: list[Part] = []
    tempos: dict[int, float] = {0: 120.0}
    meters: dict[int, Meter] = {}
    keys: dict[int, Key] = {}
    for number, track in enumerate(tracks):
        tempos |= track.tempos
        meters |= track.meters
        keys |= track.keys
        if not (has_others and number in chord_tracks):
            parts += track.parts(number)
    return Score(
        tuple(parts),
        division,
        tempos=tuple(sorted(tempos.items())),
        meters=tuple(sorted(meters.items())),
        keys=tuple(sorted(keys.items())),
        keys_are_explicit=False,
        # The first track is named after the piece, unless it is one instrument of several.
        title=tracks[0].name if not tracks[0].onsets or len(tracks) - len(chord_tracks) == 1 else "",
        lost=unended,
        chords=tuple(sorted({tick: one for chords in chord_tracks.values() for tick, one in chords.items()}.items())),
    )


def _chords(track: _Track) -> dict[int, Chord]:
    """The chords of a track by tick; none unless it is a track of chords."""
    if track.name != CHORD_TRACK or any(len(symbol) > _LONGEST_SYMBOL for _, symbol in track.markers):
        return {}
    try:
        return {tick: Chord.parse(_text(symbol)) for tick, symbol in track.markers}
    except UsageError:
        return {}


def _tracks(content: bytes) -> tuple[int, list[_Track]]:
    """Return the ticks a quarter note and the tracks."""
    if not content:
        raise ScoreError("it is empty", _EXPORT)
    if content[:4] == b"RIFF" and content[8:12] == b"RMID":
        content = _unwrapped(content)
    if content[:4] != b"MThd":
        raise ScoreError("it is not a MIDI file, whatever its name says", "name a file that begins with MThd")
    header_length = int.from_bytes(content[4:8], "big")
    if len(content) < 14 or header_length < 6:
        raise ScoreError("it is cut short in its header", _EXPORT)
    kind, promised, division = (int.from_bytes(content[place : place + 2], "big") for place in (8, 10, 12))
    if kind == 2:
        raise ScoreError("it holds independent patterns (MIDI format 2)", "export each pattern as a file of its own")
    if kind > 2:
        raise ScoreError(f"it is of MIDI format {kind}, which does not exist", _EXPORT)
    if division & 0x8000:
        raise ScoreError("its time is in frames of film (SMPTE), not in beats", "export it with ticks a quarter note")
    if division == 0:
        raise ScoreError("its quarter note has no length (division 0)", _EXPORT)
    chunks: list[bytes] = []
    place = 8 + header_length
    while place + 8 <= len(content):
        start, length = place + 8, int.from_bytes(content[place + 4 : place + 8], "big")
        if content[place : place + 4] == b"MTrk":
            if start + length > len(content):
                raise ScoreError(f"it is cut short in track {len(chunks) + 1}", _EXPORT)
            chunks.append(content[start : start + length])
        place = start + length
    if len(chunks) < promised:
        raise ScoreError(f"it is cut short: {len(chunks)} of its {promised} tracks are there", _EXPORT)
    if len(chunks) > _MAX_TRACKS:
        raise ScoreError(f"it has {len(chunks)} tracks", f"a score may have up to {_MAX_TRACKS}")
    try:
        return division, [_track(chunk, _MAX_QUARTERS * division) for chunk in chunks]
    except IndexError:
        _raise_damaged("an event is cut off at the end of a track")


def _unwrapped(content: bytes) -> bytes:
    place = 12
    while place + 8 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"data":
            return content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
    raise ScoreError("it is a RIFF file without MIDI in it", _EXPORT)


def _track(events: bytes, last_tick: int) -> _Track:
    """Read the events of a track. One loop without calls, since it looks at every byte of every file.

    Raises:
        IndexError: the last event is cut off.
    """
    track = _Track()
    place, size, tick, status, name = 0, len(events), 0, 0, b""
    programs = [0] * 16
    sounding: list[dict[int, deque[int]]] = [{} for _ in range(16)]  # indices of notes by channel and pitch
    onsets, ends, pitches, velocities, voices = track.onsets, track.ends, track.pitches, track.velocities, track.voices
    while place < size:
        byte = events[place]
        place += 1
        delta = byte & 0x7F
        while byte >= 0x80:
            byte = events[place]
            place += 1
            delta = delta << 7 | byte & 0x7F
        tick += delta
        byte = events[place]
        if byte >= 0xF0:  # a meta event or a system exclusive message
            place += 1
            kind = -1
            if byte == 0xFF:
                kind = events[place]
                place += 1
            elif byte not in (0xF0, 0xF7):
                _raise_damaged(f"there is a byte {byte:#x} where an event should be")
            byte = events[place]
            place += 1
            length = byte & 0x7F
            while byte >= 0x80:
                byte = events[place]
                place += 1
                length = length << 7 | byte & 0x7F
            content = events[place : place + length]
            place += length
            if place > size or len(content) != _LENGTHS.get(kind, length):
                _raise_damaged("an event has a length that it cannot have")
            if kind == _END:
                break
            if kind == _NAME:
                name = name or content
            elif kind == _MARKER:
                track.markers.append((tick, content))
            elif kind in _LENGTHS:
                _add_meta_event(track, kind, tick, content)
            continue
        if byte >= 0x80:
            status = byte
            place += 1
        elif not status:
            _raise_damaged("an event does not say what it is")
        channel = status & 0x0F
        if 0xC0 <= status < 0xE0:
            first, second = events[place], 0
            place += 1
        else:
            first, second = events[place], events[place + 1]
            place += 2
        if (first | second) >= 0x80:
            _raise_damaged("an event has a value over 127")
        if status < 0xA0:
            if status >= 0x90 and second:
                sounding[channel].setdefault(first, deque()).append(len(onsets))
                onsets.append(tick)
                ends.append(-1)
                pitches.append(first)
                velocities.append(second)
                voices.append(channel << 7 | programs[channel])
            elif waiting := sounding[channel].get(first):
                ends[waiting.popleft()] = tick
            if tick > last_tick:
                raise ScoreError(
                    f"it lasts more than {_MAX_QUARTERS} quarter notes", "cut it into pieces, or mend its times"
                )
        elif 0xC0 <= status < 0xD0:
            programs[channel] = first
        elif first in _SILENCING and 0xB0 <= status < 0xC0:
            track.silences.append((tick, channel))
            for begun in sounding[channel].values():
                for row in begun:
                    ends[row] = tick
            sounding[channel] = {}
    track.name = _text(name)
    return track


def _add_meta_event(track: _Track, kind: int, tick: int, content: bytes) -> None:
    """Note a tempo, meter or key; meters and keys that do not exist are ignored."""
    if kind == _TEMPO:
        microseconds = int.from_bytes(content, "big")
        if not microseconds:
            raise ScoreError("it has a tempo of zero", "give it a tempo in a music program and export it again")
        track.tempos[tick] = 60e6 / microseconds
    elif kind == _METER:
        try:
            track.meters[tick] = Meter(content[0], 2 ** content[1])
        except UsageError:
            return
    else:
        fifths = int.from_bytes(content[:1], "big", signed=True)
        if -7 <= fifths <= 7 and content[1] in (0, 1):
            tonic = fifths * 7 % 12
            track.keys[tick] = Key((tonic + 9) % 12, "minor") if content[1] else Key(tonic, "major")


def _raise_damaged(what: str) -> NoReturn:
    raise ScoreError(f"it is damaged: {what}", _EXPORT)


def _text(name: bytes) -> str:
    """Decode a name to one line; old files write it in Latin-1, Shift-JIS and others, unknown bytes are escaped."""
    text = decoded(name)
    if text is None:
        text = name.decode("ascii", "backslashreplace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:200]
