"""What a network is told before each step, as rows of one table.

Every feature is a choice among a few values, so each gets its own rows in one table of vectors, and a step is described
by the sum of the rows chosen. The sum is as expressive as the vectors side by side, and it lets a network step through
a melody with one look-up: the table times the first layer's weights is computed once (`Network.start`).

Where a melody's end has been heard before in the same melody, and what followed there.

The match of an earlier step with the melody's end is how many tokens on end, backwards from just before that step,
equal the last ones: m(t, j) = m(t - 1, j - 1) + 1 if token t equals token j - 1, else 0. What followed the longest
match is the best guess of a melody that repeats itself: the n-gram's copy model rests on the same count
(`ngram_kernels.py`), and so does the match model of the PAQ compressors (Mahoney 2005, Adaptive Weighing of Context
Models for Lossless Data Compression, Florida Tech CS-2005-16), whose mixing the network does here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models import conditions
from cantilena.models.network.options import NetworkOptions
from cantilena.models.protocol import Bars

LONGEST_MATCH = 96
"""Matches are followed so far; longer ones count as this."""

_FIRST_OF_KIND = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96])
KINDS = len(_FIRST_OF_KIND)
"""Lengths of matches that are told apart: short ones one by one, long ones roughly."""
_KIND = (np.searchsorted(_FIRST_OF_KIND, np.arange(LONGEST_MATCH + 1), side="right") - 1).astype(np.int64)

_FIRST_AT = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512])
DISTANCES = len(_FIRST_AT)
"""Distances in steps that are told apart."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Heard:
    """The last tokens of some melodies and their matches; never changed in place.

    Args:
        tokens: `(melodies, past)`, the latest last.
        matches: `(melodies, past)`: how long what lies before each of them equals the melodies' ends.

    Example:
        >>> heard = Heard.nothing(1)
        >>> for token in (5, 7, 9, 5, 7):
        ...     heard = heard.after(np.array([token]), reach=8)
        >>> heard.matches.tolist()  # "5 7" was heard before, and 9 followed
        [[0, 0, 2, 0, 0]]
    """

    tokens: Ints
    matches: NDArray[np.uint8]

    @classmethod
    def nothing(cls, melodies: int) -> Heard:
        """Before anything has sounded."""
        return cls(np.zeros((melodies, 0), dtype=np.int64), np.zeros((melodies, 0), dtype=np.uint8))

    def after(self, tokens: NDArray[np.integer], reach: int) -> Heard:
        """What has been heard after one more token of each melody, `(melodies,)`; at most the last `reach` are kept."""
        column = tokens[:, None]
        longer = np.minimum(self.matches, LONGEST_MATCH - 1) + np.uint8(1)
        matches = np.zeros((len(column), self.matches.shape[1] + 1), dtype=np.uint8)
        np.multiply(longer, self.tokens == column, out=matches[:, 1:])
        return Heard(np.concatenate([self.tokens, column], axis=1)[:, -reach:], matches[:, -reach:])

    def kinds(self) -> Ints:
        """`(melodies, past)`: the kind of each match, 0 to `KINDS - 1`."""
        return _KIND[self.matches]

    def echoes(self, answers: int, nothing: int) -> tuple[Ints, Ints]:
        """What followed the longest matches: different tokens, the longest match first and of equals the latest.

        Args:
            answers: how many.
            nothing: stands where there is no such token.

        Returns:
            `(melodies, answers)` tokens, and the kinds of their matches.

        Example:
            >>> tokens, matches = np.array([[5, 7, 5, 9, 5]]), np.array([[0, 1, 0, 1, 0]], dtype=np.uint8)
            >>> [array.tolist() for array in Heard(tokens, matches).echoes(3, nothing=38)]
            [[[9, 7, 38]], [[1, 1, 0]]]
        """
        melodies, past = self.tokens.shape
        said, kinds = np.full((melodies, answers), nothing), np.zeros((melodies, answers), dtype=np.int64)
        if not past:
            return said, kinds
        left, rows = self.matches, np.arange(melodies)
        for answer in range(answers):
            best = past - 1 - left[:, ::-1].argmax(axis=1)
            longest = left[rows, best]
            found = longest > 0
            said[found, answer] = self.tokens[rows, best][found]
            kinds[:, answer] = _KIND[longest]
            if answer + 1 < answers:
                left = np.where(self.tokens == said[:, answer : answer + 1], np.uint8(0), left)
        return said, kinds


def distance_kinds(steps: NDArray[np.integer]) -> Ints:
    """The kind of each distance, 0 to `DISTANCES - 1`: near ones one by one, far ones roughly.

    Example:
        >>> distance_kinds(np.array([0, 1, 5, 16, 9999])).tolist()
        [0, 1, 4, 8, 17]
    """
    kinds: Ints = np.searchsorted(_FIRST_AT, np.maximum(steps, 0), side="right").astype(np.int64) - 1
    return kinds


