"""Key finding by key profiles.

A profile weights the twelve pitch classes above the tonic. The key found is the one whose rotated profile correlates
best (Pearson) with the duration of each pitch class (C. L. Krumhansl, Cognitive Foundations of Musical Pitch, Oxford
1990, chapter 4).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music.chord_track import ChordTrack
from cantilena.music.key import Key
from cantilena.music.melody import Melody

KEY_PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # Krumhansl and Kessler 1982, as printed in Krumhansl 1990, p. 30.
    "krumhansl-kessler": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    # Temperley, What's key for key?, Music Perception 17(1), 1999, p. 74.
    "temperley": (
        (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
        (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
    ),
    # Aarden, Dynamic melodic expectancy, 2003: counted in folk songs of Essen.
    "aarden-essen": (
        (17.7661, 0.145624, 14.9265, 0.160186, 19.8049, 11.3587, 0.291248, 22.062, 0.145624, 8.15494, 0.232998,
         4.95122),
        (18.2648, 0.737619, 14.0499, 16.8599, 0.702494, 14.4362, 0.702494, 18.6161, 4.56621, 1.93186, 7.37619,
         1.75623),
    ),
}  # fmt: skip
"""Profiles by name: weights of the twelve pitch classes above the tonic, (major, minor)."""


def find_key(melody: Melody, profile: str = "krumhansl-kessler") -> Key | None:
    """Find the key of a melody from the durations of its pitch classes; arguments and result as `key_of_durations`.

    Examples:
        >>> find_key(Melody.from_pitches([(62, 24), (65, 24), (69, 24), (73, 12), (62, 48)])).name
        'D minor'
    """
    durations = np.zeros(12)
    for note in melody.sounding:
        for pitch in note.pitches:
            durations[pitch % 12] += note.duration
    return key_of_durations(durations, profile)


def key_of_chords(chords: ChordTrack, length: int, among: Collection[Key] = ()) -> Key | None:
    """Find the key of chords from how long their tones sound, the roots counted twice.

    Args:
        chords: of a piece.
        length: ticks of the piece.
        among: the keys to choose from; empty means all 24 major and minor keys.

    Returns:
        The key, or None if there are no chords.

    Examples:
        >>> from cantilena.music import ChordTrack, Meter
        >>> key_of_chords(ChordTrack.parse("Am | Dm | E7 | Am", Meter(4, 4)), 384).name
        'A minor'
    """
    durations = np.zeros(12)
    for _, duration, chord in chords.spans(length):
        if chord.root is not None:
            durations[[*chord.pitch_classes]] += duration
            durations[chord.root] += duration
    return key_of_durations(durations, among=among)


def key_of_durations(
    durations: NDArray[np.float64], profile: str = "krumhansl-kessler", among: Collection[Key] = ()
) -> Key | None:
    """Find the key whose profile correlates best (Pearson) with the durations of the pitch classes.

    Args:
        durations: `(12,)`, in any unit.
        profile: a name in `KEY_PROFILES`.
        among: the keys to choose from; empty means all 24 major and minor keys.

    Returns:
        The key, or None if nothing sounds or all durations are equal.

    Raises:
        UsageError: the profile is unknown.
    """
    if profile not in KEY_PROFILES:
        raise UsageError(f"there is no key profile '{profile}'", f"choose one of {', '.join(KEY_PROFILES)}")
    if np.ptp(durations) == 0:
        return None
    rotated = np.array([np.roll(mode, tonic) for mode in KEY_PROFILES[profile] for tonic in range(12)])
    rotated -= rotated.mean(axis=1, keepdims=True)
    # Pearson's r without the norm of the durations, which is the same for all keys.
    correlations = rotated @ (durations - durations.mean()) / np.linalg.norm(rotated, axis=1)
    keys = [Key(index % 12, "major" if index < 12 else "minor") for index in range(24)]
    allowed = [index for index, key in enumerate(keys) if not among or key in among]
    return keys[max(allowed, key=lambda index: float(correlations[index]))]
