"""Many melodies as arrays, the form that rules and metrics read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.music.chord_track import ChordTrack

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
        chord: `(melodies, steps)` int16: 12 bits, bit k is set if pitch class k is a tone of the chord symbol that
            sounds; 0 where none does. None if no chords are known.
        chord_root: `(melodies, steps)` int8: pitch class of its root, -1 where none sounds. None with `chord`.

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
    chord: NDArray[np.int16] | None = None
    chord_root: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        shape = self.event.shape
        if len(shape) != 2 or self.pitch.shape != shape or self.pitch_classes.shape != shape:
            raise ValueError(f"event and pitch must have one shape (melodies, steps), got {shape}, {self.pitch.shape}")
        if self.length.shape != shape[:1]:
            raise ValueError(f"length must have shape {shape[:1]}, got {self.length.shape}")
        shapes = [None if each is None else each.shape for each in (self.chord, self.chord_root)]
        if shapes not in ([None, None], [shape, shape]):
            raise ValueError(f"chord and chord_root must both be None or have shape {shape}, got {shapes}")

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

    def chord_arrays(self) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
        """`chord` and `chord_root`; if no chords are known, those of none sounding."""
        if self.chord is None or self.chord_root is None:
            return np.zeros(self.event.shape, np.int16), np.full(self.event.shape, -1, np.int8)
        return self.chord, self.chord_root

    def __getitem__(self, rows: Any) -> Line:  # noqa: ANN401  (whatever numpy takes as an index)
        """The melodies of some rows."""
        chord, root = (None if each is None else each[rows] for each in (self.chord, self.chord_root))
        return Line(self.event[rows], self.pitch[rows], self.pitch_classes[rows], self.length[rows], chord, root)

    def with_chords(self, tracks: Sequence[ChordTrack], ticks_per_step: int) -> Line:
        """The same melodies with the chords that sound over them; `chord` is None if none sounds over any.

        Args:
            tracks: the chords of each melody, from its first step on. Changes are rounded to steps, halves up.
            ticks_per_step: of the line.

        Raises:
            ValueError: the number of tracks is not that of the melodies.

        Examples:
            >>> from cantilena.music import ChordTrack, Meter
            >>> line = Line.from_events(np.array([[2, 1, 2, 1]]), np.array([[60, -1, 62, -1]]))
            >>> over = line.with_chords([ChordTrack.parse("C G", Meter(4, 4))], ticks_per_step=24)
            >>> over.chord_root.tolist(), bin(over.chord[0, 0])
            ([[0, 0, 7, 7]], '0b10010001')
        """
        if len(tracks) != self.melodies:
            raise ValueError(f"got the chords of {len(tracks)} melodies for {self.melodies}")
        if not any(chord.root is not None for track in tracks for _, chord in track):
            return replace(self, chord=None, chord_root=None)
        masks, roots = np.zeros(self.event.shape, np.int16), np.full(self.event.shape, -1, np.int8)
        for row, track in enumerate(tracks):
            for tick, chord in track:
                step = (tick + ticks_per_step // 2) // ticks_per_step
                masks[row, step:] = sum(1 << tone for tone in chord.pitch_classes)
                roots[row, step:] = -1 if chord.root is None else chord.root
        return replace(self, chord=masks, chord_root=roots)
