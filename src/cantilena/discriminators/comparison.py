"""Two sets of melodies made ready to be told apart: one length, one way to write, pieces that stay together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.examples import Examples, as_heard, common_steps, cut, transposed
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules import lengths

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
