"""Melodies while they are being composed: which notes are complete so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.encoding import Encoding
from cantilena.generation.composition import Composition
from cantilena.music import Note


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

    Example:
        >>> from cantilena.encoding import GridEncoding
        >>> listener, tokens = Listener(GridEncoding(), semitones=2), np.array([14, 1, 16, 1])
        >>> [note.name for note in listener.complete(tokens[:2])], [note.name for note in listener.complete(tokens)]
        ([], ['D4'])
    """

    def __init__(self, encoding: Encoding, semitones: int) -> None:
        self._encoding, self._semitones = encoding, semitones
        self._from = 0  # the step of the last note that was begun: what lies before it is told
        self._told_until = -1  # the onset of the last note that was told
        self._told = 0

    def complete(self, tokens: NDArray[np.int64]) -> tuple[Note, ...]:
        """The notes that are complete in `(steps so far,)` tokens, and were not told before."""
        step = self._encoding.step_ticks
        heard = self._encoding.decode(tokens[self._from :]).transposed(self._semitones).notes
        notes = [replace(note, onset=note.onset + self._from * step) for note in heard]
        may_go_on = self._encoding.tells_time and bool(notes) and notes[-1].end >= len(tokens) * step
        done = notes[:-1] if may_go_on else notes
        # Decoding may begin anew where a note is struck: nothing before it changes what follows.
        self._from = max([self._from, *(note.onset // step for note in notes if not note.is_rest)])
        new = tuple(note for note in done if note.onset > self._told_until)
        self._told_until = max([self._told_until, *(note.onset for note in new)])
        self._told += len(new)
        return new

    def rest_of(self, composition: Composition) -> tuple[Note, ...]:
        """The notes of the finished melody that were not told before."""
        return composition.notes[self._told :]
