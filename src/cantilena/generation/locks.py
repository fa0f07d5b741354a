"""Locks: what a rewrite keeps of the notes in its bars.

A lock holds some notes of a melody, numbered from 0 among those that sound:

    notes      onset, duration and pitches stay
    rhythm     onset and duration stay, pitches are new
    contour    onset and duration stay, and whether each pitch is higher than the one before, lower, or the same

The silence between two notes of a lock whose numbers follow each other belongs to it. Locked notes divide the bars
into gaps, each of which is rewritten with the past and the future that it then has (`infilling.py`). In a gap a
`LockGuide` leaves, of the tokens of a model of notes, those that keep rhythm and contour. A contour never runs out of
pitches: where u notes must still rise before one falls, the u highest pitches are left out, and alike for the lowest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Melody, Note
from cantilena.tokenizers import END, Encoding, NotesEncoding

LockKind = Literal["notes", "rhythm", "contour"]
"""What is kept of notes."""


@dataclass(frozen=True)
class Lock:
    """What is kept of some notes of a melody.

    Args:
        kind: `notes`, `rhythm` or `contour`.
        notes: their numbers, from 0 among the notes that sound.
    """

    kind: LockKind
    notes: tuple[int, ...]


@dataclass(frozen=True)
class LockedNote:
    """A note, or a silence between two, that is kept in part.

    Args:
        onset: in ticks from the start of the melody.
        duration: in ticks.
        is_rest: whether it is a silence.
        direction: 1 if its pitch must be higher than that of the last one that sounds, -1 if lower, 0 if the same; None
            if any will do.
        rising: how many of the next ones rise, before one that falls.
        falling: how many of the next ones fall, before one that rises.
    """

    onset: int
    duration: int
    is_rest: bool = False
    direction: int | None = None
    rising: int = 0
    falling: int = 0


@dataclass(frozen=True)
class Locks:
    """The locks of a melody, in the order of its notes.

    Args:
        kept: `[start, end)` ticks of all that stays as it is.
        parts: notes and silences of which the rhythm, or the contour too, stays.
    """

    kept: tuple[tuple[int, int], ...] = ()
    parts: tuple[LockedNote, ...] = ()

    @classmethod
    def of(cls, melody: Melody, locks: Sequence[Lock]) -> Locks:
        """The locks of a melody.

        Raises:
            UsageError: there is no such note, or two locks hold the same one.

        Examples:
            >>> tune = Melody.from_pitches([(60, 24), (None, 24), (64, 24), (62, 24)])
            >>> locks = Locks.of(tune, [Lock("contour", (0, 1)), Lock("notes", (2,))])
            >>> locks.kept, [(one.onset, one.is_rest, one.direction) for one in locks.parts]
            (((72, 96),), [(0, False, None), (24, True, None), (48, False, 1)])
        """
        notes, held = melody.sounding, set[int]()
        kept: list[tuple[int, int]] = []
        parts: list[LockedNote] = []
        for lock in locks:
            numbers = sorted(lock.notes)
            wrong = next((number for number in numbers if not 0 <= number < len(notes)), None)
            if wrong is not None:
                raise UsageError(f"a lock of note {wrong}", f"the melody has the notes 0 to {len(notes) - 1}")
            if len(numbers) > len(set(numbers)) or held & set(numbers):
                raise UsageError("two locks of the same note", "give each note one lock")
            held |= set(numbers)
            for run in _runs(numbers):
                some = notes[run.start : run.stop]
                if lock.kind == "notes":
                    kept.append((some[0].onset, some[-1].end))
                else:
                    parts += _parts(some, with_contour=lock.kind == "contour")
        return cls(tuple(sorted(kept)), tuple(sorted(parts, key=lambda one: one.onset)))

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """The ticks between `start` and `end` that are not kept, as `[start, end)`."""
        gaps = []
        for first, after in (*self.kept, (end, end)):
            if start < min(first, end):
                gaps.append((start, min(first, end)))
            start = max(start, after)
        return gaps

    def between(self, start: int, end: int) -> tuple[LockedNote, ...]:
        """The parts that begin in `[start, end)`."""
        return tuple(one for one in self.parts if start <= one.onset < end)


class LockGuide:
    """Which tokens some locked notes leave, in candidates for one gap; a guide of `Drawing`.

    Args:
        encoding: of the tokens.
        parts: notes and silences that begin in the gap.
        origin: the tick at which the first new token begins.
        end: the tick at which the gap ends.
        candidates: how many.
        allowed: `(vocabulary,)`; None for all.

    Raises:
        UsageError: the pitches that are allowed do not suffice for a contour.
    """

    def __init__(
        self,
        encoding: NotesEncoding,
        parts: Sequence[LockedNote],
        origin: int,
        end: int,
        candidates: int,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        self.encoding, self._end = encoding, end
        self._durations = np.array(encoding.durations)
        self._events = {one.onset: one for locked in parts for one in _writable(locked, encoding)}
        self._onsets = np.array([*sorted(self._events), end])
        first, after = encoding.parts[1]
        pitches = np.arange(first, after - 1)
        self._pitches = pitches if allowed is None else pitches[allowed[first : after - 1]]
        most = max((one.rising + one.falling for one in parts), default=0)
        if len(self._pitches) <= most:
            raise UsageError(
                f"a contour with {most} steps in one direction, and {len(self._pitches)} pitches to choose from",
                "give a wider range, or lock the rhythm alone",
            )
        self._clock = np.full(candidates, origin)
        self._now: list[tuple[int, ...]] = [()] * candidates
        self._last = np.zeros(candidates, dtype=np.int64)

    def restrict(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`(candidates, vocabulary)`: of the allowed tokens those that keep the locks."""
        kept = allowed.copy()
        for row, (clock, now) in enumerate(zip(self._clock.tolist(), self._now, strict=True)):
            if clock < self._end:
                self._restrict(kept[row], clock, len(now), int(self._last[row]))
        return kept

    def append(self, tokens: NDArray[np.integer]) -> None:
        """Go on after `(candidates,)` tokens."""
        for row, token in enumerate(tokens.tolist()):
            now = (*self._now[row], token)
            if token == END and len(now) == 1:
                continue
            self._now[row] = now
            if len(now) == len(self.encoding.parts):
                if now[1] != self.encoding.rest:
                    self._last[row] = now[1]
                self._clock[row] += self.encoding.durations[now[0] - 1]
                self._now[row] = ()

    def take(self, rows: NDArray[np.integer]) -> None:
        """Go on with the candidates of these rows."""
        self._clock, self._last = self._clock[rows], self._last[rows]
        self._now = [self._now[row] for row in rows]

    def endings(self, bars: int) -> NDArray[np.int64]:
        """`(candidates, 2)`: no endings are tried, for whatever number of bars."""
        return np.zeros((len(self._clock), 2), dtype=np.int64) * bars

    def _restrict(self, allowed: NDArray[np.bool_], clock: int, part: int, last: int) -> None:
        first, after = self.encoding.parts[part]
        locked = self._events.get(clock)
        if part == 0:
            coming = int(self._onsets[np.searchsorted(self._onsets, clock)])
            fits = self._durations <= coming - clock if locked is None else self._durations == locked.duration
            if not (allowed[first:after] & fits).any():  # a lock off the beat, to which others would not lead
                allowed[first:after] = self._durations == self._durations[fits].max()
            allowed[first:after] &= fits
        elif part == 1 and locked is not None:
            allowed[first:after] = False
            allowed[[self.encoding.rest] if locked.is_rest else self._fitting(locked, last)] = True

    def _fitting(self, locked: LockedNote, last: int) -> NDArray[np.int64]:
        """The pitch tokens of a contour, after one of pitch `last`."""
        pitches = self._pitches[locked.falling : len(self._pitches) - locked.rising]
        if locked.direction is None:
            return pitches
        return np.asarray(pitches[np.sign(pitches - last) == locked.direction])


