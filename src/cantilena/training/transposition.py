"""Transposition as a table of tokens, for any encoding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CantilenaError
from cantilena.tokenizers import Encoding


def transpositions(encoding: Encoding, semitones: int) -> NDArray[np.int64]:
    """What each token becomes when a piece is moved by so many semitones down to so many up.

    Args:
        encoding: what the tokens mean.
        semitones: the furthest shift.

    Returns:
        `(2 semitones + 1, vocabulary)` tokens, -1 where the encoding cannot say the note in that key. Row `semitones`
        is no shift.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> transpositions(GridEncoding(), 1)[:, [0, 1, 2, 14]].tolist()
        [[0, 1, -1, 13], [0, 1, 2, 14], [0, 1, 3, 15]]
    """
    shifts = range(-semitones, semitones + 1)
    size = len(encoding.vocabulary)
    return np.array([[_moved(encoding, token, shift) for token in range(size)] for shift in shifts], dtype=np.int64)


def _moved(encoding: Encoding, token: int, shift: int) -> int:
    try:
        melody = encoding.decode([token]).transposed(shift)
        fit = encoding.fit(melody)
        said = encoding.encode(melody)
    except CantilenaError:  # beyond MIDI's range
        return -1
    return int(said[0]) if len(said) == 1 and not (fit.folded or fit.dropped) else -1
