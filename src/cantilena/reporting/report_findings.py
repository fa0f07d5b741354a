"""What an evaluation found out, as a report tells it: verdicts, differences, distributions, copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Melody

Tone = Literal["good", "bad", "note"]
"""Whether a verdict is welcome, a warning, or only to be known."""

HOLDS = 0.05
"""A difference is told where its corrected p-value is not above this."""


@dataclass(frozen=True)
class Remark:
    """One sentence about a system that follows from its numbers.

    Args:
        system: whose; two names for a pair.
        text: the sentence.
        tone: whether it is welcome.
    """

    system: str
    text: str
    tone: Tone = "note"


class DifferenceTested(Protocol):
    """A difference between two systems and how sure it is, as `comparison` finds it."""

    @property
    def first(self) -> str:
        """The system that is held beside the other."""

    @property
    def second(self) -> str:
        """The other system."""

    @property
    def metric(self) -> str:
        """In which number they differ."""

    @property
    def value(self) -> float | None:
        """By how much: the second system's number less the first's."""

    @property
    def p(self) -> float | None:
        """How often labels drawn at random differ as much; None where they cannot tell."""

    @property
    def adjusted(self) -> float | None:
        """The same after Holm's correction for all numbers of the pair; None where it was not tested."""


@dataclass(frozen=True)
class Distribution:
    """How a feature of melodies is spread, in people's and in each system's.

    Args:
        metric: a word for it, unique in a report.
        label: what it is called: "Range".
        unit: in what it is counted: "semitones"; "" for shares.
        values: by system, `(melodies,)`; NaN where a melody has none.
    """

    metric: str
    label: str
    unit: str
    values: Mapping[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class CopiedPassage:
    """The longest run of notes of a melody that the corpus has too.

    Args:
        system: whose melody.
        label: of the melody: its number, file or title.
        notes: how many notes are the same, transposed or not.
        bars: of the melody: `5-8`.
        source_title: of the piece that has them, "" where it has no title.
        source_file: where the piece is from.
        source_bars: of the piece.
        excerpt: those bars of the melody.
        source_excerpt: those bars of the piece.
        more_than_people: whether people's own melodies seldom borrow so much.
        melody: its number, from 0, among the melodies that the report lets one hear; None if it is not one of them.
        first: which note of the excerpt is the first that is copied, from 0.
        source_first: which of the piece's.
    """

    system: str
    label: str
    notes: int
    bars: str
    source_title: str
    source_file: str
    source_bars: str
    excerpt: Melody
    source_excerpt: Melody
    more_than_people: bool
    melody: int | None = None
    first: int = 0
    source_first: int = 0

    @property
    def source(self) -> str:
        """The piece as it is called: its title and its file.

        Example:
            >>> CopiedPassage("lstm", "001", 9, "1-2", "The Hag", "a.abc", "5-6", Melody(()), Melody(()), False).source
            '“The Hag” (a.abc)'
        """
        return f"“{self.source_title}” ({self.source_file})" if self.source_title else self.source_file
