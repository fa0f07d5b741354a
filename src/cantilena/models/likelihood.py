"""How well a model predicts held-out pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models.policy import no_grad, to_numpy
from cantilena.models.protocol import SequenceModel, Sequences, log_probs_with_bars, only_bounds_likelihood

BAR_RANGES: tuple[tuple[int, int | None], ...] = ((1, 2), (3, 4), (5, 8), (9, 16), (17, None))
"""First and last bars over which nats are summed apart: a piece is harder to predict before it repeats itself."""

_MAX_CELLS = 2**22
"""Log probabilities held at once: bounds the memory."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Negative log-likelihood of pieces, first steps included.

    Args:
        nats: `(pieces,)`: minus the sum of ln p over the steps of each piece.
        steps: `(pieces,)`; of models of notes in sixteenths, so that all encodings compare.
        notes: `(pieces,)`: note onsets.
        is_bound: whether `nats` is only an upper bound, as of a VAE.
        by_bars: `(pieces, ranges)`: of `nats`, those of the steps in each of `BAR_RANGES`; a pickup counts as part of
            the first bar. None if only a bound is known.
        steps_by_bars: `(pieces, ranges)`: the steps likewise.
    """

    nats: NDArray[np.float64]
    steps: NDArray[np.float64]
    notes: NDArray[np.int64]
    is_bound: bool = False
    by_bars: NDArray[np.float64] | None = None
    steps_by_bars: NDArray[np.float64] | None = None

    @property
    def nats_per_step(self) -> float:
        """Nats over all steps of all pieces."""
        return float(self.nats.sum() / self.steps.sum())

    @property
    def nats_per_note(self) -> float | None:
        """Nats over all note onsets of all pieces; None if there is no onset."""
        notes = int(self.notes.sum())
        return float(self.nats.sum() / notes) if notes else None


def likelihood(
    model: SequenceModel,
    pieces: Sequences,
    onsets: Sequence[NDArray[np.bool_]] | None = None,
    *,
    conditioned: bool = False,
) -> Likelihood:
    """Likelihood of whole pieces: from the start symbol on, without an end symbol, the state carried through.

    By default all conditions are unknown: a key was found in the whole piece, so that giving it would leak the end.

    Args:
        model: a sequence model; a network should be in evaluation mode. A VAE gives an upper bound.
        pieces: what to predict.
        onsets: `(steps,)` of each piece, true where a note begins; every step by default.
        conditioned: give a network the conditions of the pieces.

    Raises:
        CorpusError: there is no piece.

    Examples:
        >>> from cantilena.models import TopTokens
        >>> uniform = TopTokens(vocabulary_size=4, tokens=(0, 1, 2, 3))
        >>> round(likelihood(uniform, Sequences.from_tokens([[0, 1, 2], [3]])).nats_per_step, 4)  # ln 4
        1.3863
    """
    if not len(pieces):
        raise CorpusError("there is no piece to predict", "give a corpus with melodies in that part")
    notes = pieces.lengths if onsets is None else np.array([int(np.sum(piece)) for piece in onsets], dtype=np.int64)
    if only_bounds_likelihood(model):
        return Likelihood(model.nll_bound(pieces), pieces.durations, notes, is_bound=True)  # type: ignore[attr-defined]
    nats = np.zeros(len(pieces))
    by_bars = np.zeros((len(pieces), len(BAR_RANGES)))
    steps_by_bars = np.zeros((len(pieces), len(BAR_RANGES)))
    bars = pieces.bars if conditioned else pieces.bars.without_conditions()
    with no_grad():
        for chosen in pieces.batches(_MAX_CELLS // model.vocabulary_size):
            tokens = pieces.padded(chosen)
            log_p = to_numpy(log_probs_with_bars(model, tokens, bars[chosen]))
            of_tokens = np.take_along_axis(log_p, tokens[..., None], axis=-1)[..., 0].astype(np.float64)
            valid = np.arange(tokens.shape[1])[None, :] < pieces.lengths[chosen][:, None]
            nats[chosen] = -np.where(valid, of_tokens, 0.0).sum(axis=1)
            number, length = pieces.bar_numbers(chosen), pieces.step_lengths(chosen)
            for place, (first, last) in enumerate(BAR_RANGES):
                inside = valid & (number >= first) & (number <= (last or number.max()))
                by_bars[chosen, place] = -np.where(inside, of_tokens, 0.0).sum(axis=1)
                steps_by_bars[chosen, place] = (length * inside).sum(axis=1)
    return Likelihood(nats, pieces.durations, notes, by_bars=by_bars, steps_by_bars=steps_by_bars)
