"""Metrics of a model's probabilities: the entropy of the next token, and the distance to a reference model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.rules import Metric

ENTROPY = Metric(
    "entropy_per_step",
    "Entropy of the next token",
    "Mean entropy of the model's distribution over the next token, in nats; 0 where the next token is certain.",
    unit="nats",
)

DISTANCES = (
    Metric(
        "kl_per_step",
        "KL divergence from the LSTM",
        "Mean KL divergence of the model's distribution from that of the network before tuning, in nats a step.",
        unit="nats",
    ),
    Metric(
        "log_likelihood_per_step",
        "Log-likelihood under the reference",
        "Mean log-likelihood of these melodies under the model before tuning, or another that was named, in nats a "
        "step.",
        unit="nats",
    ),
)
"""Sums over steps that the caller takes from both models' log-probabilities, divided by the number of steps."""

_TOLERANCE = 0.02
"""How far probabilities may differ from a sum of 1: networks may compute in 16 bits."""


def entropies(log_probs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The entropy of each step's next token given those before it, nats: H = -sum p log p.

    C. E. Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 1948, section 6.

    Args:
        log_probs: `(melodies, steps, vocabulary)` natural log-probabilities; -inf for probability 0.

    Returns:
        `(melodies, steps)`: 0 where one token is certain, log(vocabulary) where all are equally likely.

    Raises:
        UsageError: another shape, or numbers that are not log-probabilities.

    Examples:
        >>> open_and_certain = np.log(np.array([[[0.5, 0.5], [0.999, 0.001]]]))
        >>> entropies(open_and_certain).round(3).tolist()
        [[0.693, 0.008]]
    """
    log_p = np.asarray(log_probs, dtype=np.float64)
    if log_p.ndim != 3:
        raise UsageError(f"log-probabilities have shape {log_p.shape}", "give an array (melodies, steps, vocabulary)")
    with np.errstate(over="ignore"):
        p = np.exp(log_p)
        total = p.sum(axis=-1)
    if not (np.abs(total - 1.0) <= _TOLERANCE).all():
        raise UsageError("the probabilities of a step do not sum to 1", "give log-probabilities, not logits")
    return np.asarray(-(p * np.where(p > 0.0, log_p, 0.0)).sum(axis=-1) + 0.0)  # + 0.0: no negative zero


def entropy_per_step(log_probs: NDArray[np.floating[Any]], length: NDArray[np.integer[Any]] | None = None) -> float:
    """The mean entropy of the next token over all steps of all melodies, nats a step.

    Its interval is `bootstrap_ratio` of the sums of `entropies` over melodies.

    Args:
        log_probs: `(melodies, steps, vocabulary)` natural log-probabilities.
        length: `(melodies,)` the number of valid steps of each melody; all if not given.

    Returns:
        0 to log(vocabulary); NaN where there is no step.

    Raises:
        UsageError: another shape, or numbers that are not log-probabilities.

    Examples:
        >>> from cantilena.metrics import bootstrap_ratio
        >>> log_p = np.log(np.array([[[0.5, 0.5]] * 4, [[0.25, 0.75]] * 4]))
        >>> round(entropy_per_step(log_p), 3)
        0.628
        >>> sums, steps = entropies(log_p).sum(axis=1), np.array([4, 4])
        >>> round(bootstrap_ratio(sums, steps, None, np.random.default_rng(1)).high, 3)
        0.693
    """
    nats = entropies(log_probs)
    valid = np.ones(nats.shape, np.bool_)
    if length is not None:
        valid = np.arange(nats.shape[1])[None, :] < np.asarray(length)[:, None]
    return float(nats[valid].mean()) if valid.any() else float("nan")
