"""How far melodies are from what a model learned, and how much a model leaves open: sums over each melody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import RuleCounts, entropies
from cantilena.models import SequenceModel, bars_in, log_probs_in_bars, numpy_of
from cantilena.music import Key, Meter
from cantilena.tokenizers import Encoding

_CHUNK = 256
"""Melodies that a model judges at once, to bound memory."""


def model_distances(
    tokens: NDArray[np.int64],
    encoding: Encoding,
    *,
    model: SequenceModel | None,
    reference: SequenceModel,
    meter: Meter | None = None,
    key: Key | None = None,
) -> RuleCounts:
    """The likelihood of melodies under a reference, and the KL divergence of the model from it, nats over steps.

    Per step of a melody that the model drew, exact over the vocabulary:

        KL = sum over a of q(a) (log q(a) - log p(a))

    with q the model and p the reference, both given the tokens before.

    Args:
        tokens: `(melodies, steps)`.
        encoding: what they mean.
        model: what they were drawn from; None where it is no distribution: then there is no KL divergence.
        reference: the model before tuning.
        meter: the time signature in which models are asked; 4/4 if None.
        key: what they are told, if they can be told keys.

    Returns:
        `log_likelihood_per_step`, and with a model `kl_per_step` and `entropy_per_step`, each out of the steps.
    """
    likelihood, divergence, uncertain = [], [], []
    for start in range(0, len(tokens), _CHUNK):
        part = tokens[start : start + _CHUNK]
        bars = bars_in(meter, len(part), encoding, key)
        log_p = np.asarray(numpy_of(log_probs_in_bars(reference, part, bars)), dtype=np.float64)
        likelihood.append(np.take_along_axis(log_p, part[..., None], axis=-1)[..., 0].sum(1))
        if model is not None:
            log_q = np.asarray(numpy_of(log_probs_in_bars(model, part, bars)), dtype=np.float64)
            # What the model never does adds nothing, however unlikely the reference finds it.
            terms = np.where(log_q > -1e3, np.exp(log_q) * (log_q - log_p), 0.0)
            divergence.append(terms.sum(axis=(1, 2)))
            uncertain.append(entropies(log_q).sum(1))
    steps = np.full(len(tokens), float(tokens.shape[1]))
    sums = {"log_likelihood_per_step": np.concatenate(likelihood)}
    if model is not None:
        sums |= {"kl_per_step": np.concatenate(divergence), "entropy_per_step": np.concatenate(uncertain)}
    return RuleCounts.of({name: (values, steps) for name, values in sums.items()})
