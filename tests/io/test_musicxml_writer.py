"""MusicXML, read back with music21 and with the package's own reader."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import ScoreError, UsageError
from cantilena.io import NOTATION_RESOLUTION
from cantilena.io.engraving.bars import voice
from cantilena.io.notation.musicxml_reader import read_musicxml
from cantilena.io.notation.musicxml_writer import musicxml, musicxml_with_heads
from cantilena.music import Key, Melody, Meter, Note, Tempo

MARY = Melody.from_pitches(
    [(64, 18), (62, 6), (60, 24), (62, 24), (64, 24), (64, 24), (64, 48), (None, 24), (62, 24), (66, 96)],
    key=Key.parse("G major"),
    title="A lamb",
    source="Trad., 1830",
)


def notes_by_music21(text: str) -> list[tuple[float, float, tuple[int, ...]]]:
    """(onset, duration, pitches) in ticks; ties joined."""
    music21 = pytest.importorskip("music21")
    score = music21.converter.parseData(text, format="musicxml")
    return sorted(
        (
            round(float(note.offset) * 24, 3),
            round(float(note.quarterLength) * 24, 3),
            tuple(sorted(pitch.midi for pitch in note.pitches)),
        )
        for note in score.stripTies().flatten().notes
    )


def notes_as_notated(melody: Melody) -> list[tuple[float, float, tuple[int, ...]]]:
    return [(chord.start, chord.end - chord.start, chord.pitches) for chord in voice(melody)]


PAIRS = st.lists(
    st.tuples(st.none() | st.lists(st.integers(0, 127), min_size=1, max_size=3).map(tuple), st.integers(1, 120)),
    min_size=1,
    max_size=12,
)
METERS, PICKUPS = st.sampled_from(["4/4", "3/4", "6/8", "7/8", "2/2"]), st.integers(0, 60)


@settings(max_examples=15, deadline=None)
@given(
    PAIRS,
    METERS,
    PICKUPS,
    st.none() | st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"])),
)
def test_music21_reads_the_same_pitches_onsets_and_durations(
    pairs: list[tuple[tuple[int, ...] | None, int]], meter: str, pickup: int, key: Key | None
) -> None:
    melody = Melody.from_pitches(pairs, meter=Meter.parse(meter), pickup=pickup, key=key)
    assert notes_by_music21(musicxml(melody)) == notes_as_notated(melody)


@pytest.mark.parametrize("durations", [[8] * 12, [16] * 6, [4, 4, 4, 12] * 4, [18, 6] * 4, [96] * 2, [32] * 3, [1, 95]])
def test_music21_reads_triplets_dots_and_ties(durations: list[int]) -> None:
    melody = Melody.from_pitches([(60 + index, ticks) for index, ticks in enumerate(durations)], pickup=24)
    assert notes_by_music21(musicxml(melody)) == notes_as_notated(melody)


def test_music21_reads_key_meter_tempo_title_and_pickup() -> None:
    music21 = pytest.importorskip("music21")
    tune = replace(MARY, meter=Meter(3, 4), pickup=24, tempo=Tempo(((0, 90.0), (96, 60.0))), key=Key.parse("E minor"))
    score = music21.converter.parseData(musicxml(tune), format="musicxml")
    (key,) = score.recurse().getElementsByClass("KeySignature")
    (meter,) = score.recurse().getElementsByClass("TimeSignature")
    assert (key.sharps, key.mode) == (1, "minor")
    assert meter.ratioString == "3/4"
    marks = score.flatten().getElementsByClass("MetronomeMark")
    assert [(float(mark.offset) * 24, mark.number) for mark in marks] == [(0, 90), (96, 60)]
    assert score.metadata.title == "A lamb"
    first = score.parts[0].getElementsByClass("Measure")[0]
    assert (first.number, float(first.duration.quarterLength)) == (0, 1.0)


def document(melody: Melody) -> ElementTree.Element:
    return ElementTree.fromstring(musicxml(melody))


def test_bars_are_numbered_from_the_first_whole_one() -> None:
    numbers = [(bar.get("number"), bar.get("implicit")) for bar in document(MARY).iter("measure")]
    assert numbers == [("1", None), ("2", None), ("3", None), ("4", None)]
    with_pickup = replace(MARY, pickup=24)
    numbers = [(bar.get("number"), bar.get("implicit")) for bar in document(with_pickup).iter("measure")]
    assert numbers == [("0", "yes"), ("1", None), ("2", None), ("3", None)]


def test_every_measure_adds_up() -> None:
    for bar in document(replace(MARY, meter=Meter(6, 8))).iter("measure"):
        notes = [note for note in bar.iter("note") if note.find("chord") is None]
        assert sum(int(note.findtext("duration", "")) for note in notes) == 72


def test_children_of_a_note_stand_in_the_order_of_the_standard() -> None:
    order = ["chord", "pitch", "rest", "duration", "tie", "voice", "type", "dot"]
    order += ["accidental", "time-modification", "beam", "notations"]
    tune = Melody.from_pitches([((60, 66), 8), (61, 8), (None, 8), (63, 100), (64, 6)], key=Key.parse("C"))
    for note in document(tune).iter("note"):
        places = [order.index(child.tag) for child in note]
        assert places == sorted(places)


def accidentals(melody: Melody) -> list[str]:
    """For each written note its accidental: name, (name) where it only reminds, or nothing."""
    found = []
    for note in document(melody).iter("note"):
        sign = note.find("accidental")
        if note.find("rest") is None:
            text = "" if sign is None else str(sign.text)
            found.append(f"({text})" if sign is not None and sign.get("cautionary") else text)
    return found


def test_accidentals_hold_to_the_barline_and_ties_carry_them_over() -> None:
    tune = Melody.from_pitches(
        [(66, 24), (66, 24), (78, 24), (65, 24), (66, 48), (61, 72), (61, 24), (65, 48)], key=Key()
    )
    assert accidentals(tune) == ["sharp", "", "sharp", "natural", "sharp", "sharp", "", "sharp", "(natural)"]
    assert accidentals(Melody.from_pitches([(66, 24), (70, 24), (65, 48)], key=Key.parse("G major"))) == [
        "",
        "flat",
        "natural",
    ]


def test_many_tempo_changes_sound_but_are_not_printed() -> None:
    tempo = Tempo(tuple((5 * index, 100.0 + index) for index in range(30)))
    root = document(Melody.from_pitches([(60, 96)] * 2, tempo=tempo))
    assert len(list(root.iter("metronome"))) == 1
    times = [(sound.get("tempo"), sound.findtext("offset", "0")) for sound in root.iter("sound")]
    assert [rate for rate, _ in times] == [f"{rate:g}" for _, rate in tempo.changes]
    assert times[3] == ("103", "15")


def test_metronome_marks_count_the_felt_beat() -> None:
    mark = document(Melody.from_pitches([(60, 72)], meter=Meter(6, 8), tempo=Tempo.constant(180))).find(".//metronome")
    assert mark is not None
    assert [(child.tag, child.text) for child in mark] == [
        ("beat-unit", "quarter"),
        ("beat-unit-dot", None),
        ("per-minute", "120"),
    ]


@pytest.mark.parametrize(
    "title", ["<b>&amp;</b>", "]]>", "a\x00b\x1f", "\udc80", "\ufffe", "x" * 10_000, "\u2028", '"', "𝄞 Ünïcode"]
)
def test_any_title_and_source_give_well_formed_xml(title: str) -> None:
    root = document(Melody.from_pitches([(60, 24)], title=title, source=title))
    found = root.findtext("work/work-title", "")
    assert len(found) <= 200
    assert found == root.findtext("identification/source", "")
    assert all(letter.isprintable() for letter in found)


def test_heads_name_the_notes_that_they_show() -> None:
    tune = Melody((Note((60, 64), 0, 24), Note((67,), 24, 96)))
    text, heads = musicxml_with_heads(tune, "n-")
    assert [(head.note, head.start, head.end) for head in heads] == [(0, 0, 24), (0, 0, 24), (1, 24, 96), (1, 96, 120)]
    ids = [note.get("id") for note in ElementTree.fromstring(text).iter("note")]
    assert [name for name in ids if name] == [head.id for head in heads] == ["n-0", "n-1", "n-2", "n-3"]


@pytest.mark.parametrize("tune", [Melody(()), Melody((), pickup=24, length=3), Melody((Note((), 30, 5),))])
def test_silence_is_a_bar_of_rest(tune: Melody) -> None:
    notes = list(document(tune).iter("note"))
    assert notes
    assert all(note.find("rest") is not None for note in notes)


def test_the_ends_of_the_keyboard_and_beyond() -> None:
    tune = Melody.from_pitches([(0, 24), (127, 24), (11, 24), (12, 24)])
    assert notes_by_music21(musicxml(tune)) == notes_as_notated(tune)


def test_the_same_melody_gives_the_same_text() -> None:
    assert musicxml(MARY) == musicxml(replace(MARY, notes=tuple(reversed(MARY.notes))))


def test_thousands_of_notes_and_endless_silence() -> None:
    assert musicxml(Melody.from_pitches([(60 + index % 12, 24) for index in range(4000)])).count("<measure") == 1000
    with pytest.raises(UsageError, match="too long"):
        musicxml(Melody((), length=2**40))


@settings(max_examples=30, deadline=None)
@given(
    PAIRS,
    METERS,
    PICKUPS,
    st.none() | st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor", "dorian", "locrian"])),
)
def test_what_is_written_is_read_back(
    pairs: list[tuple[tuple[int, ...] | None, int]], meter: str, pickup: int, key: Key | None
) -> None:
    melody = Melody.from_pitches(pairs, meter=Meter.parse(meter), pickup=pickup, key=key, title="Tune")
    chords = [
        (chord.start / 24, (chord.end - chord.start) / 24, pitch) for chord in voice(melody) for pitch in chord.pitches
    ]
    if not chords:
        with pytest.raises(ScoreError, match="no notes"):
            read_musicxml(musicxml(melody).encode())
        return
    score = read_musicxml(musicxml(replace(melody, tempo=Tempo.constant(90))).encode())
    (part,) = score.parts
    ticks = zip(part.onset.tolist(), part.duration.tolist(), part.pitch.tolist(), strict=True)
    assert sorted(
        (onset / NOTATION_RESOLUTION, duration / NOTATION_RESOLUTION, pitch) for onset, duration, pitch in ticks
    ) == sorted(chords)
    assert (score.meters, score.title, score.tempos) == (((0, melody.meter),), "Tune", ((0, 90.0),))
    assert score.keys == (((0, key),) if key else ())
    assert score.keys_are_explicit == (key is not None)
    assert score.doubts == ()
    if melody.pickup and len(score.bars) > 1:
        assert score.pickup == melody.pickup * NOTATION_RESOLUTION // 24
