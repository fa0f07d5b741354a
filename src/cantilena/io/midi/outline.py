"""What stands in a MIDI file, looked at before a library reads it.

The library answers nonsense, and nobody is told, where time has no unit, a tempo is zero, notes never end or a song
ends in the middle. Each of these is found here and said in a sentence.
Source: MIDI 1.0 Detailed Specification, Standard MIDI Files 1.0, RP-001.
"""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import ScoreError

_MAX_TRACKS = 20_000
_MAX_NOTES = 1_000_000
_MAX_QUARTERS = 100_000
"""Fourteen hours at 120 quarters a minute."""

_NAME, _END, _TEMPO, _METER, _KEY = 0x03, 0x2F, 0x51, 0x58, 0x59
_LENGTHS = {_TEMPO: 3, _METER: 4, _KEY: 2}
_EXPORT = "open it in a music program and export it as MIDI again"


@dataclass(frozen=True, slots=True)
class TrackOutline:
    """One track of a MIDI file.

    Args:
        events: the track's bytes without its head; what the library misreads is put in another way.
        name: its name, or "".
        begun: how many notes begin.
        unended: how many of them never end.
    """

    events: bytes
    name: str = ""
    begun: int = 0
    unended: int = 0


@dataclass(frozen=True, slots=True)
class MidiOutline:
    """A MIDI file that holds music in beats.

    Args:
        division: ticks a quarter note.
        tracks: the tracks in order.
    """

    division: int
    tracks: tuple[TrackOutline, ...]


def midi_outline(content: bytes) -> MidiOutline:
    """Walk through a MIDI file from its first byte to its last.

    Args:
        content: the file; one wrapped in RIFF (RMID) is unwrapped.

    Raises:
        ScoreError: it is not MIDI, cut short, damaged, too large, of a kind without beats, or without notes.
    """
    if not content:
        raise ScoreError("it is empty", _EXPORT)
    content = _unwrapped(content)
    if content[:4] != b"MThd":
        raise ScoreError("it is not a MIDI file, whatever its name says", "name a file that begins with MThd")
    head_length = int.from_bytes(content[4:8], "big")
    if len(content) < 14 or head_length < 6:
        raise ScoreError("it is cut short in its head", _EXPORT)
    kind, promised, division = (int.from_bytes(content[place : place + 2], "big") for place in (8, 10, 12))
    if kind == 2:
        raise ScoreError("it holds independent patterns (MIDI format 2)", "export each pattern as a file of its own")
    if kind > 2:
        raise ScoreError(f"it is of MIDI format {kind}, which does not exist", _EXPORT)
    if division & 0x8000:
        raise ScoreError("its time is in frames of film (SMPTE), not in beats", "export it with ticks a quarter note")
    if division == 0:
        raise ScoreError("its quarter note has no length (division 0)", _EXPORT)
    chunks = _track_chunks(content, 8 + head_length)
    if len(chunks) < promised:
        raise ScoreError(f"it is cut short: {len(chunks)} of its {promised} tracks are there", _EXPORT)
    if len(chunks) > _MAX_TRACKS:
        raise ScoreError(f"it has {len(chunks)} tracks", f"a score may have up to {_MAX_TRACKS}")
    outline = MidiOutline(division, tuple(_track(chunk, division) for chunk in chunks))
    begun = sum(track.begun for track in outline.tracks)
    if begun > _MAX_NOTES:
        raise ScoreError(f"it has {begun} notes", f"a score may have up to {_MAX_NOTES}")
    if begun == 0:
        raise ScoreError("it has no notes", "name a file with music in it")
    if begun == sum(track.unended for track in outline.tracks):
        raise ScoreError("its notes never end", _EXPORT)
    return outline


def _unwrapped(content: bytes) -> bytes:
    if content[:4] != b"RIFF" or content[8:12] != b"RMID":
        return content
    place = 12
    while place + 8 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"data":
            return content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
    raise ScoreError("it is a RIFF file without MIDI in it", _EXPORT)


def _track_chunks(content: bytes, place: int) -> list[bytes]:
    chunks: list[bytes] = []
    while place + 8 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "big")
        is_track = content[place : place + 4] == b"MTrk"
        if is_track and place + 8 + length > len(content):
            raise ScoreError(f"it is cut short in track {len(chunks) + 1}", _EXPORT)
        if is_track:
            chunks.append(content[place + 8 : place + 8 + length])
        place += 8 + length
    return chunks


def _track(events: bytes, division: int) -> TrackOutline:
    try:
        return _walked(events, _MAX_QUARTERS * division)
    except IndexError:
        raise _damaged("an event is cut off at the end of a track") from None


def _walked(events: bytes, last_tick: int) -> TrackOutline:
    """Count the notes of a track. One loop without calls, since it looks at every byte of every file."""
    place, size, tick, status, begun = 0, len(events), 0, 0, 0
    name, escapes = b"", []
    sounding = [0] * 2048  # by channel and pitch
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
        if byte >= 0xF0:
            place += 1
            if byte == 0xFF:
                kind = events[place]
                place += 1
            elif byte in (0xF0, 0xF7):
                kind = -1
                if byte == 0xF7:
                    escapes.append(place - 1)
            else:
                raise _damaged(f"there is a byte {byte:#x} where an event should be")
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
                raise _damaged("an event has a length that it cannot have")
            if kind == _TEMPO and not any(content):
                raise ScoreError("it has a tempo of zero", "give it a tempo in a music program and export it again")
            if kind == _NAME and not name:
                name = content
            if kind == _END:
                break
            continue
        if byte >= 0x80:
            status = byte
            place += 1
        elif not status:
            raise _damaged("an event does not say what it is")
        if 0xC0 <= status < 0xE0:
            first, second = events[place], 0
            place += 1
        else:
            first, second = events[place], events[place + 1]
            place += 2
        if (first | second) >= 0x80:
            raise _damaged("an event has a value over 127")
        if 0x80 <= status < 0xA0:
            note = (status & 0x0F) << 7 | first
            if status >= 0x90 and second:
                sounding[note] += 1
                begun += 1
            elif sounding[note]:
                sounding[note] -= 1
            if tick > last_tick:
                raise ScoreError(
                    f"it lasts more than {_MAX_QUARTERS} quarter notes", "cut it into pieces, or mend its times"
                )
    return TrackOutline(_plain(events, escapes), _text(name), begun, sum(sounding))


def _plain(events: bytes, escapes: list[int]) -> bytes:
    """Events with escapes (F7) as system-exclusive ones (F0), which look the same and which the library knows."""
    if not escapes:
        return events
    plain = bytearray(events)
    for place in escapes:
        plain[place] = 0xF0
    return bytes(plain)


def _damaged(what: str) -> ScoreError:
    return ScoreError(f"it is damaged: {what}", _EXPORT)


def _text(name: bytes) -> str:
    """A name on one line; old files write it in Latin-1."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = name.decode("latin-1")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:200]
