"""The input of a network before each step, as rows of one embedding table.

Every feature is one of a few values and has its own rows in the table; a step is the sum of its rows. Since table and
first layer are both linear, their product is computed once, and stepping costs one look-up (`Network.start`).

Repeat features rest on matches: the match of an earlier step with the end of the melody is the number of tokens,
counted backwards from just before that step, that equal the last tokens: m(t, j) = m(t - 1, j - 1) + 1 if token t
equals token j - 1, else 0. What followed the longest match is a good prediction in melodies that repeat themselves, as
in the n-gram's copy model (`ngram/kernels.py`) and the match model of the PAQ compressors (Mahoney 2005, Adaptive
Weighing of Context Models for Lossless Data Compression, Florida Tech CS-2005-16).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models.conditions import CONDITIONS, MODES, UNKNOWN, condition_columns, condition_sizes
from cantilena.models.network.options import NetworkOptions
from cantilena.models.protocol import Bars
from cantilena.music import HOLD, ON, Meter
from cantilena.tokenizers import check_tokens

BAR_POSITIONS = 96
"""Positions in a bar with a row of their own; later ones share the last (32 steps are a 4/2 bar in sixteenths)."""

MAX_RUN = 15
"""Steps of repetition of an earlier bar with a row of their own; longer ones share the last."""

MAX_STEP = 14
"""Semitones up and down with a row of their own in melodic features; wider intervals share the last."""

MAX_SINCE = 33
"""Steps with a row of their own in melodic features; longer times share the last."""

MAX_MATCH = 96
"""Longest match; longer ones count as this."""

_MATCH_STARTS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96])
MATCH_BINS = len(_MATCH_STARTS)
"""Bins of lengths of matches: short ones singly, long ones coarsely."""
_MATCH_BIN = (np.searchsorted(_MATCH_STARTS, np.arange(MAX_MATCH + 1), side="right") - 1).astype(np.int64)

_DISTANCE_STARTS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512])
DISTANCE_BINS = len(_DISTANCE_STARTS)
"""Bins of distances in steps."""

Ints = NDArray[np.int64]


def distance_bins(steps: NDArray[np.integer]) -> Ints:
    """The bin of each distance, 0 to `DISTANCE_BINS - 1`.

    Examples:
        >>> distance_bins(np.array([0, 1, 5, 16, 9999])).tolist()
        [0, 1, 4, 8, 17]
    """
    bins: Ints = np.searchsorted(_DISTANCE_STARTS, np.maximum(steps, 0), side="right").astype(np.int64) - 1
    return bins


def match_bins(lengths: NDArray[np.integer]) -> Ints:
    """The bin of each length of a match, 0 to `MATCH_BINS - 1`.

    Examples:
        >>> match_bins(np.array([0, 1, 9, 96])).tolist()
        [0, 1, 8, 21]
    """
    return np.asarray(_MATCH_BIN[lengths])


@dataclass(frozen=True, slots=True)
class TokenHistory:
    """The last tokens of some melodies and their matches; immutable.

    Args:
        tokens: `(melodies, past)`, the latest last.
        matches: `(melodies, past)`: the length of the match that ends before each token.

    Examples:
        >>> history = TokenHistory.empty(1)
        >>> for token in (5, 7, 9, 5, 7):
        ...     history = history.append(np.array([token]), max_context=8)
        >>> history.matches.tolist()  # "5 7" was there before, and 9 followed
        [[0, 0, 2, 0, 0]]
    """

    tokens: Ints
    matches: NDArray[np.uint8]

    @classmethod
    def empty(cls, melodies: int) -> TokenHistory:
        """The history before the first token."""
        return cls(np.zeros((melodies, 0), dtype=np.int64), np.zeros((melodies, 0), dtype=np.uint8))

    def append(self, tokens: NDArray[np.integer], max_context: int) -> TokenHistory:
        """The history after `(melodies,)` more tokens, cut to the last `max_context`."""
        column = tokens[:, None]
        longer = np.minimum(self.matches, MAX_MATCH - 1) + np.uint8(1)
        matches = np.zeros((len(column), self.matches.shape[1] + 1), dtype=np.uint8)
        np.multiply(longer, self.tokens == column, out=matches[:, 1:])
        return TokenHistory(np.concatenate([self.tokens, column], axis=1)[:, -max_context:], matches[:, -max_context:])

    def take_rows(self, rows: NDArray[np.integer]) -> TokenHistory:
        """Those of the melodies with these numbers."""
        return TokenHistory(self.tokens[rows], self.matches[rows])

    def match_bins(self) -> Ints:
        """`(melodies, past)`: the bin of each match, 0 to `MATCH_BINS - 1`."""
        return match_bins(self.matches)

    def continuations(self, count: int, missing: int) -> tuple[Ints, Ints]:
        """`(melodies, count)` different tokens that followed the longest matches, and the bins of these matches.

        The longest match comes first, and of equals the latest; `missing` fills up if there are fewer.

        Examples:
            >>> tokens, matches = np.array([[5, 7, 5, 9, 5]]), np.array([[0, 1, 0, 1, 0]], dtype=np.uint8)
            >>> [array.tolist() for array in TokenHistory(tokens, matches).continuations(3, missing=38)]
            [[[9, 7, 38]], [[1, 1, 0]]]
        """
        melodies, past = self.tokens.shape
        tokens, bins = np.full((melodies, count), missing), np.zeros((melodies, count), dtype=np.int64)
        if not past:
            return tokens, bins
        left, rows = self.matches, np.arange(melodies)
        for number in range(count):
            best = past - 1 - left[:, ::-1].argmax(axis=1)
            longest = left[rows, best]
            found = longest > 0
            tokens[found, number] = self.tokens[rows, best][found]
            bins[:, number] = match_bins(longest)
            if number + 1 < count:
                left = np.where(self.tokens == tokens[:, number : number + 1], np.uint8(0), left)
        return tokens, bins


@dataclass(frozen=True, slots=True)
class MelodyState:
    """The last notes of some melodies on a grid; immutable.

    Args:
        pitches: `(melodies, 3)` tokens of the last notes, the latest first, 0 for none.
        durations: `(melodies, 2)` steps from the onset before to the last onset, and the same one note earlier.
        since: `(melodies,)` steps since the last onset, 0 before the first.
        sounds: `(melodies,)` whether the last note still sounds.
    """

    pitches: Ints
    durations: Ints
    since: Ints
    sounds: NDArray[np.bool_]

    @classmethod
    def empty(cls, melodies: int) -> MelodyState:
        """The state before the first token."""
        zeros = np.zeros(melodies, dtype=np.int64)
        return cls(np.zeros((melodies, 3), np.int64), np.zeros((melodies, 2), np.int64), zeros, zeros > 0)

    def append(self, tokens: Ints) -> MelodyState:
        """The state after `(melodies,)` more tokens."""
        begins = (tokens >= ON)[:, None]
        return MelodyState(
            np.where(begins, np.column_stack([tokens, self.pitches[:, :2]]), self.pitches),
            np.where(begins, np.column_stack([self.since, self.durations[:, :1]]), self.durations),
            np.where(begins[:, 0], 1, self.since + (self.since > 0)),
            begins[:, 0] | (self.sounds & (tokens == HOLD)),
        )

    def take_rows(self, rows: NDArray[np.integer]) -> MelodyState:
        """That of the melodies with these numbers."""
        return MelodyState(self.pitches[rows], self.durations[rows], self.since[rows], self.sounds[rows])

    def rows(self) -> Ints:
        """`(melodies, 6)`: last pitch and whether it sounds, two intervals, two durations, steps since the onset."""
        intervals = np.clip(self.pitches[:, :2] - self.pitches[:, 1:], -MAX_STEP, MAX_STEP) + MAX_STEP
        known = (self.pitches[:, 1:] > 0) & (self.pitches[:, :2] > 0)
        last = 2 * self.pitches[:, 0] + self.sounds
        times = np.minimum(np.column_stack([self.durations, self.since]), MAX_SINCE)
        return np.column_stack([last, np.where(known, intervals, 2 * MAX_STEP + 1), times])


@dataclass(frozen=True, slots=True)
class FeatureState:
    """What the features of the next step need from the steps before; immutable."""

    bars: Bars
    lags: tuple[int | Ints, ...]
    """Steps of each look-back: a number if all melodies have one meter, else `(melodies,)`."""
    clock: int
    """The number of the next step."""
    recent: tuple[Ints, ...]
    """`(melodies,)` tokens of the last steps, as many as the longest look-back needs, the latest last."""
    runs: Ints
    """`(melodies, look-backs)`: for how many steps each melody has repeated the tokens of that many bars ago."""
    history: TokenHistory
    """Empty without repeat features."""
    melody: MelodyState | None = None
    """None without melodic features."""

    def take_rows(self, rows: NDArray[np.integer]) -> FeatureState:
        """The state of the melodies with `(k,)` numbers; a melody may come several times.

        Examples:
            >>> features = Features(NetworkOptions(bar_position=False), vocabulary_size=38)
            >>> _, state = features.first(2)
            >>> len(features.next(np.array([14, 16, 1]), state.take_rows(np.array([1, 0, 0])))[0])
            3
        """
        return FeatureState(
            self.bars[rows],
            tuple(lag if isinstance(lag, int) else lag[rows] for lag in self.lags),
            self.clock,
            tuple(tokens[rows] for tokens in self.recent),
            self.runs[rows],
            self.history.take_rows(rows),
            None if self.melody is None else self.melody.take_rows(rows),
        )


class Features:
    """Converts tokens to rows of the table.

    Args:
        options: which features there are.
        vocabulary_size: number of tokens; the start symbol is one more.

    Examples:
        >>> features = Features(NetworkOptions(bar_position=False, look_back=()), vocabulary_size=38)
        >>> features.encode(np.array([[14, 1, 16]]), Bars.common_time(1)).tolist()
        [[[38], [14], [1]]]
    """

    period = 1
    """Tokens of a step."""

    def __init__(self, options: NetworkOptions, vocabulary_size: int) -> None:
        self.options, self.vocabulary_size, self.start = options, vocabulary_size, vocabulary_size
        token_rows = vocabulary_size + 1
        sizes = [token_rows]
        if options.bar_position:
            sizes += [BAR_POSITIONS, BAR_POSITIONS]
        sizes += [token_rows, MAX_RUN + 1] * len(options.look_back)
        sizes += [token_rows] * options.repeat_features + [MATCH_BINS] * options.repeat_features
        if options.melodic:
            sizes += [2 * token_rows, *[2 * MAX_STEP + 2] * 2, *[MAX_SINCE + 1] * 3]
        self._condition_sizes = condition_sizes(options.conditions, options.styles, len(options.modes))
        self._conditions = condition_columns(options.conditions)
        sizes += self._condition_sizes
        self.columns = len(sizes)
        self.rows = sum(sizes)
        self.offsets: Ints = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        """`(columns,)`: the first row of each column."""

    def encode(self, tokens: NDArray[np.integer], bars: Bars | None = None) -> Ints:
        """`(melodies, steps, columns)` rows for `(melodies, steps)` tokens: entry t is made of the tokens before t.

        Raises:
            UsageError: tokens or condition ids are invalid.
        """
        tokens = check_tokens(tokens, self.vocabulary_size, 2)
        melodies, steps = tokens.shape
        bars = checked_bars(bars, melodies, self.options, self._condition_sizes)
        before = np.concatenate([np.full((melodies, 1), self.start), tokens], axis=1)  # before[t + 1] is token t
        columns = [before[:, :steps]]
        if self.options.bar_position:
            columns += [
                np.minimum(bars.positions(steps), BAR_POSITIONS - 1),
                np.broadcast_to(_bar_length(bars)[:, None], tokens.shape),
            ]
        clock = np.arange(steps)[None, :]
        for lag in self._lags(bars):
            source = np.maximum(clock - lag[:, None], -1)
            columns.append(np.take_along_axis(before, source + 1, axis=1))
            columns.append(_runs(tokens, lag))
        if self.options.repeat_features:
            repeats = np.empty((2 * self.options.repeat_features, melodies, steps), dtype=np.int64)
            history = TokenHistory.empty(melodies)
            for step in range(steps):
                repeats[:, :, step] = self._repeats(history)
                history = history.append(tokens[:, step], self.options.max_context)
            columns += [*repeats]
        if self.options.melodic:
            melody, rows = MelodyState.empty(melodies), []
            for step in range(steps):
                rows.append(melody.rows())
                melody = melody.append(tokens[:, step])
            columns += [*np.stack(rows, axis=1).transpose(2, 0, 1)] if rows else [tokens] * 6
        columns += [np.broadcast_to(bars.condition_ids[:, [kind]], tokens.shape) for kind in self._conditions]
        return np.stack(columns, axis=2) + self.offsets

    def first(self, melodies: int, bars: Bars | None = None) -> tuple[Ints, FeatureState]:
        """`(melodies, columns)` rows of the first step, and the state."""
        bars = checked_bars(bars, melodies, self.options, self._condition_sizes)
        lags = tuple(int(lag[0]) if len(lag) and (lag == lag[0]).all() else lag for lag in self._lags(bars))
        runs = np.zeros((melodies, len(lags)), dtype=np.int64)
        melody = MelodyState.empty(melodies) if self.options.melodic else None
        state = FeatureState(bars, lags, 0, (), runs, TokenHistory.empty(melodies), melody)
        return self._rows(np.full(melodies, self.start), state), state

    def next(self, tokens: NDArray[np.integer], state: FeatureState) -> tuple[Ints, FeatureState]:
        """`(melodies, columns)` rows of the next step after `(melodies,)` tokens, and the new state."""
        tokens = check_tokens(tokens, self.vocabulary_size, 1)
        lags, runs = state.lags, state.runs
        if lags:
            same = np.stack([tokens == self._look_back(state.recent, lag, len(tokens)) for lag in lags], axis=1)
            runs = np.where(same, np.minimum(runs + 1, MAX_RUN), 0)
        deepest = max((lag if isinstance(lag, int) else int(lag.max(initial=0)) for lag in lags), default=0)
        recent = (*state.recent, tokens)[-deepest:] if deepest else ()
        history = state.history
        if self.options.repeat_features:
            history = history.append(tokens, self.options.max_context)
        melody = None if state.melody is None else state.melody.append(tokens)
        state = FeatureState(state.bars, lags, state.clock + 1, recent, runs, history, melody)
        return self._rows(tokens, state), state

    def _rows(self, previous: Ints, state: FeatureState) -> Ints:
        columns = [previous]
        if self.options.bar_position:
            position = state.bars.positions(1, state.clock)[:, 0]
            columns += [np.minimum(position, BAR_POSITIONS - 1), _bar_length(state.bars)]
        for index, lag in enumerate(state.lags):
            columns += [self._look_back(state.recent, lag, len(previous)), state.runs[:, index]]
        if self.options.repeat_features:
            columns += [*self._repeats(state.history)]
        if state.melody is not None:
            columns += [*state.melody.rows().T]
        columns += [state.bars.condition_ids[:, kind] for kind in self._conditions]
        return np.stack(columns, axis=1) + self.offsets

    def _repeats(self, history: TokenHistory) -> Ints:
        """`(2 repeat features, melodies)`: tokens that followed the longest matches, then the bins of the matches."""
        continuations = history.continuations(self.options.repeat_features, missing=self.start)
        return np.concatenate(continuations, axis=1).T

    def _lags(self, bars: Bars) -> list[Ints]:
        """`(melodies,)` steps of each look-back."""
        return [bars.steps_per_bar * count for count in self.options.look_back]

    def _look_back(self, recent: tuple[Ints, ...], lag: int | Ints, melodies: int) -> Ints:
        """`(melodies,)`: the token `lag` steps before the next one, or the start symbol."""
        if isinstance(lag, int):
            return recent[-lag] if lag <= len(recent) else np.full(melodies, self.start)
        lags, tokens = np.unique(lag), np.full(melodies, self.start)
        for back in lags[lags <= len(recent)].tolist():
            rows = lag == back
            tokens[rows] = recent[-back][rows]
        return tokens


def checked_bars(
    bars: Bars | None, melodies: int, options: NetworkOptions, sizes: Sequence[int], ticks_per_count: int = 6
) -> Bars:
    """The bars, 4/4 if None, after checking that a network has their condition ids; its modes by its own ids.

    Args:
        bars: of the melodies.
        melodies: their number.
        options: of the network.
        sizes: the number of ids of each of its conditions.
        ticks_per_count: ticks of the unit in which the network counts.

    Raises:
        UsageError: the network does not have an id.
    """
    if bars is None:
        return Bars.from_meter(Meter(), melodies=melodies, ticks_per_step=ticks_per_count)
    known = bars.condition_ids.copy()
    for kind, size in zip(condition_columns(options.conditions), sizes, strict=True):
        ids = known[:, kind]
        if CONDITIONS[kind] == "mode" and ids.size and ids.min() >= 0 and ids.max() <= len(MODES):
            own = [UNKNOWN, *(1 + options.modes.index(m) if m in options.modes else UNKNOWN for m in MODES)]
            known[:, kind] = ids = np.array(own)[ids]
        if ids.size and not (int(ids.min()) >= 0 and int(ids.max()) < size):
            raise UsageError(
                f"there is no {CONDITIONS[kind]} with the id {int(ids.max())}",
                f"this model has the ids 1 to {size - 1}, and 0 for unknown",
            )
    return replace(bars, condition_ids=known)


def _bar_length(bars: Bars) -> Ints:
    return np.minimum(bars.steps_per_bar, BAR_POSITIONS) - 1


def _runs(tokens: Ints, lag: Ints) -> Ints:
    """`(melodies, steps)`: for how many steps before step t the tokens have equalled those `lag` steps earlier."""
    melodies, steps = tokens.shape
    clock = np.arange(steps)[None, :]
    source = clock - lag[:, None]
    same = (np.take_along_axis(tokens, np.maximum(source, 0), axis=1) == tokens) & (source >= 0)
    broken = np.maximum.accumulate(np.where(same, -1, clock), axis=1)
    runs = np.zeros((melodies, steps), dtype=np.int64)
    runs[:, 1:] = np.minimum(clock - broken, MAX_RUN)[:, :-1]
    return runs
