"""Notes in words: as a key spells them, and as a person types them."""

from __future__ import annotations

from cantilena.io.engraving.spelling import spelled
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Pitch

_VALUES = {
    4 * TICKS_PER_QUARTER * (2 * 2**dots - 1) // (value * 2**dots): f"/{value}{'.' * dots}"
    for value in (1, 2, 4, 8, 16, 32)
    for dots in (2, 1, 0)
    if 4 * TICKS_PER_QUARTER * (2 * 2**dots - 1) % (value * 2**dots) == 0
}
"""How each duration that has a note value is typed."""


def names_between(low: int, high: int, key: Key | None) -> list[str]:
    """The names of all pitches from low to high, as a key spells them.

    Example:
        >>> names_between(60, 61, Key.parse("F minor"))
        ['C4', 'D♭4']
    """
    return [spelled(pitch, key or Key()).name for pitch in range(low, high + 1)]


def typed(melody: Melody) -> str:
    """A melody as it would be typed; empty where it cannot be: notes that overlap, or durations without a note value.

    Example:
        >>> typed(Melody.of([(60, 24), (None, 12), (66, 12), ((60, 64), 36)]))
        'C4 r/8 F#4/8 C4+E4/4.'
    """
    words, tick = [], 0
    for note in melody.sounding:
        if note.onset < tick:
            return ""
        pieces = [("r", note.onset - tick)] if note.onset > tick else []
        for name, ticks in [*pieces, ("+".join(Pitch(pitch).name for pitch in note.pitches), note.duration)]:
            value = _value_of(ticks)
            if value is None and name == "r":
                return ""
            if value is None:
                return ""
            words.append(f"{name}{value}")
        tick = note.end
    return " ".join(words)


def _value_of(ticks: int) -> str | None:
    value = _VALUES.get(ticks)
    return "" if value == "/4" else value
