"""All notes belong to the key: the rule of `paper` and `rl-tuner`; `cantilena` has its own (raised_degrees.py)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.reading import tones
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import PAPER, RL_TUNER


def out_of_key(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins of which any pitch class lies outside the key, `(melodies, steps)`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> out_of_key(GridEncoding().line(np.array([[14, 15, 1, 0]])), Context())
        array([[False,  True, False, False]])
    """
    outside: NDArray[np.bool_] = tones(line) & ((line.pitch_classes & ~np.int16(context.key.mask)) != 0)
    return outside


@rule("key", source=RL_TUNER)
def rl_tuner_key(line: Line, context: Context, *, penalty: float = -1.0) -> Rewards:
    """A note outside the key is penalised; of a chord, every pitch class is asked."""
    return np.where(out_of_key(line, context), penalty, 0.0)


@rule("key", source=PAPER)
def paper_key(line: Line, context: Context, *, penalty: float = -1.0) -> Rewards:
    """All notes should belong to the same key."""
    return np.where(out_of_key(line, context), penalty, 0.0)
