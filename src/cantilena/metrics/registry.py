"""All metrics by name, in the order of tables.

What a metric is in words: its name, its definition in a sentence, and which way is good.

The published metrics of rules in words: as RL Tuner counts them, and as the paper words its rules.

What the rules of the set `cantilena` count, in words.

Originality in words: how much of melodies is copied from the corpus, and how much it has nowhere.

Distance to the data in words: overlaps of distances, and numbers that the field prints of melodies.

Numbers of a whole set and of a model's probabilities, in words: diversity, and distance to what was learned.

How much of a melody comes back, in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

Wish = Literal["less", "more", "none"]
Unit = Literal["share", "correlation", "nats", "number"]

PAPER_PREFIX = "paper."
"""Metrics by the paper's own wording of the rules carry it."""

CANTILENA_PREFIX = "cantilena."
"""Metrics by the rules of the set `cantilena` carry it."""

INSIDE = "_inside"
"""At the end of a feature's name: the share of melodies that keep the feature where people keep it."""


@dataclass(frozen=True)
class Metric:
    """A metric in words.

    Args:
        name: its key in results.json.
        label: what tables call it.
        meaning: its definition, one sentence.
        wish: whether less or more of it is better by the rule; `none` where it only tells how far one is from where.
        unit: `share` of steps or melodies, `correlation` between -1 and 1, `nats` a step, or a `number`.
        group: the part of the table it stands in.
    """

    name: str
    label: str
    meaning: str
    wish: Wish
    unit: Unit
    group: str

    @property
    def sign(self) -> str:
        """An arrow in the direction that the rule asks for, or nothing."""
        return {"less": "↓", "more": "↑", "none": ""}[self.wish]


RULES, RULES_BY_PAPER = "Rules, as RL Tuner counts them", "Rules, as the paper words them"
RULES_BY_US = "Rules, as Cantilena hears them"
DIVERSITY, DISTANCE, ORIGINALITY = "Diversity", "Distance to the data", "Originality"
"""The parts of a table of metrics, in order."""


RL_TUNER_WORDS = (
    Metric(
        "excessively_repeated",
        "Notes excessively repeated",
        "Share of steps that repeat an event too often: for the fifth time in a row, for the seventh where rests or "
        "holds came between, or a rest for the second; a hold counts as an event like any other.",
        "less",
        "share",
        RULES,
    ),
    Metric(
        "not_in_key",
        "Notes not in key",
        "Share of steps that strike a pitch class outside the key's scale.",
        "less",
        "share",
        RULES,
    ),
    Metric(
        "starts_on_tonic",
        "Starts on the tonic",
        "Share of melodies whose very first step strikes the tonic in the octave of middle C.",
        "more",
        "share",
        RULES,
    ),
    Metric(
        "ends_on_tonic",
        "Ends on the tonic",
        "Share of melodies whose last note that sounds has the tonic's pitch class.",
        "more",
        "share",
        RULES,
    ),
    Metric(
        "leaps_resolved",
        "Leaps resolved",
        "Of the leaps of a fifth or more that were followed up, the share that turned back to or past the pitch leapt "
        "from, rather than leapt again the same way.",
        "more",
        "share",
        RULES,
    ),
    Metric(
        "unique_max",
        "Unique highest note",
        "Share of melodies in which the highest note occurs once.",
        "more",
        "share",
        RULES,
    ),
    Metric(
        "unique_min",
        "Unique lowest note",
        "Share of melodies in which the lowest note occurs once.",
        "more",
        "share",
        RULES,
    ),
    Metric(
        "in_motif",
        "Notes in a motif",
        "Share of steps at which the last eight events hold three different pitches or more; with 32 steps it cannot "
        "exceed 78.1 %.",
        "more",
        "share",
        RULES,
    ),
    Metric(
        "in_repeated_motif",
        "Notes in a repeated motif",
        "Share of steps at which those eight events equal eight earlier ones exactly; with 32 steps it cannot exceed "
        "53.1 %.",
        "more",
        "share",
        RULES,
    ),
    *(
        Metric(
            f"autocorrelation_{lag}",
            f"Autocorrelation, lag {lag}",
            f"Mean correlation of a melody with itself {lag} step{'s' if lag > 1 else ''} later, over the encoding's "
            "class numbers, rests and holds included; melodies that never change have none.",
            "none",
            "correlation",
            RULES,
        )
        for lag in (1, 2, 3)
    ),
)
"""What RL Tuner prints, and the close on the tonic."""

