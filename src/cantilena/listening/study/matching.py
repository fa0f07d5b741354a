"""Matched sets: one excerpt of each arm, alike in length, mode, density, register and silence.

A melody that occurs in two arms does not belong to either with certainty, a listener who hears a melody twice knows it
the second time, and a model may have memorised its training data. So near-duplicates (see `data/duplicates.py`) within
the study and in the training corpora, as far as these are known, are excluded.
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

CENTRAL_PITCH = 70.0
"""The mean pitch towards which clips are moved by octaves: slightly below the middle of the treble staff."""

_MAX_LENGTH_DIFFERENCE = 1.0
"""In quarter notes, between the clips of a set."""

# Costs of a difference of a quarter note, a semitone, an octave of density, and all or nothing silent.
_LENGTH_COST, _PITCH_COST, _DENSITY_COST, _SILENCE_COST = 1.0, 0.25, 4.0, 8.0
_NOT_ALLOWED = 1e9

_MAX_SHARED = 0.5
"""Share of an arm's melodies; arms that share more are taken for the same folder given twice."""


def matched_sets(
    arms: Mapping[str, Sequence[Excerpt]], sets: int, rng: np.random.Generator
) -> list[dict[str, Excerpt]]:
    """Draw sets of one excerpt of each arm that differ as little as possible; each melody is used once at most.

    The human melodies are taken in random order. For each, the excerpt and the unused excerpts of the other arms with
    the smallest cost are chosen. All are major or all minor. The clips of a set are transposed to one tonic later, so
    their mean pitch is compared relative to the tonic. The arm `human` comes first.
    """
    human, *others = arms
    columns = {name: _Columns(excerpts) for name, excerpts in arms.items()}
    used: dict[str, set[int]] = {name: set() for name in arms}
    unmatched = dict.fromkeys(others, 0)
    matched: list[dict[str, Excerpt]] = []
    for piece in rng.permutation(np.unique(columns[human].piece)):
        best: tuple[float, dict[str, Excerpt]] | None = None
        lacking = set(others)
        for row in np.flatnonzero(columns[human].piece == piece).tolist():
            chosen, cost = {human: arms[human][row]}, 0.0
            for name in others:
                costs = _costs(columns[human], row, columns[name], used[name])
                nearest = int(np.argmin(costs)) if len(costs) else -1
                if nearest < 0 or costs[nearest] >= _NOT_ALLOWED:
                    break
                lacking.discard(name)
                cost += float(costs[nearest])
                chosen[name] = arms[name][nearest]
            if len(chosen) == len(arms) and (best is None or cost < best[0]):
                best = cost, chosen
        if best is None:
            for name in lacking:
                unmatched[name] += 1
            continue
        matched.append(best[1])
        for name, excerpt in best[1].items():
            used[name].add(excerpt.piece)
        if len(matched) == sets:
            return matched
    pieces = {name: len({excerpt.piece for excerpt in excerpts}) for name, excerpts in arms.items()}
    worst = max(unmatched, key=lambda name: unmatched[name])
    why = f"there are {counted(min(pieces.values()), 'human melody')} to match"
    if pieces[worst] < sets or unmatched[worst]:
        why = f"{worst} has {counted(pieces[worst], 'melody')} with phrases of matching length and mode"
    raise InputError(
        f"only {len(matched)} of {sets} sets of clips can be matched: {why}",
        "give more melodies, fewer --clips, or a wider range from --shortest to --longest",
    )


class _Columns:
    """The properties of excerpts as arrays."""

    def __init__(self, excerpts: Sequence[Excerpt]) -> None:
        self.piece = np.array([excerpt.piece for excerpt in excerpts], np.int64)
        self.minor = np.array([excerpt.key.is_minor for excerpt in excerpts], np.bool_)
        self.quarters = np.array([excerpt.quarters for excerpt in excerpts])
        self.pitch = np.array([(excerpt.mean_pitch - excerpt.key.tonic) % 12 for excerpt in excerpts])
        self.density = np.log2([excerpt.density for excerpt in excerpts])
        self.silence = np.array([excerpt.silence for excerpt in excerpts])


def _costs(human: _Columns, row: int, other: _Columns, used: set[int]) -> NDArray[np.float64]:
    """The cost of each excerpt of another arm beside one human excerpt."""
    length = np.abs(other.quarters - human.quarters[row])
    pitch = np.abs(other.pitch - human.pitch[row])
    cost = (
        _LENGTH_COST * length
        + _PITCH_COST * np.minimum(pitch, 12 - pitch)
        + _DENSITY_COST * np.abs(other.density - human.density[row])
        + _SILENCE_COST * np.abs(other.silence - human.silence[row])
    )
    same_mode = other.minor == human.minor[row]
    allowed = (length <= _MAX_LENGTH_DIFFERENCE) & same_mode & ~np.isin(other.piece, list(used))
    return np.where(allowed, cost, _NOT_ALLOWED)


