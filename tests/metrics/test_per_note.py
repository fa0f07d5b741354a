"""What rules say of one melody, note by note: the sums agree, the places are right, pickups end a whole bar."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.metrics import melody_rewards
from cantilena.metrics.per_note import GRID, MOST_STEPS, depends_on_meter
from cantilena.music import ChordTrack, Key, Line, Melody, Meter, Note
from cantilena.reporting.text import signed, signed_ascii, signed_short
from cantilena.rules import RULE_SETS, Context, Rule, RuleSet
from cantilena.tokenizers import GridEncoding

BARS = RuleSet("bars", (Rule.from_function(lambda line, context: _downbeats(line, context), name="bars"),))


def _downbeats(line: Line, context: Context) -> np.ndarray:
    return (line.event == 2) & (np.arange(line.steps) % context.steps_per_bar == 0)


def test_a_melody_by_hand() -> None:
    """The three rules of the paper: -1 out of key, 3 for the tonic at either end, -10 for the sixth stroke."""
    tune = Melody.from_pitches(
        [(60, 24), (66, 12), (None, 12), *[(64, 6)] * 6, (60, 12)], key=Key.parse("C major"), meter=Meter(2, 4)
    )
    scored = melody_rewards(tune, RULE_SETS["paper"])
    assert [(one.place, one.name, dict(one.values)) for one in scored.notes] == [
        ("1.1", "C4", {"tonic": 3.0}),
        ("1.2", "F♯4", {"key": -1.0}),
        ("2.1", "E4", {}),
        ("2.1¼", "E4", {}),
        ("2.1½", "E4", {}),
        ("2.1¾", "E4", {}),
        ("2.2", "E4", {}),
        ("2.2¼", "E4", {"repetition": -10.0}),
        ("2.2½", "C4", {"tonic": 3.0}),
    ]
    assert [one.steps for one in scored.notes] == [4, 4, 1, 1, 1, 1, 1, 1, 2]
    assert (scored.given("tonic"), scored.taken("tonic"), scored.total) == (6.0, 0.0, -5.0)
    assert scored.notes[-1].when == {"tonic": "at the end of the melody"}


def test_values_go_to_the_note_before_and_say_when() -> None:
    tune = Melody.from_pitches([(None, 24), (60, 12), (None, 24), (60, 12)], key=Key())
    scored = melody_rewards(
        tune, RuleSet("off", (Rule.from_function(lambda line, context: -1.0 * (line.event != 2), name="quiet"),))
    )
    assert [(one.name, one.note, dict(one.values), dict(one.when)) for one in scored.notes] == [
        ("rest", -1, {"quiet": -4.0}, {"quiet": "before the first note"}),
        ("C4", 0, {"quiet": -5.0}, {"quiet": "while it is held and in the rest after it"}),
        ("C4", 1, {"quiet": -1.0}, {"quiet": "at the end of the melody"}),
    ]


@pytest.mark.parametrize("name", [*RULE_SETS])
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_sums_agree_with_the_rules_themselves(name: str, data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 127)), st.integers(1, 60)), min_size=1))
    meter = data.draw(st.sampled_from([Meter(), Meter(3, 4), Meter(6, 8), Meter(5, 8), Meter(1, 32)]))
    pickup = data.draw(st.integers(0, 96))
    tune = Melody.from_pitches([*pairs, (60, 6)], meter=meter, pickup=pickup, key=Key.parse("D minor"))
    scored = melody_rewards(tune, RULE_SETS[name])
    assert sum(one.total for one in scored.notes) == pytest.approx(scored.total)
    assert sum(scored.given(rule) + scored.taken(rule) for rule in scored.rewards) == pytest.approx(scored.total)
    for rule in scored.rules.names:
        assert sum(one.values.get(rule, 0.0) for one in scored.notes) == pytest.approx(scored.rewards[rule].sum())
    assert [one.note for one in scored.notes if one.note >= 0] == list(range(len(scored.melody.sounding)))
    steps = {len(values) for values in scored.rewards.values()}
    assert len(steps) == 1
    assert scored.notes[-1].first + scored.notes[-1].steps == steps.pop()
    written = json.loads(json.dumps(scored.to_json(), allow_nan=False))
    assert sum(sum(rule["steps"]) for rule in written["rules"]) == pytest.approx(scored.total)
    assert sum(note["sum"] for note in written["notes"]) == pytest.approx(scored.total)


def test_without_a_pickup_the_steps_are_those_of_the_line() -> None:
    tokens = np.random.default_rng(3).integers(0, 38, 64)
    tokens[0] = 14
    grid, rules = GridEncoding(), RULE_SETS["rl-tuner"]
    scored = melody_rewards(grid.decode(tokens, key=Key()), rules)
    for name, values in rules.rewards(grid.line(tokens[None, :]), Context()).items():
        np.testing.assert_array_equal(scored.rewards[name], values[0])


def test_a_pickup_is_the_end_of_a_whole_bar_for_rules_that_hear_bars() -> None:
    tune = Melody.from_pitches([(67, 24), *[(60, 24)] * 4, (62, 72)], pickup=24, key=Key())
    scored = melody_rewards(tune, RuleSet("both", (*BARS.rules, *RULE_SETS["rl-tuner"].only("tonic").rules)))
    assert [one.place for one in scored.notes if "bars" in one.values] == ["1.1", "2.1"]
    assert scored.notes[0].place == "0.4"
    assert scored.notes[0].first == 12
    tonic = melody_rewards(
        Melody.from_pitches([(60, 24), (62, 96)], pickup=24, key=Key()), RULE_SETS["rl-tuner"].only("tonic")
    )
    assert tonic.notes[0].values == {"tonic": 3.0}  # RL Tuner asks for the first step, wherever the barline is


def test_which_rules_hear_bars() -> None:
    assert depends_on_meter(BARS["bars"])
    assert not any(depends_on_meter(rule) for name in ("paper", "rl-tuner") for rule in RULE_SETS[name].rules)
    heard = {rule.name for rule in RULE_SETS["cantilena"].rules if depends_on_meter(rule)}
    assert {"opening", "cadence", "meter", "syncopation", "phrase_2", "phrase_4", "phrase_8", "breathing"} <= heard


def test_the_key_is_the_melodys_own_else_found_else_given() -> None:
    tune = Melody.from_pitches(
        [(62, 24), (65, 24), (69, 24), (70, 24), (69, 24), (67, 24), (65, 24), (64, 24), (62, 48)]
    )
    assert melody_rewards(tune, RULE_SETS["paper"]).context.key == Key.parse("D minor")
    assert melody_rewards(tune, RULE_SETS["paper"], Key.parse("C major")).taken("key") == -1.0
    names = [one.name for one in melody_rewards(tune, RULE_SETS["paper"]).notes]
    assert "B♭4" in names


def test_nothing_is_folded_and_what_is_lost_is_counted() -> None:
    tune = Melody((Note((21,), 0, 24), Note((100, 104), 25, 24)), key=Key())
    scored = melody_rewards(tune, RULE_SETS["paper"])
    assert [one.name for one in scored.notes] == ["A0", "G♯7"]
    assert (scored.rounded, scored.dropped) == (1, 1)


def test_melodies_that_cannot_be_judged() -> None:
    for tune in (Melody(()), Melody((Note((), 0, 24),))):
        with pytest.raises(UsageError, match="no notes"):
            melody_rewards(tune, RULE_SETS["paper"])
    with pytest.raises(UsageError, match="20,001 sixteenths"):
        melody_rewards(Melody.from_pitches([(60, 6 * (MOST_STEPS + 1))]), RULE_SETS["paper"])
    assert melody_rewards(Melody.from_pitches([(60, 1)]), RULE_SETS["rl-tuner"]).notes[0].name == "C4"


@given(st.floats(-1e9, 1e9))
def test_numbers_carry_their_sign(value: float) -> None:
    sign = "+" if value > 0 else "−" if value < 0 else "0"
    assert signed(value)[0] == signed_short(value)[0] == sign
    assert signed_ascii(value) == signed(value).replace("−", "-")
    assert "e+" not in signed(value) + signed_short(value)
    if abs(value) >= 0.01:
        assert float(signed_ascii(value).replace(",", "")) == pytest.approx(value, abs=0.005001)


def test_rules_of_harmony_are_heard_where_there_are_chords() -> None:
    rules = RULE_SETS["cantilena"]
    pairs = [(67, 24), *[(60, 24), (62, 24), (69, 24), (72, 24)], (59, 48), (60, 48)]  # a pickup, two bars
    chords = ChordTrack.parse("C | G7 C", Meter(4, 4), pickup=24)
    tune = Melody.from_pitches(pairs, pickup=24, key=Key(), chords=chords)
    scored = melody_rewards(tune, rules)
    assert scored.rules == rules
    by_name = {one.name: one for one in scored.notes}
    assert by_name["C5"].values["non_chord_tones"] == -1.0  # D leapt to A
    assert scored.notes[-1].values["harmonic_cadence"] == 2.0
    assert scored.notes[-1].when["harmonic_cadence"] == "at the end of the melody"
    assert depends_on_meter(rules["chord_tones"])
    # A over C is no strong beat if the pickup ends a bar; three of four strong beats would be none without it.
    assert scored.rewards["chord_tones"].sum() == pytest.approx(
        rules["chord_tones"]
        .rewards(
            GRID.line(GRID.encode(replace(tune, pickup=0).between(24, 216))[None]).with_chords(
                [chords.between(24, 216)], 6
            )
        )
        .sum()
    )
    plain = melody_rewards(replace(tune, chords=ChordTrack()), rules)
    assert plain.rules == rules.without_chords()
    assert {name: values.tolist() for name, values in plain.rewards.items()} == {
        name: scored.rewards[name].tolist() for name in plain.rewards
    }
    alone = melody_rewards(replace(tune, chords=ChordTrack()), rules.only("chord_tones"))
    assert not alone.rewards["chord_tones"].any()