_BY_PAPER = {
    "excessively_repeated": "Share of steps that repeat a tone for the fifth time in a row or more; a tone that "
    "is held, or returns after a rest, is no repetition.",
    "not_in_key": "The same share as RL Tuner's: the paper asks that all notes belong to one key.",
    "starts_on_tonic": "Share of melodies whose first note that sounds is the tonic, in any octave.",
    "ends_on_tonic": "Share of melodies whose last note that sounds is the tonic, in any octave.",
    "in_motif": "Share of steps at which the last eight events hold three different tones or more.",
    "in_repeated_motif": "Share of steps at which those eight events equal eight earlier ones exactly.",
}

PAPER_WORDS = tuple(
    replace(words, name=PAPER_PREFIX + words.name, meaning=_BY_PAPER[words.name], group=RULES_BY_PAPER)
    for words in RL_TUNER_WORDS
    if words.name in _BY_PAPER
)
"""The paper's own rules, by the same names with a prefix."""


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


def _by_us() -> Iterator[Metric]:
    for name, label, meaning, wish in _JUDGED:
        yield Metric(CANTILENA_PREFIX + name, label, meaning, wish, "share", RULES_BY_US)
    for name, label, meaning, unit in _FEATURES:
        yield Metric(CANTILENA_PREFIX + name, label, meaning, "none", unit, RULES_BY_US)
        yield Metric(
            f"{CANTILENA_PREFIX}{name}{INSIDE}",
            f"{label.partition(',')[0]} like people's",
            "Share of melodies in which that number lies between the 10th and the 90th percentile of people's melodies "
            "of the same meter and about the same length.",
            "more",
            "share",
            RULES_BY_US,
        )


MUSICAL_WORDS = tuple(_by_us())
"""Shares of notes or melodies that keep a rule; features that people keep within a band, and who keeps them there."""


ORIGINALITY_WORDS = (
    Metric(
        "copied_notes",
        "Longest copied run",
        "How many notes the longest run of a melody has that the corpus has too, in any key: the same intervals, the "
        "same time from note to note. People borrow as well: what counts is how much more or less than they.",
        "none",
        "number",
        ORIGINALITY,
    ),
    Metric(
        "copied_share",
        "Covered by the longest copy",
        "Which share of a melody's notes the longest run covers that the corpus has too; 1 where all of it is copied.",
        "none",
        "share",
        ORIGINALITY,
    ),
    Metric(
        "copied_beyond_people",
        "Copy more than people do",
        "How many melodies copy a longer run than 95 % of people's excerpts of equal length do; of people's own it is "
        "5 % or less.",
        "none",
        "share",
        ORIGINALITY,
    ),
    *(
        Metric(
            f"novel_{n}",
            f"New runs of {n + 1} notes",
            f"Of all runs of {n} (interval, time to the next note) pairs, the share that the corpus has nowhere.",
            "none",
            "share",
            ORIGINALITY,
        )
        for n in (4, 8)
    ),
)
"""What is copied from the corpus (`originality.originality_counts`)."""


OVERLAP = "overlap"
"""The mean of all overlaps; those of features carry it before a dot."""

_OVERLAP_FEATURES: tuple[tuple[str, str, str], ...] = (
    ("pitch_count", "different pitches", "how many different pitches a melody has"),
    ("pitch_classes", "scale degrees", "how long each pitch class sounds, above the tonic"),
    ("pitch_class_transitions", "degree to degree", "which pitch class, above the tonic, follows which"),
    ("range", "range", "semitones from the lowest to the highest note"),
    ("mean_interval", "interval", "the mean interval from note to note"),
    ("note_count", "number of notes", "how many notes a melody has"),
    ("inter_onset", "time between notes", "the mean time from one note's beginning to the next's"),
    ("note_lengths", "note lengths", "how many notes there are of each length"),
    ("note_length_transitions", "length to length", "which note length follows which"),
)

OVERLAP_WORDS = (
    Metric(
        OVERLAP,
        "Overlap with the data",
        "Mean of the nine overlaps that follow; compare it with people's melodies held beside people's, the ceiling.",
        "more",
        "share",
        DISTANCE,
    ),
    *(
        Metric(
            f"{OVERLAP}.{name}",
            f"Overlap, {label}",
            f"Of {meaning}: how far the distances from people's melodies to these are distributed like those among "
            "people's; 1 is the same.",
            "more",
            "share",
            DISTANCE,
        )
        for name, label, meaning in _OVERLAP_FEATURES
    ),
)
"""Overlapping areas (`overlap.overlaps`)."""

