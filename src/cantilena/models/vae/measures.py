"""How much of a melody a VAE reconstructs from its code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models.protocol import Bars, Sequences
from cantilena.models.vae.inference import MelodyVae, VaeDecoder, batches_by_length

_MAX_WINDOWS = 1024


@dataclass(frozen=True)
class Reconstruction:
    """Shares that are reconstructed exactly, from the mean code and by greedy decoding.

    Args:
        steps: of the steps.
        bars: of the bars, a pickup counting as one; all steps of a bar must be right.
        windows: of the windows.
    """

    steps: float
    bars: float
    windows: float


def reconstruction(vae: MelodyVae, windows: Sequences) -> Reconstruction:
    """Reconstruct windows, cut as by `Windows.from_sequences`, from their codes.

    Raises:
        CorpusError: there is no window.
    """
    if not len(windows):
        raise CorpusError("there is no piece to reconstruct", "give a corpus with melodies in that part")
    right: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)] * len(windows)
    for chosen in batches_by_length(windows, _MAX_WINDOWS):
        tokens, lengths, bars = windows.padded(chosen), windows.lengths[chosen], windows.bars[chosen]
        mean, _ = vae.posterior(tokens, lengths, bars)
        decoded = greedy_decode(vae, mean, tokens.shape[1], bars)
        for row, window in enumerate(chosen):
            right[window] = decoded[row, : lengths[row]] == tokens[row, : lengths[row]]
    of_bars = [bool(part.all()) for number in range(len(windows)) for part in _split(right[number], windows, number)]
    return Reconstruction(
        steps=float(np.concatenate(right).mean()),
        bars=float(np.mean(of_bars)),
        windows=float(np.mean([part.all() for part in right])),
    )


def greedy_decode(vae: MelodyVae, codes: NDArray[np.float32], steps: int, bars: Bars) -> NDArray[np.int64]:
    """`(windows, steps)`: the most probable token at each step, given `(windows, latent)` codes."""
    decoder = VaeDecoder(vae, codes[:, None])
    tokens = np.zeros((len(codes), steps), dtype=np.int64)
    log_p, state = decoder.start(len(codes), bars=bars)
    for step in range(steps):
        tokens[:, step] = log_p.argmax(axis=1)
        if step + 1 < steps:
            log_p, state = decoder.step(tokens[:, step], state)
    return tokens


def _split(right: NDArray[np.bool_], windows: Sequences, number: int) -> list[NDArray[np.bool_]]:
    """A window split at its barlines."""
    pickup, bar = int(windows.bars.pickup[number]), int(windows.bars.steps_per_bar[number])
    lines = [*([pickup] if 0 < pickup < len(right) else []), *range(pickup + bar, len(right), bar)]
    return np.split(right, lines)
