"""Melodies from anywhere on one grid, from the first barline on."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.music import Key, Melody, Meter, Tempo
from cantilena.workflows.evaluate.melody_sets import GRID, EvalMelody, MelodySet, line_of


def tune(pitches: list[int | None], **fields: object) -> EvalMelody:
    melody = Melody.of([(pitch, 6) for pitch in pitches], **fields)
    return EvalMelody.from_melody(melody, piece="p", label="001.mid")


def test_what_stands_before_the_first_barline_is_left_out() -> None:
    judged = tune([55, 60, 62, 64], pickup=6)
    assert judged.tokens.tolist() == [62, 64, 66]  # pitch + 2
    assert judged.melody().notes[0].top == 60


def test_a_melody_that_is_all_pickup_is_kept_as_it_is() -> None:
    assert len(tune([60, 62], pickup=24)) == 2


@pytest.mark.parametrize(
    ("melody", "key"),
    [
        (Melody.of([(60, 24)], key=Key.parse("E minor")), "E minor"),
        (Melody.of([(62, 24), (65, 24), (69, 24), (73, 12), (62, 48)]), "D minor"),
        (Melody.of([(None, 96)]), "C major"),
    ],
)
def test_each_is_judged_in_its_own_key_or_in_the_one_that_its_notes_tell(melody: Melody, key: str) -> None:
    assert EvalMelody.from_melody(melody, piece="p", label="x").key.name == key
    assert EvalMelody.from_melody(melody, piece="p", label="x", key=Key.parse("F major")).key.name == "F major"


def test_the_context_counts_the_steps_of_the_meter() -> None:
    judged = tune([60] * 4, meter=Meter(6, 8))
    assert judged.context.steps_per_bar == 12


def test_excerpts_do_not_overlap_and_a_note_that_began_before_goes_on() -> None:
    melody = Melody.of([(60, 30), (62, 18)], tempo=Tempo.constant(90))
    parts = EvalMelody.from_melody(melody, piece="p", label="x").excerpts(4)
    assert [part.tokens.tolist() for part in parts] == [[62, 1, 1, 1], [1, 64, 1, 1]]
    assert {part.piece for part in parts} == {"p"}


def test_what_is_heard_is_what_is_judged() -> None:
    judged = tune([60, None, 62, 64, 65, 67], title="A tune")
    assert np.array_equal(GRID.encode(judged.melody()), judged.tokens)
    assert judged.melody().title == "A tune"


def test_melodies_of_different_lengths_stand_in_one_line() -> None:
    line = line_of([np.array([62, 1]), np.array([64]), np.array([], dtype=np.int64)])
    assert line.length.tolist() == [2, 1, 0]
    assert line.pitch[line.valid].tolist() == [60, -1, 62]


def test_a_set_knows_its_pieces_and_can_be_cut_and_thinned() -> None:
    tunes = [EvalMelody.from_melody(Melody.of([(60, 6)] * 8), piece=piece, label=piece) for piece in "abca"]
    one = MelodySet("mine", "", tunes)
    assert one.pieces.tolist() == [0, 1, 2, 0]
    assert one.cut(3).line.steps == 3
    rng = np.random.default_rng(1)
    assert len(one.some(2, rng)) == 2
    assert one.some(9, rng) is one
    assert one.typical_length == 8
