"""The systems that are compared: who makes the melodies, and out of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.generation import SamplingOptions, mix_snippets, sample
from cantilena.models import SequenceModel, bars_in
from cantilena.music import Key, Meter
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import Pieces

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class System:
    """One maker of melodies.

    Args:
        name: as in results and folders: `human`, `oracle`, `lstm`, `lstm+rl`, ...
        description: what it is, a sentence.
        encoding: what its tokens mean.
        draw: `draw(melodies, steps, purpose)` gives `(melodies, steps)` tokens; the purpose names the randomness, so
            that the melodies to listen to are others than those that are counted.
        model: the distribution it draws from, None where it has none.
    """

    name: str
    description: str
    encoding: Encoding
    draw: Callable[[int, int, str], Tokens]
    model: SequenceModel | None = None


def model_system(
    name: str,
    description: str,
    model: SequenceModel,
    encoding: Encoding,
    seed: int,
    *,
    sampling: SamplingOptions | None = None,
    primers: Tokens | None = None,
    meter: Meter | None = None,
    key: Key | None = None,
) -> System:
    """A system that draws from a model.

    Args:
        name: of the system.
        description: what it is.
        model: drawn from at temperature 1, or as `sampling` says.
        encoding: what its tokens mean.
        seed: of the run.
        sampling: how tokens are drawn.
        primers: `(primers, steps)`: each melody continues one of these, which is not part of it; none if left out.
        meter: the time signature; 4/4 if left out.
        key: what a model that can be told keys is told; nothing if left out.
    """

    def draw(melodies: int, steps: int, purpose: str) -> Tokens:
        bars = bars_in(meter, melodies, encoding, key)
        uniforms = generator(seed, purpose, name).random((melodies, steps))
        if primers is None:
            return sample(model, uniforms, options=sampling, bars=bars).tokens
        chosen = generator(seed, purpose, name, "primer").integers(len(primers), size=melodies)
        rows = [
            sample(model, uniforms[row : row + 1], options=sampling, primer=primers[primer], bars=bars and bars[:1])
            for row, primer in enumerate(chosen)
        ]
        return np.concatenate([row.tokens for row in rows])

    return System(name, description, encoding, draw, model)


def oracle_system(pieces: Pieces, encoding: Encoding, seed: int, *, snippet: int) -> System:
    """The paper's oracle: a mix of original snippets, so many steps each."""

    def draw(melodies: int, steps: int, purpose: str) -> Tokens:
        return mix_snippets(
            pieces.sequences.tokens,
            [int(first) for first in pieces.sequences.bars.pickup],
            melodies=melodies,
            steps=steps,
            snippet=snippet,
            rng=generator(seed, purpose, "oracle"),
        )

    return System("oracle", f"a mix of original snippets of {snippet} steps each", encoding, draw)
