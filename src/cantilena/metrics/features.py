"""What melodies are like in nine numbers and histograms: the features by which a set is held beside the data.

L.-C. Yang and A. Lerch, On the evaluation of generative models in music, Neural Computing and Applications 32, 2020.
Three things differ from their toolbox. Time is counted in steps, not in seconds, so that tempo says nothing. Pitch
classes are counted above the tonic, so that melodies of different keys are compared. And transitions are shares of all
transitions of the melody, not counts: how many notes there are is a feature of its own.

What the style of a melody is told by: how it moves in time and in pitch, its mode, its meter, what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

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

Features = Mapping[str, NDArray[np.float64]]
"""By name, `(melodies, dimensions)`; a row of NaN where a melody has too few notes for it."""

FEATURES = (
    "pitch_count",
    "pitch_classes",
    "pitch_class_transitions",
    "range",
    "mean_interval",
    "note_count",
    "inter_onset",
    "note_lengths",
    "note_length_transitions",
)
"""The nine features, in order."""

LENGTHS = 16
"""Note lengths that are told apart: 1 to 15 steps, and 16 or more."""

_CLASSES = 12


def melody_features(line: Line, contexts: Context | Sequence[Context]) -> dict[str, NDArray[np.float64]]:
    """The nine features of each melody, by their top notes.

    - `pitch_count`: how many different pitches. `range`: semitones from the lowest to the highest.
    - `note_count`: how many notes.
    - `pitch_classes`: `(melodies, 12)` shares of the sounding time by semitones above the tonic.
    - `pitch_class_transitions`: `(melodies, 144)` shares of the moves from one note to the next, over a rest or not.
    - `mean_interval`: semitones from one note to the next, in either direction, repeated notes being 0.
    - `inter_onset`: mean number of steps from one note's beginning to the next's.
    - `note_lengths`: `(melodies, 16)` shares of the notes that sound 1, 2, .. 15, and 16 or more steps. Their toolbox
      has twelve classes with dots and triplets, to the nearest of which it rounds; on a grid every length is exact.
    - `note_length_transitions`: `(melodies, 256)` shares of the moves from one length to the next.

    Args:
        line: the melodies. What is cut at their end sounds up to there.
        contexts: the key of each, or of all, and whether its steps tell time.

    Returns:
        By name, `(melodies, dimensions)`. Counts and range are 0 of silence, the others NaN; what is between two notes
        is NaN of fewer than two, and what is in time where steps tell none.

    Raises:
        ValueError: another number of contexts than of melodies.

    Example:
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
    found = {
        "pitch_count": _different_pitches(notes),
        "pitch_classes": _histogram(notes.melody, pitch_class, (line.melodies, _CLASSES), notes.sounding),
        "pitch_class_transitions": _transitions(notes, pitch_class, _CLASSES),
        "range": _ranges(notes),
        "mean_interval": _mean_between(notes, np.abs(notes.interval)),
        "note_count": notes.counts().astype(np.float64)[:, None],
        "inter_onset": _mean_between(notes, np.diff(notes.step, prepend=notes.step[:1])),
        "note_lengths": _histogram(notes.melody, length, (line.melodies, LENGTHS)),
        "note_length_transitions": _transitions(notes, length, LENGTHS),
    }
    for name in ("inter_onset", "note_lengths", "note_length_transitions"):
        found[name][~timed] = np.nan
    return found


