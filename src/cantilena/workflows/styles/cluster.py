"""The styles that the melodies of a corpus fall into: found, described, and answered.

The styles of a corpus in numbers: its melodies on the grid, measured in portions of like length.
"""

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
from cantilena.workflows.evaluate.melody_sets import JudgedTune, line_of
from cantilena.workflows.evaluate.report import SECONDS

_TOGETHER = 1_000_000
"""Steps of the melodies that are measured at once: their arrays stay within some tens of megabytes."""


@dataclass(frozen=True)
class StyleMaterial:
    """What styles are found in.

    Args:
        corpus: the melodies in which something sounds.
        features: `(melodies, numbers)` of `style_features`.
        silent: how many melodies were left out because nothing sounds in them.
    """

    corpus: Corpus
    features: NDArray[np.float64]
    silent: int


def style_material(corpus: Corpus) -> StyleMaterial:
    """Measure the style of every melody of a corpus.

    Args:
        corpus: its melodies are heard from their first barline on, by their top notes.

    Raises:
        CorpusError: nothing sounds.
    """
    tunes = [
        JudgedTune.of(melody, piece="", label="")
        for melody in tracked(corpus.melodies(), "Reading melodies", total=len(corpus), unit="melodies")
    ]
    features = np.full((len(tunes), len(STYLE_COLUMNS)), np.nan)
    for rows in _portions(tunes):
        line = line_of(tunes[row].tokens for row in rows)
        features[rows] = style_features(line, [tunes[row].context for row in rows])
    sounds = ~np.isnan(features[:, STYLE_COLUMNS.index("range")])
    if not sounds.any():
        raise CorpusError("nothing sounds in this corpus", "give a corpus with notes in it")
    heard = Corpus(corpus.table.take(pa.array(np.flatnonzero(sounds))), corpus.manifest)
    return StyleMaterial(heard, features[sounds], int((~sounds).sum()))


def _portions(tunes: Sequence[JudgedTune]) -> Iterator[list[int]]:
    """Numbers of melodies of one meter and of like length, so that little of an array is padding."""
    order = sorted(range(len(tunes)), key=lambda row: (str(tunes[row].meter), len(tunes[row])))
    portion: list[int] = []
    for row in order:
        other_meter = portion and tunes[portion[0]].meter != tunes[row].meter
        if portion and (other_meter or (len(portion) + 1) * len(tunes[row]) > _TOGETHER):
            yield portion
            portion = []
        portion.append(row)
    if portion:
        yield portion


CENTRAL = 3
"""Melodies by which a style is heard."""

_NAMED, _WORTH_NAMING = 4, 0.05
"""Composers and collections that a style is said to be from: so many at most, of such a share at least."""

_AS_WELL = 0.02
"""Mean silhouettes no further apart than this say that one number of clusters is about as good as another."""


