"""Features of melodies: nine for the comparison with the data, and 23 numbers that describe the style.

The nine are those of L.-C. Yang and A. Lerch, On the evaluation of generative models in music, Neural Computing and
Applications 32, 2020, with three differences from their toolbox. Time is counted in steps, not in seconds, so that
tempo has no influence. Pitch classes are relative to the tonic, so that melodies in different keys are compared. And
transitions are shares of all transitions of the melody, not counts: the number of notes is a feature of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.intervals import ratios
from cantilena.metrics.pitch import pitch_class_entropy
from cantilena.music import Line, Meter
from cantilena.rules import (
    Context,
    Notes,
    ambitus,
    notes_per_quarter,
    rhythm_entropy,
    silent_share,
    similarity_after,
    syncopated_share,
)

Array = NDArray[np.float64]

Features = Mapping[str, Array]
"""By name, `(melodies, dimensions)`; a row of NaN where a melody has too few notes for it."""

FEATURES: Mapping[str, tuple[str, str]] = {
    "pitch_count": ("different pitches", "the number of different pitches"),
    "pitch_classes": ("scale degrees", "how long each pitch class sounds, relative to the tonic"),
    "pitch_class_transitions": ("degree to degree", "which pitch class, relative to the tonic, follows which"),
    "range": ("range", "semitones from the lowest to the highest note"),
    "mean_interval": ("interval", "the mean interval from note to note"),
    "note_count": ("number of notes", "the number of notes"),
    "inter_onset": ("time between notes", "the mean time from one note's beginning to the next's"),
    "note_lengths": ("note lengths", "the number of notes of each length"),
    "note_length_transitions": ("length to length", "which note length follows which"),
}
"""The nine features in order: a label and a definition of each."""

LENGTHS = 16
"""The number of classes of note lengths: 1 to 15 steps, and 16 or more."""

_CLASSES = 12


def melody_features(line: Line, contexts: Context | Sequence[Context]) -> dict[str, Array]:
    """The nine features of each melody, from its top notes.

    - `pitch_count`: the number of different pitches. `range`: semitones from the lowest to the highest.
    - `note_count`: the number of notes.
    - `pitch_classes`: `(melodies, 12)` shares of the sounding time by semitones above the tonic.
    - `pitch_class_transitions`: `(melodies, 144)` shares of the moves from one note to the next, over a rest or not.
    - `mean_interval`: semitones from one note to the next, in either direction, 0 for repeated notes.
    - `inter_onset`: mean number of steps from one note's beginning to the next's.
    - `note_lengths`: `(melodies, 16)` shares of the notes that sound 1, 2, .. 15, and 16 or more steps. Their toolbox
      rounds to twelve classes with dots and triplets; on a grid every length is exact.
    - `note_length_transitions`: `(melodies, 256)` shares of the moves from one length to the next.

    Args:
        line: the melodies. A note that is cut at the end sounds up to there.
        contexts: the key of each, or of all, and whether its steps are timed.

    Returns:
        By name, `(melodies, dimensions)`. Counts and range are 0 for silence, the others NaN; what needs two notes is
        NaN with fewer, and what is in time is NaN where steps are not timed.

    Raises:
        ValueError: the numbers of contexts and melodies differ.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> features = melody_features(GridEncoding().line(np.array([[14, 1, 18, 21]])), Context())  # C - E G
        >>> features["range"].tolist(), features["inter_onset"].tolist()
        ([[7.0]], [[1.5]])
        >>> features["pitch_classes"][0, [0, 4, 7]].tolist()
        [0.5, 0.25, 0.25]
    """
    of_each = [contexts] * line.melodies if isinstance(contexts, Context) else list(contexts)
    if len(of_each) != line.melodies:
        raise ValueError(f"{line.melodies} melodies need as many contexts, got {len(of_each)}")
    tonic = np.array([context.key.tonic for context in of_each], dtype=np.int64)
    timed = np.array([context.timed for context in of_each], dtype=np.bool_)
    notes = Notes.from_line(line)
    pitch_class = (notes.pitch - tonic[notes.melody]) % _CLASSES
    length = np.minimum(notes.sounding, LENGTHS) - 1
    features = {
        "pitch_count": _different_pitches(notes),
        "pitch_classes": _histogram(notes.melody, pitch_class, (line.melodies, _CLASSES), notes.sounding),
        "pitch_class_transitions": _transitions(notes, pitch_class, _CLASSES),
        "range": np.nan_to_num(ambitus(line, Context()))[:, None],
        "mean_interval": _mean_between(notes, np.abs(notes.interval)),
        "note_count": notes.counts().astype(np.float64)[:, None],
        "inter_onset": _mean_between(notes, np.diff(notes.step, prepend=notes.step[:1])),
        "note_lengths": _histogram(notes.melody, length, (line.melodies, LENGTHS)),
        "note_length_transitions": _transitions(notes, length, LENGTHS),
    }
    for name in ("inter_onset", "note_lengths", "note_length_transitions"):
        features[name][~timed] = np.nan
    return features


def _different_pitches(notes: Notes) -> Array:
    pitches = np.unique(notes.melody * 128 + notes.pitch)
    return np.bincount(pitches // 128, minlength=notes.shape[0]).astype(np.float64)[:, None]


def _mean_between(notes: Notes, values: NDArray[np.int64]) -> Array:
    """The mean of a value of each note and the one before, `(melodies, 1)`."""
    return ratios(notes.sums(np.where(notes.is_first, 0, values))[:, None], notes.counts()[:, None] - 1)


def _transitions(notes: Notes, kind: NDArray[np.int64], kinds: int) -> Array:
    """Shares of the moves from a note of one kind to a note of another, `(melodies, kinds x kinds)`."""
    follows = ~notes.is_first[1:]
    moves = (kind[:-1] * kinds + kind[1:])[follows]
    return _histogram(notes.melody[1:][follows], moves, (notes.shape[0], kinds * kinds))


def _histogram(
    melody: NDArray[np.int64],
    kind: NDArray[np.int64],
    shape: tuple[int, int],
    weights: NDArray[np.int64] | None = None,
) -> Array:
    """The share of each kind in each melody, `(melodies, kinds)`; NaN where there is nothing."""
    counts = np.bincount(melody * shape[1] + kind, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
    return ratios(counts.astype(np.float64), counts.sum(axis=1, keepdims=True))


STYLE_FEATURES = {
    "speed": ("notes_per_quarter",),
    "rhythm": ("rhythm_entropy",),
    "lengths": ("sixteenths", "eighths", "dotted_eighths", "quarters", "dotted_quarters", "halves"),
    "syncopation": ("syncopation",),
    "silence": ("silence",),
    "range": ("range",),
    "size": ("mean_interval",),
    "motion": ("repeated", "steps", "leaps"),
    "colour": ("pitch_class_entropy",),
    "mode": ("minor",),
    "meter": ("duple", "triple", "compound"),
    "returns": ("returns_1", "returns_2", "returns_4"),
}
"""The features of style, and the numbers of each. All features have equal weight, however many numbers they have."""

STYLE_COLUMNS = tuple(name for names in STYLE_FEATURES.values() for name in names)
"""The numbers of `style_features`, in the order of its columns."""

_LENGTH_CLASSES = np.array([0, 2, 3, 4, 6, 8])  # the first length in steps of each class, on a grid of sixteenths
_LEAP = 5
_RETURNS = (1, 2, 4)


def style_features(line: Line, contexts: Sequence[Context]) -> Array:
    """The style of each melody in 23 numbers, `(melodies, numbers)`, named by `STYLE_COLUMNS`.

    - `notes_per_quarter`; `rhythm_entropy` in bits; `syncopation` and `silence`: shares of notes and of time.
    - `sixteenths` .. `halves`: shares of notes by duration, each class up to the next one, halves and more.
    - `range` and `mean_interval` in semitones; `pitch_class_entropy` in bits.
    - `repeated`, `steps`, `leaps`: shares of the moves from note to note that are repetitions, a semitone or a whole
      tone, and a fourth or more.
    - `minor`: 1 where the third above the tonic is minor, else 0.
    - `duple`, `triple`, `compound`: 1 where the bar has 2, 4 or 8 beats; 3 of them; beats of three parts, as in 6/8.
    - `returns_1`, `_2`, `_4`: similarity to what sounded so many bars before (`rules.rhythm.similarity_after`).

    Args:
        line: the melodies on a grid of sixteenths.
        contexts: key and bars of each.

    Returns:
        NaN where a melody has too few notes or bars.

    Raises:
        ValueError: the numbers of contexts and melodies differ.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 18, 25, 1, 25, 1]]))  # C - D E B - B -
        >>> style = dict(zip(STYLE_COLUMNS, style_features(line, [Context()])[0].round(2).tolist()))
        >>> style["notes_per_quarter"], style["steps"], style["leaps"], style["repeated"], style["duple"]
        (2.5, 0.5, 0.25, 0.25, 1.0)
    """
    if len(contexts) != line.melodies:
        raise ValueError(f"{line.melodies} melodies need as many contexts, got {len(contexts)}")
    features = np.full((line.melodies, len(STYLE_COLUMNS)), np.nan)
    kinds = {(one.meter, one.steps_per_bar): one for one in contexts}
    for kind, context in kinds.items():
        rows = np.flatnonzero([(one.meter, one.steps_per_bar) == kind for one in contexts])
        features[rows] = _style_in_meter(line[rows], context)
    features[:, STYLE_COLUMNS.index("minor")] = [float(one.key.is_minor) for one in contexts]
    features[Notes.from_line(line).counts() == 0] = np.nan
    return features


def meter_class(meter: Meter) -> str:
    """`duple`, `triple` or `compound`; "" for other bars, such as 5/4.

    Examples:
        >>> [meter_class(Meter.parse(text)) for text in ("2/2", "3/8", "9/8", "5/4")]
        ['duple', 'triple', 'compound', '']
    """
    beats = meter.ticks_per_bar // meter.ticks_per_beat
    if meter.numerator > beats:
        return "compound"
    return "triple" if beats == 3 else "duple" if beats in (2, 4, 8) else ""


def _style_in_meter(line: Line, context: Context) -> Array:
    notes = Notes.from_line(line)
    count, moves = notes.counts(), notes.counts() - 1
    size = np.abs(notes.interval)
    length = np.searchsorted(_LENGTH_CLASSES, notes.sounding, side="right") - 1
    columns = {
        "notes_per_quarter": notes_per_quarter(line, context),
        "rhythm_entropy": np.where(moves > 0, rhythm_entropy(line, context), np.nan),
        "syncopation": syncopated_share(line, context),
        "silence": silent_share(line, context),
        "range": ambitus(line, context),
        "mean_interval": melody_features(line, context)["mean_interval"][:, 0],
        "pitch_class_entropy": pitch_class_entropy(line),
        "repeated": ratios(notes.sums(~notes.is_first & (size == 0)), moves),
        "steps": ratios(notes.sums((size == 1) | (size == 2)), moves),
        "leaps": ratios(notes.sums(size >= _LEAP), moves),
    }
    for number, name in enumerate(STYLE_FEATURES["lengths"]):
        columns[name] = ratios(notes.sums(length == number), count)
    for name in STYLE_FEATURES["meter"]:
        columns[name] = np.full(line.melodies, float(meter_class(context.meter) == name))
    for bars in _RETURNS:
        columns[f"returns_{bars}"] = similarity_after(line, context, bars=bars)
    undefined = np.full(line.melodies, np.nan)
    return np.stack([columns.get(name, undefined) for name in STYLE_COLUMNS], axis=1)
