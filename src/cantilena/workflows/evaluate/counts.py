"""Count what rules and models see in each melody, and pool the counts into the metrics of results.json."""

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
    form_counts,
    harmony_counts,
    paper_counts,
    pitch_counts,
    rl_tuner_counts,
    self_bleu_interval,
    similarity_counts,
    vendi_interval,
)
from cantilena.metrics.registry import CANTILENA_PREFIX, PAPER_PREFIX
from cantilena.models import (
    Bars,
    SequenceModel,
    bars_for_encoding,
    log_probs_with_bars,
    only_bounds_likelihood,
    to_numpy,
)
from cantilena.music import Key, Line, Meter
from cantilena.rules import Context, tones
from cantilena.tokenizers import Encoding

Counter = Callable[[Line, Context], RuleCounts]
"""Counts events in melodies of one key and meter."""

PUBLISHED_COUNTERS: tuple[tuple[str, Counter], ...] = (("", rl_tuner_counts), (PAPER_PREFIX, paper_counts))
"""The metrics of RL Tuner and of the paper, with the prefixes of their names."""

ALL_COUNTERS = (*PUBLISHED_COUNTERS, (CANTILENA_PREFIX, cantilena_counts))
"""In addition those of the rule set `cantilena`, which take seconds."""

EVERY_COUNTER = (
    *ALL_COUNTERS, ("", pitch_counts), ("", similarity_counts), ("", form_counts), ("", harmony_counts)
)  # fmt: skip
"""In addition pitch and groove statistics, self-similarity, form and, of melodies with chords, harmony."""

Entry = dict[str, Any]
"""A metric in results.json: `value`, `low` and `high`, or None with a `reason`."""

_CHUNK = 256
"""Melodies per forward pass, to bound memory."""

_NOTHING = "there is nothing to count"
_UNDEFINED: Mapping[str, str] = {
    "leaps_resolved": "no leap was resolved or doubled",
    **{f"autocorrelation_{lag}": "no melody varies" for lag in (1, 2, 3)},
}
"""Why a metric is undefined, where `_NOTHING` is too vague."""


