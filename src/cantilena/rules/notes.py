"""How rules read a line: events as numbers, where notes begin, and the notes themselves one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cantilena.music import ON, Line

FIRST_TONE = 2
"""The code of MIDI pitch 0; the codes below are the events without a tone, off (0) and hold (1)."""

Value = TypeVar("Value", bound=np.generic)


def codes(line: Line) -> NDArray[np.int16]:
    """Each step as one number, `(melodies, steps)`: 0 off, 1 hold, 2 + the top pitch where a note begins.

    The order and the equalities are those of RL Tuner's classes, for any pitch.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> codes(GridEncoding().line(np.array([[14, 1, 0, 16]])))
        array([[62,  1,  0, 64]], dtype=int16)
    """
    tones = np.minimum(line.pitch, 127) + FIRST_TONE
    return np.ascontiguousarray(np.where(line.event == ON, tones, line.event), dtype=np.int16)


def class_numbers(line: Line) -> NDArray[np.float64]:
    """RL Tuner's class numbers, `(melodies, steps)`: 0 off, 1 hold, the top pitch minus 46 where a note begins."""
    return np.ascontiguousarray(np.where(line.event == ON, line.pitch - 46, line.event), dtype=np.float64)


def lengths(line: Line) -> NDArray[np.int64]:
    """The number of valid steps of each melody, `(melodies,)`, at most the width of the line."""
    return np.ascontiguousarray(np.clip(line.length, 0, line.steps), dtype=np.int64)


def tones(line: Line) -> NDArray[np.bool_]:
    """Where a note begins, `(melodies, steps)`; False in the padding."""
    onsets: NDArray[np.bool_] = (line.event == ON) & line.valid
    return onsets


def tone_before(line: Line) -> NDArray[np.int16]:
    """The top pitch of the last note that began before each step, `(melodies, steps)`; -1 where there is none.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tone_before(GridEncoding().line(np.array([[0, 14, 1, 16]])))
        array([[-1, -1, 60, 60]], dtype=int16)
    """
    steps = np.arange(line.steps)
    last = np.maximum.accumulate(np.where(tones(line), steps, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), last[:, :-1]], axis=1)[:, : line.steps]
    pitch = np.take_along_axis(line.pitch, np.maximum(before, 0), axis=1)
    return np.where(before >= 0, pitch, -1).astype(np.int16)


def last_steps(line: Line) -> NDArray[np.bool_]:
    """Where the last step of each melody is, `(melodies, steps)`."""
    last: NDArray[np.bool_] = np.arange(line.steps)[None, :] == (lengths(line) - 1)[:, None]
    return last


@dataclass(frozen=True, slots=True)
class Notes:
    """All notes of the melodies of a line, melody by melody in time.

    Args:
        melody: `(notes,)`: the index of its melody.
        step: `(notes,)`: the step at which it begins.
        pitch: `(notes,)`: MIDI number of its top pitch.
        sounding: `(notes,)`: its duration in steps, cut at the end of the melody.
        gap: `(notes,)`: steps until the next note begins, or the melody ends.
        shape: of the line.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes = Notes.from_line(GridEncoding().line(np.array([[14, 1, 0, 16]])))
        >>> notes.step.tolist(), notes.sounding.tolist(), notes.gap.tolist()
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
        """Collect the notes of a line."""
        from cantilena.rules import kernels

        melody, step, sounding, gap = kernels.collect_notes(line.event, lengths(line))
        pitch = line.pitch[melody, step].astype(np.int64)
        return cls(melody, step, pitch, sounding, gap, shape=(line.melodies, line.steps))

    def __len__(self) -> int:
        return len(self.melody)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """`(notes,)`: whether each is the first of its melody."""
        first = np.ones(len(self), dtype=np.bool_)
        first[1:] = self.melody[1:] != self.melody[:-1]
        return first

    @property
    def is_last(self) -> NDArray[np.bool_]:
        """`(notes,)`: whether each is the last of its melody."""
        last = np.ones(len(self), dtype=np.bool_)
        last[:-1] = self.melody[1:] != self.melody[:-1]
        return last

    @property
    def index(self) -> NDArray[np.int64]:
        """`(notes,)`: the index of each in its melody."""
        indices = np.arange(len(self))
        return indices - np.maximum.accumulate(np.where(self.is_first, indices, 0))

    @property
    def interval(self) -> NDArray[np.int64]:
        """`(notes,)`: semitones up from the note before; 0 for the first of a melody."""
        return np.where(self.is_first, 0, np.diff(self.pitch, prepend=self.pitch[:1]))

    def select(self, which: NDArray[np.bool_]) -> Notes:
        """Select some of the notes; `gap` and `sounding` keep their values."""
        return Notes(
            self.melody[which], self.step[which], self.pitch[which], self.sounding[which], self.gap[which], self.shape
        )

    def without_repeats(self) -> Notes:
        """Select the notes whose pitch differs from the note before: repeated notes count as one."""
        return self.select(self.is_first | (self.interval != 0))

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Sum values of the notes over each melody, `(melodies,)`."""
        totals = np.bincount(self.melody, weights=values.astype(np.float64), minlength=self.shape[0])
        return totals.astype(np.float64)  # bincount returns integers where there are no notes

    def counts(self) -> NDArray[np.int64]:
        """The number of notes of each melody, `(melodies,)`."""
        return np.bincount(self.melody, minlength=self.shape[0])

    def at_steps(self, values: NDArray[Value]) -> NDArray[Value]:
        """Put values of the notes at the steps where they begin, `(melodies, steps)`; 0 elsewhere."""
        placed = np.zeros(self.shape, dtype=values.dtype)
        placed[self.melody, self.step] = values
        return placed


def ratio(counted: NDArray[np.generic], out_of: NDArray[np.generic]) -> NDArray[np.float64]:
    """Divide elementwise; 0 where the denominator is 0.

    Examples:
        >>> ratio(np.array([1, 0]), np.array([2, 0])).tolist()
        [0.5, 0.0]
    """
    shares = np.zeros(len(counted))
    np.divide(counted, out_of, out=shares, where=np.asarray(out_of) > 0, casting="unsafe")
    return shares


def where_defined(defined: NDArray[np.bool_] | np.bool_, values: NDArray[np.generic]) -> NDArray[np.float64]:
    """The values where they are defined, NaN elsewhere."""
    return np.where(defined, values, np.nan).astype(np.float64)
