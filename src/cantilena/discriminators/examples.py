"""What a listener hears: melodies of one length, in whatever key, as they sound and not as they are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.features import musical_features
from cantilena.music import HOLD, OFF, Line
from cantilena.rules import Notes, lengths, tones

_LEFT_OUT = 0.1


@dataclass(frozen=True)
class Examples:
    """Melodies to be told apart; what the listeners hear in them is computed once.

    Args:
        line: all of one length.
        steps_per_bar: where bars begin.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard = Examples(GridEncoding().line(np.array([[14, 16], [14, 1]])), steps_per_bar=2)
        >>> len(heard), len(heard.notes), len(heard[[1]])
        (2, 3, 1)
    """

    line: Line
    steps_per_bar: int = 16

    def __len__(self) -> int:
        return self.line.melodies

    def __getitem__(self, rows: Any) -> Examples:  # noqa: ANN401  (whatever numpy takes as an index)
        """Some of the melodies."""
        return Examples(self.line[rows], self.steps_per_bar)

    @cached_property
    def notes(self) -> Notes:
        """Their notes."""
        return Notes.of(self.line)

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """Their musical features, `(melodies, numbers)`."""
        return np.concatenate(list(musical_features(self.line, self.steps_per_bar).values()), axis=1)


def common_steps(*lines: Line) -> int:
    """The length to which all sets are cut: the largest that nine in ten melodies of each have; 0 without melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> short = GridEncoding().line(np.ones((10, 6), int), np.array([1] + [4] * 9))
        >>> common_steps(short, GridEncoding().line(np.ones((3, 5), int)))
        4
    """
    if not all(line.melodies for line in lines):
        return 0
    return min(int(np.quantile(lengths(line), _LEFT_OUT, method="higher")) for line in lines)


def cut(line: Line, steps: int) -> Line:
    """The first steps of a set whose melodies are all as long: a note that is cut sounds to the end."""
    size = np.full(line.melodies, steps, dtype=np.int64)
    return Line(line.event[:, :steps], line.pitch[:, :steps], line.pitch_classes[:, :steps], size)


def as_heard(line: Line) -> Line:
    """The same melodies with one way to write each: sound that stops where there is none is no event.

    Without this a model would be found out by how it writes silence.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> as_heard(GridEncoding().line(np.array([[0, 14, 0, 0, 1, 0]]))).event.tolist()
        [[1, 2, 0, 1, 1, 1]]
    """
    steps = np.arange(line.steps)
    latest = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), latest[:, :-1]], axis=1)[:, : line.steps]
    silent = (before < 0) | (np.take_along_axis(line.event, np.maximum(before, 0), axis=1) == OFF)
    event = np.where((line.event == OFF) & silent, HOLD, line.event).astype(np.int8)
    return Line(event, line.pitch, line.pitch_classes, line.length)


def transposed(line: Line, rng: np.random.Generator) -> Line:
    """Each melody in a random key: up to six semitones down or five up, as far as MIDI's pitches go.

    Args:
        line: the melodies.
        rng: draws the keys.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.full((12, 2), 14))
        >>> sorted(set((transposed(line, np.random.default_rng(1)).pitch[:, 0] - 60).tolist()))
        [-6, -5, -3, -2, -1, 0, 3, 5]
    """
    begins = tones(line)
    lowest = np.where(begins, line.pitch, 127).min(axis=1, initial=127)
    highest = np.where(begins, line.pitch, 0).max(axis=1, initial=0)
    down, up = np.maximum(-6, -lowest), np.minimum(5, 127 - highest)
    shift = np.floor(down + rng.random(line.melodies) * (up - down + 1)).astype(np.int64)[:, None]
    turn, classes = shift % 12, line.pitch_classes.astype(np.int64)
    pitch = np.where(begins, line.pitch + shift, line.pitch)
    rotated = ((classes << turn) | (classes >> (12 - turn))) & 0xFFF
    return Line(line.event, pitch.astype(np.int16), rotated.astype(np.int16), line.length)
