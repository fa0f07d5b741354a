"""What holds for every rule: causality, transposition, any size; and every loop against plain Python."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.music import HOLD, OFF, ON, Key, Line, Meter
from cantilena.rules import (
    RULE_SETS,
    Context,
    Notes,
    Rule,
    breathing,
    features_of,
    leap_recoveries,
    metrical_strengths,
    rhythm_entropy,
    silent_share,
    similarity_after,
    strikes_in_a_row,
    syncopations,
)
from cantilena.rules.meter import steps_per_beat
from cantilena.tokenizers import GridEncoding

RULES = RULE_SETS["cantilena"]
EVERY = [(f"{name}:{rule.name}", rule) for name, rules in RULE_SETS.items() for rule in rules.rules]
KNOWS_THE_END = {"rl-tuner:tonic"}
"""Rules that ask how many steps are left; all others may differ on the last step alone."""

CONTEXTS = [
    Context(),
    Context(Key.parse("A minor"), Meter(3, 4), 12),
    Context(Key.parse("Eb major"), Meter(6, 8), 6),
    Context(Key.parse("F# minor"), Meter(2, 4), 4),
    Context(Key.parse("G major"), Meter(4, 4), 1),
    Context(Key.parse("D minor"), Meter(5, 4), 5, timed=False),
]


def written(rows: list[list[int]]) -> Line:
    """Rows of RL Tuner's classes, padded to one length."""
    longest = max(map(len, rows))
    padded = np.array([row + [14] * (longest - len(row)) for row in rows])  # padding that would sound
    return GridEncoding().line(padded.reshape(len(rows), longest), length=np.array([len(row) for row in rows]))


classes = st.one_of(
    st.lists(st.sampled_from([0, 1, 1, 14, 16, 18, 19, 21, 23, 25, 26]), min_size=1, max_size=48),
    st.lists(st.integers(0, 37), min_size=1, max_size=48),
    st.lists(st.sampled_from([14, 16, 18, 19]), min_size=1, max_size=8).map(lambda bar: bar * 5),
)


def cut(line: Line, steps: int) -> Line:
    return Line.from_events(line.event[:, :steps], line.pitch[:, :steps], line.pitch_classes[:, :steps])


@pytest.mark.parametrize(("name", "rule"), EVERY, ids=[name for name, _ in EVERY])
@settings(deadline=None, max_examples=12)
@given(melody=classes, share=st.floats(0, 1), context=st.sampled_from(CONTEXTS))
def test_no_rule_knows_what_comes_later(
    name: str, rule: Rule, melody: list[int], share: float, context: Context
) -> None:
    whole = written([melody])
    steps = max(round(share * len(melody)), 1)
    early, all_of_it = rule.rewards(cut(whole, steps), context), rule.rewards(whole, context)
    spoken = max(steps - (4 if name in KNOWS_THE_END else 1), 0)
    spoken = min(spoken, len(melody) - 4) if name in KNOWS_THE_END else spoken
    np.testing.assert_array_equal(early[:, : max(spoken, 0)], all_of_it[:, : max(spoken, 0)])


