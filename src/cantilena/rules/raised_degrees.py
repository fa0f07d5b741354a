"""All notes belong to the key, and in minor the raised sixth and seventh degrees go where melodic minor wants them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes
from cantilena.rules.reading import lengths, tones
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import COUNTERPOINT

_RAISED_SIXTH, _RAISED_SEVENTH = 9, 11  # semitones above the tonic


def foreign_tones(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins of which a pitch class is foreign to the key, `(melodies, steps)`.

    In minor the raised sixth and seventh degrees are not foreign: `unresolved_degrees` asks where they go.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[23, 22, 24, 23]]))  # A G# A# A
        >>> foreign_tones(line, Context(Key.parse("A minor"))).tolist()
        [[False, False, True, False]]
    """
    mask = context.key.mask
    if context.key.mode == "minor":
        for degree in (_RAISED_SIXTH, _RAISED_SEVENTH):
            mask |= 1 << (context.key.tonic + degree) % 12
    foreign: NDArray[np.bool_] = tones(line) & ((line.pitch_classes & ~np.int16(mask)) != 0)
    return foreign


def unresolved_degrees(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where it is heard that a raised degree of minor did not go on as it should, `(melodies, steps)`.

    A raised seventh goes to the tonic, to the raised sixth, or to another tone of the dominant triad. A raised sixth
    goes to the raised seventh, or, where it came down from it, to the fifth. Each is judged by the next other pitch,
    at the step where that begins; one that ends the melody, on its last step. Nothing is said in major. Of chords
    the top note is asked.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[22, 23, 22, 19, 20, 22, 23, 20]]))  # G# A G# F F# G# A F#
        >>> np.argwhere(unresolved_degrees(line, Context(Key.parse("A minor")))).tolist()
        [[0, 3], [0, 7]]
    """
    unresolved = np.zeros(line.event.shape, dtype=np.bool_)
    if context.key.mode != "minor":
        return unresolved
    notes = Notes.of(line).turns()
    degree = (notes.pitch - context.key.tonic) % 12
    before = np.where(notes.opens, -1, np.roll(degree, 1))
    earlier = np.where(notes.opens | np.roll(notes.opens, 1), -1, np.roll(degree, 2))
    leading = (before == _RAISED_SEVENTH) & ~np.isin(degree, (0, 2, 7, _RAISED_SIXTH, _RAISED_SEVENTH))
    descends = (earlier == _RAISED_SEVENTH) & (degree == 7)
    sixth = (before == _RAISED_SIXTH) & ~np.isin(degree, (_RAISED_SIXTH, _RAISED_SEVENTH)) & ~descends
    late = leading | sixth
    unresolved[notes.melody[late], notes.step[late]] = True
    left = notes.closes & np.isin(degree, (_RAISED_SIXTH, _RAISED_SEVENTH))
    unresolved[notes.melody[left], lengths(line)[notes.melody[left]] - 1] = True
    return unresolved


@rule("key", source=COUNTERPOINT)
def cantilena_key(line: Line, context: Context, *, foreign: float = -1.0, unresolved: float = -0.5) -> Rewards:
    """A note foreign to the key is penalised, and so is a raised degree of minor that goes where it should not."""
    return foreign * foreign_tones(line, context) + unresolved * unresolved_degrees(line, context)
