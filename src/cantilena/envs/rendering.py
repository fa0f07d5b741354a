"""How growing melodies are shown: by name, as a score, as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.envs.growing_melodies import MelodyEpisodes
from cantilena.errors import UsageError
from cantilena.io import score_svg

Picture = NDArray[np.uint8]

_PIXELS = 8  # each step and each semitone is a square of so many
_PAPER, _BARLINE, _INK = 250, 215, 40


def render(episodes: MelodyEpisodes, mode: str) -> tuple[str | Picture, ...]:
    """Each melody so far.

    Args:
        growing: the melodies.
        mode: `ansi` for the tokens by name, a bar a line; `svg` for the score as SVG text; `rgb_array` for the piano
            roll, `(height, width, 3)` uint8 of the same size from the first token to the last.

    Raises:
        UsageError: a melody too long to engrave.
    """
    return _MODES[mode](episodes)


def checked_mode(mode: str | None) -> str | None:
    """The mode, if it is one.

    Raises:
        UsageError: it is none.
    """
    if mode is not None and mode not in _MODES:
        raise UsageError(f"there is no render mode '{mode}'", f"choose one of {', '.join(_MODES)}")
    return mode


def _names(episodes: MelodyEpisodes) -> tuple[str, ...]:
    names, bar = episodes.encoding.vocabulary, episodes.steps_per_bar or 16
    bars = range(0, episodes.clock, bar)
    return tuple(
        "\n".join(" ".join(names[token] for token in row[first : first + bar]) for first in bars)
        for row in episodes.tokens
    )


def _scores(episodes: MelodyEpisodes) -> tuple[str, ...]:
    return tuple(score_svg(melody, heading=False) for melody in episodes.decoded())


def _piano_rolls(episodes: MelodyEpisodes) -> tuple[Picture, ...]:
    low, high = episodes.compass
    rolls = np.full((episodes.melodies, high - low + 1, episodes.steps), _PAPER, dtype=np.uint8)
    rolls[:, :, :: episodes.steps_per_bar or episodes.steps] = _BARLINE
    for roll, melody in zip(rolls, episodes.decoded(), strict=True):
        for note in melody.sounding:
            first, last = note.onset // episodes.encoding.step_ticks, note.end // episodes.encoding.step_ticks
            for pitch in note.pitches:
                if low <= pitch <= high:
                    roll[high - pitch, first:last] = _INK
    large = rolls.repeat(_PIXELS, axis=1).repeat(_PIXELS, axis=2)
    return tuple(np.stack([large] * 3, axis=-1))


_MODES: dict[str, Callable[[MelodyEpisodes], tuple[Any, ...]]] = {
    "ansi": _names,
    "rgb_array": _piano_rolls,
    "svg": _scores,
}

METADATA: dict[str, Any] = {
    "render_modes": list(_MODES),
    "render_fps": 8,  # sixteenths a second, at 120 quarter notes a minute
}
"""The ways of showing melodies, in the words of Gymnasium."""
