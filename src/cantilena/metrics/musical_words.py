"""What the rules of the set `cantilena` count, in words."""

from __future__ import annotations

from collections.abc import Iterator

from cantilena.metrics.metric_words import INSIDE, MUSICAL_PREFIX, RULES_BY_US, MetricWords, Unit, Wish

_JUDGED: tuple[tuple[str, str, str, Wish], ...] = (
    (
        "key",
        "Notes outside the key",
        "Share of notes that are foreign to the key, or, in minor, found to leave a raised sixth or seventh degree for "
        "where it does not lead.",
        "less",
    ),
    (
        "opening",
        "Opens on the tonic",
        "Share of melodies whose first note, or the first downbeat after a pickup on the dominant, is the tonic.",
        "more",
    ),
    (
        "cadence",
        "Closes on a strong tonic",
        "Share of melodies that end with the tonic, first struck on a strong beat of the meter.",
        "more",
    ),
    (
        "repetition",
        "Notes struck too often",
        "Share of notes that strike their pitch for the fifth time in a row or more; holding a note is no stroke, and "
        "silence of a beat ends the row.",
        "less",
    ),
    (
        "leap_recovery",
        "Leaps that turn back",
        "Of the leaps of a fourth or more, the share after which the next other pitch lies back the way it came.",
        "more",
    ),
    (
        "climax",
        "One climax, inside",
        "Share of melodies that reach their highest pitch once, neither first nor last.",
        "more",
    ),
    (
        "motif_return",
        "A motif returns",
        "Share of melodies in which a motif of four to eight notes returns, exact or transposed.",
        "more",
    ),
)

_FEATURES: tuple[tuple[str, str, str, Unit], ...] = (
    ("range", "Range, semitones", "Mean distance from the lowest to the highest note.", "number"),
    (
        "motion",
        "Moves by step",
        "Mean share of steps (one or two semitones) among moves to another pitch.",
        "share",
    ),
    ("meter", "Downbeats", "Mean share of bars on whose first step a note begins.", "share"),
    (
        "syncopation",
        "Syncopation",
        "Mean share of notes that still sound when a stronger beat than their own comes.",
        "share",
    ),
    (
        "motif",
        "Notes of motifs",
        "Mean share of notes that belong to a motif of four to eight notes which comes twice or more, exact or "
        "transposed, and is rarer than the median of the built-in corpus.",
        "share",
    ),
    ("motif_variety", "Motifs, different ones", "Mean number of different motifs that return in a melody.", "number"),
    *(
        (
            f"phrase_{bars}",
            f"{bars}-bar likeness",
            f"Mean likeness, in rhythm and direction, to what sounded {bars} bars before; 1 is the same.",
            "share",
        )
        for bars in (2, 4, 8)
    ),
    (
        "breathing",
        "Breathing, every fourth bar",
        "Mean of the longest wait for the next note in every fourth bar, over that in all bars.",
        "number",
    ),
    ("rhythm", "Rhythm, bits a note", "Mean entropy of the times from one note to the next.", "number"),
    ("rests", "Silence", "Mean share of steps in which nothing sounds.", "share"),
    ("density", "Notes a quarter", "Mean number of notes that begin in the time of a quarter note.", "number"),
)


def _by_us() -> Iterator[MetricWords]:
    for name, label, meaning, wish in _JUDGED:
        yield MetricWords(MUSICAL_PREFIX + name, label, meaning, wish, "share", RULES_BY_US)
    for name, label, meaning, unit in _FEATURES:
        yield MetricWords(MUSICAL_PREFIX + name, label, meaning, "none", unit, RULES_BY_US)
        yield MetricWords(
            f"{MUSICAL_PREFIX}{name}{INSIDE}",
            f"{label.partition(',')[0]} like people's",
            "Share of melodies in which that number lies between the 10th and the 90th percentile of people's melodies "
            "of the same meter and about the same length.",
            "more",
            "share",
            RULES_BY_US,
        )


MUSICAL_WORDS = tuple(_by_us())
"""Shares of notes or melodies that keep a rule; features that people keep within a band, and who keeps them there."""
