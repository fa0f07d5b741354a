"""Motifs: windows of eight events as RL Tuner counts them, and motifs of four to eight notes that return.

A motif of the set `cantilena` is a pattern of intervals and duration ratios of 4 to 8 notes, not all of one pitch, that
occurs at least twice without a note in common, and that is rarer under a small model of intervals and durations than
the median of as many consecutive notes of the built-in corpus. Intervals are equal if they are so in semitones, or in
steps of the scale, as in a sequence within the key. The duration of the last note, which often is drawn out, does not
count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import two_sided
from cantilena.rules.motif_model import LEAST, MOST, motif_model
from cantilena.rules.notes import Notes, codes, lengths, ratio, tones, where_defined
from cantilena.rules.rule import RL_TUNER, SCHOENBERG, Context, Example, Metric, Rewards, rule
from cantilena.rules.tonality import scale_steps

WINDOW, DISTINCT = 8, 3
"""RL Tuner's motif has so many events and at least so many distinct top notes."""

_MOTIF_TWICE = Example("a motif, and its return", " ".join(["C4/8 D4/8 E4/8 G4/8"] * 2))
_MOTIFS = (
    "C4/4. G4/8 E4/8 F4/8 D4",
    "A4/8 C4 F4/8 B4/8. C5/16 A4",
    "E5 r/8 C4/8 D5/8 F4/8 E4",
    "G4/16 B4/16 D5/8 C4 A4/8 F5/8 E4",
    "B4/8 G4/8 D5 B4/8. A4/16 F4",
)
_FIVE_MOTIFS = Example("five motifs, each twice", " ".join(f"{motif} {motif}" for motif in _MOTIFS))


def motif_tones(line: Line, *, window: int = WINDOW, distinct: int = DISTINCT) -> NDArray[np.int16]:
    """The number of distinct top notes of the motif that ends at each step, `(melodies, steps)`.

    Counts the last `window` events; 0 where they have fewer than `distinct` (no motif), or are not that many yet.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> motif_tones(GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 0, 1, 19, 19]])))
        array([[0, 0, 0, 0, 0, 0, 0, 3, 3, 3]], dtype=int16)
    """
    from cantilena.rules import kernels

    count = kernels.distinct_tones(codes(line), lengths(line), window)
    return np.where(count >= distinct, count, np.int16(0))


@rule(
    "motif",
    source=RL_TUNER,
    rule_set="rl-tuner",
    metric=Metric(
        "in_motif",
        "Notes in a motif",
        "Share of steps at which the last eight events have at least three different pitches; with 32 steps it is "
        "at most 78.1 %.",
        better="more",
        count=lambda line, _: (motif_tones(line) > 0, line.valid),
    ),
    example=_MOTIF_TWICE,
)
def rl_tuner_motif(
    line: Line,
    context: Context,
    *,
    reward: float = 3.0,
    bonus: float = 0.3,
    window: int = WINDOW,
    distinct: int = DISTINCT,
) -> Rewards:
    """A motif just played is rewarded, with a bonus for each distinct tone beyond the third."""
    count = motif_tones(line, window=window, distinct=distinct)
    return np.where(count > 0, reward + bonus * (count - distinct), 0.0)


def motif_returns(line: Line, *, window: int = WINDOW, distinct: int = DISTINCT) -> NDArray[np.bool_]:
    """Where a motif ends that occurred before, `(melodies, steps)`: the same events, holds and offs included.

    The two occurrences do not overlap.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 0, 1] * 2]))
        >>> np.argwhere(motif_returns(line)).tolist()
        [[0, 15]]
    """
    from cantilena.rules import kernels

    is_motif = motif_tones(line, window=window, distinct=distinct) > 0
    return kernels.returning_windows(codes(line), lengths(line), is_motif, window)


