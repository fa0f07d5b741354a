"""Sets of melodies of matched size, and permutation tests of the difference in diversity between two sets.

Melodies are assigned at random to two sides of the same sizes: p = (1 + number of permutations with |d*| >= |d|) /
(1 + number of permutations), where d is the difference. No melody is drawn twice, so that no duplicates arise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.ngrams import distinct_shares, melody_numbers, note_ngrams
from cantilena.metrics.permutation import PERMUTATIONS, UNDEFINED, Difference, random_permutations, untestable_reason
from cantilena.music import Line
from cantilena.rules import tones

Labels = NDArray[np.generic]


def matched_size(*lines: Line, rng: np.random.Generator) -> list[Line]:
    """Draw as many melodies of each set at random as the smallest has.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> sets = [GridEncoding().line(np.full((melodies, 4), 14)) for melodies in (8, 6)]
        >>> [line.melodies for line in matched_size(*sets, rng=np.random.default_rng(1))]
        [6, 6]
    """
    size = min(line.melodies for line in lines)
    return [line[np.sort(rng.permutation(line.melodies)[:size])] for line in lines]


def matched_notes(*lines: Line, rng: np.random.Generator) -> list[Line]:
    """Draw as many melodies of each set, then drop melodies until all sets have as many notes, up to one melody.

    Metrics of diversity fall as a set grows: a set of more notes repeats itself more.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> dense = GridEncoding().line(np.full((8, 4), 14))
        >>> sparse = GridEncoding().line(np.tile([14, 1, 16, 1], (6, 1)))
        >>> [line.melodies for line in matched_notes(dense, sparse, rng=np.random.default_rng(1))]
        [3, 6]
    """
    parts = matched_size(*lines, rng=rng)
    size = parts[0].melodies
    counts = [np.count_nonzero(tones(line), axis=1) for line in parts]
    budget = min(int(notes.sum()) for notes in counts)
    matched = []
    for part, notes in zip(parts, counts, strict=True):
        order = rng.permutation(size)
        kept = order[np.cumsum(notes[order]) <= budget] if notes.sum() > budget else order
        matched.append(part[np.sort(kept)])
    return matched


def set_differences(
    names: tuple[str, str],
    lines: tuple[Line, Line],
    rng: np.random.Generator,
    *,
    pieces: tuple[Labels | None, Labels | None] = (None, None),
    permutations: int = PERMUTATIONS,
) -> list[Difference]:
    """Test the difference of two sets in `different_melodies` and `distinct_4`.

    Melodies of one piece resemble each other and are not independent: one melody of each piece is drawn at random. Then
    the sets are matched, since both metrics fall as a set grows: in melodies for `different_melodies`, in notes too for
    `distinct_4`. The values are those of the matched sets.

    Args:
        names: of the two systems.
        lines: their melodies.
        rng: draws melodies and permutations.
        pieces: for each system, `(melodies,)` the piece of each melody, as any labels; None where each is its own.
        permutations: their number.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> varied = GridEncoding().line(np.random.default_rng(1).integers(2, 20, (60, 16)))
        >>> dull = varied[np.zeros(60, int)]
        >>> differences = set_differences(("dull", "varied"), (dull, varied), np.random.default_rng(1))
        >>> [(one.metric, round(one.value, 3), one.p) for one in differences]
        [('different_melodies', 0.983, 0.0005), ('distinct_4', 0.981, 0.0005)]
    """
    first, second = (
        line if labels is None else one_of_each(line, labels, rng) for line, labels in zip(lines, pieces, strict=True)
    )
    same_size, same_notes = matched_size(first, second, rng=rng), matched_notes(first, second, rng=rng)
    melodies = melody_numbers(joined_lines(*same_size))
    ngrams = note_ngrams(joined_lines(*same_notes), 4)
    fours = np.unique(ngrams.number, return_inverse=True)[1].astype(np.int64)
    return [
        _tested(names, "different_melodies", melodies, np.arange(len(melodies)), same_size, rng, permutations),
        _tested(names, "distinct_4", fours, ngrams.melody, same_notes, rng, permutations),
    ]


def _tested(
    names: tuple[str, str],
    metric: str,
    number: NDArray[np.int64],
    melody: NDArray[np.int64],
    lines: Sequence[Line],
    rng: np.random.Generator,
    permutations: int,
) -> Difference:
    """Test the difference between the shares of distinct items of two sets, as `distinct_shares` takes them."""
    ours, melodies = lines[0].melodies, sum(line.melodies for line in lines)
    shares = distinct_shares(number, melody, (np.arange(melodies) < ours)[None])[0]
    value = float(shares[1] - shares[0])
    known = math.isfinite(value)
    reason = untestable_reason(melodies, ours) or ("" if known else UNDEFINED)
    if reason:
        return Difference(*names, metric, value if known else None, reason=reason)
    as_large = defined = 0
    for first in random_permutations(melodies, ours, permutations, rng):
        shares = distinct_shares(number, melody, first)
        distance = np.abs(shares[:, 1] - shares[:, 0])
        as_large += int((distance >= abs(value) - 1e-12).sum())
        defined += int((~np.isnan(distance)).sum())
    return Difference(*names, metric, value, (1 + as_large) / (1 + defined))


def one_of_each(line: Line, pieces: Labels, rng: np.random.Generator) -> Line:
    """Draw one melody of each piece at random, in the order of the line.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14], [16], [18]]))
        >>> one_of_each(line, np.array(["a", "b", "b"]), np.random.default_rng(1)).melodies
        2
    """
    order = rng.permutation(line.melodies)
    return line[np.sort(order[np.unique(np.asarray(pieces)[order], return_index=True)[1]])]


def joined_lines(first: Line, second: Line) -> Line:
    """Concatenate two lines along the melodies; the shorter one is padded.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> short, long = (GridEncoding().line(np.full((2, steps), 14)) for steps in (3, 5))
        >>> joined_lines(short, long).length.tolist()
        [3, 3, 5, 5]
    """
    steps = max(first.steps, second.steps)

    def padded(values: NDArray[Any], filling: int) -> NDArray[Any]:
        return np.pad(values, ((0, 0), (0, steps - values.shape[1])), constant_values=filling)

    joined = Line.from_events(
        np.concatenate([padded(line.event, 0) for line in (first, second)]),
        np.concatenate([padded(line.pitch, -1) for line in (first, second)]),
        np.concatenate([padded(line.pitch_classes, 0) for line in (first, second)]),
        np.concatenate([first.length, second.length]),
    )
    if first.chord is None and second.chord is None:
        return joined
    (masks, roots), (more_masks, more_roots) = first.chord_arrays(), second.chord_arrays()
    return replace(
        joined,
        chord=np.concatenate([padded(masks, 0), padded(more_masks, 0)]),
        chord_root=np.concatenate([padded(roots, -1), padded(more_roots, -1)]),
    )
