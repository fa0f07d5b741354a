"""Melodies while they are being composed: which notes are complete so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.generation.composition import Composition
from cantilena.generation.sampling import Samples
from cantilena.music import Note
from cantilena.tokenizers import Encoding


@dataclass(frozen=True)
class Sketch:
    """What is new since the sketch before.

    Args:
        length: ticks of every melody so far, a primer that the result begins with included.
        notes: for each melody the notes (and written rests) that are complete since the sketch before, in the key of
            the result. All sketches' notes together are those of the composition.
        compositions: the finished melodies, in the last sketch alone.
    """

    length: int
    notes: tuple[tuple[Note, ...], ...]
    compositions: tuple[Composition, ...] = ()


class Listener:
    """Follows one melody's tokens, and tells each note once, as soon as nothing can change it.

    A note that sounds at the end may be held by the next token; so may a written rest. Both are kept back until
    something else begins, or until `rest_of` tells what is left.

    Args:
        encoding: what the tokens mean.
        semitones: from the model's pitches to those of the result.
        before: `(primer steps,)` tokens that the result begins with.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tokens = np.array([14, 1, 16, 1])
        >>> listener = Listener(GridEncoding(), semitones=2, before=tokens[:0])
        >>> [note.name for note in listener.complete(tokens[:2])], [note.name for note in listener.complete(tokens)]
        ([], ['D4'])
    """

    def __init__(self, encoding: Encoding, semitones: int, before: NDArray[np.int64]) -> None:
        self.before = before
        self._encoding, self._semitones = encoding, semitones
        self._from = 0  # the step of the last note that was begun: what lies before it is told
        self._told_until = -1  # the onset of the last note that was told
        self._told = 0

    def complete(self, new: NDArray[np.int64]) -> tuple[Note, ...]:
        """The notes that are complete in `(steps so far,)` new tokens, and were not told before."""
        tokens = np.concatenate([self.before, new])
        step = self._encoding.step_ticks
        heard = self._encoding.decode(tokens[self._from :]).transposed(self._semitones).notes
        notes = [replace(note, onset=note.onset + self._from * step) for note in heard]
        may_go_on = self._encoding.tells_time and bool(notes) and notes[-1].end >= len(tokens) * step
        done = notes[:-1] if may_go_on else notes
        # Decoding may begin anew where a note is struck: nothing before it changes what follows.
        self._from = max([self._from, *(note.onset // step for note in notes if not note.is_rest)])
        fresh = tuple(note for note in done if note.onset > self._told_until)
        self._told_until = max([self._told_until, *(note.onset for note in fresh)])
        self._told += len(fresh)
        return fresh

    def ticks(self, steps: int) -> int:
        """How long the melody is after so many new tokens."""
        return (len(self.before) + steps) * self._encoding.step_ticks

    def rest_of(self, composition: Composition) -> tuple[Note, ...]:
        """The notes of the finished melody that were not told before."""
        return composition.notes[self._told :]


def sketches(
    drawing: Iterator[Samples],
    listeners: Sequence[Listener],
    every: int,
    steps: int,
    finish: Callable[[Samples], Sequence[Composition]],
) -> Iterator[Sketch]:
    """Tell what is new while melodies are drawn.

    Args:
        drawing: what has been drawn after each step.
        listeners: one a melody.
        every: how many steps lie between one sketch and the next.
        steps: how many are drawn in all.
        finish: makes compositions of what was drawn.
    """
    for step, samples in enumerate(drawing, start=1):
        if step == steps:
            made = tuple(finish(samples))
            left = tuple(one.rest_of(melody) for one, melody in zip(listeners, made, strict=True))
            yield Sketch(made[0].length, left, made)
        elif step % every == 0:
            notes = tuple(one.complete(row) for one, row in zip(listeners, samples.tokens, strict=True))
            yield Sketch(listeners[0].ticks(step), notes)
