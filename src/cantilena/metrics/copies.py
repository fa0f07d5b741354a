"""What melodies have copied: the longest run of notes that a corpus has too, and where it has it.

A melody is read as pairs, one a note that has a next: the interval to it in semitones, and the steps until it begins. A
copy is a run of equal pairs. So a copy in another key or octave is a copy, and one played staccato too; one in another
tempo is not, nor one that skips a note. Of chords the top note counts.

How original melodies are, as numbers: how much of each is copied, how much is new, and what people borrow.
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
from cantilena.rules import Notes

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Copies:
    """The longest copied run of each melody, and how much is copied from each of its notes on.

    A run of k equal pairs has k + 1 notes. Where no pair is copied it has 0: one note alone is like any other. Of runs
    of equal length the earliest in the melody counts, and of its sources the first of the corpus.

    Args:
        notes: `(melodies,)`: how many notes the run has; 0 where nothing is copied.
        first_note: `(melodies,)`: the note that it begins with, from 0; -1 where nothing is copied, as below.
        step: `(melodies,)`: the step at which it begins.
        melody: `(melodies,)`: the melody of the corpus that has it, from 0.
        corpus_note: `(melodies,)`: the note of that melody with which it begins there, from 0.
        corpus_step: `(melodies,)`: the step of that melody.
        out_of: `(melodies,)`: how many notes each melody has.
        matches: `(notes,)`: how many pairs from each note on are copied in a row, melody by melody; 0 for last notes.
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
        """How many n-grams of each melody the corpus has nowhere, and how many it has in all, both `(melodies,)`.

        Args:
            n: how many pairs in a row, 1 or more: n + 1 notes.

        Raises:
            UsageError: n below 1.

        Example:
            >>> from cantilena.tokenizers import GridEncoding
            >>> index = CopyIndex.from_lines(GridEncoding().line(np.array([[14, 16, 18, 19]])))
            >>> copies = index.copies(GridEncoding().line(np.array([[16, 18, 20, 21]])))  # whole tones, then a half
            >>> new, out_of = copies.novel_ngrams(2)
            >>> new.tolist(), out_of.tolist()
            ([0], [2])
        """
        if n < 1:
            raise UsageError(f"n-grams of {n} pairs", "give 1 or more")
        melody = np.repeat(np.arange(len(self.out_of)), self.out_of)
        end = np.cumsum(self.out_of)[melody]
        begins = np.arange(len(melody)) + n < end  # n pairs end with the note n further on
        new = np.bincount(melody[begins & (self.matches < n)], minlength=len(self.out_of))
        return new, np.maximum(self.out_of - n, 0)


@dataclass(frozen=True, slots=True)
class CopyIndex:
    """A corpus in which copies are found: all its places, sorted by what follows them (a suffix array).

    Args:
        pairs: `(different pairs,)`: each as one number, ascending.
        suffixes: the notes of all melodies, sorted.
        melody: `(notes,)`: the melody that each note is of.
        place: `(notes,)`: which note of its melody each is, from 0.
        step: `(notes,)`: the step at which it begins.
        labels: `(pieces,)`: what the pieces are called, ascending.
    """

    pairs: Numbers
    suffixes: Suffixes
    melody: Numbers
    place: Numbers
    step: Numbers
    labels: NDArray[Any]

    @classmethod
    def from_lines(cls, lines: Line | Iterable[Line], pieces: NDArray[Any] | None = None) -> CopyIndex:
        """Index a corpus.

        Args:
            lines: its melodies, in one line or in several, so that short ones need no padding to the length of long
                ones; they are numbered through in order.
            pieces: `(melodies,)`: the piece of each melody, as any labels; their numbers where None.

        Raises:
            UsageError: another number of pieces than of melodies.

        Example:
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
        """Index a corpus whose notes are at hand, without the lines that they are of.

        Args:
            notes: of its melodies, in one or in several parts, numbered through in order.
            pieces: `(melodies,)`: the piece of each melody, as any labels; their numbers where None.

        Raises:
            UsageError: another number of pieces than of melodies.
        """
        offsets = np.cumsum([0, *(part.shape[0] for part in notes)])
        if pieces is None:
            pieces = np.arange(offsets[-1])
        if len(pieces) != offsets[-1]:
            raise UsageError(f"{len(pieces)} pieces of {offsets[-1]} melodies", "name the piece of each melody")
        melody = _joined(found.melody + offset for found, offset in zip(notes, offsets, strict=False))
        pairs = _joined(_pairs(found) for found in notes)
        last = _joined(found.closes for found in notes).astype(np.bool_)
        known = np.unique(pairs[~last])
        labels, piece = np.unique(pieces, return_inverse=True)
        text = _numbered(pairs, last, known)
        return cls(
            known,
            Suffixes.of(text, piece[melody].astype(np.int32), len(known)),
            melody,
            _joined(found.place for found in notes),
            _joined(found.step for found in notes),
            labels,
        )

    def copies(self, line: Line, leave_out: NDArray[Any] | None = None) -> Copies:
        """The longest run of each melody that the corpus has too.

        Matching statistics by bisection in a suffix array: W. I. Chang and E. L. Lawler, Sublinear Approximate String
        Matching and Biological Applications, Algorithmica 12, 1994; D. Gusfield, Algorithms on Strings, Trees, and
        Sequences, Cambridge 1997, section 7.8.

        Args:
            line: the melodies.
            leave_out: `(melodies,)`: for each, the piece that is no source: people's own. A label that the corpus does
                not have leaves out nothing.

        Raises:
            UsageError: another number of pieces left out than of melodies.

        Example:
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
            raise UsageError(f"{len(leave_out)} pieces left out of {line.melodies} melodies", "name one for each")
        notes = Notes.from_line(line)
        out_of = notes.counts()
        first = np.concatenate([[0], np.cumsum(out_of)])
        query = _numbered(_pairs(notes), notes.closes, self.pairs)
        left_out = np.full(line.melodies, NOWHERE, np.int32) if leave_out is None else self._pieces(leave_out)
        matches = longest_matches(query, first, left_out, self.suffixes)
        begins, source = longest_copies(query, first, left_out, matches, self.suffixes)
        return Copies(
            np.where(begins >= 0, _at(matches, begins) + 1, 0).astype(np.int64),
            _at(notes.place, begins),
            _at(notes.step, begins),
            _at(self.melody, source),
            _at(self.place, source),
            _at(self.step, source),
            out_of,
            matches,
        )

    def _pieces(self, labels: NDArray[Any]) -> NDArray[np.int32]:
        """The numbers of pieces, `NOWHERE` of those that the corpus does not have."""
        place, known = _looked_up(labels, self.labels)
        return np.where(known, place, NOWHERE).astype(np.int32)


