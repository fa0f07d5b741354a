"""All melodies in one key: C major or A minor, in the octave that fits."""

from __future__ import annotations

from cantilena.music import Melody, find_key


def in_plain_key(melody: Melody, *, low: int, high: int) -> Melody:
    """The melody transposed to C major or A minor, in the octave that leaves the fewest notes outside a range.

    Args:
        melody: its key is found where it has none; without any it stays where it is.
        low: the lowest pitch wanted, MIDI number.
        high: the highest pitch wanted.

    Returns:
        The melody, moved by the shorter way to the plain tonic and by whole octaves.

    Example:
        >>> tune = Melody.of([(67, 24), (71, 24), (74, 48)])
        >>> [note.name for note in in_plain_key(tune, low=48, high=83).notes]
        ['C5', 'E5', 'G5']
    """
    key = melody.key or find_key(melody)
    pitches = [pitch for note in melody.sounding for pitch in note.pitches]
    if not pitches:
        return melody
    interval = key.interval_to(key.plain) if key else 0

    def cost(semitones: int) -> tuple[int, int]:
        outside = sum(not low <= pitch + semitones <= high for pitch in pitches)
        beyond = sum(not 0 <= pitch + semitones <= 127 for pitch in pitches)
        return (1000 * beyond + outside, abs(semitones))

    semitones = min((interval + 12 * octaves for octaves in range(-5, 6)), key=cost)
    return melody.transposed(semitones)
