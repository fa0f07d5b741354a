"""The rows of results.json: the melodies of each system, counted, and those of people beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cantilena.errors import CorpusError
from cantilena.experiment.material import Material, Pieces, excerpts
from cantilena.experiment.measure import Sample, measure
from cantilena.experiment.melodies import decoded, steps_of_melody
from cantilena.experiment.models import MadeModel
from cantilena.experiment.options import ReproduceOptions
from cantilena.experiment.presets import STEPS
from cantilena.experiment.systems import System
from cantilena.music import Melody
from cantilena.runs import generator


def row(system: System, reference: MadeModel, options: ReproduceOptions, alike: int) -> dict[str, Any]:
    """The melodies of a system that are counted, apart from those that are heard."""
    tokens = system.draw(options.counted, STEPS, "count")
    metrics = measure(
        Sample(tokens),
        system.encoding,
        generator(options.seed, "intervals", system.name),
        model=system.model,
        reference=reference.bundle.model(),
        alike=alike,
    )
    return {"melodies": len(tokens), "metrics": metrics}


def human_row(
    people: Sample, material: Material, lstm: MadeModel, options: ReproduceOptions, alike: int
) -> dict[str, Any]:
    """People's melodies, counted as all others are, each in the mode of its piece."""
    metrics = measure(
        people,
        material.encoding,
        generator(options.seed, "intervals", "human"),
        model=None,
        reference=lstm.bundle.model(),
        alike=alike,
    )
    return {"melodies": len(people.tokens), "metrics": metrics}


def people_of(pieces: Pieces) -> Sample:
    """All held-out excerpts as long as a composition that is counted.

    Raises:
        CorpusError: no piece is as long.
    """
    parts = excerpts(pieces, STEPS)
    if not len(parts.tokens):
        raise CorpusError(f"no held-out melody is {STEPS} steps long", "give a corpus with longer melodies")
    return Sample(parts.tokens, parts.piece, parts.contexts)


def heard_of(system: System, options: ReproduceOptions) -> list[Melody]:
    """The melodies of a system that are written to listen to."""
    tokens = system.draw(options.heard, steps_of_melody(system.encoding), "listen")
    return decoded(tokens, system.encoding, system.name)


def vocabulary_of(material: Material) -> int:
    """How many different tokens the material holds."""
    seen = {
        int(token)
        for pieces in (material.train, material.valid, material.test)
        for tokens in pieces.sequences.tokens
        for token in np.unique(tokens)
    }
    return len(seen)