def _runs(numbers: Sequence[int]) -> list[range]:
    """Consecutive numbers together."""
    runs: list[range] = []
    for number in numbers:
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _parts(notes: Sequence[Note], *, with_contour: bool) -> list[LockedNote]:
    """The notes of a run and the silences between them."""
    directions = [int(np.sign(b.top - a.top)) for a, b in pairwise(notes)] if with_contour else []
    parts: list[LockedNote] = []
    for number, note in enumerate(notes):
        if parts and (silence := note.onset - notes[number - 1].end) > 0:
            parts.append(LockedNote(note.onset - silence, silence, is_rest=True))
        coming = directions[number:]
        parts.append(
            LockedNote(
                note.onset,
                note.duration,
                direction=directions[number - 1] if with_contour and number else None,
                rising=_steps(coming, 1),
                falling=_steps(coming, -1),
            )
        )
    return parts


def _steps(directions: Sequence[int], wanted: int) -> int:
    """How many of some directions are the wanted one, before the first that is its opposite."""
    ahead = directions[: directions.index(-wanted)] if -wanted in directions else directions
    return sum(one == wanted for one in ahead)


def _writable(locked: LockedNote, encoding: NotesEncoding) -> list[LockedNote]:
    """A locked note as events that have a duration token: a note, and rests until its end where it has none."""
    known, events, onset, left = encoding.durations, list[LockedNote](), locked.onset, locked.duration
    while left:
        ticks = max(duration for duration in known if duration <= left)
        if not events and not locked.is_rest:
            events.append(LockedNote(onset, ticks, False, locked.direction, locked.rising, locked.falling))
        else:
            events.append(LockedNote(onset, ticks, is_rest=True))
        onset, left = onset + ticks, left - ticks
    return events


def with_locked_durations(notes: Sequence[Note], parts: Sequence[LockedNote]) -> tuple[Note, ...]:
    """New notes, of which locked ones last as long as before, also where no token says so.

    Examples:
        >>> with_locked_durations([Note((60,), 0, 18)], [LockedNote(0, 19)])[0].duration
        19
    """
    durations = {one.onset: one.duration for one in parts if not one.is_rest}
    return tuple(Note(note.pitches, note.onset, durations.get(note.onset, note.duration)) for note in notes)


def check_locks(locks: Sequence[Lock], encoding: Encoding) -> None:
    """Raise `UsageError` if a model with this encoding cannot keep rhythm or contour."""
    if not isinstance(encoding, NotesEncoding) and any(lock.kind != "notes" for lock in locks):
        raise UsageError(
            "this model cannot keep a rhythm or a contour alone", "choose a model of notes, or lock the notes whole"
        )
