"""What the style of a melody is told by: how it moves in time and in pitch, its mode, its meter, what comes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.features import melody_features
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
    found[Notes.of(line).counts() == 0] = np.nan
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
    notes = Notes.of(line)
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
