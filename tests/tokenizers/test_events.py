"""Properties of the events encoding, its names of tokens, and normal order against music21."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.music import Key, Melody, Meter, Note, Tempo
from cantilena.tokenizers import Encoding, EventsEncoding, chord_pitches, normal_order

chords = st.sampled_from(["normal-order", "full"])
pitches = st.lists(st.integers(0, 127), min_size=1, max_size=5, unique=True).map(lambda some: tuple(sorted(some)))


@st.composite
def melodies(draw: st.DrawFn) -> Melody:
    notes = draw(
        st.lists(st.tuples(st.one_of(pitches, st.just(())), st.integers(0, 200), st.integers(1, 60)), max_size=12)
    )
    return Melody(
        tuple(Note(struck, onset, duration) for struck, onset, duration in notes),
        key=draw(st.sampled_from([None, Key(2, "minor")])),
        meter=draw(st.sampled_from([Meter(), Meter(3, 4)])),
        tempo=Tempo.constant(90),
        title="a tune",
        source="somewhere",
    )


@st.composite
def encodings(draw: st.DrawFn) -> EventsEncoding:
    heard = draw(st.lists(pitches, min_size=1, max_size=12))
    return EventsEncoding.learned_from([Melody.from_pitches([(struck, 12) for struck in heard])], draw(chords))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_encode_undoes_decode(data: st.DataObject, encoding: EventsEncoding) -> None:
    tokens = data.draw(st.lists(st.integers(0, len(encoding.vocabulary) - 1), max_size=30))
    assert encoding.encode(encoding.decode(tokens)).tolist() == tokens


@settings(max_examples=40, deadline=None)
@given(melody=melodies(), encoding=encodings())
def test_fit_is_idempotent_and_counts_every_note(melody: Melody, encoding: EventsEncoding) -> None:
    fit = encoding.fit(melody)
    again = encoding.fit(fit.melody)
    assert again.melody == fit.melody
    assert (again.folded, again.rounded, again.dropped) == (0, 0, 0)
    np.testing.assert_array_equal(encoding.encode(fit.melody), encoding.encode(melody))
    struck = sum(len(note.pitches) for note in melody.sounding)
    kept = {note for note in melody.sounding if len(encoding.encode(Melody((note,))))}
    assert fit.dropped == struck - sum(len(note.pitches) for note in melody.sounding if note in kept)
    assert len(fit.melody.notes) == sum(note in kept for note in melody.sounding)
    assert (fit.melody.key, fit.melody.meter, fit.melody.title) == (melody.key, melody.meter, "a tune")
    assert fit.melody.tempo == Tempo()  # an eighth is a quarter of a second


@settings(max_examples=40, deadline=None)
@given(melody=melodies(), named=chords)
def test_an_encoding_drops_and_folds_nothing_of_what_it_learned_from(melody: Melody, named: Any) -> None:
    if melody.sounding:
        encoding = EventsEncoding.learned_from([melody], named)
        fit = encoding.fit(melody)
        assert (fit.folded, fit.dropped) == (0, 0)
        assert len(encoding.encode(melody)) == len(melody.sounding)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_the_line_says_what_decoding_sounds(data: st.DataObject, encoding: EventsEncoding) -> None:
    size = len(encoding.vocabulary)
    tokens = data.draw(st.lists(st.lists(st.integers(0, size - 1), min_size=4, max_size=4), min_size=1, max_size=5))
    line = encoding.line(np.array(tokens))
    assert (line.event == 2).all()
    for row, melody in enumerate(tokens):
        for step, note in enumerate(encoding.decode(melody).notes):
            assert line.pitch[row, step] == note.top
            assert {pc for pc in range(12) if line.pitch_classes[row, step] >> pc & 1} == {p % 12 for p in note.pitches}


def test_it_is_an_encoding() -> None:
    encoding = EventsEncoding(("C4", "0.4.7"))
    assert isinstance(encoding, Encoding)
    assert (encoding.name, encoding.is_timed, encoding.ticks_per_step) == ("events", False, 12)


def test_the_papers_words() -> None:
    tune = Melody.from_pitches(
        [(60, 24), ((55, 64, 72), 6), (61, 90), ((48, 60), 12), ((62, 70, 77), 12), (None, 5), (59, 12)]
    )
    encoding = EventsEncoding.learned_from([tune, tune.transposed(12)])
    assert encoding.vocabulary == ("B3", "C4", "C#4", "B4", "C5", "C#5", "0", "0.4.7", "10.2.5")
    decoded = encoding.decode(encoding.encode(tune))
    assert [note.name for note in decoded.notes] == [
        "C4", "C4+E4+G4", "C#4", "C3+C4", "A#4+D5+F5", "B3",
    ]  # fmt: skip
    assert decoded.seconds == pytest.approx(0.25 * 6)


def test_full_names_keep_the_voicing() -> None:
    tune = Melody.from_pitches([((55, 64, 72), 12), ((48, 60), 12), (60, 12)])
    encoding = EventsEncoding.learned_from([tune], "full")
    assert encoding.vocabulary == ("C4", "C3+C4", "G3+E4+C5")
    assert encoding.decode(encoding.encode(tune)) == tune


def test_notes_outside_the_vocabulary_are_folded_or_dropped_and_counted() -> None:
    encoding = EventsEncoding(("C4", "C6", "D4", "0.4.7"))
    fit = encoding.fit(
        Melody.from_pitches([(72, 12), (84, 12), (61, 12), ((60, 64, 67), 12), ((60, 63, 67), 12), (38, 12)])
    )
    assert [note.name for note in fit.melody.notes] == ["C4", "C6", "C4+E4+G4", "D4"]
    assert (fit.folded, fit.dropped) == (2, 4)
    full = EventsEncoding(("C4+E4", "C4"), "full").fit(Melody.from_pitches([((48, 52), 12), ((48, 64), 12)]))
    assert (full.folded, full.dropped, [note.name for note in full.melody.notes]) == (2, 2, ["C4+E4"])


def test_events_that_move_in_time_are_counted() -> None:
    encoding = EventsEncoding(("C4",))
    assert encoding.fit(Melody.from_pitches([(60, 12), (60, 12), (60, 24), (60, 12)])).rounded == 2
    assert encoding.fit(Melody.from_pitches([(None, 12), (60, 12)])).rounded == 1


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(UsageError, match="vocabulary is empty"):
        EventsEncoding.learned_from([Melody(()), Melody.from_pitches([(None, 12)])])


@pytest.mark.parametrize(
    ("vocabulary", "named"),
    [
        ((), "normal-order"),
        (("C4", "C4"), "normal-order"),
        (("Db4",), "normal-order"),
        (("c4",), "normal-order"),
        (("C04",), "normal-order"),
        ((" C4",), "normal-order"),
        (("",), "normal-order"),
        (("C4+E4",), "normal-order"),
        (("4.0.7",), "normal-order"),
        (("0.4.7.",), "normal-order"),
        (("0.4.12",), "normal-order"),
        (("00.4.7",), "normal-order"),
        (("9" * 9000,), "normal-order"),
        (("٤",), "normal-order"),
        (("0.4.7",), "full"),
        (("E4+C4",), "full"),
        (("C4+C4",), "full"),
        (("C10",), "full"),
        (("C4",), "loud"),
    ],
)
def test_names_that_would_break_the_law_are_refused(vocabulary: tuple[str, ...], named: Any) -> None:
    with pytest.raises(UsageError):
        EventsEncoding(vocabulary, named)


@pytest.mark.parametrize("tokens", [[2], [-1], [0.5], [[0]]])
def test_tokens_outside_the_vocabulary_are_refused(tokens: Any) -> None:
    with pytest.raises(UsageError):
        EventsEncoding(("C4", "0")).decode(tokens)


def test_every_normal_order_is_a_word() -> None:
    names = tuple(
        sorted(
            {".".join(map(str, normal_order([pc for pc in range(12) if mask >> pc & 1]))) for mask in range(1, 4096)}
        )
    )
    encoding = EventsEncoding(names)
    assert len(names) == 4095
    assert encoding.encode(encoding.decode(range(4095))).tolist() == list(range(4095))


ALL_SETS = [tuple(pc for pc in range(12) if mask >> pc & 1) for mask in range(1, 4096)]


@pytest.mark.parametrize(
    "sets",
    [
        pytest.param(ALL_SETS[::61], id="some"),
        pytest.param(ALL_SETS, id="all", marks=pytest.mark.slow),  # music21 takes 10 ms a chord
    ],
)
def test_pitch_class_sets_have_music21s_normal_order(sets: list[tuple[int, ...]]) -> None:
    chord = pytest.importorskip("music21.chord")
    for classes in sets:
        assert normal_order(classes) == tuple(chord.Chord(list(classes)).normalOrder), classes


def test_chord_pitches_have_the_same_normal_order() -> None:
    for classes in ALL_SETS:
        order = normal_order(classes)
        pitches = chord_pitches(order)
        assert normal_order(pitches) == order
        assert len(pitches) >= 2
        assert all(low < high for low, high in pairwise(pitches))
        if len(order) > 1:
            assert pitches[0] == 60 + order[0]
            assert all(high - low < 12 for low, high in pairwise(pitches))
        else:
            assert 60 <= pitches[-1] < 72


@settings(deadline=None)
@given(st.lists(st.integers(0, 127), min_size=1, max_size=8), st.integers(-3, 3))
def test_octaves_and_repeats_do_not_matter(pitches: list[int], octaves: int) -> None:
    assert normal_order([*pitches, *(pitch + 12 * octaves for pitch in pitches)]) == normal_order(pitches)


def test_no_pitches_have_an_empty_order() -> None:
    assert normal_order(()) == ()
