"""The one interface between models and everything that uses them.

What is known of melodies before they begin: where their steps lie in their bars, and what else is told.

Pieces as models learn from them and are measured on: tokens, and where their steps lie in their bars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models.condition_ids import Told, told
from cantilena.models.conditions import KINDS, UNTOLD
from cantilena.music import Key, Meter
from cantilena.tokenizers import Encoding


@dataclass(frozen=True, slots=True)
class Bars:
    """Bar length and pickup of many melodies, and what else a network may be told of each.

    Args:
        steps_per_bar: `(melodies,)` int64, steps in a bar.
        pickup: `(melodies,)` int64, steps before the first barline.
        told: `(melodies, 4)` int64, key, mode, meter and style (`told_rows.py`); None where nothing is told.

    Example:
        >>> Bars.of(Meter(3, 4), melodies=1, step_ticks=6, pickup=24).positions(6).tolist()
        [[8, 9, 10, 11, 0, 1]]
    """

    steps_per_bar: NDArray[np.int64]
    pickup: NDArray[np.int64]
    told: Told | None = None

    @classmethod
    def of(
        cls,
        meter: Meter,
        *,
        melodies: int,
        step_ticks: int,
        pickup: int = 0,
        key: Key | None = None,
        style: int = UNTOLD,
    ) -> Bars:
        """The same meter, pickup (in ticks), key and style for all melodies, and all of that told."""
        steps = max(meter.ticks_per_bar // step_ticks, 1)
        return cls(
            np.full(melodies, steps, dtype=np.int64),
            np.full(melodies, pickup // step_ticks, dtype=np.int64),
            np.tile(told(key, meter, style), (melodies, 1)),
        )

    @classmethod
    def common_time(cls, melodies: int) -> Bars:
        """4/4 in sixteenths without a pickup: what RL Tuner assumes."""
        return cls.of(Meter(), melodies=melodies, step_ticks=6)

    def positions(self, steps: int, first: int = 0) -> NDArray[np.int64]:
        """`(melodies, steps)`: the place in its bar of each step from `first` on, 0 on the downbeat."""
        clock = np.arange(first, first + steps)[None, :]
        return (clock - self.pickup[:, None]) % self.steps_per_bar[:, None]

    @property
    def known(self) -> Told:
        """`(melodies, 4)`: what is told of each, `UNTOLD` where nothing is."""
        nothing = np.full((len(self.steps_per_bar), len(KINDS)), UNTOLD, dtype=np.int64)
        return nothing if self.told is None else self.told

    def untold(self) -> Bars:
        """The same bars, and nothing else known."""
        return Bars(self.steps_per_bar, self.pickup)

    def __getitem__(self, rows: Any) -> Bars:  # noqa: ANN401  (whatever numpy takes as an index)
        return Bars(self.steps_per_bar[rows], self.pickup[rows], None if self.told is None else self.told[rows])


def bars_in(meter: Meter | None, melodies: int, encoding: Encoding, key: Key | None = None) -> Bars | None:
    """The bars of so many melodies in a meter, 4/4 if None, and a key to tell; None where tokens tell no time."""
    if not encoding.tells_time:
        return None
    return Bars.of(meter or Meter(), melodies=melodies, step_ticks=encoding.step_ticks, key=key)


Array = Any
"""A numpy array, or a torch tensor where the model is a network: `arrays.numpy_of` turns either into numpy."""

State = Any
"""What a model remembers between steps: of its own kind, handed back untouched."""


@runtime_checkable
class SequenceModel(Protocol):
    """A distribution over the next token, given all tokens before it.

    Networks, n-grams and a user's own module fulfil it; generation, tuning and likelihood know only this. Log
    probabilities are natural logarithms, normalised over the last axis. A model that can be tuned returns torch
    tensors from `log_probs` with their gradient; `start` and `step` need none.

    A model that wants to know where in the bar a step lies says `uses_bars = True`; then `start` and `log_probs` are
    called with `bars=Bars(...)` too.
    """

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        ...

    def start(self, melodies: int) -> tuple[Array, State]:
        """Before anything has sounded: `(melodies, vocabulary)` log p of the first token, and the state."""
        ...

    def step(self, tokens: Array, state: State) -> tuple[Array, State]:
        """After one more token of each melody, `(melodies,)`: `(melodies, vocabulary)` log p of the next."""
        ...

    def log_probs(self, tokens: Array) -> Array:
        """`(melodies, steps, vocabulary)` for `(melodies, steps)` tokens: entry t is given the tokens before t."""
        ...


def tells_a_bound(model: object) -> bool:
    """Whether a model tells only what a piece needs at most (`nats_at_most`): a VAE, whose chances nobody can sum up.

    Example:
        >>> from cantilena.models import TopTokens
        >>> tells_a_bound(TopTokens(vocabulary_size=4, tokens=(0, 1)))
        False
    """
    return hasattr(model, "nats_at_most")


def start_in_bars(model: SequenceModel, melodies: int, bars: Bars | None) -> tuple[Array, State]:
    """Start a model at a place in the bar, where it cares for one (`uses_bars`), or plainly."""
    if bars is not None and getattr(model, "uses_bars", False):
        started: tuple[Array, State] = model.start(melodies, bars=bars)  # type: ignore[call-arg]
        return started
    return model.start(melodies)


def log_probs_in_bars(model: SequenceModel, tokens: Array, bars: Bars | None) -> Array:
    """`log_probs` at a place in the bar, where the model cares for one, or plainly."""
    if bars is not None and getattr(model, "uses_bars", False):
        return model.log_probs(tokens, bars=bars)  # type: ignore[call-arg]
    return model.log_probs(tokens)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Whole pieces of different lengths.

    Args:
        tokens: `(steps,)` int64 of each.
        bars: bar length and pickup, one row a piece; 4/4 in sixteenths where none are given.

    Raises:
        UsageError: another number of bars than of pieces.

    Example:
        >>> pieces = Sequences.of([[14, 1, 16], [14]])
        >>> len(pieces), pieces.steps, pieces.padded([0, 1]).tolist()
        (2, 4, [[14, 1, 16], [14, 0, 0]])
    """

    tokens: tuple[NDArray[np.int64], ...]
    bars: Bars

    def __post_init__(self) -> None:
        if len(self.bars.steps_per_bar) != len(self.tokens):
            raise UsageError(
                f"{len(self.tokens)} pieces with bars for {len(self.bars.steps_per_bar)}", "give bars for every piece"
            )

    @classmethod
    def of(cls, tokens: Iterable[Iterable[int] | NDArray[np.integer]], bars: Bars | None = None) -> Sequences:
        """From tokens of any integer kind; pieces without a token are left out."""
        arrays = [np.asarray(piece, dtype=np.int64) for piece in tokens]
        bars = Bars.common_time(len(arrays)) if bars is None else bars
        kept = [number for number, piece in enumerate(arrays) if len(piece)]
        return cls(tuple(arrays[number] for number in kept), bars[kept] if len(kept) < len(arrays) else bars)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`(pieces,)`: steps of each."""
        return np.array([len(piece) for piece in self.tokens], dtype=np.int64)

    @property
    def steps(self) -> int:
        """Steps of all pieces together."""
        return int(self.lengths.sum())

    def untold(self) -> Sequences:
        """The same pieces with nothing known of them but their bars."""
        return Sequences(self.tokens, self.bars.untold())

    def padded(self, pieces: Iterable[int]) -> NDArray[np.int64]:
        """`(pieces, steps of the longest)` tokens of some pieces, 0 after the end of each."""
        chosen = [self.tokens[piece] for piece in pieces]
        rows = np.zeros((len(chosen), max(map(len, chosen), default=0)), dtype=np.int64)
        for row, piece in zip(rows, chosen, strict=True):
            row[: len(piece)] = piece
        return rows
