"""From melodies to the numbers of results.json, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import RuleCounts, bootstrap_ratios
from cantilena.models import SequenceModel, tells_a_bound
from cantilena.music import Key, Line, Meter
from cantilena.rules import Context
from cantilena.tokenizers import Encoding
from cantilena.workflows.evaluate.counts import ALL_COUNTERS, PUBLISHED_COUNTERS, rule_counts
from cantilena.workflows.evaluate.entries import Entry, rate_entries, undefined
from cantilena.workflows.evaluate.model_distances import model_distances
from cantilena.workflows.evaluate.set_numbers import set_numbers


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
    key: Key | None = None,
    thorough: bool = False,
) -> dict[str, Entry]:
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
        key: what they are told then, if they can be told keys.
        thorough: also count what the rules of the set `cantilena` hear, and measure diversity in every way; seconds.

    Returns:
        `{METRIC: {"value", "low", "high"}}`, with a `reason` where a value is None, `melodies` where they are fewer.
    """
    line = encoding.line(sample.tokens)
    contexts = sample.contexts or Context(timed=encoding.tells_time)
    parts = [rule_counts(line, contexts, ALL_COUNTERS if thorough else PUBLISHED_COUNTERS)]
    if not tells_a_bound(reference):
        parts.append(model_distances(sample.tokens, encoding, model=model, reference=reference, meter=meter, key=key))
    counts = RuleCounts.joined(parts)
    piece = np.arange(line.melodies) if sample.piece is None else sample.piece
    metrics = rate_entries(bootstrap_ratios(counts.counted, counts.out_of, piece, rng))
    if tells_a_bound(reference):
        unknown = ("log_likelihood_per_step", "kl_per_step", *(["entropy_per_step"] if model is not None else []))
        metrics |= {name: undefined("a VAE tells a bound and no probabilities") for name in unknown}
    elif model is None:
        metrics["kl_per_step"] = undefined("no distribution is known, only its melodies")
    return metrics | _of_the_set(line, rng, alike, thorough=thorough)


def _of_the_set(line: Line, rng: np.random.Generator, alike: int | None, *, thorough: bool) -> dict[str, Entry]:
    size = line.melodies if alike is None else min(alike, line.melodies)
    part = line if size == line.melodies else line[np.sort(rng.permutation(line.melodies)[:size])]
    return set_numbers(part, rng, thorough=thorough)
