"""How far a set of melodies is from the data: overlaps of distances within the data and to it.

L.-C. Yang and A. Lerch, On the evaluation of generative models in music, Neural Computing and Applications 32, 2020.
In each feature (`melody_features`) all distances from one of the data's melodies to another are taken, and all from one
of the data's to a generated one: Euclidean, or the difference of two numbers. Both become densities (`densities`). The
overlapping area is 1 where melodies of the set are to the data as the data's own are to one another, and becomes less
where they are farther away or, being all alike or all average, nearer.

Three things differ from the paper's toolbox. It integrates from the smallest distance to the largest, and so loses the
tails that a kernel has beyond; and it reads the two densities of its divergence at different places: here both are told
over one range that holds both tails. And where melodies are excerpts, those of one piece are nearer to one another than
to any other music: distances within the data are those from one piece to another, as all distances to a set are.

Densities of distances, estimated from binned counts: as scipy's `gaussian_kde`, for hundreds of sets at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.features import Features
from cantilena.metrics.intervals import Interval
from cantilena.metrics.registry import OVERLAP

BINS = 1024
"""Into which distances from 0 to the largest are put."""

_CIRCLE = 4 * BINS
"""Bins that a density is told in: those after the largest distance, and, as the last ones, those below 0. They are so
many that the tails of a kernel do not meet."""

_NARROWEST = 0.5
"""Bins: a kernel that is narrower cannot be told by its values at the bins."""

_FLOOR = 1e-12
"""Of a density's peak: what is less is taken for that, as the last bits of a Fourier transform say nothing."""


def binned(distances: NDArray[np.float64], largest: float) -> NDArray[np.int16]:
    """The bin of each distance, 0 to 1023, of the same shape.

    Args:
        distances: 0 to `largest`.
        largest: the distance of the last bin; where it is 0 all are in the first.

    Example:
        >>> binned(np.array([0.0, 1.0, 2.0]), 2.0).tolist()
        [0, 512, 1023]
    """
    scale = (BINS - 1) / largest if largest > 0 else 0.0
    return np.rint(distances * scale).astype(np.int16)


