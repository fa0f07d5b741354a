"""The interface of sequence models, and the pieces that they learn from and predict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models.conditions import CONDITIONS, METERS, MODES, PLAN_COLUMNS, REGISTERS, ROLES, UNKNOWN
from cantilena.music import Key, Meter
from cantilena.tokenizers import Encoding

Array = Any
"""A numpy array, or a torch tensor if the model is a network; `to_numpy` converts either."""

State = Any
"""What a model carries from step to step; opaque to callers."""

_TICKS_PER_STEP = 6
"""Notes are measured in sixteenths, as on the grid."""

ConditionIds = NDArray[np.int64]
"""`(melodies, 6)`: an id for each of `CONDITIONS`, `UNKNOWN` or 1 and up."""


@runtime_checkable
class SequenceModel(Protocol):
    """A distribution over the next token, given all tokens before it.

    Networks, n-grams and modules of users implement it; generation, tuning and likelihood rely on nothing else. Log
    probabilities are natural logarithms, normalised over the last axis. A model that is to be tuned returns torch
    tensors with gradients from `log_probs`; `start` and `step` need none.

    A model that reads the position in the bar has `uses_bars = True`; its `start` and `log_probs` are called with
    `bars=Bars(...)` too.
    """

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        ...

    def start(self, melodies: int) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the first token, and the state."""
        ...

    def step(self, tokens: Array, state: State) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        ...

    def log_probs(self, tokens: Array) -> Array:
        """`(melodies, steps, vocabulary)` for `(melodies, steps)` tokens: entry t is given the tokens before t."""
        ...


def start_with_bars(model: SequenceModel, melodies: int, bars: Bars | None) -> tuple[Array, State]:
    """Call `model.start`, with bars if the model uses them."""
    if bars is not None and getattr(model, "uses_bars", False):
        started: tuple[Array, State] = model.start(melodies, bars=bars)  # type: ignore[call-arg]
        return started
    return model.start(melodies)


def log_probs_with_bars(model: SequenceModel, tokens: Array, bars: Bars | None) -> Array:
    """Call `model.log_probs`, with bars if the model uses them."""
    if bars is not None and getattr(model, "uses_bars", False):
        return model.log_probs(tokens, bars=bars)  # type: ignore[call-arg]
    return model.log_probs(tokens)


def only_bounds_likelihood(model: object) -> bool:
    """Whether a model gives only an upper bound on the negative log-likelihood (`nll_bound`), as a VAE does.

    Examples:
        >>> from cantilena.models import TopTokens
        >>> only_bounds_likelihood(TopTokens(vocabulary_size=4, tokens=(0, 1)))
        False
    """
    return hasattr(model, "nll_bound")


def condition_ids(
    key: Key | None = None,
    meter: Meter | None = None,
    style: int = UNKNOWN,
    role: str = "",
    register: int = UNKNOWN,
) -> ConditionIds:
    """The condition ids of one melody: `(6,)`.

    Args:
        key: None if unknown.
        meter: None if unknown.
        style: from `style_id`.
        role: one of `ROLES`; empty if unknown.
        register: from `register_id`.

    Examples:
        >>> condition_ids(Key.parse("A minor"), Meter(6, 8), role="lead").tolist()
        [10, 2, 8, 0, 1, 0]
    """
    return np.array(
        [
            UNKNOWN if key is None else 1 + key.tonic,
            UNKNOWN if key is None else 1 + MODES.index(key.mode),
            1 + METERS.index(str(meter)) if str(meter) in METERS else UNKNOWN,
            style,
            1 + ROLES.index(role) if role else UNKNOWN,
            register,
        ],
        dtype=np.int64,
    )


def transpose_condition_ids(ids: ConditionIds, semitones: NDArray[np.integer]) -> ConditionIds:
    """The condition ids of melodies transposed by `(melodies,)` semitones: keys and registers move.

    Examples:
        >>> transpose_condition_ids(condition_ids(Key.parse("A minor"))[None, :], np.array([4])).tolist()  # C# minor
        [[2, 2, 0, 0, 0, 0]]
    """
    moved = ids.copy()
    known = ids[:, 0] != UNKNOWN
    moved[known, 0] = 1 + (ids[known, 0] - 1 + semitones[known]) % 12
    thirds, known = np.rint(semitones / 4).astype(np.int64), ids[:, 5] != UNKNOWN
    moved[known, 5] = np.clip(ids[known, 5] + thirds[known], 1, REGISTERS)
    return moved