@rule(
    "repeated_motif",
    source=RL_TUNER,
    rule_set="rl-tuner",
    metric=Metric(
        "in_repeated_motif",
        "Notes in a repeated motif",
        "Share of steps at which those eight events equal eight earlier ones exactly; with 32 steps it is at most "
        "53.1 %.",
        better="more",
        count=lambda line, _: (motif_returns(line), line.valid),
    ),
    example=_MOTIF_TWICE,
)
def rl_tuner_repeated_motif(
    line: Line,
    context: Context,
    *,
    reward: float = 4.0,
    bonus: float = 1.0,
    window: int = WINDOW,
    distinct: int = DISTINCT,
) -> Rewards:
    """A motif that returns exactly, without overlap, is rewarded, with a bonus for each tone beyond the third."""
    count = motif_tones(line, window=window, distinct=distinct)
    returns = motif_returns(line, window=window, distinct=distinct)
    return np.where(returns, reward + bonus * (count - distinct), 0.0)


@dataclass(frozen=True, slots=True)
class Motifs:
    """The motifs of melodies.

    Args:
        returns: `(melodies, steps)`: the length in notes of the longest motif that returns with the note that begins;
            0 for none. Causal in the steps.
        covered: `(melodies, steps)`: whether a note begins that belongs to a motif, at its first occurrence or a
            return.
        different: `(melodies,)`: the number of different motifs that return, those counted that share no note.
    """

    returns: NDArray[np.int64]
    covered: NDArray[np.bool_]
    different: NDArray[np.int64]


def find_motifs(line: Line, context: Context) -> Motifs:
    """Find the motifs that return in each melody.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 1, 21, 18, 19, 1, 0, 16, 1, 1, 23, 19, 21, 1, 1]]))
        >>> motifs = find_motifs(line, Context())  # C G E F, then D A F G
        >>> motifs.returns[0, 13], motifs.covered.sum(), motifs.different
        (np.int64(4), np.int64(8), array([1]))
    """
    from cantilena.rules import kernels

    notes = Notes.from_line(line)
    pitch, degree = notes.pitch, scale_steps(notes.pitch, context.key)
    bounds = np.concatenate([[0], np.cumsum(notes.counts())]).astype(np.int64)
    rare = motif_model().rare(notes, context)
    size, origin = kernels.find_returns(pitch, degree, notes.gap, rare, bounds, LEAST, MOST)
    covered, different = kernels.count_returns(pitch, degree, notes.gap, size, origin, bounds, MOST)
    return Motifs(notes.at_steps(size), notes.at_steps(covered), different)


@rule(
    "motif_return",
    source=SCHOENBERG,
    rule_set="cantilena",
    metric=Metric(
        "motif_return",
        "A motif returns",
        "Share of melodies in which a motif of four to eight notes returns, exact or transposed.",
        better="people",
        count=lambda line, context: (find_motifs(line, context).different > 0, lengths(line) > 0),
    ),
    example=_FIVE_MOTIFS,
)
def cantilena_motif_return(line: Line, context: Context, *, reward: float = 3.0, most: float = 1.0) -> Rewards:
    """A motif that returns is rewarded, once a melody: a second return earns no more."""
    returns = find_motifs(line, context).returns > 0
    return np.where(returns & (np.cumsum(returns, axis=1) <= most), reward, 0.0)


def motif_coverage(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of notes that belong to a motif, its first occurrence included, `(melodies,)`; 0 without notes."""
    covered = find_motifs(line, context).covered.sum(axis=1)
    return where_defined(lengths(line) > 0, ratio(covered, tones(line).sum(axis=1)))


cantilena_motif = two_sided(
    "motif",
    motif_coverage,
    "Motifs should return, exact or transposed, but not fill every bar.",
    source=SCHOENBERG,
    label="Notes of motifs",
    definition="Mean share of notes that belong to a motif of four to eight notes which occurs at least twice, exact "
    "or transposed, and is rarer than the median of the built-in corpus.",
    rule_set="cantilena",
    example=_FIVE_MOTIFS,
)


def different_motifs(line: Line, context: Context) -> NDArray[np.float64]:
    """The number of different motifs that return in each melody, `(melodies,)`."""
    return where_defined(lengths(line) > 0, find_motifs(line, context).different)


cantilena_motif_variety = two_sided(
    "motif_variety",
    different_motifs,
    "There should be several different motifs, but not a new one all the time.",
    source=SCHOENBERG,
    label="Motifs, different ones",
    definition="Mean number of different motifs that return in a melody.",
    unit="number",
    rule_set="cantilena",
    example=_FIVE_MOTIFS,
)
