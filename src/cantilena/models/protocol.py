"""The one interface between models and everything that uses them."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from cantilena.models.bars import Bars

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
