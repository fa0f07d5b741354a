"""All notes of a corpus on the grid of sixteenths at once, without building its melodies: where copies are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus
from cantilena.data.columns import flat, note_offsets, offsets
from cantilena.rules import Notes
from cantilena.workflows.evaluate.melody_sets import GRID

_STEP = GRID.step_ticks


def corpus_notes(corpus: Corpus) -> Notes:
    """The top notes of a corpus, from each melody's first barline on: those of `JudgedTune.of` of every melody.

    Onsets move to the nearest step, a half upwards; where two meet, the higher note stays. A melody that is all pickup
    is taken whole.

    Args:
        corpus: some melodies.

    Returns:
        Notes that sound until the next one begins: rests between them are not told.
    """
    table = corpus.table
    starts, first_pitch = offsets(table, "onset"), note_offsets(table)
    melody = np.repeat(np.arange(len(corpus)), np.diff(starts))
    sounds = np.diff(first_pitch) > 0
    pitch = flat(table, "pitches").astype(np.int64)
    top = np.full(len(melody), -1, dtype=np.int64)
    if sounds.any():
        top[sounds] = np.maximum.reduceat(pitch, first_pitch[:-1][sounds])
    step = _nearest(flat(table, "onset").astype(np.int64))
    length, pickup = (_nearest(flat(table, name).astype(np.int64)) for name in ("length", "pickup"))
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


def _nearest(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks as steps, a half upwards."""
    return (ticks + _STEP // 2) // _STEP
