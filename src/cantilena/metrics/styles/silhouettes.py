"""Silhouettes: how much nearer a melody is to its own cluster than to the next one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

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


def apartness(silhouette: float) -> str:
    """What a mean silhouette says, by the marks of L. Kaufman and P. J. Rousseeuw, Finding Groups in Data, 1990.

    Example:
        >>> apartness(0.8), apartness(0.3), apartness(0.1)
        ('clearly apart', 'shading into each other', 'hardly apart')
    """
    return next((words for mark, words in _STRENGTHS if silhouette > mark), "hardly apart")
