"""Densities of distances, estimated from binned counts: as scipy's `gaussian_kde`, for hundreds of sets at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
