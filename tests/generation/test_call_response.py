"""Call and response: what is played becomes a melody, and an answer fits it."""

from __future__ import annotations

import pytest

from cantilena.errors import UsageError
from cantilena.generation import Composer, PlayedNote, answer, call_melody, load
from cantilena.music import Key, Melody, Meter
from cantilena.runtime import generator

QUARTER = 0.5  # seconds at 120 quarter notes a minute


def played(*notes: tuple[int, float, float]) -> list[PlayedNote]:
    """Notes by pitch, onset and duration in quarter notes."""
    return [PlayedNote(pitch, on * QUARTER, (on + length) * QUARTER) for pitch, on, length in notes]


def times(melody: Melody) -> list[tuple[int, int, int]]:
    return [(note.top, note.onset, note.duration) for note in melody.notes]


@pytest.fixture(scope="module")
def tunes() -> Composer:
    return load("tunes")


def test_sixteenths_survive_jitter() -> None:
    rng = generator(5, "jitter")
    onsets = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3]
    call = call_melody(played(*((60 + k, at + rng.uniform(-0.06, 0.06), 0.2) for k, at in enumerate(onsets))), bars=1)
    assert [note.onset for note in call.notes] == [round(24 * at) for at in onsets]


def test_a_quarter_of_triplets_is_heard_among_sixteenths() -> None:
    call = call_melody(
        played((60, 0, 0.5), (62, 0.5, 0.5), (64, 1.02, 0.3), (65, 1.31, 0.3), (67, 1.68, 0.3), (69, 2, 2)), bars=1
    )
    assert [note.onset for note in call.notes] == [0, 12, 24, 32, 40, 48]


def test_compound_meters_have_no_triplets() -> None:
    call = call_melody(played((60, 0, 0.5), (62, 0.52, 0.5), (64, 1.01, 0.5)), bars=1, meter=Meter(6, 8))
    assert [note.onset for note in call.notes] == [0, 12, 24]
    assert call.length == 72


def test_overlapping_notes_are_cut_and_small_gaps_closed() -> None:
    call = call_melody(played((60, 0, 1.6), (64, 1, 0.8), (67, 2, 0.5), (72, 3, 0.9)), bars=1)
    assert times(call) == [(60, 0, 24), (64, 24, 24), (67, 48, 12), (72, 72, 24)]
    assert call.is_monophonic


def test_of_notes_struck_together_the_highest_stays() -> None:
    call = call_melody(played((60, 0, 4), (64, 0.01, 4), (55, 0.02, 4)), bars=1)
    assert times(call) == [(64, 0, 96)]


def test_an_early_first_note_begins_with_the_bar_and_late_ones_are_left_out() -> None:
    call = call_melody(played((59, -1, 0.9), (60, -0.2, 1.2), (64, 1, 3), (67, 3.95, 1)), bars=1)
    assert times(call) == [(60, 0, 24), (64, 24, 72)]


def test_a_held_note_ends_with_the_call() -> None:
    assert times(call_melody(played((60, 0, 9)), bars=2, meter=Meter(3, 4))) == [(60, 0, 144)]


def test_a_call_of_silence_is_an_error() -> None:
    with pytest.raises(UsageError, match="the call of 2 bars has no note"):
        call_melody(played((60, 8, 1)), bars=2)
    with pytest.raises(UsageError, match="a call of 0 bars"):
        call_melody(played((60, 0, 1)), bars=0)


def test_the_key_is_found_or_given() -> None:
    notes = played((62, 0, 1), (66, 1, 1), (69, 2, 1), (62, 3, 1))
    assert call_melody(notes, bars=1).key == Key.parse("D major")
    assert call_melody(notes, bars=1, key=Key.parse("G major")).key == Key.parse("G major")


@pytest.mark.parametrize(("bars", "meter"), [(1, Meter()), (2, Meter(3, 4)), (4, Meter(6, 8))])
@pytest.mark.parametrize("reply", ["new", "varied"])
def test_an_answer_has_as_many_bars_and_ends_on_the_tonic(tunes: Composer, bars: int, meter: Meter, reply: str) -> None:
    notes = played(*((62 + step, 0.5 * at, 0.5) for at, step in enumerate([0, 4, 7, 4, 5, 4])))
    call = call_melody(notes, bars=bars, meter=meter, tempo=120, key=Key.parse("D major"))
    response = answer(tunes, call, reply=reply, seed=3)
    assert response.melody.length == 2 * call.length == 2 * bars * meter.ticks_per_bar
    assert response.melody.until(call.length).notes == call.notes
    assert (response.melody.key, response.melody.meter, response.melody.tempo) == (call.key, meter, call.tempo)
    assert response.notes[-1].end == call.length
    assert response.notes[-1].top % 12 == 2
    assert all(0 <= note.onset < call.length for note in response.notes)


def test_the_same_seed_gives_the_same_answer(tunes: Composer) -> None:
    call = call_melody(played((60, 0, 1), (64, 1, 1), (67, 2, 2)), bars=2)
    first, again, other = (answer(tunes, call, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.notes != other.notes


def test_models_without_forms_answer_too(grid: Composer, notes: Composer, events: Composer) -> None:
    call = call_melody(played((60, 0, 1), (64, 1, 1), (67, 2, 2)), bars=1)
    for composer in (grid, notes):
        assert answer(composer, call).melody.length == 192
    with pytest.raises(UsageError, match="composes no rhythm"):
        answer(events, call)


def test_what_the_call_decides_cannot_be_asked_for(tunes: Composer) -> None:
    call = call_melody(played((60, 0, 1)), bars=1)
    with pytest.raises(UsageError, match="--bars and a call together"):
        answer(tunes, call, bars=4)
    with pytest.raises(UsageError, match="whole bars"):
        answer(tunes, call.until(90))
    assert all(48 <= note.top <= 64 for note in answer(tunes, call, range="C3-E4").notes)
