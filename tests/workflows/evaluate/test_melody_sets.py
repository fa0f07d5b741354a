"""Melodies on the grid of an evaluation, one by one and a corpus at once."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.data import Corpus, Entry, Manifest, load_builtin
from cantilena.music import ChordTrack, Key, Melody, Meter, Note, Tempo
from cantilena.rules import Notes
from cantilena.tokenizers import EventsEncoding, GridEncoding
from cantilena.workflows.evaluate.melody_sets import (
    GRID,
    EvalMelody,
    MelodySet,
    corpus_notes,
    line_of,
    step_count,
    to_eval_grid,
)


def sixteenths(pitches: list[int | None], **fields: object) -> EvalMelody:
    melody = Melody.from_pitches([(pitch, 6) for pitch in pitches], **fields)
    return EvalMelody.from_melody(melody, piece="p", label="001.mid")


def test_the_pickup_is_left_out_unless_the_melody_is_all_pickup() -> None:
    melody = sixteenths([55, 60, 62, 64], pickup=6)
    assert melody.tokens.tolist() == [62, 64, 66]  # pitch + 2
    assert melody.to_melody().notes[0].top == 60
    assert len(sixteenths([60, 62], pickup=24)) == 2


@pytest.mark.parametrize(
    ("melody", "key"),
    [
        (Melody.from_pitches([(60, 24)], key=Key.parse("E minor")), "E minor"),
        (Melody.from_pitches([(62, 24), (65, 24), (69, 24), (73, 12), (62, 48)]), "D minor"),
        (Melody.from_pitches([(None, 96)]), "C major"),
    ],
)
def test_the_key_is_that_of_the_melody_or_found_from_its_notes(melody: Melody, key: str) -> None:
    assert EvalMelody.from_melody(melody, piece="p", label="x").key.name == key
    assert EvalMelody.from_melody(melody, piece="p", label="x", key=Key.parse("F major")).key.name == "F major"


def test_the_context_counts_the_steps_of_the_meter() -> None:
    assert sixteenths([60] * 4, meter=Meter(6, 8)).context.steps_per_bar == 12


def test_excerpts_do_not_overlap_and_a_note_that_began_before_goes_on() -> None:
    melody = Melody.from_pitches([(60, 30), (62, 18)], tempo=Tempo.constant(90))
    parts = EvalMelody.from_melody(melody, piece="p", label="x").excerpts(4)
    assert [part.tokens.tolist() for part in parts] == [[62, 1, 1, 1], [1, 64, 1, 1]]
    assert {part.piece for part in parts} == {"p"}
    spread = sixteenths(list(range(60, 70))).excerpts(1, most=4)
    assert [int(part.tokens[0]) - 62 for part in spread] == [0, 2, 5, 7]


def test_what_is_played_is_what_is_measured() -> None:
    melody = sixteenths([60, None, 62, 64, 65, 67], title="A tune")
    assert np.array_equal(GRID.encode(melody.to_melody()), melody.tokens)
    assert melody.to_melody().title == "A tune"


def test_melodies_of_different_lengths_stand_in_one_line() -> None:
    line = line_of([np.array([62, 1]), np.array([64]), np.array([], dtype=np.int64)])
    assert line.length.tolist() == [2, 1, 0]
    assert line.pitch[line.valid].tolist() == [60, -1, 62]


def test_tokens_of_other_encodings_come_to_the_grid() -> None:
    events, eighths = EventsEncoding(("C4", "0.4.7")), GridEncoding(steps_per_quarter=2)
    assert to_eval_grid(np.array([0, 1]), events).tolist() == [62, 1, 69, 1]
    assert to_eval_grid(np.array([14, 1, 0]), eighths).tolist() == [62, 1, 1, 1, 0, 1]
    assert [step_count(5, encoding) for encoding in (events, eighths, GRID)] == [3, 3, 5]


def test_a_set_knows_its_pieces_and_can_be_cut_and_sampled() -> None:
    melodies = [
        EvalMelody.from_melody(Melody.from_pitches([(60, 6)] * 8), piece=piece, label=piece) for piece in "abca"
    ]
    one = MelodySet("mine", "", melodies)
    assert one.pieces.tolist() == [0, 1, 2, 0]
    assert one.truncate(3).line.steps == 3
    rng = np.random.default_rng(1)
    assert len(one.sample(2, rng)) == 2
    assert one.sample(9, rng) is one
    assert one.median_length == 8


def assert_same_notes(corpus: Corpus) -> None:
    melodies = [EvalMelody.from_melody(melody, piece="", label="") for melody in corpus]
    at_once, one_by_one = corpus_notes(corpus), Notes.from_line(line_of(melody.tokens for melody in melodies))
    for name in ("melody", "step", "pitch", "gap"):
        np.testing.assert_array_equal(getattr(at_once, name), getattr(one_by_one, name), err_msg=name)


def test_the_notes_of_a_corpus_at_once_are_those_of_its_melodies() -> None:
    held_out = load_builtin("tunes").split("test")
    assert len(held_out.count("collection")) > 3
    assert_same_notes(held_out)
    awkward = [
        Melody((Note((60, 64), 0, 24), Note((), 24, 24), Note((67,), 50, 3), Note((62,), 52, 20))),
        Melody.from_pitches([(60, 24), (62, 24)], pickup=96),
        Melody.from_pitches([(60, 6), (62, 24), (64, 1), (65, 1), (67, 1)], pickup=6),
        Melody((Note((60,), 30, 6),), length=96),
    ]
    assert_same_notes(
        Corpus.from_entries([Entry(one, piece=str(k)) for k, one in enumerate(awkward)], Manifest("awkward"))
    )


@pytest.mark.e2e
def test_the_notes_of_the_whole_built_in_corpus() -> None:
    assert_same_notes(load_builtin("tunes"))


def test_chords_are_cut_with_the_melody() -> None:
    track = ChordTrack.parse("C F", Meter(4, 4), pickup=24)
    melody = Melody.from_pitches([(67, 24), (60, 48), (65, 48)], pickup=24, key=Key(), chords=track)
    whole = EvalMelody.from_melody(melody, piece="p", label="x")
    assert [(tick, str(chord)) for tick, chord in whole.chords] == [(0, "C"), (48, "F")]
    assert [(tick, str(chord)) for tick, chord in whole.last(4).chords] == [(0, "F")]
    assert [str(chord) for _, chord in whole.first(4).chords] == ["C"]
    assert [str(part.chords[0][1]) for part in whole.excerpts(8)] == ["C", "F"]
    assert whole.to_melody().chords == whole.chords
    plain = sixteenths([60, 62])
    assert not plain.has_chords
    both = MelodySet("s", "", [plain, whole])
    assert both.has_chords
    assert both.line.chord_root is not None
    assert both.line.chord_root[:, 0].tolist() == [-1, 0]
    assert MelodySet("s", "", [plain]).line.chord is None
