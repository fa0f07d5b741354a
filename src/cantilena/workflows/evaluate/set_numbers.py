"""Numbers of a whole set: how different its melodies are."""

from __future__ import annotations

import numpy as np

from cantilena.metrics import different_interval, distinct_interval, self_bleu_interval, vendi_interval
from cantilena.music import Line
from cantilena.rules import tones
from cantilena.workflows.evaluate.entries import Entry, entry

LONGEST = 4
"""Runs of 1 to so many (interval, duration) pairs are told apart."""


def set_numbers(
    line: Line, rng: np.random.Generator, *, as_many: Line | None = None, thorough: bool = True
) -> dict[str, Entry]:
    """Diversity of a set, each number with its interval, and over how many melodies and notes it is.

    They depend on the size of a set: compare sets of equal size (`evaluation.equal_sets`).

    Args:
        line: the melodies, in sets of equal notes.
        rng: for the half sets of the intervals.
        as_many: the melodies in sets of equal numbers, whose share of different ones is told; the same if None.
        thorough: also distinct-1 to 3, self-BLEU and the Vendi score.
    """
    several = line if as_many is None else as_many
    lengths = range(1, LONGEST + 1) if thorough else (LONGEST,)
    numbers = {f"distinct_{n}": entry(distinct_interval(line, n, rng), _short(n)) for n in lengths}
    if thorough:
        numbers["self_bleu_4"] = entry(self_bleu_interval(line, rng), "fewer than two melodies have two notes")
        numbers["vendi"] = entry(vendi_interval(line, rng), "no melody has two notes")
    size = {"melodies": line.melodies, "notes": int(np.count_nonzero(tones(line)))}
    different = entry(different_interval(several, rng), "there is no melody") | {"melodies": several.melodies}
    return {"different_melodies": different} | {name: number | size for name, number in numbers.items()}


def _short(n: int) -> str:
    return f"no melody has {n + 1} notes in a row"
