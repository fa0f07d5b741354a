"""Melodies of like style: k-means on standardised features, as many clusters as the silhouette likes best.

Silhouettes: how much nearer a melody is to its own cluster than to the next one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.metrics.features import STYLE_FEATURES

_TOGETHER = 2_000_000
"""Distances that are held at once: 16 MB."""

_STRENGTHS = ((0.7, "clearly apart"), (0.5, "apart"), (0.25, "shading into each other"))


def silhouettes(points: NDArray[np.float64], labels: Mapping[int, NDArray[np.int64]]) -> dict[int, NDArray[np.float64]]:
    """The silhouette of each point in several clusterings at once, -1 to 1, each `(points,)`.

        s = (b - a) / max(a, b)

    where a is the mean distance to the other points of its own cluster, and b that to the points of the nearest other
    one; 0 for a point alone in its cluster. P. J. Rousseeuw, Silhouettes: a graphical aid to the interpretation and
    validation of cluster analysis, Journal of Computational and Applied Mathematics 20, 1987. Distances are Euclidean,
    and are measured once for all clusterings.

    Args:
        points: `(points, dimensions)`.
        labels: by any number, such as that of clusters, `(points,)`: the cluster of each point, from 0.

    Raises:
        ValueError: a clustering of one cluster.

    Example:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> silhouettes(points, {2: np.array([0, 0, 1, 1])})[2].round(2).tolist()
        [0.9, 0.89, 0.89, 0.9]
    """
    sizes = {key: np.bincount(clusters) for key, clusters in labels.items()}
    if any(np.count_nonzero(size) < 2 for size in sizes.values()):
        raise ValueError("silhouettes need two clusters or more")
    belongs = {key: np.eye(len(sizes[key]))[clusters] for key, clusters in labels.items()}
    found = {key: np.zeros(len(points)) for key in labels}
    squares = (points**2).sum(axis=1)
    portion = max(_TOGETHER // max(len(points), 1), 1)
    for begin in range(0, len(points), portion):
        rows = slice(begin, begin + portion)
        distances = squares[rows, None] + squares - 2 * points[rows] @ points.T
        np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
        here = np.arange(begin, begin + len(distances))
        distances[here - begin, here] = 0.0  # what rounding has left of it
        for key, clusters in labels.items():
            found[key][rows] = _of_sums(distances @ belongs[key], clusters[rows], sizes[key])
    return found


def _of_sums(sums: NDArray[np.float64], own: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """From the distances to each cluster, added up, `(points, clusters)`."""
    rows = np.arange(len(sums))
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = np.full(sums.shape, np.inf)
    np.divide(sums, sizes, out=means, where=np.broadcast_to(sizes > 0, sums.shape))
    means[rows, own] = np.inf
    nearest = means.min(axis=1)
    larger = np.maximum(within, nearest)
    told = (sizes[own] > 1) & (larger > 0)
    values = np.zeros(len(sums))
    np.divide(nearest - within, larger, out=values, where=told)
    return values


def describe_silhouette(silhouette: float) -> str:
    """What a mean silhouette says, by the marks of L. Kaufman and P. J. Rousseeuw, Finding Groups in Data, 1990.

    Example:
        >>> describe_silhouette(0.8), describe_silhouette(0.3), describe_silhouette(0.1)
        ('clearly apart', 'shading into each other', 'hardly apart')
    """
    return next((words for mark, words in _STRENGTHS if silhouette > mark), "hardly apart")


FEWEST, MOST = 2, 12
"""How many clusters are tried where no number is given."""

MOST_CLUSTERS = 100
"""How many can be asked for."""

MOST_COMPARED = 10_000
"""Of more melodies than this, so many are drawn to measure silhouettes, which takes the square of the time."""

_WIDEST = 4.0  # standard deviations: one melody unlike all others shall not be a style
_STARTS = 50  # of k-means, of which the best is taken: with 10 the built-in corpus fell otherwise with each seed


@dataclass(frozen=True)
class StyleClusters:
    """Melodies by style, the largest cluster first.

    Args:
        points: `(melodies, numbers)`: the standardised, weighted features in which distances are measured.
        labels: `(melodies,)`: the cluster of each, from 0.
        centres: `(k, numbers)`: the means of the clusters.
        distances: `(melodies,)`: how far each is from the centre of its cluster.
        silhouettes: `(melodies,)`: NaN where it was not measured (`MOST_COMPARED`).
        curve: the mean silhouette by number of clusters.
    """

    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    centres: NDArray[np.float64]
    distances: NDArray[np.float64]
    silhouettes: NDArray[np.float64]
    curve: Mapping[int, float]

    @property
    def k(self) -> int:
        """How many clusters."""
        return len(self.centres)

    @property
    def silhouette(self) -> float:
        """The mean over the melodies."""
        return self.curve[self.k]

    def silhouette_of(self, cluster: int) -> float:
        """The mean over the melodies of a cluster; NaN where none of them was measured."""
        values = self.silhouettes[self.labels == cluster]
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else float("nan")

    def central(self, cluster: int) -> NDArray[np.int64]:
        """The melodies of a cluster, the nearest to its centre first."""
        rows = np.flatnonzero(self.labels == cluster)
        return rows[np.argsort(self.distances[rows], kind="stable")]


def style_clusters(
    features: NDArray[np.float64], rng: np.random.Generator, clusters: int | None = None
) -> StyleClusters:
    """Find melodies of like style.

    k-means (S. P. Lloyd, Least squares quantization in PCM, 1982; started by k-means++, D. Arthur and S. Vassilvitskii,
    2007) with the number of clusters from 2 to 12 whose mean silhouette is highest; of equal ones the smallest.

    Args:
        features: `(melodies, numbers)` of `style_features`; NaN counts as the mean.
        rng: where k-means starts, and which melodies are compared.
        clusters: how many; chosen if None.

    Raises:
        UsageError: a number of clusters that cannot be.
        CorpusError: too few melodies, or all alike.

    Example:
        >>> features = np.zeros((8, 23))
        >>> features[4:, 0] = 3.0  # half of them are fast
        >>> features[:, 1] = [0.0, 0.1, 0.2, 0.3, 0.0, 0.1, 0.2, 0.3]
        >>> found = style_clusters(features, np.random.default_rng(1), 2)
        >>> found.k, found.labels.tolist()
        (2, [0, 0, 0, 0, 1, 1, 1, 1])
    """
    check_clusters(clusters)
    points = standardised(features)
    different = len(np.unique(points.round(9), axis=0)) if len(points) else 0
    needed = clusters or FEWEST
    if len(points) <= needed:
        count = f"{len(points)} {'melody' if len(points) == 1 else 'melodies'}"
        raise CorpusError(f"{count} cannot fall into {needed} clusters", "give a larger corpus, or fewer --clusters")
    if different < needed:
        alike = "are all alike" if different == 1 else f"are of only {different} kinds"
        raise CorpusError(f"the {len(points)} melodies {alike}: {needed} clusters cannot be found", _HINT)
    tried = [clusters] if clusters else range(FEWEST, min(MOST, different, len(points) - 1) + 1)
    compared = np.sort(rng.permutation(len(points))[:MOST_COMPARED])
    seeds = rng.integers(2**31, size=MOST_CLUSTERS + 1)  # one for each k: a number that is asked for gives the same
    found_by_k = {k: _k_means(points, k, int(seeds[k])) for k in tried}
    labels = {k: which for k, which in found_by_k.items() if which.max() == k - 1}
    if not labels:
        raise CorpusError(f"the melodies fall into fewer than {needed} clusters", _HINT)
    measured = silhouettes(points[compared], {k: which[compared] for k, which in labels.items()})
    curve = {k: float(values.mean()) for k, values in measured.items()}
    best = max(curve, key=lambda k: (round(curve[k], 9), -k))
    found = np.full(len(points), np.nan)
    found[compared] = measured[best]
    centres = np.stack([points[labels[best] == cluster].mean(axis=0) for cluster in range(best)])
    distances = np.linalg.norm(points - centres[labels[best]], axis=1)
    return StyleClusters(points, labels[best], centres, distances, found, curve)


def check_clusters(clusters: int | None) -> None:
    """Refuse a number of clusters that cannot be, before anything is measured.

    Raises:
        UsageError: it is not from 2 to 100.
    """
    if clusters is not None and not FEWEST <= clusters <= MOST_CLUSTERS:
        raise UsageError(f"{clusters} clusters cannot be told apart", f"give --clusters {FEWEST} to {MOST_CLUSTERS}")


def standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features in standard deviations from their mean, each weighing alike, `(melodies, numbers)`.

    What is undefined counts as the mean, what lies beyond four deviations as four. The numbers of a feature that is
    told by n of them are divided by the root of n.

    Args:
        features: `(melodies, numbers)` of `style_features`.

    Example:
        >>> features = np.full((3, 23), np.nan)
        >>> features[:2, 0] = 1.0, 3.0
        >>> standardised(features)[:, :2].tolist()
        [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """
    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, features - np.where(known, features, 0.0).sum(axis=0) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    weights = np.array([len(names) ** -0.5 for names in STYLE_FEATURES.values() for _ in names])
    weighted: NDArray[np.float64] = np.clip(centred * scale, -_WIDEST, _WIDEST) * weights
    return weighted


def components(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The two main components of points, by which they can be drawn (K. Pearson 1901).

    Args:
        points: `(points, dimensions)`.

    Returns:
        `(points, 2)`: places along them; `(2, dimensions)`: their directions, in which the largest number is positive;
        `(2,)`: the share of the variance that each holds.

    Example:
        >>> places, directions, shares = components(np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
        >>> places[:, 0].tolist(), shares.tolist()
        ([-1.0, 0.0, 1.0], [1.0, 0.0])
    """
    centred = points - points.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    directions = axes.T[::-1][:2]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    total = max(float(variances.sum()), 1e-12)
    return centred @ directions.T, directions, np.maximum(variances[::-1][:2], 0.0) / total


def _k_means(points: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each point, the largest cluster 0; of equal ones that of the earliest point first.

    There may be fewer than asked for where many points are equal.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of equal melodies, seen by the caller
        found = KMeans(k, n_init=_STARTS, random_state=seed).fit_predict(points)
    names, first, labels = np.unique(found, return_index=True, return_inverse=True)
    order = np.lexsort((first, -np.bincount(labels)))
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    return rank[labels]


_HINT = "give a corpus with melodies that differ, or fewer --clusters"
