"""Tune books in ABC, one tune at a time: the music as the package reads it, its composer and its transcriber."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cantilena.io.notation.abc_tunes import TuneText, split_tunes
from cantilena.io.notation.text import plain_text

_UNKNOWN = re.compile(r"\b(?:traditional|trad|irish|scotch|english|welsh|collected|unknown|anon)\b", re.IGNORECASE)


@dataclass(frozen=True)
class AbcTune:
    """A tune of a book.

    Args:
        text: the tune as the package reads it.
        title: its first title, in usual order and case.
        composer: the composer that the file names, or "".
        transcriber: the transcriber that the file names, or "".
    """

    text: TuneText
    title: str
    composer: str
    transcriber: str


def tunes_in(path: Path) -> Iterator[AbcTune]:
    """Yield the tunes of a book in order."""
    # Invisible rests at the end of a bar that carry a mark of its barline: their time is too much for the bar.
    book = re.sub(r'(H|"D\.C\."|"Fine") ?x(?= *[|:\]])', "", plain_text(path.read_bytes()))
    for tune in split_tunes(book):
        fields: dict[str, list[str]] = {}
        for line in tune.text.splitlines():
            if field := re.match(r"\s*([TCZ]):(.*)", line.partition("%")[0]):
                fields.setdefault(field[1], []).append(" ".join(field[2].replace('"', "").split()))
        yield AbcTune(
            tune,
            _title(fields.get("T", [""])[0]),
            _composer(fields.get("C", [""])[0]),
            _person(" ".join(fields.get("Z", []))),
        )


def _title(text: str) -> str:
    """A title in usual order and case: `Crossroads Dance, The` becomes `The Crossroads Dance`."""
    text = re.sub(r"\A(.*), (The|An?)\b(.*)\Z", r"\2 \1\3", text.rstrip(". "))
    return string.capwords(text) if text.isupper() else text


def _composer(text: str) -> str:
    return "" if _UNKNOWN.search(text) else string.capwords(text.rstrip(". ")) if text.isupper() else text.rstrip(" ")


def _person(text: str) -> str:
    """The transcriber without address and date."""
    text = re.sub(r"<[^>]*>|\([^)]*@[^)]*\)|\S*@\S*|\S+:\S+\.\S+|https?://\S+|www\.\S+", " ", text)
    text = re.sub(
        r"(?i)\b(?:abc(?:mus)? ?\d\S*|(?:corrected|transcribed|contributed)(?: \d+)?(?: by)?|by)\b", " ", text
    )
    text = re.sub(r"\b\d[\d/.-]*(?:[a-z]+\d+)?\b", " ", text)
    return re.sub(r"[\s,.*]+$|^[\s,*]+", "", " ".join(text.split()))
