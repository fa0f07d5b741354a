"""Near-duplicates: melodies that are almost the same, in any key and at any tempo.

The fingerprints of a melody are its n-grams of (interval to the next note, ratio of inter-onset intervals): seven notes
in a row, six intervals and five ratios. They do not change when the melody is transposed or written in notes twice as
long. Two melodies are near-duplicates if they share at least `THRESHOLD` of the fingerprints of the one that has fewer,
so that an excerpt matches the whole.

Both thresholds were chosen on O'Neill's Music of Ireland as typed by volunteers, 1,845 tunes, 147 pairs of which are
one number of the book typed twice: at .5, 145 of these are found (the other two bear a wrong number), and the 22 other
pairs that are found are one tune under two names. Down to .3 the pairs are variants of one tune (18 more), below it
also tunes that share a phrase.

The search is exact without comparing all pairs. A melody that shares a part t of its |A| fingerprints with another
shares at least k of its rarest |A| - ceil(t |A|) + k (the prefix filter of R. J. Bayardo, Y. Ma and R. Srikant, Scaling
up all pairs similarity search, WWW 2007, section 4, with k = 1): only those are looked up, and only melodies that share
k of them are compared.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Melody

NOTES = 7
"""Notes of a fingerprint."""

THRESHOLD = 0.5
"""Two melodies that share this part of the smaller one's fingerprints are near-duplicates."""

RELATED = 0.3
"""Two melodies that share this part are variants of one tune: both are kept, in the same split."""

FEWEST = 8
"""Melodies with fewer different fingerprints are duplicates only if all of them are equal."""

_EVIDENCE = 4
"""k: how many rare fingerprints two melodies must share before all of them are compared."""

_MULTIPLIERS = np.random.default_rng(1812).integers(1, 2**63, size=2 * NOTES, dtype=np.uint64) | np.uint64(1)


def fingerprints(melody: Melody) -> NDArray[np.uint64]:
    """Return the different fingerprints of a melody, ascending: `(fingerprints,)` uint64.

    Of a chord the top note counts. A melody of fewer than `NOTES` notes has one fingerprint of all of them.

    Examples:
        >>> tune = Melody.from_pitches([(60 + k % 5, 24) for k in range(20)])
        >>> np.array_equal(fingerprints(tune), fingerprints(tune.transposed(-7)))
        True
    """
    tops: dict[int, int] = {}
    for note in melody.sounding:
        tops[note.onset] = max(note.top, tops.get(note.onset, 0))
    onsets = np.array([*tops], dtype=np.int64)
    pitches = np.array([*tops.values()], dtype=np.int64)
    if len(onsets) < 2:
        return np.zeros(len(onsets), dtype=np.uint64)
    gaps = np.diff(onsets)
    intervals = np.diff(pitches).astype(np.uint64)
    ratios = np.rint(2 * np.log2(gaps[1:] / gaps[:-1])).astype(np.int64).astype(np.uint64)
    width = min(NOTES, len(onsets)) - 1
    grams = len(intervals) - width + 1
    total = np.full(grams, len(onsets) if len(onsets) < NOTES else 0, dtype=np.uint64)
    for place in range(width):
        total += _mixed(intervals[place : place + grams], _MULTIPLIERS[2 * place])
        if place < width - 1:
            total += _mixed(ratios[place : place + grams], _MULTIPLIERS[2 * place + 1])
    return np.unique(total)


def near_duplicates(melodies: Iterable[Melody], threshold: float = THRESHOLD) -> dict[int, int]:
    """Find melodies that are almost the same as an earlier one.

    Args:
        melodies: in order of preference: the first of several is kept.
        threshold: the part of the smaller one's fingerprints that must be shared, over 0 up to 1.

    Returns:
        The index of each near-duplicate, and the index of the kept melody that it resembles.

    Examples:
        >>> tune = Melody.from_pitches([(60 + k * k % 11, 12 + 12 * (k % 3 == 0)) for k in range(30)])
        >>> other = Melody.from_pitches([(60 + k * 5 % 13, 24) for k in range(30)])
        >>> near_duplicates([tune, other, tune.transposed(3)])
        {2: 0}
    """
    return _matches(_rarest_first([fingerprints(melody) for melody in melodies]), threshold)


