"""What only longer melodies than those that are counted can show: how they come back, and what they copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cantilena.metrics import SelfSimilarity, borrowed_at_most, self_similarity
from cantilena.music import Key, Melody, Meter
from cantilena.reporting import CopiedPassage
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.evaluate.contestants import PEOPLE
from cantilena.workflows.evaluate.copied_passages import copied_passages
from cantilena.workflows.evaluate.copying import LearnedTunes
from cantilena.workflows.evaluate.melodies import steps_of_melody
from cantilena.workflows.evaluate.melody_sets import JudgedTune, MelodySet, on_judged_grid
from cantilena.workflows.evaluate.systems import System

_DRAWN = 200
"""Melodies of a system whose likeness to themselves is measured."""


@dataclass(frozen=True)
class LongMelodies:
    """Melodies of thirty seconds, where there are some.

    Args:
        people: held-out excerpts as long; None where no piece is.
        learned: the corpus, where copies are looked for.
    """

    people: MelodySet | None
    learned: LearnedTunes

    def similarity(self, systems: Sequence[System]) -> list[SelfSimilarity]:
        """How people's melodies and those of some systems are like themselves."""
        found = []
        if self.people is not None:
            found.append(self_similarity(PEOPLE, self.people.line, self.people.contexts))
        for system in systems:
            assert isinstance(system.encoding, GridEncoding)
            tokens = system.draw(_DRAWN, steps_of_melody(system.encoding), "similarity")
            tunes = [JudgedTune(row, Key(), Meter(), "", "") for row in on_judged_grid(tokens, system.encoding)]
            one = MelodySet(system.name, system.description, tunes)
            found.append(self_similarity(one.name, one.line, one.contexts))
        return found

    def passages(self, heard: Mapping[str, Sequence[Melody]]) -> list[CopiedPassage]:
        """The longest copied runs of the melodies that can be heard; people's own pieces are no copies.

        Args:
            heard: by system, in the order of their files.
        """
        bound = None
        if self.people is not None:
            bound = borrowed_at_most(self.learned.copies(self.people, own_too=False))
        pieces = dict(zip(self.learned.sources, self.learned.pieces, strict=True))
        found = []
        for name, melodies in heard.items():
            tunes = [
                JudgedTune.of(melody, piece=pieces.get(melody.source, melody.title), label=melody.title)
                for melody in melodies
            ]
            one = MelodySet(name, "", tunes)
            copies = self.learned.copies(one, own_too=name != PEOPLE)
            found += copied_passages(one, range(len(one)), self.learned, copies, bound)
        return found
