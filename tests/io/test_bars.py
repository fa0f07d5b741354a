"""How melodies are written down: values, ties, triplets, beams, spelling, clefs, lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.io.engraving.bars import Symbol, best_clef, notate, voice
from cantilena.io.engraving.engraving import line_breaks
from cantilena.io.engraving.spelling import spell_pitch
from cantilena.music import Key, Melody, Meter, Note

METERS = ["4/4", "3/4", "2/4", "2/2", "6/8", "9/8", "12/8", "3/8", "5/8", "7/8", "5/4", "6/4", "3/2", "5/16", "1/32"]


def symbols(melody: Melody) -> list[Symbol]:
    return [symbol for bar in notate(melody) for symbol in bar.symbols]


def written(melody: Melody) -> str:
    """A score as text: the value with its dot, r for rests, ~ for ties, 3 for triplets, | for barlines."""
    letters = {"whole": "w", "half": "h", "quarter": "q", "eighth": "e", "16th": "s", "32nd": "t", "64th": "x"}
    bars = []
    for bar in notate(melody):
        signs = []
        for symbol in bar.symbols:
            kind = "bar" if symbol.value is None else letters[symbol.value.kind] + "." * symbol.value.dots
            rest, triplet, tie = "r" * (symbol.chord is None), "3" * (symbol.triplet is not None), "~" * symbol.tied[1]
            signs.append(rest + kind + triplet + tie)
        bars.append(" ".join(signs))
    return " | ".join(bars)


@pytest.mark.parametrize(
    ("meter", "durations", "expected"),
    [
        ("4/4", [96], "w"),
        ("4/4", [36, 12, 48], "q. e h"),
        ("4/4", [12, 24, 12, 48], "e q e h"),  # syncopation within a half
        ("4/4", [24, 48, 24], "q h q"),
        ("4/4", [36, 24, 36], "q. e~ e q."),  # never over the middle of the bar
        ("4/4", [24, 36, 36], "q q~ e q."),
        ("4/4", [72, 48, 72], "h. q~ | q h."),
        ("4/4", [60, 36], "h~ e q."),
        ("4/4", [84, 12], "h~ q. e"),
        ("4/4", [18, 6, 18, 6, 48], "e. s e. s h"),
        ("4/4", [18, 12, 18, 48], "e. s~ s e. h"),
        ("3/4", [72], "h."),
        ("3/4", [24, 48], "q h"),
        ("3/4", [12, 48, 12], "e e~ q. e"),
        ("6/8", [72], "h."),
        ("6/8", [48, 24], "q.~ e q"),
        ("6/8", [24, 12, 12, 24], "q e e q"),
        ("6/8", [18, 6, 12, 36], "e. s e q."),
        ("6/8", [18, 18, 36], "e. e. q."),  # duplets
        ("9/8", [108], "h.~ q."),
        ("5/4", [120], "w~ q"),
        ("4/4", [8, 8, 8, 24, 48], "e3 e3 e3 q h"),
        ("4/4", [16, 8, 24, 48], "q3 e3 q h"),
        ("4/4", [16, 16, 16, 48], "q3 q3 q3 h"),
        ("4/4", [32, 32, 32], "h3 h3 h3"),
        ("4/4", [12, 4, 4, 4, 72], "e s3 s3 s3 h."),
        ("3/4", [24, 16, 16, 16], "q q3 q3 q3"),
        ("6/8", [12, 4, 4, 4, 12, 36], "e s3 s3 s3 e q."),
        ("2/4", [2, 2, 2, 6, 12, 24], "t3 t3 t3 s e q"),
    ],
)
def test_durations_are_written_as_a_musician_would(meter: str, durations: list[int], expected: str) -> None:
    assert written(Melody.from_pitches([(60, ticks) for ticks in durations], meter=Meter.parse(meter))) == expected


@pytest.mark.parametrize(
    ("meter", "pairs", "expected"),
    [
        ("4/4", [(60, 24), (None, 72)], "q rq rh"),
        ("4/4", [(60, 12), (None, 84)], "e re rq rh"),
        ("4/4", [(None, 72), (60, 24)], "rh rq q"),
        ("4/4", [(60, 96), (None, 96), (60, 96)], "w | rbar | w"),
        ("3/4", [(60, 24), (None, 48)], "q rq rq"),
        ("6/8", [(60, 36), (None, 36)], "q. rq."),
        ("6/8", [(60, 12), (None, 24), (60, 36)], "e re re q."),
        ("6/8", [(None, 24), (60, 12), (60, 36)], "rq e q."),
        ("4/4", [(60, 8), (None, 8), (60, 8), (60, 72)], "e3 re3 e3 h."),
        ("4/4", [(60, 24)], "q rq rh"),  # the last bar is filled up
    ],
)
def test_rests_keep_the_beats_visible(meter: str, pairs: list[tuple[int | None, int]], expected: str) -> None:
    assert written(Melody.from_pitches(pairs, meter=Meter.parse(meter))) == expected


def test_a_pickup_bar_is_short_and_the_last_bar_completes_it() -> None:
    tune = Melody.from_pitches([(67, 24), (72, 72), (67, 48)], meter=Meter(3, 4), pickup=24)
    assert written(tune) == "q | h. | h"
    assert (
        written(Melody.from_pitches([(67, 24), (72, 72), (67, 24)], meter=Meter(3, 4), pickup=24)) == "q | h. | q rq rq"
    )
    assert written(Melody.from_pitches([(60, 8), (62, 96)], pickup=8)) == "e3 | w"


def test_overlaps_are_cut_and_what_begins_together_is_a_chord() -> None:
    tune = Melody(
        (Note((60,), 0, 96), Note((64,), 0, 12), Note((67,), 24, 96), Note((72, 64), 48, 24), Note((), 72, 9))
    )
    assert [(chord.pitches, chord.start, chord.end) for chord in voice(tune)] == [
        ((60, 64), 0, 24),
        ((67,), 24, 48),
        ((64, 72), 48, 72),
    ]
    assert voice(tune)[0].sources == (0, 1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 127), st.integers(1, 200)), max_size=25),
    st.sampled_from(METERS),
    st.integers(0, 100),
)
def test_bars_are_gapless_and_hold_every_note_exactly(
    pairs: list[tuple[int | None, int]], meter_name: str, pickup: int
) -> None:
    melody = Melody.from_pitches(pairs, meter=Meter.parse(meter_name), pickup=pickup)
    chords, tick, length = voice(melody), 0, {}
    for bar in notate(melody):
        assert bar.start == tick
        open_triplet = None
        for symbol in bar.symbols:
            assert symbol.start == tick
            tick += symbol.duration
            if symbol.chord is not None:
                chord = symbol.chord
                assert chord.start <= symbol.start
                assert tick <= chord.end
                assert symbol.tied == (symbol.start > chord.start, tick < chord.end)
                length[chord] = length.get(chord, 0) + symbol.duration
            if symbol.triplet:
                assert symbol.triplet_edges[0] == (open_triplet != symbol.triplet)
            assert open_triplet in (None, symbol.triplet)
            open_triplet = None if symbol.triplet_edges[1] else symbol.triplet
        assert open_triplet is None
        assert bar.end == tick
    assert tick >= melody.length
    assert length == {chord: chord.end - chord.start for chord in chords}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.none() | st.just(60), st.integers(1, 50)), max_size=25), st.sampled_from(METERS))
def test_beams_open_and_close_at_every_level(pairs: list[tuple[int | None, int]], meter_name: str) -> None:
    for bar in notate(Melody.from_pitches(pairs, meter=Meter.parse(meter_name))):
        is_open = [False] * 4
        for symbol in bar.symbols:
            assert len(symbol.beams) in (0, symbol.value.flags if symbol.value else 0)
            for level, state in enumerate(symbol.beams):
                assert is_open[level] == (state in ("continue", "end"))
                is_open[level] = state in ("begin", "continue")
            assert not any(is_open[len(symbol.beams) :])
        assert not any(is_open)


def first_beams(durations: list[int], meter: str) -> str:
    """The first beam as text: [ begins, - goes on, ] ends, . alone."""
    signs = {"begin": "[", "continue": "-", "end": "]"}
    tune = Melody.from_pitches([(60, ticks) for ticks in durations], meter=Meter.parse(meter))
    return "".join(signs[symbol.beams[0]] if symbol.beams else "." for symbol in symbols(tune))


@pytest.mark.parametrize(
    ("meter", "durations", "expected"),
    [
        ("4/4", [12] * 8, "[--][--]"),
        ("4/4", [12, 12, 6, 6, 12, 48], "[][-]."),
        ("3/4", [12] * 6, "[----]"),
        ("2/4", [12] * 4, "[--]"),
        ("6/8", [12] * 6, "[-][-]"),
        ("3/8", [12] * 3, "[-]"),
        ("5/8", [12] * 5, "[][-]"),
        ("7/8", [12] * 7, "[][][-]"),
        ("2/2", [12] * 8, "[--][--]"),
        ("4/4", [12, 24, 12, 48], "...."),
    ],
)
def test_beams_show_the_beat(meter: str, durations: list[int], expected: str) -> None:
    assert first_beams(durations, meter) == expected


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("C major", "C C♯ D E♭ E F F♯ G G♯ A B♭ B"),
        ("A minor", "C C♯ D D♯ E F F♯ G G♯ A B♭ B"),
        ("D major", "C C♯ D D♯ E F F♯ G G♯ A A♯ B"),
        ("Eb major", "C D♭ D E♭ E F G♭ G A♭ A B♭ B"),
        ("C minor", "C D♭ D E♭ E F F♯ G A♭ A B♭ B"),
        ("G# minor", "B♯ C♯ D D♯ E E♯ F♯ F𝄪 G♯ A A♯ B"),
    ],
)
def test_pitches_are_spelled_by_key(key: str, names: str) -> None:
    expected = [name.replace("𝄪", "♯♯") for name in names.split()]
    assert [spell_pitch(pitch, Key.parse(key)).name[:-1] for pitch in range(60, 72)] == expected


@given(
    st.integers(0, 127),
    st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"])),
    st.none() | st.integers(0, 127),
)
def test_every_spelling_sounds_as_the_pitch(pitch: int, key: Key, following: int | None) -> None:
    spelling = spell_pitch(pitch, key, following)
    naturals = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    assert naturals[spelling.step] + spelling.alter + 12 * (spelling.octave + 1) == pitch
    assert abs(spelling.alter) <= 1 or (key.mode == "minor" and pitch % 12 == (key.tonic - 1) % 12)


@given(st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"])))
def test_a_scale_takes_seven_letters_and_no_accidentals(key: Key) -> None:
    from cantilena.io.engraving.spelling import signature_alterations

    spellings = [spell_pitch(60 + pitch_class, key) for pitch_class in key.pitch_classes]
    assert {one.step: one.alter for one in spellings} == signature_alterations(key.fifths)


def test_clefs_follow_the_range() -> None:
    assert [
        (best_clef(p).sign, best_clef(p).octaves) for p in ([60, 72, 81], [43, 50, 55], [90, 99], [], [24, 30])
    ] == [
        ("G", 0),
        ("F", 0),
        ("G", 1),
        ("G", 0),
        ("F", -1),
    ]


@pytest.mark.parametrize(
    ("bars", "room", "pickup", "expected"),
    [
        ([1.0] * 8, 8.0, False, []),
        ([1.0] * 8, 6.5, False, [4]),
        ([0.3, *[1.0] * 8], 6.5, True, [5]),
        ([1.0] * 16, 9.0, False, [8]),
        ([1.0] * 10, 5.0, False, [4, 8]),
        ([1.0] * 9, 6.0, False, [5]),
        ([9.0, 9.0], 5.0, False, [1]),
        ([1.0], 5.0, False, []),
    ],
)
def test_lines_break_at_phrases(bars: list[float], room: float, pickup: bool, expected: list[int]) -> None:
    assert line_breaks(bars, room, has_pickup=pickup) == expected


def test_too_many_bars_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="too long"):
        symbols(Melody((), length=2**50))


@pytest.mark.parametrize("mode", ["dorian", "phrygian", "lydian", "mixolydian", "locrian"])
def test_the_tones_of_any_mode_need_no_accidental(mode: str) -> None:
    for tonic in range(12):
        key = Key(tonic, mode)  # type: ignore[arg-type]
        sharps, flats = "FCGDAEB"[: max(key.fifths, 0)], "BEADGCF"[: max(-key.fifths, 0)]
        for pitch_class in key.pitch_classes:
            written = spell_pitch(60 + pitch_class, key)
            signed = 1 if written.step in sharps else -1 if written.step in flats else 0
            assert written.alter == signed, (key.name, written.name)
