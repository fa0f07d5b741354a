"""Sets of clips that are alike in everything but who made them: one of each arm, of one length, mode and pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import InputError
from cantilena.listening.study.excerpts import Excerpt
from cantilena.music import Melody
from cantilena.reporting.text import counted

MIDDLE = 70.0
"""Mean pitch that clips are moved to by octaves: a little below the middle of the treble staff."""

_LENGTH = 1.0
"""Quarters by which the clips of a set may differ."""

_FAR = 1e9


@dataclass(frozen=True)
class Weights:
    """What a difference costs: a quarter note of length, a semitone of height, an octave of pace, all of it silent."""

    length: float = 1.0
    height: float = 0.25
    pace: float = 4.0
    silence: float = 8.0


def matched_sets(
    arms: Mapping[str, Sequence[Excerpt]], sets: int, rng: np.random.Generator, *, weights: Weights | None = None
) -> list[dict[str, Excerpt]]:
    """Draw sets of one excerpt of each arm that are as alike as can be; no melody is in two.

    People's melodies are drawn in random order; each takes, of its own stretches and of what the other arms still have,
    those that differ least. Major stands beside major; in each set all are moved to one tonic later, so height is
    compared after that.

    Args:
        arms: the excerpts of each arm, people's first.
        sets: how many sets.
        rng: the randomness.
        weights: what differences cost.

    Raises:
        InputError: there are not as many; the text says which arm has too little.
    """
    weights = weights or Weights()
    people, *others = arms
    tables = {name: _Table(found) for name, found in arms.items()}
    used: dict[str, set[int]] = {name: set() for name in arms}
    missed = dict.fromkeys(others, 0)
    found: list[dict[str, Excerpt]] = []
    for piece in rng.permutation(np.unique(tables[people].piece)):
        rows = np.flatnonzero(tables[people].piece == piece)
        best: tuple[float, dict[str, Excerpt]] | None = None
        lacking: set[str] = set(others)
        for row in rows.tolist():
            chosen, cost = {people: arms[people][row]}, 0.0
            for name in others:
                costs = _costs(tables[people], row, tables[name], used[name], weights)
                nearest = int(np.argmin(costs)) if len(costs) else -1
                if nearest < 0 or costs[nearest] >= _FAR:
                    break
                lacking.discard(name)
                cost += float(costs[nearest])
                chosen[name] = arms[name][nearest]
            if len(chosen) == len(arms) and (best is None or cost < best[0]):
                best = cost, chosen
        if best is None:
            for name in lacking:
                missed[name] += 1
            continue
        found.append(best[1])
        for name, one in best[1].items():
            used[name].add(one.piece)
        if len(found) == sets:
            return found
    raise _too_few(arms, sets, len(found), missed)


def to_one_tonic(melody: Melody, excerpt: Excerpt, tonic: int) -> Melody:
    """A clip moved to a tonic, in the octave whose mean pitch is nearest to the middle.

    Raises:
        InputError: it would leave the pitches that there are.
    """
    up = (tonic - excerpt.key.tonic) % 12
    octave = round((MIDDLE - excerpt.height - up) / 12)
    shift = up + 12 * octave
    pitches = [pitch for note in melody.sounding for pitch in note.pitches]
    if min(pitches) + shift < 0 or max(pitches) + shift > 127:
        raise InputError(f"{excerpt.source or 'a melody'} is too wide to be moved to one key", "leave this melody out")
    return melody.transposed(shift)


class _Table:
    """Excerpts as columns."""

    def __init__(self, excerpts: Sequence[Excerpt]) -> None:
        self.piece = np.array([one.piece for one in excerpts], np.int64)
        self.minor = np.array([one.key.is_minor for one in excerpts], np.bool_)
        self.quarters = np.array([one.quarters for one in excerpts])
        # The height above the tonic, which is what is left when all stand on one tonic in the nearest octave.
        self.height = np.array([(one.height - one.key.tonic) % 12 for one in excerpts])
        self.pace = np.log2([one.pace for one in excerpts])
        self.silence = np.array([one.silence for one in excerpts])


def _costs(people: _Table, row: int, other: _Table, used: set[int], weights: Weights) -> NDArray[np.float64]:
    """What each excerpt of another arm would cost beside one of people's; `_FAR` where it may not stand there."""
    longer = np.abs(other.quarters - people.quarters[row])
    around = np.abs(other.height - people.height[row])
    cost = (
        weights.length * longer
        + weights.height * np.minimum(around, 12 - around)
        + weights.pace * np.abs(other.pace - people.pace[row])
        + weights.silence * np.abs(other.silence - people.silence[row])
    )
    may = (longer <= _LENGTH) & (other.minor == people.minor[row]) & ~np.isin(other.piece, list(used))
    return np.where(may, cost, _FAR)


def _too_few(arms: Mapping[str, Sequence[Excerpt]], sets: int, found: int, missed: Mapping[str, int]) -> InputError:
    pieces = {name: len({one.piece for one in some}) for name, some in arms.items()}
    worst = max(missed, key=lambda name: missed[name])
    if pieces[worst] < sets or missed[worst]:
        why = f"{worst} has {counted(pieces[worst], 'melody')} with phrases of that length, major beside major"
    else:
        why = f"there are {counted(min(pieces.values()), 'human melody')} to match"
    return InputError(
        f"only {found} of {sets} sets of clips can be matched: {why}",
        "give more melodies, fewer --clips, or let --shortest and --longest lie further apart",
    )
