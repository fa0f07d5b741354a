"""The key that each melody itself is in, found by its notes: pitches are heard above its tonic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import KEY_PROFILES
from cantilena.rules import Notes


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys of many melodies.

    Args:
        tonic: `(melodies,)`: pitch classes; 0 of silence.
        minor: `(melodies,)`: whether the mode is minor.
        fit: `(melodies,)`: Pearson's correlation with the key's profile; 0 of silence, and where all sounds equally.
        shares: `(melodies, 12)`: of the sounding time, by semitones above the tonic; 0 of silence.
    """

    tonic: NDArray[np.int64]
    minor: NDArray[np.bool_]
    fit: NDArray[np.float64]
    shares: NDArray[np.float64]


def own_keys(notes: Notes, profile: str = "krumhansl-kessler") -> OwnKeys:
    """Find the key of each melody, as `music.find_key` finds that of one (Krumhansl 1990, chapter 4).

    Args:
        notes: of the melodies; their top pitches are heard.
        profile: a name in `music.KEY_PROFILES`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> found = own_keys(Notes.of(GridEncoding().line(np.array([[16, 19, 23, 1, 27, 16, 1, 1]]))))  # D F A C# D
        >>> found.tonic.tolist(), found.minor.tolist()
        ([2], [True])
    """
    melodies = notes.shape[0]
    cell = notes.melody * 12 + notes.pitch % 12
    sounding = np.bincount(cell, weights=notes.sounding, minlength=12 * melodies).reshape(melodies, 12)
    centred = sounding - sounding.mean(axis=1, keepdims=True)
    keys = np.array([np.roll(mode, tonic) for mode in KEY_PROFILES[profile] for tonic in range(12)])
    keys -= keys.mean(axis=1, keepdims=True)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    spread = np.linalg.norm(centred, axis=1)
    told = spread > 1e-9
    fits = centred @ keys.T
    best = np.where(told, fits.argmax(axis=1), 0) if melodies else np.zeros(0, dtype=np.int64)
    fit = np.zeros(melodies)
    np.divide(fits[np.arange(melodies), best], spread, out=fit, where=told)
    tonic = (best % 12).astype(np.int64)
    total = np.maximum(sounding.sum(axis=1, keepdims=True), 1)
    above = (np.arange(12) + tonic[:, None]) % 12
    return OwnKeys(tonic, best >= 12, fit, np.take_along_axis(sounding / total, above, axis=1))
