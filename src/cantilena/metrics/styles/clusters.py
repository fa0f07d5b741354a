"""Clusters of melodies of similar style: k-means on standardised features, their number chosen by silhouette."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.metrics.features import STYLE_FEATURES

FEWEST, MOST = 2, 12
"""The numbers of clusters that are tried if none is given."""

MOST_CLUSTERS = 100
"""The largest number of clusters that can be given."""

MOST_COMPARED = 10_000
"""Silhouettes take quadratic time: of more melodies, so many are drawn at random."""

_CELLS = 2_000_000  # distances in memory at once: 16 MB
_WIDEST = 4.0  # standard deviations: a single outlier should not become a style
_STARTS = 50  # of k-means: with 10, the clusters of the built-in corpus depended on the seed
_HINT = "give a corpus of more varied melodies, or fewer --clusters"

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class StyleClusters:
    """Clusters of melodies, the largest first.

    Args:
        points: `(melodies, numbers)`: the standardised, weighted features in which distances are measured.
        labels: `(melodies,)`: the cluster of each, from 0.
        centres: `(k, numbers)`: the means of the clusters.
        distances: `(melodies,)`: the distance of each from the centre of its cluster.
        silhouettes: `(melodies,)`: NaN where it was not measured (`MOST_COMPARED`).
        curve: the mean silhouette by number of clusters.
    """

    points: Array
    labels: Labels
    centres: Array
    distances: Array
    silhouettes: Array
    curve: Mapping[int, float]

    @property
    def k(self) -> int:
        """The number of clusters."""
        return len(self.centres)

    @property
    def silhouette(self) -> float:
        """The mean silhouette over the melodies."""
        return self.curve[self.k]

    def silhouette_of(self, cluster: int) -> float:
        """The mean silhouette over the melodies of a cluster; NaN where none of them was measured."""
        values = self.silhouettes[self.labels == cluster]
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else float("nan")

    def central(self, cluster: int) -> Labels:
        """The melodies of a cluster, the nearest to its centre first."""
        rows = np.flatnonzero(self.labels == cluster)
        return rows[np.argsort(self.distances[rows], kind="stable")]


def style_clusters(features: Array, rng: np.random.Generator, clusters: int | None = None) -> StyleClusters:
    """Cluster melodies by style.

    k-means (S. P. Lloyd, Least squares quantization in PCM, 1982; started by k-means++, D. Arthur and S. Vassilvitskii,
    2007) with the number of clusters from 2 to 12 with the highest mean silhouette; of equal ones the smallest.

    Args:
        features: `(melodies, numbers)` of `style_features`; NaN counts as the mean.
        rng: seeds k-means, and draws the melodies for the silhouettes.
        clusters: the number of clusters; chosen if None.

    Raises:
        UsageError: the number of clusters is out of range.
        CorpusError: there are too few melodies, or they are all the same.

    Examples:
        >>> features = np.zeros((8, 23))
        >>> features[4:, 0] = 3.0  # half of them are fast
        >>> features[:, 1] = [0.0, 0.1, 0.2, 0.3, 0.0, 0.1, 0.2, 0.3]
        >>> clusters = style_clusters(features, np.random.default_rng(1), 2)
        >>> clusters.k, clusters.labels.tolist()
        (2, [0, 0, 0, 0, 1, 1, 1, 1])
    """
    check_clusters(clusters)
    points = standardised(features)
    different = len(np.unique(points.round(9), axis=0)) if len(points) else 0
    needed = clusters or FEWEST
    if len(points) <= needed:
        count = f"{len(points)} {'melody' if len(points) == 1 else 'melodies'}"
        raise CorpusError(f"{count} cannot form {needed} clusters", "give a larger corpus, or fewer --clusters")
    if different < needed:
        same = "are all the same" if different == 1 else f"are of only {different} kinds"
        raise CorpusError(f"the {len(points)} melodies {same} and cannot form {needed} clusters", _HINT)
    tried = [clusters] if clusters else range(FEWEST, min(MOST, different, len(points) - 1) + 1)
    compared = np.sort(rng.permutation(len(points))[:MOST_COMPARED])
    seeds = rng.integers(2**31, size=MOST_CLUSTERS + 1)  # one for each k, so that a given k has the same result
    labels_of = {k: _k_means(points, k, int(seeds[k])) for k in tried}
    labels_of = {k: labels for k, labels in labels_of.items() if labels.max() == k - 1}
    if not labels_of:
        raise CorpusError(f"the melodies form fewer than {needed} clusters", _HINT)
    measured = silhouettes(points[compared], {k: labels[compared] for k, labels in labels_of.items()})
    curve = {k: float(values.mean()) for k, values in measured.items()}
    best = max(curve, key=lambda k: (round(curve[k], 9), -k))
    labels, values = labels_of[best], np.full(len(points), np.nan)
    values[compared] = measured[best]
    centres = np.stack([points[labels == cluster].mean(axis=0) for cluster in range(best)])
    distances = np.linalg.norm(points - centres[labels], axis=1)
    return StyleClusters(points, labels, centres, distances, values, curve)


def check_clusters(clusters: int | None) -> None:
    """Check a number of clusters.

    Raises:
        UsageError: it is not from 2 to 100.
    """
    if clusters is not None and not FEWEST <= clusters <= MOST_CLUSTERS:
        raise UsageError(f"the number of clusters is {clusters}", f"give --clusters {FEWEST} to {MOST_CLUSTERS}")


def standardised(features: Array) -> Array:
    """Features in standard deviations from their mean, with equal weights, `(melodies, numbers)`.

    Undefined values count as the mean, those beyond four deviations as four. The n numbers of a feature are divided by
    the square root of n.

    Examples:
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
    weighted: Array = np.clip(centred * scale, -_WIDEST, _WIDEST) * weights
    return weighted


