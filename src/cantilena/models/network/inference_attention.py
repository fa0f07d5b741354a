"""Attention and the copy head in numpy, one step at a time, equal to torch (`attention.py`, `copying.py`) to 1e-5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.echoes import Heard, distance_kinds
from cantilena.models.network.options import NetworkOptions

Floats = NDArray[np.float32]

_LEAST = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What attention looks back on; never changed in place.

    Args:
        places: `(melodies, past + 1, 2 size)`, each k and u: the last still waits for its token.
        heard: the tokens and their matches.
    """

    places: Floats
    heard: Heard


class NumpyAttention:
    """A head that attends or copies.

    Args:
        options: the network's shape.
        weights: every weight by name; those that begin with `attention.` are read.
        vocabulary_size: how many tokens there are.

    Example:
        >>> from cantilena.models.network.weights import weight_shapes
        >>> options = NetworkOptions(width=8, copy_head=True)
        >>> weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(options, 3).items()}
        >>> attention, head = NumpyAttention(options, weights, 3), lambda hidden: np.zeros((1, 3), np.float32)
        >>> scores, past = attention(head, np.zeros((1, 8)), np.array([3]), attention.silence(1))  # the start symbol
        >>> scores, past = attention(head, np.zeros((1, 8)), np.array([1]), past)
        >>> np.exp(scores).round(3).tolist()
        [[1.0, 2.0, 1.0]]
    """

    def __init__(self, options: NetworkOptions, weights: Mapping[str, Floats], vocabulary_size: int) -> None:
        self.size, self.reach, self.copies = options.attention, options.reach, options.copy_head
        self.vocabulary_size = vocabulary_size
        if self.size:
            self._query = np.ascontiguousarray(weights["attention.query.weight"].T), weights["attention.query.bias"]
            self._place = np.ascontiguousarray(weights["attention.place.weight"].T), weights["attention.place.bias"]
            self._told = np.ascontiguousarray(weights["attention.told.weight"].T)
            self._said = np.ascontiguousarray(weights["attention.said.weight"].T)
        self._matches = weights["attention.matches"]
        distances = distance_kinds(np.arange(self.reach))[::-1]
        self._distances = np.ascontiguousarray(weights["attention.distances"][distances])  # the furthest first

    def silence(self, melodies: int) -> Recalled:
        """The state before anything has sounded."""
        return Recalled(np.zeros((melodies, 1, 2 * self.size), dtype=np.float32), Heard.nothing(melodies))

    def __call__(
        self, head: Callable[[Floats], Floats], hidden: Floats, previous: NDArray[np.int64], state: Recalled
    ) -> tuple[Floats, Recalled]:
        """`(melodies, vocabulary)` scores after one step, and the new state.

        Args:
            head: gives scores for what the core says.
            hidden: `(melodies, width)` output of the core.
            previous: `(melodies,)` the token before this step.
            state: of the step before.
        """
        heard = state.heard.after(previous, self.reach)
        past = heard.tokens.shape[1]
        fits = self._matches[heard.kinds()] + self._distances[self.reach - past :]
        places = state.places
        if self.size:
            weight, bias = self._query
            query = (hidden @ weight + bias) * np.float32(self.size**-0.5)
            fits = fits + (places[:, -past:, : self.size] @ query[:, :, None])[:, :, 0]
        fits[heard.tokens >= self.vocabulary_size] = -np.inf
        if self.size:
            weight, bias = self._place
            here = (hidden @ weight + bias)[:, None, :]
            shared = _shares(fits)
            hidden = hidden + self._by_token(shared, heard.tokens) @ self._said
            told: Floats = (shared[:, None, :] @ places[:, -past:, self.size :])[:, 0]
            hidden = hidden + told @ self._told
            places = np.concatenate([places, here], axis=1)[:, -self.reach - 1 :]
        scores = head(hidden)
        if self.copies:
            top = np.maximum(scores.max(axis=1), fits.max(axis=1))[:, None]
            weights = np.exp(scores - top) + self._by_token(np.exp(fits - top), heard.tokens)
            scores = top + np.log(np.maximum(weights, _LEAST))
        return scores, Recalled(places, heard)

    def _by_token(self, numbers: Floats, tokens: NDArray[np.int64]) -> Floats:
        """`(melodies, vocabulary)`: the sum of `(melodies, past)` numbers over the places of each token."""
        melodies, kinds = len(tokens), self.vocabulary_size + 1
        places = np.arange(melodies)[:, None] * kinds + tokens
        sums = np.bincount(places.ravel(), numbers.ravel(), minlength=melodies * kinds).reshape(melodies, kinds)
        return sums[:, :-1].astype(np.float32)


def _shares(fits: Floats) -> Floats:
    top = np.maximum(fits.max(axis=1), 0.0)[:, None]
    weights = np.exp(fits - top)
    shares: Floats = weights / (weights.sum(axis=1, keepdims=True) + np.exp(-top))
    return shares
