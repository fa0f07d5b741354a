"""What melodies copied, as a report shows it: their bars above those of the piece that has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cantilena.metrics import Copies
from cantilena.music import ON, Melody
from cantilena.reporting import CopiedPassage
from cantilena.workflows.evaluate.copying import LearnedTunes, Place
from cantilena.workflows.evaluate.melody_sets import JudgedTune, MelodySet

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
        more_than_people=beyond,
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
