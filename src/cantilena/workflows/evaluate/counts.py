"""What rules count in melodies that are each in a key and meter of their own.

Numbers of a whole set: how different its melodies are.

Numbers with their intervals as results.json holds them.

How far melodies are from what a model learned, and how much a model leaves open: sums over each melody.

From melodies to the numbers of results.json, each with its interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import (
    Interval,
    RuleCounts,
    bootstrap_ratios,
    cantilena_counts,
    different_melodies_interval,
    distinct_interval,
    entropies,
    paper_counts,
    pitch_counts,
    rl_tuner_counts,
    self_bleu_interval,
    similarity_counts,
    vendi_interval,
)
from cantilena.metrics.registry import CANTILENA_PREFIX, PAPER_PREFIX
from cantilena.models import SequenceModel, bars_in, log_probs_in_bars, numpy_of, tells_a_bound
from cantilena.music import Key, Line, Meter
from cantilena.rules import Context, tones
from cantilena.tokenizers import Encoding

Counter = Callable[[Line, Context], RuleCounts]
"""Counts in melodies of one context."""

PUBLISHED_COUNTERS: tuple[tuple[str, Counter], ...] = (("", rl_tuner_counts), (PAPER_PREFIX, paper_counts))
"""RL Tuner's metrics and the paper's, with the prefix of their names."""

ALL_COUNTERS = (*PUBLISHED_COUNTERS, (CANTILENA_PREFIX, cantilena_counts))
"""Those, and what the rules of the set `cantilena` hear: seconds rather than moments."""

EVERY_COUNTER = (*ALL_COUNTERS, ("", pitch_counts), ("", similarity_counts))
"""Those, the pitch and groove statistics of the field, and self-similarity."""


def rule_counts(
    line: Line,
    contexts: Context | Sequence[Context],
    counters: Sequence[tuple[str, Counter]] = PUBLISHED_COUNTERS,
) -> RuleCounts:
    """Count in each melody what rules see, each in its own key and meter.

    Args:
        line: the melodies.
        contexts: of each melody, or of all.
        counters: what counts, with the prefix of its names.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[14, 20], [14, 20]]))  # C F sharp
        >>> counts = rule_counts(line, [Context(), Context(Key.parse("G major"))])
        >>> counts.counted["not_in_key"].tolist()
        [1.0, 0.0]
    """
    counts = [_named(prefix, _counts(counter, line, contexts)) for prefix, counter in counters]
    return RuleCounts.merged(counts)


def distinct_metrics(*several: RuleCounts) -> list[str]:
    """The metrics that all have, without those that count the same as an earlier one in each of them.

    The paper words some rules as RL Tuner counts them: to test them twice would tell one difference as two.

    Args:
        several: counts of two systems, or more.
    """
    kept: list[str] = []
    for name in several[0].names:
        if all(name in counts.counted for counts in several) and not any(
            all(_equal(counts, name, other) for counts in several) for other in kept
        ):
            kept.append(name)
    return kept


def _equal(counts: RuleCounts, one: str, other: str) -> bool:
    return np.array_equal(counts.counted[one], counts.counted[other]) and np.array_equal(
        counts.out_of[one], counts.out_of[other]
    )


def _named(prefix: str, counts: RuleCounts) -> RuleCounts:
    return RuleCounts(
        {prefix + name: values for name, values in counts.counted.items()},
        {prefix + name: values for name, values in counts.out_of.items()},
    )


def _counts(count: Counter, line: Line, contexts: Context | Sequence[Context]) -> RuleCounts:
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


Entry = dict[str, Any]
"""`value`, `low`, `high`; None where undefined, with a `reason` where the value is."""


def entry(interval: Interval, reason: str) -> Entry:
    """An interval as JSON: six digits, so that the last bits of a sum do not make two runs differ.

    Args:
        interval: the number and its bounds.
        reason: why it is undefined, if it is.

    Example:
        >>> entry(Interval(0.5, math.nan, math.nan), "there is no melody")
        {'value': 0.5, 'low': None, 'high': None}
        >>> entry(Interval(math.nan, math.nan, math.nan), "there is no melody")
        {'value': None, 'low': None, 'high': None, 'reason': 'there is no melody'}
    """
    if not math.isfinite(interval.value):
        return undefined(reason)
    return {"value": round(interval.value, 6), "low": rounded(interval.low), "high": rounded(interval.high)}


def undefined(reason: str) -> Entry:
    """A number that there is not, and why."""
    return {"value": None, "low": None, "high": None, "reason": reason}


def rounded(value: float) -> float | None:
    """A number to six digits; None where it is none."""
    return round(value, 6) if math.isfinite(value) else None


def rate_entries(rates: Mapping[str, Interval]) -> dict[str, Entry]:
    """Rates by metric as JSON, each with what its being undefined means."""
    return {name: entry(rate, _UNDEFINED.get(name, _NOTHING)) for name, rate in rates.items()}


_NOTHING = "there is nothing to count"

_UNDEFINED: Mapping[str, str] = {
    "leaps_resolved": "no leap was resolved or doubled",
    **{f"autocorrelation_{lag}": "no melody varies" for lag in (1, 2, 3)},
}
"""Why a rate can be undefined, where more can be said."""


LONGEST = 4
"""Runs of 1 to so many (interval, duration) pairs are told apart."""


def set_numbers(
    line: Line, rng: np.random.Generator, *, as_many: Line | None = None, thorough: bool = True
) -> dict[str, Entry]:
    """Diversity of a set, each number with its interval, and over how many melodies and notes it is.

    They depend on the size of a set: compare sets of equal size (`evaluation.matched_notes`).

    Args:
        line: the melodies, in sets of equal notes.
        rng: for the half sets of the intervals.
        as_many: the melodies in sets of equal numbers, whose share of different ones is told; the same if None.
        thorough: also distinct-1 to 3, self-BLEU and the Vendi score.
    """
    several = line if as_many is None else as_many
    lengths = range(1, LONGEST + 1) if thorough else (LONGEST,)
    numbers = {f"distinct_{n}": entry(distinct_interval(line, n, rng), _short(n)) for n in lengths}
    if thorough:
        numbers["self_bleu_4"] = entry(self_bleu_interval(line, rng), "fewer than two melodies have two notes")
        numbers["vendi"] = entry(vendi_interval(line, rng), "no melody has two notes")
    size = {"melodies": line.melodies, "notes": int(np.count_nonzero(tones(line)))}
    different = entry(different_melodies_interval(several, rng), "there is no melody") | {"melodies": several.melodies}
    return {"different_melodies": different} | {name: number | size for name, number in numbers.items()}


def _short(n: int) -> str:
    return f"no melody has {n + 1} notes in a row"


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
    return RuleCounts.from_pairs({name: (values, steps) for name, values in sums.items()})


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
    counts = RuleCounts.merged(parts)
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
