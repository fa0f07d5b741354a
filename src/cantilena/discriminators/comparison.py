"""Two sets of melodies made ready to be told apart: one length, one way to write, pieces that stay together.

What a listener hears: melodies of one length, in whatever key, as they sound and not as they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.features import musical_features
from cantilena.errors import UsageError
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
        return Notes.from_line(self.line)

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


_ASIDE = 0.15
_TESTED = 1 / 3
_OF_ONE_PIECE = 4
"""Melodies of one piece that are heard with each seed at most: a long quartet shall not speak for all people."""


@dataclass(frozen=True)
class Comparison:
    """Melodies of two kinds.

    Args:
        line: all of them, of one length.
        generated: `(melodies,)`: which are generated.
        piece: `(melodies,)`: equal numbers for melodies of one piece, which are never both learned from and judged.
        left_out: how many were too short.
    """

    line: Line
    generated: NDArray[np.bool_]
    piece: NDArray[np.int64]
    left_out: int = 0

    @classmethod
    def of(
        cls,
        human: Line,
        pieces: NDArray[np.generic],
        generated: Line,
        generated_pieces: NDArray[np.generic] | None = None,
    ) -> Comparison:
        """Cut both sides to the largest length that nine in ten melodies of each have; shorter ones are left out.

        Args:
            human: melodies of people.
            pieces: `(melodies,)` the piece of each, as any labels.
            generated: the others.
            generated_pieces: likewise; None where each is its own.

        Raises:
            UsageError: another number of labels than of melodies.

        Example:
            >>> from cantilena.tokenizers import GridEncoding
            >>> line = GridEncoding().line(np.ones((4, 8), int))
            >>> Comparison.of(line, np.array([0, 0, 1, 1]), line).piece.tolist()
            [0, 0, 1, 1, 2, 3, 4, 5]
        """
        own = np.arange(generated.melodies) if generated_pieces is None else generated_pieces
        steps = common_steps(human, generated)
        lines, labels, left_out = [], [], 0
        for line, names in ((human, pieces), (generated, own)):
            if len(names) != line.melodies:
                raise UsageError(f"{line.melodies} melodies with {len(names)} labels", "give each melody its piece")
            kept = lengths(line) >= steps
            left_out += int((~kept).sum())
            lines.append(as_heard(cut(line[kept], steps)))
            labels.append(np.unique(np.asarray(names)[kept], return_inverse=True)[1].astype(np.int64))
        second = labels[1] + int(labels[0].max(initial=-1)) + 1
        sides = np.repeat([False, True], [lines[0].melodies, lines[1].melodies])
        return cls(_joined(*lines), sides, np.concatenate([labels[0], second]), left_out)

    @property
    def steps(self) -> int:
        """The length of all."""
        return self.line.steps

    def melodies(self, *, generated: bool) -> int:
        """How many of one kind."""
        return int((self.generated == generated).sum())

    def pieces(self, *, generated: bool) -> int:
        """Of how many pieces."""
        return len(np.unique(self.piece[self.generated == generated]))

    def halves(self, rng: np.random.Generator) -> Comparison:
        """People's melodies alone, half of their pieces at random taken for generated."""
        rows = np.flatnonzero(~self.generated)
        half = _part(self.piece[rows], 0.5, rng)
        return Comparison(self.line[rows], half, self.piece[rows])

    def aside(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """`(melodies,)`: what is kept aside to choose the strongest listener by: whole pieces of either kind."""
        return self._of_either(np.arange(len(self.piece)), _ASIDE, rng)

    def deal(self, rest: NDArray[np.bool_], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to learn from and rows to be judged, in each as many of one kind as of the other.

        Args:
            rest: `(melodies,)`: what may be dealt. A third of either kind is judged, in whole pieces.
            rng: deals.
        """
        rows = np.flatnonzero(rest)
        judged = self._of_either(rows, _TESTED, rng)
        learned = rest & ~judged
        return self.balanced(np.flatnonzero(learned), rng), self.balanced(np.flatnonzero(judged), rng)

    def balanced(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """As many rows of one kind as of the other, and no more than four of one piece, left out at random."""
        rows = rng.permutation(rows)
        rows = rows[_places(self.piece[rows]) < _OF_ONE_PIECE]
        sides = [rows[self.generated[rows] == side] for side in (False, True)]
        size = min(len(side) for side in sides)
        return np.sort(np.concatenate([side[:size] for side in sides]))

    def examples(self, steps_per_bar: int, rng: np.random.Generator) -> Examples:
        """All melodies, each in a random key."""
        return Examples(transposed(self.line, rng), steps_per_bar)

    def _of_either(self, rows: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
        chosen = np.zeros(len(self.piece), np.bool_)
        for side in (False, True):
            some = rows[self.generated[rows] == side]
            chosen[some[_part(self.piece[some], share, rng)]] = True
        return chosen


def _part(piece: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whole pieces in random order until they hold that share of the melodies or more, but not all pieces."""
    labels, member, size = np.unique(piece, return_inverse=True, return_counts=True)
    order = rng.permutation(len(labels))
    before = np.cumsum(size[order]) - size[order]
    chosen = np.zeros(len(labels), np.bool_)
    chosen[order] = before < share * len(piece)
    if len(labels) > 1:
        chosen[order[-1]] = False
    part: NDArray[np.bool_] = chosen[member]
    return part


def _places(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many times each label has come before."""
    order = np.argsort(label, kind="stable")
    ranked = label[order]
    places = np.empty(len(label), dtype=np.int64)
    places[order] = np.arange(len(label)) - np.searchsorted(ranked, ranked)
    return places


def _joined(first: Line, second: Line) -> Line:
    return Line(
        np.concatenate([first.event, second.event]),
        np.concatenate([first.pitch, second.pitch]),
        np.concatenate([first.pitch_classes, second.pitch_classes]),
        np.concatenate([first.length, second.length]),
    )
