"""Where in a corpus a melody was copied from: piece and bars.

What melodies copied, as a report shows it: their bars above those of the piece that has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cantilena.data import Corpus
from cantilena.metrics import Copies, CopyIndex
from cantilena.music import ON, Melody
from cantilena.reporting import CopiedPassage
from cantilena.workflows.evaluate.melody_sets import JudgedTune, MelodySet, corpus_notes


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
            >>> tune = JudgedTune.of(Melody.from_pitches([(60, 24)], title="The Hag"), piece="p", label="reels/1.abc")
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
        return CopyIndex.from_notes([corpus_notes(self.corpus)], np.array(self.pieces))

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


_NOT_WORTH_TELLING = 6
"""Notes of a copied run that is not shown unless it is longer than people's: everybody has so many in common."""


def copied_passages(
    one: MelodySet, rows: Sequence[int], learned: LearnedTunes, copies: Copies, bound: int | None
) -> list[CopiedPassage]:
    """The longest copied run of some melodies of a set, those that are worth showing.

    Args:
        one: the set.
        rows: which of its melodies, in the order in which the report lets one hear them.
        learned: the corpus.
        copies: of all melodies of the set.
        bound: the longest run that is no more than people borrow, notes.
    """
    passages = []
    for number, row in enumerate(rows):
        place = learned.place(one, copies, row)
        beyond = bound is not None and int(copies.notes[row]) > bound
        if place is not None and (beyond or place.notes >= _NOT_WORTH_TELLING):
            steps = int(copies.step[row]), int(copies.corpus_step[row])
            passages.append(_passage(one.name, one.tunes[row], place, steps, number=number, beyond=beyond))
    return passages


def _passage(
    name: str, tune: JudgedTune, place: Place, steps: tuple[int, int], *, number: int, beyond: bool
) -> CopiedPassage:
    mine, first = _bars_of(tune, place.bars, steps[0])
    theirs, source_first = _bars_of(place.source, place.source_bars, steps[1])
    return CopiedPassage(
        system=name,
        label=tune.title or tune.label,
        notes=place.notes,
        bars=place.bars_text,
        source_title=place.source.title,
        source_file=place.source.label,
        source_bars=place.source_bars_text,
        excerpt=mine,
        source_excerpt=theirs,
        exceeds_human=beyond,
        melody=number,
        first=first,
        source_first=source_first,
    )


def _bars_of(tune: JudgedTune, bars: tuple[int, int], step: int) -> tuple[Melody, int]:
    """Some bars of a tune as a melody, and which of its notes begins at a step of the tune."""
    size = tune.context.steps_per_bar
    start, end = (bars[0] - 1) * size, bars[1] * size
    melody = replace(tune, tokens=tune.tokens[start:end]).melody()
    return melody, int(np.count_nonzero(tune.tokens[start:step] >= ON))
