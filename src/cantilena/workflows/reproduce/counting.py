"""The systems of the paper's experiment, measured beside human melodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus
from cantilena.errors import CorpusError
from cantilena.generation import Composer
from cantilena.metrics import SelfSimilarity, copy_length_quantile, self_similarity
from cantilena.models import Bundle
from cantilena.music import Key, Melody, Meter
from cantilena.reporting import CopiedPassage
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.data import EncodedCorpus, excerpts
from cantilena.workflows.evaluate.compare import EvalResults, Evaluator
from cantilena.workflows.evaluate.copying import TrainingMelodies, copied_passages
from cantilena.workflows.evaluate.counts import Sample, measure, model_distances
from cantilena.workflows.evaluate.likelihood import ReferenceModel
from cantilena.workflows.evaluate.matching import like
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet, to_eval_grid
from cantilena.workflows.evaluate.report import listening_steps
from cantilena.workflows.evaluate.systems import HUMAN, System
from cantilena.workflows.reproduce.options import STEPS, ReproduceOptions
from cantilena.workflows.reproduce.shipped import COUNTED

_DRAWN = 200
"""Melodies of a system whose self-similarity is measured."""


def held_out_set(data: EncodedCorpus, corpus: Corpus, steps: int) -> MelodySet:
    """All held-out excerpts of so many steps, each in the mode of its piece.

    Raises:
        CorpusError: no piece is as long.
    """
    assert isinstance(data.encoding, GridEncoding)
    parts = excerpts(data.test, steps)
    if not len(parts.tokens):
        raise CorpusError(f"no held-out melody is {steps} steps long", "give a corpus with longer melodies")
    pieces = dict(zip(corpus.column("source"), corpus.column("piece"), strict=True))
    tunes = []
    rows = to_eval_grid(parts.tokens, data.encoding)
    for row, owner, context in zip(rows, parts.piece.tolist(), parts.contexts, strict=True):
        melody = data.test.melodies[owner]
        piece = pieces.get(melody.source, melody.source)
        tunes.append(EvalMelody(row, context.key, melody.meter, piece, melody.source, melody.title))
    return MelodySet(HUMAN, "held-out excerpts", tunes)


def measure_systems(
    people: MelodySet, systems: Sequence[System], learned: TrainingMelodies, lstm: Bundle, options: ReproduceOptions
) -> EvalResults:
    """All numbers of the systems on the grid, and of human excerpts in their meter and mode."""
    model = lstm.model()
    drawn = []
    for system in systems:
        tokens = system.draw(options.counted, STEPS, COUNTED)
        digits = len(str(len(tokens)))
        one = _melody_set(system, tokens, [f"{number:0{digits}}" for number in range(1, len(tokens) + 1)], STEPS)
        if system.model is not None and isinstance(system.encoding, GridEncoding):
            distances = model_distances(tokens, system.encoding, model=system.model, reference=model)
            one = replace(one, model_counts=distances.select(("kl_per_step", "entropy_per_step")))
        drawn.append(one)
    reference = like(people, drawn[0].melodies[0])
    return Evaluator(reference, learned, ReferenceModel(Composer.from_bundle(lstm)), options.seed).evaluate(drawn)


def measure_events(system: System, lstm: Bundle, options: ReproduceOptions, matched_size: int) -> dict[str, Any]:
    """The numbers of a system without time, note by note."""
    tokens = system.draw(options.counted, STEPS, COUNTED)
    metrics = measure(
        Sample(tokens),
        system.encoding,
        generator(options.seed, "intervals", system.name),
        model=system.model,
        reference=lstm.model(),
        matched_size=matched_size,
    )
    return {"melodies": len(tokens), "metrics": metrics}


def similarity_of(people: MelodySet | None, systems: Sequence[System]) -> list[SelfSimilarity]:
    """The self-similarity of melodies of thirty seconds."""
    sets = [] if people is None else [people]
    for system in systems:
        tokens = system.draw(_DRAWN, listening_steps(system.encoding), "similarity")
        sets.append(_melody_set(system, tokens, [""] * len(tokens), listening_steps(system.encoding)))
    return [self_similarity(one.name, one.line, one.contexts) for one in sets]


def passages_of(
    heard: Mapping[str, Sequence[Melody]], people: MelodySet | None, learned: TrainingMelodies
) -> list[CopiedPassage]:
    """The longest copied passages of the melodies to listen to; a human melody does not copy its own piece."""
    bound = None if people is None else copy_length_quantile(learned.copies(people, include_own_piece=False))
    pieces = dict(zip(learned.sources, learned.pieces, strict=True))
    passages = []
    for name, melodies in heard.items():
        tunes = [
            EvalMelody.from_melody(one, piece=pieces.get(one.source, one.title), label=one.title) for one in melodies
        ]
        melody_set = MelodySet(name, "", tunes)
        copies = learned.copies(melody_set, include_own_piece=name != HUMAN)
        passages += copied_passages(melody_set, range(len(melody_set)), learned, copies, bound)
    return passages


def _melody_set(system: System, tokens: NDArray[np.int64], labels: Sequence[str], steps: int) -> MelodySet:
    grid = isinstance(system.encoding, GridEncoding)
    rows = to_eval_grid(tokens, system.encoding) if grid else [to_eval_grid(row, system.encoding) for row in tokens]
    tunes = [EvalMelody(row[:steps], Key(), Meter(), name, name) for row, name in zip(rows, labels, strict=True)]
    return MelodySet(system.name, system.description, tunes)
