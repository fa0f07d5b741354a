"""Human melodies of the meters, modes and place of what they are compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cantilena.music import Chord, ChordTrack, Key, Meter
from cantilena.workflows.evaluate.matching import FEWEST_MATCHED, like, matched_melodies, mismatch, strata
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet

C, A = Key.parse("C major"), Key.parse("A minor")
STEPS = 64


def melodies(count: int, meter: str = "4/4", key: Key = C, steps: int = 100, label: str = "") -> list[EvalMelody]:
    """Melodies that say in their first token where they were cut."""
    return [
        EvalMelody(np.arange(steps) % 128, key, Meter.parse(meter), f"{meter} {key.name} {number}", label)
        for number in range(count)
    ]


PEOPLE = [
    *melodies(200),
    *melodies(100, key=A),
    *melodies(120, "6/8"),
    *melodies(60, "3/4", key=A),
    *melodies(80, "4/4", steps=40),
]


def system(*some: EvalMelody) -> MelodySet:
    return MelodySet("s", "", some)


def draw(*systems: MelodySet, most: int = 1000, seed: int = 1):
    return matched_melodies(PEOPLE, systems, STEPS, most=most, rng=np.random.default_rng(seed))


def test_meters_modes_and_beginnings_are_matched() -> None:
    one = system(*melodies(30, steps=STEPS), *melodies(10, key=A, steps=STEPS))
    chosen, by = draw(one)
    assert by == ("meter", "mode", "place")
    assert strata(chosen) == {
        ("4/4", "major"): pytest.approx(0.75, abs=0.01),
        ("4/4", "minor"): pytest.approx(0.25, abs=0.01),
    }
    assert len(chosen) > 200
    assert all(melody.tokens[0] == 0 and len(melody) == STEPS for melody in chosen)  # beginnings
    assert mismatch(one, MelodySet("human", "", chosen)) == ""
    assert len({melody.piece for melody in chosen}) == len(chosen)


def test_systems_count_alike_however_many_melodies_they_have() -> None:
    chosen, _ = draw(system(*melodies(900, steps=STEPS)), system(*melodies(20, "6/8", steps=STEPS)))
    assert strata(chosen)["6/8", "major"] == pytest.approx(0.5, abs=0.01)


def test_whole_pieces_beside_whole_pieces() -> None:
    chosen, by = draw(system(*melodies(50, steps=38)))
    assert by == ("meter", "mode", "place")
    assert {len(melody) for melody in chosen} == {40}


def test_the_place_is_given_up_before_the_mode_and_the_mode_before_the_meter() -> None:
    people = [*melodies(20, steps=4 * STEPS), *melodies(60, "3/4", key=A)]
    rng = np.random.default_rng(1)
    wanted = system(*melodies(9, steps=STEPS))
    chosen, by = matched_melodies(people, [wanted], STEPS, most=100, rng=rng)
    assert (by, len(chosen)) == (("meter", "mode"), 80)  # four excerpts of each
    chosen, by = matched_melodies(people, [system(*melodies(9, "3/4", steps=STEPS))], STEPS, most=100, rng=rng)
    assert (by, len(chosen)) == (("meter", "place"), 60)
    chosen, by = matched_melodies(people, [system(*melodies(9, "9/8", steps=STEPS))], STEPS, most=100, rng=rng)
    assert (by, len(chosen)) == ((), 100)


def test_what_is_not_matched_is_said() -> None:
    jigs = system(*melodies(90, "6/8"), *melodies(10))
    reference = MelodySet("human", "", melodies(50))
    assert mismatch(jigs, reference) == "90 % of its melodies are in 6/8 and major, 0 % of people's"
    assert mismatch(reference, reference) == ""


def test_excerpts_in_the_meter_and_mode_of_a_system() -> None:
    people = MelodySet("human", "", PEOPLE)
    assert strata(like(people, melodies(1, "6/8")[0]).melodies) == {("6/8", "major"): 1.0}
    assert len(like(people, melodies(1, "5/4")[0])) == len(people)  # none: all are taken


def test_the_same_seed_draws_the_same_and_no_more_than_asked() -> None:
    one = system(*melodies(5, steps=STEPS))
    first, again, other = (draw(one, most=FEWEST_MATCHED, seed=seed)[0] for seed in (1, 1, 2))
    assert [melody.piece for melody in first] == [melody.piece for melody in again]
    assert [melody.piece for melody in first] != [melody.piece for melody in other]
    assert len(first) == FEWEST_MATCHED


def test_a_rare_meter_that_people_lack_does_not_hinder() -> None:
    chosen, by = draw(system(*melodies(99, steps=STEPS), *melodies(1, "5/4", steps=STEPS)))
    assert by == ("meter", "mode", "place")
    assert strata(chosen) == {("4/4", "major"): 1.0}


def test_melodies_over_chords_are_compared_with_such() -> None:
    chords = ChordTrack(((0, Chord(0)),))
    people = [*melodies(100), *(replace(one, chords=chords) for one in melodies(70, label="over chords"))]
    plain, over = system(*melodies(10)), system(*(replace(one, chords=chords) for one in melodies(10)))

    def labels(*systems: MelodySet, among: list[EvalMelody] = people) -> tuple[set[str], tuple[str, ...]]:
        chosen, by = matched_melodies(among, systems, STEPS, most=1000, rng=np.random.default_rng(1))
        return {melody.label for melody in chosen}, by

    assert labels(over) == ({"over chords"}, ("meter", "mode", "place", "chords"))
    assert labels(plain) == labels(plain, over) == ({"", "over chords"}, ("meter", "mode", "place"))
    few = [*melodies(100), *(replace(one, chords=chords) for one in melodies(20, label="over chords"))]
    assert labels(over, among=few) == ({"", "over chords"}, ("meter", "mode", "place"))
