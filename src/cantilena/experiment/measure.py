"""From melodies to the numbers of results.json, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.encoding import Encoding
from cantilena.evaluation import (
    Interval,
    RuleCounts,
    bootstrap_ratio,
    different_melodies,
    distinct_n,
    entropies,
    musical_counts,
    paper_counts,
    rl_tuner_counts,
    self_bleu,
    subsample_interval,
    vendi_interval,
)
from cantilena.evaluation.metric_words import MUSICAL_PREFIX, PAPER_PREFIX
from cantilena.experiment.systems import bars_in
from cantilena.model import SequenceModel, log_probs_in_bars, numpy_of
from cantilena.music import Line, Meter
from cantilena.theory import Context

_CHUNK = 256
"""Melodies that a model judges at once, to bound memory."""


@dataclass(frozen=True)
class Sample:
    """Melodies of one system, ready to be counted.

    Args:
        tokens: `(melodies, steps)`.
        piece: `(melodies,)`: melodies of one piece are drawn together by the bootstrap; each its own if None.
        contexts: key and meter of each melody, or of all; C major in 4/4 if None.
    """

    tokens: NDArray[np.int64]
    piece: NDArray[np.int64] | None = None
    contexts: Context | Sequence[Context] | None = None


def measure(
    sample: Sample,
    encoding: Encoding,
    rng: np.random.Generator,
    *,
    model: SequenceModel | None,
    reference: SequenceModel,
    alike: int | None = None,
    meter: Meter | None = None,
    thorough: bool = False,
) -> dict[str, dict[str, Any]]:
    """All metrics of a set of melodies.

    Args:
        sample: the melodies.
        encoding: what their tokens mean.
        rng: for the resampling of the intervals.
        model: what they were drawn from; None for people's melodies, whose KL divergence nobody knows.
        reference: the LSTM before tuning, whose likelihood and distance are reported.
        alike: numbers of a set (different melodies, distinct-4) fall as it grows, so they are taken of so many of the
            melodies, drawn at random, that all sets are of one size; of all if None.
        meter: the time signature in which models are asked for likelihoods; 4/4 if None.
        thorough: also count what the rules of the set `cantilena` hear, and measure diversity in every way; seconds.

    Returns:
        `{METRIC: {"value", "low", "high"}}`, with a `reason` where a value is None, `melodies` where they are fewer.
    """
    line = encoding.line(sample.tokens)
    piece = np.arange(line.melodies) if sample.piece is None else sample.piece
    metrics: dict[str, dict[str, Any]] = {}
    counters = [("", rl_tuner_counts), (PAPER_PREFIX, paper_counts)]
    if thorough:
        counters.append((MUSICAL_PREFIX, musical_counts))
    for prefix, counter in counters:
        counts = _counts(counter, line, sample.contexts or Context(timed=encoding.tells_time))
        for name in counts.names:
            interval = bootstrap_ratio(counts.counted[name], counts.out_of[name], piece, rng)
            metrics[prefix + name] = _entry(interval, _UNDEFINED.get(name, "there is nothing to count"))
    metrics.update(_of_the_set(line, rng, alike, thorough=thorough))
    metrics.update(_distances(sample.tokens, piece, encoding, rng, model=model, reference=reference, meter=meter))
    return metrics


def _of_the_set(
    line: Line, rng: np.random.Generator, alike: int | None, *, thorough: bool
) -> dict[str, dict[str, Any]]:
    size = line.melodies if alike is None else min(alike, line.melodies)
    part = line if size == line.melodies else line[np.sort(rng.permutation(line.melodies)[:size])]
    numbers = {
        "different_melodies": _entry(subsample_interval(different_melodies, part, rng), "there is no melody"),
        "distinct_4": _entry(
            subsample_interval(lambda some: distinct_n(some, 4), part, rng), "no melody has five notes in a row"
        ),
    }
    if thorough:
        bleu = subsample_interval(self_bleu, part, rng)
        numbers["self_bleu_4"] = _entry(bleu, "fewer than two melodies have two notes")
        numbers["vendi"] = _entry(vendi_interval(part, rng, draws=50), "there is no melody")
    return {name: entry | {"melodies": size} for name, entry in numbers.items()}


def _counts(
    count: Callable[[Line, Context], RuleCounts], line: Line, contexts: Context | Sequence[Context]
) -> RuleCounts:
    """Counts of all melodies, each in its own key and meter."""
    if isinstance(contexts, Context):
        return count(line, contexts)
    rows_of: dict[Context, list[int]] = {}
    for row, context in enumerate(contexts):
        rows_of.setdefault(context, []).append(row)
    counted: dict[str, NDArray[np.float64]] = {}
    out_of: dict[str, NDArray[np.float64]] = {}
    for context, rows in rows_of.items():
        part = count(line[rows], context)
        for name in part.names:
            counted.setdefault(name, np.zeros(line.melodies))[rows] = part.counted[name]
            out_of.setdefault(name, np.zeros(line.melodies))[rows] = part.out_of[name]
    return RuleCounts(counted, out_of)


def _distances(
    tokens: NDArray[np.int64],
    piece: NDArray[np.int64],
    encoding: Encoding,
    rng: np.random.Generator,
    *,
    model: SequenceModel | None,
    reference: SequenceModel,
    meter: Meter | None,
) -> dict[str, dict[str, Any]]:
    """Log-likelihood under the reference, and the KL divergence of the model from it, nats a step."""
    likelihood, divergence, uncertain = [], [], []
    for start in range(0, len(tokens), _CHUNK):
        part = tokens[start : start + _CHUNK]
        bars = bars_in(meter, len(part), encoding)
        log_p = np.asarray(numpy_of(log_probs_in_bars(reference, part, bars)), dtype=np.float64)
        likelihood.append(np.take_along_axis(log_p, part[..., None], axis=-1)[..., 0].sum(1))
        if model is not None:
            log_q = np.asarray(numpy_of(log_probs_in_bars(model, part, bars)), dtype=np.float64)
            # What the model never does adds nothing, however unlikely the reference finds it.
            terms = np.where(log_q > -1e3, np.exp(log_q) * (log_q - log_p), 0.0)
            divergence.append(terms.sum(axis=(1, 2)))
            uncertain.append(entropies(log_q).sum(1))
    steps = np.full(len(tokens), float(tokens.shape[1]))
    nobody_knows = {"value": None, "low": None, "high": None, "reason": "no distribution is known, only its melodies"}
    told = {"log_likelihood_per_step": np.concatenate(likelihood)}
    if model is not None:
        told |= {"kl_per_step": np.concatenate(divergence), "entropy_per_step": np.concatenate(uncertain)}
    entries = {
        name: _entry(bootstrap_ratio(sums, steps, piece, rng), "there is no melody") for name, sums in told.items()
    }
    return {"kl_per_step": nobody_knows, **entries}


def _entry(interval: Interval, reason: str) -> dict[str, Any]:
    """An interval as JSON: six digits, so that the last bits of a sum do not make two runs differ."""
    if not math.isfinite(interval.value):
        return {"value": None, "low": None, "high": None, "reason": reason}
    return {
        "value": round(interval.value, 6),
        "low": _rounded(interval.low),
        "high": _rounded(interval.high),
    }


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


_UNDEFINED: Mapping[str, str] = {
    "leaps_resolved": "no leap was resolved or doubled",
    **{f"autocorrelation_{lag}": "no melody varies" for lag in (1, 2, 3)},
}
"""Why a metric can be undefined."""
