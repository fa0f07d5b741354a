"""The melody begins and ends with the tonic: two sisters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, OFF, Line
from cantilena.rules.context import Context
from cantilena.rules.reading import last_steps, lengths, tone_before, tones
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import PAPER, RL_TUNER


def tonic_struck(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where the tonic of the octave C4..B4 begins as the top note, `(melodies, steps)`."""
    struck: NDArray[np.bool_] = tones(line) & (line.pitch == context.tonic_pitch)
    return struck


def starts_on_tonic(line: Line, context: Context) -> NDArray[np.bool_]:
    """Whether the very first step strikes the tonic of the octave C4..B4, `(melodies,)`: RL Tuner's reading."""
    starts: NDArray[np.bool_] = np.any(tonic_struck(line, context)[:, :1], axis=1)
    return starts


@rule("tonic", source=RL_TUNER)
def rl_tuner_tonic(line: Line, context: Context, *, reward: float = 3.0, close: int = 4) -> Rewards:
    """The tonic in octave 4 on the first step and again `close` steps before the end, held there, then at rest."""
    left = lengths(line)[:, None] - np.arange(line.steps)[None, :]  # steps to the end, this one counted
    first = np.arange(line.steps)[None, :] == 0
    held = line.event == HOLD
    quiet = held | (line.event == OFF)
    struck = (first | (left == close)) & tonic_struck(line, context)
    rests = ~first & (((left == close - 1) & held) | ((left < close - 1) & quiet))
    return np.where(struck | rests, reward, 0.0)


def first_tone_is_tonic(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where the melody's first note begins, if its pitch class is the tonic, `(melodies, steps)`."""
    first: NDArray[np.bool_] = tones(line) & (tone_before(line) < 0) & (line.pitch % 12 == context.key.tonic)
    return first


def last_tone_is_tonic(line: Line, context: Context) -> NDArray[np.bool_]:
    """The melody's last step, if the pitch class of the last note struck is the tonic, `(melodies, steps)`."""
    last_tone = np.where(tones(line), line.pitch, tone_before(line))
    ends: NDArray[np.bool_] = last_steps(line) & (last_tone >= 0) & (last_tone % 12 == context.key.tonic)
    return ends


@rule("tonic", source=PAPER)
def paper_tonic(line: Line, context: Context, *, reward: float = 3.0) -> Rewards:
    """The composition should begin and end with the tonic note of the key, in any octave."""
    begins = first_tone_is_tonic(line, context).astype(np.float64)
    ends = last_tone_is_tonic(line, context).astype(np.float64)
    return reward * (begins + ends)