PLACES = 96
"""Places in a bar that are told apart; what lies beyond counts as the last (32 steps are a 4/2 bar in sixteenths)."""
LONGEST_RUN = 15
"""A melody that has repeated an earlier bar for longer than this is told the same as for this."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next step's features need from the steps before; never changed in place."""

    bars: Bars
    lags: tuple[int | Rows, ...]
    """How many steps each look-back is: a number where all melodies have one meter, else `(melodies,)`."""
    clock: int
    """The step that comes next."""
    recent: tuple[Rows, ...]
    """`(melodies,)` tokens of the last steps, as many as the longest look-back needs, the latest last."""
    runs: Rows
    """`(melodies, look-backs)`: for how many steps each melody has repeated what sounded so many bars before."""
    heard: Heard
    """What echoes are found in; nothing where there are none."""


class Features:
    """Turns tokens into rows of the table.

    Args:
        options: which features there are.
        vocabulary_size: how many tokens there are; the start symbol is one more.

    Example:
        >>> features = Features(NetworkOptions(bar_position=False, look_back=()), vocabulary_size=38)
        >>> features.of(np.array([[14, 1, 16]]), Bars.common_time(1)).tolist()
        [[[38], [14], [1]]]
    """

    def __init__(self, options: NetworkOptions, vocabulary_size: int) -> None:
        self.options, self.vocabulary_size, self.start = options, vocabulary_size, vocabulary_size
        token_rows = vocabulary_size + 1
        sizes = [token_rows]
        if options.bar_position:
            sizes += [PLACES, PLACES]
        sizes += [token_rows, LONGEST_RUN + 1] * len(options.look_back)
        sizes += [token_rows] * options.echoes + [KINDS] * options.echoes
        self._condition_sizes = conditions.sizes(options.conditions, options.styles)
        self._conditions = conditions.columns(options.conditions)
        sizes += self._condition_sizes
        self.columns = len(sizes)
        self.rows = sum(sizes)
        self._offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    @property
    def offsets(self) -> Rows:
        """`(columns,)`: the first row of each column's values in the table."""
        return self._offsets

    def of(self, tokens: NDArray[np.integer], bars: Bars | None = None) -> Rows:
        """`(melodies, steps, columns)` rows for `(melodies, steps)` tokens: entry t is made of the tokens before t.

        Raises:
            UsageError: tokens outside the vocabulary, or another shape.
        """
        tokens = self._checked(tokens, 2)
        melodies, steps = tokens.shape
        bars = Bars.common_time(melodies) if bars is None else bars
        heard = np.concatenate([np.full((melodies, 1), self.start), tokens], axis=1)  # heard[t + 1] is token t
        columns = [heard[:, :steps]]
        if self.options.bar_position:
            columns += [_place(bars.positions(steps)), np.broadcast_to(_bar_length(bars)[:, None], tokens.shape)]
        clock = np.arange(steps)[None, :]
        for lag in self._lags(bars):
            source = np.maximum(clock - lag[:, None], -1)
            columns.append(np.take_along_axis(heard, source + 1, axis=1))
            columns.append(_runs(tokens, lag))
        if self.options.echoes:
            columns += self._echoes_of(tokens)
        self._check_told(bars)
        columns += [np.broadcast_to(one[:, None], tokens.shape) for one in self._told(bars)]
        return np.stack(columns, axis=2) + self._offsets

    def first(self, melodies: int, bars: Bars | None = None) -> tuple[Rows, Memory]:
        """`(melodies, columns)` rows before anything has sounded, and the memory to go on with."""
        bars = Bars.common_time(melodies) if bars is None else bars
        self._check_told(bars)
        runs = np.zeros((melodies, len(self.options.look_back)), dtype=np.int64)
        lags = tuple(int(lag[0]) if len(lag) and (lag == lag[0]).all() else lag for lag in self._lags(bars))
        memory = Memory(bars, lags, 0, (), runs, Heard.nothing(melodies))
        return self._rows(np.full(melodies, self.start), memory), memory

    def next(self, tokens: NDArray[np.integer], memory: Memory) -> tuple[Rows, Memory]:
        """`(melodies, columns)` rows after one more token of each melody, and the new memory."""
        tokens = self._checked(tokens, 1)
        lags, runs = memory.lags, memory.runs
        if lags:
            same = np.stack([tokens == self._back(memory.recent, lag, len(tokens)) for lag in lags], axis=1)
            runs = np.where(same, np.minimum(runs + 1, LONGEST_RUN), 0)
        deepest = max((lag if isinstance(lag, int) else int(lag.max(initial=0)) for lag in lags), default=0)
        recent = (*memory.recent, tokens)[-deepest:] if deepest else ()
        heard = memory.heard.after(tokens, self.options.reach) if self.options.echoes else memory.heard
        memory = Memory(memory.bars, lags, memory.clock + 1, recent, runs, heard)
        return self._rows(tokens, memory), memory

    def _rows(self, previous: Rows, memory: Memory) -> Rows:
        columns = [previous]
        if self.options.bar_position:
            columns += [_place(memory.bars.positions(1, memory.clock)[:, 0]), _bar_length(memory.bars)]
        for index, lag in enumerate(memory.lags):
            columns += [self._back(memory.recent, lag, len(previous)), memory.runs[:, index]]
        columns += self._echoes(memory.heard)
        columns += self._told(memory.bars)
        return np.stack(columns, axis=1) + self._offsets

    def _told(self, bars: Bars) -> list[Rows]:
        """What is told of each melody beforehand: `(melodies,)` for each condition."""
        return [bars.known[:, column] for column in self._conditions]

    def _check_told(self, bars: Bars) -> None:
        for values, size, column in zip(self._told(bars), self._condition_sizes, self._conditions, strict=True):
            if values.size and not (int(values.min()) >= 0 and int(values.max()) < size):
                raise UsageError(
                    f"the {conditions.KINDS[column]} told is number {int(values.max())}",
                    f"this model knows {size - 1} of them, and 0 for none",
                )

    def _echoes(self, heard: Heard) -> list[Rows]:
        """What followed the longest matches, and their kinds: `(melodies,)` each."""
        if not self.options.echoes:
            return []
        return [*np.concatenate(heard.echoes(self.options.echoes, nothing=self.start), axis=1).T]

    def _echoes_of(self, tokens: Rows) -> list[Rows]:
        """The same before every step, `(melodies, steps)` each."""
        melodies, steps = tokens.shape
        columns = np.empty((2 * self.options.echoes, melodies, steps), dtype=np.int64)
        heard = Heard.nothing(melodies)
        for step in range(steps):
            columns[:, :, step] = self._echoes(heard)
            heard = heard.after(tokens[:, step], self.options.reach)
        return [*columns]

    def _lags(self, bars: Bars) -> list[Rows]:
        """For each look-back, how many steps it is: `(melodies,)`."""
        return [bars.steps_per_bar * count for count in self.options.look_back]

    def _back(self, recent: tuple[Rows, ...], lag: int | Rows, melodies: int) -> Rows:
        """`(melodies,)`: the token `lag` steps before the next one, the start symbol where nothing sounded yet."""
        if isinstance(lag, int):
            return recent[-lag] if lag <= len(recent) else np.full(melodies, self.start)
        lags, tokens = np.unique(lag), np.full(melodies, self.start)
        for back in lags[lags <= len(recent)].tolist():
            rows = lag == back
            tokens[rows] = recent[-back][rows]
        return tokens

    def _checked(self, tokens: NDArray[np.integer], dimensions: int) -> Rows:
        if tokens.ndim != dimensions or tokens.dtype.kind not in "iu":
            shape = "(melodies,)" if dimensions == 1 else "(melodies, steps)"
            raise UsageError(
                f"tokens of shape {tokens.shape}, type {tokens.dtype}", f"give whole numbers of shape {shape}"
            )
        if tokens.size and not (int(tokens.min()) >= 0 and int(tokens.max()) < self.vocabulary_size):
            raise UsageError(
                f"tokens run from {int(tokens.min())} to {int(tokens.max())}",
                f"the model's vocabulary has 0..{self.vocabulary_size - 1}",
            )
        return tokens.astype(np.int64, copy=False)


def _place(positions: Rows) -> Rows:
    return np.minimum(positions, PLACES - 1)


def _bar_length(bars: Bars) -> Rows:
    return np.minimum(bars.steps_per_bar, PLACES) - 1


def _runs(tokens: Rows, lag: Rows) -> Rows:
    """`(melodies, steps)`: before step t, how many steps on end have been equal to those `lag` steps earlier."""
    melodies, steps = tokens.shape
    clock = np.arange(steps)[None, :]
    source = clock - lag[:, None]
    same = (np.take_along_axis(tokens, np.maximum(source, 0), axis=1) == tokens) & (source >= 0)
    broken = np.maximum.accumulate(np.where(same, -1, clock), axis=1)
    runs = np.zeros((melodies, steps), dtype=np.int64)
    runs[:, 1:] = np.minimum(clock - broken, LONGEST_RUN)[:, :-1]
    return runs
