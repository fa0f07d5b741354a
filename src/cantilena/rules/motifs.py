"""Motifs as RL Tuner and the paper count them: eight events with three tones or more, and their return.

Motifs that return, exact or transposed: four to eight notes that are worth remembering.

A motif is a pattern of intervals and of proportions of durations of 4 to 8 notes, not all of one pitch, that comes at
least twice without a note in common, and that is rarer under a small model of intervals and durations than the median
of as many notes in a row of the built-in corpus. Intervals are the same if they are so in semitones, or in steps of
the scale, as in a sequence within the key. The duration of the last note, which often is drawn out, does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import only_where, two_sided
from cantilena.rules.motif_model import LEAST, MOST, motif_model
from cantilena.rules.notes import Notes, codes, lengths, ratio, tones
from cantilena.rules.rule import RL_TUNER, SCHOENBERG, Context, Rewards, rule
from cantilena.rules.tonality import scale_steps

WINDOW, DISTINCT = 8, 3
"""A motif is this many events long and holds this many distinct top notes, or more."""


def motif_tones(line: Line, *, window: int = WINDOW, distinct: int = DISTINCT) -> NDArray[np.int16]:
    """How rich the motif is that ends at each step, `(melodies, steps)`.

    The number of distinct top notes in the last `window` events; 0 where they are fewer than `distinct` (no motif), or
    where there are not that many events yet.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> motif_tones(GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 0, 1, 19, 19]])))
        array([[0, 0, 0, 0, 0, 0, 0, 3, 3, 3]], dtype=int16)
    """
    from cantilena.rules import kernels

    tones = kernels.distinct_tones(codes(line), lengths(line), window)
    return np.where(tones >= distinct, tones, np.int16(0))


def motif_returns(line: Line, *, window: int = WINDOW, distinct: int = DISTINCT) -> NDArray[np.bool_]:
    """Where a motif ends that was heard before, `(melodies, steps)`.

    The same events, holds and offs included, ended before these began: the two do not overlap.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 0, 1] * 2]))
        >>> np.argwhere(motif_returns(line)).tolist()
        [[0, 15]]
    """
    from cantilena.rules import kernels

    is_motif = motif_tones(line, window=window, distinct=distinct) > 0
    return kernels.returning_windows(codes(line), lengths(line), is_motif, window)


@rule("motif", source=RL_TUNER)
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
    tones = motif_tones(line, window=window, distinct=distinct)
    return np.where(tones > 0, reward + bonus * (tones - distinct), 0.0)


@rule("repeated_motif", source=RL_TUNER)
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
    tones = motif_tones(line, window=window, distinct=distinct)
    returns = motif_returns(line, window=window, distinct=distinct)
    return np.where(returns, reward + bonus * (tones - distinct), 0.0)


@dataclass(frozen=True, slots=True)
class Motifs:
    """The motifs of melodies.

    Args:
        returns: `(melodies, steps)`: how many notes the longest motif has that returns here, ending with the note that
            begins; 0 for none. It knows no later step.
        covered: `(melodies, steps)`: where a note begins that belongs to a motif, at its first coming or a return.
        different: `(melodies,)`: how many different motifs return, those counted that share no note.
    """

    returns: NDArray[np.int64]
    covered: NDArray[np.bool_]
    different: NDArray[np.int64]


def find_motifs(line: Line, context: Context) -> Motifs:
    """Find the motifs that return in each melody.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 1, 21, 18, 19, 1, 0, 16, 1, 1, 23, 19, 21, 1, 1]]))
        >>> motifs = find_motifs(line, Context())  # C G E F, then D A F G
        >>> motifs.returns[0, 13], motifs.covered.sum(), motifs.different
        (np.int64(4), np.int64(8), array([1]))
    """
    from cantilena.rules import motif_model as motif_kernels

    notes = Notes.from_line(line)
    pitch, degree = notes.pitch, scale_steps(notes.pitch, context.key)
    bounds = np.concatenate([[0], np.cumsum(notes.counts())]).astype(np.int64)
    rare = motif_model().rare(notes, context)
    size, origin = motif_kernels.returns(pitch, degree, notes.gap, rare, bounds, LEAST, MOST)
    covered, different = motif_kernels.survey(pitch, degree, notes.gap, size, origin, bounds, MOST)
    return Motifs(notes.at_steps(size), notes.at_steps(covered), different)


def motif_coverage(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of notes that belong to a motif, at its first coming or a return, `(melodies,)`; 0 without notes."""
    covered = find_motifs(line, context).covered.sum(axis=1)
    return only_where(lengths(line) > 0, ratio(covered, tones(line).sum(axis=1)))


def different_motifs(line: Line, context: Context) -> NDArray[np.float64]:
    """How many different motifs return in each melody, `(melodies,)`."""
    return only_where(lengths(line) > 0, find_motifs(line, context).different)


cantilena_motif = two_sided(
    "motif", motif_coverage, "Motifs should return, exact or transposed, but not fill every bar.", source=SCHOENBERG
)
cantilena_motif_variety = two_sided(
    "motif_variety",
    different_motifs,
    "There should be motifs to tell apart, but not a new one every moment.",
    source=SCHOENBERG,
)


@rule("motif_return", source=SCHOENBERG)
def cantilena_motif_return(line: Line, context: Context, *, reward: float = 3.0, most: float = 1.0) -> Rewards:
    """A motif that returns is rewarded, once a melody: a second return earns no more."""
    returns = find_motifs(line, context).returns > 0
    return np.where(returns & (np.cumsum(returns, axis=1) <= most), reward, 0.0)