def transpose_to_tonic(excerpt: Excerpt, tonic: int) -> Melody:
    """Transpose an excerpt to a tonic (pitch class), in the octave nearest to the central pitch."""
    up = (tonic - excerpt.key.tonic) % 12
    shift = up + 12 * round((CENTRAL_PITCH - excerpt.mean_pitch - up) / 12)
    pitches = [pitch for note in excerpt.melody.sounding for pitch in note.pitches]
    if min(pitches) + shift < 0 or max(pitches) + shift > 127:
        raise InputError(f"{excerpt.source or 'a melody'} has too wide a range to be transposed", "remove this melody")
    return excerpt.melody.transposed(shift)


@dataclass(frozen=True)
class Exclusion:
    """A file or melody that is not used: its arm, its path in the arm's folder, and the reason."""

    arm: str
    file: str
    reason: str


def remove_duplicates(
    arms: Mapping[str, Sequence[Melody]], training: Mapping[str, Sequence[Melody]]
) -> tuple[dict[str, list[Melody]], list[Exclusion]]:
    """Remove melodies that are near-duplicates of another one in the study or in a training corpus, in any key.

    Of near-duplicates the first is kept, in the order of the arms. `training` has the training melodies of the models
    by name of the corpus.

    Examples:
        >>> one = Melody.from_pitches([(60 + k * k % 11, 12 + 12 * (k % 3 == 0)) for k in range(30)], source="a.mid")
        >>> two = Melody.from_pitches([(60 + k * 5 % 13, 24) for k in range(30)], source="b.mid")
        >>> kept, exclusions = remove_duplicates({"human": [one, two], "lstm": [one.transposed(2)]}, {"reels": [one]})
        >>> [melody.source for melody in kept["human"]]
        ['b.mid']
        >>> exclusions[0].reason
        'models may have learned from it: almost the same as a.mid of reels'
    """
    melodies = [(name, True, melody) for name, some in training.items() for melody in some]
    n_training = len(melodies)
    melodies += [(name, False, melody) for name, some in arms.items() for melody in some]
    duplicates = near_duplicates(melody for _, _, melody in melodies)
    kept: dict[str, list[Melody]] = {name: [] for name in arms}
    shared: dict[str, Counter[str]] = {name: Counter() for name in arms}
    exclusions: list[Exclusion] = []
    for index, (arm, _, melody) in enumerate(melodies[n_training:], n_training):
        if index not in duplicates:
            kept[arm].append(melody)
            continue
        owner, is_training, original = melodies[duplicates[index]]
        # These texts are part of the study file and of its digest.
        reason = f"almost the same as {original.source}"
        if is_training:
            reason = f"models may have learned from it: {reason} of {owner}"
        elif owner != arm:
            reason = f"{reason} of {owner}"
            shared[arm][owner] += 1
        exclusions.append(Exclusion(arm, melody.source, reason))
    for arm, counts in shared.items():
        for owner, count in counts.items():
            if count > _MAX_SHARED * (len(kept[arm]) + counts.total()):
                raise InputError(f"{count} melodies of {arm} are also in {owner}", "give each arm its own melodies")
    return kept, exclusions


def training_melodies(folders: Iterable[Path], against: Sequence[str]) -> dict[str, Sequence[Melody]]:
    """Return the training melodies of the models, by name of the corpus; the test split is not included.

    `cantilena compose` records the model in its folder, and a bundle its corpus. Corpora that do not ship with the
    package have to be named in `against`: built-in corpora, corpus files or folders of scores.

    Raises:
        CorpusError: there is no such corpus.
        UsageError: a name is empty.
    """
    corpora: dict[str, Corpus] = {name: open_corpus(name) for name in against}
    for name in map(_training_corpus, folders):
        if name and name not in corpora:
            corpora[name] = load_builtin(name)
    return {
        name: [melody for melody, split in zip(corpus, corpus.column("split"), strict=True) if split != "test"]
        for name, corpus in corpora.items()
    }


def _training_corpus(folder: Path) -> str:
    """The built-in corpus of the model that composed a folder; "" if unknown."""
    try:
        manifest = read_json(folder / "manifest.json")
        model = manifest.get("model") if isinstance(manifest, Mapping) else None
        # The file is untrusted: it may name a model that ships with the package, but no path.
        path = shipped_bundles().get(model) if isinstance(model, str) else None
        corpus = {} if path is None else dict(Bundle.load(path).provenance.get("corpus") or {})
    except (CantilenaError, RecursionError):
        return ""
    name = str(corpus.get("name", ""))
    return name if name in {builtin.name for builtin in BUILTINS} else ""
