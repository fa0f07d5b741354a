"""The style of each melody of a corpus, kept in a JSON file beside the corpus."""

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
"""The version of the file format; a file of another version is refused."""

_HINT = "make it anew: cantilena corpus cluster CORPUS --out DIR"


@dataclass(frozen=True)
class Styles:
    """The styles of a corpus.

    A melody is identified by its notes, so that the styles apply to every part of the corpus, in any order.

    Args:
        corpus: name of the corpus.
        words: description of each style, by its name.
        of_melody: name of the style of each melody, by the SHA-256 of its notes (the column `sha256`).

    Examples:
        >>> from cantilena.data import Entry, Manifest
        >>> from cantilena.music import Melody
        >>> entries = [Entry(Melody.from_pitches([(60 + k, 24)]), piece=str(k)) for k in range(3)]
        >>> corpus = Corpus.from_entries(entries, Manifest("three"))
        >>> styles = Styles.from_names(corpus, ["low", "high", ""], {"low": "deep", "high": "shrill"})
        >>> styles.column(corpus), len(styles.where(corpus, "high"))
        (['low', 'high', ''], 1)
    """

    corpus: str
    words: Mapping[str, str]
    of_melody: Mapping[str, str]

    @classmethod
    def from_names(cls, corpus: Corpus, names: list[str], words: Mapping[str, str]) -> Self:
        """Make the styles of a corpus from the name of each melody's style, "" where it has none."""
        of_melody = {content: name for content, name in zip(corpus.column("sha256"), names, strict=True) if name}
        return cls(corpus.manifest.name, dict(words), of_melody)

    def column(self, corpus: Corpus) -> list[str]:
        """Return the style of each melody of a corpus, in its order; "" where it is unknown."""
        return [self.of_melody.get(content, "") for content in corpus.column("sha256")]

    def where(self, corpus: Corpus, style: str) -> Corpus:
        """Return the melodies of one style as a corpus.

        Raises:
            UsageError: there is no such style, or no melody of it.
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
        """Write the styles, and source, piece, title and style of each melody of a corpus, as JSON.

        Raises:
            RunError: the file exists and `overwrite` is off.
            InputError: it cannot be written.
        """
        names = ("source", "piece", "title", "sha256")
        rows = zip(*(corpus.column(name) for name in names), self.column(corpus), strict=True)
        melodies = [dict(zip((*names, "style"), row, strict=True)) for row in rows]
        record = {"format": FORMAT, "corpus": self.corpus, "styles": dict(self.words), "melodies": melodies}
        write_json(path, record, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            InputError: it cannot be read.
            CorpusError: it is not such a file, or of another version.
        """
        record = read_json(path)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise CorpusError(f"{path} holds no styles in format {FORMAT}", _HINT)
        try:
            words = {_text(name): _text(description) for name, description in record["styles"].items()}
            of_melody = {_text(row["sha256"]): _text(row["style"]) for row in record["melodies"]}
            if not set(of_melody.values()) <= {*words, ""}:
                raise ValueError
            return cls(_text(record["corpus"]), words, {key: name for key, name in of_melody.items() if name})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CorpusError(f"{path} is damaged: its styles and melodies do not fit together", _HINT) from error


def _text(value: Any) -> str:  # noqa: ANN401  (any JSON value)
    if not isinstance(value, str):
        raise TypeError
    return value
