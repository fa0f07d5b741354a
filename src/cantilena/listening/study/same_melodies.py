"""No melody stands twice in a study, in whatever key: what is one too many is left out, with a row that says why.

A melody that two arms have is of neither for certain, and one that a listener hears twice is known the second time.
People's melodies that a model learned from are left out as well: where the model has them by heart, nothing is told.
What is the same is said in `data/duplicates.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cantilena.data import near_duplicates
from cantilena.errors import InputError
from cantilena.music import Melody

_MOST_IN_COMMON = 0.5
"""Of an arm's melodies: arms that have more in common are one folder, given twice."""


@dataclass(frozen=True)
class LeftOut:
    """A file, or a melody of it, that is not in the study.

    Args:
        arm: whose it is.
        file: its path in the arm's folder.
        reason: why, in one line.
    """

    arm: str
    file: str
    reason: str


def without_copies(
    arms: Mapping[str, Sequence[Melody]], learned: Mapping[str, Sequence[Melody]]
) -> tuple[dict[str, list[Melody]], list[LeftOut]]:
    """Leave out melodies that another of the study, or of what models learned, is almost the same as.

    Of two in one arm the first stays; of two in two arms, that of the first arm.

    Args:
        arms: melodies by arm, people's first.
        learned: what models learned, by the name of the corpus.

    Raises:
        InputError: most of an arm's melodies are another arm's.

    Example:
        >>> tune = Melody.of([(60 + k * k % 11, 12 + 12 * (k % 3 == 0)) for k in range(30)], source="a.mid")
        >>> other = Melody.of([(60 + k * 5 % 13, 24) for k in range(30)], source="b.mid")
        >>> kept, rows = without_copies({"human": [tune, other], "lstm": [tune.transposed(2)]}, {"reels": [tune]})
        >>> [melody.source for melody in kept["human"]]
        ['b.mid']
        >>> rows[0].reason
        'models may have learned from it: almost the same as a.mid of reels'
    """
    owners = [(name, True, melody) for name, melodies in learned.items() for melody in melodies]
    owners += [(name, False, melody) for name, melodies in arms.items() for melody in melodies]
    kept: dict[str, list[Melody]] = {name: [] for name in arms}
    shared: dict[str, Counter[str]] = {name: Counter() for name in arms}
    rows: list[LeftOut] = []
    likeness = near_duplicates(melody for _, _, melody in owners)
    for index, (name, is_learned, melody) in enumerate(owners):
        if is_learned:
            continue
        if index not in likeness:
            kept[name].append(melody)
            continue
        like, of_corpus, first = owners[likeness[index]]
        if of_corpus:
            reason = f"models may have learned from it: almost the same as {first.source} of {like}"
        elif like == name:
            reason = f"almost the same as {first.source}"
        else:
            reason = f"almost the same as {first.source} of {like}"
            shared[name][like] += 1
        rows.append(LeftOut(name, melody.source, reason))
    for name, counts in shared.items():
        for other, count in counts.items():
            if count > _MOST_IN_COMMON * (len(kept[name]) + counts.total()):
                raise InputError(
                    f"{count} of {name}'s melodies are {other}'s too, in whatever key",
                    "give each arm melodies of its own",
                )
    return kept, rows
