"""Reading notation: MusicXML, ABC and kern, through music21 where it is installed."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from cantilena.errors import CantilenaError, MissingError, ScoreError, UsageError
from cantilena.io.notation.abc_book import plain_tunes
from cantilena.io.notation.text import musicxml_text, plain_text
from cantilena.io.score import Part, Score
from cantilena.music import Key, Meter

NOTATION = (".musicxml", ".mxl", ".xml", ".abc", ".krn")
"""The suffixes of files in notation."""

_RESOLUTION = 10080
"""Ticks a quarter note: 2^5 x 3^2 x 5 x 7, exact for 128ths and for tuplets of 3, 5, 7 and 9."""

_MAJOR_LIKE = ("major", "ionian", "lydian", "mixolydian")
_MINOR_LIKE = ("minor", "aeolian", "dorian", "phrygian", "locrian")


def require_notation() -> None:
    """Check that music21 is installed.

    Raises:
        MissingError: it is not; the hint is the command that installs it.
    """
    if importlib.util.find_spec("music21") is None:
        raise MissingError(
            "MusicXML, ABC and kern are read by music21, which is not installed", "pip install 'cantilena[notation]'"
        )


def read_notation(content: bytes, suffix: str) -> list[Score]:
    """Read a file in notation: ties are joined, repeats are not played twice, grace notes are left out.

    Each voice of each staff is a part. Pitches sound as played, also of transposing instruments.

    Args:
        content: the file's bytes.
        suffix: `.musicxml`, `.xml`, `.mxl`, `.abc` or `.krn`.

    Returns:
        One score; of a book of tunes in ABC one a tune, those that could not be read without parts and with their
        `error`.

    Raises:
        ScoreError: it cannot be read.
        MissingError: music21 is not installed.
    """
    require_notation()
    if suffix == ".abc":
        tunes = list(split_book(content))
        return [read_tune(tunes[0])] if len(tunes) == 1 else [_score_or_error(tune) for tune in tunes]
    if suffix == ".krn":
        text = plain_text(content)
        if "**kern" not in text:
            raise ScoreError("it is not in kern, whatever its name says", "name a file with a **kern spine")
        return [_score(text, "humdrum")]
    return [_score(musicxml_text(content), "musicxml")]


@dataclass(frozen=True, slots=True)
class TuneText:
    """The text of one tune of a book in ABC.

    Args:
        text: a text of its own.
        number: its place in the book, from 1.
        reference: its field X.
        title: its first field T.
    """

    text: str
    number: int
    reference: str
    title: str


def split_book(content: bytes) -> Iterator[TuneText]:
    """Yield the tunes of a book in ABC, not yet read.

    Args:
        content: the file's bytes.

    Raises:
        ScoreError: it is no text, or holds no tune.
    """
    tunes = plain_tunes(plain_text(content))
    if not tunes:
        raise ScoreError("it holds no tune: no line gives a key (K:)", "name a file of tunes in ABC")
    for number, text in enumerate(tunes, 1):
        title = next((line[2:].strip() for line in text.splitlines() if line.startswith("T:")), "")
        yield TuneText(text, number, str(number), title)


def read_tune(tune: TuneText) -> Score:
    """Read a tune of a book in ABC.

    Raises:
        ScoreError: it cannot be read.
    """
    return _score(tune.text, "abc")


def _score_or_error(tune: TuneText) -> Score:
    try:
        return read_tune(tune)
    except ScoreError as error:
        return Score((), _RESOLUTION, error=error.text)


def _score(text: str, format_name: str) -> Score:
    from music21 import converter

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = converter.parseData(text, format=format_name)
            return _converted(stream)
    except (CantilenaError, MemoryError):
        raise
    except RecursionError as error:
        raise ScoreError("it is nested too deeply", "export it from a notation program again") from error
    except Exception as error:
        first_line = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ScoreError(f"music21 cannot read it: {first_line}", "export it from a notation program again") from error


def _converted(stream: Any) -> Score:  # noqa: ANN401  (music21's streams carry no types that help here)
    staves = list(stream.parts) or [stream]
    parts: list[Part] = []
    graces = 0
    for number, staff in enumerate(staves):
        if any(instrument.transposition for instrument in staff.recurse().getElementsByClass("Instrument")):
            staff.toSoundingPitch(inPlace=True)
        voices, left_out = _voices(staff)
        graces += left_out
        name = " ".join(str(staff.partName or staff.id or "").split())[:200] if staff.partName else ""
        parts += [_part(notes, name, number) for notes in voices]
    if not parts:
        raise ScoreError("it has no notes", "name a file with music in it")
    first = staves[0]
    keys = dict(_keys(first))
    return Score(
        tuple(parts),
        _RESOLUTION,
        tempos=tuple(sorted(({0: 120.0} | dict(_tempos(staves))).items())),
        meters=tuple(sorted(dict(_meters(first)).items())),
        keys=tuple(sorted((tick, key) for tick, (key, _) in keys.items())),
        keys_are_explicit=bool(keys) and all(is_explicit for _, is_explicit in keys.values()),
        pickup=_pickup(first),
        title=_title(stream),
        lost=graces,
    )


_OpenNote = list[int]
"""A note while it is read: onset and end in ticks, MIDI pitch; a tie moves its end."""


def _voices(staff: Any) -> tuple[list[list[_OpenNote]], int]:  # noqa: ANN401
    """The notes of a staff by voice, tied ones joined, and how many grace notes were left out."""
    voices: dict[int, list[_OpenNote]] = {}
    tied: dict[int, _OpenNote] = {}
    graces = 0
    for element in sorted(staff.recurse().notes, key=lambda element: element.getOffsetInHierarchy(staff)):
        if not element.isNote and not element.isChord:
            continue
        if "Harmony" in element.classes or not hasattr(element, "pitches"):
            continue
        if element.duration.isGrace:
            graces += len(element.pitches)
            continue
        onset = _ticks(element.getOffsetInHierarchy(staff))
        end = onset + _ticks(element.duration.quarterLength)
        for head in element.notes if element.isChord else (element,):
            pitch = int(head.pitch.midi)
            kind = (head.tie or element.tie).type if head.tie or element.tie else ""
            open_note = tied.pop(pitch, None)
            if kind in ("continue", "stop") and open_note is not None and open_note[1] == onset:
                note = open_note
                note[1] = end
            else:
                note = [onset, end, pitch]
                voices.setdefault(_voice_number(element), []).append(note)
            if kind in ("start", "continue"):
                tied[pitch] = note
    return [voices[number] for number in sorted(voices)], graces


def _voice_number(element: Any) -> int:  # noqa: ANN401
    """The place of an element's voice in its bar; what stands in no voice is in the first."""
    site = element.activeSite
    if site is None or "Voice" not in site.classes or site.activeSite is None:
        return 0
    return next((number for number, voice in enumerate(site.activeSite.voices) if voice is site), 0)


