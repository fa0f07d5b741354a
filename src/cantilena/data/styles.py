"""Which style each melody of a corpus is of: kept beside the corpus, in a file that people and programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from cantilena.data.store import Corpus
from cantilena.errors import CorpusError, UsageError
from cantilena.runtime import read_json, write_json

FORMAT = 1
"""The version of the file; a file of another version is refused."""

_HINT = "make it anew: cantilena corpus cluster CORPUS --out DIR"


@dataclass(frozen=True)
class Styles:
    """The styles of a corpus.

    A melody is known by its notes, so that the styles hold for every part of the corpus, in any order.

    Args:
        corpus: what the corpus is called.
        words: what each style is like, by its name.
        of_melody: the name of the style of each melody, by the SHA-256 of its notes (the column `sha256`).

    Example:
        >>> from cantilena.data import Entry, Manifest
        >>> from cantilena.music import Melody
        >>> corpus = Corpus.of([Entry(Melody.from_pitches([(60 + k, 24)]), piece=str(k)) for k in range(3)], Manifest("three"))
        >>> styles = Styles.of(corpus, ["low", "high", ""], {"low": "deep", "high": "shrill"})
        >>> styles.column(corpus), len(styles.where(corpus, "high"))
        (['low', 'high', ''], 1)
    """

    corpus: str
    words: Mapping[str, str]
    of_melody: Mapping[str, str]

    @classmethod
    def of(cls, corpus: Corpus, names: list[str], words: Mapping[str, str]) -> Self:
        """The styles of a corpus from the name of each melody's, "" where it has none."""
        of_melody = {content: name for content, name in zip(corpus.column("sha256"), names, strict=True) if name}
        return cls(corpus.manifest.name, dict(words), of_melody)

    def column(self, corpus: Corpus) -> list[str]:
        """The name of the style of each melody, in the order of a corpus; "" where it is not known."""
        return [self.of_melody.get(content, "") for content in corpus.column("sha256")]

    def where(self, corpus: Corpus, style: str) -> Corpus:
        """The melodies of one style as a corpus of its own.

        Raises:
            UsageError: no such style, or none of these melodies is of it.
        """
        if style not in self.words:
            raise UsageError(f"there is no style '{style}'", f"choose one of {', '.join(self.words)}")
        rows = np.flatnonzero([name == style for name in self.column(corpus)])
        if not len(rows):
            raise UsageError(
                f"no melody of this corpus is of the style '{style}'", "name the corpus that was clustered"
            )
        return Corpus(corpus.table.take(pa.array(rows)), corpus.manifest)

    def save(self, path: Path, corpus: Corpus, *, overwrite: bool = True) -> None:
        """Write `clusters.json`: the styles, and file, piece and style of each melody.

        Args:
            path: where.
            corpus: that was clustered; what it says of each melody is written beside its style.
            overwrite: whether a file already there may be replaced.

        Raises:
            RunError: something is there and `overwrite` is off.
            InputError: the disk said no.
        """
        names = ("source", "piece", "title", "sha256")
        rows = zip(*(corpus.column(name) for name in names), self.column(corpus), strict=True)
        melodies = [dict(zip((*names, "style"), row, strict=True)) for row in rows]
        record = {"format": FORMAT, "corpus": self.corpus, "styles": dict(self.words), "melodies": melodies}
        write_json(path, record, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: it cannot be read.
            CorpusError: it is something else, or of another version.
        """
        record = read_json(path)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise CorpusError(f"{path} holds no styles that this version reads", _HINT)
        try:
            words = {_text(name): _text(said) for name, said in record["styles"].items()}
            of_melody = {_text(row["sha256"]): _text(row["style"]) for row in record["melodies"]}
            if not set(of_melody.values()) <= {*words, ""}:
                raise ValueError
            return cls(_text(record["corpus"]), words, {key: name for key, name in of_melody.items() if name})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CorpusError(f"{path} is damaged: its styles and melodies do not fit together", _HINT) from error


def _text(value: Any) -> str:  # noqa: ANN401  (whatever stands in the file)
    if not isinstance(value, str):
        raise TypeError
    return value
