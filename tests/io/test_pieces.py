"""The pieces of a file, found without reading them, and names of single tunes of a book."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import cantilena.io.pieces as pieces_module
from cantilena.errors import ScoreError, UsageError
from cantilena.io import PieceName, count_pieces, pieces_of, read_piece, read_safely, read_score

TITLES = ("The Rakes of Mallow", "Saddle the Pony", "Planxty", "Saddle the Horse", "Planxty", "Égan's")
BOOK = "".join(f"X:{20 - place}\nT:{title}\nL:1/4\nK:C\n{'cdefga'[place]}4|\n\n" for place, title in enumerate(TITLES))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.abc"
    path.write_text(BOOK, encoding="utf-8")
    return path


def place_of(name: str) -> int:
    (piece,) = PieceName.parse(name).pieces()
    return piece.number


@pytest.mark.parametrize(
    ("tune", "place"),
    [
        ("#1", 1),
        ("#006", 6),
        ("#X:19", 2),
        ("#X:0019", 2),
        ("#X: 15", 6),
        (":The Rakes of Mallow", 1),
        (":the RAKES  of mallow ", 1),
        (":rakes", 1),
        (":pony", 2),
        (":égan's", 6),
    ],
)
def test_a_tune_is_named_by_place_reference_or_title(book: Path, tune: str, place: int) -> None:
    assert place_of(f"{book}{tune}") == place


@pytest.mark.parametrize(
    ("tune", "text", "hint"),
    [
        ("#0", "it has no tune 0: it has 6 tunes", "tunes count from 1: name one from book.abc#1 to book.abc#6"),
        ("#99", "it has no tune 99: it has 6 tunes", "tunes count from 1: name one from book.abc#1 to book.abc#6"),
        ("#" + "9" * 5000, f"it has no tune {'9' * 20}: it has 6 tunes", "tunes count from 1"),
        ("#X:3", "none of its tunes has the field X:3", "book.abc#3 names the third tune"),
        (
            ":saddle",
            "2 of its tunes have the title 'saddle'",
            "name one of book.abc#2 (Saddle the Pony), book.abc#4 (Saddle the Horse)",
        ),
        (
            ":Planxty",
            "2 of its tunes have the title 'Planxty'",
            "name one of book.abc#3 (Planxty), book.abc#5 (Planxty)",
        ),
        (
            ":Rakes of Malow",
            "no tune in it has the title 'Rakes of Malow'",
            "the nearest titles: book.abc#1 (The Rakes of Mallow)",
        ),
        (":xyzzy", "no tune in it has the title 'xyzzy'", "book.abc#3 names the third tune"),
    ],
)
def test_a_name_that_fits_no_tune_or_several_says_which_there_are(book: Path, tune: str, text: str, hint: str) -> None:
    with pytest.raises(ScoreError) as caught:
        place_of(f"{book}{tune}")
    assert caught.value.text == text
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("tune", ["#", "#x", "#-1", "#1.5", "#X:", ":", ": "])
def test_what_names_no_tune_is_refused(book: Path, tune: str) -> None:
    with pytest.raises(UsageError, match="names no tune") as caught:
        PieceName.parse(f"{book}{tune}")
    assert "book.abc#3 for the third tune" in caught.value.hint


def test_a_file_that_exists_is_meant_first(book: Path) -> None:
    for name in ("book.abc#3", "book.abc:Planxty", "a.abc#1.abc"):
        path = book.with_name(name)
        path.write_text(BOOK, encoding="utf-8")
        assert PieceName.parse(str(path)) == PieceName(path)
    assert PieceName.parse(f"{book.with_name('a.abc#1.abc')}#2") == PieceName(book.with_name("a.abc#1.abc"), "#2")
    assert PieceName.parse(f"{book}#4") == PieceName(book, "#4")


def test_no_more_of_a_book_is_split_than_has_to_be(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    split = pieces_module.split_tunes
    monkeypatch.setattr(
        pieces_module, "split_tunes", lambda text: (drawn.append(one.number) or one for one in split(text))
    )
    assert place_of(f"{book}#2") == 2
    assert drawn == [1, 2]


def test_a_file_that_is_no_book_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "air.mid"
    assert [piece.number for piece in pieces_of(path)] == [1]
    assert place_of(f"{path}#1") == 1
    for name in ("#2", ":Air", "#X:1"):
        with pytest.raises(ScoreError, match="it is one piece, not a book") as caught:
            place_of(f"{path}{name}")
        assert caught.value.hint == "name air.mid alone"


def test_books_are_bounded(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "MOST_TUNES", 4)
    with pytest.raises(ScoreError, match="it has more than 4 tunes"):
        list(pieces_of(book))
    monkeypatch.setattr(pieces_module, "_MAX_BOOK_BYTES", 99)
    with pytest.raises(ScoreError, match="it is larger than 0 KB"):
        list(pieces_of(book))
    assert count_pieces(book) == 1


def test_a_huge_tune_costs_itself_alone(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book.write_text(BOOK.replace("d4|", "d4|" * 3000), encoding="utf-8")
    monkeypatch.setattr(pieces_module, "_MAX_BYTES", 5000)
    _, huge, *others = pieces_of(book)
    assert len(pickle.dumps(huge)) < 1000
    with pytest.raises(ScoreError, match="it is larger than 0 MB"):
        read_piece(huge)
    assert [read_piece(piece).parts[0].pitch.tolist() for piece in others] == [[76], [77], [79], [81]]
    assert [score.error for score in read_score(book)] == ["", "it is larger than 0 MB", "", "", "", ""]
    assert [score.error for score in read_safely(book)] == [score.error for score in read_score(book)]


def test_pieces_are_counted_for_the_progress(book: Path) -> None:
    assert count_pieces(book) == 6
    book.write_bytes(BOOK.encode().replace(b"\n", b"\r"))
    assert count_pieces(book) == 6
    assert count_pieces(book.with_name("missing.abc")) == 1


@pytest.mark.parametrize("read", [read_score, read_safely])
def test_a_book_without_tunes_is_refused(book: Path, read) -> None:
    book.write_text("A letter about tunes.\n")
    with pytest.raises(ScoreError, match="it holds no tune"):
        read(book)
