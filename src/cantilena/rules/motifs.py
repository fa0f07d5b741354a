"""Motifs as RL Tuner and the paper count them: eight events with three tones or more, and their return."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.reading import codes, lengths
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import RL_TUNER

WINDOW, DISTINCT = 8, 3
"""A motif is this many events long and holds this many distinct top notes, or more."""


def motif_tones(line: Line, *, window: int = WINDOW, distinct: int = DISTINCT) -> NDArray[np.int16]:
    """How rich the motif is that ends at each step, `(melodies, steps)`.

    The number of distinct top notes in the last `window` events; 0 where they are fewer than `distinct` (no motif), or
    where there are not that many events yet.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> motif_tones(GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 0, 1, 19, 19]])))
        array([[0, 0, 0, 0, 0, 0, 0, 3, 3, 3]], dtype=int16)
    """
    from cantilena.rules import kernels

    tones = kernels.distinct_tones(codes(line), lengths(line), window)
    return np.where(tones >= distinct, tones, np.int16(0))


def motif_returns(line: Line, *, window: int = WINDOW, distinct: int = DISTINCT) -> NDArray[np.bool_]:
    """Where a motif ends that was heard before, `(melodies, steps)`.

    The same events, holds and offs included, ended before these began: the two do not overlap.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 0, 1] * 2]))
        >>> np.argwhere(motif_returns(line)).tolist()
        [[0, 15]]
    """
    from cantilena.rules import kernels

    is_motif = motif_tones(line, window=window, distinct=distinct) > 0
    return kernels.returning_windows(codes(line), lengths(line), is_motif, window)


@rule("motif", source=RL_TUNER)
def rl_tuner_motif(
    line: Line,
    context: Context,
    *,
    reward: float = 3.0,
    bonus: float = 0.3,
    window: int = WINDOW,
    distinct: int = DISTINCT,
) -> Rewards:
    """A motif just played is rewarded, with a bonus for each distinct tone beyond the third."""
    tones = motif_tones(line, window=window, distinct=distinct)
    return np.where(tones > 0, reward + bonus * (tones - distinct), 0.0)


@rule("repeated_motif", source=RL_TUNER)
def rl_tuner_repeated_motif(
    line: Line,
    context: Context,
    *,
    reward: float = 4.0,
    bonus: float = 1.0,
    window: int = WINDOW,
    distinct: int = DISTINCT,
) -> Rewards:
    """A motif that returns exactly, without overlap, is rewarded, with a bonus for each tone beyond the third."""
    tones = motif_tones(line, window=window, distinct=distinct)
    returns = motif_returns(line, window=window, distinct=distinct)
    return np.where(returns, reward + bonus * (tones - distinct), 0.0)
