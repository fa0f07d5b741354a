"""The melody does not resemble itself one, two or three steps later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.reading import class_numbers, lengths
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import RL_TUNER

LAGS = 3
"""RL Tuner asks for the lags 1, 2 and 3."""


def autocorrelations(line: Line, *, lags: int = LAGS) -> NDArray[np.float64]:
    """How each melody so far correlates with itself some steps later, `(lags, melodies, steps)`.

    With x the raw class numbers (0 off, 1 hold, pitch - 46), centred, n of them up to the step:
    rho = sum over t of x[t] x[t + lag], / n, / var(x). NaN where x does not vary, and in the padding.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rho = autocorrelations(GridEncoding().line(np.array([[16, 9, 8]])))
        >>> rho[:, 0, -1].round(6).tolist()
        [-0.105263, -0.394737, 0.0]
    """
    return _up_to_steps_from(line, np.zeros(line.melodies, dtype=np.int64), lags)


def final_autocorrelations(line: Line, *, lags: int = LAGS) -> NDArray[np.float64]:
    """The same for whole melodies alone, `(lags, melodies)`."""
    last = np.maximum(lengths(line) - 1, 0)
    if line.steps == 0:
        return np.full((lags, line.melodies), np.nan)
    rho: NDArray[np.float64] = _up_to_steps_from(line, last, lags)[:, np.arange(line.melodies), last]
    return rho


def _up_to_steps_from(line: Line, first: NDArray[np.int64], lags: int) -> NDArray[np.float64]:
    from cantilena.rules import kernels

    rho: NDArray[np.float64] = kernels.autocorrelations(class_numbers(line), first, lengths(line), lags)
    return rho


@rule("autocorrelation", source=RL_TUNER)
def rl_tuner_autocorrelation(
    line: Line,
    context: Context,
    *,
    penalty: float = -3.0,
    threshold: float = 0.15,
) -> Rewards:
    """At each lag, more than a little correlation of the melody so far with itself is penalised by its size."""
    size = np.abs(autocorrelations(line))
    above: Rewards = np.where(size > threshold, size, 0.0).sum(axis=0)  # NaN is not above the threshold
    return penalty * above