def _pairs(notes: Notes) -> Numbers:
    """The pair after each note as one number; what it is of last notes does not count."""
    interval = np.diff(notes.pitch, append=0)
    return interval * 2**32 + notes.gap


def _numbered(pairs: Numbers, last: NDArray[np.bool_], known: Numbers) -> NDArray[np.int32]:
    """Pairs numbered from 1 in the order of those that the corpus has; all others one higher, and 0 for last notes."""
    place, found = _looked_up(pairs, known)
    return np.where(last, 0, np.where(found, place, len(known)) + 1).astype(np.int32)


def _looked_up(values: NDArray[Any], known: NDArray[Any]) -> tuple[Numbers, NDArray[np.bool_]]:
    """The place of values among known ones that ascend, and whether they are there at all."""
    if not len(known):
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return place, known[place] == values


def _at(values: NDArray[np.integer[Any]], places: Numbers) -> Numbers:
    """The values at some places, -1 at none."""
    if not len(values):
        return np.full(len(places), NOWHERE)
    return np.where(places >= 0, values[places], NOWHERE).astype(np.int64)


def _joined(parts: Iterable[NDArray[Any]]) -> Numbers:
    """Arrays one after the other; nothing of none."""
    return np.concatenate([np.zeros(0, np.int64), *parts])


NOVEL = (4, 8)
"""Of how many (interval, time) pairs the n-grams are that are looked for in the corpus."""


def originality_counts(
    line: Line,
    index: CopyIndex,
    copies: Copies | None = None,
    bound: int | None = None,
    *,
    leave_out: NDArray[Any] | None = None,
) -> RuleCounts:
    """What is copied in each melody, and out of how many.

    Per melody of two notes or more (fewer have nothing that could be copied): `copied_notes`, the notes of its longest
    copied run; `copied_share`, those over all its notes; `copied_beyond_people`, whether there are more of them than a
    bound. Per n-gram: `novel_4` and `novel_8`, those that the corpus has nowhere.

    Args:
        line: the melodies.
        index: the corpus.
        copies: what `index.copies` found in these melodies; looked for where None.
        bound: how many notes people seldom exceed (`copy_length_quantile`); None where nobody was asked.
        leave_out: `(melodies,)`: the piece that is no source of each, where copies are looked for; the n-grams of that
            piece do not count as the corpus's either.

    Raises:
        UsageError: copies or pieces left out of another number of melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> index = CopyIndex.from_lines(GridEncoding().line(np.array([[14, 16, 18, 19, 21]])))
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 19, 21, 22, 22, 22]]))
        >>> counts = originality_counts(line, index, bound=4)
        >>> {name: round(value, 3) for name, value in counts.statistics().items()}
        {'copied_notes': 5.0, 'copied_share': 0.625, 'novel_4': 0.75, 'novel_8': nan, 'copied_beyond_people': 1.0}
    """
    found = index.copies(line, leave_out) if copies is None else copies
    if len(found.notes) != line.melodies:
        raise UsageError(f"copies of {len(found.notes)} melodies for {line.melodies}", "give those of the same line")
    judged = found.out_of > 1
    counts: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "copied_notes": (found.notes, judged),
        "copied_share": (found.notes / np.maximum(found.out_of, 1), judged),
        **{f"novel_{n}": found.novel_ngrams(n) for n in NOVEL},
    }
    if bound is not None:
        counts["copied_beyond_people"] = found.notes > bound, judged
    return RuleCounts.from_pairs(counts)


def copy_length_quantile(copies: Copies, share: float = 0.95) -> int | None:
    """How many notes the longest copied runs of so large a share of melodies have at most.

    The least number of notes that is not exceeded by that share of the melodies of two notes or more: the quantile of
    definition 1 in R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, The American Statistician 50,
    1996. Longer melodies borrow longer runs: ask it of people's excerpts that are as long as what is held beside them,
    without their own pieces as sources.

    Args:
        copies: what people's melodies have copied.
        share: the share of melodies that do not exceed it, above 0.

    Returns:
        None where no melody has two notes.

    Raises:
        UsageError: the share is no share.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 14], [14, 16, 14], [14, 16, 18], [14, 16, 21]]))
        >>> copies = CopyIndex.from_lines(line).copies(line, leave_out=np.arange(4))
        >>> copies.notes.tolist(), copy_length_quantile(copies, 0.25), copy_length_quantile(copies, 0.95)
        ([0, 2, 2, 2], 0, 2)
    """
    if not 0 < share <= 1:
        raise UsageError(f"a share of {share}", "give a share above 0 and up to 1, such as 0.95")
    notes = copies.notes[copies.out_of > 1]
    return int(np.quantile(notes, share, method="inverted_cdf")) if len(notes) else None
