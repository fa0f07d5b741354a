"""Rendering of melodies: token names, score, piano roll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.envs.episodes import MelodyEpisodes
from cantilena.errors import UsageError
from cantilena.io import score_svg
from cantilena.rl.reward import token_places

Picture = NDArray[np.uint8]

_PIXELS = 8
"""Width of a step and height of a semitone."""
_BACKGROUND, _BAR_LINE, _NOTE = 250, 215, 40


def render(episodes: MelodyEpisodes, mode: str) -> tuple[str | Picture, ...]:
    """Render each melody so far.

    Args:
        episodes: the melodies.
        mode: `ansi` for the names of the tokens, a line for each bar; `svg` for the score as SVG text; `rgb_array` for
            a piano roll, `(height, width, 3)` uint8, of the same size at every step.

    Raises:
        UsageError: a melody is too long to engrave.
    """
    return _MODES[mode](episodes)


def check_mode(mode: str | None) -> str | None:
    """Return the mode if it is valid.

    Raises:
        UsageError: there is no such mode.
    """
    if mode is not None and mode not in _MODES:
        raise UsageError(f"unknown render mode '{mode}'", f"choose one of {', '.join(_MODES)}")
    return mode


def _names(episodes: MelodyEpisodes) -> tuple[str, ...]:
    names, tokens = episodes.encoding.vocabulary, episodes.tokens
    places = token_places(episodes.encoding, tokens, episodes.steps)
    bars = [
        [[names[token] for token in row[number == bar]] for bar in range(number.max(initial=-1) + 1)]
        for row, number in zip(tokens, places // (episodes.steps_per_bar or 16), strict=True)
    ]
    return tuple("\n".join(" ".join(bar) for bar in rows if bar) for rows in bars)


def _scores(episodes: MelodyEpisodes) -> tuple[str, ...]:
    return tuple(score_svg(melody, heading=False) for melody in episodes.decode())


def _piano_rolls(episodes: MelodyEpisodes) -> tuple[Picture, ...]:
    low, high = episodes.pitch_range
    rolls = np.full((episodes.melodies, high - low + 1, episodes.steps), _BACKGROUND, dtype=np.uint8)
    rolls[:, :, :: episodes.steps_per_bar or episodes.steps] = _BAR_LINE
    ticks = episodes.encoding.ticks_per_step
    for roll, melody in zip(rolls, episodes.decode(), strict=True):
        for note in melody.sounding:
            for pitch in note.pitches:
                if low <= pitch <= high:
                    roll[high - pitch, note.onset // ticks : -(-note.end // ticks)] = _NOTE
    large = rolls.repeat(_PIXELS, axis=1).repeat(_PIXELS, axis=2)
    return tuple(np.stack([large] * 3, axis=-1))


_MODES: dict[str, Callable[[MelodyEpisodes], tuple[Any, ...]]] = {
    "ansi": _names,
    "rgb_array": _piano_rolls,
    "svg": _scores,
}

METADATA: dict[str, Any] = {
    "render_modes": list(_MODES),
    "render_fps": 8,  # sixteenths a second at 120 quarter notes a minute
}
"""The render modes as Gymnasium's metadata."""
