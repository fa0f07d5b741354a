"""Melodies on one grid of sixteenths, from the first barline on, so that systems can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, Skipped
from cantilena.data.columns import flat, note_offsets, offsets
from cantilena.metrics import RuleCounts
from cantilena.music import HOLD, ON, ChordTrack, Key, Line, Melody, Meter, Tempo, find_key
from cantilena.reporting import NoteProbabilities
from cantilena.rules import Context, Notes
from cantilena.tokenizers import Encoding, GridEncoding

GRID = GridEncoding(0, 127)
"""The grid of every evaluation: sixteenths, all MIDI pitches."""

EXCERPTS_PER_PIECE = 4
"""Maximum number of excerpts of one piece: otherwise a long sonata would outweigh many songs."""


@dataclass(frozen=True)
class EvalMelody:
    """A melody on `GRID`, from its first barline on.

    Args:
        tokens: `(steps,)` tokens of `GRID`.
        key: the key for rules.
        piece: the piece that it belongs to; melodies of one piece are not independent.
        label: its file or number.
        chords: over it, from its first step on.
    """

    tokens: NDArray[np.int64]
    key: Key
    meter: Meter
    piece: str
    label: str
    title: str = ""
    tempo: Tempo = field(default_factory=Tempo)
    chords: ChordTrack = field(default_factory=ChordTrack)

    @classmethod
    def from_melody(cls, melody: Melody, *, piece: str, label: str, key: Key | None = None) -> EvalMelody:
        """Put a melody on the grid and leave out its pickup, unless that is all of it.

        The key is by default the melody's own, else the one found from its notes, else C major.
        """
        fitted = GRID.fit(melody).melody
        tokens, pickup = GRID.encode(fitted), fitted.pickup // GRID.ticks_per_step
        key = key or melody.key or find_key(melody) or Key()
        whole = cls(tokens, key, melody.meter, piece, label, melody.title, melody.tempo, fitted.chords)
        return whole.between(pickup, len(tokens)) if 0 < pickup < len(tokens) else whole

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def context(self) -> Context:
        """The key and meter for rules."""
        return Context(self.key, self.meter, max(self.meter.ticks_per_bar // GRID.ticks_per_step, 1))

    @property
    def has_chords(self) -> bool:
        """Whether a chord sounds over it."""
        return any(chord.root is not None for _, chord in self.chords)

    def pitch_class_durations(self) -> NDArray[np.float64]:
        """The duration of each pitch class, `(12,)`, in steps."""
        changes = np.flatnonzero(self.tokens != HOLD)
        durations = np.diff(np.append(changes, len(self.tokens)))
        token = self.tokens[changes]
        sounds = token >= ON
        return np.bincount((token[sounds] - ON) % 12, weights=durations[sounds], minlength=12).astype(np.float64)

    def between(self, start: int, end: int) -> EvalMelody:
        """The steps in [start, end)."""
        step = GRID.ticks_per_step
        chords = self.chords.between(start * step, end * step)
        return replace(self, tokens=self.tokens[start:end], chords=chords)

    def first(self, steps: int) -> EvalMelody:
        """The first steps."""
        return self.between(0, steps)

    def last(self, steps: int) -> EvalMelody:
        """The last steps."""
        return self.between(max(len(self.tokens) - steps, 0), len(self.tokens))

    def excerpts(self, steps: int, most: int | None = None) -> list[EvalMelody]:
        """All non-overlapping excerpts of so many steps, or at most `most` of them at even distances.

        A note that begins before an excerpt continues in it as a hold.
        """
        starts = list(range(0, len(self) - steps + 1, steps))
        if most is not None:
            kept = min(len(starts), most)
            starts = [starts[len(starts) * number // kept] for number in range(kept)]
        return [self.between(start, start + steps) for start in starts]

    def to_melody(self) -> Melody:
        """The same as a melody, to play and engrave."""
        melody = GRID.decode(self.tokens, key=self.key, meter=self.meter, tempo=self.tempo)
        return replace(melody, title=self.title or self.label, source=self.label, chords=self.chords)


@dataclass(frozen=True)
class MelodySet:
    """The melodies of one system, one or more.

    Args:
        skipped: files that could not be used, with the reasons.
        sha256: of the folder's melodies or the bundle's file, if there is one.
        model_counts: KL divergence and entropy of a model on the melodies that it drew.
        probabilities: the probabilities at each step of a model's first melody.
        obedience: how a model that is told forms obeys them (`measure_obedience`); empty for others.
    """

    name: str
    description: str
    melodies: Sequence[EvalMelody]
    skipped: Sequence[Skipped] = ()
    sha256: str = ""
    model_counts: RuleCounts = field(default_factory=lambda: RuleCounts({}, {}))
    probabilities: NoteProbabilities | None = None
    obedience: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.melodies)

    @cached_property
    def line(self) -> Line:
        """All melodies with their chords, `(melodies, steps of the longest)`."""
        line = line_of(melody.tokens for melody in self.melodies)
        return line.with_chords([melody.chords for melody in self.melodies], GRID.ticks_per_step)

    @property
    def has_chords(self) -> bool:
        """Whether chords sound over half of the melodies or more."""
        return 2 * sum(melody.has_chords for melody in self.melodies) >= max(len(self), 1)

    def without_chords(self) -> MelodySet:
        """The same melodies without chords."""
        return replace(self, melodies=[replace(melody, chords=ChordTrack()) for melody in self.melodies])

    @cached_property
    def contexts(self) -> tuple[Context, ...]:
        """The key and meter of each melody."""
        return tuple(melody.context for melody in self.melodies)

    @cached_property
    def pieces(self) -> NDArray[np.int64]:
        """`(melodies,)`: equal numbers for melodies of one piece."""
        return np.unique([melody.piece for melody in self.melodies], return_inverse=True)[1].astype(np.int64)

    @property
    def median_length(self) -> int:
        """The median length in steps."""
        return int(np.median([len(melody) for melody in self.melodies]))

    def truncate(self, steps: int) -> MelodySet:
        """The same melodies, at most so many steps long."""
        return replace(self, melodies=[melody.first(steps) for melody in self.melodies])

    def sample(self, count: int, rng: np.random.Generator) -> MelodySet:
        """At most `count` of the melodies, drawn at random without replacement, in their order."""
        if len(self) <= count:
            return self
        rows = np.sort(rng.permutation(len(self))[:count])
        return replace(self, melodies=[self.melodies[row] for row in rows])


def line_of(tokens: Iterable[NDArray[np.int64]]) -> Line:
    """Rows of `GRID` tokens of different lengths as one padded line."""
    rows = list(tokens)
    length = np.array([len(row) for row in rows], dtype=np.int64)
    padded = np.zeros((len(rows), int(length.max(initial=1))), dtype=np.int64)
    for row, padding in zip(rows, padded, strict=True):
        padding[: len(row)] = row
    return GRID.line(padded, length)


def to_eval_grid(tokens: NDArray[np.int64], encoding: Encoding) -> NDArray[np.int64]:
    """Convert the tokens of a melody, or of `(melodies, steps)` on a grid of sixteenths, to tokens of `GRID`.

    Examples:
        >>> to_eval_grid(np.array([14, 1, 0]), GridEncoding()).tolist()  # C4, hold, off
        [62, 1, 0]
    """
    if isinstance(encoding, GridEncoding) and encoding.ticks_per_step == GRID.ticks_per_step:
        return np.where(tokens >= ON, tokens + encoding.low - GRID.low, tokens)
    return GRID.encode(GRID.fit(encoding.decode(tokens)).melody)


def step_count(steps: int, encoding: Encoding) -> int:
    """The number of steps of an encoding that last so many sixteenths, rounded up."""
    return max(-(-steps * GRID.ticks_per_step // encoding.ticks_per_step), 1)


def corpus_notes(corpus: Corpus) -> Notes:
    """The top notes of a corpus on `GRID`, without building its melodies; equal to those of `EvalMelody.from_melody`.

    Onsets are rounded to the nearest step, halves up; of several notes on one step the highest stays. Rests are not
    represented: each note lasts until the next one.
    """
    table = corpus.table
    starts, first_pitch = offsets(table, "onset"), note_offsets(table)
    melody = np.repeat(np.arange(len(corpus)), np.diff(starts))
    sounds = np.diff(first_pitch) > 0
    pitch = flat(table, "pitches").astype(np.int64)
    top = np.full(len(melody), -1, dtype=np.int64)
    if sounds.any():
        top[sounds] = np.maximum.reduceat(pitch, first_pitch[:-1][sounds])
    step, length, pickup = (
        (flat(table, name).astype(np.int64) + GRID.ticks_per_step // 2) // GRID.ticks_per_step
        for name in ("onset", "length", "pickup")
    )
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
