"""From a file to its melody or chords: what is chosen, cut, rounded and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cantilena
from cantilena.data import ReadOptions, extract, extract_chords, extract_melody, extraction, read_melody
from cantilena.data.melody_choice import melody_parts, top_line
from cantilena.errors import ScoreError, UsageError
from cantilena.io import Bar, Doubt, Part, Score, write
from cantilena.music import Chord, Key, Melody, Meter, Repeats, Section, Tempo


def part(notes, name="", *, drums=False, track=0):
    """A part of (onset, duration, pitch)."""
    onset, duration, pitch = np.array(sorted(notes), dtype=np.int64).T
    return Part(name, onset, duration, pitch, np.full(len(onset), 64), is_drums=drums, track=track)


def score(*parts, resolution=24, **fields):
    return Score(parts, resolution, **fields)


def heard(melody):
    return [(note.onset, note.duration, note.pitches) for note in melody.notes]


HIGH = [(0, 48, 72), (48, 48, 74)]
LOW = [(0, 24, 48), (24, 24, 52), (48, 24, 50), (72, 24, 53)]


@pytest.mark.parametrize(
    "name",
    ["Piano right", "Melody", "RH", "R.H.", "Rechte Hand", "Main droite", "mano destra", "Lead Vocal", "Sopran",
     "Gesang", "Solo", "Voice", "Mélodie", "Piaro right"],
)  # fmt: skip
def test_the_melody_is_known_by_its_name(name):
    # The named part lies below, so that only its name tells.
    named, other = part(LOW, name), part(HIGH, "Piano left")
    assert melody_parts([other, named]) == (named,)


@pytest.mark.parametrize("name", ["Piano left", "Bass", "Accompaniment right", "Begleitung", "Main gauche", "Pedal"])
def test_an_accompaniment_is_not_taken_by_its_name(name):
    right, other = part(HIGH, "Piano right"), part(LOW, name)
    assert melody_parts([other, right]) == (right,)


def test_the_plainest_name_wins_and_equals_are_taken_together():
    melody, first, second = part(LOW, "Melody"), part(HIGH, "Piano right first"), part(HIGH, "Piano right second")
    assert melody_parts([first, melody, second]) == (melody,)
    assert melody_parts([first, part(LOW, "left"), second]) == (first, second)


def test_a_named_part_that_is_heard_for_a_moment_is_not_the_melody():
    theme, right = part([(0, 12, 72)], "Theme melody"), part([(n, 12, 60) for n in range(0, 960, 12)], "Right")
    assert melody_parts([theme, right, part(LOW, "Left")]) == (right,)


def test_without_names_all_parts_but_drums():
    drums = part(HIGH, "Melody", drums=True)
    assert len(melody_parts([part(HIGH), part(LOW), drums])) == 2


def test_a_line_of_single_notes_is_kept_whatever_it_leaps():
    line = [(0, 24, 84), (24, 48, 48), (48, 72, 84), (90, 96, 30)]
    assert top_line(line, 96) == line


def test_legato_is_no_chord():
    overlapping = [(0, 28, 74), (24, 52, 72), (48, 76, 71), (72, 96, 69)]
    assert top_line(overlapping, 96) == [(0, 24, 74), (24, 48, 72), (48, 72, 71), (72, 96, 69)]


def test_inner_voices_are_left_out():
    notes = [(0, 96, 79), (24, 48, 72), (60, 120, 71), (96, 144, 77), (96, 144, 65)]
    assert top_line(notes, 96) == [(0, 96, 79), (96, 144, 77)]


def test_what_drops_out_of_the_line_is_accompaniment_unless_the_line_stays_there():
    melody = [(0, 24, 72), (24, 48, 74), (96, 120, 76), (120, 144, 74)]
    accompaniment = [(0, 24, 52), (24, 48, 52), (48, 72, 50), (72, 96, 52), (96, 120, 48), (120, 144, 48)]
    assert top_line(melody + accompaniment, 96) == melody
    moved = [(144 + 24 * n, 168 + 24 * n, 50 + n) for n in range(6)]
    assert top_line(melody + accompaniment + moved, 96) == melody + moved


def test_a_melody_with_its_counts():
    right = part([(0, 20, 72), (20, 20, 74), (40, 20, 76)], "Right")
    left = part([(0, 60, 48), (60, 20, 36)], "Left")
    extracted = extract_melody(score(right, left, resolution=20, lost=1, title="Air"), ReadOptions())
    assert heard(extracted.melody) == [(0, 24, (72,)), (24, 24, (74,)), (48, 24, (76,))]
    assert extracted.melody.is_monophonic
    assert (extracted.folded, extracted.rounded, extracted.dropped) == (0, 0, 3)
    assert extracted.melody.title == "Air"


def test_rounding_is_counted_and_no_note_vanishes():
    extracted = extract_melody(score(part([(0, 480, 60), (485, 5, 62), (720, 240, 64)]), resolution=480), ReadOptions())
    assert heard(extracted.melody) == [(0, 24, (60,)), (24, 1, (62,)), (36, 12, (64,))]
    assert extracted.rounded == 1


def test_chords_across_parts_and_no_false_ones():
    right = part([(0, 480, 72), (480, 30, 74), (510, 30, 76), (960, 480, 77)], track=1)
    left = part([(4, 960, 48), (960, 480, 77), (960, 480, 41)], track=2)
    extracted = extract_chords(score(right, left, resolution=480), ReadOptions(voice="all"))
    assert [note.name for note in extracted.melody.notes] == ["C3+C5", "D5", "E5", "F2+F5"]
    assert extracted.melody.notes[0].duration == 48  # as long as its longest note
    assert extracted.dropped == 1  # F5 in both hands


def test_notes_quicker_than_ticks_keep_their_order():
    quick = part([(11 * n, 11, 80 - n) for n in range(8)])
    extracted = extract_chords(score(quick, resolution=480), ReadOptions(voice="all"))
    assert [note.top for note in extracted.melody.notes] == [80 - n for n in range(8)]
    assert len({note.onset for note in extracted.melody.notes}) == 8


@pytest.mark.parametrize("take", [extract_melody, extract_chords])
def test_the_cut_follows_the_tempo_map(take):
    notes = part([(24 * n, 24, 60 + n) for n in range(10)])
    slow_then_fast = score(notes, tempos=((0, 60.0), (48, 120.0)))
    melody = take(slow_then_fast, ReadOptions(voice="all", seconds=3.25)).melody
    assert heard(melody)[-1] == (96, 12, (64,))  # two slow quarters and 2.5 quick ones
    assert melody.seconds == pytest.approx(3.25)
    assert melody.tempo == Tempo(((0, 60.0), (48, 120.0)))


def test_a_cut_before_the_first_note_says_so():
    with pytest.raises(ScoreError, match="no note begins"):
        extract_melody(score(part([(96, 24, 60)])), ReadOptions(seconds=1))


def test_chords_sections_and_phrase_ends_come_along():
    written = score(
        replace(part([*HIGH, (96, 96, 76)], "Voice"), phrase_ends=(96, 100)),
        part(LOW, "Piano"),
        chords=((0, Chord.parse("C")), (48, Chord.parse("G7")), (200, Chord.parse("F"))),
        bars=(Bar(0, 96, closes_repeat=2), Bar(96, 192)),
    )
    melody = extract_melody(written, ReadOptions()).melody
    assert [(tick, str(chord)) for tick, chord in melody.chords] == [(0, "C"), (48, "G7")]
    assert melody.repeats == Repeats((Section(0, 96), Section(96, 192)), (0, 0, 1))
    assert melody.phrase_ends == (96,)  # a mark where no note of the melody ends is another part's
    cut = extract_melody(written, ReadOptions(seconds=2)).melody  # 96 ticks at 120 quarters a minute
    assert (cut.repeats.order, cut.phrase_ends, len(cut.chords)) == ((0, 0), (96,), 2)
    both = extract_chords(written, ReadOptions(voice="all")).melody
    assert (both.chords, both.repeats) == (melody.chords, melody.repeats)


def test_a_score_with_many_doubtful_bars_is_refused(monkeypatch):
    bars = tuple(Bar(96 * number, 96 * number + 96, str(number + 1)) for number in range(12))
    doubts = tuple(Doubt("it lasts 3 of 4 quarters", str(number), "Voice", misplaces=True) for number in (2, 2, 5, 9))
    doubtful = score(part(HIGH), bars=bars, doubts=(*doubts, Doubt("1 quarter tone is rounded down")))
    monkeypatch.setattr(extraction, "read_piece", lambda piece: doubtful)
    with pytest.raises(ScoreError, match=r"^3 of its 12 bars are doubtful, such as bar 2: it lasts 3 of 4 quarters$"):
        extract(Path("a.krn"), ReadOptions())
    few = replace(doubtful, doubts=doubts[1:3])
    monkeypatch.setattr(extraction, "read_piece", lambda piece: few)
    assert extract(Path("a.krn"), ReadOptions())[0].doubts == few.doubts


def test_drums_alone_say_so():
    with pytest.raises(ScoreError, match="only percussion"):
        extract_melody(score(part(HIGH, drums=True)), ReadOptions())


def test_the_meter_that_holds_longest_and_its_upbeat():
    meters = ((0, Meter(1, 4)), (24, Meter(3, 4)))
    melody = extract_melody(score(part([(0, 24, 60), (24, 72, 62), (96, 72, 64)]), meters=meters), ReadOptions()).melody
    assert (melody.meter, melody.pickup) == (Meter(3, 4), 24)
    assert list(melody.bar_starts()) == [0, 24, 96]


F_MAJOR = [(24 * n, 24, pitch) for n, pitch in enumerate((65, 69, 72, 70, 69, 67, 65, 64, 65))]
D_MINOR = [(24 * n, 24, pitch) for n, pitch in enumerate((62, 65, 69, 62, 73, 64, 62, 69, 62))]


@pytest.mark.parametrize(
    ("notes", "keys", "are_meant", "name"),
    [
        (F_MAJOR, (), False, "F major"),
        (F_MAJOR, ("C major",), False, "F major"),  # what a program puts there
        (D_MINOR, ("F major",), False, "D minor"),  # the signature fits, the mode does not
        (F_MAJOR, ("D major",), False, "D major"),  # not F: two sharps are there on purpose
        (F_MAJOR, ("A minor",), False, "A minor"),
        (F_MAJOR, ("C major",), True, "C major"),
    ],
)
def test_the_key(notes, keys, are_meant, name):
    written = tuple((0, Key.parse(key)) for key in keys)
    melody = extract_melody(score(part(notes), keys=written, keys_are_explicit=are_meant), ReadOptions()).melody
    assert melody.key is not None
    assert melody.key.name == name


def test_the_key_is_the_whole_piece_s_though_a_part_is_taken():
    notes = part([(0, 24, 61), *[(24 + onset, length, pitch) for onset, length, pitch in F_MAJOR]])
    assert extract_melody(score(notes), ReadOptions(seconds=0.4)).melody.key == Key.parse("F major")


TUNE = Melody.from_pitches(
    [(67, 12), (72, 24), (None, 12), (76, 36), (74, 12), (72, 48), (60, 24), (84, 24)],
    key=Key.parse("D minor"),
    meter=Meter(3, 4),
    tempo=Tempo.constant(90),
    title="Air",
)


def test_what_we_write_is_what_we_read(tmp_path):
    path = tmp_path / "air.mid"
    write(TUNE, path)
    melody = cantilena.read(path)
    assert heard(melody) == heard(TUNE)
    assert (melody.meter, melody.key, melody.source) == (TUNE.meter, TUNE.key, "air.mid")
    assert melody.tempo.initial == pytest.approx(90, abs=0.01)


def test_musicxml_too(tmp_path):
    path = tmp_path / "air.musicxml"
    write(TUNE, path)
    melody = read_melody(path)
    assert heard(melody) == heard(TUNE)
    assert (melody.meter, melody.key, melody.title) == (TUNE.meter, TUNE.key, "Air")


def test_tunes_of_a_book_keep_their_places(tmp_path):
    path = tmp_path / "book.abc"
    path.write_text("X:1\nT:A\nK:C\ncdec|\n\nX:2\nT:B\nK:C\nz8|\n\nX:3\nT:C\nK:G\ng4|\n")
    first, silent, last = extract(path, ReadOptions())
    assert [len(extracted.melody.notes) for extracted in (first, silent, last)] == [4, 0, 1]
    assert silent.error == "it has no notes"
    assert read_melody(path).title == "A"
    path.write_text("X:1\nT:A\nK:C\nz8|\n\nX:2\nT:B\nK:C\nz8|\n")
    with pytest.raises(ScoreError, match="none of its 2 tunes can be used: it has no notes"):
        extract(path, ReadOptions())


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.mid"
    path.write_bytes(b"MThd")
    with pytest.raises(ScoreError) as caught:
        read_melody(path)
    assert caught.value.text == f"cannot read {path}: it is cut short in its header"


def test_piano_pieces_give_lines(shared):
    for path in sorted((shared / "data/piano-midi").rglob("*.mid"))[::50]:
        (extracted,) = extract(path, ReadOptions(seconds=30))
        melody = extracted.melody
        assert melody.is_monophonic
        assert len(melody.notes) >= 20
        assert melody.seconds <= 30 + 60 / 24 / melody.tempo.initial * 2
        assert np.mean([note.top for note in melody.notes]) > 62


@pytest.mark.parametrize(
    "wrong",
    [
        {"voice": "bass"},
        {"reading": "quick"},
        {"reading": "paper"},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"profile": "mine"},
        {"jobs": -1},
        {"time_limit": 0},
        {"memory_limit": 1},
        {"seed": -1},
    ],
)
def test_options_that_say_nothing_are_refused(wrong):
    with pytest.raises(UsageError):
        ReadOptions(**wrong)
