"""How growing melodies are shown: by name, as a score, as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.envs.growing_melodies import GrowingMelodies
from cantilena.errors import UsageError
from cantilena.io import score_svg

Picture = NDArray[np.uint8]

_PIXELS = 8  # each step and each semitone is a square of so many
_PAPER, _BARLINE, _INK = 250, 215, 40


def render(growing: GrowingMelodies, mode: str) -> tuple[str | Picture, ...]:
    """Each melody so far.

    Args:
        growing: the melodies.
        mode: `ansi` for the tokens by name, a bar a line; `svg` for the score as SVG text; `rgb_array` for the piano
            roll, `(height, width, 3)` uint8 of the same size from the first token to the last.

    Raises:
        UsageError: a melody too long to engrave.
    """
    return _MODES[mode](growing)


def checked_mode(mode: str | None) -> str | None:
    """The mode, if it is one.

    Raises:
        UsageError: it is none.
    """
    if mode is not None and mode not in _MODES:
        raise UsageError(f"there is no render mode '{mode}'", f"choose one of {', '.join(_MODES)}")
    return mode


def _names(growing: GrowingMelodies) -> tuple[str, ...]:
    names, bar = growing.encoding.vocabulary, growing.steps_per_bar or 16
    bars = range(0, growing.clock, bar)
    return tuple(
        "\n".join(" ".join(names[token] for token in row[first : first + bar]) for first in bars)
        for row in growing.tokens
    )


def _scores(growing: GrowingMelodies) -> tuple[str, ...]:
    return tuple(score_svg(melody, heading=False) for melody in growing.decoded())


def _piano_rolls(growing: GrowingMelodies) -> tuple[Picture, ...]:
    low, high = growing.compass
    rolls = np.full((growing.melodies, high - low + 1, growing.steps), _PAPER, dtype=np.uint8)
    rolls[:, :, :: growing.steps_per_bar or growing.steps] = _BARLINE
    for roll, melody in zip(rolls, growing.decoded(), strict=True):
        for note in melody.sounding:
            first, last = note.onset // growing.encoding.ticks_per_step, note.end // growing.encoding.ticks_per_step
            for pitch in note.pitches:
                if low <= pitch <= high:
                    roll[high - pitch, first:last] = _INK
    large = rolls.repeat(_PIXELS, axis=1).repeat(_PIXELS, axis=2)
    return tuple(np.stack([large] * 3, axis=-1))


_MODES: dict[str, Callable[[GrowingMelodies], tuple[Any, ...]]] = {
    "ansi": _names,
    "rgb_array": _piano_rolls,
    "svg": _scores,
}

METADATA: dict[str, Any] = {
    "render_modes": list(_MODES),
    "render_fps": 8,  # sixteenths a second, at 120 quarter notes a minute
}
"""The ways of showing melodies, in the words of Gymnasium."""