@dataclass(frozen=True, slots=True)
class Bars:
    """Bar length, pickup, conditions and length of many melodies.

    A step is that of the tokens or, if these are the notes of melodies, a tick (`Encoding.ticks_per_count`).

    Args:
        steps_per_bar: `(melodies,)` int64.
        pickup: `(melodies,)` int64, steps before the first barline.
        condition_ids: `(melodies, 6)` int64; all unknown by default.
        length: `(melodies,)` int64, steps of the whole melody, 0 if a model is not told; 0 by default.
        plan: `(melodies, bars, 4)` int64, the form of each melody as `plan_rows` has it, padded with zeros, which stand
            for what a model is not told; no bars by default.
        plan_origin: `(melodies,)` int64, where bar 1 of the form would begin if it were whole (`form_origin`); 0 by
            default.
        chords: `(melodies, changes, 3)` int64, the chords of each melody as `padded_chords` has them; none by default.

    Examples:
        >>> Bars.from_meter(Meter(3, 4), melodies=1, ticks_per_step=6, pickup=24).positions(6).tolist()
        [[8, 9, 10, 11, 0, 1]]
    """

    steps_per_bar: NDArray[np.int64]
    pickup: NDArray[np.int64]
    condition_ids: ConditionIds = None  # type: ignore[assignment]  # set below
    length: NDArray[np.int64] = None  # type: ignore[assignment]
    plan: NDArray[np.int64] = None  # type: ignore[assignment]
    plan_origin: NDArray[np.int64] = None  # type: ignore[assignment]
    chords: NDArray[np.int64] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.chords is None:
            object.__setattr__(self, "chords", np.zeros((len(self.steps_per_bar), 0, 3), dtype=np.int64))  # type: ignore[unreachable]
        if self.plan_origin is None:
            object.__setattr__(self, "plan_origin", np.zeros(len(self.steps_per_bar), dtype=np.int64))  # type: ignore[unreachable]
        if self.plan is None:
            object.__setattr__(self, "plan", np.zeros((len(self.steps_per_bar), 0, PLAN_COLUMNS), dtype=np.int64))  # type: ignore[unreachable]
        if self.length is None:
            object.__setattr__(self, "length", np.zeros(len(self.steps_per_bar), dtype=np.int64))  # type: ignore[unreachable]
        if self.condition_ids is None:
            unknown = np.full((len(self.steps_per_bar), len(CONDITIONS)), UNKNOWN, dtype=np.int64)  # type: ignore[unreachable]
            object.__setattr__(self, "condition_ids", unknown)

    @classmethod
    def from_meter(
        cls,
        meter: Meter,
        *,
        melodies: int,
        ticks_per_step: int,
        pickup: int = 0,
        key: Key | None = None,
        style: int = UNKNOWN,
        role: str = "",
        register: int = UNKNOWN,
        length: int = 0,
    ) -> Bars:
        """The same meter, pickup and length (in ticks) and conditions for all melodies."""
        steps = max(meter.ticks_per_bar // ticks_per_step, 1)
        return cls(
            np.full(melodies, steps, dtype=np.int64),
            np.full(melodies, pickup // ticks_per_step, dtype=np.int64),
            np.tile(condition_ids(key, meter, style, role, register), (melodies, 1)),
            np.full(melodies, length // ticks_per_step, dtype=np.int64),
        )

    @classmethod
    def common_time(cls, melodies: int) -> Bars:
        """4/4 in sixteenths without a pickup, as RL Tuner assumes."""
        return cls.from_meter(Meter(), melodies=melodies, ticks_per_step=6)

    def positions(self, steps: int, first: int = 0) -> NDArray[np.int64]:
        """`(melodies, steps)`: the position in the bar of each step from `first` on, 0 on the downbeat."""
        clock = np.arange(first, first + steps)[None, :]
        return (clock - self.pickup[:, None]) % self.steps_per_bar[:, None]

    def numbers(self, steps: int) -> NDArray[np.int64]:
        """`(melodies, steps)`: the number of the bar of each step, from 1; a pickup belongs to the first bar.

        Examples:
            >>> Bars.from_meter(Meter(2, 4), melodies=1, ticks_per_step=12, pickup=12).numbers(6).tolist()
            [[1, 1, 1, 1, 1, 2]]
        """
        whole = (np.arange(steps)[None, :] - self.pickup[:, None]) // self.steps_per_bar[:, None]
        return np.asarray(np.maximum(whole, 0) + 1, dtype=np.int64)

    def without_conditions(self) -> Bars:
        """The same bars with unknown conditions, forms and chords."""
        return Bars(self.steps_per_bar, self.pickup, length=self.length)

    def __getitem__(self, rows: Any) -> Bars:  # noqa: ANN401  (whatever numpy takes as an index)
        return Bars(*(getattr(self, column.name)[rows] for column in fields(self)))


def bars_for_encoding(
    meter: Meter | None, melodies: int, encoding: Encoding, key: Key | None = None, length: int = 0
) -> Bars | None:
    """Bars of melodies in a meter (4/4 if None), key and length in ticks; None if the encoding has no rhythm.

    Where each token is a step no model is told the length, nor is one if it is 0.
    """
    if not encoding.has_rhythm:
        return None
    unit, length = encoding.ticks_per_count, 0 if encoding.is_timed else length
    return Bars.from_meter(meter or Meter(), melodies=melodies, ticks_per_step=unit, key=key, length=length)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Pieces of different lengths as tokens.

    Args:
        tokens: `(steps,)` int64 of each piece.
        bars: one row a piece.
        clocks: `(tokens,)` ticks at which each token of each piece takes effect, if tokens are those of notes; the bars
            then count ticks, and know the length of each piece. None if each token is a step.
        style_is_told: `(pieces,)`: whether training always tells the style of a piece, so that an unknown style is not
            that of such pieces. None for no piece.

    Raises:
        UsageError: the numbers of pieces and bars differ.

    Examples:
        >>> pieces = Sequences.from_tokens([[14, 1, 16], [14]])
        >>> len(pieces), pieces.steps, pieces.padded([0, 1]).tolist()
        (2, 4, [[14, 1, 16], [14, 0, 0]])
    """

    tokens: tuple[NDArray[np.int64], ...]
    bars: Bars
    clocks: tuple[NDArray[np.int64], ...] | None = None
    style_is_told: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if len(self.bars.steps_per_bar) != len(self.tokens):
            raise UsageError(
                f"{len(self.tokens)} pieces have bars for {len(self.bars.steps_per_bar)}", "give bars for every piece"
            )

    @classmethod
    def from_tokens(cls, tokens: Iterable[Iterable[int] | NDArray[np.integer]], bars: Bars | None = None) -> Sequences:
        """Build from tokens of any integer type; empty pieces are left out, bars default to 4/4 in sixteenths."""
        arrays = [np.asarray(piece, dtype=np.int64) for piece in tokens]
        bars = Bars.common_time(len(arrays)) if bars is None else bars
        kept = [number for number, piece in enumerate(arrays) if len(piece)]
        return cls(tuple(arrays[number] for number in kept), bars[kept] if len(kept) < len(arrays) else bars)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, pieces: NDArray[np.integer]) -> Sequences:
        """Some pieces, by their numbers."""
        clocks = None if self.clocks is None else tuple(self.clocks[piece] for piece in pieces)
        told = None if self.style_is_told is None else self.style_is_told[pieces]
        return Sequences(tuple(self.tokens[piece] for piece in pieces), self.bars[pieces], clocks, told)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`(pieces,)`: tokens of each piece."""
        return np.array([len(piece) for piece in self.tokens], dtype=np.int64)

    @property
    def durations(self) -> NDArray[np.float64]:
        """`(pieces,)`: the length of each piece in steps; of notes in sixteenths."""
        return np.asarray(self.lengths if self.clocks is None else self.bars.length / _TICKS_PER_STEP, np.float64)

    def bar_numbers(self, pieces: NDArray[np.integer]) -> NDArray[np.int64]:
        """`(pieces, tokens of the longest)`: the number of the bar of each token, from 1, as `Bars.numbers`."""
        bars = self.bars[pieces]
        if self.clocks is None:
            return bars.numbers(int(self.lengths[pieces].max(initial=0)))
        whole = (self._clocks(pieces) - bars.pickup[:, None]) // bars.steps_per_bar[:, None]
        return np.asarray(np.maximum(whole, 0) + 1, dtype=np.int64)

    def step_lengths(self, pieces: NDArray[np.integer]) -> NDArray[np.float64]:
        """`(pieces, tokens of the longest)`: the steps from each token to the next; of notes in sixteenths."""
        if self.clocks is None:
            return np.ones((len(pieces), int(self.lengths[pieces].max(initial=0))))
        lengths = np.diff(self._clocks(pieces), axis=1, append=self.bars.length[pieces][:, None])
        return np.maximum(lengths, 0) / _TICKS_PER_STEP

    def _clocks(self, pieces: NDArray[np.integer]) -> NDArray[np.int64]:
        """`(pieces, tokens of the longest)`, padded with the length of the piece."""
        assert self.clocks is not None
        longest = int(self.lengths[pieces].max(initial=0))
        padded = np.broadcast_to(self.bars.length[pieces][:, None], (len(pieces), longest)).copy()
        for row, piece in zip(padded, pieces, strict=True):
            row[: len(self.clocks[piece])] = self.clocks[piece]
        return padded

    @property
    def steps(self) -> int:
        """Tokens of all pieces together."""
        return int(self.lengths.sum())

    def without_conditions(self) -> Sequences:
        """The same pieces with unknown conditions."""
        return Sequences(self.tokens, self.bars.without_conditions(), self.clocks)

    def padded(self, pieces: Iterable[int]) -> NDArray[np.int64]:
        """`(pieces, steps of the longest)` tokens of some pieces, padded with 0."""
        chosen = [self.tokens[piece] for piece in pieces]
        rows = np.zeros((len(chosen), max(map(len, chosen), default=0)), dtype=np.int64)
        for row, piece in zip(rows, chosen, strict=True):
            row[: len(piece)] = piece
        return rows

    def batches(self, cells: int) -> Iterator[NDArray[np.int64]]:
        """Numbers of pieces of similar length, at most `cells` padded steps a batch (but at least one piece)."""
        order = np.argsort(self.lengths, kind="stable")
        lengths = self.lengths[order]
        first = 0
        while first < len(order):
            last = first + 1
            while last < len(order) and (last + 1 - first) * lengths[last] <= cells:
                last += 1
            yield order[first:last]
            first = last
