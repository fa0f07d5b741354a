"""The distance of a set of melodies from the data: overlap of the distances within the data and to it.

L.-C. Yang and A. Lerch, On the evaluation of generative models in music, Neural Computing and Applications 32, 2020.
For each feature (`melody_features`), take all distances from one melody of the data to another, and all from one of the
data to a generated one: Euclidean, or the difference of two numbers. Estimate the density of both (`densities`). The
overlapping area is 1 where generated melodies are as far from the data as the data's own from one another, and falls
where they are farther away or, being all similar or all average, nearer.

Three things differ from the paper's toolbox. It integrates from the smallest distance to the largest, and so loses the
tails of the kernel beyond; and it evaluates the two densities of its divergence at different points: here both are
evaluated over one range with both tails. And where melodies are excerpts, those of one piece are nearer to one another
than to any other music: distances within the data are those from one piece to another, as all distances to a set are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.features import FEATURES, Features
from cantilena.metrics.intervals import Interval
from cantilena.rules import Metric

OVERLAP = "overlap"
"""The mean of all overlaps; the prefix of those of single features, with a dot."""

METRICS = (
    Metric(
        OVERLAP,
        "Overlap with the data",
        "Mean of the nine overlaps below; its ceiling is the overlap of human melodies with human melodies.",
        better="more",
    ),
    *(
        Metric(
            f"{OVERLAP}.{name}",
            f"Overlap, {label}",
            f"Feature: {definition}. The overlap of the distances from human melodies to these with the distances "
            "among human melodies; 1 is the same distribution.",
            better="more",
        )
        for name, (label, definition) in FEATURES.items()
    ),
)

BINS = 1024
"""The number of bins for distances from 0 to the largest."""

_CIRCLE = 4 * BINS
"""Bins of a density: those after the largest distance and, as the last ones, those below 0. They are so many that the
tails of a kernel do not meet."""

_NARROWEST = 0.5
"""The smallest kernel width, in bins: a narrower one is undersampled."""

_FLOOR = 1e-12
"""The smallest density relative to its peak; what is below is rounding error of the Fourier transform."""

MOST = 1000
"""The most melodies of each set that are compared; of more, so many are drawn at random."""

_PART = 250
"""The size of the subsamples for the interval; half a set if it has fewer than twice as many."""

_ROUNDING = 1e-12
"""A squared distance of histograms below this is 0."""

_FEW = "too few melodies have this feature: two of each set are needed, the data's of different pieces"
_EQUAL = "all distances are equal"
_MISSING = "it is not defined in every feature"

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of the distances to the data with those within the data, in one feature.

    Args:
        area: the overlapping area, 0 to 1, with its interval; NaN where undefined.
        kl: the KL divergence of the distances within the data from those to it, nats; NaN where undefined.
        melodies: the number of melodies of each set that were compared.
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

    Compares equal numbers of melodies. A melody for which a feature is undefined is left out for this feature.
    Intervals are those of `subsample_interval`, from halves of both sets, whole pieces drawn without replacement, the
    same for all features; of more than 500 melodies, from subsamples of about 250 with their own factor.

    The ceiling is that of human melodies with human melodies, halved by piece (`halves_by_piece`). Overlaps rise with
    the number of melodies, from .96 to .99 between 100 and 1,000 of one source: compare with a ceiling of the same
    size.

    Args:
        data: the features of human melodies.
        generated: the same features of a set.
        rng: draws melodies and subsamples.
        pieces: `(melodies,)` the piece of each of the data's melodies, as any labels; None where each is its own.
        generated_pieces: the same for the set.
        most: the most melodies of each set that are compared.
        draws: the number of subsamples for the intervals.
        level: the coverage.

    Returns:
        By metric: `overlap.` and the name of the feature; and as `overlap` the mean of all, undefined where one is.

    Raises:
        UsageError: the level is not between 0 and 1.
        ValueError: the features differ in names or dimensions, or the pieces in number.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.metrics import melody_features
        >>> from cantilena.rules import Context
        >>> encoding, rng = GridEncoding(), np.random.default_rng(1)
        >>> lines = [encoding.line(rng.integers(2, most, (45, 32))) for most in (38, 38, 9)]
        >>> data, similar, narrow = (melody_features(line, Context()) for line in lines)
        >>> found = [overlaps(data, one, rng, draws=20)["overlap.range"] for one in (similar, narrow)]
        >>> [round(one.area.value, 1) for one in found]
        [0.9, 0.0]
    """
    if not 0 < level < 1:
        raise UsageError(f"the level is {level}", "give a share between 0 and 1, such as 0.95")
    shapes = [{name: values.shape[1:] for name, values in features.items()} for features in (data, generated)]
    if shapes[0] != shapes[1]:
        raise ValueError("the two sets have different features")
    size = min([most, *(len(values) for features in (data, generated) for values in features.values())])
    ours, piece = _drawn(data, pieces, size, rng)
    theirs, generated_piece = _drawn(generated, generated_pieces, size, rng)
    share = min(0.5, _PART / max(size, 1))
    parts = [(_subsample(piece, share, rng), _subsample(generated_piece, share, rng)) for _ in range(draws)]
    root = math.sqrt(share) / math.sqrt(1 - share)
    by_feature: dict[str, Overlap] = {}
    areas: dict[str, Array] = {}
    for name in data:
        value, kl, areas[name], reason = _compare(ours[name], theirs[name], piece, parts)
        by_feature[name] = Overlap(_interval(value, areas[name], root, level), kl, size, reason)
    by_metric = {f"{OVERLAP}.{name}": one for name, one in by_feature.items()}
    return {OVERLAP: _mean(by_feature, areas, root, level, size)} | by_metric