def _k_means(points: Array, k: int, seed: int) -> Labels:
    """The cluster of each point, the largest cluster 0; of equal ones that of the earliest point first.

    There may be fewer than k where many points are equal.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # for equal melodies; the caller checks the number
        predicted = KMeans(k, n_init=_STARTS, random_state=seed).fit_predict(points)
    names, first, labels = np.unique(predicted, return_index=True, return_inverse=True)
    order = np.lexsort((first, -np.bincount(labels)))
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    return rank[labels]


def silhouettes(points: Array, labels: Mapping[int, Labels]) -> dict[int, Array]:
    """The silhouette of each point in several clusterings at once, -1 to 1, each `(points,)`.

        s = (b - a) / max(a, b)

    where a is the mean distance to the other points of its own cluster, and b that to the points of the nearest other
    one; 0 for a point alone in its cluster. P. J. Rousseeuw, Silhouettes: a graphical aid to the interpretation and
    validation of cluster analysis, Journal of Computational and Applied Mathematics 20, 1987. Distances are Euclidean
    and computed once for all clusterings.

    Args:
        points: `(points, dimensions)`.
        labels: by any number, such as that of clusters, `(points,)`: the cluster of each point, from 0.

    Raises:
        ValueError: a clustering has fewer than two clusters.

    Examples:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> silhouettes(points, {2: np.array([0, 0, 1, 1])})[2].round(2).tolist()
        [0.9, 0.89, 0.89, 0.9]
    """
    sizes = {key: np.bincount(clusters) for key, clusters in labels.items()}
    if any(np.count_nonzero(size) < 2 for size in sizes.values()):
        raise ValueError("silhouettes need at least two clusters")
    one_hot = {key: np.eye(len(sizes[key]))[clusters] for key, clusters in labels.items()}
    values = {key: np.zeros(len(points)) for key in labels}
    squares = (points**2).sum(axis=1)
    portion = max(_CELLS // max(len(points), 1), 1)
    for begin in range(0, len(points), portion):
        rows = slice(begin, begin + portion)
        distances = squares[rows, None] + squares - 2 * points[rows] @ points.T
        np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
        here = np.arange(begin, begin + len(distances))
        distances[here - begin, here] = 0.0  # without rounding error
        for key, clusters in labels.items():
            values[key][rows] = _from_sums(distances @ one_hot[key], clusters[rows], sizes[key])
    return values


def _from_sums(sums: Array, own: Labels, sizes: Labels) -> Array:
    """Silhouettes from the sums of distances to each cluster, `(points, clusters)`."""
    rows = np.arange(len(sums))
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = np.full(sums.shape, np.inf)
    np.divide(sums, sizes, out=means, where=np.broadcast_to(sizes > 0, sums.shape))
    means[rows, own] = np.inf
    nearest = means.min(axis=1)
    larger = np.maximum(within, nearest)
    values = np.zeros(len(sums))
    np.divide(nearest - within, larger, out=values, where=(sizes[own] > 1) & (larger > 0))
    return values


def describe_silhouette(silhouette: float) -> str:
    """What a mean silhouette means, by the marks of L. Kaufman and P. J. Rousseeuw, Finding Groups in Data, 1990.

    Examples:
        >>> describe_silhouette(0.8), describe_silhouette(0.3), describe_silhouette(0.1)
        ('clearly apart', 'shading into each other', 'hardly apart')
    """
    marks = ((0.7, "clearly apart"), (0.5, "apart"), (0.25, "shading into each other"))
    return next((words for mark, words in marks if silhouette > mark), "hardly apart")


def components(points: Array) -> tuple[Array, Array, Array]:
    """The two principal components of points (K. Pearson 1901).

    Returns:
        `(points, 2)`: coordinates along them; `(2, dimensions)`: their directions, in which the largest number is
        positive; `(2,)`: the share of the variance that each explains.

    Examples:
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
