"""The surprisal of a few notes under a first-order model of intervals and durations.

Common patterns, such as a few steps of a scale in equal notes, are not motifs when they return: only what is rarer
than the median counts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.notes import Notes
from cantilena.rules.rule import Context
from cantilena.rules.tonality import scale_steps

LEAST, MOST = 4, 8
"""The number of notes of a motif."""

_WIDEST, _LONGEST = 8, 4  # scale steps; powers of sqrt(2), a ratio of a quarter to four
_UNIT = 100  # surprisals are integers in hundredths of a bit, so that sums do not depend on their order

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class MotifModel:
    """First-order Markov models of intervals and of duration ratios, as surprisals in hundredths of a bit.

    Intervals are in steps of the scale, clipped to -8..8; duration ratios are rounded to powers of the square root of
    two, from a quarter to four. The two are modelled independently.

    Args:
        interval: `(17,)`: the surprisal of each interval.
        next_interval: `(17, 17)`: of each one after each.
        proportion: `(9,)`: of each ratio of a duration to the one before.
        next_proportion: `(9, 9)`: of each one after each.
        medians: `(5,)`: the median surprisal of 4, 5, 6, 7, 8 consecutive notes of the corpus, not all of one pitch.
    """

    interval: Numbers
    next_interval: Numbers
    proportion: Numbers
    next_proportion: Numbers
    medians: Numbers

    def surprisals(self, notes: Notes, context: Context) -> Numbers:
        """The surprisal of the last k notes, `(9, notes)` for k from 0 to 8; undefined where there are not so many.

        k notes have k - 1 intervals, and k - 1 times from one to the next with k - 2 ratios.
        """
        interval, proportion = _categories(notes, context)
        intervals = np.cumsum(self.next_interval[np.roll(interval, 1), interval])
        proportions = np.cumsum(self.next_proportion[np.roll(proportion, 1), proportion])
        # Sums over a window are differences of cumulative sums; its first interval and ratio have no predecessor.
        first_interval = self.interval[interval] - intervals
        first_proportion = self.proportion[proportion] - proportions
        bits = np.zeros((MOST + 1, len(notes)), dtype=np.int64)
        for k in range(LEAST, MOST + 1):
            bits[k] = np.roll(first_interval, k - 2) + np.roll(first_proportion, k - 3)
        bits[LEAST:] += intervals + proportions
        return bits

    def rare(self, notes: Notes, context: Context) -> NDArray[np.bool_]:
        """Whether the last k notes are rarer than the median of k notes, and not of one pitch, `(9, notes)`."""
        rare = _moves(notes)
        rare[LEAST:] &= self.surprisals(notes, context)[LEAST:] > self.medians[:, None]
        return rare

    def to_toml(self) -> str:
        """Write each table as a list."""
        return "\n".join(f"{name} = {getattr(self, name).tolist()}" for name in self.__dataclass_fields__) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> MotifModel:
        """Read what `to_toml` wrote."""
        read = tomllib.loads(text)
        return cls(**{name: np.array(read[name], dtype=np.int64) for name in cls.__dataclass_fields__})

    @classmethod
    def measured(cls, melodies: Iterable[tuple[Line, Context]]) -> MotifModel:
        """Estimate the model from melodies, each line with its key.

        Smoothing: I. H. Witten, T. C. Bell, The Zero-Frequency Problem, IEEE Transactions on Information Theory 37,
        1991.
        """
        corpus = [(Notes.from_line(line), context) for line, context in melodies]
        tables = []
        for which, size in ((0, 2 * _WIDEST + 1), (1, 2 * _LONGEST + 1)):
            counts, pairs = np.zeros(size), np.zeros((size, size))
            for notes, context in corpus:
                category, index = _categories(notes, context)[which], notes.index
                np.add.at(counts, category[index > which], 1)
                later = np.flatnonzero(index > which + 1)
                np.add.at(pairs, (category[later - 1], category[later]), 1)
            alone = (counts + 1) / (counts + 1).sum()
            kinds = np.maximum((pairs > 0).sum(axis=1, keepdims=True), 1)
            after = (pairs + kinds * alone) / (pairs.sum(axis=1, keepdims=True) + kinds)
            tables += [np.rint(-_UNIT * np.log2(table)).astype(np.int64) for table in (alone, after)]
        interval, next_interval, proportion, next_proportion = tables
        nothing = np.zeros(MOST - LEAST + 1, dtype=np.int64)
        model = cls(interval, next_interval, proportion, next_proportion, nothing)
        measured = [(model.surprisals(notes, c), _moves(notes), notes.index) for notes, c in corpus]
        medians = np.zeros(MOST - LEAST + 1, dtype=np.int64)
        for k in range(LEAST, MOST + 1):
            pooled = np.concatenate([bits[k, moves[k] & (index >= k - 1)] for bits, moves, index in measured])
            medians[k - LEAST] = np.floor(np.median(pooled)) if len(pooled) else 0
        return replace(model, medians=medians)


def _categories(notes: Notes, context: Context) -> tuple[Numbers, Numbers]:
    """The interval to each note, and the ratio of the time before it to the one before that, as indices."""
    steps = scale_steps(notes.pitch, context.key)
    interval = np.clip(np.diff(steps, prepend=steps[:1]), -_WIDEST, _WIDEST) + _WIDEST
    wait = np.maximum(np.roll(notes.gap, 1), 1)
    doublings = np.rint(2 * np.log2(wait / np.roll(wait, 1)))
    return interval, np.clip(doublings, -_LONGEST, _LONGEST).astype(np.int64) + _LONGEST


def _moves(notes: Notes) -> NDArray[np.bool_]:
    """Whether the last k notes are not all of one pitch, `(9, notes)`; False below 4."""
    moved = np.cumsum(notes.interval != 0)
    moves = np.zeros((MOST + 1, len(notes)), dtype=np.bool_)
    for k in range(LEAST, MOST + 1):
        moves[k] = moved != np.roll(moved, k - 1)
    return moves


@lru_cache(maxsize=1)
def motif_model() -> MotifModel:
    """The model of the built-in corpus, as measured by `scripts/measure_bands.py`."""
    text = resources.files("cantilena.rules").joinpath("motif_model.toml").read_text(encoding="utf-8")
    return MotifModel.from_toml(text)
