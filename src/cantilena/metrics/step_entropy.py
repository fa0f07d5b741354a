"""How much a model leaves open at each step: the conditional entropy of its next token."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError

_SLACK = 0.02
"""How far probabilities may add up beside 1: networks compute in 16 bits too."""


def entropies(log_probs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The entropy of each step's next token given those before it, nats: H = -sum p log p.

    C. E. Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 1948, section 6.

    Args:
        log_probs: `(melodies, steps, vocabulary)` natural logarithms of probabilities; -inf for what is never said.

    Returns:
        `(melodies, steps)`: 0 where one token is certain, log(vocabulary) where all are equally likely.

    Raises:
        UsageError: another shape, or numbers that are no log-probabilities.

    Example:
        >>> open_and_certain = np.log(np.array([[[0.5, 0.5], [0.999, 0.001]]]))
        >>> entropies(open_and_certain).round(3).tolist()
        [[0.693, 0.008]]
    """
    log_p = np.asarray(log_probs, dtype=np.float64)
    if log_p.ndim != 3:
        raise UsageError(f"log-probabilities of shape {log_p.shape}", "give an array (melodies, steps, vocabulary)")
    with np.errstate(over="ignore"):
        p = np.exp(log_p)
        total = p.sum(axis=-1)
    if not (np.abs(total - 1.0) <= _SLACK).all():
        raise UsageError("the probabilities of a step do not add up to 1", "give log-probabilities, not raw scores")
    return np.asarray(-(p * np.where(p > 0.0, log_p, 0.0)).sum(axis=-1) + 0.0)  # + 0.0: no negative zero


def entropy_per_step(log_probs: NDArray[np.floating[Any]], length: NDArray[np.integer[Any]] | None = None) -> float:
    """The mean entropy of the next token over all steps of all melodies, nats a step.

    Its interval is `bootstrap_ratio` of the sums of `entropies` over melodies.

    Args:
        log_probs: `(melodies, steps, vocabulary)` natural logarithms of probabilities.
        length: `(melodies,)` how many steps of each melody count; all where left out.

    Returns:
        0 to log(vocabulary); NaN where there is no step.

    Raises:
        UsageError: another shape, or numbers that are no log-probabilities.

    Example:
        >>> from cantilena.metrics import bootstrap_ratio
        >>> log_p = np.log(np.array([[[0.5, 0.5]] * 4, [[0.25, 0.75]] * 4]))
        >>> round(entropy_per_step(log_p), 3)
        0.628
        >>> sums, steps = entropies(log_p).sum(axis=1), np.array([4, 4])
        >>> round(bootstrap_ratio(sums, steps, None, np.random.default_rng(1)).high, 3)
        0.693
    """
    nats = entropies(log_probs)
    counts = np.ones(nats.shape, np.bool_)
    if length is not None:
        counts = np.arange(nats.shape[1])[None, :] < np.asarray(length)[:, None]
    return float(nats[counts].mean()) if counts.any() else float("nan")
