"""Sections, the order in which they are played, and what cutting and joining do to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cantilena.errors import UsageError
from cantilena.io.score import Bar, repeats_of
from cantilena.music import Chord, Melody, Repeats, Section

MARKS = {
    "|:": {"opens_repeat": True}, ":|": {"closes_repeat": 2}, ":|3": {"closes_repeat": 3}, "||": {"ends_section": True},
    "1": {"endings": (1,)}, "2": {"endings": (2,)}, "1,2": {"endings": (1, 2)}, "3": {"endings": (3,)},
    "segno": {"begins": "segno"}, "coda": {"begins": "coda"}, "DC": {"jump": "dacapo"}, "DS": {"jump": "dalsegno"},
    "to": {"jump": "tocoda"}, "fine": {"jump": "fine"}, "#1": {"number": "1"}, "#9": {"number": "9"},
}  # fmt: skip


def played(text):
    """The bars that are played, by number from 0; bars are separated by `;`, marks of a bar by spaces."""
    bars = []
    for number, words in enumerate(text.split(";")):
        bar = Bar(number, number + 1)
        for word in words.split():
            bar = replace(bar, **MARKS[word])
        bars.append(bar)
    repeats = repeats_of(tuple(bars))
    return [tick for turn in repeats.order for tick in range(repeats.sections[turn].start, repeats.sections[turn].end)]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (";;", [0, 1, 2]),
        (";:|;", [0, 1, 0, 1, 2]),
        (";|:;:|;", [0, 1, 2, 1, 2, 3]),
        ("|: :|;|: :|", [0, 0, 1, 1]),
        (":|;:|", [0, 0, 1, 1]),
        (";:|3;", [0, 1, 0, 1, 0, 1, 2]),
        (";1 :|;2;", [0, 1, 0, 2, 3]),
        ("|:;1 :|;2 :|;", [0, 1, 0, 2, 3]),
        ("|:;1,2 :|;3;", [0, 1, 0, 1, 0, 2, 3]),
        ("|:;1 :|;2 ||;|:;1 :|;2", [0, 1, 0, 2, 3, 4, 3, 5]),
        ("fine;DC;", [0, 1, 0]),
        (";:| fine;DC", [0, 1, 0, 1, 2, 0, 1]),
        (";segno;fine;DS", [0, 1, 2, 3, 1, 2]),
        (";to;DC;coda;", [0, 1, 2, 0, 1, 3, 4]),
        ("|:;1 :|;2;DC", [0, 1, 0, 2, 3, 0, 2, 3]),
        ("|:;1 :|;2 |:;:|", [0, 1, 0, 2, 3, 2, 3]),
        ("#1;#9 ||;#1;:|;#9 fine;DC;#1", [0, 1, 2, 3, 2, 3, 4, 5, 2, 3, 4, 6]),
        ("#1;#9;#1 :|", [0, 1, 2, 0, 1, 2]),
        (";1 :|;3;", [0, 1, 0, 2, 3]),
        (";DC;coda to;;DC", [0, 1, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]),
        ("to;DC;coda;;DC", [0, 1, 0, 2, 3, 4, 0, 2, 3, 4]),
        ("", [0]),
    ],
)
def test_the_order_of_playing(text, order):
    assert played(text) == order


def test_contradictory_marks_end():
    assert played("segno DC |: :|;DS segno :|;1;1 :|;coda to")


def test_a_melody_keeps_chords_sections_and_phrase_ends():
    tune = Melody.from_pitches(
        [(60, 48), (64, 48), (67, 96)],
        chords=((0, Chord.parse("C")), (96, Chord.parse("Em"))),
        repeats=Repeats((Section(0, 96), Section(96, 192)), (0, 0, 1)),
        phrase_ends=(96, 192),
    )
    assert [note.name for note in tune.unfolded().notes] == ["C4", "E4", "C4", "E4", "G4"]
    assert tune.unfolded().phrase_ends == (96, 192, 288)
    assert [str(chord) for _, chord in tune.transposed(2).chords] == ["D", "F#m"]
    end = tune.between(48, 144)
    assert [(tick, str(chord)) for tick, chord in end.chords] == [(0, "C"), (48, "Em")]
    assert (end.phrase_ends, end.repeats.order) == ((48,), (0, 0, 1))
    both = end.then(end)
    assert (both.phrase_ends, both.repeats.order, both.chords[2][0]) == ((48, 144), (0, 0, 1, 2, 2, 3), 96)


def test_sections_out_of_order_are_refused():
    with pytest.raises(UsageError, match="a section from tick 5 to 9 after tick 7"):
        Repeats((Section(0, 7), Section(5, 9)))
    with pytest.raises(UsageError, match="1 sections cannot be played"):
        Repeats((Section(0, 7),), (0, 1))
