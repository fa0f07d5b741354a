"""The chords of scores: where they come from, and that those of a melody come from other notes than its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import (
    ReadOptions,
    chorale_voices,
    chords_of_score,
    chords_of_voices,
    extract_melody,
    load_builtin,
    read_chords,
    read_folder,
    with_chords_of_other_voices,
)
from cantilena.errors import ScoreError, UsageError
from cantilena.io import Part, Score, read_score, write
from cantilena.music import Chord, Key, Melody, Meter, Note


def part(notes, name=""):
    """A part of (onset, duration, pitch)."""
    onset, duration, pitch = np.array(sorted(notes), dtype=np.int64).T
    return Part(name, onset, duration, pitch, np.full(len(onset), 64))


TUNE = [(0, 24, 76), (24, 24, 74), (48, 48, 72), (96, 48, 71), (144, 48, 74), (192, 96, 72)]
LEFT = [
    *((0, 96, pitch) for pitch in (48, 55, 64)),
    *((96, 96, pitch) for pitch in (43, 53, 62)),
    *((192, 96, pitch) for pitch in (48, 52, 55)),
]


def song(**fields):
    return Score((part(TUNE, "Voice"), part(LEFT, "Piano")), 24, meters=((0, Meter(4, 4)),), **fields)


def names(track):
    return [(tick, str(chord)) for tick, chord in track]


def test_written_chords_come_first():
    found = chords_of_score(song(chords=((0, Chord.parse("Am")), (96, Chord.parse("E7")))))
    assert (found.source, names(found.track)) == ("written", [(0, "Am"), (96, "E7")])


def test_parts_imply_chords():
    found = chords_of_score(song(keys=((0, Key.parse("C major")),)))
    assert found.source == "parts"
    assert [name for _, name in names(found.track)] == ["C", "G7", "C"]
    assert json.loads(json.dumps(found.to_json()))["chords"][1]["roman"] == "V7"


def test_a_melody_alone_is_marked_as_such():
    found = chords_of_score(Score((part(TUNE),), 24, meters=((0, Meter(4, 4)),)))
    assert found.source == "melody"
    assert str(found.track.at(0)) == "C"


def test_the_notes_of_a_melody_do_not_count_for_its_chords():
    keys = ((0, Key.parse("C major")),)
    inferred = ReadOptions(chords="inferred")
    melody = extract_melody(song(keys=keys), inferred).melody
    assert [name for _, name in names(melody.chords)] == ["C", "G7", "C"]
    odd = part([(onset, length, pitch + 1) for onset, length, pitch in TUNE], "Voice")
    other = Score((odd, song().parts[1]), 24, meters=((0, Meter(4, 4)),), keys=keys)
    assert extract_melody(other, inferred).melody.chords == melody.chords


def test_what_doubles_the_melody_is_left_out():
    doubled = part([(onset, length, pitch - 12) for onset, length, pitch in TUNE], "Piano")
    melody = extract_melody(song(), ReadOptions()).melody
    alone = Score((part(TUNE, "Voice"), doubled), 24, meters=((0, Meter(4, 4)),))
    assert len(chords_of_score(alone, without_melody=melody).track) == 0
    # of a chord the bass stays, although the melody has its pitch class too
    assert chords_of_score(song(), without_melody=melody).track.at(192) == Chord.parse("C")
    both = Score((*song().parts, doubled), 24, meters=((0, Meter(4, 4)),))
    assert chords_of_score(both, without_melody=melody).track == chords_of_score(song(), without_melody=melody).track


def test_a_score_without_notes_or_too_long_is_refused():
    with pytest.raises(ScoreError, match="no notes"):
        chords_of_score(Score((), 24))
    with pytest.raises(ScoreError, match="too long for its chords"):
        chords_of_score(Score((part([(0, 24, 60), (0, 10**7, 64)]),), 24))


def test_a_corpus_carries_inferred_chords(tmp_path):
    notes = tuple(Note((pitch,), onset, length) for onset, length, pitch in [*TUNE, *LEFT])
    tune = tuple(Note((pitch,), onset, length) for onset, length, pitch in TUNE)
    write(Melody(notes, key=Key.parse("C major")), tmp_path / "song.mid")
    write(Melody(tune[:4], key=Key.parse("C major")), tmp_path / "tune.mid")
    written = read_folder(tmp_path, ReadOptions(jobs=1), quiet=True)
    inferred = read_folder(tmp_path, ReadOptions(jobs=1, chords="inferred"), quiet=True)
    assert [len(melody.chords) for melody in written] == [0, 0]
    by_source = {melody.source: melody for melody in inferred}
    assert str(by_source["song.mid"].chords.at(0)) == "C"
    assert len(by_source["tune.mid"].chords) == 0
    assert inferred.manifest.options["chords"] == "inferred"


def test_chords_of_all_notes_are_not_inferred():
    with pytest.raises(UsageError, match="beside a melody"):
        ReadOptions(voice="all", chords="inferred")


def test_a_chorale_ends_with_its_cadence():
    pieces = {voices[0].source.partition("#")[0]: voices for voices in chorale_voices(load_builtin("chorales"))}
    voices = pieces["bach/bwv1.6.mxl"]  # Wie schön leuchtet der Morgenstern, F major
    soprano = voices[0]
    numerals = [chord.roman(Key.parse("F major")) for _, chord in chords_of_voices(voices[1:], soprano)]
    assert numerals[-2].startswith("V")
    assert numerals[-1] == "I"


def test_each_voice_of_a_chorale_has_the_chords_of_the_others():
    corpus = load_builtin("chorales").where(split="valid")
    with_chords = with_chords_of_other_voices(corpus)
    assert len(with_chords) == len(corpus)
    assert with_chords.column("sha256") == corpus.column("sha256")
    have = [melody for melody in with_chords if len(melody.chords)]
    assert len(have) > 0.6 * len(corpus)
    assert all(tick < melody.length for melody in have for tick, _ in melody.chords)


def test_songs_agree_with_analyses(shared):
    folder = shared / "data/lieder-harmony"
    scores = shared / "data/openscore-lieder/scores"
    if not (folder.is_dir() and scores.is_dir()):
        pytest.skip("no analyses of songs beside the checkout")
    # Die Taubenpost, bars 1 to 4 of its first strophe by ear and by analysis: G, with a dominant in D
    path = next(path for path in scores.rglob("*.mxl") if "Die_Taubenpost" in str(path))
    found = chords_of_score(read_score(path)[0])
    assert (found.source, found.key) == ("parts", Key.parse("G major"))
    assert found.track.at(0).root == 7
    assert found.track.at(found.length - 1).root == 7


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "song.mid"
    path.write_bytes(b"MThd\0\0\0\6\0\1")
    with pytest.raises(ScoreError, match="cannot read"):
        read_chords(path)
    with pytest.raises(ScoreError, match="cannot read"):
        read_chords(Path("nothing.mid"))
