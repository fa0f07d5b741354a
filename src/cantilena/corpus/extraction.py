"""One file of scores to the melodies in it: what a worker does for each file of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cantilena.corpus.options import ReadOptions
from cantilena.music import Melody


@dataclass(frozen=True, slots=True)
class Extracted:
    """A melody taken from a score, and what taking it cost.

    Args:
        melody: the notes, at 24 ticks a quarter.
        folded: notes moved by octaves (always 0 here: a score is taken at its own pitch).
        rounded: notes whose onset or end was not on a tick.
        dropped: notes that were left out where a line or a chord could not hold them.
    """

    melody: Melody
    folded: int = 0
    rounded: int = 0
    dropped: int = 0


def extract(path: Path, options: ReadOptions) -> list[Extracted]:
    """Read a file and take what the options ask from each score in it.

    Args:
        path: the file.
        options: what to take.

    Raises:
        ScoreError: it cannot be used, with the reason.
        MissingError: it needs an optional library.
    """
    raise NotImplementedError(f"{path} {options}")
