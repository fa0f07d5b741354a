"""The rules of harmony on real progressions, note by note, and what holds for any melody over any chords."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.metrics.per_note import GRID
from cantilena.music import CHORD_TONES, HOLD, OFF, ON, Chord, ChordTrack, Key, Line, Meter, Pitch
from cantilena.rules import (
    RULE_SETS,
    Context,
    Rule,
    check_rule,
    chord_tones,
    harmonic_cadences,
    human_bands,
    non_chord_tones,
    strong_chord_tone_share,
)

RULES = RULE_SETS["cantilena"]
HARMONY = tuple(rule for rule in RULES.rules if rule.needs_chords)
EIGHTHS = Context(steps_per_bar=8)


def over(chords: str, melody: str, meter: str = "4/4", steps_per_bar: int = 8) -> Line:
    """A melody as a line over a lead sheet: `C4:4 -:2` is a C of four steps and a rest of two."""
    event, pitch = [], []
    for word in melody.replace("|", " ").split():
        name, _, steps = word.partition(":")
        event += [OFF if name == "-" else ON] + [HOLD] * (int(steps or 1) - 1)
        pitch += [-1 if name == "-" else Pitch.parse(name)] + [-1] * (int(steps or 1) - 1)
    time = Meter.parse(meter)
    line = Line.from_events(np.array([event]), np.array([pitch]))
    return line.with_chords([ChordTrack.parse(chords, time)], time.ticks_per_bar // steps_per_bar)


def resolved(line: Line) -> list[tuple[int, bool]]:
    """The steps of the non-chord tones, and whether they resolve."""
    found = non_chord_tones(line)
    return list(zip(found.step.tolist(), found.resolved.tolist(), strict=True))


# Tones of the chord


def test_chord_tones_of_sevenths_slash_chords_and_no_chord() -> None:
    line = over("G7 Am/C | N.C. C", "F4 G4 A4 B4 | A4 C5 D5 E5 | F4 G4 A4 B4 | C5 D5 E5 F5")
    assert chord_tones(line)[0].tolist() == [True, True, False, True] + [True, True, False, True] + [False] * 4 + [
        True, False, True, False,
    ]  # fmt: skip


def test_notes_on_strong_beats_alone_count() -> None:
    # Beats 1 and 3 of 4/4: C and F over C, then G and B over G.
    line = over("C | G", "C4 D4 D4 D4 F4 F4 F4 F4 | G4 A4 A4 A4 B4 A4 A4 A4")
    assert strong_chord_tone_share(line, EIGHTHS).tolist() == [0.75]
    assert np.isnan(strong_chord_tone_share(line, replace(EIGHTHS, timed=False))).all()
    waltz = over("C | G", "C4:2 F4:2 F4:2 | A4:2 G4:2 B4:2", meter="3/4", steps_per_bar=6)
    assert strong_chord_tone_share(waltz, Context(meter=Meter(3, 4), steps_per_bar=6)).tolist() == [0.5]
    held = over("C | G", "- D4:7 | G4:8")
    assert strong_chord_tone_share(held, EIGHTHS).tolist() == [1.0]  # a note that is held over a beat does not count


def test_the_band_of_people_has_an_upper_end() -> None:
    band = human_bands().lookup("chord_tones", EIGHTHS, 64)
    assert band is not None
    assert 0.4 < band.low < band.high < 1.0
    bars = ["C4:4 E4:4", "F4:4 A4:4", "G4:4 B4:4", "C5:4 E4:4"]
    perfect = over("C | F | G7 | C | C | F | G7 | C", " | ".join(bars * 2))
    foreign = over("C# | F# | G# | C# | C# | F# | G# | C#", " | ".join(bars * 2))
    last = {name: RULES["chord_tones"].rewards(line, EIGHTHS)[0] for name, line in (("p", perfect), ("f", foreign))}
    assert not last["p"][:-1].any()
    assert last["f"][-1] < last["p"][-1] < 0  # all of them are more than people have, none much less


# What becomes of the others


@pytest.mark.parametrize(
    ("kind", "chords", "melody", "expected"),
    [
        ("passing tone", "C", "C4 D4 E4:6", [(1, True)]),
        ("two passing tones", "C", "G4 A4 B4 C5:5", [(1, True), (2, True)]),
        ("neighbour", "C", "E4 F4 E4:6", [(1, True)]),
        ("chromatic neighbour", "C", "G4 F#4 G4:6", [(1, True)]),
        ("double neighbour", "C", "C4 D4 B3 C4:5", [(1, True), (2, True)]),
        ("suspension, struck again", "F C", "F4:4 F4:2 E4:2", [(4, True)]),
        ("suspension, tied", "F C", "F4:6 E4:2", [(0, True)]),
        ("retardation", "G7 C", "B4:4 B4:2 C5:2", [(4, True)]),
        ("ornamented suspension", "F C", "F4:4 F4:2 C4 E4", [(4, True)]),
        ("appoggiatura", "C", "C4 A4:2 G4:5", [(1, True)]),
        ("anticipation, struck again", "G C", "D4:3 C4 C4:4", [(3, True)]),
        ("anticipation, tied", "G C", "D4:3 C4:5", [(3, True)]),
        ("escape tone", "F G", "F4:3 G4 B4:4", [(3, False)]),
        ("a leap from a tone that is none", "C", "C4 D4 A4 C5:5", [(1, False), (2, False)]),
        ("the last note", "C", "C4:4 D4:4", [(4, False)]),
        ("a suspension that stays", "F C", "F4:8", [(0, False)]),
        ("repeated before it resolves", "C", "D4 D4 D4 D4 C4:4", [(0, True)]),
        ("a step to another one, and away", "C", "E4 F4 F#4 C5:5", [(1, False), (2, False)]),
        ("over no chord", "N.C.", "D4 A4 F4:6", []),
        ("a step into no chord", "C N.C.", "E4:3 D4 C#4:4", [(3, True)]),
        ("chord tones by leap", "C", "C4 G4 E4 C5:5", []),
    ],
)
def test_what_resolves(kind: str, chords: str, melody: str, expected: list[tuple[int, bool]]) -> None:
    assert resolved(over(chords, melody)) == expected, kind


def test_what_does_not_resolve_costs_where_it_is_certain() -> None:
    rule = RULES["non_chord_tones"]
    # D leaps to A, which leaps to C: D is lost where C begins, A at the end.
    assert rule.rewards(over("C", "C4 D4 A4 C5:5"), EIGHTHS)[0].tolist() == [0, 0, 0, -1, 0, 0, 0, -1]
    assert rule.rewards(over("C", "C4 E4 G4 A4 | D5 - - -"), EIGHTHS)[0].tolist() == [0, 0, 0, 0, 0, 0, 0, -2]
    assert not rule.rewards(over("C", "C4 D4 E4 F4 G4:4"), EIGHTHS).any()


def test_two_rows_do_not_run_together() -> None:
    first, second = over("C", "C4:4 D4:4"), over("C", "C4:4 E4:4")
    both = Line.from_events(
        np.concatenate([first.event, second.event]), np.concatenate([first.pitch, second.pitch])
    ).with_chords([ChordTrack.parse("C", Meter(4, 4))] * 2, 12)
    found = non_chord_tones(both)
    assert (found.melody.tolist(), found.resolved.tolist()) == ([0], [False])


# Cadences


@pytest.mark.parametrize(
    ("chords", "melody", "key", "reward"),
    [
        ("G7 C", "D4:4 C4:4", "C major", 2.0),  # a perfect cadence
        ("G7 C", "D4:4 C5:2 -:2", "C major", 2.0),  # in any octave, and with a rest after it
        ("G7 C", "F4:4 E4:4", "C major", 1.0),  # imperfect: the third
        ("G7 C", "F4:4 G4:4", "C major", 0.5),  # the fifth
        ("C G", "C4:4 G4:4", "C major", 1.0),  # a half cadence on the root
        ("C G", "C4:4 B4:4", "C major", 1.0),
        ("G7 Am", "B4:4 C5:4", "C major", 1.0),  # deceptive: the third
        ("G7 F", "B4:4 C5:4", "C major", 0.5),
        ("C G7", "C4:4 F4:4", "C major", -1.0),  # the seventh
        ("F C", "F4:4 D4:4", "C major", -1.0),
        ("E7 Am", "B4:4 A4:4", "A minor", 2.0),
        ("E7 Am", "B4:4 A4:4", "C major", 1.0),  # the root of vi
        ("F C", "F4:6 E4:2", "C major", 1.0),
        ("C N.C.", "E4:4 C4:4", "C major", 0.0),
        ("G7 C", "C4:8", "C major", 2.0),  # held into the last chord
        ("C Csus4", "E4:4 F4:4", "C major", -1.0),
    ],
)
def test_the_last_note_over_the_last_chord(chords: str, melody: str, key: str, reward: float) -> None:
    rewards = RULES["harmonic_cadence"].rewards(over(chords, melody), replace(EIGHTHS, key=Key.parse(key)))
    assert not rewards[0, :-1].any()
    assert rewards[0, -1] == reward


def test_a_cadence_by_degree() -> None:
    ends = harmonic_cadences(over("C Bdim", "C4:4 F4:4"), EIGHTHS)
    assert (bool(ends.fifth[0]), bool(ends.stable[0]), bool(ends.full[0])) == (True, True, False)


# What holds for all of them

NOTES = st.lists(st.one_of(st.just(-2), st.just(-1), st.integers(48, 84)), min_size=1, max_size=40)
CHORDS = st.lists(
    st.one_of(st.just(Chord(None)), st.builds(Chord, st.integers(0, 11), st.sampled_from([*CHORD_TONES]))),
    min_size=1,
    max_size=8,
)


def line_of(steps: list[int]) -> Line:
    """-2 is off, -1 hold."""
    pitch = np.array([steps])
    return Line.from_events(np.where(pitch >= 0, ON, np.where(pitch == -1, HOLD, OFF)), np.where(pitch >= 0, pitch, -1))


def track_of(chords: list[Chord], every: int = 5) -> ChordTrack:
    return ChordTrack(tuple((6 * every * number, chord) for number, chord in enumerate(chords)))


@pytest.mark.parametrize("rule", HARMONY, ids=lambda rule: rule.name)
@settings(deadline=None, max_examples=60)
@given(steps=NOTES, chords=CHORDS, semitones=st.integers(-12, 12))
def test_melody_and_chords_transposed_together_keep_their_rewards(
    rule: Rule, steps: list[int], chords: list[Chord], semitones: int
) -> None:
    line, track = line_of(steps), track_of(chords)
    moved = line_of([step + semitones if step >= 0 else step for step in steps])
    here, there = Context(steps_per_bar=8), Context(Key().transposed(semitones), steps_per_bar=8)
    np.testing.assert_array_equal(
        rule.rewards(line.with_chords([track], 6), here),
        rule.rewards(moved.with_chords([track.transposed(semitones)], 6), there),
    )


@pytest.mark.parametrize("rule", HARMONY, ids=lambda rule: rule.name)
@settings(deadline=None, max_examples=60)
@given(steps=NOTES, chords=CHORDS, share=st.floats(0, 1))
def test_no_rule_of_harmony_knows_what_comes_later(
    rule: Rule, steps: list[int], chords: list[Chord], share: float
) -> None:
    line, known = line_of(steps).with_chords([track_of(chords)], 6), max(round(share * len(steps)), 1)
    early = line_of(steps[:known]).with_chords([track_of(chords)], 6)
    all_of_it = rule.rewards(line, EIGHTHS)
    np.testing.assert_array_equal(rule.rewards(early, EIGHTHS)[:, : known - 1], all_of_it[:, : known - 1])


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(NOTES, CHORDS), min_size=1, max_size=4))
def test_rows_do_not_hear_each_other_nor_the_padding(rows: list[tuple[list[int], list[Chord]]]) -> None:
    longest = max(len(steps) for steps, _ in rows)
    joined = line_of([60])
    padded = [line_of(steps + [61] * (longest - len(steps))) for steps, _ in rows]
    joined = Line.from_events(
        np.concatenate([one.event for one in padded]),
        np.concatenate([one.pitch for one in padded]),
        length=np.array([len(steps) for steps, _ in rows]),
    ).with_chords([track_of(chords) for _, chords in rows], 6)
    for rule in HARMONY:
        together = rule.rewards(joined, EIGHTHS)
        for number, (steps, chords) in enumerate(rows):
            alone = rule.rewards(line_of(steps).with_chords([track_of(chords)], 6), EIGHTHS)
            np.testing.assert_array_equal(together[number, : len(steps)], alone[0])
            assert not together[number, len(steps) :].any()


@settings(deadline=None, max_examples=30)
@given(steps=NOTES)
def test_without_chords_all_rewards_are_zero(steps: list[int]) -> None:
    line = line_of(steps)
    silent = line.with_chords([ChordTrack(((0, Chord(None)),))], 6)
    assert silent.chord is None
    none = replace(line, chord=np.zeros(line.event.shape, np.int16), chord_root=np.full(line.event.shape, -1, np.int8))
    for rule in HARMONY:
        assert not rule.rewards(line, EIGHTHS).any()
        assert not rule.rewards(none, EIGHTHS).any()


def test_rules_of_harmony_keep_the_contract_of_rules() -> None:
    assert [rule.name for rule in HARMONY] == ["chord_tones", "non_chord_tones", "harmonic_cadence"]
    for rule in HARMONY:
        check_rule(rule)
        assert not RULES.without_chords().names.count(rule.name)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_the_smallest_lines(steps: int) -> None:
    for row in (np.zeros((2, steps)), np.full((2, steps), 62)):
        line = GRID.line(row.astype(np.int64)).with_chords([ChordTrack.parse("C", Meter(4, 4))] * 2, 6)
        for rule in HARMONY:
            assert rule.rewards(line).shape == (2, steps)


def test_rows_with_and_without_chords_in_one_line() -> None:
    one = over("G7 C", "D4:4 C4:4")
    line = Line.from_events(np.repeat(one.event, 2, axis=0), np.repeat(one.pitch, 2, axis=0))
    both = line.with_chords([ChordTrack.parse("G7 C", Meter(4, 4)), ChordTrack()], 12)
    assert RULES["harmonic_cadence"].rewards(both, EIGHTHS)[:, -1].tolist() == [2.0, 0.0]
    assert RULES["harmonic_cadence"].rewards(both[np.array([1, 0])], EIGHTHS)[:, -1].tolist() == [0.0, 2.0]