@dataclass(frozen=True)
class Style:
    """One cluster of melodies.

    Args:
        name: how it is called: `style-1` is the largest.
        words: what it is like beside the rest.
        rows: `(melodies,)`: its melodies in the corpus, the most central first.
        silhouette: the mean over its melodies; NaN where none was measured.
        features: every number beside the rest.
        central: rows of the most central melodies, of different pieces.
        composers: how many of its melodies each wrote, most first.
        collections: how many of its melodies are from each, most first.
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
        """From which collections and by whom, in shares."""
        parts = [_shares(names, len(self.rows)) for names in (self.collections, self.composers) if names]
        return "; ".join(parts)


@dataclass(frozen=True)
class CorpusStyles:
    """What `cantilena corpus cluster` found.

    Args:
        material: the melodies and their numbers.
        clusters: which is where.
        styles: the clusters described, the largest first.
    """

    material: StyleMaterial
    clusters: StyleClusters
    styles: tuple[Style, ...]

    @property
    def corpus(self) -> Corpus:
        """The melodies in which something sounds."""
        return self.material.corpus

    @cached_property
    def assignment(self) -> Styles:
        """Which style each melody is of, to be kept."""
        names = [self.styles[cluster].name for cluster in self.clusters.labels.tolist()]
        return Styles.from_names(self.corpus, names, {style.name: style.words for style in self.styles})

    def heard(self, style: Style) -> list[Melody]:
        """The first thirty seconds of the most central melodies of a style."""
        melodies = [self.corpus[row] for row in style.central]
        return [melody.until(min(melody.tempo.ticks(SECONDS), melody.length)) for melody in melodies]

    def summary(self) -> str:
        """What was found, in a few sentences."""
        left = self.material.silent
        first = (
            f"{counted(len(self.corpus), 'melody')} fall into {self.clusters.k} styles, "
            f"{describe_silhouette(self.clusters.silhouette)} (mean silhouette {self.clusters.silhouette:.2f})."
        )
        others = [str(k) for k, value in self.clusters.curve.items() if value >= self.clusters.silhouette - _AS_WELL]
        others.remove(str(self.clusters.k))
        if others:
            first += f" {listed(others)} clusters tell them apart about as well."
        return first + (f" Left out: {counted(left, 'melody')} in which nothing sounds." if left else "")

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "corpus": self.corpus.manifest.name,
            "melodies": len(self.corpus),
            "silent": self.material.silent,
            "clusters": [self._style_json(style) for style in self.styles],
            "k": self.clusters.k,
            "silhouette": round(self.clusters.silhouette, 6),
            "apart": describe_silhouette(self.clusters.silhouette),
            "curve": {str(k): round(value, 6) for k, value in self.clusters.curve.items()},
        }

    def text(self) -> str:
        """The answer for a terminal."""
        curve = self.clusters.curve
        lines = [f"{self.corpus.manifest.name}: {self.summary()}"]
        if len(curve) > 1:
            lines += ["", "clusters    " + " ".join(f"{k:>5}" for k in curve)]
            lines += ["silhouette  " + " ".join(f"{value:5.2f}" for value in curve.values())]
        width = max(len(style.name) for style in self.styles)
        for style in self.styles:
            margin = " " * (width + 2)
            sure = "" if np.isnan(style.silhouette) else f", silhouette {style.silhouette:.2f}"
            lines += ["", f"{style.name:<{width}}  {style.words}"]
            lines += [f"{margin}{counted(len(style.rows), 'melody')}{sure}"]
            lines += [f"{margin}{style.made_of()}"] if style.made_of() else []
            lines += [f"{margin}such as {self._central_text(style)}"]
        return "\n".join(lines)

    def _central_text(self, style: Style) -> str:
        titles, sources = self.corpus.column("title"), self.corpus.column("source")
        return "; ".join(f"{titles[row] or 'Melody'} ({sources[row]})" for row in style.central)

    def _style_json(self, style: Style) -> dict[str, Any]:
        titles, sources = self.corpus.column("title"), self.corpus.column("source")
        told = not np.isnan(style.silhouette)
        return {
            "name": style.name,
            "words": style.words,
            "melodies": len(style.rows),
            "silhouette": round(style.silhouette, 6) if told else None,
            **({} if told else {"reason": "none of its melodies was among those that were compared"}),
            "composers": style.composers,
            "collections": style.collections,
            "central": [{"title": titles[row], "source": sources[row]} for row in style.central],
            "features": {name: one.to_json() for name, one in style.features.items()},
        }


def find_styles(name: str, *, clusters: int | None = None, seed: int = 1) -> CorpusStyles:
    """The styles of a corpus.

    Args:
        name: a built-in corpus, a corpus file, or a folder of scores.
        clusters: how many; chosen by the silhouette if None.
        seed: of k-means.

    Raises:
        UsageError: a silly number of clusters, or no name.
        CorpusError: no such corpus, nothing sounds in it, too few melodies, or all alike.
    """
    check_clusters(clusters)
    rng = generator(seed, "styles")
    return styles_of(style_material(open_corpus(name)), rng, clusters)


def styles_of(material: StyleMaterial, rng: np.random.Generator, clusters: int | None = None) -> CorpusStyles:
    """The styles of melodies that were measured.

    Args:
        material: two melodies or more.
        rng: of k-means.
        clusters: how many; chosen by the silhouette if None.
    """
    found = style_clusters(material.features, rng, clusters)
    return CorpusStyles(material, found, tuple(_described(material, found, cluster) for cluster in range(found.k)))


def _described(material: StyleMaterial, found: StyleClusters, cluster: int) -> Style:
    corpus, rows = material.corpus, found.central(cluster)
    inside = found.labels == cluster
    features = cluster_features(material.features, inside)
    meters, pieces, titles, composers, collections = (
        corpus.column(name) for name in ("meter", "piece", "title", "composer", "collection")
    )
    central: list[int] = []
    seen: set[str] = set()
    for row in rows.tolist():
        if len(central) < CENTRAL and not {f"piece {pieces[row]}", f"title {titles[row]}"} & seen:
            central.append(row)
            seen |= {f"piece {pieces[row]}"} | ({f"title {titles[row]}"} if titles[row] else set())
    return Style(
        name=f"style-{cluster + 1}",
        words=describe_cluster(features, [meters[row] for row in rows.tolist()]),
        rows=rows,
        silhouette=found.silhouette_of(cluster),
        features=features,
        central=tuple(central),
        composers=_commonest([composers[row] for row in rows.tolist()]),
        collections=_commonest([collections[row] for row in rows.tolist()]),
    )


def _commonest(names: list[str]) -> dict[str, int]:
    counts = Counter(name for name in names if name)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _shares(names: dict[str, int], melodies: int) -> str:
    known = [(name, count / melodies) for name, count in names.items() if count >= _WORTH_NAMING * melodies]
    shown = [f"{name} {100 * share:.0f} %" for name, share in known[:_NAMED]]
    return ", ".join([*shown, "others"] if len(names) > len(shown) else shown)
