"""The grid encoding, the paper's section VIII: one token a sixteenth.

0 = note off, 1 = hold (sound or silence continues), 2.. = a note of that pitch begins. With the default range 48..83
these are the 38 classes of RL Tuner: class = pitch - 46.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, OFF, ON, TICKS_PER_QUARTER, Key, Line, Melody, Meter, Note, Pitch, Tempo
from cantilena.tokenizers.protocol import Fit, Tokens, check_pitch_range, check_tokens, fold_pitch


@dataclass(frozen=True)
class GridEncoding:
    """One token a step of fixed length.

    Args:
        low: the lowest pitch, MIDI number.
        high: the highest pitch, MIDI number; the range must hold an octave, so that any note can be folded into it.
        steps_per_quarter: 4 for sixteenths; a divisor of 24.

    Raises:
        UsageError: the range or the number of steps is invalid.

    Examples:
        >>> grid = GridEncoding()
        >>> tune = Melody.from_pitches([(60, 12), (64, 6), (None, 6), (67, 24)])
        >>> grid.encode(tune).tolist()
        [14, 1, 18, 0, 21, 1, 1, 1]
        >>> grid.decode(grid.encode(tune)) == tune
        True
    """

    low: int = 48
    high: int = 83
    steps_per_quarter: int = 4
    name: ClassVar[str] = "grid"
    is_timed: ClassVar[bool] = True
    has_rhythm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_pitch_range(self.low, self.high)
        if self.steps_per_quarter < 1 or TICKS_PER_QUARTER % self.steps_per_quarter:
            raise UsageError(
                f"{self.steps_per_quarter} steps a quarter note is not a division of it",
                "give 1, 2, 3, 4, 6, 8, 12 or 24",
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """`off`, `hold`, and the names of the pitches."""
        return ("off", "hold", *(Pitch(pitch).name for pitch in range(self.low, self.high + 1)))

    @property
    def ticks_per_step(self) -> int:
        """Ticks a step: 6 for sixteenths."""
        return TICKS_PER_QUARTER // self.steps_per_quarter

    @property
    def ticks_per_count(self) -> int:
        """As `ticks_per_step`."""
        return self.ticks_per_step

    def description(self) -> dict[str, Any]:
        """The JSON values from which `encoding_from` builds this encoding again."""
        return {
            "name": self.name, "low": self.low, "high": self.high, "steps_per_quarter": self.steps_per_quarter,
        }  # fmt: skip

    def fit(self, melody: Melody) -> Fit:
        """The top line of a melody, on the grid and in the range.

        Onsets and ends move to the nearest step (halves upwards); a note keeps at least one step. Of two notes with one
        onset, and of a chord, the highest stays. A note ends at the latest where the next begins. Notes outside the
        range are folded by octaves. Each change counts once a note.
        """
        return Fit(melody) if self._fits(melody) else self._fit_to_grid(melody)

    def _fits(self, melody: Melody) -> bool:
        """Whether the melody is monophonic, in the range and on the grid."""
        step, end = self.ticks_per_step, 0
        if melody.length % step or melody.pickup % step:
            return False
        for note in melody.notes:
            onset, duration, pitches = note.onset, note.duration, note.pitches
            if onset < end or onset % step or duration % step or len(pitches) > 1:
                return False
            if pitches and not self.low <= pitches[0] <= self.high:
                return False
            end = onset + duration
        return True

    def _fit_to_grid(self, melody: Melody) -> Fit:
        step, rounded, dropped, folded = self.ticks_per_step, 0, 0, 0
        heads: dict[int, tuple[int, int]] = {}
        rests: list[Note] = []
        for note in melody.notes:
            onset, end = _nearest(note.onset, step), _nearest(note.end, step)
            rounded += (onset, end) != (note.onset, note.end)
            if note.is_rest:
                rests.append(Note((), onset, max(end - onset, step)))
                continue
            dropped += len(note.pitches) - 1
            if onset in heads:
                dropped += 1
            if onset not in heads or note.top > heads[onset][0]:
                heads[onset] = (note.top, max(end, onset + step))
        onsets = sorted(heads)
        notes = []
        for onset, limit in pairwise([*onsets, 2**62]):
            pitch, end = heads[onset]
            inside = self.fold(pitch)
            folded += inside != pitch
            notes.append(Note((inside,), onset, min(end, limit) - onset))
        length = _nearest(melody.length, step)
        pickup = _nearest(melody.pickup, step)
        for rest in rests:  # a written rest stays where no note sounds, and ends at the latest where the next begins
            if not any(note.onset <= rest.onset < note.end for note in notes[: len(onsets)]):
                limit = min((onset for onset in onsets if onset > rest.onset), default=rest.end)
                notes.append(Note((), rest.onset, min(rest.end, limit) - rest.onset))
        fitted = replace(melody, notes=tuple(notes), length=length, pickup=pickup)
        return Fit(fitted, folded=folded, rounded=rounded, dropped=dropped)

    def fold(self, pitch: int) -> int:
        """Move a pitch into the range by as few octaves as possible.

        Examples:
            >>> GridEncoding().fold(40), GridEncoding().fold(90)
            (52, 78)
        """
        return fold_pitch(pitch, self.low, self.high)

    def encode(self, melody: Melody) -> Tokens:
        """`(steps,)` tokens of the fitted melody, from its start to its length."""
        fitted, step = self.fit(melody).melody, self.ticks_per_step
        tokens = np.full(fitted.length // step, HOLD, dtype=np.int64)
        for note in fitted.notes:
            if note.end < fitted.length:
                tokens[note.end // step] = OFF if note.pitches else tokens[note.end // step]
        for note in fitted.notes:
            tokens[note.onset // step] = note.top - self.low + 2 if note.pitches else OFF
        return tokens

    def decode(
        self,
        tokens: Sequence[int] | Tokens,
        *,
        key: Key | None = None,
        meter: Meter | None = None,
        tempo: Tempo | None = None,
    ) -> Melody:
        """The melody of `(steps,)` tokens.

        An off ends the note that sounds; an off in silence becomes a written rest, so that `encode` restores it.
        """
        classes = check_tokens(tokens, len(self.vocabulary), 1)
        step = self.ticks_per_step
        notes: list[Note] = []
        sounds = False
        starts = [*np.flatnonzero(classes != HOLD).tolist(), len(classes)]
        for start, end in pairwise(starts):
            token = int(classes[start])
            if token != OFF:
                notes.append(Note((token - 2 + self.low,), start * step, (end - start) * step))
            elif not sounds:
                notes.append(Note((), start * step, (end - start) * step))
            sounds = token != OFF
        return Melody(tuple(notes), key=key, meter=meter or Meter(), tempo=tempo or Tempo(), length=len(classes) * step)

    def line(self, tokens: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]] | None = None) -> Line:
        """The line of `(melodies, steps)` tokens; `length` is `(melodies,)` if rows are padded."""
        classes = check_tokens(tokens, len(self.vocabulary), 2)
        event = np.minimum(classes, ON)
        pitch = np.where(classes >= ON, classes - 2 + self.low, -1)
        return Line.from_events(event, pitch, length=length)


def _nearest(tick: int, step: int) -> int:
    return (tick + step // 2) // step * step
