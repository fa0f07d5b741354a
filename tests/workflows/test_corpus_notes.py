"""The notes of a corpus at once are those of its melodies one by one."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.data import Corpus, Entry, Manifest, load_builtin
from cantilena.music import Melody, Note
from cantilena.rules import Notes
from cantilena.workflows.evaluate.copying import TrainingMelodies
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet, corpus_notes, line_of


def assert_same(corpus: Corpus) -> None:
    tunes = [EvalMelody.from_melody(melody, piece="", label="") for melody in corpus]
    found, plain = corpus_notes(corpus), Notes.of(line_of(tune.tokens for tune in tunes))
    for name in ("melody", "step", "pitch", "gap"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name), err_msg=name)


def test_of_the_built_in_corpus() -> None:
    held_out = load_builtin("tunes").split("test")
    assert len(held_out.count("collection")) > 3
    assert_same(held_out)


@pytest.mark.slow
def test_of_the_whole_of_it() -> None:
    assert_same(load_builtin("tunes"))


def test_of_melodies_that_are_awkward() -> None:
    melodies = [
        Melody((Note((60, 64), 0, 24), Note((), 24, 24), Note((67,), 50, 3), Note((62,), 52, 20))),
        Melody.of([(60, 24), (62, 24)], pickup=96),
        Melody.of([(60, 6), (62, 24), (64, 1), (65, 1), (67, 1)], pickup=6),
        Melody((Note((60,), 30, 6),), length=96),
    ]
    assert_same(Corpus.of([Entry(melody, piece=str(k)) for k, melody in enumerate(melodies)], Manifest("awkward")))


def test_a_copy_is_found_with_its_bars_and_not_in_what_is_held_out() -> None:
    tune = Melody.of([(60 + 2 * (k * k % 7), 24) for k in range(24)], title="Mine", source="a.mid")
    other = Melody.of([(70 - 3 * (k * k % 5), 12) for k in range(24)], source="b.mid")
    entries = [Entry(tune, piece="a"), Entry(other, piece="b", split="test")]
    learned = TrainingMelodies.from_corpus(Corpus.of(entries, Manifest("two")))
    part = EvalMelody.from_melody(tune.between(96, 384).transposed(3), piece="x", label="x")
    one = MelodySet("mine", "", [part, EvalMelody.from_melody(other, piece="b", label="b")])
    copies = learned.copies(one, include_own_piece=True)
    place = learned.place(one, copies, 0)
    assert place is not None
    assert place.text == '12 notes of bars 1-3 as in "Mine" (a.mid), bars 2-4'
    assert copies.notes[1] < 12


@pytest.mark.parametrize("own_too", [True, False])
def test_a_piece_is_no_copy_of_itself(include_own_piece: bool) -> None:
    tune = Melody.of([(60 + 2 * (k * k % 7), 24) for k in range(24)])
    learned = TrainingMelodies.from_corpus(Corpus.of([Entry(tune, piece="a"), Entry(tune, piece="b")][:1], Manifest("one")))
    one = MelodySet("human", "", [EvalMelody.from_melody(tune, piece="a", label="a")])
    assert learned.copies(one, include_own_piece=include_own_piece).notes[0] == (24 if include_own_piece else 0)
