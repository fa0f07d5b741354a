"""The systems of the paper's experiment, judged beside people: from what was drawn to the rows of results.json.

What only longer melodies than those that are counted can show: how they come back, and what they copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cantilena.data import Corpus
from cantilena.errors import CorpusError
from cantilena.generation import Composer
from cantilena.metrics import SelfSimilarity, borrowed_at_most, self_similarity
from cantilena.music import Key, Melody, Meter
from cantilena.reporting import CopiedPassage
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.data import Material, excerpts
from cantilena.workflows.evaluate.compare import EvalResults, Evaluator
from cantilena.workflows.evaluate.copying import TrainingMelodies, copied_passages
from cantilena.workflows.evaluate.counts import Sample, measure, model_distances
from cantilena.workflows.evaluate.likelihood import ReferenceModel
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet, to_eval_grid
from cantilena.workflows.evaluate.report import decode_all, listening_steps
from cantilena.workflows.evaluate.systems import PEOPLE, System
from cantilena.workflows.reproduce.models import MadeModel
from cantilena.workflows.reproduce.options import STEPS, ReproduceOptions


@dataclass(frozen=True)
class Counting:
    """What the experiment's melodies are held beside.

    Args:
        learned: the corpus, where copies are looked for.
        lstm: whose likelihood and distance are told.
        options: seed, and how many melodies.
    """

    learned: TrainingMelodies
    lstm: MadeModel
    options: ReproduceOptions

    def evaluate(self, people: MelodySet, systems: Sequence[System]) -> EvalResults:
        """All numbers of people's melodies and of the systems' that say pitches on the grid.

        Args:
            people: their held-out excerpts.
            systems: each draws the melodies that are counted, apart from those that are heard.
        """
        reference = ReferenceModel(Composer.of(self.lstm.bundle))
        evaluate = Evaluator(people, self.learned, reference, self.options.seed)
        return evaluate.evaluate([self._drawn(system) for system in systems])

    def _drawn(self, system: System) -> MelodySet:
        tokens = system.draw(self.options.counted, STEPS, "count")
        assert isinstance(system.encoding, GridEncoding)
        digits = len(str(len(tokens)))
        labels = [f"{number:0{digits}}" for number in range(1, len(tokens) + 1)]
        grid = to_eval_grid(tokens, system.encoding)
        tunes = [EvalMelody(row, Key(), Meter(), label, label) for row, label in zip(grid, labels, strict=True)]
        one = MelodySet(system.name, system.description, tunes)
        if system.model is None:
            return one
        told = model_distances(tokens, system.encoding, model=system.model, reference=self.lstm.bundle.model())
        return replace(one, model_counts=told.of_names(("kl_per_step", "entropy_per_step")))


def people_of(material: Material, corpus: Corpus, steps: int) -> MelodySet:
    """All held-out excerpts of so many steps, each in the mode of its piece.

    Raises:
        CorpusError: no piece is as long.
    """
    assert isinstance(material.encoding, GridEncoding)
    parts = excerpts(material.test, steps)
    if not len(parts.tokens):
        raise CorpusError(f"no held-out melody is {steps} steps long", "give a corpus with longer melodies")
    pieces = dict(zip(corpus.column("source"), corpus.column("piece"), strict=True))
    tunes = []
    rows = to_eval_grid(parts.tokens, material.encoding)
    for row, owner, context in zip(rows, parts.piece.tolist(), parts.contexts, strict=True):
        melody = material.test.melodies[owner]
        piece = pieces.get(melody.source, melody.source)
        tunes.append(EvalMelody(row, context.key, melody.meter, piece, melody.source, melody.title))
    return MelodySet(PEOPLE, "held-out excerpts", tunes)


def row(system: System, reference: MadeModel, options: ReproduceOptions, matched_size: int) -> dict[str, Any]:
    """The numbers of a system that tells no time, which is judged note by note."""
    tokens = system.draw(options.counted, STEPS, "count")
    metrics = measure(
        Sample(tokens),
        system.encoding,
        generator(options.seed, "intervals", system.name),
        model=system.model,
        reference=reference.bundle.model(),
        matched_size=matched_size,
    )
    return {"melodies": len(tokens), "metrics": metrics}


def heard_of(system: System, options: ReproduceOptions) -> list[Melody]:
    """The melodies of a system that are written to listen to."""
    tokens = system.draw(options.heard, listening_steps(system.encoding), "listen")
    return decode_all(tokens, system.encoding, system.name)


def vocabulary_of(material: Material) -> int:
    """How many different tokens the material holds."""
    seen = {
        int(token)
        for pieces in (material.train, material.valid, material.test)
        for tokens in pieces.sequences.tokens
        for token in np.unique(tokens)
    }
    return len(seen)


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
    learned: TrainingMelodies

    def similarity(self, systems: Sequence[System]) -> list[SelfSimilarity]:
        """How people's melodies and those of some systems are like themselves."""
        found = []
        if self.people is not None:
            found.append(self_similarity(PEOPLE, self.people.line, self.people.contexts))
        for system in systems:
            assert isinstance(system.encoding, GridEncoding)
            tokens = system.draw(_DRAWN, listening_steps(system.encoding), "similarity")
            tunes = [EvalMelody(row, Key(), Meter(), "", "") for row in to_eval_grid(tokens, system.encoding)]
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
            bound = borrowed_at_most(self.learned.copies(self.people, include_own_piece=False))
        pieces = dict(zip(self.learned.sources, self.learned.pieces, strict=True))
        found = []
        for name, melodies in heard.items():
            tunes = [
                EvalMelody.from_melody(melody, piece=pieces.get(melody.source, melody.title), label=melody.title)
                for melody in melodies
            ]
            one = MelodySet(name, "", tunes)
            copies = self.learned.copies(one, include_own_piece=name != PEOPLE)
            found += copied_passages(one, range(len(one)), self.learned, copies, bound)
        return found