def _different_pitches(notes: Notes) -> NDArray[np.float64]:
    pitches = np.unique(notes.melody * 128 + notes.pitch)
    return np.bincount(pitches // 128, minlength=notes.shape[0]).astype(np.float64)[:, None]


def _ranges(notes: Notes) -> NDArray[np.float64]:
    """Semitones from the lowest to the highest note, `(melodies, 1)`; 0 without notes."""
    lowest, highest = np.full(notes.shape[0], 127), np.zeros(notes.shape[0], dtype=np.int64)
    np.minimum.at(lowest, notes.melody, notes.pitch)
    np.maximum.at(highest, notes.melody, notes.pitch)
    return np.where(notes.counts() > 0, highest - lowest, 0).astype(np.float64)[:, None]


def _mean_between(notes: Notes, values: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of what lies between each note and the one before, `(melodies, 1)`."""
    return _shares(notes.sums(np.where(notes.opens, 0, values))[:, None], notes.counts()[:, None] - 1)


def _transitions(notes: Notes, kind: NDArray[np.int64], kinds: int) -> NDArray[np.float64]:
    """Shares of the moves from a note of one kind to a note of another, `(melodies, kinds x kinds)`."""
    follows = ~notes.opens[1:]
    moves = (kind[:-1] * kinds + kind[1:])[follows]
    return _histogram(notes.melody[1:][follows], moves, (notes.shape[0], kinds * kinds))


def _histogram(
    melody: NDArray[np.int64],
    kind: NDArray[np.int64],
    shape: tuple[int, int],
    weights: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """How much of each melody is of each kind, `(melodies, kinds)`; NaN of nothing."""
    counts = np.bincount(melody * shape[1] + kind, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
    return _shares(counts.astype(np.float64), counts.sum(axis=1, keepdims=True))


def _shares(counted: NDArray[np.float64], out_of: NDArray[np.generic]) -> NDArray[np.float64]:
    """One number over another, NaN over nothing."""
    shares = np.full(counted.shape, np.nan)
    np.divide(counted, out_of, out=shares, where=np.broadcast_to(np.asarray(out_of) > 0, counted.shape))
    return shares


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
"""The features, and the numbers that each is told by. Each feature weighs alike, however many numbers it has."""

STYLE_COLUMNS = tuple(name for names in STYLE_FEATURES.values() for name in names)
"""The numbers of `style_features`, in the order of its columns."""

_LONGER_THAN = np.array([0, 2, 3, 4, 6, 8])  # steps where each class of `lengths` begins, on a grid of sixteenths
_LEAP = 5
_RETURNS = (1, 2, 4)


def style_features(line: Line, contexts: Sequence[Context]) -> NDArray[np.float64]:
    """The style of each melody in 23 numbers, `(melodies, numbers)`, named by `STYLE_COLUMNS`.

    - `notes_per_quarter`; `rhythm_entropy` in bits; `syncopation` and `silence`: shares of notes and of time.
    - `sixteenths` .. `halves`: shares of notes by how long they sound, each class up to the next one, halves and more.
    - `range` and `mean_interval` in semitones; `pitch_class_entropy` in bits.
    - `repeated`, `steps`, `leaps`: of the moves from note to note the share of no move, of a semitone or a whole tone,
      and of a fourth or more.
    - `minor`: 1 where the third above the tonic is a minor one, else 0.
    - `duple`, `triple`, `compound`: 1 where the bar has 2, 4 or 8 beats; 3 of them; beats of three parts, as in 6/8.
    - `returns_1`, `_2`, `_4`: likeness to what sounded so many bars before (`theory.phrases.similarity_after`).

    Args:
        line: the melodies on a grid of sixteenths.
        contexts: key and bars of each.

    Returns:
        NaN where a melody cannot tell: it has too few notes or bars.

    Raises:
        ValueError: another number of contexts than of melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 18, 25, 1, 25, 1]]))  # C - D E B - B -
        >>> found = dict(zip(STYLE_COLUMNS, style_features(line, [Context()])[0].round(2).tolist()))
        >>> found["notes_per_quarter"], found["steps"], found["leaps"], found["repeated"], found["duple"]
        (2.5, 0.5, 0.25, 0.25, 1.0)
    """
    if len(contexts) != line.melodies:
        raise ValueError(f"{line.melodies} melodies need as many contexts, got {len(contexts)}")
    found = np.full((line.melodies, len(STYLE_COLUMNS)), np.nan)
    kinds = {(one.meter, one.steps_per_bar): one for one in contexts}
    for kind, context in kinds.items():
        rows = np.flatnonzero([(one.meter, one.steps_per_bar) == kind for one in contexts])
        found[rows] = _of_one_meter(line[rows], context)
    found[:, STYLE_COLUMNS.index("minor")] = [float(one.key.is_minor) for one in contexts]
    found[Notes.from_line(line).counts() == 0] = np.nan
    return found


def meter_class(meter: Meter) -> str:
    """`duple`, `triple` or `compound`; "" of other bars, such as 5/4.

    Example:
        >>> [meter_class(Meter.parse(text)) for text in ("2/2", "3/8", "9/8", "5/4")]
        ['duple', 'triple', 'compound', '']
    """
    beats = meter.ticks_per_bar // meter.ticks_per_beat
    if meter.numerator > beats:
        return "compound"
    return "triple" if beats == 3 else "duple" if beats in (2, 4, 8) else ""


def _of_one_meter(line: Line, context: Context) -> NDArray[np.float64]:
    notes = Notes.from_line(line)
    some, moves = notes.counts(), notes.counts() - 1
    size = np.abs(notes.interval)
    length = np.searchsorted(_LONGER_THAN, notes.sounding, side="right") - 1
    columns = {
        "notes_per_quarter": notes_per_quarter(line, context),
        "rhythm_entropy": np.where(moves > 0, rhythm_entropy(line, context), np.nan),
        "syncopation": syncopated_share(line, context),
        "silence": silent_share(line, context),
        "range": ambitus(line, context),
        "mean_interval": melody_features(line, context)["mean_interval"][:, 0],
        "pitch_class_entropy": pitch_class_entropy(line),
        "repeated": _over(notes.sums(~notes.opens & (size == 0)), moves),
        "steps": _over(notes.sums((size == 1) | (size == 2)), moves),
        "leaps": _over(notes.sums(size >= _LEAP), moves),
    }
    for number, name in enumerate(STYLE_FEATURES["lengths"]):
        columns[name] = _over(notes.sums(length == number), some)
    for name in STYLE_FEATURES["meter"]:
        columns[name] = np.full(line.melodies, float(meter_class(context.meter) == name))
    for bars in _RETURNS:
        columns[f"returns_{bars}"] = similarity_after(line, context, bars=bars)
    undefined = np.full(line.melodies, np.nan)
    return np.stack([columns.get(name, undefined) for name in STYLE_COLUMNS], axis=1)


def _over(counted: NDArray[np.float64], out_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """One number over another, NaN over nothing."""
    shares = np.full(counted.shape, np.nan)
    np.divide(counted, out_of, out=shares, where=out_of > 0)
    return shares
