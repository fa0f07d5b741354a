"""Melodies as text for a card: ABC notation on the grid, the names of notes and chords where there is no time."""

from __future__ import annotations

from collections.abc import Iterator

from cantilena.music import Melody, Pitch
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.evaluate.systems import Tokens

_LENGTHS = (16, 12, 8, 6, 4, 3, 2, 1)
"""Sixteenths that a single note can be written as; others are tied."""


def melody_text(tokens: Tokens, encoding: Encoding, number: int = 1) -> str:
    """A melody that a person can read, and on the grid of sixteenths an ABC player can play.

    Args:
        tokens: `(steps,)`.
        encoding: what they mean.
        number: of the tune.

    Example:
        >>> import numpy as np
        >>> print(melody_text(np.array([14, 1, 18, 0, 21, 1, 1, 1]), GridEncoding()))
        X:1
        M:4/4
        L:1/16
        K:C
        C2 E z G4 |
    """
    if isinstance(encoding, GridEncoding) and encoding.steps_per_quarter == 4:
        return abc_text(encoding.decode(tokens), number)
    return " ".join(encoding.vocabulary[token] for token in tokens)


def abc_text(melody: Melody, number: int = 1) -> str:
    """A melody of one voice in sixteenths as an ABC tune, in C with its accidentals written out.

    Args:
        melody: its onsets and durations in whole sixteenths, no pickup.
        number: of the tune.
    """
    bar = melody.meter.ticks_per_bar // _SIXTEENTH
    head = [f"X:{number}", f"M:{melody.meter}", "L:1/16", "K:C"]
    bars, written, step, altered = [], [], 0, dict[str, str]()
    for pitch, steps in _events(melody):
        while steps:
            part = next(length for length in _LENGTHS if length <= min(steps, bar - step % bar))
            steps -= part
            name = "z" if pitch is None else _spelt(pitch, altered)
            tie = "-" if steps and pitch is not None else ""
            written.append(f"{name}{part if part > 1 else ''}{tie}")
            step += part
            if step % bar == 0:
                bars.append(" ".join(written))
                written, altered = [], {}
    bars += [" ".join(written)] if written else []
    return "\n".join([*head, " | ".join(bars) + " |"])


_SIXTEENTH = 6
"""Ticks."""


def _events(melody: Melody) -> Iterator[tuple[int | None, int]]:
    """Top notes and silences one after the other, with their sixteenths."""
    now = 0
    for note in melody.sounding:
        if note.onset > now:
            yield None, (note.onset - now) // _SIXTEENTH
        yield note.top, note.duration // _SIXTEENTH
        now = note.end
    if melody.length > now:
        yield None, (melody.length - now) // _SIXTEENTH


def _spelt(pitch: int, altered: dict[str, str]) -> str:
    """A note with its accidental where the bar does not say it yet."""
    name = Pitch(pitch).name
    letter, sharp, octave = name[0], "#" in name, Pitch(pitch).octave
    above = "'" * max(octave - 5, 0) if octave >= 5 else "," * (4 - octave)
    plain = (letter.lower() if octave >= 5 else letter) + above
    wanted = "^" if sharp else "="
    if altered.get(plain, "=") == wanted:
        return plain
    altered[plain] = wanted
    return wanted + plain
