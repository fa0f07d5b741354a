"""Reading notation: MusicXML, ABC and kern."""

from __future__ import annotations

from collections.abc import Iterator

from cantilena.errors import ScoreError
from cantilena.io.notation.abc_reader import read_abc
from cantilena.io.notation.abc_tunes import TuneText, decode_text, split_tunes
from cantilena.io.notation.kern_reader import read_kern
from cantilena.io.notation.musicxml_reader import read_musicxml
from cantilena.io.score import Score

NOTATION = (".musicxml", ".mxl", ".xml", ".abc", ".krn")
"""The suffixes of files in notation."""


def read_notation(content: bytes, suffix: str) -> list[Score]:
    """Read a file in notation: ties are joined, repeats are not played twice, grace notes are left out.

    Each voice of each staff is a part. Pitches sound as played, also of transposing instruments.

    Args:
        content: the file's bytes.
        suffix: `.musicxml`, `.xml`, `.mxl`, `.abc` or `.krn`.

    Returns:
        One score; of a book of tunes in ABC one a tune, those that could not be read without parts and with their
        `error`.

    Raises:
        ScoreError: it cannot be read.
    """
    if suffix == ".abc":
        return read_abc(content)
    return [read_kern(content) if suffix == ".krn" else read_musicxml(content)]


def split_book(content: bytes) -> Iterator[TuneText]:
    """Yield the tunes of a book in ABC, not yet read; each is found before the book is read further.

    Args:
        content: the file's bytes.

    Raises:
        ScoreError: it is no text, or holds no tune.
    """
    is_book = False
    for tune in split_tunes(decode_text(content)):
        is_book = True
        yield tune
    if not is_book:
        raise ScoreError("it holds no tune: no line gives a key (K:)", "name a file of tunes in ABC")
