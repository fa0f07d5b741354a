"""The engraver: a few processes that engrave, so that no long score keeps other answers waiting.

Engraved scores for the page, with notes coloured by what rules say.

Sheets: what is engraved in a process of its own, as that process is told and as it answers.

Verovio holds Python's one lock for as long as it draws, seconds for a long score, and whoever else asked would wait.
This module is read in that process, and so it imports nothing that is not needed there.

Notes in words: as a key spells them, and as a person types them.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cantilena.errors import UsageError
from cantilena.io import Engraving, NoteAnnotation, score_with_timemap
from cantilena.io.engraving.spelling import spell_pitch
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Pitch
from cantilena.runtime import Failure, Worker
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.requests import Colours
from cantilena.studio.schemas.responses import Head, Score, TimedHead
from cantilena.studio.services.executor import Bench, Deadline

Picture = Literal["svg", "pdf", "png"]
"""The files that show a score."""


@dataclass(frozen=True)
class Sheet:
    """A melody to engrave.

    Args:
        melody: the melody.
        width: pixels.
        heading: whether title and source stand above.
        looks: what is added to notes, by their index.
        picture: the file to make of it; none where the score itself is asked for, and how to follow it.
    """

    melody: Melody
    width: int
    heading: bool
    annotations: Mapping[int, NoteAnnotation] = field(default_factory=dict)
    picture: Picture | None = None


@dataclass(frozen=True)
class Engraved:
    """A sheet that was engraved.

    Args:
        score: the SVG and when each note head sounds; None where a file was asked for.
        picture: the bytes of the file, or none.
    """

    score: Engraving | None
    picture: bytes = b""


def engrave(sheet: Sheet) -> Engraved:
    """Engrave a sheet, here and now.

    Args:
        sheet: what to engrave.

    Raises:
        UsageError: it cannot be engraved.

    Example:
        >>> engrave(Sheet(Melody.from_pitches([(60, 24)]), 400, False)).score.svg[:4]
        '<svg'
    """
    score = score_with_timemap(sheet.melody, width=sheet.width, heading=sheet.heading, annotations=sheet.annotations)
    if sheet.picture is None:
        return Engraved(score)
    from cantilena.studio.export.pdf import pdf_bytes, png_bytes

    drawn: dict[Picture, Callable[[str], bytes]] = {"svg": str.encode, "pdf": pdf_bytes, "png": png_bytes}
    return Engraved(None, drawn[sheet.picture](score.svg))


_FINISHED_ANYWAY = 1.0
"""Seconds after which an engraving that nobody waits for is broken off: to start a process anew takes about as long."""


class Engraver:
    """Processes that engrave, each one score at a time.

    The second one is started when it is first needed.

    Args:
        at_once: how many there are.
        waiting: how many scores may wait.
    """

    def __init__(self, at_once: int = LIMITS.at_once, waiting: int = LIMITS.waiting) -> None:
        self._bench = Bench(at_once, waiting)
        self._workers = [
            Worker(engrave, seconds=LIMITS.seconds, memory=LIMITS.engraving_memory) for _ in range(at_once)
        ]
        self._idle: queue.LifoQueue[Worker[Sheet, Engraved]] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    async def engrave(self, sheet: Sheet) -> Engraved:
        """Engrave a sheet.

        Args:
            sheet: what to engrave.

        Raises:
            UsageError: it cannot be engraved, or it takes more time or memory than it may.
            CrowdedError: too many wait already.
            LateError: it took too long, waiting included.
        """
        return await self._bench.run(lambda deadline: self._engraved(sheet, deadline))

    def start(self) -> None:
        """Begin to start the first process."""
        self._workers[-1].start()

    def close(self) -> None:
        """End the processes, and refuse whoever waits."""
        self._bench.close()
        for worker in self._workers:
            worker.close()

    def _engraved(self, sheet: Sheet, deadline: Deadline) -> Engraved:
        began, worker = time.monotonic(), self._idle.get()
        try:
            outcome = worker.run(sheet, lambda: deadline.left > 0 or time.monotonic() - began < _FINISHED_ANYWAY)
        finally:
            self._idle.put(worker)
        if not isinstance(outcome, Failure):
            return outcome
        deadline.check()
        hint = "" if outcome.hint.startswith("allow it") else outcome.hint
        raise UsageError(f"this score cannot be drawn: {outcome.reason}", hint or "send fewer notes at a time")


async def engraved(
    engraver: Engraver, melody: Melody, *, width: int, heading: bool, colours: Colours | None = None
) -> Score:
    """Engrave a melody.

    Args:
        engraver: who does it.
        melody: the melody.
        width: pixels.
        heading: whether the title stands above.
        colours: what notes are coloured by; those that a rule gives something get the class `gain` and a +, those that
            it takes something from `loss` and a -, others `none`.

    Raises:
        UsageError: it cannot be engraved.
    """
    annotations = looks_of(melody, colours) if colours is not None else {}
    engraving = (await engraver.engrave(Sheet(melody, width, heading, annotations))).score
    assert engraving is not None
    timemap = [
        TimedHead(note=head.note, id=head.id, onset=round(head.onset, 6), end=round(head.end, 6))
        for head in engraving.timemap
    ]
    return Score(svg=engraving.svg, notes=[Head(note=one.note, id=one.id) for one in timemap], timemap=timemap)


def looks_of(melody: Melody, colours: Colours) -> dict[int, NoteAnnotation]:
    """The look of each note; of notes that begin together the first has one."""
    values = {one.note: one.values.get(colours.rule, 0.0) if colours.rule else one.total for one in colours.notes}
    annotations, onset = {}, -1
    for number, note in enumerate(melody.sounding):
        if note.onset == onset:
            continue
        onset, value = note.onset, round(values.get(number, 0.0), 2)
        kind = "gain" if value > 0 else "loss" if value < 0 else "none"
        annotations[number] = NoteAnnotation(words=f"{value:+.3g}".replace("-", "−") if value else "", kind=kind)
    return annotations


_VALUES = {
    4 * TICKS_PER_QUARTER * (2 * 2**dots - 1) // (value * 2**dots): f"/{value}{'.' * dots}"
    for value in (1, 2, 4, 8, 16, 32)
    for dots in (2, 1, 0)
    if 4 * TICKS_PER_QUARTER * (2 * 2**dots - 1) % (value * 2**dots) == 0
}
"""How each duration that has a note value is typed."""


def names_between(low: int, high: int, key: Key | None) -> list[str]:
    """The names of all pitches from low to high, as a key spells them.

    Example:
        >>> names_between(60, 61, Key.parse("F minor"))
        ['C4', 'D♭4']
    """
    return [spell_pitch(pitch, key or Key()).name for pitch in range(low, high + 1)]


def typed(melody: Melody) -> str:
    """A melody as it would be typed; empty where it cannot be: notes that overlap, or durations without a note value.

    Example:
        >>> typed(Melody.from_pitches([(60, 24), (None, 12), (66, 12), ((60, 64), 36)]))
        'C4 r/8 F#4/8 C4+E4/4.'
    """
    words, tick = [], 0
    for note in melody.sounding:
        if note.onset < tick:
            return ""
        pieces = [("r", note.onset - tick)] if note.onset > tick else []
        for name, ticks in [*pieces, ("+".join(Pitch(pitch).name for pitch in note.pitches), note.duration)]:
            value = _value_of(ticks)
            if value is None and name == "r":
                return ""
            if value is None:
                return ""
            words.append(f"{name}{value}")
        tick = note.end
    return " ".join(words)


def _value_of(ticks: int) -> str | None:
    value = _VALUES.get(ticks)
    return "" if value == "/4" else value
