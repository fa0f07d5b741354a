"""Engrave melodies, and spell their notes.

`engrave` runs in worker processes: verovio holds the interpreter's lock while it draws, which takes seconds for a long
score. So this module imports only what those processes need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cantilena.io import Engraving, NoteAnnotation, score_with_timemap
from cantilena.io.engraving.spelling import spell_pitch
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Pitch

if TYPE_CHECKING:
    from cantilena.studio.schemas.requests import NoteColours

PictureFormat = Literal["svg", "pdf", "png"]
"""The file formats of a score."""


@dataclass(frozen=True)
class EngravingTask:
    """A melody to engrave."""

    melody: Melody
    width: int
    """Width in pixels."""

    heading: bool
    """Whether to print title and source."""

    annotations: Mapping[int, NoteAnnotation] = field(default_factory=dict)
    """What is added to notes, by their number."""

    picture: PictureFormat | None = None
    """The file to create; None for the score with the times of its note heads."""


@dataclass(frozen=True)
class EngravingResult:
    """An engraved melody: the score, or a file if one was asked for."""

    score: Engraving | None
    picture: bytes = b""


def engrave(task: EngravingTask) -> EngravingResult:
    """Engrave a melody.

    Raises:
        UsageError: it cannot be engraved.

    Examples:
        >>> engrave(EngravingTask(Melody.from_pitches([(60, 24)]), 400, False)).score.svg[:4]
        '<svg'
    """
    score = score_with_timemap(task.melody, width=task.width, heading=task.heading, annotations=task.annotations)
    if task.picture is None:
        return EngravingResult(score)
    from cantilena.studio.export.pdf import pdf_bytes, png_bytes

    encoders: dict[PictureFormat, Callable[[str], bytes]] = {"svg": str.encode, "pdf": pdf_bytes, "png": png_bytes}
    return EngravingResult(None, encoders[task.picture](score.svg))


def note_annotations(melody: Melody, colours: NoteColours) -> dict[int, NoteAnnotation]:
    """Return the class and the label of each note: `gain` with a +, `loss` with a -, or `none`.

    Of notes with the same onset, the first has a look.
    """
    values = {note.note: note.values.get(colours.rule, 0.0) if colours.rule else note.total for note in colours.notes}
    annotations, onset = {}, -1
    for number, note in enumerate(melody.sounding):
        if note.onset == onset:
            continue
        onset, value = note.onset, round(values.get(number, 0.0), 2)
        kind = "gain" if value > 0 else "loss" if value < 0 else "none"
        annotations[number] = NoteAnnotation(words=f"{value:+.3g}".replace("-", "−") if value else "", kind=kind)
    return annotations


def pitch_names(low: int, high: int, key: Key | None) -> list[str]:
    """Return the names of all pitches from low to high, spelled in a key.

    Examples:
        >>> pitch_names(60, 61, Key.parse("F minor"))
        ['C4', 'D♭4']
    """
    return [spell_pitch(pitch, key or Key()).name for pitch in range(low, high + 1)]


_NOTE_VALUES = {
    4 * TICKS_PER_QUARTER * (2 * 2**dots - 1) // (value * 2**dots): f"/{value}{'.' * dots}"
    for value in (1, 2, 4, 8, 16, 32)
    for dots in (2, 1, 0)
    if 4 * TICKS_PER_QUARTER * (2 * 2**dots - 1) % (value * 2**dots) == 0
} | {TICKS_PER_QUARTER: ""}
"""How each duration that has a note value is written; nothing for a quarter note."""


def note_text(melody: Melody) -> str:
    """Return a melody as text; empty if notes overlap or a duration has no note value.

    Examples:
        >>> note_text(Melody.from_pitches([(60, 24), (None, 12), (66, 12), ((60, 64), 36)]))
        'C4 r/8 F#4/8 C4+E4/4.'
    """
    words, tick = [], 0
    for note in melody.sounding:
        if note.onset < tick:
            return ""
        name = "+".join(Pitch(pitch).name for pitch in note.pitches)
        pieces = [("r", note.onset - tick), (name, note.duration)] if note.onset > tick else [(name, note.duration)]
        for text, ticks in pieces:
            if ticks not in _NOTE_VALUES:
                return ""
            words.append(f"{text}{_NOTE_VALUES[ticks]}")
        tick = note.end
    return " ".join(words)
