"""Many melodies as arrays, the form that rules and metrics read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OFF = 0
"""Event: the note that sounds ends."""
HOLD = 1
"""Event: none; sound or silence continues."""
ON = 2
"""Event: a note begins."""


@dataclass(frozen=True, slots=True)
class Line:
    """What sounds at each step of many melodies.

    Args:
        event: `(melodies, steps)` int8: `OFF`, `HOLD` or `ON`.
        pitch: `(melodies, steps)` int16: MIDI number of the top note that begins, -1 if none does.
        pitch_classes: `(melodies, steps)` int16: 12 bits, bit k is set if pitch class k begins.
        length: `(melodies,)` int64: steps of each melody; the rest of its row is padding.

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 0]]))
        >>> line.event.tolist(), line.pitch.tolist()
        ([[2, 1, 2, 0]], [[60, -1, 62, -1]])
    """

    event: NDArray[np.int8]
    pitch: NDArray[np.int16]
    pitch_classes: NDArray[np.int16]
    length: NDArray[np.int64]

    def __post_init__(self) -> None:
        shape = self.event.shape
        if len(shape) != 2 or self.pitch.shape != shape or self.pitch_classes.shape != shape:
            raise ValueError(f"event and pitch must have one shape (melodies, steps), got {shape}, {self.pitch.shape}")
        if self.length.shape != shape[:1]:
            raise ValueError(f"length must have shape {shape[:1]}, got {self.length.shape}")

    @classmethod
    def from_events(
        cls,
        event: NDArray[np.integer],
        pitch: NDArray[np.integer],
        pitch_classes: NDArray[np.integer] | None = None,
        length: NDArray[np.integer] | None = None,
    ) -> Line:
        """Build a line; pitch classes default to those of `pitch`, lengths to the number of steps."""
        if pitch_classes is None:
            pitch_classes = np.where(pitch >= 0, 1 << (pitch.astype(np.int64) % 12), 0)
        if length is None:
            length = np.full(event.shape[0], event.shape[1], dtype=np.int64)
        return cls(
            np.ascontiguousarray(event, dtype=np.int8),
            np.ascontiguousarray(pitch, dtype=np.int16),
            np.ascontiguousarray(pitch_classes, dtype=np.int16),
            np.ascontiguousarray(length, dtype=np.int64),
        )

    @property
    def melodies(self) -> int:
        """Number of melodies."""
        return int(self.event.shape[0])

    @property
    def steps(self) -> int:
        """Number of steps, padding included."""
        return int(self.event.shape[1])

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`(melodies, steps)`: false for padding."""
        return np.arange(self.steps)[None, :] < self.length[:, None]

    def __getitem__(self, rows: Any) -> Line:  # noqa: ANN401  (whatever numpy takes as an index)
        """The melodies of some rows."""
        return Line(self.event[rows], self.pitch[rows], self.pitch_classes[rows], self.length[rows])