PITCH_WORDS = (
    Metric(
        "pitch_class_entropy",
        "Pitch-class entropy, bits",
        "Mean entropy of the pitch classes of a melody's notes: 0 of one class, 3.58 of all twelve alike.",
        "none",
        "number",
        DISTANCE,
    ),
    Metric(
        "scale_consistency",
        "Scale consistency",
        "Mean of the largest share of a melody's notes that lie in one major or natural minor scale.",
        "none",
        "share",
        DISTANCE,
    ),
    Metric(
        "groove_consistency",
        "Groove consistency",
        "Mean likeness of neighbouring bars: the share of steps at which a note begins in both or in neither.",
        "none",
        "share",
        DISTANCE,
    ),
)
"""Numbers without a good direction, to be held beside people's (`pitch_statistics.pitch_counts`)."""


SET_WORDS = (
    Metric(
        "different_melodies",
        "Different melodies",
        "How many different melodies there are, as a share of all: next to nothing for a model that found one good "
        "melody and always plays it.",
        "more",
        "share",
        DIVERSITY,
    ),
    *(
        Metric(
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
    Metric(
        "self_bleu_4",
        "Self-BLEU-4",
        "How much of a melody could be put together from the others: its mean BLEU against them, over runs of one to "
        "four (interval, duration) pairs; 1 where all are the same; it rises as a set grows.",
        "none",
        "number",
        DIVERSITY,
    ),
    Metric(
        "vendi",
        "Vendi score",
        "How many melodies with nothing in common would be as diverse: 1 where all are the same; likeness is the "
        "cosine of the counts of runs of one to four (interval, duration) pairs; it rises as a set grows.",
        "none",
        "number",
        DIVERSITY,
    ),
    Metric(
        "entropy_per_step",
        "Entropy of the next token",
        "How much the model leaves open at each step, in nats; 0 where the next token is certain.",
        "none",
        "nats",
        DIVERSITY,
    ),
    Metric(
        "kl_per_step",
        "KL divergence from the LSTM",
        "How far the model's probabilities moved from those of the network before tuning, in nats a step.",
        "none",
        "nats",
        DISTANCE,
    ),
    Metric(
        "log_likelihood_per_step",
        "Log-likelihood under the reference",
        "How probable the model before tuning, or another that was named, finds these melodies, in nats a step.",
        "none",
        "nats",
        DISTANCE,
    ),
)
"""Diversity of a set of melodies, and how far a model is from the one before tuning."""


SIMILARITY_WORDS = tuple(
    Metric(
        f"similarity_{bars}",
        f"Comes back after {bars} bar{'' if bars == 1 else 's'}",
        f"Likeness of all bars to those {bars} before{' them' if bars > 1 else ''}: of the places where a note begins "
        "in one or the other, those where it begins in both count half, and whole if reached from the same direction.",
        "none",
        "share",
        RULES_BY_US,
    )
    for bars in (1, 2, 4, 8)
)
"""Likeness of the bars of melodies to those before them (`self_similarity.similarity_counts`)."""


METRICS: dict[str, Metric] = {
    words.name: words
    for words in (
        *RL_TUNER_WORDS,
        *PAPER_WORDS,
        *MUSICAL_WORDS,
        *SIMILARITY_WORDS,
        *SET_WORDS,
        *PITCH_WORDS,
        *OVERLAP_WORDS,
        *ORIGINALITY_WORDS,
    )
}
"""All metrics of results.json by name, in the order of tables."""


def get_metric(name: str) -> Metric:
    """A metric's words; one that we do not know speaks for itself.

    Example:
        >>> get_metric("in_motif").label, get_metric("swing").label
        ('Notes in a motif', 'swing')
    """
    plain = Metric(name, name.replace("_", " "), "A metric of this run's own.", "none", "share", "Other")
    return METRICS.get(name, plain)


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics in the order of tables, strangers last.

    Example:
        >>> in_order({"swing", "distinct_4", "not_in_key"})
        ['not_in_key', 'distinct_4', 'swing']
    """
    found = dict.fromkeys(names)
    return [name for name in METRICS if name in found] + sorted(name for name in found if name not in METRICS)
