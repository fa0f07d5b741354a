"""Which melodies train a model, which choose it and which judge it: by piece, never by window.

All melodies of a piece fall in one split, and so do pieces that share a tune. The split of a piece is read
off a hash of its name and the seed, so that files added later leave the others where they are.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from cantilena.data.columns import SPLITS, Split

FRACTIONS: dict[Split, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}
"""The part of the pieces that each split gets, on average."""

_MOVEMENT = re.compile(
    r"""[\s,;:.\-–]*                                                     # what joins work and movement
        (?:\b(?:\d{1,2}|[ivx]{1,5})(?:st|nd|rd|th|\.)?\s*                # a number before the word:
           (?:movement|movt|mvt|mov|satz|mouvement|tempo)\b              #   3rd movement, 2. Satz, II mvt
         | \b(?:movement|movt|mvt|mov|satz|mouvement)\b\.?\s*            # or after it:
           (?:\d{1,2}|[ivx]{1,5})\b )                                    #   Movement 2, Mvt. II
        .*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_CATALOGUE = re.compile(r"\b(?:op|opus|k|kv|bwv|hob|hoboken|d|woo|rv|hwv|no|nr)\b\.?\s*[\divxlc]+", re.IGNORECASE)


def work_of(title: str) -> str:
    """The work that a title names, without its movement; "" where it names none.

    A title names a work where it counts a movement or gives a number in a catalogue. Other titles ("Untitled",
    "Piano") say nothing about what belongs together.

    Example:
        >>> work_of("Sonate Nr. 14, Op. 27/2 - 3. Satz"), work_of("Grande Sonata Opus 22 3. movement")
        ('sonate nr. 14, op. 27/2', 'grande sonata opus 22')
        >>> work_of("Untitled")
        ''
    """
    work = _MOVEMENT.sub("", title)
    counts_movement = work != title and bool(work.strip())
    return " ".join(work.lower().split()) if counts_movement or _CATALOGUE.search(work) else ""


def joined(pieces: Sequence[str], links: Iterable[tuple[int, int]] = ()) -> list[str]:
    """One name for all melodies that must stay together.

    Args:
        pieces: the piece of each melody.
        links: pairs of melodies whose pieces belong together, such as near-duplicates.

    Returns:
        For each melody a name that all pieces linked with its own share: one of theirs, whatever their order.

    Example:
        >>> joined(["a", "a", "b", "c"], links=[(1, 2)])[0] == joined(["b", "a"], links=[(0, 1)])[0]
        True
    """
    parent = {piece: piece for piece in pieces}

    def root(piece: str) -> str:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    for one, other in links:
        first, second = sorted((root(pieces[one]), root(pieces[other])), key=_position_of_name)
        parent[second] = first
    return [root(piece) for piece in pieces]


def split_by_piece(pieces: Sequence[str], *, seed: int = 0, links: Iterable[tuple[int, int]] = ()) -> list[Split]:
    """The split of each melody.

    Every piece has a place between 0 and 1, by a hash; `FRACTIONS` cut that range. In a small corpus where a split
    would be empty, the piece nearest to its part of the range moves there, from a split that has two or more; where
    there are fewer than three pieces, training is served first and the test last.

    Args:
        pieces: the piece of each melody.
        seed: another seed, another split.
        links: pairs of melodies whose pieces must fall in one split.

    Example:
        >>> split_by_piece(["sonata", "sonata", "waltz", "march"])
        ['train', 'train', 'valid', 'test']
    """
    names = joined(pieces, links)
    places = {name: _position(f"{seed}/{name}") for name in sorted(set(names))}
    splits = {name: _split_at(place) for name, place in places.items()}
    for rank, wanted in enumerate(SPLITS):
        sizes = Counter(splits.values())
        if sizes[wanted]:
            continue
        spare = [name for name, split in splits.items() if sizes[split] > 1 or SPLITS.index(split) > rank]
        if spare:
            splits[min(spare, key=lambda name: abs(places[name] - _middle(wanted)))] = wanted
    return [splits[name] for name in names]


def _split_at(place: float) -> Split:
    reached = 0.0
    for split, fraction in FRACTIONS.items():
        reached += fraction
        if place < reached:
            return split
    return "train"


def _middle(wanted: Split) -> float:
    reached = 0.0
    for split, fraction in FRACTIONS.items():
        if split == wanted:
            return reached + fraction / 2
        reached += fraction
    raise AssertionError(wanted)


def _position(name: str) -> float:
    """A place in [0, 1) that a name has for ever."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64


def _position_of_name(piece: str) -> tuple[float, str]:
    return _position(piece), piece