def halves_by_piece(pieces: NDArray[np.generic], rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Split melodies into two halves so that no piece is in both: each piece in turn goes to the smaller half.

    Args:
        pieces: `(melodies,)` the piece of each melody, as any labels.
        rng: draws the order of the pieces.

    Returns:
        The rows of the two halves, ascending; the second is empty if there is only one piece.

    Examples:
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


# Subsamples and distances.


def _drawn(
    features: Features, pieces: NDArray[np.generic] | None, size: int, rng: np.random.Generator
) -> tuple[Mapping[str, Array], Rows]:
    """So many of the melodies, and the number of the piece of each, from 0."""
    melodies = max((len(values) for values in features.values()), default=0)
    if pieces is not None and len(pieces) != melodies:
        raise ValueError(f"{melodies} melodies need as many pieces, got {len(pieces)}")
    rows = np.arange(melodies) if melodies <= size else np.sort(rng.permutation(melodies)[:size])
    piece = np.unique(rows if pieces is None else pieces[rows], return_inverse=True)[1]
    return {name: np.asarray(values, dtype=np.float64)[rows] for name, values in features.items()}, piece


def _subsample(piece: Rows, share: float, rng: np.random.Generator) -> Rows:
    """The melodies of a share of the pieces, drawn without replacement; at least one of several, none of one."""
    pieces = int(piece.max(initial=-1)) + 1
    chosen = np.zeros(max(pieces, 1), dtype=np.bool_)
    chosen[rng.permutation(pieces)[: max(int(share * pieces), int(pieces > 1))]] = True
    return np.flatnonzero(chosen[piece])


def _compare(
    data: Array, generated: Array, piece: Rows, parts: list[tuple[Rows, Rows]]
) -> tuple[float, float, Array, str]:
    """In one feature: the area, the divergence, the area of each subsample, and the reason if it is undefined.

    Args:
        data: `(melodies, dimensions)`.
        generated: the same of the set.
        piece: `(melodies,)` of the data.
        parts: rows of the data and of the set, for the interval.
    """
    undefined = math.nan, math.nan, np.full(len(parts), np.nan)
    data_rows, rows = (np.flatnonzero(~np.isnan(values).any(axis=1)) for values in (data, generated))
    own = piece[data_rows][:, None] == piece[data_rows]
    if own.all() or len(rows) < 2:
        return *undefined, _FEW
    within, between = _distances(data[data_rows], data[data_rows]), _distances(data[data_rows], generated[rows])
    largest = max(float(within[~own].max()), float(between.max()))
    bins_within, bins_between = binned(np.where(own, 0.0, within), largest), binned(between, largest)
    bins_within[own] = BINS  # an extra bin that is not counted

    def counts(some: Rows, others: Rows) -> tuple[Rows, Rows]:
        ours, theirs = (
            np.searchsorted(of, part[np.isin(part, of)]) for of, part in ((data_rows, some), (rows, others))
        )
        return _counts(bins_within, ours, ours), _counts(bins_between, ours, theirs)

    drawn = [counts(np.arange(len(data)), np.arange(len(generated))), *(counts(*part) for part in parts)]
    densities_within, densities_between = (densities(np.stack(sets)) for sets in zip(*drawn, strict=True))
    areas = overlapping_areas(densities_within, densities_between)
    if math.isnan(areas[0]):
        return *undefined, _EQUAL
    return float(areas[0]), divergence(densities_within[0], densities_between[0]), areas[1:], ""


def _distances(first: Array, second: Array) -> Array:
    """The distance of each row of the first to each of the second, `(rows, rows)`."""
    if first.shape[1] == 1:
        return np.abs(first - second.T)
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2.0 * first @ second.T
    return np.sqrt(np.where(squares > _ROUNDING, squares, 0.0))


def _counts(bins: NDArray[np.int16], rows: Rows, columns: Rows) -> Rows:
    """The number of distances from those rows to those columns in each bin."""
    return np.bincount(bins[rows[:, None], columns].ravel(), minlength=BINS + 1)[:BINS]


def _mean(
    by_feature: Mapping[str, Overlap], areas: Mapping[str, Array], root: float, level: float, size: int
) -> Overlap:
    """The mean over features; all have the same subsamples, so that the interval accounts for their correlation."""
    if not by_feature or any(one.reason for one in by_feature.values()):
        undefined = ", ".join(name for name, one in by_feature.items() if one.reason)
        return Overlap(Interval(math.nan, math.nan, math.nan), math.nan, size, f"{_MISSING}: not in {undefined}")
    value = float(np.mean([one.area.value for one in by_feature.values()]))
    kl = float(np.mean([one.kl for one in by_feature.values()]))
    return Overlap(_interval(value, np.mean(list(areas.values()), axis=0), root, level), kl, size)


def _interval(value: float, parts: Array, root: float, level: float) -> Interval:
    """A value with the bounds from the rescaled deviations of subsamples from their mean."""
    defined = parts[~np.isnan(parts)]
    if math.isnan(value) or not len(defined):
        return Interval(value, math.nan, math.nan)
    bounds = np.clip(value - root * (defined - defined.mean()), 0.0, 1.0)
    low, high = np.quantile(bounds, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


# Densities of distances from binned counts: as scipy's `gaussian_kde`, for hundreds of sets at once.


def binned(distances: Array, largest: float) -> NDArray[np.int16]:
    """The bin of each distance, 0 to 1023, of the same shape; the last is that of the largest.

    Examples:
        >>> binned(np.array([0.0, 1.0, 2.0]), 2.0).tolist()
        [0, 512, 1023]
    """
    scale = (BINS - 1) / largest if largest > 0 else 0.0
    return np.rint(distances * scale).astype(np.int16)


def densities(counts: NDArray[np.integer]) -> Array:
    """Gaussian kernel densities of binned samples, with the bandwidth by Scott's rule.

    Each of N samples is a Gaussian with standard deviation N^(-1/5) s, where s is that of all samples (divisor N - 1):
    D. W. Scott, Multivariate Density Estimation, Wiley 1992; the default of scipy. The sum of the Gaussians is a
    product in the frequency domain: B. W. Silverman, Kernel Density Estimation Using the Fast Fourier Transform,
    Applied Statistics 31, 1982.

    Args:
        counts: `(sets, 1024)`: the number of samples of each set in each bin.

    Returns:
        `(sets, 4096)`: the share in each bin, with sum 1; bins continue beyond the samples' and wrap around to below 0.
        NaN where a set has fewer than two samples, or all in one bin.

    Examples:
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


def overlapping_areas(first: Array, second: Array) -> Array:
    """The overlapping area of pairs of densities `(sets, bins)`, 0 to 1, `(sets,)`: the sum of the lesser.

    Examples:
        >>> overlapping_areas(np.array([[0.5, 0.5, 0.0]]), np.array([[0.0, 0.5, 0.5]])).tolist()
        [0.5]
    """
    return np.asarray(np.minimum(np.minimum(first, second).sum(axis=1), 1.0))


def divergence(first: Array, second: Array) -> float:
    """The Kullback-Leibler divergence of a density from a second, nats: the sum of f log(f / g).

    S. Kullback and R. A. Leibler, On Information and Sufficiency, Annals of Mathematical Statistics 22, 1951. Both
    densities, `(bins,)`, are raised to at least 1e-12 of their peak.

    Examples:
        >>> round(divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 3)
        0.144
    """
    f, g = (np.maximum(density, _FLOOR * density.max()) for density in (first, second))
    return max(float((f * np.log(f / g)).sum()), 0.0)
