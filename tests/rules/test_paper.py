"""The paper's three rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.music import Key, Line
from cantilena.rules import RULE_SETS, Context, paper_repeated
from cantilena.tokenizers import GridEncoding

RULES = RULE_SETS["paper"]
HOLD, OFF, C3, C4, D4, C5 = 1, 0, 2, 14, 16, 26


def line(*melodies: list[int]) -> Line:
    return GridEncoding().line(np.array(melodies))


def test_the_set_has_the_three_rules_and_cites_the_paper() -> None:
    assert RULES.names == ("key", "tonic", "repetition")
    assert all("section VIII.E" in rule.source for rule in RULES.rules)


def test_a_held_note_is_not_a_repetition() -> None:
    held = line([C4] + [HOLD] * 31)
    assert not RULES["repetition"].rewards(held).any()
    assert RULE_SETS["rl-tuner"]["repetition"].rewards(held).any()  # the sister counts holds


def test_silence_is_not_a_repetition() -> None:
    assert not paper_repeated(line([OFF] * 32)).any()


@pytest.mark.parametrize("breath", [HOLD, OFF])
def test_a_rest_or_a_hold_ends_the_row(breath: int) -> None:
    assert not paper_repeated(line([C4] * 5 + [breath] + [C4] * 5)).any()
    assert not paper_repeated(line([C4, breath] * 16)).any()


def test_the_fifth_repetition_in_a_row_is_one_too_many() -> None:
    assert np.flatnonzero(paper_repeated(line([D4] + [C4] * 7 + [D4]))).tolist() == [6, 7]
    assert RULES["repetition"].rewards(line([C4] * 6)).tolist() == [[0, 0, 0, 0, 0, -10]]


@settings(deadline=None)
@given(st.lists(st.sampled_from([0, 1, 14, 16]), min_size=1, max_size=40))
def test_repetition_equals_the_sentence_read_aloud(melody: list[int]) -> None:
    wanted = [
        melody[step] > 1 and step >= 5 and len(set(melody[step - 5 : step + 1])) == 1 for step in range(len(melody))
    ]
    assert paper_repeated(line(melody))[0].tolist() == wanted


@pytest.mark.parametrize("octave", [C3, C4, C5])
def test_the_tonic_counts_in_any_octave(octave: int) -> None:
    assert RULES["tonic"].rewards(line([octave, D4, octave, HOLD])).tolist() == [[3, 0, 0, 3]]


def test_beginning_and_end_are_the_first_and_last_note_that_sound() -> None:
    assert RULES["tonic"].rewards(line([OFF, HOLD, C4, D4, C4, OFF])).tolist() == [[0, 0, 3, 0, 0, 3]]
    assert RULES["tonic"].rewards(line([D4, C4, D4, OFF])).tolist() == [[0, 0, 0, 0]]
    assert RULES["tonic"].rewards(line([C4])).tolist() == [[6]]
    assert RULES["tonic"].rewards(line([OFF, OFF])).tolist() == [[0, 0]]


def test_the_tonic_follows_the_key_and_the_length() -> None:
    in_d = GridEncoding().line(np.array([[16, 14, 28, 14]]), length=np.array([3]))
    assert RULES["tonic"].rewards(in_d, Context(Key.parse("D minor"))).tolist() == [[3, 0, 3, 0]]


def test_key_asks_every_pitch_class_of_a_chord() -> None:
    chords = Line.from_events(np.full((1, 2), 2), np.array([[67, 67]]), np.array([[1 << 0 | 1 << 7, 1 << 1 | 1 << 7]]))
    assert RULES["key"].rewards(chords).tolist() == [[0, -1]]
    assert RULES["key"].rewards(chords, Context(Key.parse("Ab major"))).tolist() == [[0, 0]]
