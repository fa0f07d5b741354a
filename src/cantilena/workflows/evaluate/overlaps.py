"""Overlaps with people's melodies, and their ceiling: people's beside people's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cantilena.metrics import Overlap, halves_by_piece, melody_features, overlaps
from cantilena.workflows.evaluate.entries import Entry, entry, rounded
from cantilena.workflows.evaluate.melody_sets import MelodySet

MOST = 400
"""Melodies of each set that are compared at most."""


def overlap_entries(people: MelodySet, one: MelodySet, rng: np.random.Generator) -> dict[str, Entry]:
    """How much a set's distances to people's melodies are like those among people's, feature by feature.

    Overlaps rise with the number of melodies: as many are compared as the ceiling can have, half of people's.

    Args:
        people: people's melodies.
        one: the set.
        rng: which melodies are compared, and the intervals.
    """
    data, generated = (melody_features(each.line, each.contexts) for each in (people, one))
    found = overlaps(data, generated, rng, pieces=people.pieces, generated_pieces=one.pieces, most=_compared(people))
    return _entries(found)


def ceiling_entries(people: MelodySet, rng: np.random.Generator) -> dict[str, Entry]:
    """The same of one half of people's pieces beside the other: what a set of people's melodies reaches.

    Args:
        people: people's melodies.
        rng: which pieces fall in which half, and the intervals.
    """
    features = melody_features(people.line, people.contexts)
    halves = halves_by_piece(people.pieces, rng)
    data, others = ({name: values[rows] for name, values in features.items()} for rows in halves)
    ours, theirs = (people.pieces[rows] for rows in halves)
    entries = _entries(overlaps(data, others, rng, pieces=ours, generated_pieces=theirs, most=_compared(people)))
    return {name: one | {"ceiling": True} for name, one in entries.items()}


def _compared(people: MelodySet) -> int:
    return max(min(len(people) // 2, MOST), 1)


def _entries(found: Mapping[str, Overlap]) -> dict[str, Entry]:
    return {
        name: entry(one.area, one.reason) | {"kl": rounded(one.kl), "melodies": one.melodies}
        for name, one in found.items()
    }
