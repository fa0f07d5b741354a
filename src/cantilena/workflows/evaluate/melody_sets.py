"""Sets of melodies made comparable: on one grid, from the first barline on, no longer than the shortest set allows.

All notes of a corpus on the grid of sixteenths at once, without building its melodies: where copies are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, Skipped
from cantilena.data.columns import flat, note_offsets, offsets
from cantilena.metrics import RuleCounts
from cantilena.music import HOLD, ON, Key, Line, Melody, Meter, Tempo, find_key
from cantilena.reporting import NoteProbabilities
from cantilena.rules import Context, Notes
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
"""On which all melodies are judged: sixteenths, at their own pitch."""


@dataclass(frozen=True)
class JudgedTune:
    """A melody on the grid, from its first barline on.

    Args:
        tokens: `(steps,)` of `GRID`.
        key: in which it is judged.
        meter: its time signature.
        piece: which piece it belongs to: what is of one piece is not independent.
        label: what to call it: its file, or its number.
        title: its title, where it has one.
        tempo: how fast it is played.
    """

    tokens: NDArray[np.int64]
    key: Key
    meter: Meter
    piece: str
    label: str
    title: str = ""
    tempo: Tempo = field(default_factory=Tempo)

    @classmethod
    def of(cls, melody: Melody, *, piece: str, label: str, key: Key | None = None) -> JudgedTune:
        """Put a melody on the grid.

        Args:
            melody: what before its first barline is left out.
            piece: the piece it belongs to.
            label: what to call it.
            key: in which it is judged; its own where None, found by its notes where it has none, C major without notes.
        """
        judged_in = key or melody.key or find_key(melody) or Key()
        fitted = GRID.fit(melody).melody
        tokens, pickup = GRID.encode(fitted), fitted.pickup // GRID.ticks_per_step
        begun = tokens[pickup:] if pickup < len(tokens) else tokens
        return cls(begun, judged_in, melody.meter, piece, label, melody.title, melody.tempo)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def context(self) -> Context:
        """In which rules judge it."""
        steps = max(self.meter.ticks_per_bar // GRID.ticks_per_step, 1)
        return Context(self.key, self.meter, steps)

    def pitch_class_durations(self) -> NDArray[np.float64]:
        """How long each pitch class sounds, `(12,)`, in steps."""
        changes = np.flatnonzero(self.tokens != HOLD)
        lasts = np.diff(np.append(changes, len(self.tokens)))
        token = self.tokens[changes]
        sounds = token >= ON
        return np.bincount((token[sounds] - ON) % 12, weights=lasts[sounds], minlength=12).astype(np.float64)

    def first(self, steps: int) -> JudgedTune:
        """Its first so many steps."""
        return replace(self, tokens=self.tokens[:steps])

    def last(self, steps: int) -> JudgedTune:
        """Its last so many steps."""
        return replace(self, tokens=self.tokens[max(len(self.tokens) - steps, 0) :])

    def excerpts(self, steps: int) -> list[JudgedTune]:
        """All stretches of so many steps that do not overlap; a note that began before goes on."""
        starts = range(0, len(self) - steps + 1, steps)
        return [replace(self, tokens=self.tokens[start : start + steps]) for start in starts]

    def melody(self) -> Melody:
        """As it is judged, to hear and see."""
        heard = GRID.decode(self.tokens, key=self.key, meter=self.meter, tempo=self.tempo)
        return replace(heard, title=self.title or self.label, source=self.label)


@dataclass(frozen=True)
class MelodySet:
    """The melodies of one system, ready to be judged.

    Args:
        name: of the system.
        description: what it is, a sentence.
        tunes: its melodies, one or more.
        skipped: files that could not be used, with the reason.
        sha256: of the folder's melodies or of the bundle's file, "" where there is neither.
        own: what a model says of the melodies that it drew (`model_distances`); nothing for others.
        thought: what a model thought at each step of its first melody; None for others.
    """

    name: str
    description: str
    tunes: Sequence[JudgedTune]
    skipped: Sequence[Skipped] = ()
    sha256: str = ""
    own: RuleCounts = field(default_factory=lambda: RuleCounts({}, {}))
    thought: NoteProbabilities | None = None

    def __len__(self) -> int:
        return len(self.tunes)

    @cached_property
    def line(self) -> Line:
        """What sounds at each step, `(melodies, steps of the longest)`."""
        return line_of(tune.tokens for tune in self.tunes)

    @cached_property
    def contexts(self) -> tuple[Context, ...]:
        """Key and bars of each melody."""
        return tuple(tune.context for tune in self.tunes)

    @cached_property
    def pieces(self) -> NDArray[np.int64]:
        """`(melodies,)`: equal numbers for melodies of one piece."""
        return np.unique([tune.piece for tune in self.tunes], return_inverse=True)[1].astype(np.int64)

    @property
    def typical_length(self) -> int:
        """The median length, steps."""
        return int(np.median([len(tune) for tune in self.tunes]))

    def cut(self, steps: int) -> MelodySet:
        """The same melodies, no longer than so many steps."""
        return replace(self, tunes=[tune.first(steps) for tune in self.tunes])

    def some(self, melodies: int, rng: np.random.Generator) -> MelodySet:
        """So many of the melodies, drawn at random; all where there are no more."""
        if len(self) <= melodies:
            return self
        rows = np.sort(rng.permutation(len(self))[:melodies])
        return replace(self, tunes=[self.tunes[row] for row in rows])


def line_of(tokens: Iterable[NDArray[np.int64]]) -> Line:
    """Rows of tokens of different lengths as one line."""
    rows = list(tokens)
    length = np.array([len(row) for row in rows], dtype=np.int64)
    padded = np.zeros((len(rows), int(length.max(initial=1))), dtype=np.int64)
    for row, padding in zip(rows, padded, strict=True):
        padding[: len(row)] = row
    return GRID.line(padded, length)


def on_judged_grid(tokens: NDArray[np.int64], encoding: GridEncoding) -> NDArray[np.int64]:
    """Tokens of another grid of sixteenths as those of `GRID`.

    Example:
        >>> on_judged_grid(np.array([14, 1, 0]), GridEncoding()).tolist()  # C4, hold, off
        [62, 1, 0]
    """
    return np.where(tokens >= ON, tokens + encoding.low - GRID.low, tokens)


_STEP = GRID.ticks_per_step


def corpus_notes(corpus: Corpus) -> Notes:
    """The top notes of a corpus, from each melody's first barline on: those of `JudgedTune.of` of every melody.

    Onsets move to the nearest step, a half upwards; where two meet, the higher note stays. A melody that is all pickup
    is taken whole.

    Args:
        corpus: some melodies.

    Returns:
        Notes that sound until the next one begins: rests between them are not told.
    """
    table = corpus.table
    starts, first_pitch = offsets(table, "onset"), note_offsets(table)
    melody = np.repeat(np.arange(len(corpus)), np.diff(starts))
    sounds = np.diff(first_pitch) > 0
    pitch = flat(table, "pitches").astype(np.int64)
    top = np.full(len(melody), -1, dtype=np.int64)
    if sounds.any():
        top[sounds] = np.maximum.reduceat(pitch, first_pitch[:-1][sounds])
    step = _nearest(flat(table, "onset").astype(np.int64))
    length, pickup = (_nearest(flat(table, name).astype(np.int64)) for name in ("length", "pickup"))
    begins = np.where(pickup < length, pickup, 0)
    kept = np.flatnonzero(sounds & (step >= begins[melody]))
    kept = kept[np.lexsort((-top[kept], step[kept], melody[kept]))]
    melody, step, top = melody[kept], step[kept] - begins[melody[kept]], top[kept]
    new = np.append(True, (np.diff(melody) != 0) | (np.diff(step) != 0))[: len(melody)]
    melody, step, top = melody[new], step[new], top[new]
    ends = np.append(step[1:], 0)
    last = np.append(np.diff(melody) != 0, True)[: len(melody)]
    ends[last] = (length - begins)[melody[last]]
    gap = np.maximum(ends - step, 1)
    shape = (len(corpus), int((length - begins).max(initial=0)))
    return Notes(melody.astype(np.int64), step, top, gap, gap, shape)


def _nearest(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks as steps, a half upwards."""
    return (ticks + _STEP // 2) // _STEP
