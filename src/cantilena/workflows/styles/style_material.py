"""The styles of a corpus in numbers: its melodies on the grid, measured in portions of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cantilena.data import Corpus
from cantilena.errors import CorpusError
from cantilena.metrics import STYLE_COLUMNS, style_features
from cantilena.runtime import tracked
from cantilena.workflows.evaluate.melody_sets import JudgedTune, line_of

_TOGETHER = 1_000_000
"""Steps of the melodies that are measured at once: their arrays stay within some tens of megabytes."""


@dataclass(frozen=True)
class StyleMaterial:
    """What styles are found in.

    Args:
        corpus: the melodies in which something sounds.
        features: `(melodies, numbers)` of `style_features`.
        silent: how many melodies were left out because nothing sounds in them.
    """

    corpus: Corpus
    features: NDArray[np.float64]
    silent: int


def style_material(corpus: Corpus) -> StyleMaterial:
    """Measure the style of every melody of a corpus.

    Args:
        corpus: its melodies are heard from their first barline on, by their top notes.

    Raises:
        CorpusError: nothing sounds.
    """
    tunes = [
        JudgedTune.of(melody, piece="", label="")
        for melody in tracked(corpus.melodies(), "Reading melodies", total=len(corpus), unit="melodies")
    ]
    features = np.full((len(tunes), len(STYLE_COLUMNS)), np.nan)
    for rows in _portions(tunes):
        line = line_of(tunes[row].tokens for row in rows)
        features[rows] = style_features(line, [tunes[row].context for row in rows])
    sounds = ~np.isnan(features[:, STYLE_COLUMNS.index("range")])
    if not sounds.any():
        raise CorpusError("nothing sounds in this corpus", "give a corpus with notes in it")
    heard = Corpus(corpus.table.take(pa.array(np.flatnonzero(sounds))), corpus.manifest)
    return StyleMaterial(heard, features[sounds], int((~sounds).sum()))


def _portions(tunes: Sequence[JudgedTune]) -> Iterator[list[int]]:
    """Numbers of melodies of one meter and of like length, so that little of an array is padding."""
    order = sorted(range(len(tunes)), key=lambda row: (str(tunes[row].meter), len(tunes[row])))
    portion: list[int] = []
    for row in order:
        other_meter = portion and tunes[portion[0]].meter != tunes[row].meter
        if portion and (other_meter or (len(portion) + 1) * len(tunes[row]) > _TOGETHER):
            yield portion
            portion = []
        portion.append(row)
    if portion:
        yield portion
