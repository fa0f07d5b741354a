"""Cluster the melodies of a corpus into styles, and describe each style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cantilena.data import Corpus, Styles, open_corpus
from cantilena.errors import CorpusError
from cantilena.metrics import (
    STYLE_COLUMNS,
    StyleClusters,
    StyleFeature,
    cluster_features,
    describe_cluster,
    describe_silhouette,
    style_clusters,
    style_features,
)
from cantilena.metrics.styles.clusters import check_clusters
from cantilena.music import Melody
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator, tracked
from cantilena.workflows.evaluate.melody_sets import EvalMelody, line_of
from cantilena.workflows.evaluate.report import SECONDS

_BATCH_STEPS = 1_000_000
"""Steps of the melodies that are measured at once, which bounds memory to some tens of megabytes."""

_CENTRAL = 3
"""Number of central melodies that represent a style."""

_MAX_NAMED, _MIN_SHARE = 4, 0.05
"""Composers and collections that describe a style: the maximum number, and the minimum share of its melodies."""

_SIMILAR = 0.02
"""Numbers of clusters whose mean silhouettes differ by no more than this are about equally good."""


@dataclass(frozen=True)
class Style:
    """A cluster of melodies, compared with the rest of the corpus.

    Args:
        rows: `(melodies,)`: its melodies in the corpus, the most central first.
        silhouette: the mean over its melodies; NaN if none was sampled.
        central: rows of the most central melodies, of different pieces.
        composers: number of melodies by composer, in descending order; `collections` likewise.
    """

    name: str
    words: str
    rows: NDArray[np.int64]
    silhouette: float
    features: dict[str, StyleFeature]
    central: tuple[int, ...]
    composers: dict[str, int]
    collections: dict[str, int]

    def made_of(self) -> str:
        """The shares of collections and composers."""
        return "; ".join(_shares(names, len(self.rows)) for names in (self.collections, self.composers) if names)


@dataclass(frozen=True)
class CorpusStyles:
    """The styles of a corpus, the largest first; `silent` melodies without notes are left out."""

    corpus: Corpus
    silent: int
    clusters: StyleClusters
    styles: tuple[Style, ...]

    @cached_property
    def assignment(self) -> Styles:
        """The style of each melody, to be saved."""
        names = [self.styles[cluster].name for cluster in self.clusters.labels.tolist()]
        return Styles.from_names(self.corpus, names, {style.name: style.words for style in self.styles})

    def excerpts(self, style: Style) -> list[Melody]:
        """The first thirty seconds of the central melodies of a style."""
        melodies = [self.corpus[row] for row in style.central]
        return [melody.until(min(melody.tempo.ticks(SECONDS), melody.length)) for melody in melodies]

    def summary(self) -> str:
        """A few sentences."""
        clusters = self.clusters
        text = (
            f"{counted(len(self.corpus), 'melody')} fall into {clusters.k} styles, "
            f"{describe_silhouette(clusters.silhouette)} "
            f"(mean silhouette {clusters.silhouette:.2f})."
        )
        similar = [k for k, value in clusters.curve.items() if value >= clusters.silhouette - _SIMILAR]
        others = [str(k) for k in similar if k != clusters.k]
        text += f" {listed(others)} clusters tell them apart about as well." if others else ""
        return text + (f" Left out: {counted(self.silent, 'melody')} in which nothing sounds." if self.silent else "")

    def to_json(self) -> dict[str, Any]:
        """The answer of `corpus cluster --json`."""
        return {
            "corpus": self.corpus.manifest.name,
            "melodies": len(self.corpus),
            "silent": self.silent,
            "clusters": [self._style_json(style) for style in self.styles],
            "k": self.clusters.k,
            "silhouette": round(self.clusters.silhouette, 6),
            "apart": describe_silhouette(self.clusters.silhouette),
            "curve": {str(k): round(value, 6) for k, value in self.clusters.curve.items()},
        }

    def _style_json(self, style: Style) -> dict[str, Any]:
        known = not np.isnan(style.silhouette)
        return {
            "name": style.name,
            "words": style.words,
            "melodies": len(style.rows),
            "silhouette": round(style.silhouette, 6) if known else None,
            **({} if known else {"reason": "none of its melodies was among those that were compared"}),
            "composers": style.composers,
            "collections": style.collections,
            "central": [{"title": title, "source": source} for title, source in self._central(style)],
            "features": {name: one.to_json() for name, one in style.features.items()},
        }

    def text(self) -> str:
        """The same for a terminal."""
        curve, width = self.clusters.curve, max(len(style.name) for style in self.styles)
        lines = [f"{self.corpus.manifest.name}: {self.summary()}"]
        if len(curve) > 1:
            lines += ["", "clusters    " + " ".join(f"{k:>5}" for k in curve)]
            lines += ["silhouette  " + " ".join(f"{value:5.2f}" for value in curve.values())]
        for style in self.styles:
            silhouette = "" if np.isnan(style.silhouette) else f", silhouette {style.silhouette:.2f}"
            central = "; ".join(f"{title or 'Melody'} ({source})" for title, source in self._central(style))
            facts = [f"{counted(len(style.rows), 'melody')}{silhouette}", style.made_of(), f"such as {central}"]
            lines += ["", f"{style.name:<{width}}  {style.words}"]
            lines += [" " * (width + 2) + fact for fact in facts if fact]
        return "\n".join(lines)

    def _central(self, style: Style) -> list[tuple[str, str]]:
        """The titles and files of the central melodies."""
        titles, sources = self.corpus.column("title"), self.corpus.column("source")
        return [(titles[row], sources[row]) for row in style.central]


def find_styles(name: str, *, clusters: int | None = None, seed: int = 1) -> CorpusStyles:
    """Find the styles of a corpus by name, file or folder; the silhouette chooses their number by default.

    Raises:
        UsageError: `clusters` is out of range, or the name is empty.
        CorpusError: there is no such corpus, or its melodies are silent, too few or all equal.
    """
    check_clusters(clusters)
    rng = generator(seed, "styles")
    return styles_of(open_corpus(name), rng, clusters)


def styles_of(corpus: Corpus, rng: np.random.Generator, clusters: int | None = None) -> CorpusStyles:
    """Find the styles of an open corpus of two melodies or more; `rng` starts k-means."""
    features = melody_style_features(corpus)
    sounds = ~np.isnan(features[:, STYLE_COLUMNS.index("range")])
    if not sounds.any():
        raise CorpusError("nothing sounds in this corpus", "give a corpus with notes")
    corpus = Corpus(corpus.table.take(pa.array(np.flatnonzero(sounds))), corpus.manifest)
    result = style_clusters(features[sounds], rng, clusters)
    styles = tuple(_described(corpus, features[sounds], result, cluster) for cluster in range(result.k))
    return CorpusStyles(corpus, int((~sounds).sum()), result, styles)


def melody_style_features(corpus: Corpus) -> NDArray[np.float64]:
    """The `style_features` of each melody, `(melodies, features)`, from its first barline; NaN where undefined."""
    melodies = [
        EvalMelody.from_melody(melody, piece="", label="")
        for melody in tracked(corpus.melodies(), "Reading melodies", total=len(corpus), unit="melodies")
    ]
    features = np.full((len(melodies), len(STYLE_COLUMNS)), np.nan)
    for rows in _batches(melodies):
        line = line_of(melodies[row].tokens for row in rows)
        features[rows] = style_features(line, [melodies[row].context for row in rows])
    return features


def _batches(melodies: Sequence[EvalMelody]) -> Iterator[list[int]]:
    """Rows of melodies of one meter and similar length, so that little is padding."""
    order = sorted(range(len(melodies)), key=lambda row: (str(melodies[row].meter), len(melodies[row])))
    batch: list[int] = []
    for row in order:
        other_meter = batch and melodies[batch[0]].meter != melodies[row].meter
        if batch and (other_meter or (len(batch) + 1) * len(melodies[row]) > _BATCH_STEPS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _described(corpus: Corpus, numbers: NDArray[np.float64], result: StyleClusters, cluster: int) -> Style:
    rows = result.central(cluster)
    features = cluster_features(numbers, result.labels == cluster)
    meters, composers, collections = (
        [column[row] for row in rows.tolist()]
        for column in (corpus.column(name) for name in ("meter", "composer", "collection"))
    )
    pieces, titles = corpus.column("piece"), corpus.column("title")
    central: list[int] = []
    seen: set[tuple[str, str]] = set()
    for row in rows.tolist():
        names = {("piece", pieces[row])} | ({("title", titles[row])} if titles[row] else set())
        if len(central) < _CENTRAL and not names & seen:
            central.append(row)
            seen |= names
    return Style(
        name=f"style-{cluster + 1}",
        words=describe_cluster(features, meters),
        rows=rows,
        silhouette=result.silhouette_of(cluster),
        features=features,
        central=tuple(central),
        composers=_commonest(composers),
        collections=_commonest(collections),
    )


def _commonest(names: Sequence[str]) -> dict[str, int]:
    counts = Counter(name for name in names if name)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _shares(names: dict[str, int], melodies: int) -> str:
    known = [(name, count / melodies) for name, count in names.items() if count >= _MIN_SHARE * melodies]
    shown = [f"{name} {100 * share:.0f} %" for name, share in known[:_MAX_NAMED]]
    return ", ".join([*shown, "others"] if len(names) > len(shown) else shown)
