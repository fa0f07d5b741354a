"""Where in a corpus a melody was copied from: piece and bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cantilena.data import Corpus
from cantilena.metrics import Copies, CopyIndex
from cantilena.workflows.evaluate.corpus_notes import corpus_notes
from cantilena.workflows.evaluate.melody_sets import JudgedTune, MelodySet


@dataclass(frozen=True)
class Place:
    """A run of notes that a melody and a piece of the corpus have in common.

    Args:
        notes: how many.
        bars: of the melody, the first and the last.
        source: the piece.
        source_bars: of the piece, the first and the last.
    """

    notes: int
    bars: tuple[int, int]
    source: JudgedTune
    source_bars: tuple[int, int]

    @property
    def text(self) -> str:
        """In words.

        Example:
            >>> from cantilena.music import Melody
            >>> tune = JudgedTune.of(Melody.of([(60, 24)], title="The Hag"), piece="p", label="reels/1.abc")
            >>> Place(9, (1, 2), tune, (5, 6)).text
            '9 notes of bars 1-2 as in "The Hag" (reels/1.abc), bars 5-6'
        """
        titled = f'"{self.source.title}" ({self.source.label})' if self.source.title else self.source.label
        return f"{self.notes} notes of bars {self.bars_text} as in {titled}, bars {self.source_bars_text}"

    @property
    def bars_text(self) -> str:
        """The bars of the melody: `5-8`."""
        return _span(self.bars)

    @property
    def source_bars_text(self) -> str:
        """The bars of the piece."""
        return _span(self.source_bars)


@dataclass(frozen=True)
class LearnedTunes:
    """The melodies of a corpus that models learned, to look for copies in.

    Args:
        corpus: all of it but what is held out.
    """

    corpus: Corpus

    @classmethod
    def of(cls, corpus: Corpus) -> LearnedTunes:
        """What models may have learned of a corpus: all but what is held out."""
        learned = [number for number, split in enumerate(corpus.column("split")) if split != "test"]
        return cls(Corpus(corpus.table.take(learned), corpus.manifest))

    def __len__(self) -> int:
        return len(self.corpus)

    @cached_property
    def pieces(self) -> list[str]:
        """The piece of each melody."""
        return self.corpus.column("piece")

    @cached_property
    def sources(self) -> list[str]:
        """The file of each melody."""
        return self.corpus.column("source")

    def tune(self, number: int) -> JudgedTune:
        """A melody on the grid."""
        return JudgedTune.of(self.corpus[number], piece=self.pieces[number], label=self.sources[number])

    @cached_property
    def index(self) -> CopyIndex:
        """What finds copies; made when it is first asked for."""
        return CopyIndex.of_notes([corpus_notes(self.corpus)], np.array(self.pieces))

    def copies(self, one: MelodySet, *, own_too: bool) -> Copies:
        """The longest copied run of each melody.

        Args:
            one: the melodies.
            own_too: whether a melody counts as a copy of its own piece; people's do not.
        """
        if own_too:
            return self.index.copies(one.line)
        return self.index.copies(one.line, leave_out=np.array([tune.piece for tune in one.tunes]))

    def place(self, one: MelodySet, copies: Copies, row: int) -> Place | None:
        """Where the longest copied run of a melody is from; None where nothing was copied."""
        if copies.melody[row] < 0:
            return None
        tune, source = one.tunes[row], self.tune(int(copies.melody[row]))
        notes = int(copies.notes[row])
        begins, there = int(copies.step[row]), int(copies.corpus_step[row])
        return Place(notes, _bars(tune, begins, notes), source, _bars(source, there, notes))


def _bars(tune: JudgedTune, step: int, notes: int) -> tuple[int, int]:
    """The bars of so many notes from a step on, counted from 1."""
    onsets = np.flatnonzero(tune.tokens[step:] >= 2)[:notes] + step
    size = tune.context.steps_per_bar
    return step // size + 1, int(onsets[-1] if len(onsets) else step) // size + 1


def _span(bars: tuple[int, int]) -> str:
    return str(bars[0]) if bars[0] == bars[1] else f"{bars[0]}-{bars[1]}"
