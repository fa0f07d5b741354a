"""Windows of tokens: the literal input of the paper, shared by torch and numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WindowState:
    """What a network with the paper's input remembers: `(melodies, window)` tokens."""

    seen: NDArray[np.int64]


def windows(tokens: NDArray[np.integer], window: int, start: int) -> NDArray[np.int64]:
    """`(melodies, steps, window)`: before each step, the tokens seen.

    Example:
        >>> windows(np.array([[5, 6, 7]]), window=2, start=9).tolist()
        [[[9, 9], [9, 5], [5, 6]]]
    """
    melodies, steps = tokens.shape
    if steps == 0:
        return np.zeros((melodies, 0, window), dtype=np.int64)
    heard = np.concatenate([np.full((melodies, window), start), tokens[:, :-1]], axis=1).astype(np.int64)
    return np.lib.stride_tricks.sliding_window_view(heard, window, axis=1)


def shifted(seen: NDArray[np.int64], tokens: NDArray[np.integer]) -> NDArray[np.int64]:
    """`(melodies, window)`: the window after one more token of each melody."""
    return np.concatenate([seen[:, 1:], tokens.astype(np.int64)[:, None]], axis=1)
