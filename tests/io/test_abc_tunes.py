"""Books in ABC are split into tunes."""

from __future__ import annotations

from itertools import islice

import pytest

from cantilena.io.notation.abc_tunes import decode_title, looks_like_music, split_tunes

TUNE = "X:1\nT:One\nK:C\nCDEF|\n"


def found(book: str) -> list[tuple[str, str]]:
    return [(tune.reference, tune.title) for tune in split_tunes(book)]


@pytest.mark.parametrize(
    ("book", "tunes"),
    [
        (TUNE + "\nX:2\nT:Two\nK:D\nd4|\n", [("1", "One"), ("2", "Two")]),
        (TUNE + "X:2\nT:Two\nK:D\nd4|\n", [("1", "One"), ("2", "Two")]),
        (TUNE.replace("\n", "\r\n") + "\r\nX:2\r\nK:D\r\nd4|", [("1", "One"), ("2", "")]),
        (TUNE.replace("\n", "\r"), [("1", "One")]),
        ("X:\nT:A\nK:C\nC|\n\nX:\nT:B\nK:C\nC|\n", [("", "A"), ("", "B")]),
        ("X:1\nT:A\nK:C\nC|\n\nX:1\nT:B\nK:C\nC|\n", [("1", "A"), ("1", "B")]),
        ("M:4/4\nK:C\nC D|\n\nM:3/4\nK:G\nG A|\n", [("", ""), ("", "")]),
        ("A book of tunes\nby somebody | and others\n\n" + TUNE + "\nThe end.\n", [("1", "One")]),
        ("%%begintext\nX marks\n\nthe K: spot\n%%endtext\n" + TUNE, [("1", "One")]),
        ("%%begintext\n" + TUNE + "%%endtext\nX:2\nK:C\nC|\n", [("2", "")]),
        ("M:4/4 K:Cmaj C 2 |\n<s> M:6/8 K:Gmaj F 3 | </s>\n", [("", ""), ("", "")]),
        ("<pre>" + TUNE + "</pre><p>a face</p><pre>\nX:2\nK:C\nC|</pre>", [("1", "One"), ("2", "")]),
        ("%%begintext\nnever ends\n\n" + TUNE, [("1", "One")]),
        ("<html><pre>\n" + TUNE + "</pre>\n<p>words</p>\n<pre>X:2\nK:C\nC|</pre></html>", [("1", "One"), ("2", "")]),
        ("X:1\nT:Head\nK:C\n\nCDEF|GABc|\n", [("1", "Head")]),
        ("K:\tC\nCDEF\n", [("", "")]),
        ("hello\n", []),
        ("X: marks the spot\nwords\n", []),
        ("M:4/4\nL:1/8\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_books(book: str, tunes: list[tuple[str, str]]) -> None:
    assert found(book) == tunes


def test_the_head_of_a_book_goes_to_every_tune() -> None:
    book = "M:6/8\nL:1/16\nT:The book\n%%propagate-accidentals octave\n\nX:1\nK:C\nC|\n\nX:2\nM:3/4\nK:C\nD|\n"
    first, second = split_tunes(book)
    assert first.text == "M:6/8\nL:1/16\n%%propagate-accidentals octave\nX:1\nK:C\nC|"
    assert second.text == "M:6/8\nL:1/16\n%%propagate-accidentals octave\nX:2\nM:3/4\nK:C\nD|"
    assert (second.number, second.title) == (2, "")


def test_the_first_tune_needs_the_second_one_only() -> None:
    class Counted(str):
        __slots__ = ()

    tunes = split_tunes(Counted(TUNE + "\n") * 200_000)
    assert [tune.number for tune in islice(tunes, 3)] == [1, 2, 3]


def test_titles() -> None:
    assert decode_title(r"S\'eamus \"Ubung \cC\,c &amp; &uuml; \u266d 5 \%") == "Séamus Übung Çç & ü ♭ 5 %"


def test_music_is_told_from_text() -> None:
    assert looks_like_music("|: {a}TG>A (3Bcd | ~e2 z2 :|")
    assert not looks_like_music("Name | Place | Year")
    assert not looks_like_music("Made by Abe")
    assert not looks_like_music("I (1) :| (2) ||")
