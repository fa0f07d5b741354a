"""Sets of clips that are alike in everything but who made them: one of each arm, of one length, mode and pace.

No melody stands twice in a study, in whatever key: what is one too many is left out, with a row that says why.

A melody that two arms have is of neither for certain, and one that a listener hears twice is known the second time.
People's melodies that a model learned from are left out as well: where the model has them by heart, nothing is told.
What is the same is said in `data/duplicates.py`.

What the models of the arms learned from, as far as anybody knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data import BUILTINS, Corpus, load_builtin, near_duplicates, open_corpus
from cantilena.errors import CantilenaError, InputError
from cantilena.listening.study.excerpts import Excerpt
from cantilena.models import Bundle, shipped_bundles
from cantilena.music import Melody
from cantilena.reporting.text import counted
from cantilena.runtime import read_json

MIDDLE = 70.0
"""Mean pitch that clips are moved to by octaves: a little below the middle of the treble staff."""

_LENGTH = 1.0
"""Quarters by which the clips of a set may differ."""

_FAR = 1e9


@dataclass(frozen=True)
class Weights:
    """What a difference costs: a quarter note of length, a semitone of height, an octave of pace, all of it silent."""

    length: float = 1.0
    height: float = 0.25
    pace: float = 4.0
    silence: float = 8.0


def matched_sets(
    arms: Mapping[str, Sequence[Excerpt]], sets: int, rng: np.random.Generator, *, weights: Weights | None = None
) -> list[dict[str, Excerpt]]:
    """Draw sets of one excerpt of each arm that are as alike as can be; no melody is in two.

    People's melodies are drawn in random order; each takes, of its own stretches and of what the other arms still have,
    those that differ least. Major stands beside major; in each set all are moved to one tonic later, so height is
    compared after that.

    Args:
        arms: the excerpts of each arm, people's first.
        sets: how many sets.
        rng: the randomness.
        weights: what differences cost.

    Raises:
        InputError: there are not as many; the text says which arm has too little.
    """
    weights = weights or Weights()
    people, *others = arms
    tables = {name: _Table(found) for name, found in arms.items()}
    used: dict[str, set[int]] = {name: set() for name in arms}
    missed = dict.fromkeys(others, 0)
    found: list[dict[str, Excerpt]] = []
    for piece in rng.permutation(np.unique(tables[people].piece)):
        rows = np.flatnonzero(tables[people].piece == piece)
        best: tuple[float, dict[str, Excerpt]] | None = None
        lacking: set[str] = set(others)
        for row in rows.tolist():
            chosen, cost = {people: arms[people][row]}, 0.0
            for name in others:
                costs = _costs(tables[people], row, tables[name], used[name], weights)
                nearest = int(np.argmin(costs)) if len(costs) else -1
                if nearest < 0 or costs[nearest] >= _FAR:
                    break
                lacking.discard(name)
                cost += float(costs[nearest])
                chosen[name] = arms[name][nearest]
            if len(chosen) == len(arms) and (best is None or cost < best[0]):
                best = cost, chosen
        if best is None:
            for name in lacking:
                missed[name] += 1
            continue
        found.append(best[1])
        for name, one in best[1].items():
            used[name].add(one.piece)
        if len(found) == sets:
            return found
    raise _too_few(arms, sets, len(found), missed)


def to_one_tonic(melody: Melody, excerpt: Excerpt, tonic: int) -> Melody:
    """A clip moved to a tonic, in the octave whose mean pitch is nearest to the middle.

    Raises:
        InputError: it would leave the pitches that there are.
    """
    up = (tonic - excerpt.key.tonic) % 12
    octave = round((MIDDLE - excerpt.height - up) / 12)
    shift = up + 12 * octave
    pitches = [pitch for note in melody.sounding for pitch in note.pitches]
    if min(pitches) + shift < 0 or max(pitches) + shift > 127:
        raise InputError(f"{excerpt.source or 'a melody'} is too wide to be moved to one key", "leave this melody out")
    return melody.transposed(shift)


class _Table:
    """Excerpts as columns."""

    def __init__(self, excerpts: Sequence[Excerpt]) -> None:
        self.piece = np.array([one.piece for one in excerpts], np.int64)
        self.minor = np.array([one.key.is_minor for one in excerpts], np.bool_)
        self.quarters = np.array([one.quarters for one in excerpts])
        # The height above the tonic, which is what is left when all stand on one tonic in the nearest octave.
        self.height = np.array([(one.height - one.key.tonic) % 12 for one in excerpts])
        self.pace = np.log2([one.pace for one in excerpts])
        self.silence = np.array([one.silence for one in excerpts])


def _costs(people: _Table, row: int, other: _Table, used: set[int], weights: Weights) -> NDArray[np.float64]:
    """What each excerpt of another arm would cost beside one of people's; `_FAR` where it may not stand there."""
    longer = np.abs(other.quarters - people.quarters[row])
    around = np.abs(other.height - people.height[row])
    cost = (
        weights.length * longer
        + weights.height * np.minimum(around, 12 - around)
        + weights.pace * np.abs(other.pace - people.pace[row])
        + weights.silence * np.abs(other.silence - people.silence[row])
    )
    may = (longer <= _LENGTH) & (other.minor == people.minor[row]) & ~np.isin(other.piece, list(used))
    return np.where(may, cost, _FAR)


