"""Originality: the longest run of notes that a melody has in common with a corpus, and its n-grams that are new.

A melody is read as pairs, one for each note but the last: the interval to the next note in semitones, and the steps
until it begins. A copy is a run of equal pairs. So a copy in another key, octave or articulation is a copy; one in
another tempo, or that skips a note, is not. For chords the top note counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.rules import RuleCounts
from cantilena.metrics.suffix_array import NOWHERE, Suffixes, longest_copies, longest_matches
from cantilena.music import Line
from cantilena.rules import Metric, Notes

NOVEL = (4, 8)
"""The lengths in pairs of the n-grams that are looked up in the corpus."""

METRICS = (
    Metric(
        "copied_notes",
        "Longest copied run",
        "The number of notes of a melody's longest run that is in the corpus too, in any key: the same intervals, the "
        "same time from note to note. Human melodies borrow too: compare with their value.",
        unit="number",
    ),
    Metric(
        "copied_share",
        "Covered by the longest copy",
        "The share of a melody's notes that its longest copied run covers; 1 where all of it is copied.",
    ),
    Metric(
        "copied_beyond_people",
        "Copy more than people do",
        "The share of melodies with a longer copied run than 95 % of human excerpts of the same length; of human "
        "melodies it is at most 5 %.",
    ),
    *(
        Metric(
            f"novel_{n}",
            f"New runs of {n + 1} notes",
            f"The share of runs of {n} (interval, time to the next note) pairs that the corpus does not have.",
        )
        for n in NOVEL
    ),
)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Copies:
    """The longest copied run of each melody, and how much is copied from each of its notes on.

    A run of k equal pairs has k + 1 notes; with no equal pair it has 0, since a single note is like any other. Of runs
    of equal length the earliest in the melody counts, and of its sources the first of the corpus.

    Args:
        notes: `(melodies,)`: the number of notes of the run; 0 where nothing is copied.
        first_note: `(melodies,)`: the index of its first note; -1 where nothing is copied, as below.
        step: `(melodies,)`: the step at which it begins.
        melody: `(melodies,)`: the index of the corpus melody that has it.
        corpus_note: `(melodies,)`: the index of its first note there.
        corpus_step: `(melodies,)`: the step of that note.
        out_of: `(melodies,)`: the number of notes of each melody.
        matches: `(notes,)`: how many pairs from each note on are copied, melody by melody; 0 for last notes.
    """

    notes: Numbers
    first_note: Numbers
    step: Numbers
    melody: Numbers
    corpus_note: Numbers
    corpus_step: Numbers
    out_of: Numbers
    matches: NDArray[np.int32]

    def novel_ngrams(self, n: int) -> tuple[Numbers, Numbers]:
        """The number of runs of n pairs in each melody that the corpus does not have, and of all, both `(melodies,)`.

        Raises:
            UsageError: n is below 1.

        Examples:
            >>> from cantilena.tokenizers import GridEncoding
            >>> index = CopyIndex.from_lines(GridEncoding().line(np.array([[14, 16, 18, 19]])))
            >>> copies = index.copies(GridEncoding().line(np.array([[16, 18, 20, 21]])))  # whole tones, then a half
            >>> new, out_of = copies.novel_ngrams(2)
            >>> new.tolist(), out_of.tolist()
            ([0], [2])
        """
        if n < 1:
            raise UsageError(f"n-grams of {n} pairs", "n must be at least 1")
        melody = np.repeat(np.arange(len(self.out_of)), self.out_of)
        end = np.cumsum(self.out_of)[melody]
        begins = np.arange(len(melody)) + n < end  # n pairs end with the note n further on
        new = np.bincount(melody[begins & (self.matches < n)], minlength=len(self.out_of))
        return new, np.maximum(self.out_of - n, 0)


@dataclass(frozen=True, slots=True)
class CopyIndex:
    """A corpus in which copies are searched, as a suffix array.

    Args:
        pairs: `(different pairs,)`: each as one number, ascending.
        suffixes: the notes of all melodies, sorted.
        melody: `(notes,)`: the index of the melody of each note.
        note: `(notes,)`: the index of each note in its melody.
        step: `(notes,)`: the step at which it begins.
        labels: `(pieces,)`: the labels of the pieces, ascending.
    """

    pairs: Numbers
    suffixes: Suffixes
    melody: Numbers
    note: Numbers
    step: Numbers
    labels: NDArray[Any]

    @classmethod
    def from_lines(cls, lines: Line | Iterable[Line], pieces: NDArray[Any] | None = None) -> CopyIndex:
        """Index a corpus.

        Args:
            lines: its melodies, in one line or in several, so that short ones need no padding to the length of long
                ones; they are numbered through in order.
            pieces: `(melodies,)`: the piece of each melody, as any labels; None where each is its own.

        Raises:
            UsageError: the numbers of pieces and melodies differ.

        Examples:
            >>> from cantilena.tokenizers import GridEncoding
            >>> corpus = GridEncoding().line(np.array([[14, 16, 18, 1, 14], [14, 21, 1, 16, 23]]))
            >>> copies = CopyIndex.from_lines(corpus).copies(GridEncoding().line(np.array([[14, 14, 15, 22, 0, 17]])))
            >>> copies.notes.tolist(), copies.step.tolist(), copies.melody.tolist(), copies.corpus_step.tolist()
            ([3], [2], [1], [0])
        """
        parts = [lines] if isinstance(lines, Line) else list(lines)
        return cls.from_notes([Notes.from_line(part) for part in parts], pieces)

    @classmethod
    def from_notes(cls, notes: Sequence[Notes], pieces: NDArray[Any] | None = None) -> CopyIndex:
        """Index a corpus by its notes; arguments and errors are those of `from_lines`."""
        offsets = np.cumsum([0, *(part.shape[0] for part in notes)])
        if pieces is None:
            pieces = np.arange(offsets[-1])
        if len(pieces) != offsets[-1]:
            raise UsageError(f"{len(pieces)} pieces for {offsets[-1]} melodies", "give the piece of each melody")
        melody = _concatenated(part.melody + offset for part, offset in zip(notes, offsets, strict=False))
        pairs = _concatenated(_pairs(part) for part in notes)
        last = _concatenated(part.is_last for part in notes).astype(np.bool_)
        known = np.unique(pairs[~last])
        labels, piece = np.unique(pieces, return_inverse=True)
        return cls(
            known,
            Suffixes.from_text(_numbered(pairs, last, known), piece[melody].astype(np.int32), len(known)),
            melody,
            _concatenated(part.index for part in notes),
            _concatenated(part.step for part in notes),
            labels,
        )

    def copies(self, line: Line, leave_out: NDArray[Any] | None = None) -> Copies:
        """Find the longest run of each melody that is in the corpus too.

        Matching statistics by bisection in a suffix array: W. I. Chang and E. L. Lawler, Sublinear Approximate String
        Matching and Biological Applications, Algorithmica 12, 1994; D. Gusfield, Algorithms on Strings, Trees, and
        Sequences, Cambridge 1997, section 7.8.

        Args:
            line: the melodies.
            leave_out: `(melodies,)`: for each, the label of a piece that is not a source, such as its own. A label that
                the corpus does not have leaves out nothing.

        Raises:
            UsageError: the numbers of labels and melodies differ.

        Examples:
            >>> from cantilena.tokenizers import GridEncoding
            >>> tunes = GridEncoding().line(np.array([[14, 16, 18, 19], [21, 23, 25, 0], [14, 14, 14, 14]]))
            >>> index = CopyIndex.from_lines(tunes, pieces=np.array(["reel", "jig", "air"]))
            >>> index.copies(tunes).notes.tolist()
            [4, 3, 4]
            >>> others = index.copies(tunes, leave_out=np.array(["reel", "jig", "air"]))
            >>> others.notes.tolist(), others.melody.tolist()
            ([3, 3, 0], [1, 0, -1])
        """
        if leave_out is not None and len(leave_out) != line.melodies:
            raise UsageError(f"{len(leave_out)} pieces to leave out for {line.melodies} melodies", "give one for each")
        notes = Notes.from_line(line)
        out_of = notes.counts()
        first = np.concatenate([[0], np.cumsum(out_of)])
        query = _numbered(_pairs(notes), notes.is_last, self.pairs)
        left_out = np.full(line.melodies, NOWHERE, np.int32)
        if leave_out is not None:
            place, known = _lookup(leave_out, self.labels)
            left_out = np.where(known, place, NOWHERE).astype(np.int32)
        matches = longest_matches(query, first, left_out, self.suffixes)
        begins, source = longest_copies(query, first, left_out, matches, self.suffixes)
        return Copies(
            np.where(begins >= 0, _at(matches, begins) + 1, 0).astype(np.int64),
            _at(notes.index, begins),
            _at(notes.step, begins),
            _at(self.melody, source),
            _at(self.note, source),
            _at(self.step, source),
            out_of,
            matches,
        )


def originality_counts(
    line: Line,
    index: CopyIndex,
    copies: Copies | None = None,
    bound: int | None = None,
    *,
    leave_out: NDArray[Any] | None = None,
) -> RuleCounts:
    """Count what is copied in each melody.

    Over melodies of two notes or more: `copied_notes`, the notes of the longest copied run; `copied_share`, those over
    all notes; `copied_beyond_people`, whether there are more of them than a bound. Over n-grams: `novel_4` and
    `novel_8`, those that the corpus does not have.

    Args:
        line: the melodies.
        index: the corpus.
        copies: the result of `index.copies` for these melodies; computed if None.
        bound: the length that human copies seldom exceed (`copy_length_quantile`); None where it is unknown.
        leave_out: `(melodies,)`: as in `CopyIndex.copies`, if those are computed; n-grams of that piece do not count as
            the corpus's either.

    Raises:
        UsageError: the numbers of copies, labels and melodies differ.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> index = CopyIndex.from_lines(GridEncoding().line(np.array([[14, 16, 18, 19, 21]])))
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 19, 21, 22, 22, 22]]))
        >>> counts = originality_counts(line, index, bound=4)
        >>> {name: round(value, 3) for name, value in counts.statistics().items()}
        {'copied_notes': 5.0, 'copied_share': 0.625, 'novel_4': 0.75, 'novel_8': nan, 'copied_beyond_people': 1.0}
    """
    copies = index.copies(line, leave_out) if copies is None else copies
    if len(copies.notes) != line.melodies:
        raise UsageError(f"copies of {len(copies.notes)} melodies for {line.melodies}", "give those of the same line")
    counts: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "copied_notes": (copies.notes, copies.out_of > 1),
        "copied_share": (copies.notes / np.maximum(copies.out_of, 1), copies.out_of > 1),
        **{f"novel_{n}": copies.novel_ngrams(n) for n in NOVEL},
    }
    if bound is not None:
        counts["copied_beyond_people"] = copies.notes > bound, copies.out_of > 1
    return RuleCounts.from_pairs(counts)


def copy_length_quantile(copies: Copies, share: float = 0.95) -> int | None:
    """The quantile of the length in notes of the longest copied runs.

    The least length that is not exceeded by that share of the melodies of two notes or more: definition 1 in R. J.
    Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, The American Statistician 50, 1996. Longer melodies
    have longer copies: use human excerpts of the same length as what they are compared with, and leave out their own
    pieces.

    Args:
        copies: of human melodies.
        share: the share of melodies that do not exceed it, above 0.

    Returns:
        None where no melody has two notes.

    Raises:
        UsageError: the share is not above 0 and at most 1.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 14], [14, 16, 14], [14, 16, 18], [14, 16, 21]]))
        >>> copies = CopyIndex.from_lines(line).copies(line, leave_out=np.arange(4))
        >>> copies.notes.tolist(), copy_length_quantile(copies, 0.25), copy_length_quantile(copies, 0.95)
        ([0, 2, 2, 2], 0, 2)
    """
    if not 0 < share <= 1:
        raise UsageError(f"the share is {share}", "give a share above 0 and up to 1, such as 0.95")
    notes = copies.notes[copies.out_of > 1]
    return int(np.quantile(notes, share, method="inverted_cdf")) if len(notes) else None


def _pairs(notes: Notes) -> Numbers:
    """The pair after each note as one number; undefined for last notes."""
    interval = np.diff(notes.pitch, append=0)
    return interval * 2**32 + notes.gap


def _numbered(pairs: Numbers, last: NDArray[np.bool_], known: Numbers) -> NDArray[np.int32]:
    """Pairs numbered from 1 in the order of the corpus's; all others get the next number, and last notes 0."""
    place, is_known = _lookup(pairs, known)
    return np.where(last, 0, np.where(is_known, place, len(known)) + 1).astype(np.int32)


def _lookup(values: NDArray[Any], known: NDArray[Any]) -> tuple[Numbers, NDArray[np.bool_]]:
    """The index of values among known ones, which ascend, and whether they are among them."""
    if not len(known):
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return place, known[place] == values


def _at(values: NDArray[np.integer[Any]], places: Numbers) -> Numbers:
    """The values at some places, -1 for place -1."""
    if not len(values):
        return np.full(len(places), NOWHERE)
    return np.where(places >= 0, values[places], NOWHERE).astype(np.int64)


def _concatenated(parts: Iterable[NDArray[Any]]) -> Numbers:
    return np.concatenate([np.zeros(0, np.int64), *parts])
