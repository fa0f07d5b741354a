"""Sampling whole melodies from a sequence model, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.constraints import Constraints, fewest
from cantilena.generation.options import SamplingOptions
from cantilena.models import (
    Bars,
    MelodyVae,
    SequenceModel,
    Sequences,
    log_probs_with_bars,
    log_softmax,
    start_with_bars,
    to_numpy,
)
from cantilena.runtime import progress

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Samples:
    """Sampled melodies.

    Args:
        tokens: `(melodies, steps)` int64, the new tokens alone.
        log_likelihood: `(melodies,)`, nats of the new tokens under the model itself (temperature 1, nothing cut off);
            with constraints, under its probabilities normalised over the tokens that they leave.
        broken: `(melodies,)`: how often a constraint was broken because no token kept all; None without constraints.
    """

    tokens: NDArray[np.int64]
    log_likelihood: Floats
    broken: NDArray[np.int64] | None = None


def sample(
    model: SequenceModel,
    uniforms: Floats,
    *,
    options: SamplingOptions | None = None,
    primer: NDArray[np.int64] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    bars: Bars | None = None,
    constraints: Constraints | None = None,
) -> Samples:
    """Sample melodies step by step.

    Args:
        model: any sequence model.
        uniforms: `(melodies, steps)` numbers in [0, 1): the randomness, one number a token. Equal rows give equal
            melodies, whatever else is in the batch.
        options: temperature and cut-offs.
        primer: `(primer steps,)` tokens that come before, the same for all.
        allowed: `(vocabulary,)`: which tokens may be drawn; or `(steps, vocabulary)`: which at each new step.
        bars: of the melodies, from the first step of the primer on.
        constraints: rules to keep; their `steps` are those of primer and new tokens together.

    Raises:
        UsageError: no token is allowed, or the constraints are for shorter melodies.
    """
    drawing = draw(model, uniforms, options=options, primer=primer, allowed=allowed, bars=bars, constraints=constraints)
    zeros = np.zeros(len(uniforms))
    samples = Samples(uniforms[:, :0].astype(np.int64), zeros, None if constraints is None else zeros.astype(int))
    with progress("Composing by rules", total=uniforms.shape[1], unit="steps", quiet=constraints is None) as bar:
        for drawn in drawing:
            samples = drawn
            bar.advance()
    return samples


def draw(
    model: SequenceModel,
    uniforms: Floats,
    *,
    options: SamplingOptions | None = None,
    primer: NDArray[np.int64] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    bars: Bars | None = None,
    constraints: Constraints | None = None,
) -> Iterator[Samples]:
    """As `sample`, yielding what has been drawn after each step: views of arrays that the next step changes."""
    options = options or SamplingOptions()
    melodies, steps = uniforms.shape
    before = np.zeros(0, dtype=np.int64) if primer is None else primer
    if allowed is not None and not allowed.any(axis=-1).all():
        raise UsageError("no note of the model lies in that range", "give a wider --range")
    if isinstance(model, MelodyVae):
        model = model.prior_decoder(uniforms, before, bars)
    scores, state = start_with_bars(model, melodies, bars)
    for token in before:
        scores, state = model.step(np.full(melodies, token, dtype=np.int64), state)
    tokens = np.concatenate([np.tile(before, (melodies, 1)), np.zeros((melodies, steps), dtype=np.int64)], axis=1)
    log_likelihood, broken = np.zeros(melodies), np.zeros(melodies, dtype=np.int64)
    rows = np.arange(melodies)
    for step in range(len(before), len(before) + steps):
        log_probs = np.asarray(to_numpy(scores), dtype=np.float64)
        candidates = among = allowed if allowed is None or allowed.ndim == 1 else allowed[step - len(before)]
        if constraints is not None:
            counts = constraints.broken(tokens[:, :step], among)
            candidates = fewest(counts)
            broken += counts.min(axis=1)
            log_probs = log_softmax(_mask(log_probs, candidates))
        tokens[:, step] = choose(log_probs, uniforms[:, step - len(before)], options, candidates)
        log_likelihood += log_probs[rows, tokens[:, step]]
        if step + 1 < tokens.shape[1]:
            scores, state = model.step(tokens[:, step], state)
        yield Samples(tokens[:, len(before) : step + 1], log_likelihood, None if constraints is None else broken)


def log_likelihood(
    model: SequenceModel, tokens: NDArray[np.int64], *, primer: NDArray[np.int64], bars: Bars | None = None
) -> Floats:
    """`(melodies,)` nats of `(melodies, steps)` new tokens after a primer; arguments as of `sample`.

    Of a VAE it is the bound on the whole, less that on the primer.
    """
    whole = np.concatenate([np.tile(primer, (len(tokens), 1)), tokens], axis=1)
    if isinstance(model, MelodyVae):
        bars = Bars.common_time(len(whole)) if bars is None else bars
        nats = -model.nll_bound(Sequences(tuple(whole), bars))
        return nats + model.nll_bound(Sequences((primer,), bars[:1])) if len(primer) else nats
    log_probs = to_numpy(log_probs_with_bars(model, whole, bars))
    chosen = np.take_along_axis(log_probs, whole[..., None], axis=-1)[..., 0]
    return np.asarray(chosen[:, len(primer) :].sum(axis=1), dtype=np.float64)


def choose(
    log_probs: Floats, uniforms: Floats, options: SamplingOptions, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Draw one token a melody by inverting the cumulative distribution.

    Args:
        log_probs: `(melodies, vocabulary)`, nats.
        uniforms: `(melodies,)` in [0, 1).
        options: temperature and cut-offs.
        allowed: `(vocabulary,)`, or `(melodies, vocabulary)`.

    Examples:
        >>> half = np.log([[0.5, 0.5]])
        >>> choose(half, np.array([0.7]), SamplingOptions()).tolist()
        [1]
    """
    scores = _mask(log_probs, allowed)
    if options.greedy:
        return np.asarray(np.argmax(scores, axis=1), dtype=np.int64)
    probabilities = _cut(_softmax(scores / options.temperature), options)
    cumulated = np.cumsum(probabilities, axis=1)
    below = cumulated <= (uniforms * cumulated[:, -1])[:, None]
    return np.asarray(below.sum(axis=1), dtype=np.int64)


def _mask(log_probs: Floats, allowed: NDArray[np.bool_] | None) -> Floats:
    """Log probabilities, -inf for what is not allowed, not normalised."""
    scores: Floats = log_probs if allowed is None else np.where(allowed, log_probs, -np.inf)
    # If the model gives all allowed tokens the probability 0, they become equally probable.
    impossible = ~np.isfinite(scores).any(axis=1, keepdims=True)
    if not impossible.any():
        return scores
    everything = np.ones((), dtype=np.bool_) if allowed is None else allowed
    return np.where(impossible & everything, 0.0, scores)


def _softmax(scores: Floats) -> Floats:
    exponentials: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    normalised: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return normalised


def _cut(probabilities: Floats, options: SamplingOptions) -> Floats:
    """Zero what top-k and top-p (Holtzman et al. 2020, nucleus sampling) leave out; at least one token stays."""
    size = probabilities.shape[1]
    if not 0 < options.top_k < size and options.top_p == 1.0:
        return probabilities
    keep = np.ones_like(probabilities, dtype=bool)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")
    if 0 < options.top_k < size:
        keep &= ranks < options.top_k
    if options.top_p < 1.0:
        ordered = np.take_along_axis(probabilities, order, axis=1)
        before = np.cumsum(ordered, axis=1) - ordered
        keep &= np.take_along_axis(before < options.top_p, ranks, axis=1)
    return np.where(keep, probabilities, 0.0)
