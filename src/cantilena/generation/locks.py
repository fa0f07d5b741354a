"""Locks: what a rewrite keeps of the notes in its bars.

A lock holds some notes of a melody, numbered from 0 among those that sound:

    notes      onset, duration and pitches stay
    rhythm     onset and duration stay, pitches are new
    contour    onset and duration stay, and whether each pitch is higher than the one before, lower, or the same

The silence between two notes of a lock whose numbers follow each other belongs to it. Locked notes divide the bars
into gaps, each of which is rewritten with the past and the future that it then has (`infilling.py`). In a gap a
`LockGuide` leaves, of the tokens of a model of notes, those that keep rhythm and contour. A contour never runs out of
pitches: of each note only those are left from which the next ones can go on, up to a note after the gap that stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        direction: 1 if its pitch must be higher than that of the note before, -1 if lower, 0 if the same; None if any
            will do.
        pitch: that it has before the rewrite, of a chord the highest; 0 for a silence.
    """

    onset: int
    duration: int
    is_rest: bool = False
    direction: int | None = None
    pitch: int = 0


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

    def between(self, start: int, end: int) -> LockedPart:
        """The parts that begin in `[start, end)`."""
        notes = [one for one in self.parts if not one.is_rest]
        last = next((one for one in reversed(notes) if one.onset < start), None)
        following = next((one for one in notes if one.onset >= end), None)
        return LockedPart(tuple(one for one in self.parts if start <= one.onset < end), last, following)


@dataclass(frozen=True)
class LockedPart:
    """What is locked in a gap, and the locked notes that stay before and after it.

    Args:
        parts: notes and silences in the gap.
        before: the last note before it; None if there is none.
        after: the first note after it.
    """

    parts: tuple[LockedNote, ...] = ()
    before: LockedNote | None = None
    after: LockedNote | None = None


class LockGuide:
    """Which tokens some locked notes leave, in candidates for one gap; a guide of `Drawing`.

    Args:
        encoding: of the tokens.
        locked: what is locked in the gap.
        origin: the tick at which the first new token begins.
        end: the tick at which the gap ends.
        candidates: how many.
        allowed: `(vocabulary,)`; None for all.

    Raises:
        UsageError: no pitches that are allowed have the contour.
    """

    def __init__(
        self,
        encoding: NotesEncoding,
        locked: LockedPart,
        origin: int,
        end: int,
        candidates: int,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        self.encoding, self._end = encoding, end
        self._durations = np.array(encoding.durations)
        self._events = {one.onset: one for part in locked.parts for one in _writable(part, encoding, end)}
        self._onsets = np.array([*sorted(self._events), end])
        first, after = encoding.parts[1]
        pitches = np.arange(first, after - 1)
        self._tone = first - encoding.low  # from a pitch to its token
        self._pitches = _pitches_left(locked, pitches if allowed is None else pitches[allowed[pitches]], self._tone)
        self._clock = np.full(candidates, origin)
        self._now: list[tuple[int, ...]] = [()] * candidates
        last = 0 if locked.before is None else locked.before.pitch + self._tone
        self._last = np.full(candidates, last, dtype=np.int64)

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
        return np.zeros((len(self._clock), 2), dtype=np.int64)

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
        """The pitch tokens that a note may have after one of pitch `last`."""
        pitches = self._pitches[locked.onset]
        return pitches if locked.direction is None else pitches[np.sign(pitches - last) == locked.direction]


def _pitches_left(locked: LockedPart, allowed: NDArray[np.int64], tone: int) -> dict[int, NDArray[np.int64]]:
    """The pitch tokens of each note from which the notes after it can go on, by onset."""
    left: dict[int, NDArray[np.int64]] = {}
    following, direction = allowed, None
    if locked.after is not None and locked.after.direction is not None:
        following, direction = np.array([locked.after.pitch + tone]), locked.after.direction
    notes = [one for one in locked.parts if not one.is_rest]
    for one in reversed(notes):
        steps = np.sign(following[None, :] - allowed[:, None])
        fits = allowed if direction is None else allowed[(steps == direction).any(axis=1)]
        left[one.onset] = following = fits
        direction = one.direction
    if notes and direction is not None and locked.before is not None:
        following = following[np.sign(following - (locked.before.pitch + tone)) == direction]
    if notes and not (len(following) and all(map(len, left.values()))):
        raise UsageError(
            f"no {len(allowed)} pitches have the contour of {len(notes)} notes",
            "give a wider range, or lock the rhythm alone",
        )
    return left


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
    parts: list[LockedNote] = []
    for number, note in enumerate(notes):
        before = notes[number - 1] if number else None
        if before is not None and (silence := note.onset - before.end) > 0:
            parts.append(LockedNote(note.onset - silence, silence, is_rest=True))
        direction = int(np.sign(note.top - before.top)) if with_contour and before is not None else None
        parts.append(LockedNote(note.onset, note.duration, direction=direction, pitch=note.top))
    return parts


def _writable(locked: LockedNote, encoding: NotesEncoding, end: int) -> list[LockedNote]:
    """A locked note, up to the end of a gap, as events that have a duration token: a note, and rests if it has none."""
    known, events, onset = encoding.durations, list[LockedNote](), locked.onset
    left = min(locked.duration, end - onset)
    while left:
        ticks = max(duration for duration in known if duration <= left)
        if not events and not locked.is_rest:
            events.append(replace(locked, duration=ticks))
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
