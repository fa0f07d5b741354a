"""Stepping a network token by token: what the implementations in torch and numpy share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import Features, FeatureState
from cantilena.models.network.note_features import NoteFeatures, NoteState
from cantilena.models.network.options import NetworkOptions
from cantilena.models.policy import LOG_ZERO, log_softmax, no_grad, to_numpy
from cantilena.models.protocol import Array, Bars, State

Ints = NDArray[np.int64]
AnyFeatures = Features | NoteFeatures


class Stepper(Protocol):
    """The weights of a network laid out for single steps."""

    def initial_state(self, melodies: int) -> State:
        """The state before the first step."""
        ...

    def __call__(self, rows: Ints | None, state: Any, parts: Ints | None = None, /) -> tuple[Array, State]:  # noqa: ANN401
        """`(melodies, vocabulary)` scores after a step with `(melodies, columns)` rows of features, and the state.

        Of notes, `parts` are the `(melodies, part columns)` rows for the head; without `rows` the state stays.
        """
        ...


@dataclass(frozen=True, slots=True)
class StepState:
    """The state of a network with the input features; immutable."""

    stepper: Stepper
    hidden: State
    features: FeatureState | NoteState

    def take_rows(self, rows: NDArray[np.integer]) -> StepState:
        """The state of the melodies with the numbers `(k,)` rows; one may come several times.

        Raises:
            TypeError: the layers are not those of a network of notes, whose first axis is that of the melodies.
        """
        if isinstance(self.features, FeatureState):
            raise TypeError("the rows of attention cannot be taken")
        return StepState(self.stepper, _taken(self.hidden, rows), self.features.take_rows(rows))


@dataclass(frozen=True, slots=True)
class WindowState:
    """The state of a network with the paper's input: the last `(melodies, window)` tokens."""

    window: Ints


class StepwiseNetwork:
    """A score model (`ScoreModel`) by way of steppers, or of windows if the input is the paper's."""

    options: NetworkOptions
    features: AnyFeatures

    def stepper(self) -> Stepper:
        """The current weights laid out for stepping."""
        raise NotImplementedError

    def few_threads(self, melodies: int) -> AbstractContextManager[object]:
        """A context that computes so many melodies at once on one thread, unless several are faster."""
        raise NotImplementedError

    def window_scores(self, windows: Ints) -> Array:
        """`(windows, vocabulary)` scores of the token after each of `(windows, window)` windows."""
        raise NotImplementedError

    def scores(self, tokens: Array, bars: Bars | None = None) -> Array:
        """`(melodies, steps, vocabulary)` scores for `(melodies, steps)` tokens; entry t is given the tokens before."""
        raise NotImplementedError

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return self.features.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it reads bars."""
        return self.options.uses_bars

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the first token, and the state; bars default to 4/4 in sixteenths."""
        scores, state = self.start_scores(melodies, bars)
        return log_softmax(scores), state

    def step(self, tokens: Array, state: Any) -> tuple[Array, State]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        scores, state = self.step_scores(tokens, state)
        return log_softmax(scores), state

    def log_probs(self, tokens: Array, *, bars: Bars | None = None) -> Array:
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        return log_softmax(self.scores(tokens, bars))

    def start_scores(self, melodies: int, bars: Bars | None = None) -> tuple[Array, State]:
        """As `start`, with scores and without gradient; later updates of the weights do not change the state."""
        with no_grad(), self.few_threads(melodies):
            if self.options.input == "paper":
                window = np.full((melodies, self.options.window), self.features.start)
                return self.window_scores(window), WindowState(window)
            rows, features = self.features.first(melodies, bars)
            stepper = self.stepper()
            return self._stepped(rows, StepState(stepper, stepper.initial_state(melodies), features))

    def step_scores(self, tokens: Array, state: Any) -> tuple[Array, State]:  # noqa: ANN401
        """As `step`, with scores and without gradient."""
        known = to_numpy(tokens)
        with no_grad(), self.few_threads(len(known)):
            if isinstance(state, WindowState):
                window = np.concatenate([state.window[:, 1:], known.astype(np.int64)[:, None]], axis=1)
                return self.window_scores(window), WindowState(window)
            rows, features = self.features.next(known, state.features)
            return self._stepped(rows, StepState(state.stepper, state.hidden, features))

    def _stepped(self, rows: Ints, state: StepState) -> tuple[Array, State]:
        """The scores after a step with all rows, and the new state."""
        if isinstance(state.features, FeatureState):
            scores, hidden = state.stepper(rows, state.hidden)
            return scores, StepState(state.stepper, hidden, state.features)
        rows, parts, bounds = split_rows(rows, self.features.columns)
        begins = not state.features.event
        scores, hidden = state.stepper(rows if begins else None, state.hidden, parts)
        return within_bounds(scores, bounds), StepState(state.stepper, hidden, state.features)


def _taken(hidden: Any, rows: NDArray[np.integer]) -> Any:  # noqa: ANN401
    """The rows of all arrays of a state of layers, whose first axis is that of the melodies."""
    if isinstance(hidden, tuple):
        return tuple(_taken(part, rows) for part in hidden)
    return None if hidden is None else hidden[rows]


def token_windows(tokens: NDArray[np.integer], window: int, start: int) -> Ints:
    """`(melodies, steps, window)`: the tokens before each step, the paper's input, padded with the start symbol.

    Examples:
        >>> token_windows(np.array([[5, 6, 7]]), window=2, start=9).tolist()
        [[[9, 9], [9, 5], [5, 6]]]
    """
    melodies, steps = tokens.shape
    if steps == 0:
        return np.zeros((melodies, 0, window), dtype=np.int64)
    padded = np.concatenate([np.full((melodies, window), start), tokens[:, :-1]], axis=1).astype(np.int64)
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)


def split_rows(rows: Array, columns: int) -> tuple[Array, Array, Array]:
    """The rows of notes: of the table, of the table of their parts, and the bounds of the tokens that may come next."""
    return rows[..., :columns], rows[..., columns:-2], rows[..., -2:]


def within_bounds(scores: Array, bounds: Array) -> Array:
    """Scores whose exponential is 0 for tokens that may not come next.

    Args:
        scores: `(..., vocabulary)`, a numpy array or a torch tensor.
        bounds: `(..., 2)`, the first token that may come and the one after the last.

    Examples:
        >>> within_bounds(np.zeros((1, 4)), np.array([[1, 3]])).tolist()
        [[-10000.0, 0.0, 0.0, -10000.0]]
    """
    if hasattr(scores, "masked_fill"):
        import torch

        bounds = torch.as_tensor(bounds, device=scores.device)
        every = torch.arange(scores.shape[-1], device=scores.device)
        return scores.masked_fill((every < bounds[..., :1]) | (every >= bounds[..., 1:]), LOG_ZERO)
    tokens = np.arange(scores.shape[-1])
    outside = (tokens < bounds[..., :1]) | (tokens >= bounds[..., 1:])
    return np.where(outside, np.float32(LOG_ZERO), scores)
