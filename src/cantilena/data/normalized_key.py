"""All melodies in one key: C major or A minor, in the octave that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Key, Melody, find_key


def in_plain_key(melody: Melody, *, low: int, high: int) -> Melody:
    """The melody transposed to C major or A minor, in the octave that leaves the fewest notes outside a range.

    Args:
        melody: its key is found where it has none; without any it stays where it is.
        low: the lowest pitch wanted, MIDI number.
        high: the highest pitch wanted.

    Returns:
        The melody, moved by the shorter way to the plain tonic and by whole octaves.

    Example:
        >>> tune = Melody.from_pitches([(67, 24), (71, 24), (74, 48)])
        >>> [note.name for note in in_plain_key(tune, low=48, high=83).notes]
        ['C5', 'E5', 'G5']
    """
    key = melody.key or find_key(melody)
    pitches = [pitch for note in melody.sounding for pitch in note.pitches]
    if not pitches:
        return melody
    semitones = semitones_to_plain(pitches, key, low=low, high=high)
    if min(pitches) + semitones >= 0 and max(pitches) + semitones <= 127:
        return melody.transposed(semitones)
    notes = [replace(note, pitches=tuple(_inside(p + semitones) for p in note.pitches)) for note in melody.notes]
    return replace(melody, notes=tuple(notes), key=key.transposed(semitones) if key else None)


def _inside(pitch: int) -> int:
    """A pitch beyond MIDI's, moved by octaves: from the lowest to the highest there are more than any shift leaves."""
    return pitch % 12 if pitch < 0 else pitch - 12 * -((127 - pitch) // 12) if pitch > 127 else pitch


def semitones_to_plain(pitches: Sequence[int] | NDArray[np.integer], key: Key | None, *, low: int, high: int) -> int:
    """How far to move pitches so that they stand in C major or A minor, in the octave that fits.

    Args:
        pitches: MIDI numbers, each as often as it counts.
        key: in which they stand; only octaves are moved where None.
        low: the lowest pitch wanted.
        high: the highest pitch wanted.

    Example:
        >>> from cantilena.music import Key
        >>> semitones_to_plain([67, 71, 74], Key.parse("G major"), low=48, high=83)
        5
    """
    interval = key.interval_to(key.plain) if key else 0
    struck = np.asarray(pitches)

    def cost(semitones: int) -> tuple[int, int]:
        moved = struck + semitones
        outside = int(np.count_nonzero((moved < low) | (moved > high)))
        beyond = int(np.count_nonzero((moved < 0) | (moved > 127)))
        return (1000 * beyond + outside, abs(semitones))

    return min((interval + 12 * octaves for octaves in range(-5, 6)), key=cost)
