"""Melodies transposed to the keys without accidentals: C major, A minor, and D dorian and its like for other modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Key, Melody, find_key


def normalize_key(melody: Melody, *, low: int, high: int) -> Melody:
    """Transpose a melody to the key of its mode without accidentals.

    Of all octaves that with the fewest notes outside a range is taken.

    Args:
        melody: its key is found where it has none; without any it is moved by octaves alone.
        low: lowest pitch of the range, MIDI number.
        high: highest pitch of the range.

    Returns:
        The melody, moved by the smaller interval to the new tonic and by whole octaves.

    Examples:
        >>> tune = Melody.from_pitches([(67, 24), (71, 24), (74, 48)])
        >>> [note.name for note in normalize_key(tune, low=48, high=83).notes]
        ['C5', 'E5', 'G5']
    """
    key = melody.key or find_key(melody)
    pitches = [pitch for note in melody.sounding for pitch in note.pitches]
    if not pitches:
        return melody
    semitones = semitones_to_normalized(pitches, key, low=low, high=high)
    if min(pitches) + semitones >= 0 and max(pitches) + semitones <= 127:
        return melody.transposed(semitones)
    notes = [replace(note, pitches=tuple(_folded(p + semitones) for p in note.pitches)) for note in melody.notes]
    chords = melody.chords.transposed(semitones)
    return replace(melody, notes=tuple(notes), key=key.transposed(semitones) if key else None, chords=chords)


def semitones_to_normalized(
    pitches: Sequence[int] | NDArray[np.integer], key: Key | None, *, low: int, high: int
) -> int:
    """Return how far to move pitches to the key of their mode without accidentals, by octave as `normalize_key`.

    Args:
        pitches: MIDI numbers, each as often as it counts.
        key: their key; None moves them by octaves alone.
        low: lowest pitch of the range.
        high: highest pitch of the range.

    Examples:
        >>> from cantilena.music import Key
        >>> semitones_to_normalized([67, 71, 74], Key.parse("G major"), low=48, high=83)
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


def _folded(pitch: int) -> int:
    """Move a pitch outside MIDI's range into it by octaves."""
    return pitch % 12 if pitch < 0 else pitch - 12 * -((127 - pitch) // 12) if pitch > 127 else pitch
