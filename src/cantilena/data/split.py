"""Training, validation and test split: by piece, never by window.

All melodies of a piece fall in one split, and so do pieces that share a tune. The split of a piece follows from a hash
of its name and the seed, so that files added later do not move the others.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from cantilena.data.columns import SPLITS, Split

FRACTIONS: dict[Split, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}
"""The expected part of the pieces in each split."""

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
    """Return the work that a title names, without its movement; "" where it names none.

    A title names a work if it has the number of a movement or of a catalogue. Other titles ("Untitled", "Piano") do not
    tell which melodies belong together.

    Examples:
        >>> work_of("Sonate Nr. 14, Op. 27/2 - 3. Satz"), work_of("Grande Sonata Opus 22 3. movement")
        ('sonate nr. 14, op. 27/2', 'grande sonata opus 22')
        >>> work_of("Untitled")
        ''
    """
    work = _MOVEMENT.sub("", title)
    counts_movement = work != title and bool(work.strip())
    return " ".join(work.lower().split()) if counts_movement or _CATALOGUE.search(work) else ""


def linked_pieces(pieces: Sequence[str], links: Iterable[tuple[int, int]] = ()) -> list[str]:
    """Return one name for all melodies that must stay together.

    Args:
        pieces: the piece of each melody.
        links: pairs of melodies whose pieces belong together, such as near-duplicates.

    Returns:
        For each melody the name of one of the pieces that are linked with its own, the same in any order.

    Examples:
        >>> linked_pieces(["a", "a", "b", "c"], links=[(1, 2)])[0] == linked_pieces(["b", "a"], links=[(0, 1)])[0]
        True
    """
    parent = {piece: piece for piece in pieces}

    def root(piece: str) -> str:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    for one, other in links:
        first, second = sorted((root(pieces[one]), root(pieces[other])), key=lambda piece: (_position(piece), piece))
        parent[second] = first
    return [root(piece) for piece in pieces]


def split_by_piece(pieces: Sequence[str], *, seed: int = 0, links: Iterable[tuple[int, int]] = ()) -> list[Split]:
    """Return the split of each melody.

    Every piece has a place between 0 and 1, by a hash; `FRACTIONS` cut that range. In a small corpus where a split
    would be empty, the piece nearest to its part of the range moves there, from a split that has two or more; with
    fewer than three pieces, the training split is filled first and the test split last.

    Args:
        pieces: the piece of each melody.
        seed: varies the split.
        links: pairs of melodies whose pieces must fall in one split.

    Examples:
        >>> split_by_piece(["sonata", "sonata", "waltz", "march"])
        ['train', 'train', 'valid', 'test']
    """
    names = linked_pieces(pieces, links)
    places = {name: _position(f"{seed}/{name}") for name in sorted(set(names))}
    starts = [0.0, *accumulate(FRACTIONS[split] for split in SPLITS)]
    splits = {name: SPLITS[bisect_right(starts, place) - 1] for name, place in places.items()}
    for rank, wanted in enumerate(SPLITS):
        sizes = Counter(splits.values())
        if sizes[wanted]:
            continue
        spare = [name for name, split in splits.items() if sizes[split] > 1 or SPLITS.index(split) > rank]
        if spare:
            middle = starts[rank] + FRACTIONS[wanted] / 2
            splits[min(spare, key=lambda name: abs(places[name] - middle))] = wanted
    return [splits[name] for name in names]


def _position(name: str) -> float:
    """The fixed place of a name in [0, 1)."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64