def duplicates_and_variants(melodies: Iterable[Melody]) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Find near-duplicates, and the pairs of melodies that must fall in one split.

    Args:
        melodies: in order of preference: the first of several is kept.

    Returns:
        The near-duplicates as from `near_duplicates`, and pairs of indices: the near-duplicates, and the kept melodies
        that are variants of one tune.
    """
    ranked = _rarest_first([fingerprints(melody) for melody in melodies])
    copies = _matches(ranked, THRESHOLD)
    kept = [index for index in range(len(ranked)) if index not in copies]
    related = _matches([ranked[index] for index in kept], RELATED)
    return copies, [*copies.items(), *((kept[one], kept[other]) for one, other in related.items())]


def _matches(ranked: Iterable[NDArray[np.int64]], threshold: float) -> dict[int, int]:
    kept = _Kept(threshold)
    matches: dict[int, int] = {}
    for index, ranks in enumerate(ranked):
        match = kept.match(ranks)
        if match is None:
            kept.add(index, ranks)
        else:
            matches[index] = match
    return matches


class _Kept:
    """The melodies kept so far, indexed by their fingerprints."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.ranks: dict[int, NDArray[np.int64]] = {}
        self.whole: dict[bytes, int] = {}
        self.with_rank: defaultdict[int, list[int]] = defaultdict(list)
        self.with_rare_rank: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, index: int, ranks: NDArray[np.int64]) -> None:
        self.whole[ranks.tobytes()] = index
        if len(ranks) < FEWEST:
            return
        self.ranks[index] = ranks
        prefix = self._prefix(len(ranks))
        for place, rank in enumerate(ranks.tolist()):
            self.with_rank[rank].append(index)
            if place < prefix:
                self.with_rare_rank[rank].append(index)

    def match(self, ranks: NDArray[np.int64]) -> int | None:
        """Return the first kept melody that shares enough, whichever of the two is longer."""
        same = self.whole.get(ranks.tobytes())
        if same is not None or len(ranks) < FEWEST:
            return same
        size, everything = len(ranks), ranks.tolist()
        rare_of_mine: Counter[int] = Counter()
        for rank in everything[: self._prefix(size)]:
            rare_of_mine.update(self.with_rank.get(rank, ()))
        rare_of_theirs: Counter[int] = Counter()
        for rank in everything:
            rare_of_theirs.update(self.with_rare_rank.get(rank, ()))
        candidates = {index for index, shared in rare_of_mine.items() if shared >= self._evidence(size)}
        candidates.update(
            index for index, shared in rare_of_theirs.items() if shared >= self._evidence(len(self.ranks[index]))
        )
        for index in sorted(candidates):
            shared = len(np.intersect1d(ranks, self.ranks[index], assume_unique=True))
            if shared >= self.threshold * min(size, len(self.ranks[index])):
                return index
        return None

    def _evidence(self, size: int) -> int:
        return min(_EVIDENCE, math.ceil(self.threshold * size))

    def _prefix(self, size: int) -> int:
        return size - math.ceil(self.threshold * size) + self._evidence(size)


def _rarest_first(prints: Sequence[NDArray[np.uint64]]) -> list[NDArray[np.int64]]:
    """Each melody's fingerprints as ranks of rarity over all melodies, ascending: rank 0 is the rarest."""
    sizes = [len(each) for each in prints]
    everything = np.concatenate([np.zeros(0, dtype=np.uint64), *prints])
    _, places, counts = np.unique(everything, return_inverse=True, return_counts=True)
    rank_of = np.empty(len(counts), dtype=np.int64)
    rank_of[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    return [np.sort(part) for part in np.split(rank_of[places], np.cumsum(sizes)[:-1])] if prints else []


def _mixed(values: NDArray[np.uint64], multiplier: np.uint64) -> NDArray[np.uint64]:
    """Hash small numbers to 64 bits: multiply, fold, multiply (overflow is intended)."""
    mixed = (values + np.uint64(0x9E3779B97F4A7C15)) * multiplier
    mixed ^= mixed >> np.uint64(29)
    return mixed * multiplier
