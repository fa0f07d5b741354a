"""Composing over chords: lengths, sections, returns, primers, what the network is told, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer, load
from cantilena.generation.chords import ChordPlan
from cantilena.metrics import melody_rewards
from cantilena.models import FormModel, Network, NetworkOptions
from cantilena.music import ChordTrack, Form, Key, Meter
from cantilena.rules import load_rules
from cantilena.tokenizers import NotesEncoding

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48), 60, 79)
FORMS = FormModel.learned_from([(Meter(), Form.parse("A4A'4B8"))], [(Meter(), 24)])
FOUR = "C | Am | F G7 | C"


@pytest.fixture(scope="module")
def composer() -> Composer:
    options = NetworkOptions(
        width=8, embedding=8, durations=NOTES.durations, pitches=NOTES.high - NOTES.low + 1, plan=True, harmony=True
    )
    network = Network(options, len(NOTES.vocabulary), seed=2)
    return Composer(network, network, NOTES, forms=FORMS, has_harmony=True)


def symbols(chords: ChordTrack) -> list[str]:
    return [str(chord) for _, chord in chords]


def test_chords_set_the_length_and_the_melody_carries_them(composer: Composer) -> None:
    melody = composer.compose(chords=FOUR, seed=1)
    assert melody.length == 4 * 96
    assert symbols(melody.chords) == ["C", "Am", "F", "G7", "C"]
    assert [tick - melody.pickup for tick, _ in melody.chords] == [0, 96, 192, 240, 288]
    assert melody.pickup == 24, "the pickup that melodies of the meter have; the chords begin at the first barline"


def test_chords_that_are_shorter_than_the_melody_repeat_from_their_start(composer: Composer) -> None:
    melody = composer.compose(chords="C | F | G", bars=7, form="free", seed=1)
    assert symbols(melody.chords) == ["C", "F", "G", "C", "F", "G", "C"]
    assert melody.length == 7 * 96


def test_chords_lie_in_the_key_and_meter_of_the_melody(composer: Composer) -> None:
    melody = composer.compose(chords="D | A7 x2 | D", key="D major", meter="3/4", form="free", seed=1)
    assert [(tick, str(chord)) for tick, chord in melody.chords] == [(0, "D"), (72, "A7"), (144, "A7"), (216, "D")]


@settings(max_examples=6, deadline=None)
@given(key=st.sampled_from(["C major", "Eb major", "A minor"]), seed=st.integers(0, 100))
def test_the_network_is_told_the_chords_in_its_own_key(composer: Composer, key: str, seed: int) -> None:
    options = ComposeOptions(chords=FOUR, key=key, search=2)
    plan = composer.plan(range(3), options, seed)
    own = ComposeOptions(
        chords=ChordTrack.parse(FOUR, Meter()).transposed(-plan.placement.semitones),
        key=plan.placement.model_key,
        search=2,
    )
    told, expected = (one.arguments["bars"].chords for one in (plan, composer.plan(range(3), own, seed)))
    np.testing.assert_array_equal(told[:, :, 1], expected[:, :, 1])
    assert len(told) == 6


def test_other_chords_change_what_the_model_expects(composer: Composer) -> None:
    one, other = (composer.compose(chords=text, key="C major", form="free", seed=3) for text in ("C | C", "F# | F#"))
    assert one.tokens != other.tokens


def test_sections_have_their_own_chords_and_lengths(composer: Composer) -> None:
    melody = composer.compose(chords="A: C | Am | F | G; B: F | G", form="AABA", seed=1)
    assert melody.form is not None
    assert str(melody.form) == "A4A4B2A4"
    assert symbols(melody.chords) == ["C", "Am", "F", "G"] * 2 + ["F", "G"] + ["C", "Am", "F", "G"]
    assert melody.form_note == ""


def test_a_return_over_other_chords_is_varied_and_the_plan_says_so(composer: Composer) -> None:
    melody = composer.compose(chords="C | F | G | C | C | F | G7 | C", form="AA", seed=1)
    assert melody.plan is not None
    assert [section["return"] for section in melody.plan["sections"]] == ["new", "varied"]
    assert melody.plan["note"] == "A in bars 5-8 would return over other chords, and is varied"
    same = composer.compose(chords="C | F | G | C", bars=8, form="AA", seed=1)
    assert same.plan is not None
    assert [section["return"] for section in same.plan["sections"]] == ["new", "literal"]
    assert "note" not in same.plan


def test_the_bars_of_a_primer_count(composer: Composer) -> None:
    melody = composer.compose(chords=FOUR, primer="C4 E4 G4 E4", seed=1)
    assert melody.length == 4 * 96
    assert symbols(melody.chords) == ["C", "Am", "F", "G7", "C"]
    rest = composer.compose(chords=FOUR, primer="C4 E4 G4 E4", with_primer=False, seed=1)
    assert [(tick, str(chord)) for tick, chord in rest.chords] == [(0, "Am"), (96, "F"), (144, "G7"), (192, "C")]


def test_bars_of_a_composition_are_rewritten_over_its_chords(composer: Composer) -> None:
    melody = composer.compose(chords=FOUR, form="free", primer="C4 E4 G4 E4", seed=1)
    other = composer.rewrite(melody, 2, 3, seed=4)[0]
    assert other.chords == melody.chords
    assert other.conditioning is not None
    assert other.conditioning.chords == melody.chords


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"chords": "C | F | G | C", "bars": 3}, "4 bars of chords, and the melody has 3"),
        ({"chords": "C | X"}, "bar 2"),
        ({"chords": "C D E F G A B C D E F"}, "bar 1"),
        ({"chords": "C", "events": 9}, "--events"),
        ({"chords": "A: C | F"}, "without a form"),
        ({"chords": "A: C | F", "form": "AB"}, "section B"),
        ({"chords": "A: C | F; C: G", "form": "AA"}, "no section C"),
        ({"chords": "C x99999"}, "bar"),
    ],
)
def test_chords_that_do_not_fit_are_refused(composer: Composer, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        composer.compose(**changes)


def test_a_model_that_has_not_learned_chords_is_refused() -> None:
    with pytest.raises(UsageError, match="has not learned to follow chords"):
        load("tunes+rl-tuner").compose(chords="C | F", form="free")


def test_a_chord_plan_of_sections_repeats_within_a_longer_section() -> None:
    chords = ChordPlan.parse("A: C | G; B: F", Meter(4, 4))
    assert symbols(chords.track(Form.parse("A4B2"), 6)) == ["C", "G", "C", "G", "F", "F"]


@pytest.mark.parametrize("key", ["C major", "D major"])
def test_a_search_by_rules_of_harmony_hears_the_chords(composer: Composer, key: str) -> None:
    asked = {"chords": FOUR if key == "C major" else "D | Bm | G A7 | D", "key": key, "form": "free", "seed": 3}
    rules = load_rules("cantilena:harmonic_cadence").with_weights(harmonic_cadence=20.0)
    ends = []
    for options in ({"search": 12, "rules": rules}, {}):
        melodies = composer.compose_many(12, **asked, **options)
        line = [melody_rewards(melody, rules, melody.key).rewards["harmonic_cadence"][-1] for melody in melodies]
        ends.append(np.mean(line))
    assert ends[0] > ends[1] + 5


def test_chords_have_a_key_where_none_is_given(composer: Composer) -> None:
    assert str(composer.compose(chords="Am | Dm | E7 | Am", form="free").key) == str(Key.parse("A minor"))
    assert composer.compose(chords="Eb | Ab | Bb7 | Eb", form="free").key == Key.parse("Eb major")
    assert composer.compose(chords="Eb | Ab | Bb7 | Eb", key="C minor", form="free").key == Key.parse("C minor")


@pytest.mark.parametrize("primer", ["", "D4 G4"])
def test_key_and_meter_of_a_file_are_those_of_the_melody(composer: Composer, tmp_path: Path, primer: str) -> None:
    path = tmp_path / "song.cho"
    path.write_text("{key: Eb}\n{time: 3/4}\n[Eb]la [Ab]la [Bb7]la [Eb]la")
    melody = composer.compose(chords=path, primer=primer, form="free", seed=2)
    assert (melody.key, str(melody.meter), melody.length) == (Key.parse("Eb major"), "3/4", 4 * 72)
    assert symbols(melody.chords) == ["Eb", "Ab", "Bb7", "Eb"]
    if primer:
        assert [note.name for note in melody.notes[:2]] == ["D4", "G4"]
    with pytest.raises(UsageError, match="in 3/4, and the melody is in 4/4"):
        composer.compose(chords=str(path), meter="4/4")


def test_no_chord_of_the_last_bar_is_lost_to_a_pickup(composer: Composer) -> None:
    plain = composer.compose(chords="C | Am | F | C", seed=1)
    assert plain.pickup == 24
    full = composer.compose(chords="C | Am | F | G G G C", seed=1)
    assert full.pickup == 0
    assert symbols(full.chords)[-1] == "C"


def test_each_melody_has_the_note_on_its_own_form(composer: Composer) -> None:
    melodies = composer.compose_many(8, chords="C | F | G | C | E | F | A7 | Dm", seed=3)
    for melody in melodies:
        assert melody.form is not None
        labels = melody.form_note.replace(" would return over other chords, and is varied", "")
        assert all(part.split()[0] in melody.form.letters for part in labels.split(", ") if part)


def test_chords_keep_their_place_in_the_bar_without_the_primer(composer: Composer) -> None:
    asked = {"chords": "C | F | G | C | C | F", "primer": "C4 D4 E4 F4 G4 A4", "form": "free"}
    rest = composer.compose(**asked, with_primer=False)
    assert rest.pickup == 2 * 24
    assert all((tick - rest.pickup) % 96 == 0 for tick, _ in rest.chords[1:])
