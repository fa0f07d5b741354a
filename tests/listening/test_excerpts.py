"""Clips begin and end where phrases do, at one tempo, on one grid, and are matched in what is not to be heard."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.errors import InputError
from cantilena.listening.study.excerpts import Excerpt, evenly, excerpts
from cantilena.listening.study.matching import MIDDLE, matched_sets, to_one_tonic
from cantilena.music import Key, Melody, Tempo


def tune(seed: int, tonic: int = 60, phrases: int = 3, step: int = 24, key: Key | None = None) -> Melody:
    """Phrases of seven notes and a long one, a rest between them."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[int | None, int]] = []
    for _ in range(phrases):
        pairs += [(tonic + int(pitch), step) for pitch in rng.choice([0, 2, 4, 5, 7, 9, 11, 12], 7)]
        pairs += [(tonic, 3 * 24 - (7 * step) % 24), (None, 24)]
    return Melody.from_pitches(pairs, key=key or Key(tonic % 12), tempo=Tempo.constant(90), source=f"{seed}.mid")


def found_in(melody: Melody, shortest: float = 4, longest: float = 12) -> list[Excerpt]:
    return excerpts(melody, 0, tempo=120, shortest=shortest, longest=longest)


def test_a_clip_is_whole_phrases_without_silence_at_its_ends() -> None:
    found = found_in(tune(1))
    assert len(found) == 5  # three phrases and two pairs; the three together are too long
    for one in found:
        notes = one.melody.sounding
        assert notes[0].onset == 0
        assert notes[-1].end == one.melody.length
        assert notes[-1].duration >= 24
        assert len(notes) % 8 == 0  # whole phrases
        assert one.melody.tempo == Tempo.constant(120)
        assert 4 <= one.melody.seconds <= 12


def test_what_merely_breaks_off_is_no_end() -> None:
    whole = tune(1, phrases=2)
    broken = whole.until(whole.length - 24 - 72 - 12)
    ends = {one.quarters for one in found_in(broken)}
    assert ends == {10.0}  # the first phrase alone


def test_people_are_quantised_as_machines_are() -> None:
    loose = Melody.from_pitches([(60, 23), (62, 25), (64, 22), (65, 26), (67, 24), (65, 24), (64, 23), (60, 73), (None, 24)] * 2)
    for one in found_in(loose):
        assert all(note.onset % 6 == 0 and note.duration % 6 == 0 for note in one.melody.notes)


def test_the_papers_clips_are_a_quarter_of_a_second_a_note() -> None:
    one = evenly(Melody.from_pitches([((60, 64), 30), (None, 50), (62, 6)] * 70), 0, seconds=30)
    assert one is not None
    assert one.melody.seconds == pytest.approx(30.0)
    assert len(one.melody.sounding) == 120
    assert one.melody.sounding[0].pitches == (60, 64)
    assert evenly(tune(1), 0, seconds=30) is None


def arm(seeds: range, **how: object) -> list[Excerpt]:
    found = []
    for piece, seed in enumerate(seeds):
        found += excerpts(tune(seed, **how), piece, tempo=120, shortest=4, longest=12)  # type: ignore[arg-type]
    return found


def test_sets_are_alike_and_no_melody_is_in_two() -> None:
    arms = {"human": arm(range(20)), "lstm": arm(range(20, 50), tonic=67), "tuned": arm(range(50, 80), tonic=53)}
    sets = matched_sets(arms, 15, np.random.default_rng(1))
    assert len(sets) == 15
    for name in arms:
        assert len({one[name].piece for one in sets}) == 15
    for one in sets:
        lengths = [excerpt.quarters for excerpt in one.values()]
        assert max(lengths) - min(lengths) <= 1
        heights = []
        for excerpt in one.values():
            moved = to_one_tonic(excerpt.melody, excerpt, 2)
            assert moved.key == Key(2)
            heights.append(excerpt.height + moved.sounding[0].top - excerpt.melody.sounding[0].top)
        assert all(abs(height - MIDDLE) <= 6.01 for height in heights)


def test_major_stands_beside_major_and_too_little_is_said() -> None:
    arms = {"human": arm(range(10)), "lstm": arm(range(20, 40), key=Key(0, "minor"))}
    with pytest.raises(InputError, match=r"only 0 of 5 sets of clips can be matched: lstm has 20 melodies"):
        matched_sets(arms, 5, np.random.default_rng(1))


def test_extreme_pitches_stay_pitches() -> None:
    wide = Melody.from_pitches([(1, 24), (126, 24), (60, 24), (61, 24), (62, 24), (63, 24), (64, 24), (65, 72)], key=Key(0))
    one = Excerpt.of(wide, 0, "", Key(0))
    with pytest.raises(InputError, match="too wide"):
        to_one_tonic(wide, one, 6)