@dataclass(frozen=True)
class Sample:
    """Melodies of one system: `(melodies, tokens)` tokens.

    Args:
        piece: `(melodies,)`: the piece of each, by which the bootstrap resamples; each its own if None.
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
    matched_size: int | None = None,
    meter: Meter | None = None,
    key: Key | None = None,
    thorough: bool = False,
) -> dict[str, Entry]:
    """Measure melodies of any encoding: rules, distance from a reference model, diversity.

    The model is the distribution that they were drawn from, None for human melodies, whose KL divergence is unknown;
    the reference is the model before tuning. Both are given the meter, by default 4/4, and the key. Diversity, which
    depends on the size of a set, is that of `matched_size` melodies, drawn at random. `thorough` adds the rules of the
    set `cantilena` and all measures of diversity, which takes seconds.

    Returns:
        `{METRIC: {"value", "low", "high"}}`, with a `reason` where the value is None.
    """
    line, bounded = encoding.line(sample.tokens), only_bounds_likelihood(reference)
    contexts = sample.contexts or Context(timed=encoding.has_rhythm)
    distances = [] if bounded else [
        model_distances(sample.tokens, encoding, model=model, reference=reference, meter=meter, key=key)
    ]  # fmt: skip
    pieces = np.arange(line.melodies) if sample.piece is None else sample.piece
    counters = ALL_COUNTERS if thorough else PUBLISHED_COUNTERS
    _, metrics = rates(line, contexts, pieces, rng, counters, *distances)
    if bounded:
        unknown = ("log_likelihood_per_step", "kl_per_step", *(["entropy_per_step"] if model is not None else []))
        metrics |= {name: undefined("a VAE gives only a bound (ELBO)") for name in unknown}
    elif model is None:
        metrics["kl_per_step"] = undefined("no distribution is known, only its melodies")
    if matched_size is not None and matched_size < line.melodies:
        line = line[np.sort(rng.permutation(line.melodies)[:matched_size])]
    return metrics | set_numbers(line, rng, thorough=thorough)


def rates(
    line: Line,
    contexts: Context | Sequence[Context],
    pieces: NDArray[np.int64],
    rng: np.random.Generator,
    counters: Sequence[tuple[str, Counter]],
    *others: RuleCounts,
) -> tuple[RuleCounts, dict[str, Entry]]:
    """Count each melody, and divide sum by sum, with intervals from a bootstrap by `pieces`, `(melodies,)`.

    Counters have a prefix for the names of their metrics; `others` are counts that were made elsewhere.
    """
    counts = RuleCounts.merged([rule_counts(line, contexts, counters), *others])
    intervals = bootstrap_ratios(counts.counted, counts.out_of, pieces, rng)
    return counts, {name: entry(rate, _UNDEFINED.get(name, _NOTHING)) for name, rate in intervals.items()}


def rule_counts(
    line: Line,
    contexts: Context | Sequence[Context],
    counters: Sequence[tuple[str, Counter]] = PUBLISHED_COUNTERS,
) -> RuleCounts:
    """Count events in each melody, in its own key and meter or in those of all.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[14, 20], [14, 20]]))  # C F sharp
        >>> counts = rule_counts(line, [Context(), Context(Key.parse("G major"))])
        >>> counts.counted["not_in_key"].tolist()
        [1.0, 0.0]
    """
    rows_of: dict[Context, list[int]] = {}
    if isinstance(contexts, Context):
        rows_of[contexts] = list(range(line.melodies))
    else:
        for row, context in enumerate(contexts):
            rows_of.setdefault(context, []).append(row)
    counted: dict[str, NDArray[np.float64]] = {}
    out_of: dict[str, NDArray[np.float64]] = {}
    for prefix, counter in counters:
        for context, rows in rows_of.items():
            part = counter(line if len(rows) == line.melodies else line[rows], context)
            for name in part.names:
                counted.setdefault(prefix + name, np.zeros(line.melodies))[rows] = part.counted[name]
                out_of.setdefault(prefix + name, np.zeros(line.melodies))[rows] = part.out_of[name]
    return RuleCounts(counted, out_of)


def distinct_metrics(*several: RuleCounts) -> list[str]:
    """The metrics that all have, without those whose counts equal an earlier metric's in all of them.

    The paper and RL Tuner share some rules; testing both would count one difference twice.
    """
    kept: dict[bytes, str] = {}
    for name in several[0].names:
        if all(name in counts.counted for counts in several):
            parts = (part[name] for counts in several for part in (counts.counted, counts.out_of))
            kept.setdefault((np.concatenate(list(parts)) + 0.0).tobytes(), name)  # -0.0 becomes 0.0
    return list(kept.values())


def set_numbers(
    line: Line, rng: np.random.Generator, *, same_count: Line | None = None, thorough: bool = True
) -> dict[str, Entry]:
    """The diversity of a set, each number with its interval and the melodies and notes that it is taken over.

    Compare only sets with equal numbers of notes; for the share of different melodies, which needs sets of equally
    many melodies, give `same_count`. `thorough` adds distinct-1 to 3, self-BLEU and the Vendi score.
    """
    several = line if same_count is None else same_count
    numbers = {
        f"distinct_{n}": entry(distinct_interval(line, n, rng), f"no melody has {n + 1} notes in a row")
        for n in (range(1, 5) if thorough else (4,))
    }
    if thorough:
        numbers["self_bleu_4"] = entry(self_bleu_interval(line, rng), "fewer than two melodies have two notes")
        numbers["vendi"] = entry(vendi_interval(line, rng), "no melody has two notes")
    size = {"melodies": line.melodies, "notes": int(np.count_nonzero(tones(line)))}
    different = entry(different_melodies_interval(several, rng), "there is no melody") | {"melodies": several.melodies}
    return {"different_melodies": different} | {name: number | size for name, number in numbers.items()}


def model_distances(
    tokens: NDArray[np.int64],
    encoding: Encoding,
    *,
    model: SequenceModel | None,
    reference: SequenceModel,
    meter: Meter | None = None,
    key: Key | None = None,
    bars: Bars | None = None,
) -> RuleCounts:
    """The log-likelihood of melodies under a reference model, and the model's KL divergence from it, in nats a step.

    Melodies of notes are equally long, and models are told how long; a step is a sixteenth.

    Exact over the vocabulary, at each step of a melody that the model drew:

        KL = sum over a of q(a) (log q(a) - log p(a))

    with q the model and p the reference, both given the tokens before, the meter (4/4 if None) and the key, or `bars`,
    which say more.

    Returns:
        `log_likelihood_per_step`, and with a model `kl_per_step` and `entropy_per_step`, out of the steps.
    """
    sums: dict[str, list[NDArray[np.float64]]] = {}
    steps = encoding.line(tokens).steps
    length = steps * encoding.ticks_per_step
    for start in range(0, len(tokens), _CHUNK):
        part = tokens[start : start + _CHUNK]
        told = bars and bars[start : start + _CHUNK]
        told = told or bars_for_encoding(meter, len(part), encoding, key, length)
        log_p = np.asarray(to_numpy(log_probs_with_bars(reference, part, told)), dtype=np.float64)
        parts = {"log_likelihood_per_step": np.take_along_axis(log_p, part[..., None], axis=-1)[..., 0].sum(1)}
        if model is not None:
            log_q = np.asarray(to_numpy(log_probs_with_bars(model, part, told)), dtype=np.float64)
            # A token of probability 0 under q adds nothing, however improbable it is under p.
            parts["kl_per_step"] = np.where(log_q > -1e3, np.exp(log_q) * (log_q - log_p), 0.0).sum(axis=(1, 2))
            parts["entropy_per_step"] = entropies(log_q).sum(1)
        for name, values in parts.items():
            sums.setdefault(name, []).append(values)
    out_of = np.full(len(tokens), float(steps))
    return RuleCounts.from_pairs({name: (np.concatenate(values), out_of) for name, values in sums.items()})


def entry(interval: Interval, reason: str) -> Entry:
    """An interval as JSON, to six digits so that the last bits of a sum do not make two runs differ.

    Examples:
        >>> entry(Interval(0.5, math.nan, math.nan), "there is no melody")
        {'value': 0.5, 'low': None, 'high': None}
        >>> entry(Interval(math.nan, math.nan, math.nan), "there is no melody")
        {'value': None, 'low': None, 'high': None, 'reason': 'there is no melody'}
    """
    if not math.isfinite(interval.value):
        return undefined(reason)
    return {"value": round(interval.value, 6), "low": rounded(interval.low), "high": rounded(interval.high)}


def undefined(reason: str) -> Entry:
    """An undefined metric."""
    return {"value": None, "low": None, "high": None, "reason": reason}


def rounded(value: float) -> float | None:
    """A number to six digits; None where it is not finite."""
    return round(value, 6) if math.isfinite(value) else None
