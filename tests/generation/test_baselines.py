"""The oracle: whole bars of originals, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.errors import CorpusError
from cantilena.generation import mix_snippets


def test_mixtures_are_made_of_whole_bars(rng: np.random.Generator) -> None:
    pieces = [np.arange(100, 140), np.arange(200, 219), np.arange(3)]
    firsts = [4, 0, 0]
    mixed = mix_snippets(pieces, firsts, melodies=50, steps=20, snippet=8, rng=rng)
    bars = {tuple(p[s : s + 8]) for p, f in zip(pieces, firsts, strict=True) for s in range(f, len(p) - 7, 8)}
    assert mixed.shape == (50, 20)
    assert {tuple(row[s : s + 8]) for row in mixed for s in (0, 8)} == bars
    assert {tuple(row[16:]) for row in mixed} <= {bar[:4] for bar in bars}


def test_too_short_originals_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(CorpusError, match="long enough"):
        mix_snippets([np.arange(3)], [0], melodies=1, steps=4, snippet=4, rng=rng)
