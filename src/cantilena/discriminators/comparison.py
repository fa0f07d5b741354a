"""The data of a two-sample test: human and generated melodies of one length, normalised, split by piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.features import GROUPS, grouped_features
from cantilena.errors import UsageError
from cantilena.music import HOLD, OFF, Line
from cantilena.rules import Notes, lengths, tones

_TOO_SHORT = 0.1
"""Share of the melodies of a set that may be too short."""
_MODEL_SELECTION, _TEST = 0.15, 1 / 3
_PER_PIECE = 4
"""Maximum number of melodies of one piece in a split, so that a long piece does not dominate."""


@dataclass(frozen=True)
class Examples:
    """Melodies to classify, with cached features.

    Args:
        line: melodies of one length.
        steps_per_bar: steps in a bar.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> examples = Examples(GridEncoding().line(np.array([[14, 16], [14, 1]])), steps_per_bar=2)
        >>> len(examples), len(examples.notes), len(examples[[1]])
        (2, 3, 1)
    """

    line: Line
    steps_per_bar: int = 16

    def __len__(self) -> int:
        return self.line.melodies

    def __getitem__(self, rows: Any) -> Examples:  # noqa: ANN401  (any index of numpy)
        """Some of the melodies, with the features that are known."""
        some = Examples(self.line[rows], self.steps_per_bar)
        if "groups" in self.__dict__:
            some.__dict__["groups"] = {name: values[rows] for name, values in self.groups.items()}
        return some

    @cached_property
    def notes(self) -> Notes:
        """Their notes."""
        return Notes.from_line(self.line)

    @cached_property
    def groups(self) -> dict[str, NDArray[np.float64]]:
        """Their musical features by group, each `(melodies, features)`."""
        return grouped_features(self.line, self.steps_per_bar)

    @property
    def features(self) -> NDArray[np.float64]:
        """Their musical features, `(melodies, features)`."""
        return self.columns(tuple(GROUPS))

    def columns(self, groups: Sequence[str]) -> NDArray[np.float64]:
        """The musical features of some groups, `(melodies, features)`."""
        return np.concatenate([self.groups[name] for name in groups], axis=1)


@dataclass(frozen=True)
class Comparison:
    """Human and generated melodies of one length.

    Args:
        line: all melodies.
        generated: `(melodies,)`: which are generated.
        piece: `(melodies,)`: equal for melodies of one piece, which always go into the same split.
        left_out: number of melodies that were too short.
    """

    line: Line
    generated: NDArray[np.bool_]
    piece: NDArray[np.int64]
    left_out: int = 0

    @classmethod
    def from_samples(
        cls,
        human: Line,
        pieces: NDArray[np.generic],
        generated: Line,
        generated_pieces: NDArray[np.generic] | None = None,
    ) -> Comparison:
        """Cut both sides to the largest length that nine in ten melodies of each have; shorter ones are left out.

        Args:
            human: human melodies.
            pieces: `(melodies,)` the piece of each, as any labels.
            generated: generated melodies.
            generated_pieces: the same for these; None if each is a piece.

        Raises:
            UsageError: the number of labels differs from that of melodies.

        Examples:
            >>> from cantilena.tokenizers import GridEncoding
            >>> line = GridEncoding().line(np.ones((4, 8), int))
            >>> Comparison.from_samples(line, np.array([0, 0, 1, 1]), line).piece.tolist()
            [0, 0, 1, 1, 2, 3, 4, 5]
        """
        own = np.arange(generated.melodies) if generated_pieces is None else generated_pieces
        steps = common_steps(human, generated)
        lines, labels, left_out = [], [], 0
        for line, names in ((human, pieces), (generated, own)):
            if len(names) != line.melodies:
                raise UsageError(f"got {len(names)} labels for {line.melodies} melodies", "give each melody its piece")
            kept = lengths(line) >= steps
            left_out += int((~kept).sum())
            lines.append(canonical_rests(cut(line[kept], steps)))
            labels.append(np.unique(np.asarray(names)[kept], return_inverse=True)[1].astype(np.int64))
        second = labels[1] + int(labels[0].max(initial=-1)) + 1
        sides = np.repeat([False, True], [lines[0].melodies, lines[1].melodies])
        whole = Line(
            *(
                np.concatenate([getattr(line, name) for line in lines])
                for name in ("event", "pitch", "pitch_classes", "length")
            )
        )
        return cls(whole, sides, np.concatenate([labels[0], second]), left_out)

    @property
    def steps(self) -> int:
        """The length of the melodies."""
        return self.line.steps

    def melodies(self, *, generated: bool) -> int:
        """Number of melodies of one kind."""
        return int((self.generated == generated).sum())

    def pieces(self, *, generated: bool) -> int:
        """Number of pieces of one kind."""
        return len(np.unique(self.piece[self.generated == generated]))

    def human_halves(self, rng: np.random.Generator) -> Comparison:
        """The human melodies only, with a random half of their pieces labelled as generated."""
        rows = np.flatnonzero(~self.generated)
        half = _random_pieces(self.piece[rows], 0.5, rng)
        return Comparison(self.line[rows], half, self.piece[rows])

    def model_selection_part(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """`(melodies,)`: the part for choosing the strongest classifier: whole pieces of both kinds."""
        return self._part(np.arange(len(self.piece)), _MODEL_SELECTION, rng)

    def split(self, rest: NDArray[np.bool_], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Balanced rows for training and for testing, of some `(melodies,)`; a third of each kind is tested."""
        test = self._part(np.flatnonzero(rest), _TEST, rng)
        train = rest & ~test
        return self.balance(np.flatnonzero(train), rng), self.balance(np.flatnonzero(test), rng)

    def balance(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A random subset with as many rows of each kind and at most four of each piece."""
        rows = rng.permutation(rows)
        rows = rows[_occurrences(self.piece[rows]) < _PER_PIECE]
        sides = [rows[self.generated[rows] == side] for side in (False, True)]
        size = min(len(side) for side in sides)
        return np.sort(np.concatenate([side[:size] for side in sides]))

    def examples(self, steps_per_bar: int, rng: np.random.Generator) -> Examples:
        """All melodies, each in a random key, with their features."""
        examples = Examples(transpose_randomly(self.line, rng), steps_per_bar)
        examples.groups  # noqa: B018  (computes them once for all splits)
        return examples

    def _part(self, rows: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
        """`(melodies,)`: a share of the rows of each kind, in whole pieces."""
        part = np.zeros(len(self.piece), np.bool_)
        for side in (False, True):
            of_kind = rows[self.generated[rows] == side]
            part[of_kind[_random_pieces(self.piece[of_kind], share, rng)]] = True
        return part


def common_steps(*lines: Line) -> int:
    """The largest length that nine in ten melodies of each set have; 0 for an empty set.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> short = GridEncoding().line(np.ones((10, 6), int), np.array([1] + [4] * 9))
        >>> common_steps(short, GridEncoding().line(np.ones((3, 5), int)))
        4
    """
    if not all(line.melodies for line in lines):
        return 0
    return min(int(np.quantile(lengths(line), _TOO_SHORT, method="higher")) for line in lines)


def cut(line: Line, steps: int) -> Line:
    """The first steps of melodies that are at least as long; a note that is cut sounds to the end."""
    size = np.full(line.melodies, steps, dtype=np.int64)
    return Line(line.event[:, :steps], line.pitch[:, :steps], line.pitch_classes[:, :steps], size)


def canonical_rests(line: Line) -> Line:
    """The same melodies without redundant offs: an off during silence becomes a hold.

    Without this a classifier could recognise a model by its spelling of rests.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> canonical_rests(GridEncoding().line(np.array([[0, 14, 0, 0, 1, 0]]))).event.tolist()
        [[1, 2, 0, 1, 1, 1]]
    """
    steps = np.arange(line.steps)
    latest = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), latest[:, :-1]], axis=1)[:, : line.steps]
    silent = (before < 0) | (np.take_along_axis(line.event, np.maximum(before, 0), axis=1) == OFF)
    event = np.where((line.event == OFF) & silent, HOLD, line.event).astype(np.int8)
    return Line(event, line.pitch, line.pitch_classes, line.length)


def transpose_randomly(line: Line, rng: np.random.Generator) -> Line:
    """Transpose each melody at random by -6 to 5 semitones, within MIDI's range.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.full((12, 2), 14))
        >>> sorted(set((transpose_randomly(line, np.random.default_rng(1)).pitch[:, 0] - 60).tolist()))
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


def _random_pieces(piece: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """`(melodies,)`: whole pieces in random order until they have that share of the melodies, but not all pieces."""
    labels, member, size = np.unique(piece, return_inverse=True, return_counts=True)
    order = rng.permutation(len(labels))
    before = np.cumsum(size[order]) - size[order]
    drawn = np.zeros(len(labels), np.bool_)
    drawn[order] = before < share * len(piece)
    if len(labels) > 1:
        drawn[order[-1]] = False
    part: NDArray[np.bool_] = drawn[member]
    return part


def _occurrences(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each label, how often it occurred before."""
    order = np.argsort(label, kind="stable")
    ranked = label[order]
    counts = np.empty(len(label), dtype=np.int64)
    counts[order] = np.arange(len(label)) - np.searchsorted(ranked, ranked)
    return counts
