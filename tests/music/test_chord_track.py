"""Chords over time, and lead sheets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.music import (
    CHORD_TONES,
    MOST_BARS,
    MOST_CHARACTERS,
    Chord,
    ChordTrack,
    Key,
    Melody,
    Meter,
    parse_sections,
)

FOUR, THREE = Meter(4, 4), Meter(3, 4)

chords = st.one_of(
    st.builds(Chord, st.integers(0, 11), st.sampled_from(sorted(CHORD_TONES)), st.integers(0, 11)),
    st.just(Chord(None)),
)
tracks = st.dictionaries(st.integers(0, 400), chords, max_size=12).map(
    lambda changes: ChordTrack(tuple(sorted(changes.items(), key=lambda change: change[0])))
)
ticks = st.integers(0, 400)


def names(track):
    return [(tick, str(chord)) for tick, chord in track]


@given(chords)
def test_a_chord_is_read_as_it_is_written(chord):
    assert Chord.parse(str(chord)) == chord


@given(tracks, st.integers(-12, 12), st.integers(-12, 12))
def test_transposing_twice_is_transposing_by_the_sum(track, first, second):
    assert track.transposed(first).transposed(second) == track.transposed(first + second)
    assert track.transposed(12) == track


@given(tracks, ticks, ticks, ticks)
def test_a_part_sounds_as_the_whole_there(track, start, end, tick):
    part = track.between(start, end)
    if tick < end - start:
        assert part.at(tick) == track.at(start + tick)
    assert all(tick < end - start for tick, _ in part)


@given(tracks, ticks)
def test_two_halves_are_the_whole(track, at):
    assert track.between(0, at).then(track.between(at, 1000), at).merged() == track.merged()


@given(tracks, tracks, ticks, ticks)
def test_what_follows_sounds_from_there_on(track, other, at, tick):
    both = track.then(other, at)
    if tick < at:
        assert both.at(tick) == track.at(tick)
    elif other.at(tick - at) is not None:
        assert both.at(tick) == other.at(tick - at)


@given(tracks, st.integers(1, 500))
def test_spans_tile_the_length(track, length):
    spans = list(track.spans(length))
    inside = [tick for tick, _ in track if tick < length]
    assert [onset for onset, _, _ in spans] == inside
    assert sum(duration for _, duration, _ in spans) == (length - inside[0] if inside else 0)
    assert all(duration > 0 for _, duration, _ in spans)


@given(tracks, st.sampled_from([FOUR, THREE, Meter(6, 8), Meter(2, 2)]), st.integers(1, 500))
def test_a_lead_sheet_says_what_the_track_says(track, meter, length):
    read = ChordTrack.parse(track.lead_sheet(meter, length), meter)
    assert read.bars(meter) == -(-length // meter.ticks_per_bar)
    for tick in range(0, length, 7):
        assert (read.at(tick) or Chord(None)) == (track.at(tick) or Chord(None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C", "C"),
        ("| C | Am |", "C | Am"),
        ("C | % | F G", "C | C | F G"),
        ("C x3 | G", "C | C | C | G"),
        ("(C | F) x2 | G", "C | F | C | F | G"),
        ("| (C | F)x2 |\n| G7(b9) A7(#5) |\n\n| C |", "C | F | C | F | G7 A7 | C"),
        ("C || F\nG", "C | F | G"),
        ("C | % x2 | N.C.", "C | C | C | N.C."),
        ("(| C | F |) x2", "C | F | C | F"),
    ],
)
def test_lead_sheets(text, expected):
    assert ChordTrack.parse(text, FOUR) == ChordTrack.parse(expected, FOUR)
    assert ChordTrack.parse(text, FOUR).lead_sheet(FOUR, 96 * (expected.count("|") + 1)) == expected


def test_chords_share_a_bar_after_the_pickup():
    track = ChordTrack.parse("C F G | Am", THREE, pickup=24)
    assert names(track) == [(24, "C"), (48, "F"), (72, "G"), (96, "Am")]
    assert track.at(0) is None
    assert track.bars(THREE, 24) == 2
    assert [names(bar) for bar in track.in_bars(THREE, 168, 24)] == [[], [(0, "C"), (24, "F"), (48, "G")], [(0, "Am")]]


@pytest.mark.parametrize(
    ("text", "place", "wrong"),
    [
        ("C | Xy | F", "bar 2, column 5", "'Xy' is not a chord symbol"),
        ("C |\nF | H7", "bar 3, column 5", "'H7' is not a chord symbol"),
        ("C | F G A B C | F", "bar 2, column 15", "5 chords cannot share a bar of 4/4"),
        ("C | | F", "bar 2, column 5", "a bar is empty"),
        ("% | C", "bar 1, column 1", "no bar that % can repeat"),
        ("C | F % | C", "bar 2, column 7", "no bar that % can repeat"),
        ("x4 | C", "bar 1, column 1", "x4 follows no bar"),
        ("C | x4", "bar 2, column 5", "x4 follows no bar"),
        ("C x0", "bar 1, column 3", "x0 is no number of times"),
        ("C x1025", "bar 1, column 3", "more than 1,024 bars"),
        ("C x99999999999999999999", "bar 1, column 3", "is no number of times"),
        ("(C | F", "bar 2, column 7", "a parenthesis is not closed"),
        ("((C | F) x2) x2", "bar 1, column 2", "a parenthesis opens inside"),
        ("C (F | G) x2", "bar 1, column 3", "a parenthesis opens inside"),
        ("C ) x2", "bar 1, column 3", "a parenthesis closes no bars"),
        ("(C | F) x2 G", "bar 4, column 12", "'G' follows the end of a bar"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text, place, wrong):
    with pytest.raises(UsageError) as refused:
        ChordTrack.parse(text, FOUR)
    assert refused.value.text.startswith(f"{place}: ")
    assert wrong in refused.value.text
    assert refused.value.hint


@pytest.mark.parametrize("text", ["", " | ", "\n"])
def test_no_chords_are_refused(text):
    with pytest.raises(UsageError):
        ChordTrack.parse(text, FOUR)


@pytest.mark.parametrize("text", ["H", "H7", "Cis", "Es", "As7", "Am moll", "C-Dur", "a-Moll", "Fis", "cismoll"])
def test_german_names_are_refused_with_the_reason(text):
    with pytest.raises(UsageError) as refused:
        Chord.parse(text)
    assert "B for H" in refused.value.hint


@pytest.mark.parametrize("text", ["Do", "Re", "Mi", "Fa", "Sol", "La", "Si", "Solm7", "Do7", "Fa#"])
def test_solfege_is_refused_with_the_reason(text):
    with pytest.raises(UsageError) as refused:
        ChordTrack.parse(f"C | {text}", FOUR)
    assert " do " in f" {refused.value.hint}"


def test_b_is_b_as_in_english():
    assert Chord.parse("B7").root == 11


def test_long_texts_and_many_bars_are_refused():
    with pytest.raises(UsageError, match="characters"):
        ChordTrack.parse("C" * (MOST_CHARACTERS + 1), FOUR)
    with pytest.raises(UsageError, match="more than 1,024 bars"):
        ChordTrack.parse("C|" * (MOST_BARS + 1), FOUR)
    with pytest.raises(UsageError, match="characters"):
        parse_sections("A:" + " " * MOST_CHARACTERS, FOUR)


def test_sections_by_letter():
    sections = parse_sections("A: C | Am | F | G; b: F | G\nC: (C | F) x2 ;", FOUR)
    assert {letter: track.bars(FOUR) for letter, track in sections.items()} == {"A": 4, "B": 2, "C": 4}
    assert names(sections["B"]) == [(0, "F"), (96, "G")]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("C | F", "do not begin with a section"),
        ("A: C; A: F", "section A has chords twice"),
        ("A: C; B: C | Q", "section B: bar 2, column 6: 'Q'"),
        ("A: ; B: C", "section A: there are no chords"),
        ("A: C x1000; B: C x1000", "the sections have 2,000 bars"),
    ],
)
def test_wrong_sections(text, wrong):
    with pytest.raises(UsageError) as refused:
        parse_sections(text, FOUR)
    assert wrong in refused.value.text


@pytest.mark.parametrize("changes", [((5, Chord(0)), (5, Chord(1))), ((5, Chord(0)), (4, Chord(1))), ((-1, Chord(0)),)])
def test_changes_out_of_order_are_refused(changes):
    with pytest.raises(UsageError, match="a chord at tick"):
        ChordTrack(changes)


def test_a_track_is_a_sequence_of_pairs():
    track = ChordTrack.parse("C | F | G", FOUR)
    assert track[1] == (96, Chord(5))
    assert track[1:].changes == track.changes[1:]
    assert (96, Chord(5)) in track
    assert hash(track) == hash(ChordTrack(track.changes))


def test_a_melody_takes_pairs_and_moves_its_chords():
    tune = Melody.from_pitches([(60, 96), (62, 96)], chords=((0, Chord(0)), (96, Chord(7, "7"))))
    assert isinstance(tune.chords, ChordTrack)
    assert names(tune.then(tune.transposed(2)).chords) == [(0, "C"), (96, "G7"), (192, "D"), (288, "A7")]
    assert names(tune.between(48, 192).chords) == [(0, "C"), (48, "G7")]


def test_json_of_a_track():
    track = ChordTrack(((12, Chord.parse("G7/B")), (36, Chord(None)), (48, Chord.parse("Ab"))))
    rows = track.to_json(60, Key.parse("C minor"))
    assert rows[0] == {
        "onset": 0.5, "duration": 1.0, "root": 7, "quality": "7", "bass": 11, "symbol": "G7/B", "roman": "V65",
    }  # fmt: skip
    assert rows[1] == {
        "onset": 1.5, "duration": 0.5, "root": None, "quality": None, "bass": None, "symbol": "N.C.", "roman": None,
    }  # fmt: skip
    assert (rows[2]["roman"], rows[2]["duration"]) == ("VI", 0.5)
    assert [row["roman"] for row in track.to_json(60)] == [None, None, None]
