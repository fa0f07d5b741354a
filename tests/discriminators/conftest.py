"""Human melodies and random walks as lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.data import load_builtin
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.data import encode_pieces, excerpts

GRID = GridEncoding(0, 127)


@dataclass(frozen=True)
class HumanExcerpts:
    """Held-out excerpts of the built-in tunes."""

    tokens: NDArray[np.int64]
    pieces: NDArray[np.int64]

    @property
    def line(self) -> Line:
        return GRID.line(self.tokens)

    def in_part(self, part: int, parts: int = 2) -> HumanExcerpts:
        rows = self.pieces % parts == part
        return HumanExcerpts(self.tokens[rows], self.pieces[rows])

    def shuffled(self, rng: np.random.Generator) -> Line:
        """The same notes and rests of each melody, with the same lengths, in another order."""
        rows = []
        for row in self.tokens:
            tied, *notes = np.split(row, np.flatnonzero(row != 1))
            rows.append(np.concatenate([tied, *(notes[place] for place in rng.permutation(len(notes)))]))
        return GRID.line(np.stack(rows))


@pytest.fixture(scope="session")
def people() -> Callable[[int], HumanExcerpts]:
    pieces = encode_pieces(GRID, list(load_builtin("tunes").melodies("test")))

    @cache
    def of_steps(steps: int) -> HumanExcerpts:
        drawn = excerpts(pieces, steps)
        return HumanExcerpts(drawn.tokens, drawn.piece)

    return of_steps


@pytest.fixture(scope="session")
def walks() -> Callable[..., Line]:
    def made(rng: np.random.Generator, melodies: int, steps: int = 32, *, struck: float = 0.6, widest: int = 2) -> Line:
        """Random walks: notes begin at random steps and move by few semitones."""
        begins = rng.random((melodies, steps)) < struck
        begins[:, 0] = True
        moves = rng.integers(-widest, widest + 1, (melodies, steps)) * begins
        return GRID.line(np.where(begins, 62 + np.cumsum(moves, axis=1), 1))

    return made