def _too_few(arms: Mapping[str, Sequence[Excerpt]], sets: int, found: int, missed: Mapping[str, int]) -> InputError:
    pieces = {name: len({one.piece for one in some}) for name, some in arms.items()}
    worst = max(missed, key=lambda name: missed[name])
    if pieces[worst] < sets or missed[worst]:
        why = f"{worst} has {counted(pieces[worst], 'melody')} with phrases of that length, major beside major"
    else:
        why = f"there are {counted(min(pieces.values()), 'human melody')} to match"
    return InputError(
        f"only {found} of {sets} sets of clips can be matched: {why}",
        "give more melodies, fewer --clips, or let --shortest and --longest lie further apart",
    )


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
        >>> tune = Melody.from_pitches([(60 + k * k % 11, 12 + 12 * (k % 3 == 0)) for k in range(30)], source="a.mid")
        >>> other = Melody.from_pitches([(60 + k * 5 % 13, 24) for k in range(30)], source="b.mid")
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


_MANIFEST = "manifest.json"


def learned_melodies(folders: Iterable[Path], against: Sequence[str]) -> dict[str, Sequence[Melody]]:
    """The melodies that models may have learned, by the name of the corpus: all but what it holds out.

    `cantilena compose` notes in a folder which model it asked, and a model which corpus it learned; corpora that do not
    ship with the package must be named.

    Args:
        folders: of the arms.
        against: corpora that were named: built-in ones, corpus files or folders of scores.

    Raises:
        CorpusError: there is no such corpus.
        UsageError: an empty name.
    """
    corpora: dict[str, Corpus] = {name: open_corpus(name) for name in against}
    for name in map(_corpus_of, folders):
        if name and name not in corpora:
            corpora[name] = load_builtin(name)
    return {name: _learned(corpus) for name, corpus in corpora.items()}


def _learned(corpus: Corpus) -> list[Melody]:
    return [melody for melody, split in zip(corpus, corpus.column("split"), strict=True) if split != "test"]


def _corpus_of(folder: Path) -> str:
    """The built-in corpus that the model of a folder learned; "" where nobody can tell."""
    try:
        told = read_json(folder / _MANIFEST)
        name = told.get("model") if isinstance(told, Mapping) else None
        # The file is a stranger's: it may name a model that ships with the package, and no path.
        path = shipped_bundles().get(name) if isinstance(name, str) else None
        corpus = {} if path is None else dict(Bundle.load(path).provenance.get("corpus") or {})
    except (CantilenaError, RecursionError):
        return ""
    found = str(corpus.get("name", ""))
    return found if found in {builtin.name for builtin in BUILTINS} else ""
