"""Find the passages of a corpus that melodies copy: piece and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cantilena.data import Corpus
from cantilena.metrics import Copies, CopyIndex
from cantilena.music import ON, Melody
from cantilena.reporting import CopiedPassage
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet, corpus_notes

_MIN_SHOWN = 6
"""Notes of a copied run that a report shows even if it is not longer than what human melodies borrow."""


@dataclass(frozen=True)
class PassageLocation:
    """A run of notes that a melody and a piece of the corpus, the source, have in common.

    Args:
        bars: its first and last bar in the melody, counted from 1; `source_bars` those in the piece.
        steps: where it begins in the melody and in the piece.
    """

    notes: int
    bars: tuple[int, int]
    source: EvalMelody
    source_bars: tuple[int, int]
    steps: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """One phrase.

        Examples:
            >>> from cantilena.music import Melody
            >>> melody = Melody.from_pitches([(60, 24)], title="The Hag")
            >>> source = EvalMelody.from_melody(melody, piece="p", label="reels/1.abc")
            >>> PassageLocation(9, (1, 2), source, (5, 6)).text
            '9 notes of bars 1-2 as in "The Hag" (reels/1.abc), bars 5-6'
        """
        titled = f'"{self.source.title}" ({self.source.label})' if self.source.title else self.source.label
        return f"{self.notes} notes of bars {self.bars_text} as in {titled}, bars {self.source_bars_text}"

    @property
    def bars_text(self) -> str:
        """The bars of the melody, such as `5-8`."""
        return _span(self.bars)

    @property
    def source_bars_text(self) -> str:
        """The bars of the piece."""
        return _span(self.source_bars)


@dataclass(frozen=True)
class TrainingMelodies:
    """The melodies of a corpus that models may have been trained on, all but the test split, indexed to find copies."""

    corpus: Corpus

    @classmethod
    def from_corpus(cls, corpus: Corpus) -> TrainingMelodies:
        """Leave out the test split of a corpus."""
        kept = [number for number, split in enumerate(corpus.column("split")) if split != "test"]
        return cls(Corpus(corpus.table.take(kept), corpus.manifest))

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

    @cached_property
    def index(self) -> CopyIndex:
        """The search index, built when first used."""
        return CopyIndex.from_notes([corpus_notes(self.corpus)], np.array(self.pieces))

    def copies(self, melodies: MelodySet, *, include_own_piece: bool) -> Copies:
        """The longest copied run of each melody; for human melodies those of their own piece do not count."""
        if include_own_piece:
            return self.index.copies(melodies.line)
        return self.index.copies(melodies.line, leave_out=np.array([one.piece for one in melodies.melodies]))

    def locate(self, melodies: MelodySet, copies: Copies, row: int) -> PassageLocation | None:
        """Where the longest copied run of a melody is from; None if nothing was copied."""
        number, notes = int(copies.melody[row]), int(copies.notes[row])
        if number < 0:
            return None
        source = EvalMelody.from_melody(self.corpus[number], piece=self.pieces[number], label=self.sources[number])
        steps = int(copies.step[row]), int(copies.corpus_step[row])
        bars = _bars_of_run(melodies.melodies[row], steps[0], notes)
        return PassageLocation(notes, bars, source, _bars_of_run(source, steps[1], notes), steps)


def copied_passages(
    melodies: MelodySet, rows: Sequence[int], training: TrainingMelodies, copies: Copies, limit: int | None
) -> list[CopiedPassage]:
    """The longest copied runs of some rows of a set, for a report: their bars beside those of the source.

    Runs up to `limit` notes count as borrowing; short ones are left out.
    """
    passages = []
    for number, row in enumerate(rows):
        location, melody = training.locate(melodies, copies, row), melodies.melodies[row]
        if location is None:
            continue
        beyond = limit is not None and location.notes > limit
        if not beyond and location.notes < _MIN_SHOWN:
            continue
        excerpt, first = _cut_bars(melody, location.bars, location.steps[0])
        source_excerpt, source_first = _cut_bars(location.source, location.source_bars, location.steps[1])
        passages.append(
            CopiedPassage(
                system=melodies.name,
                label=melody.title or melody.label,
                notes=location.notes,
                bars=location.bars_text,
                source_title=location.source.title,
                source_file=location.source.label,
                source_bars=location.source_bars_text,
                excerpt=excerpt,
                source_excerpt=source_excerpt,
                exceeds_human=beyond,
                melody=number,
                first=first,
                source_first=source_first,
            )
        )
    return passages


def _span(bars: tuple[int, int]) -> str:
    return str(bars[0]) if bars[0] == bars[1] else f"{bars[0]}-{bars[1]}"


def _bars_of_run(melody: EvalMelody, step: int, notes: int) -> tuple[int, int]:
    """The first and last bar, counted from 1, of so many notes from a step on."""
    onsets = np.flatnonzero(melody.tokens[step:] >= ON)[:notes] + step
    size = melody.context.steps_per_bar
    return step // size + 1, int(onsets[-1] if len(onsets) else step) // size + 1


def _cut_bars(melody: EvalMelody, bars: tuple[int, int], step: int) -> tuple[Melody, int]:
    """Some bars as a melody, and the index of its note that begins at a step of the whole."""
    size = melody.context.steps_per_bar
    start, end = (bars[0] - 1) * size, bars[1] * size
    cut = replace(melody, tokens=melody.tokens[start:end]).to_melody()
    return cut, int(np.count_nonzero(melody.tokens[start:step] >= ON))
