"""The rules of the set `cantilena` on small tunes, counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cantilena.music import HOLD, OFF, ON, Key, Line, Meter, Pitch
from cantilena.rules import (
    RULE_SETS,
    Context,
    ambitus,
    breathing,
    cadences,
    climaxes,
    downbeat_share,
    foreign_tones,
    leap_recoveries,
    metrical_strengths,
    notes_per_quarter,
    opening_tones,
    rhythm_entropy,
    scale_steps,
    silent_share,
    similarity_after,
    sixteenths_share,
    stepwise_share,
    strikes_in_a_row,
    strong_places,
    syncopations,
    tonic_share,
    unresolved_degrees,
)

RULES = RULE_SETS["cantilena"]


def tune(*melodies: str) -> Line:
    """Melodies as a line: `C4:4 -:2` is a C of four steps and a rest of two; one without a number has one step."""
    rows = []
    for melody in melodies:
        events: list[tuple[int, int]] = []
        for word in melody.replace("|", " ").split():
            name, _, steps = word.partition(":")
            events.append((OFF, -1) if name == "-" else (ON, Pitch.parse(name)))
            events += [(HOLD, -1)] * (int(steps or 1) - 1)
        rows.append(events)
    longest = max(map(len, rows))
    padded = np.array([row + [(HOLD, -1)] * (longest - len(row)) for row in rows])
    return Line.from_events(padded[..., 0], padded[..., 1], length=np.array([len(row) for row in rows]))


def context(key: str = "C major", meter: str = "4/4", steps: int = 16) -> Context:
    return Context(Key.parse(key), Meter.parse(meter), steps)


def where(events: np.ndarray) -> list[list[int]]:
    return np.argwhere(events).tolist()


def rewards(rule: str, line: Line, ask: Context, **parameters: float) -> list[list[float]]:
    return RULES[rule].with_parameters(**parameters).rewards(line, ask).round(9).tolist()


TWINKLE = tune("C4:4 C4:4 G4:4 G4:4 | A4:4 A4:4 G4:8 | F4:4 F4:4 E4:4 E4:4 | D4:4 D4:4 C4:8")  # 4/4, sixteenths
WALTZ = tune("A4:4 B4:4 C5:4 | E5:8 D5:4 | C5:4 B4:4 G#4:4 | A4:12")  # 3/4, A minor
JIG = tune("A4:2 | D5:4 D5:2 D5:2 E5:2 F#5:2 | A5:4 F#5:2 E5:4 C#5:2 | D5:6 -:4")  # 6/8, D major, with a pickup


# The grid of the meter


@pytest.mark.parametrize(
    ("meter", "steps", "strengths"),
    [
        ("4/4", 4, [3, 1, 2, 1]),
        ("4/4", 16, [5, 1, 2, 1, 3, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2, 1]),
        ("2/2", 4, [3, 1, 2, 1]),
        ("2/4", 4, [3, 1, 2, 1]),
        ("3/4", 6, [3, 1, 2, 1, 2, 1]),
        ("3/4", 12, [4, 1, 2, 1, 3, 1, 2, 1, 3, 1, 2, 1]),
        ("6/8", 6, [3, 1, 1, 2, 1, 1]),
        ("6/8", 12, [4, 1, 2, 1, 2, 1, 3, 1, 2, 1, 2, 1]),
        ("9/8", 9, [3, 1, 1, 2, 1, 1, 2, 1, 1]),
        ("12/8", 12, [4, 1, 1, 2, 1, 1, 3, 1, 1, 2, 1, 1]),
        ("5/4", 5, [2, 1, 1, 1, 1]),
        ("5/8", 5, [2, 1, 1, 1, 1]),
        ("7/8", 7, [2, 1, 1, 1, 1, 1, 1]),
        ("6/4", 6, [3, 1, 1, 2, 1, 1]),
        ("3/8", 3, [2, 1, 1]),
        ("4/4", 1, [1]),
        ("4/4", 6, [4, 0, 0, 3, 0, 0]),  # triplets: only two of their places lie on the grid
    ],
)
def test_places_of_a_bar_are_as_strong_as_the_levels_they_begin(meter: str, steps: int, strengths: list[int]) -> None:
    found = metrical_strengths(context(meter=meter, steps=steps)).tolist()
    assert [found.index(x) for x in found] == [strengths.index(x) for x in strengths]
    assert np.argsort(found, kind="stable").tolist() == np.argsort(strengths, kind="stable").tolist()


@pytest.mark.parametrize(
    ("meter", "steps", "strong"),
    [
        ("4/4", 16, [0, 8]),
        ("3/4", 12, [0]),
        ("2/4", 8, [0]),
        ("2/2", 16, [0]),
        ("6/8", 12, [0, 6]),
        ("9/8", 18, [0]),
        ("12/8", 24, [0, 12]),
        ("5/4", 20, [0]),
        ("4/4", 1, [0]),
    ],
)
def test_strong_beats(meter: str, steps: int, strong: list[int]) -> None:
    assert np.flatnonzero(strong_places(context(meter=meter, steps=steps))).tolist() == strong


def test_scale_steps_count_chromatic_tones_as_what_they_alter() -> None:
    names = "C C# D Eb E F F# G G# A Bb B C"
    pitches = np.array([Pitch.parse(name + "4") for name in names.split()[:-1]] + [72])
    assert (scale_steps(pitches, Key()) - 35).tolist() == [0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6, 7]
    minor = scale_steps(np.array([69, 71, 72, 74, 76, 77, 78, 79, 80, 81]), Key.parse("A minor"))
    assert (minor - minor[0]).tolist() == [0, 1, 2, 3, 4, 5, 5, 6, 6, 7]


# Key


def test_a_foreign_note_costs_a_point() -> None:
    line = tune("C4 F#4 G4 Bb4")
    assert rewards("key", line, context()) == [[0, -1, 0, -1]]
    assert rewards("key", line, context("G major")) == [[0, 0, 0, -1]]
    assert not any(rewards("key", TWINKLE, context())[0])
    assert not any(rewards("key", JIG, context("D major", "6/8", 12))[0])


def test_melodic_minor_rises_by_the_raised_degrees() -> None:
    rising = tune("E4 F#4 G#4 A4 G4 F4 E4")
    assert not any(rewards("key", rising, context("A minor"))[0])
    assert not any(rewards("key", WALTZ, context("A minor", "3/4", 12))[0])


@pytest.mark.parametrize(
    ("melody", "late"),
    [
        ("A4 G#4 A4 E4", []),  # the leading tone returns to the tonic
        ("B4 G#4 E4 A4", []),  # or is one tone of the broken dominant
        ("A4 G#4 F#4 E4", []),  # or comes down through the raised sixth
        ("A4 G#4 G#4 A4", []),  # struck twice it waits
        ("A4 G#4 F4 E4", [2]),  # an augmented second
        ("A4 G#4 C5 A4", [2]),
        ("A4 F#4 E4 A4", [2]),  # a raised sixth that falls without having come down
        ("E4 F#4 D4 A4", [2]),
        ("A4 G#4 F#4 D4", [3]),
        ("A4 E4 F#4 G#4", [3]),  # left hanging
        ("E4 G#4 F4 G#4", [2, 3]),
    ],
)
def test_raised_degrees_go_where_they_lead(melody: str, late: list[int]) -> None:
    assert [step for _, step in where(unresolved_degrees(tune(melody), context("A minor")))] == late
    paid = rewards("key", tune(melody), context("A minor"))[0]
    assert paid == [-0.5 if step in late else 0 for step in range(4)]
    assert not unresolved_degrees(tune(melody), context("A major")).any()


def test_a_raised_degree_is_judged_when_the_next_pitch_begins() -> None:
    line = tune("A4 G#4:3 -:2 F4 F4")
    assert where(unresolved_degrees(line, context("A minor"))) == [[0, 6]]


def test_every_pitch_class_of_a_chord_is_asked() -> None:
    chords = Line.from_events(np.full((1, 2), ON), np.array([[67, 67]]), np.array([[1 << 0 | 1 << 7, 1 << 1 | 1 << 7]]))
    assert where(foreign_tones(chords, context())) == [[0, 1]]


# Beginning and end


def test_a_melody_opens_on_the_tonic_in_any_octave_and_key() -> None:
    assert rewards("opening", tune("C3 E4", "E5 C4", "D4 C4"), context()) == [[3, 0], [1.5, 0], [0, 0]]
    assert rewards("opening", tune("A5 E4", "C4 A4"), context("A minor")) == [[3, 0], [1.5, 0]]
    assert rewards("opening", TWINKLE, context())[0][0] == 3


def test_a_pickup_on_the_dominant_waits_for_the_barline() -> None:
    ask = context(meter="3/4", steps=3)
    assert where(opening_tones(tune("- - G4 C5 E5 G5"), ask)) == [[0, 3]]
    assert where(opening_tones(tune("- G4 B4 - C5 E5"), ask)) == [[0, 4]]  # walks up, and breathes on the downbeat
    assert where(opening_tones(tune("G4 - - C5 E5 G5"), ask)) == [[0, 0]]  # on the downbeat it is no pickup
    assert where(opening_tones(tune("- - A4 C5 E5 G5"), ask)) == [[0, 2]]  # nor is another degree
    assert where(opening_tones(tune("- - G4", "- - -"), ask)) == []
    jig = tune("-:10 A4:2 | D5:4 F#5:2")
    assert where(opening_tones(jig, context("D major", "6/8", 12))) == [[0, 12]]


def test_a_cadence_is_worth_more_the_better_it_closes() -> None:
    def end(melody: str, ask: Context) -> float:
        paid = rewards("cadence", tune(melody), ask)[0]
        assert not any(paid[:-1])
        return paid[-1]

    four, three, six = context(), context("A minor", "3/4", 12), context("D major", "6/8", 12)
    assert end("C4:4 C4:4 G4:4 G4:4 D4:4 D4:4 C4:8", four) == 6  # tonic, third beat, by step, long
    assert end("C4:8 D4:8 | C4:2", four) == 5.5  # half a beat long
    assert end("C4:8 E4:8 | C4:4", four) == 5  # by a third
    assert end("C4:8 C4:4 D4:2 C4:2", four) == 4.5  # on a weak beat
    assert end("C4:8 G4:4 D4:4", four) == 0.0
    assert end("A4:4 B4:4 C5:4 | E5:8 D5:4 | C5:4 B4:4 G#4:4 | A4:12", three) == 6
    assert end("C5:4 B4:4 A4:4", three) == 5
    assert end("D5:4 E5:2 D5:4 C#5:2 | D5:6", six) == 6
    assert end("F#5:4 E5:2 D5:6", six) == 6  # both beats of 6/8 are strong
    assert end("F#5:4 E5:2 D5:4", six) == pytest.approx(5 + 4 / 6)


def test_a_tonic_struck_again_to_the_end_arrives_once() -> None:
    close = cadences(tune("B3:16 | C4:4 C4:4 C4:4"), context())
    assert (close.tonic[0], close.strong[0], close.by_step[0], close.lasting[0]) == (True, True, True, 1)


# Notes in a row


def test_the_fifth_stroke_in_a_row_is_one_too_many() -> None:
    assert rewards("repetition", tune("C4 C4 C4 C4 C4 C4 D4 C4"), context()) == [[0, 0, 0, 0, -1, -1, 0, 0]]
    assert not any(rewards("repetition", tune("C4:9"), context())[0])  # a held note is struck once
    assert strikes_in_a_row(tune("C4:2 C4:2"), context()).tolist() == [[1, 0, 2, 0]]


def test_silence_ends_a_row_from_a_beat_on() -> None:
    short, long = tune("C4 -:3 C4"), tune("C4 -:4 C4")
    assert strikes_in_a_row(short, context()).tolist()[0][-1] == 2
    assert strikes_in_a_row(long, context()).tolist()[0][-1] == 1
    assert strikes_in_a_row(long, context(meter="6/8", steps=12)).tolist()[0][-1] == 2  # the beat has six steps


def test_what_follows_a_leap() -> None:
    melody = "C4 G4 F4 C5 A4 E4 D4 A4 D5 A5 E6 D6 D6"
    #        leap: 5th, back by step; 5th, back by third; down a 4th, on; up a 5th, on by a 4th (an octave: filled);
    #        a 4th, on by a 5th (again an octave); a 5th doubled; back by step
    assert leap_recoveries(tune(melody)).tolist()[0] == [0, 0, 1, 0, 2, 0, 3, 0, 3, 3, 4, 1, 0]
    paid = rewards("leap_recovery", tune(melody), context())[0]
    assert paid == [0, 0, 0, 0, -0.2, 0, -0.5, 0, -0.5, -0.5, -2, 0, 0]


def test_a_repeated_pitch_keeps_the_leap_waiting() -> None:
    assert leap_recoveries(tune("C4 G4 G4 -:3 G4 F4")).tolist()[0] == [0, 0, 0, 0, 0, 0, 0, 1]
    assert leap_recoveries(tune("C4 E4 G4 E4")).tolist()[0] == [0, 0, 0, 0]  # thirds are no leaps


@pytest.mark.parametrize(
    ("melody", "reward"),
    [
        ("C4 E4 G4 E4 C4", 3.0),
        ("C4 E4 G4 G4 C4", 3.0),  # one climax, struck twice
        ("C4 G4 E4 G4 C4", 0.0),
        ("G4 E4 C4 D4", 1.5),
        ("C4 D4 E4 G4", 1.5),
        ("C4 C4", 1.5),
        ("-:3", 0.0),
    ],
)
def test_the_climax_comes_once_and_inside(melody: str, reward: float) -> None:
    assert rewards("climax", tune(melody), context())[0][-1] == reward
    once, inside = climaxes(tune(melody))
    assert reward == 1.5 * once[0] + 1.5 * inside[0]


# Features of whole melodies


def test_range_and_motion() -> None:
    assert ambitus(TWINKLE, context()).tolist() == [9]
    assert ambitus(WALTZ, context()).tolist() == [8]
    assert stepwise_share(TWINKLE, context()).tolist() == [pytest.approx(6 / 7)]  # all but C-G
    assert stepwise_share(WALTZ, context()).tolist() == [6 / 8]  # all but C-E and B-G#
    assert stepwise_share(tune("C4 C4"), context()).tolist() == [0]


def test_downbeats() -> None:
    assert downbeat_share(TWINKLE, context()).tolist() == [1]
    assert downbeat_share(tune("C4:20 D4:12 E4:8"), context()).tolist() == [pytest.approx(2 / 3)]
    assert downbeat_share(WALTZ, context("A minor", "3/4", 12)).tolist() == [1]
    assert downbeat_share(tune("-:10 A4:2 D5:6 E5:6"), context("D major", "6/8", 12)).tolist() == [0.5]


@pytest.mark.parametrize(
    ("melody", "meter", "steps", "across"),
    [
        ("C4:4 D4:8 E4:4", "4/4", 16, [4]),  # a half note from the second beat
        ("C4:2 D4:4 E4:2 C4:8", "4/4", 16, [2]),
        ("C4:6 D4:2 E4:8", "4/4", 16, []),
        ("C4:12 D4:8 E4:4 F4:8", "4/4", 16, [12]),  # tied over the barline
        ("C4:4 D4:8 C4:12", "3/4", 12, []),  # beats two and three are alike
        ("C4:8 D4:8 E4:8", "3/4", 12, [8]),
        ("D4:4 E4:4 F#4:4", "6/8", 12, [4]),  # three quarters in 6/8
        ("D4:2 E4:4 D4:2 E4:4", "6/8", 12, []),
        ("C4:4 D4:2 -:6 E4:4", "4/4", 16, []),  # silence is not held
    ],
)
def test_syncopation_is_sound_held_across_a_stronger_beat(
    melody: str, meter: str, steps: int, across: list[int]
) -> None:
    assert [step for _, step in where(syncopations(tune(melody), context(meter=meter, steps=steps)))] == across


def test_likeness_to_what_sounded_bars_before() -> None:
    ask = context(steps=4)
    same = tune("C4 D4 E4 C4 | E4 D4 C4 - | C4 D4 E4 C4 | E4 D4 C4 -")
    assert similarity_after(same, ask, bars=2)[0] == pytest.approx((2 * 7 - 1) / 14)  # the first note has no direction
    opposed = tune("C4 D4 E4 F4 | F4 E4 D4 C4")
    assert similarity_after(opposed, ask, bars=1)[0] == pytest.approx(0.5)  # all begin together, none the same way
    slower = tune("C4 D4 E4 F4 | C4:2 E4:2")
    assert similarity_after(slower, ask, bars=1)[0] == pytest.approx((2 * 0.5 + 0.5) / 4)  # E4 rises again
    assert np.isnan(similarity_after(slower, ask, bars=2)[0])
    assert similarity_after(tune("-:8"), ask, bars=1)[0] == 0
    waltz = similarity_after(WALTZ, context("A minor", "3/4", 12), bars=2)[0]
    # Bar 3 beside bar 1: three onsets at both, rising against falling. Bar 4 beside bar 2: one at both, and one
    # before; E was reached from below, as A is from G#.
    assert waltz == pytest.approx((3 * 0.5 + 1) / 5)


def test_a_breath_is_a_longer_wait_in_every_fourth_bar() -> None:
    ask = context(steps=4)
    assert breathing(tune("C4 D4 E4 F4 " * 4), ask).tolist() == [1]
    held = tune("C4 D4 E4 F4 " * 3 + "G4 C4:3")
    assert breathing(held, ask)[0] == pytest.approx(3 / (6 / 4))
    rested = tune("C4 D4 E4 F4 " * 3 + "G4 C4 -:2")
    assert breathing(rested, ask)[0] == pytest.approx(2.0)
    assert np.isnan(breathing(tune("C4 D4 E4 F4 " * 3), ask)[0])
    assert breathing(tune("-:16"), ask).tolist() == [0]
    assert breathing(WALTZ, context("A minor", "3/4", 12))[0] == pytest.approx(12 / ((4 + 8 + 4 + 12) / 4))


def test_rhythm_rests_and_density() -> None:
    assert rhythm_entropy(TWINKLE, context())[0] == pytest.approx(-(12 * math.log2(12 / 13) + math.log2(1 / 13)) / 13)
    assert rhythm_entropy(tune("C4 D4:2 E4 F4:4 G4"), context())[0] == pytest.approx(1.5)
    assert rhythm_entropy(tune("C4:4", "-:4"), context()).tolist() == [0, 0]
    assert silent_share(tune("-:2 C4:4 -:2", "C4:4"), context()).tolist() == [0.5, 0]
    assert notes_per_quarter(TWINKLE, context())[0] == pytest.approx(14 / 16)
    assert notes_per_quarter(WALTZ, context("A minor", "3/4", 12))[0] == pytest.approx(9 / 12)
    assert notes_per_quarter(JIG, context("D major", "6/8", 12))[0] == pytest.approx(11 / 9)


def test_the_tonic_has_a_share_of_the_time_that_sounds() -> None:
    assert tonic_share(TWINKLE, context())[0] == pytest.approx(16 / 64)
    assert tonic_share(WALTZ, context("A minor", "3/4", 12))[0] == pytest.approx(16 / 48)
    assert tonic_share(WALTZ, context("C major", "3/4", 12))[0] == pytest.approx(8 / 48)
    assert tonic_share(tune("C4:2 E4:2 -:12", "C3:4 C5:4 -:8", "-:16"), context()).tolist() == [0.5, 1, 0]
    seldom, often = tune("C4:4 " + "D4:4 E4:4 G4:4 A4:4 B4:4 " * 6 + "C4:4"), tune("C4:4 C5:4 C4:4 D4:4 " * 8)
    assert rewards("tonic_share", tune("C4:4 E4:4 G4:4 D4:4 " * 8), context())[0][-1] == 0
    assert rewards("tonic_share", seldom, context())[0][-1] < 0
    assert rewards("tonic_share", often, context())[0][-1] < 0


def test_sixteenths_are_counted_among_the_notes() -> None:
    assert sixteenths_share(tune("C4 D4 E4:2 -:2 F4 -", "C4:4 D4:4", "-:8"), context()).tolist() == [0.75, 0, 0]
    assert sixteenths_share(tune("C4 D4 E4:2 F4:4"), context(steps=8)).tolist() == [0]  # steps are eighths
    assert sixteenths_share(tune("C4 D4 E4:2 F4:4"), context(steps=32)).tolist() == [0.75]
    slow, runs = tune("C4:4 D4:4 E4:4 F4:4 " * 8), tune("C4 D4 E4 F4 G4 F4 E4 D4 " * 16)
    assert rewards("sixteenths", slow, context())[0][-1] == 0
    assert rewards("sixteenths", runs, context())[0][-1] < 0
    assert rewards("sixteenths", slow, replace(context(meter="2/4", steps=8), style="ryan"))[0][-1] < 0  # reels


def test_a_hold_before_any_note_is_silence() -> None:
    line = Line.from_events(np.array([[HOLD, HOLD, ON, HOLD]]), np.array([[-1, -1, 60, -1]]))
    assert silent_share(line, context()).tolist() == [0.5]


# The set


def test_steps_that_tell_no_time_silence_the_rules_of_time() -> None:
    events = Line.from_events(np.full((1, 125), ON), 60 + np.arange(125)[None] * 5 % 12)
    given = RULES.rewards(events, Context(timed=False))
    phrases = ("phrase_2", "phrase_4", "phrase_8", "breathing")
    for name in (*phrases, "meter", "syncopation", "rhythm", "rests", "density", "tonic_share", "sixteenths"):
        assert not given[name].any(), name
    assert given["motion"].any()
    assert given["opening"][0, 0] == 3


def test_a_user_can_set_his_own_band() -> None:
    ask = context()
    assert rewards("range", TWINKLE, ask, low=9, high=12) == [[0] * 64]
    assert rewards("range", TWINKLE, ask, low=12, high=20, spread=6)[0][-1] == -1
    assert rewards("range", TWINKLE, ask, low=100, high=120)[0][-1] == -4  # not worse than `worst`
    assert rewards("range", TWINKLE, ask, low=12, high=20, spread=6, penalty=-3)[0][-1] == -1.5


def test_two_good_tunes_earn_more_than_their_notes_at_random(rng: np.random.Generator) -> None:
    for line, ask in ((TWINKLE, context()), (WALTZ, context("A minor", "3/4", 12))):
        onsets = np.argwhere(line.event == ON)[:, 1]
        worse = []
        for _ in range(50):
            pitch = line.pitch.copy()
            pitch[0, onsets] = rng.permutation(pitch[0, onsets])
            worse.append(RULES.total(Line.from_events(line.event, pitch), ask).sum())
        assert RULES.total(line, ask).sum() > np.mean(worse) + 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
