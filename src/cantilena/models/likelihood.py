"""How well a model predicts pieces that it has not seen."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models.policy import numpy_of
from cantilena.models.protocol import SequenceModel, Sequences, log_probs_in_bars, tells_a_bound

_ROOM = 2**22
"""Log probabilities held at once: this bounds the memory."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Minus the sum of ln p over all steps of all pieces, first steps included, and what it is divided by.

    Args:
        nats: `(pieces,)`: minus the sum of ln p of each piece.
        steps: `(pieces,)`.
        notes: `(pieces,)`: note onsets.
        at_most: whether the nats are an upper bound: a VAE tells no more (`vae_bound.py`).
    """

    nats: NDArray[np.float64]
    steps: NDArray[np.int64]
    notes: NDArray[np.int64]
    at_most: bool = False

    @property
    def nats_per_step(self) -> float:
        """Over all steps of all pieces."""
        return float(self.nats.sum() / self.steps.sum())

    @property
    def nats_per_note(self) -> float | None:
        """Over all note onsets of all pieces; None where no note begins."""
        notes = int(self.notes.sum())
        return float(self.nats.sum() / notes) if notes else None


def likelihood(
    model: SequenceModel,
    pieces: Sequences,
    onsets: Sequence[NDArray[np.bool_]] | None = None,
    *,
    told: bool = False,
) -> Likelihood:
    """The likelihood of whole pieces, each from the start symbol on, no end symbol, state carried through.

    Key, mode, meter and style are not told unless asked for: a key was found by hearing the whole piece, and to be told
    it beforehand is to be told of the end.

    Args:
        model: any sequence model; a network should be in evaluation mode. A VAE tells an upper bound.
        pieces: what to predict.
        onsets: `(steps,)` of each piece, true where a note begins; every step if left out.
        told: tell a network with conditions what is known of the pieces.

    Raises:
        CorpusError: there is no piece.

    Example:
        >>> from cantilena.models import TopTokens
        >>> even = TopTokens(vocabulary_size=4, tokens=(0, 1, 2, 3))
        >>> round(likelihood(even, Sequences.of([[0, 1, 2], [3]])).nats_per_step, 4)  # ln 4
        1.3863
    """
    if not len(pieces):
        raise CorpusError("there is no piece to predict", "give a corpus with melodies in that part")
    notes = pieces.lengths if onsets is None else np.array([int(np.sum(piece)) for piece in onsets], dtype=np.int64)
    if tells_a_bound(model):
        return Likelihood(model.nats_at_most(pieces), pieces.lengths, notes, at_most=True)  # type: ignore[attr-defined]
    nats = np.zeros(len(pieces))
    known = pieces.bars if told else pieces.bars.untold()
    with _without_gradient():
        for chosen in _batches(pieces, model.vocabulary_size):
            tokens = pieces.padded(chosen)
            log_p = numpy_of(log_probs_in_bars(model, tokens, known[chosen]))
            said = np.take_along_axis(log_p, tokens[..., None], axis=-1)[..., 0].astype(np.float64)
            counts = np.arange(tokens.shape[1])[None, :] < pieces.lengths[chosen][:, None]
            nats[chosen] = -np.where(counts, said, 0.0).sum(axis=1)
    return Likelihood(nats, pieces.lengths, notes)


def _batches(pieces: Sequences, vocabulary_size: int) -> Iterator[NDArray[np.int64]]:
    """Pieces of about the same length together, as many as there is room for."""
    order = np.argsort(pieces.lengths, kind="stable")
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and (last + 1 - first) * pieces.lengths[order[last]] * vocabulary_size <= _ROOM:
            last += 1
        yield order[first:last]
        first = last


def _without_gradient() -> AbstractContextManager[object]:
    """No tape while predicting: a model in torch has imported torch already, others must not."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()
