"""Near-duplicates are found in any key and tempo, exactly as by comparing all pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.data.duplicates import FEWEST, THRESHOLD, duplicates_and_variants, fingerprints, near_duplicates
from cantilena.music import Melody


def walk(rng: np.random.Generator, notes: int = 60) -> Melody:
    pitches = 64 + np.cumsum(rng.choice([-4, -2, -1, 0, 1, 2, 3, 5], notes))
    return Melody.from_pitches(
        list(zip(np.clip(pitches, 30, 100).tolist(), rng.choice([6, 12, 12, 24], notes).tolist(), strict=True))
    )


def with_wrong_notes(melody: Melody, rng: np.random.Generator, wrong: int) -> Melody:
    notes = list(melody.notes)
    for place in rng.choice(len(notes), wrong, replace=False):
        notes[place] = replace(notes[place], pitches=(notes[place].top + 1,))
    return replace(melody, notes=tuple(notes))


def stretched(melody: Melody, factor: int) -> Melody:
    notes = tuple(replace(note, onset=note.onset * factor, duration=note.duration * factor) for note in melody.notes)
    return replace(melody, notes=notes, length=melody.length * factor)


def by_comparing_all(melodies: list[Melody], threshold: float) -> dict[int, int]:
    prints = [set(fingerprints(melody).tolist()) for melody in melodies]
    kept: list[int] = []
    found = {}
    for index, mine in enumerate(prints):
        for other in kept:
            theirs = prints[other]
            enough = len(mine & theirs) >= threshold * min(len(mine), len(theirs))
            if mine == theirs or (min(len(mine), len(theirs)) >= FEWEST and enough):
                found[index] = other
                break
        else:
            kept.append(index)
    return found


def test_transposed_stretched_cut_and_misprinted_copies_are_found() -> None:
    rng = np.random.default_rng(1)
    tune, others = walk(rng), [walk(rng) for _ in range(20)]
    copies = [
        tune.transposed(5),
        tune.transposed(-12),
        stretched(tune, 2),
        with_wrong_notes(tune, rng, 3),
        tune.until(tune.length // 2),
        tune.then(walk(rng)),
    ]
    assert near_duplicates([tune, *others, *copies]) == {21 + index: 0 for index in range(len(copies))}


def test_the_first_stays() -> None:
    tune = walk(np.random.default_rng(2))
    assert near_duplicates([tune.until(600), tune, tune.transposed(1)]) == {1: 0, 2: 0}


def test_short_and_empty_melodies_are_duplicates_only_when_equal() -> None:
    short = Melody.from_pitches([(60, 12), (62, 12), (64, 24)])
    longer = Melody.from_pitches([(60, 12), (62, 12), (64, 24), (65, 12)])
    assert near_duplicates([short, longer, short.transposed(2)]) == {2: 0}
    assert near_duplicates([]) == {}
    silence, one_note = Melody(()), Melody.from_pitches([(60, 24)])
    assert near_duplicates([silence, one_note, silence]) == {2: 0}


def test_repeated_notes_alone_are_no_likeness() -> None:
    """Twenty equal notes have one fingerprint; longer melodies that hold it are not its duplicates."""
    drone = Melody.from_pitches([(60, 12)] * 20)
    tune = walk(np.random.default_rng(4))
    assert near_duplicates([drone, drone.then(tune), tune]) == {2: 1}


def test_relatives_are_kept_and_linked() -> None:
    rng = np.random.default_rng(6)
    tune, other = walk(rng, 80), walk(rng, 80)
    setting = tune.until(tune.length // 2).then(walk(rng, 45))
    copies, links = duplicates_and_variants([tune, other, setting, other.transposed(2)])
    assert copies == {3: 1}
    assert links == [(3, 1), (2, 0)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), threshold=st.sampled_from([0.3, THRESHOLD, 0.8, 1.0]))
def test_the_search_agrees_with_comparing_all(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    melodies: list[Melody] = []
    for _ in range(40):
        if melodies and rng.random() < 0.6:
            known = melodies[rng.integers(len(melodies))]
            start = int(rng.integers(0, known.length // 2))
            part = known.between(start, int(rng.integers(start + 1, known.length + 1)))
            other = walk(rng, int(rng.integers(1, 40)))
            melodies.append(with_wrong_notes(part.then(other), rng, int(rng.integers(0, 2))))
        else:
            melodies.append(walk(rng, int(rng.integers(1, 60))))
    assert near_duplicates(melodies, threshold) == by_comparing_all(melodies, threshold)


def test_copies_among_hundreds_of_tunes() -> None:
    rng = np.random.default_rng(5)
    tunes = [walk(rng, 50) for _ in range(300)]
    copies = [tune.transposed(3) for tune in tunes[::10]]
    assert near_duplicates([*tunes, *copies]) == {300 + k: 10 * k for k in range(30)}
