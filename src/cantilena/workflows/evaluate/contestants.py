"""Who is evaluated: folders of melodies, models and baselines, each under a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cantilena.errors import BundleError, InputError, UsageError
from cantilena.models import find_bundle
from cantilena.reporting.data import PEOPLE as PEOPLE

Kind = Literal["folder", "bundle", "baseline"]

BASELINES = {
    "oracle": "a mix of original snippets, a bar each",
    "random-top10": "random choice among the ten most frequent tokens",
    "ngram": "an n-gram that also copies from what it has composed so far",
    "shuffled": "people's held-out melodies, the notes of each in random order",
}
"""What can be evaluated by name alone, made of the corpus that the others are held beside."""


_LONGEST_NAME = 80


@dataclass(frozen=True)
class Contestant:
    """One of those that are evaluated.

    Args:
        name: in the table.
        kind: what it is.
        source: the folder, the bundle's file, or the baseline's name.
    """

    name: str
    kind: Kind
    source: str


def contestants(words: Sequence[str]) -> list[Contestant]:
    """Read `NAME=PATH` or `PATH` of each.

    A path is a folder of scores or a bundle; a bundle that ships with the package and a baseline go by their names,
    and a folder that has such a name is written `./ngram`. A folder called as people's melodies are stands in for those
    of the corpus.

    Args:
        words: as they were typed.

    Raises:
        UsageError: none, an empty one, or a name given twice.
        InputError: there is nothing of that name.

    Example:
        >>> contestants(["ngram", "mine=tunes"])
        ... # doctest: +ELLIPSIS
        [Contestant(name='ngram', kind='baseline', ...), Contestant(name='mine', kind='bundle', ...)]
    """
    if not words:
        raise UsageError("nothing to evaluate", "name folders of MIDI files, bundles, or baselines")
    found = [_contestant(word) for word in words]
    seen: dict[str, str] = {}
    for one, word in zip(found, words, strict=True):
        if len(one.name.encode()) > _LONGEST_NAME or not one.name.isprintable() or set(one.name) <= {"."}:
            raise UsageError(f"'{word}' cannot be called {one.name[:_LONGEST_NAME]!r}", "name it in letters: mine=PATH")
        if one.name == PEOPLE and one.kind != "folder":
            raise UsageError(
                f"'{word}' cannot stand in for people's melodies", "name a folder of scores, or call it otherwise"
            )
        if one.name in seen:
            raise UsageError(f"'{seen[one.name]}' and '{word}' are both called {one.name}", "name them: NAME=PATH")
        seen[one.name] = word
    return found


def _contestant(word: str) -> Contestant:
    name, separator, place = word.partition("=")
    if not separator or "/" in name:  # the sign may stand in a path
        name, place = "", word
    if not place.strip() or (separator and not name and place != word):
        raise UsageError(f"'{word}' names nothing", "give a folder, a bundle or a baseline, or NAME=PATH")
    if place in BASELINES:
        return Contestant(name or place, "baseline", place)
    path = Path(place)
    if path.is_dir() and not any(path.glob("*.safetensors")):  # a run's folder is the bundle that it left
        return Contestant(name or path.resolve().name, "folder", place)
    if path.is_file() and path.suffix != ".safetensors":
        raise InputError(f"{path} is one file", "name the folder that it is in, or a .safetensors bundle")
    try:
        return Contestant(name or path.name, "bundle", str(find_bundle(place)))
    except BundleError as error:
        raise InputError(
            f"there is nothing to evaluate at '{place}'",
            f"give a folder of MIDI files, a bundle, or a baseline: {', '.join(BASELINES)}",
        ) from error
