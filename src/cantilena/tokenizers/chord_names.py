"""Chords by their pitch classes: normal order, and how a chord in normal order sounds."""

from __future__ import annotations

from collections.abc import Iterable


def normal_order(pitches: Iterable[int]) -> tuple[int, ...]:
    """The pitch classes of some pitches in normal order.

    Of the ways to write them going up, the one that spans least; among equals the one whose notes lie closest to the
    first, compared from the second note on; among equals the one that begins lowest. A. Forte, The Structure of Atonal
    Music, Yale 1973, pages 3-5.

    Args:
        pitches: MIDI numbers or pitch classes, any order, repeats allowed.

    Example:
        >>> normal_order((67, 52, 60)), normal_order((62, 70, 77))
        ((0, 4, 7), (10, 2, 5))
    """
    classes = sorted({pitch % 12 for pitch in pitches})
    if not classes:
        return ()
    rotations = [classes[start:] + classes[:start] for start in range(len(classes))]

    def spread(order: list[int]) -> tuple[int, list[int], int]:
        above = [(pitch_class - order[0]) % 12 for pitch_class in order]
        return above[-1], above, order[0]

    best = min(rotations, key=spread)
    return tuple(best)


def sounded(order: tuple[int, ...]) -> tuple[int, ...]:
    """The pitches of a chord given in normal order: the first in octave 4, each next the nearest above.

    A chord of one pitch class is an octave; its top note stays in octave 4.

    Example:
        >>> sounded((10, 2, 5)), sounded((0,))
        ((70, 74, 77), (48, 60))
    """
    if len(order) == 1:
        return 48 + order[0], 60 + order[0]
    pitches: list[int] = []
    for pitch_class in order:
        pitches.append(pitches[-1] + (pitch_class - pitches[-1]) % 12 if pitches else 60 + pitch_class)
    return tuple(pitches)
