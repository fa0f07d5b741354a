"""The interface of encodings: melody to tokens and back, and tokens to the line that rules read.

Property tests hold `encode(decode(tokens)) == tokens` for every sequence of tokens, and for the grid
`decode(encode(melody)) == melody` if the melody is monophonic, on the grid and in range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Key, Line, Melody, Meter, Tempo

Tokens = NDArray[np.int64]
"""`(steps,)` for one melody, `(melodies, steps)` for many: indices into the vocabulary."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A melody as an encoding can represent it, and what was changed.

    Args:
        melody: the melody on the encoding's grid and in its range.
        folded: notes moved by octaves into the range.
        rounded: notes whose onset or end moved to the grid.
        dropped: notes that have no token (below the top of a chord, or lost by rounding).
    """

    melody: Melody
    folded: int = 0
    rounded: int = 0
    dropped: int = 0


@runtime_checkable
class Encoding(Protocol):
    """Converts melodies to tokens with readable names, and back."""

    @property
    def name(self) -> str:
        """`grid`, `events` or `notes`."""
        ...

    def __hash__(self) -> int:
        """Equal encodings have equal hashes, so that results can be cached by encoding."""
        ...

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The names of the tokens in order: `C4`, `hold`, `off`, `0.4.7`."""
        ...

    @property
    def ticks_per_step(self) -> int:
        """Ticks that a step of the line lasts: 6 for sixteenths."""
        ...

    @property
    def ticks_per_count(self) -> int:
        """Ticks of the unit in which `Bars` count positions in the bar and lengths."""
        ...

    @property
    def is_timed(self) -> bool:
        """Whether each token is a step of the line, and so has a fixed length."""
        ...

    @property
    def has_rhythm(self) -> bool:
        """Whether the tokens say when notes begin and how long they last."""
        ...

    def fit(self, melody: Melody) -> Fit:
        """The melody as this encoding can represent it, with counts of the changes."""
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
        """The melody of `(steps,)` tokens."""
        ...

    def line(self, tokens: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]] | None = None) -> Line:
        """The line of `(melodies, tokens)` tokens; `length`, `(melodies,)` steps, if rows are padded."""
        ...

    def description(self) -> dict[str, Any]:
        """The JSON values from which `encoding_from` builds the same encoding again."""
        ...


@lru_cache(maxsize=16)
def token_pitches(encoding: Encoding) -> tuple[tuple[int, ...], ...]:
    """The pitches of each token, ascending; none for a token that begins no note.

    Examples:
        >>> from cantilena.tokenizers import EventsEncoding
        >>> token_pitches(EventsEncoding(("C4", "0.4.7")))
        ((60,), (60, 64, 67))
    """
    known: tuple[tuple[int, ...], ...] | None = getattr(encoding, "token_pitches", None)
    if known is not None:  # of notes, whose tokens are parts of one
        return known
    sounding = (encoding.decode([token]).sounding for token in range(len(encoding.vocabulary)))
    return tuple(notes[0].pitches if notes else () for notes in sounding)


@lru_cache(maxsize=16)
def allowed_after(encoding: Encoding) -> Tokens:
    """The tokens that may follow each token, a range each.

    Returns:
        `(vocabulary + 1, 2)`: the first token that may follow and the one after the last; the last row is of the first
        token of a melody.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding, NotesEncoding
        >>> allowed_after(GridEncoding())[14].tolist()
        [0, 38]
        >>> notes = NotesEncoding()  # durations are the tokens 1 to 16, and a pitch follows
        >>> allowed_after(notes)[[0, 1, 17, 54]].tolist()
        [[0, 1], [17, 54], [0, 17], [0, 17]]
    """
    size = len(encoding.vocabulary)
    known: Tokens | None = getattr(encoding, "allowed", None)
    return np.tile([0, size], (size + 1, 1)) if known is None else known


def parse_tokens(encoding: Encoding, text: str) -> Tokens:
    """Parse the names of tokens, separated by spaces: `C4 hold D4 off`.

    Raises:
        UsageError: a name is not in the vocabulary.
    """
    index = {name: token for token, name in enumerate(encoding.vocabulary)}
    names = text.split()
    unknown = next((name for name in names if name not in index), None)
    if unknown is not None:
        some = ", ".join(encoding.vocabulary[:6])
        raise UsageError(f"'{unknown}' is not a token of this encoding", f"tokens have names such as {some}")
    return np.array([index[name] for name in names], dtype=np.int64)


def check_pitch_range(low: int, high: int) -> None:
    """Check that a range of pitches holds an octave, so that any note can be folded into it.

    Raises:
        UsageError: it does not, or is not of MIDI pitches.
    """
    if not (low >= 0 and low + 11 <= high <= 127):
        raise UsageError(
            f"a range from {low} to {high} is not an octave of MIDI pitches",
            "give an octave or more between 0 and 127",
        )


def fold_pitch(pitch: int, low: int, high: int) -> int:
    """Move a pitch into a range of an octave or more by as few octaves as possible.

    Examples:
        >>> fold_pitch(40, 48, 83), fold_pitch(90, 48, 83), fold_pitch(60, 48, 83)
        (52, 78, 60)
    """
    if pitch < low:
        return pitch + 12 * -((pitch - low) // 12)
    if pitch > high:
        return pitch - 12 * -((high - pitch) // 12)
    return pitch


def check_tokens(tokens: Sequence[int] | NDArray[Any], vocabulary_size: int, dimensions: int) -> Tokens:
    """Convert tokens to an int64 array after checking that they are in the vocabulary.

    Raises:
        UsageError: the shape, the type or a token is invalid.
    """
    array = np.asarray(tokens)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != dimensions or not np.issubdtype(array.dtype, np.integer):
        shape = "(steps,)" if dimensions == 1 else "(melodies, steps)"
        raise UsageError(
            f"tokens have shape {array.shape} and type {array.dtype}", f"give whole numbers of shape {shape}"
        )
    if array.size and not (int(array.min()) >= 0 and int(array.max()) < vocabulary_size):
        raise UsageError(
            f"tokens range from {int(array.min())} to {int(array.max())}", f"give 0 to {vocabulary_size - 1}"
        )
    return array.astype(np.int64, copy=False)
