"""Numbers of a whole set and of a model's probabilities, in words: diversity, and distance to what was learned."""

from __future__ import annotations

from cantilena.metrics.metric_words import DISTANCE, DIVERSITY, MetricWords

SET_WORDS = (
    MetricWords(
        "different_melodies",
        "Different melodies",
        "How many different melodies there are, as a share of all: next to nothing for a model that found one good "
        "melody and always plays it.",
        "more",
        "share",
        DIVERSITY,
    ),
    *(
        MetricWords(
            f"distinct_{n}",
            f"Distinct-{n}",
            f"Of all {'runs of ' + str(n) + ' ' if n > 1 else ''}(interval, duration) pairs, the share that are "
            "different from each other; it falls as a set grows.",
            "none",
            "share",
            DIVERSITY,
        )
        for n in (1, 2, 3, 4)
    ),
    MetricWords(
        "self_bleu_4",
        "Self-BLEU-4",
        "How much of a melody could be put together from the others: its mean BLEU against them, over runs of one to "
        "four (interval, duration) pairs; 1 where all are the same; it rises as a set grows.",
        "none",
        "number",
        DIVERSITY,
    ),
    MetricWords(
        "vendi",
        "Vendi score",
        "How many melodies with nothing in common would be as diverse: 1 where all are the same; likeness is the "
        "cosine of the counts of runs of one to four (interval, duration) pairs; it rises as a set grows.",
        "none",
        "number",
        DIVERSITY,
    ),
    MetricWords(
        "entropy_per_step",
        "Entropy of the next token",
        "How much the model leaves open at each step, in nats; 0 where the next token is certain.",
        "none",
        "nats",
        DIVERSITY,
    ),
    MetricWords(
        "kl_per_step",
        "KL divergence from the LSTM",
        "How far the model's probabilities moved from those of the network before tuning, in nats a step.",
        "none",
        "nats",
        DISTANCE,
    ),
    MetricWords(
        "log_likelihood_per_step",
        "Log-likelihood under the reference",
        "How probable the model before tuning, or another that was named, finds these melodies, in nats a step.",
        "none",
        "nats",
        DISTANCE,
    ),
)
"""Diversity of a set of melodies, and how far a model is from the one before tuning."""
