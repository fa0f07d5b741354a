"""The honest rivals of reinforcement learning: the best of many melodies, and rules as hard constraints.

Best of n draws n melodies from the untuned model and keeps the one with the highest reward. Its distance from the model
is known: at most log n - (n - 1) / n nats a melody (Stiennon et al. 2020, arXiv 2009.01325), and that where no two
rewards are equal. A VAE of the same melodies, whose codes are drawn from the prior, is another rival: its distance
nobody knows, since a VAE has no probabilities but bounds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cantilena.generation import Constraints, sample
from cantilena.metrics import bootstrap_ratio
from cantilena.models import Bundle, VaeOptions, log_probs_in_bars, numpy_of, shipped_bundles
from cantilena.rl import MusicReward, TuningOptions
from cantilena.runtime import generator, progress
from cantilena.workflows.learned_corpus import shipped_corpus

_AT_ONCE = 2048
"""Melodies drawn at once."""


def best_of_many(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, *, pool: int, sizes: tuple[int, ...], most: int
) -> dict[int, NDArray[np.int64]]:
    """For each n, the best melodies of groups of n, drawn from the untuned model; `(melodies, steps)` tokens.

    Args:
        bundle: whose prior is drawn from.
        reward: what is best.
        options: steps, meter and seed.
        pool: how many melodies are drawn in all; each n cuts the same pool into groups.
        sizes: the n.
        most: no more melodies than this are kept of each n.
    """
    drawn, earned = [], []
    with progress("Drawing melodies to choose from", total=pool, unit="melodies") as bar:
        for first in range(0, pool, _AT_ONCE):
            tokens = _drawn(bundle, reward, options, min(_AT_ONCE, pool - first), f"pool {first}")
            drawn.append(tokens.astype(np.int32))  # there may be a quarter of a million
            earned.append(reward.learned(reward.terms(tokens)).sum(1))
            bar.advance(len(tokens))
    tokens, total = np.concatenate(drawn), np.concatenate(earned)
    best = {}
    for n in sizes:
        groups = min(pool // n, most)
        places = np.arange(groups * n).reshape(groups, n)
        best[n] = tokens[places[np.arange(groups), total[places].argmax(axis=1)]].astype(np.int64)
    return best


def divergence_of_best(n: int, steps: int) -> float:
    """The KL divergence of the best of n from what they were drawn from, at most, nats a step.

    Example:
        >>> divergence_of_best(1, 32), round(divergence_of_best(1024, 32), 3)
        (0.0, 0.185)
    """
    return (math.log(n) - (n - 1) / n) / steps


def constrained(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, melodies: int
) -> tuple[NDArray[np.int64], dict[str, float]]:
    """Melodies of the untuned model under the rules as hard masks, and their distance from it.

    Args:
        bundle: whose prior is drawn from.
        reward: its rules are the constraints.
        options: steps, meter and seed.
        melodies: how many.

    Returns:
        `(melodies, steps)` tokens, and the KL divergence a step as `value`, `low` and `high`: the mean of log pi - log
        p over the melodies, pi being p renormalised over the tokens that were allowed.
    """
    masks = Constraints(reward.rules.rules, bundle.encoding, reward.context, options.steps)
    uniforms = generator(options.seed, "constrained").random((melodies, options.steps))
    bars = reward.bars(melodies)
    samples = sample(bundle.prior(), uniforms, bars=bars, constraints=masks)
    log_p = np.asarray(numpy_of(log_probs_in_bars(bundle.prior(), samples.tokens, bars)), dtype=np.float64)
    further = samples.log_likelihood - np.take_along_axis(log_p, samples.tokens[..., None], axis=-1).sum((1, 2))
    steps = np.full(melodies, float(options.steps))
    interval = bootstrap_ratio(further, steps, None, generator(options.seed, "constrained", "interval"))
    bounds = {"value": interval.value, "low": interval.low, "high": interval.high}
    # Six digits, as everywhere in results: the last bits of a sum do not make two runs differ.
    return samples.tokens, {name: round(value, 6) for name, value in bounds.items()}


def _drawn(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, melodies: int, purpose: str
) -> NDArray[np.int64]:
    uniforms = generator(options.seed, "rivals", purpose).random((melodies, options.steps))
    return sample(bundle.prior(), uniforms, bars=reward.bars(melodies)).tokens


def vae_beside(bundle: Bundle) -> Bundle | None:
    """The VAE that ships and learned the corpus of a bundle in the same tokens and keys; None where there is none.

    Example:
        >>> from cantilena.models import find_bundle
        >>> tunes, classical = (Bundle.load(find_bundle(name)) for name in ("tunes", "classical"))
        >>> vae_beside(tunes) is not None, vae_beside(classical) is not None
        (True, False)
    """
    learned = shipped_corpus(bundle)
    for path in shipped_bundles().values() if learned else ():
        other = Bundle.load(path)
        alike = dict(other.encoding_description) == dict(bundle.encoding_description)
        alike &= other.provenance.get("plain_keys") == bundle.provenance.get("plain_keys")
        if isinstance(other.options, VaeOptions) and alike and shipped_corpus(other) == learned:
            return other
    return None
