"""Progressions of chords read from scores, ChordPro and plain bars."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import ScoreError
from cantilena.io import CHORD_TEXT, read_progression, write
from cantilena.music import Chord, ChordTrack, Key, Melody, Meter

CHORDS = ((24, Chord.parse("C")), (96, Chord.parse("Am7/G")), (144, Chord(None)), (168, Chord.parse("G7sus4")))
WALTZ = Melody.from_pitches(
    [(67, 24), (72, 144), (None, 72)], key=Key.parse("C major"), meter=Meter(3, 4), pickup=24, chords=CHORDS
)


def names(chords: Any) -> list[tuple[int, str]]:
    return [(tick, str(chord)) for tick, chord in chords]


def file_of(folder: Path, text: str, suffix: str = ".cho") -> Path:
    path = folder / f"song{suffix}"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".abc"])
def test_what_is_written_is_read_from_the_first_barline_on(tmp_path: Path, suffix: str) -> None:
    write(WALTZ, tmp_path / f"waltz{suffix}")
    found = read_progression(tmp_path / f"waltz{suffix}")
    assert names(found.chords) == [(0, "C"), (72, "Am7/G"), (120, "N.C."), (144, "G7sus4")]
    assert found[1:3] == (Meter(3, 4), Key.parse("C major"))
    assert found.length == 216


@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".abc"])
def test_chords_without_a_melody(tmp_path: Path, suffix: str) -> None:
    chords = tuple((96 * bar, Chord.parse(name)) for bar, name in enumerate(["Dm", "Gm", "A7", "Dm"]))
    write(Melody((), length=384, key=Key.parse("D minor"), chords=chords), tmp_path / f"chords{suffix}")
    found = read_progression(tmp_path / f"chords{suffix}")
    assert found == (ChordTrack(chords), Meter(), Key.parse("D minor"), 384)


def test_kern_and_one_tune_of_a_book(tmp_path: Path) -> None:
    kern = "**kern\t**mxhm\n*M2/4\t*\n=1\t=1\n4c\tC\n4e\t.\n=2\t=2\n4g\tG7\n4b\tC\n==\t==\n*-\t*-\n"
    found = read_progression(file_of(tmp_path, kern, ".krn"))
    assert (names(found.chords), found.meter, found.length) == ([(0, "C"), (48, "G7"), (72, "C")], Meter(2, 4), 96)
    book = 'X:1\nT:None\nM:4/4\nL:1/4\nK:C\nCDEF|\n\nX:2\nT:First\nM:4/4\nL:1/4\nK:C\n"C"CDEF|"F"F4|\n\n'
    path = file_of(tmp_path, f'{book}X:3\nT:Second\nM:3/4\nL:1/4\nK:G\n"G"GAB|\n', ".abc")
    assert names(read_progression(path).chords) == [(0, "C"), (96, "F")]
    assert read_progression(f"{path}:Second") == (
        ChordTrack(((0, Chord.parse("G")),)),
        Meter(3, 4),
        Key.parse("G major"),
        72,
    )
    with pytest.raises(ScoreError, match="no chord symbols"):
        read_progression(f"{path}#1")


def test_a_symbol_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    tune = 'X:1\nM:4/4\nL:1/4\nK:C\n"C"CDEF|"Fxyz"F4|"C"C4|\n'
    with pytest.raises(ScoreError, match="Fxyz"):
        read_progression(file_of(tmp_path, tune, ".abc"))


def test_chordpro_gives_each_chord_a_bar(tmp_path: Path) -> None:
    text = """{title: A Song}
{key: Am}
{time: 3/4}
# a remark
{start_of_verse}
[Am]Some [F]words [C/E]here, [*softly]
and none here
[Chorus]
{comment: loud}
[N.C.]hush
{start_of_tab}
e|--[x]--3-|
{end_of_tab}
[G7]end"""
    found = read_progression(file_of(tmp_path, text))
    assert names(found.chords) == [(0, "Am"), (72, "F"), (144, "C/E"), (216, "N.C."), (288, "G7")]
    assert found[1:] == (Meter(3, 4), Key.parse("A minor"), 360)


def test_barlines_in_chordpro_divide_it(tmp_path: Path) -> None:
    found = read_progression(file_of(tmp_path, "| [C]la la | la | [F]la [G7]la |\n[Am]la"))
    assert names(found.chords) == [(0, "C"), (96, "C"), (192, "F"), (240, "G7"), (288, "Am")]
    assert found.length == 384


def test_plain_bars(tmp_path: Path) -> None:
    found = read_progression(file_of(tmp_path, "key: D minor\nTime: 6/8\n\nDm | % | Gm A7 | Dm\nBb | A7 |\n", ".txt"))
    ticks = [(0, "Dm"), (72, "Dm"), (144, "Gm"), (180, "A7"), (216, "Dm"), (288, "Bb"), (360, "A7")]
    assert (names(found.chords), found.meter, found.key, found.length) == (
        ticks,
        Meter(6, 8),
        Key.parse("D minor"),
        432,
    )


@pytest.mark.parametrize("suffix", CHORD_TEXT)
def test_every_suffix_of_text(tmp_path: Path, suffix: str) -> None:
    assert names(read_progression(file_of(tmp_path, "C | G", suffix)).chords) == [(0, "C"), (96, "G")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[C]words\n[Am]more [Hm]wrong", "line 2, column 10: 'Hm' is not a chord symbol"),
        ("C | Am\nF | Xyz", "bar 4, column 5: 'Xyz' is not a chord symbol"),
        ("{title: only}", "there are no chords"),
        ("just some words", "bar 1, column 1: 'just' is not a chord symbol"),
        ("", "it is empty"),
        ("[Verse]\n[Chorus]", "it has no chords"),
        ("time: 4/4\nC\ntime: 3/4\nG", "line 3: the meter changes to 3/4"),
        ("time: 7/5\nC", "7/5 is not a meter"),
        ("key: H\nC", "'H'"),
        ("C" + " C" * 40, "41 chords cannot share a bar of 4/4"),
        ("C|" * 1500, "more than 1,024 bars"),
        ("C|" * 40_000, "it is larger than 64 KB"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = file_of(tmp_path, text, ".txt")
    with pytest.raises(ScoreError) as caught:
        read_progression(path)
    assert said in caught.value.text
    assert str(path) in caught.value.text
    assert "\n" not in caught.value.text
    assert caught.value.hint


def test_files_that_are_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.txt", tmp_path / "none.mid", tmp_path / "song.docx", "C | Am"):
        with pytest.raises(ScoreError, match="cannot read chords in"):
            read_progression(path)
    (tmp_path / "melody.mid").write_bytes(b"MThd nonsense")
    with pytest.raises(ScoreError, match=r"melody\.mid"):
        read_progression(tmp_path / "melody.mid")


@given(st.text(st.sampled_from("[]{}|%:# \nCAm7key/*"), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_chords_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = file_of(tmp_path_factory.mktemp("text"), text)
    try:
        found = read_progression(path)
    except ScoreError:
        return
    ticks = [tick for tick, _ in found.chords]
    assert ticks == sorted(set(ticks))
    assert found.length % found.meter.ticks_per_bar == 0
    assert ticks[-1] < found.length


@pytest.mark.parametrize(
    "text", ["key:" + " " * 60_000 + "x}}", "[" * 60_000, "{" * 60_000, "[C" * 30_000, "|" * 60_000]
)
def test_hostile_text_takes_no_time(tmp_path: Path, text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ScoreError):
        read_progression(file_of(tmp_path, text))
    assert time.perf_counter() - started < 2