@pytest.mark.parametrize("rule", RULES.rules, ids=RULES.names)
@settings(deadline=None, max_examples=12)
@given(melody=classes, semitones=st.integers(-24, 24), context=st.sampled_from(CONTEXTS))
def test_a_melody_keeps_its_rewards_in_another_key(
    rule: Rule, melody: list[int], semitones: int, context: Context
) -> None:
    line = written([melody])
    moved = Line.from_events(line.event, np.where(line.event == ON, line.pitch + semitones, -1))
    there = Context(context.key.transposed(semitones), context.meter, context.steps_per_bar, context.timed)
    np.testing.assert_array_equal(rule.rewards(line, context), rule.rewards(moved, there))


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(classes, min_size=1, max_size=5), context=st.sampled_from(CONTEXTS))
def test_melodies_do_not_hear_each_other_nor_the_padding(rows: list[list[int]], context: Context) -> None:
    together = RULES.rewards(written(rows), context)
    for number, row in enumerate(rows):
        alone = RULES.rewards(written([row]), context)
        for name in RULES.names:
            np.testing.assert_array_equal(together[name][number, : len(row)], alone[name][0])
            assert not together[name][number, len(row) :].any()


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 16, 31, 64, 512])
def test_any_size_is_judged_without_a_warning(steps: int, context: Context) -> None:
    rng = np.random.default_rng(steps)
    rows = [rng.integers(0, 38, steps), np.zeros(steps), np.ones(steps), np.full(steps, 14), rng.integers(0, 2, steps)]
    line = GridEncoding().line(
        np.array(rows, dtype=np.int64), length=np.array([steps, steps, steps, steps, steps // 2])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, rewards in RULES.rewards(line, context).items():
            assert np.isfinite(rewards).all(), name
            assert rewards.shape == (5, steps)
    nothing = GridEncoding().line(np.zeros((0, steps), dtype=np.int64))
    assert RULES.total(nothing, context).shape == (0, steps)


def test_two_sided_rules_speak_on_the_last_step_alone() -> None:
    line = GridEncoding().line(np.random.default_rng(3).integers(0, 38, (50, 64)))
    for name in features_of(RULES):
        rewards = RULES[name].rewards(line)
        assert not rewards[:, :-1].any()
        assert rewards.min() >= -4
        assert rewards.max() <= 0


# The same read aloud in plain Python


def plain_notes(row: list[int]) -> list[tuple[int, int, int, int]]:
    """(step, pitch, steps sounding, steps to the next note) of RL Tuner's classes."""
    onsets = [step for step, event in enumerate(row) if event > 1]
    found = []
    for onset, after in pairwise([*onsets, len(row)]):
        sounding = 1
        while onset + sounding < len(row) and row[onset + sounding] == 1:
            sounding += 1
        found.append((onset, row[onset] + 46, sounding, after - onset))
    return found


def plain_strikes(row: list[int], context: Context) -> list[int]:
    counted, strikes = [0] * len(row), 0
    previous: tuple[int, int, int, int] | None = None
    for note in plain_notes(row):
        rested = previous is not None and context.timed and previous[3] - previous[2] >= steps_per_beat(context)
        strikes = strikes + 1 if previous is not None and previous[1] == note[1] and not rested else 1
        counted[note[0]], previous = strikes, note
    return counted


def plain_leaps(row: list[int]) -> list[int]:
    outcome, leapt, pitch = [0] * len(row), 0, -1
    for step, now, _, _ in plain_notes(row):
        move = now - pitch if pitch >= 0 else 0
        if move == 0:
            pitch = now
            continue
        if abs(leapt) >= 5:
            if (move > 0) != (leapt > 0):
                outcome[step] = 1 if abs(move) <= 2 else 2
            else:
                outcome[step] = 4 if abs(move) >= 5 and abs(move + leapt) != 12 else 3
        leapt, pitch = move, now
    return outcome


def plain_similarity(row: list[int], context: Context, bars: int) -> float:
    lag = bars * context.steps_per_bar
    if not context.timed or len(row) < lag + context.steps_per_bar:
        return math.nan
    direction: dict[int, int] = {}
    pitch = -1
    for step, now, _, _ in plain_notes(row):
        direction[step] = 2 if pitch < 0 else (now > pitch) - (now < pitch)
        pitch = now
    score, places = 0.0, 0
    for step in range(lag, len(row)):
        now, then = step in direction, step - lag in direction
        places += now or then
        if now and then:
            score += 1.0 if direction[step] == direction[step - lag] else 0.5
    return score / places if places else 0.0


def plain_breathing(row: list[int], context: Context) -> float:
    whole = len(row) // context.steps_per_bar
    if not context.timed or whole < 4:
        return math.nan
    longest = [0] * (whole + 1)
    for step, _, _, gap in plain_notes(row):
        bar = step // context.steps_per_bar
        longest[bar] = max(longest[bar], gap) if bar < whole else 0
    ends = [longest[bar] for bar in range(3, whole, 4)]
    mean = sum(longest[:whole]) / whole
    return sum(ends) / len(ends) / mean if mean else 0.0


def plain_silence(row: list[int]) -> float:
    sounds, silent = False, 0
    for event in row:
        sounds = event > 1 if event != 1 else sounds
        silent += not sounds
    return silent / len(row)


def plain_entropy(row: list[int]) -> float:
    gaps = [gap for _, _, _, gap in plain_notes(row)][:-1]
    shares = [gaps.count(kind) / len(gaps) for kind in set(gaps)]
    return -sum(share * math.log2(share) for share in shares)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(classes, min_size=1, max_size=4), context=st.sampled_from(CONTEXTS))
def test_walks_over_notes_equal_plain_python(rows: list[list[int]], context: Context) -> None:
    line = written(rows)
    notes = Notes.from_line(line)
    found = list(zip(notes.step, notes.pitch, notes.sounding, notes.gap, strict=True))
    assert found == [note for row in rows for note in plain_notes(row)]
    assert notes.melody.tolist() == [number for number, row in enumerate(rows) for _ in plain_notes(row)]
    strikes, leaps = strikes_in_a_row(line, context), leap_recoveries(line)
    silence, entropy = silent_share(line, context), rhythm_entropy(line, context)
    similar, breath = similarity_after(line, context, bars=2), breathing(line, context)
    strength, across = metrical_strengths(context), syncopations(line, context)
    for number, row in enumerate(rows):
        assert strikes[number, : len(row)].tolist() == plain_strikes(row, context)
        assert leaps[number, : len(row)].tolist() == plain_leaps(row)
        np.testing.assert_allclose(similar[number], plain_similarity(row, context, 2))
        np.testing.assert_allclose(breath[number], plain_breathing(row, context))
        held_across = [
            context.timed
            and max(strength[(step + k) % len(strength)] for k in range(sounding)) > strength[step % len(strength)]
            for step, _, sounding, _ in plain_notes(row)
        ]
        assert across[number][[step for step, *_ in plain_notes(row)]].tolist() == held_across
        if context.timed:
            assert silence[number] == pytest.approx(plain_silence(row))
            assert entropy[number] == pytest.approx(plain_entropy(row))
        else:
            assert np.isnan(silence[number])
            assert np.isnan(entropy[number])


def test_the_events_of_a_line_are_those_of_the_grid() -> None:
    assert (OFF, HOLD, ON) == (0, 1, 2)  # the loops say 0, 1, 2