def _part(notes: list[_OpenNote], name: str, number: int) -> Part:
    columns = np.array(sorted(notes, key=lambda note: note[0]), dtype=np.int64).T
    if columns[2].min() < 0 or columns[2].max() > 127:
        raise ScoreError("it has a pitch that no instrument plays", "look for a clef or an octave that is wrong")
    velocity = np.full(columns.shape[1], 64, dtype=np.int64)
    return Part(name, columns[0], columns[1] - columns[0], columns[2], velocity, track=number)


def _tempos(staves: list[Any]) -> Iterator[tuple[int, float]]:
    for staff in reversed(staves):
        for mark in staff.recurse().getElementsByClass("MetronomeMark"):
            rate = mark.getQuarterBPM()
            if rate and rate > 0:
                yield _ticks(mark.getOffsetInHierarchy(staff)), float(rate)


def _meters(staff: Any) -> Iterator[tuple[int, Meter]]:  # noqa: ANN401
    for sign in staff.recurse().getElementsByClass("TimeSignature"):
        try:
            yield _ticks(sign.getOffsetInHierarchy(staff)), Meter(int(sign.numerator), int(sign.denominator))
        except (UsageError, TypeError):
            continue


def _keys(staff: Any) -> Iterator[tuple[int, tuple[Key, bool]]]:  # noqa: ANN401
    """The keys, and whether each states its mode; a signature alone stands for its major key."""
    for sign in staff.recurse().getElementsByClass("KeySignature"):
        tick = _ticks(sign.getOffsetInHierarchy(staff))
        mode = getattr(sign, "mode", None)
        if mode in _MAJOR_LIKE or mode in _MINOR_LIKE:
            yield tick, (Key(int(sign.tonic.pitchClass), "major" if mode in _MAJOR_LIKE else "minor"), True)
        elif sign.sharps is not None and -7 <= sign.sharps <= 7:
            yield tick, (Key(sign.sharps * 7 % 12, "major"), False)


def _pickup(staff: Any) -> int:  # noqa: ANN401
    """Ticks of an incomplete first bar."""
    bars = list(staff.getElementsByClass("Measure"))
    if len(bars) < 2:
        return 0
    length = bars[0].highestTime
    return _ticks(length) if 0 < length < bars[0].barDuration.quarterLength else 0


def _title(stream: Any) -> str:  # noqa: ANN401
    title = stream.metadata.bestTitle if stream.metadata else ""
    return " ".join(str(title or "").split())[:200]


def _ticks(quarters: float | Fraction) -> int:
    return round(Fraction(quarters) * _RESOLUTION)
