"""How much of a melody comes back from its code: what a VAE is good for, and what its likelihood does not tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models.protocol import Bars, Sequences
from cantilena.models.vae.inference import Decoding, MelodyVae

_AT_ONCE = 1024


@dataclass(frozen=True)
class Reconstruction:
    """Shares of what comes back exactly, from the mean of q(z | x), each token the most probable.

    Args:
        steps: of the steps.
        bars: of the bars, a pickup as one; a bar is right if each of its steps is.
        windows: of the windows.
    """

    steps: float
    bars: float
    windows: float


def reconstruction(vae: MelodyVae, windows: Sequences) -> Reconstruction:
    """Say windows back from their codes and count what is right.

    Args:
        vae: what says them.
        windows: as `Windows.of` cuts them.

    Raises:
        CorpusError: there is no window.
    """
    if not len(windows):
        raise CorpusError("there is no piece to say back", "give a corpus with melodies in that part")
    right: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)] * len(windows)
    order = np.argsort(windows.lengths, kind="stable")
    for first in range(0, len(order), _AT_ONCE):
        chosen = order[first : first + _AT_ONCE]
        tokens, lengths, bars = windows.padded(chosen), windows.lengths[chosen], windows.bars[chosen]
        mean, _ = vae.posterior(tokens, lengths, bars)
        said = said_back(vae, mean, tokens.shape[1], bars)
        for row, window in enumerate(chosen):
            right[window] = said[row, : lengths[row]] == tokens[row, : lengths[row]]
    of_bars = [bool(part.all()) for number in range(len(windows)) for part in _bars_of(right[number], windows, number)]
    return Reconstruction(
        steps=float(np.concatenate(right).mean()),
        bars=float(np.mean(of_bars)),
        windows=float(np.mean([part.all() for part in right])),
    )


def said_back(vae: MelodyVae, codes: NDArray[np.float32], steps: int, bars: Bars) -> NDArray[np.int64]:
    """`(windows, steps)`: the most probable token at each step, given a code and the tokens before.

    Args:
        vae: what says them.
        codes: `(windows, latent)`.
        steps: how many.
        bars: of the windows.
    """
    decoding = Decoding(vae, codes[:, None])
    tokens = np.zeros((len(codes), steps), dtype=np.int64)
    scores, state = decoding.start(len(codes), bars=bars)
    for step in range(steps):
        tokens[:, step] = scores.argmax(axis=1)
        if step + 1 < steps:
            scores, state = decoding.step(tokens[:, step], state)
    return tokens


def _bars_of(right: NDArray[np.bool_], windows: Sequences, number: int) -> list[NDArray[np.bool_]]:
    pickup, bar = int(windows.bars.pickup[number]), int(windows.bars.steps_per_bar[number])
    lines = [*([pickup] if 0 < pickup < len(right) else []), *range(pickup + bar, len(right), bar)]
    return np.split(right, lines)
