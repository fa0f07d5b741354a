"""Tune books in ABC, one tune at a time: the music as the package reads it, its composer and its transcriber."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cantilena.io.notation.abc_book import plain_tunes

_FIELD = re.compile(r"\s*([A-Za-z]):(?![|:])(.*)\Z")
_INLINE = re.compile(r"\[([KLMV]):[^\]]*\]")
_UNKNOWN = re.compile(r"\b(?:traditional|trad|irish|scotch|english|welsh|collected|unknown|anon)\b", re.IGNORECASE)


@dataclass(frozen=True)
class AbcTune:
    """A tune of a book.

    Args:
        number: its number in the file, from 1.
        title: its first title.
        composer: the composer that the file names, or "".
        transcriber: the transcriber that the file names, or "".
        text: the notes alone, in ABC.
        changes: names of fields that are repeated in the body, such as M where the meter changes.
    """

    number: int
    title: str
    composer: str
    transcriber: str
    text: str
    changes: frozenset[str]


def tunes_in(path: Path) -> Iterator[AbcTune]:
    """Yield the tunes of a book in order."""
    blocks: list[list[str]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if re.match(r"\s*X:\s*\d", line):
            blocks.append([])
        if blocks:
            blocks[-1].append(line.partition("%")[0].rstrip())
    for number, block in enumerate(blocks, 1):
        yield _tune(number, block)


def _tune(number: int, lines: list[str]) -> AbcTune:
    first: dict[str, str] = {}
    transcribers: list[str] = []
    changes: set[str] = set()
    for line in lines:
        field = _FIELD.match(line)
        if field is None:
            changes.update(inline[1] for inline in _INLINE.finditer(line))
            continue
        name, value = field[1], " ".join(field[2].replace('"', "").split())
        if "K" in first and name in "KLMV":
            changes.add(name)
        if name == "Z" and value:
            transcribers.append(value)
        first.setdefault(name, value)
    texts = plain_tunes("\n".join(lines))
    return AbcTune(
        number,
        _title(first.get("T", "")),
        _composer(first.get("C", "")),
        _person(" ".join(transcribers)),
        texts[0] if texts else "",
        frozenset(changes),
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