def densities(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Gaussian kernel densities of binned samples, the bandwidth by Scott's rule.

    Each of N samples is a Gaussian of the standard deviation N^(-1/5) s, where s is that of all samples (divisor
    N - 1): D. W. Scott, Multivariate Density Estimation, Wiley 1992; the default of scipy. The sum of the Gaussians is
    one product in the frequency domain: B. W. Silverman, Kernel Density Estimation Using the Fast Fourier Transform,
    Applied Statistics 31, 1982.

    Args:
        counts: `(sets, 1024)`: how many samples of each set are in each bin.

    Returns:
        `(sets, 4096)`: the share in each bin, adding up to 1; bins count on beyond the samples' and come back from
        below 0. NaN where a set has fewer than two samples, or all in one bin.

    Example:
        >>> counts = np.zeros((2, 1024), dtype=np.int64)
        >>> counts[0, [100, 200]] = 1
        >>> one, none = densities(counts)
        >>> round(float(one.sum()), 9), int(one.argmax()), float(none.sum())
        (1.0, 150, nan)
    """
    totals = counts.sum(axis=1)
    bins = np.arange(BINS)
    size = np.maximum(totals, 2)
    mean = counts @ bins / size
    spread = (counts * (bins - mean[:, None]) ** 2).sum(axis=1) / (size - 1)
    defined = (totals > 1) & (np.count_nonzero(counts, axis=1) > 1)
    width = np.maximum(size**-0.2 * np.sqrt(spread), _NARROWEST)
    frequency = np.fft.rfftfreq(_CIRCLE)
    kernel = np.exp(-2.0 * (np.pi * width[:, None] * frequency) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(counts / size[:, None], _CIRCLE) * kernel, _CIRCLE)
    return np.where(defined[:, None], np.maximum(smooth, 0.0), np.nan)


def overlapping_areas(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under both of two densities, 0 to 1, `(sets,)`: the integral of the lesser over all numbers.

    Args:
        first: `(sets, bins)` densities.
        second: the others.

    Example:
        >>> overlapping_areas(np.array([[0.5, 0.5, 0.0]]), np.array([[0.0, 0.5, 0.5]])).tolist()
        [0.5]
    """
    return np.asarray(np.minimum(np.minimum(first, second).sum(axis=1), 1.0))


def divergence(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The Kullback-Leibler divergence of a density from a second, nats: the integral of f log(f / g).

    S. Kullback and R. A. Leibler, On Information and Sufficiency, Annals of Mathematical Statistics 22, 1951.

    Args:
        first: `(bins,)`, f.
        second: `(bins,)`, g. Both are at least 1e-12 of their peak everywhere.

    Example:
        >>> round(divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 3)
        0.144
    """
    f, g = (np.maximum(density, _FLOOR * density.max()) for density in (first, second))
    return max(float((f * np.log(f / g)).sum()), 0.0)


MOST = 1000
"""Melodies of each set that are compared; of more, so many drawn at random."""

_PART = 250
"""Melodies of the parts that the interval is told from; half a set where it has less than twice as many."""

_ROUNDING = 1e-12
"""A squared distance of histograms that is less is 0."""

_FEW = "too few melodies have this feature: two of each set are needed, the data's of different pieces"
_EQUAL = "all distances are equal"
_MISSING = "it is not defined in every feature"


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much the distances to the data are like those within the data, in one feature.

    Args:
        area: the overlapping area, 0 to 1, with its interval; NaN where undefined.
        kl: the divergence of the distances within the data from those to it, nats; NaN where undefined.
        melodies: how many of each set were compared.
        reason: why it is undefined; "" where it is defined.
    """

    area: Interval
    kl: float
    melodies: int
    reason: str = ""


def overlaps(
    data: Features,
    generated: Features,
    rng: np.random.Generator,
    *,
    pieces: NDArray[np.generic] | None = None,
    generated_pieces: NDArray[np.generic] | None = None,
    most: int = MOST,
    draws: int = 200,
    level: float = 0.95,
) -> dict[str, Overlap]:
    """Compare a set with the data in each feature.

    Equal numbers of melodies are compared. A melody that a feature is not defined for is left out of this feature.
    Intervals are those of `subsample_interval`, from halves of both sets, whole pieces drawn without replacement, the
    same for all features; of more than 500 melodies, parts of about 250 suffice and the root is theirs.

    People's melodies beside people's, halved by piece (`halves_by_piece`), are the ceiling. Overlaps rise with the
    number of melodies, from .96 to .99 between 100 and 1,000 of one source: hold them beside a ceiling of as many.

    Args:
        data: the features of people's melodies.
        generated: the same features of a set's.
        rng: where the draws come from.
        pieces: `(melodies,)` the piece of each of the data's melodies, as any labels; None where each is its own.
        generated_pieces: the same of the set's.
        most: melodies of each set that are compared at most.
        draws: how many parts of sets are drawn for the intervals.
        level: how much of the deviations lies between the bounds.

    Returns:
        By metric: `overlap.` and the feature's name; and as `overlap` the mean of all, undefined where one is.

    Raises:
        UsageError: a level that is no share.
        ValueError: features of different names or dimensions, or pieces of another number of melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.metrics import melody_features
        >>> from cantilena.rules import Context
        >>> encoding, rng = GridEncoding(), np.random.default_rng(1)
        >>> lines = [encoding.line(rng.integers(2, most, (45, 32))) for most in (38, 38, 9)]
        >>> data, alike, narrow = (melody_features(line, Context()) for line in lines)
        >>> [round(overlaps(data, one, rng)["overlap.range"].area.value, 1) for one in (alike, narrow)]
        [0.9, 0.0]
    """
    if not 0 < level < 1:
        raise UsageError(f"a level of {level}", "give a share between 0 and 1, such as 0.95")
    if {name: values.shape[1:] for name, values in data.items()} != {
        name: values.shape[1:] for name, values in generated.items()
    }:
        raise ValueError("the two sets have different features")
    size = min([most, *(len(values) for features in (data, generated) for values in features.values())])
    ours, of_ours = _drawn(data, pieces, size, rng)
    theirs, of_theirs = _drawn(generated, generated_pieces, size, rng)
    share = min(0.5, _PART / max(size, 1))
    parts = [(_part(of_ours, share, rng), _part(of_theirs, share, rng)) for _ in range(draws)]
    root = math.sqrt(share) / math.sqrt(1 - share)
    found: dict[str, Overlap] = {}
    areas: dict[str, NDArray[np.float64]] = {}
    for name in data:
        value, kl, areas[name], reason = _compared(ours[name], theirs[name], of_ours, parts)
        found[name] = Overlap(_interval(value, areas[name], root, level), kl, size, reason)
    by_metric = {f"{OVERLAP}.{name}": one for name, one in found.items()}
    return {OVERLAP: _mean(found, areas, root, level, size)} | by_metric


def halves_by_piece(
    pieces: NDArray[np.generic], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Melodies in two halves so that no piece is in both: each piece in turn goes to the smaller half.

    Args:
        pieces: `(melodies,)` the piece of each melody, as any labels.
        rng: decides which pieces go where.

    Returns:
        The rows of the one half and of the other, ascending; the second is empty where there is one piece alone.

    Example:
        >>> first, second = halves_by_piece(np.array(["a", "a", "b", "c", "c", "d"]), np.random.default_rng(1))
        >>> sorted([*first.tolist(), *second.tolist()]), len(first), len(second)
        ([0, 1, 2, 3, 4, 5], 3, 3)
    """
    labels, piece, melodies = np.unique(pieces, return_inverse=True, return_counts=True)
    half = np.zeros(len(labels), dtype=np.int64)
    sizes = [0, 0]
    for label in rng.permutation(len(labels)):
        half[label] = int(sizes[1] < sizes[0])
        sizes[half[label]] += int(melodies[label])
    return np.flatnonzero(half[piece] == 0), np.flatnonzero(half[piece] == 1)


def _drawn(
    features: Features, pieces: NDArray[np.generic] | None, size: int, rng: np.random.Generator
) -> tuple[Mapping[str, NDArray[np.float64]], NDArray[np.int64]]:
    """So many of the melodies, and the number of the piece of each, from 0 on."""
    melodies = max((len(values) for values in features.values()), default=0)
    if pieces is not None and len(pieces) != melodies:
        raise ValueError(f"{melodies} melodies need the pieces of as many, got {len(pieces)}")
    rows = np.arange(melodies) if melodies <= size else np.sort(rng.permutation(melodies)[:size])
    piece = np.unique(rows if pieces is None else pieces[rows], return_inverse=True)[1]
    return {name: np.asarray(values, dtype=np.float64)[rows] for name, values in features.items()}, piece


def _part(piece: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The melodies of a share of the pieces, one piece at least, drawn without replacement; none where there is one."""
    pieces = int(piece.max(initial=-1)) + 1
    chosen = np.zeros(max(pieces, 1), dtype=np.bool_)
    chosen[rng.permutation(pieces)[: max(int(share * pieces), int(pieces > 1))]] = True
    return np.flatnonzero(chosen[piece])


def _compared(
    data: NDArray[np.float64],
    generated: NDArray[np.float64],
    piece: NDArray[np.int64],
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[float, float, NDArray[np.float64], str]:
    """In one feature: the area, the divergence, the area of each part, and why there is none.

    Args:
        data: `(melodies, dimensions)`.
        generated: the same of the set.
        piece: `(melodies,)` of the data.
        parts: melodies of the data and of the set, for the interval.
    """
    undefined = math.nan, math.nan, np.full(len(parts), np.nan)
    there, here = np.flatnonzero(_defined(data)), np.flatnonzero(_defined(generated))
    own = piece[there][:, None] == piece[there]
    if own.all() or len(here) < 2:
        return *undefined, _FEW
    within, between = _distances(data[there], data[there]), _distances(data[there], generated[here])
    largest = max(float(within[~own].max()), float(between.max()))
    inside, across = binned(np.where(own, 0.0, within), largest), binned(between, largest)
    inside[own] = BINS  # one bin more, which is not counted

    standing, standing_here = _standing(there, len(data)), _standing(here, len(generated))

    def counts(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows, columns = _places(rows, standing), _places(columns, standing_here)
        return _counts(inside, rows, rows), _counts(across, rows, columns)

    drawn = [counts(np.arange(len(data)), np.arange(len(generated))), *(counts(*part) for part in parts)]
    densities_within, densities_between = (densities(np.stack(sets)) for sets in zip(*drawn, strict=True))
    found = overlapping_areas(densities_within, densities_between)
    if math.isnan(found[0]):
        return *undefined, _EQUAL
    return float(found[0]), divergence(densities_within[0], densities_between[0]), found[1:], ""


def _standing(among: NDArray[np.int64], melodies: int) -> NDArray[np.int64]:
    """Where each melody stands among some, `(melodies,)`; -1 where it does not."""
    standing = np.full(melodies, -1)
    standing[among] = np.arange(len(among))
    return standing


def _places(rows: NDArray[np.int64], standing: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where rows stand, those left out that do not."""
    places = standing[rows]
    return places[places >= 0]


def _defined(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which melodies have the feature, `(melodies,)`."""
    return np.asarray(~np.isnan(values).any(axis=1))


def _distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of each row of the first to each of the second, `(rows, rows)`."""
    if first.shape[1] == 1:
        return np.abs(first - second.T)
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2.0 * first @ second.T
    return np.sqrt(np.where(squares > _ROUNDING, squares, 0.0))


def _counts(bins: NDArray[np.int16], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many distances from those rows to those columns are in each bin."""
    return np.bincount(bins[rows[:, None], columns].ravel(), minlength=BINS + 1)[:BINS]


def _mean(
    found: Mapping[str, Overlap], areas: Mapping[str, NDArray[np.float64]], root: float, level: float, size: int
) -> Overlap:
    """The mean over features; the same parts were drawn in each, so that its interval knows how they go together."""
    if not found or any(one.reason for one in found.values()):
        undefined = ", ".join(name for name, one in found.items() if one.reason)
        return Overlap(Interval(math.nan, math.nan, math.nan), math.nan, size, f"{_MISSING}: not in {undefined}")
    value = float(np.mean([one.area.value for one in found.values()]))
    kl = float(np.mean([one.kl for one in found.values()]))
    return Overlap(_interval(value, np.mean(list(areas.values()), axis=0), root, level), kl, size)


def _interval(value: float, parts: NDArray[np.float64], root: float, level: float) -> Interval:
    """A number with the bounds that the deviations of parts from their mean give it, rescaled."""
    defined = parts[~np.isnan(parts)]
    if math.isnan(value) or not len(defined):
        return Interval(value, math.nan, math.nan)
    bounds = np.clip(value - root * (defined - defined.mean()), 0.0, 1.0)
    low, high = np.quantile(bounds, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
