"""What every encoding does: melody to tokens and back, and tokens to the line that rules read.

The law, tested by properties: `encode(decode(tokens)) == tokens` for every sequence of tokens; and
`decode(encode(melody)) == melody` for the grid, where the melody is monophonic, on the grid and in range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Key, Line, Melody, Meter, Tempo

Tokens = NDArray[np.int64]
"""`(steps,)` for one melody, `(melodies, steps)` for many: indices into the vocabulary."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A melody as an encoding can say it, and what that cost.

    Args:
        melody: the melody on the encoding's grid and in its range.
        folded: notes moved by octaves into the range.
        rounded: notes whose onset or end moved to the grid.
        dropped: notes that could not be said (under a chord's top note, or crushed by rounding).
    """

    melody: Melody
    folded: int = 0
    rounded: int = 0
    dropped: int = 0


@runtime_checkable
class Encoding(Protocol):
    """Melodies as tokens that a model learns and a person can read."""

    @property
    def name(self) -> str:
        """`grid` or `events`."""
        ...

    def __hash__(self) -> int:
        """Equal encodings say the same tokens: what is found out of one holds for the other."""
        ...

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The tokens' names in order: `C4`, `hold`, `off`, `0.4.7`."""
        ...

    @property
    def step_ticks(self) -> int:
        """Ticks that a step lasts when decoded: 6 for sixteenths."""
        ...

    @property
    def tells_time(self) -> bool:
        """Whether a step is a stretch of time, so that a step has its place in the bar."""
        ...

    def fit(self, melody: Melody) -> Fit:
        """The melody as this encoding can say it, with counts of what was folded, rounded and dropped."""
        ...

    def encode(self, melody: Melody) -> Tokens:
        """`(steps,)` int64 tokens of `fit(melody)`."""
        ...

    def decode(
        self,
        tokens: Sequence[int] | Tokens,
        *,
        key: Key | None = None,
        meter: Meter | None = None,
        tempo: Tempo | None = None,
    ) -> Melody:
        """The melody that tokens say."""
        ...

    def line(self, tokens: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]] | None = None) -> Line:
        """What sounds at each step of `(melodies, steps)` tokens."""
        ...

    def description(self) -> dict[str, Any]:
        """Everything that builds the same encoding again (`encoding_from`), as JSON values."""
        ...


def parse_tokens(encoding: Encoding, text: str) -> Tokens:
    """Read tokens by name, as a person writes them.

    Args:
        encoding: whose vocabulary.
        text: names between spaces: `C4 hold D4 off`.

    Raises:
        UsageError: a name that is not in the vocabulary.
    """
    index = {name: token for token, name in enumerate(encoding.vocabulary)}
    names = text.split()
    unknown = next((name for name in names if name not in index), None)
    if unknown is not None:
        some = ", ".join(encoding.vocabulary[:6])
        raise UsageError(f"'{unknown}' is not a token of this encoding", f"tokens are named like {some}")
    return np.array([index[name] for name in names], dtype=np.int64)


def checked(tokens: Sequence[int] | NDArray[Any], vocabulary_size: int, dimensions: int) -> Tokens:
    """Tokens as an int64 array, every one inside the vocabulary.

    Raises:
        UsageError: another number of dimensions, not whole numbers, or out of range.
    """
    array = np.asarray(tokens)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != dimensions or not np.issubdtype(array.dtype, np.integer):
        shape = "(steps,)" if dimensions == 1 else "(melodies, steps)"
        raise UsageError(f"tokens of shape {array.shape}, type {array.dtype}", f"give whole numbers of shape {shape}")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= vocabulary_size):
        raise UsageError(
            f"tokens run from {int(array.min())} to {int(array.max())}",
            f"the vocabulary has 0..{vocabulary_size - 1}",
        )
    return array.astype(np.int64)
