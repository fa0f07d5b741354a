"""The notes of a line, one after the other: what most rules walk over.

How rules read a line: one number a step, and what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cantilena.music import ON, Line

FIRST_TONE = 2
"""The code of MIDI pitch 0: codes below it are the events that strike no tone, off (0) and hold (1)."""


def codes(line: Line) -> NDArray[np.int16]:
    """Each step as one number, `(melodies, steps)`: 0 off, 1 hold, 2 + the top pitch where a note begins.

    RL Tuner's classes, but for any pitch: their order and their equalities are the same.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> codes(GridEncoding().line(np.array([[14, 1, 0, 16]])))
        array([[62,  1,  0, 64]], dtype=int16)
    """
    tones = np.minimum(line.pitch, 127) + FIRST_TONE
    return np.ascontiguousarray(np.where(line.event == ON, tones, line.event), dtype=np.int16)


def class_numbers(line: Line) -> NDArray[np.float64]:
    """RL Tuner's raw class numbers, `(melodies, steps)`: 0 off, 1 hold, the top pitch less 46 where a note begins."""
    return np.ascontiguousarray(np.where(line.event == ON, line.pitch - 46, line.event), dtype=np.float64)


def lengths(line: Line) -> NDArray[np.int64]:
    """How many steps of each row count, `(melodies,)`, never more than there are."""
    return np.ascontiguousarray(np.clip(line.length, 0, line.steps), dtype=np.int64)


def tones(line: Line) -> NDArray[np.bool_]:
    """Where a note begins, `(melodies, steps)`, the padding left out."""
    begins: NDArray[np.bool_] = (line.event == ON) & line.valid
    return begins


def tone_before(line: Line) -> NDArray[np.int16]:
    """The last top pitch struck before each step, `(melodies, steps)`; -1 while there is none.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tone_before(GridEncoding().line(np.array([[0, 14, 1, 16]])))
        array([[-1, -1, 60, 60]], dtype=int16)
    """
    steps = np.arange(line.steps)
    last = np.maximum.accumulate(np.where(tones(line), steps, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), last[:, :-1]], axis=1)[:, : line.steps]
    found = np.take_along_axis(line.pitch, np.maximum(before, 0), axis=1)
    return np.where(before >= 0, found, -1).astype(np.int16)


def last_steps(line: Line) -> NDArray[np.bool_]:
    """Where each melody's last step is, `(melodies, steps)`."""
    last: NDArray[np.bool_] = np.arange(line.steps)[None, :] == (lengths(line) - 1)[:, None]
    return last


Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Notes:
    """All notes of a set of melodies, melody by melody, in time.

    Args:
        melody: `(notes,)`: the melody that each is from.
        step: `(notes,)`: the step at which it begins.
        pitch: `(notes,)`: MIDI number of the top pitch.
        sounding: `(notes,)`: steps that it sounds, up to the end of the melody at most.
        gap: `(notes,)`: steps until the next note begins, or the melody ends.
        shape: of the line.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> found = Notes.from_line(GridEncoding().line(np.array([[14, 1, 0, 16]])))
        >>> found.step.tolist(), found.sounding.tolist(), found.gap.tolist()
        ([0, 3], [2, 1], [3, 1])
    """

    melody: NDArray[np.int64]
    step: NDArray[np.int64]
    pitch: NDArray[np.int64]
    sounding: NDArray[np.int64]
    gap: NDArray[np.int64]
    shape: tuple[int, int]

    @classmethod
    def from_line(cls, line: Line) -> Notes:
        """The notes of a line."""
        from cantilena.rules import kernels

        melody, step, sounding, gap = kernels.notes_in_time(line.event, lengths(line))
        pitch = line.pitch[melody, step].astype(np.int64)
        return cls(melody, step, pitch, sounding, gap, shape=(line.melodies, line.steps))

    def __len__(self) -> int:
        return len(self.melody)

    @property
    def opens(self) -> NDArray[np.bool_]:
        """`(notes,)`: which notes are the first of their melody."""
        first = np.ones(len(self), dtype=np.bool_)
        first[1:] = self.melody[1:] != self.melody[:-1]
        return first

    @property
    def closes(self) -> NDArray[np.bool_]:
        """`(notes,)`: which notes are the last of their melody."""
        last = np.ones(len(self), dtype=np.bool_)
        last[:-1] = self.melody[1:] != self.melody[:-1]
        return last

    @property
    def place(self) -> NDArray[np.int64]:
        """`(notes,)`: how many notes of the melody come before each."""
        places = np.arange(len(self))
        return places - np.maximum.accumulate(np.where(self.opens, places, 0))

    @property
    def interval(self) -> NDArray[np.int64]:
        """`(notes,)`: semitones from the note before, upwards; 0 for the first of a melody."""
        return np.where(self.opens, 0, np.diff(self.pitch, prepend=self.pitch[:1]))

    def kept(self, which: NDArray[np.bool_]) -> Notes:
        """Some of the notes; what is counted to the next note keeps its value."""
        return Notes(
            self.melody[which], self.step[which], self.pitch[which], self.sounding[which], self.gap[which], self.shape
        )

    def turns(self) -> Notes:
        """The notes that differ in pitch from the note before: repeated notes count as one."""
        return self.kept(self.opens | (self.interval != 0))

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Values of the notes added up in each melody, `(melodies,)`."""
        totals = np.bincount(self.melody, weights=values.astype(np.float64), minlength=self.shape[0])
        return totals.astype(np.float64)  # without notes numpy counts in whole numbers

    def counts(self) -> NDArray[np.int64]:
        """How many notes each melody has, `(melodies,)`."""
        return np.bincount(self.melody, minlength=self.shape[0])

    def at_steps(self, values: NDArray[Value]) -> NDArray[Value]:
        """Values of the notes where they begin, `(melodies, steps)`; 0 elsewhere."""
        placed = np.zeros(self.shape, dtype=values.dtype)
        placed[self.melody, self.step] = values
        return placed


def ratio(counted: NDArray[np.generic], out_of: NDArray[np.generic]) -> NDArray[np.float64]:
    """One number over another, 0 over nothing.

    Example:
        >>> ratio(np.array([1, 0]), np.array([2, 0])).tolist()
        [0.5, 0.0]
    """
    shares = np.zeros(len(counted))
    np.divide(counted, out_of, out=shares, where=np.asarray(out_of) > 0, casting="unsafe")
    return shares
