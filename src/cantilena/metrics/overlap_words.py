"""Distance to the data in words: overlaps of distances, and numbers that the field prints of melodies."""

from __future__ import annotations

from cantilena.metrics.metric_words import DISTANCE, MetricWords

OVERLAP = "overlap"
"""The mean of all overlaps; those of features carry it before a dot."""

_FEATURES: tuple[tuple[str, str, str], ...] = (
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
    MetricWords(
        OVERLAP,
        "Overlap with the data",
        "Mean of the nine overlaps that follow; compare it with people's melodies held beside people's, the ceiling.",
        "more",
        "share",
        DISTANCE,
    ),
    *(
        MetricWords(
            f"{OVERLAP}.{name}",
            f"Overlap, {label}",
            f"Of {meaning}: how far the distances from people's melodies to these are distributed like those among "
            "people's; 1 is the same.",
            "more",
            "share",
            DISTANCE,
        )
        for name, label, meaning in _FEATURES
    ),
)
"""Overlapping areas (`overlap.overlaps`)."""

PITCH_WORDS = (
    MetricWords(
        "pitch_class_entropy",
        "Pitch-class entropy, bits",
        "Mean entropy of the pitch classes of a melody's notes: 0 of one class, 3.58 of all twelve alike.",
        "none",
        "number",
        DISTANCE,
    ),
    MetricWords(
        "scale_consistency",
        "Scale consistency",
        "Mean of the largest share of a melody's notes that lie in one major or natural minor scale.",
        "none",
        "share",
        DISTANCE,
    ),
    MetricWords(
        "groove_consistency",
        "Groove consistency",
        "Mean likeness of neighbouring bars: the share of steps at which a note begins in both or in neither.",
        "none",
        "share",
        DISTANCE,
    ),
)
"""Numbers without a good direction, to be held beside people's (`pitch_statistics.pitch_counts`)."""
