"""The pieces in files of scores, found without reading their music, and the names of single ones.

A file of MIDI, MusicXML or kern is one piece; a book of tunes in ABC is one piece a tune. Limits of time and memory
hold for one piece, so that one tune cannot spoil its book.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from cantilena.errors import ScoreError, UsageError
from cantilena.io.notation.abc_tunes import TuneText, split_tunes
from cantilena.io.notation.text import plain_text
from cantilena.runtime import read_regular_file

MIDI = (".mid", ".midi", ".kar", ".smf", ".rmi")
"""The suffixes of MIDI files."""

NOTATION = (".musicxml", ".mxl", ".xml", ".abc", ".krn")
"""The suffixes of files in notation."""

READABLE = (*MIDI, *NOTATION)
"""The suffixes of files that can be read."""

BOOKS = (".abc",)
"""The suffixes of files that may hold several pieces."""

MOST_TUNES = 100_000
"""The largest number of tunes that are read of a book."""

_MAX_BYTES = 16 * 2**20
_MAX_BOOK_BYTES = 64 * 2**20
_LISTED = 6
"""How many tunes a message names."""

_CUT = "cut it into pieces"


@dataclass(frozen=True, slots=True)
class PieceSource:
    """A piece that is not read yet. It can be pickled, and holds no more text than its own.

    Args:
        path: its file.
        tune: its text, of a tune of a book.
        error: why it cannot be read, or "".
        hint: what to do about that, or "".
    """

    path: Path
    tune: TuneText | None = None
    error: str = ""
    hint: str = ""

    @property
    def number(self) -> int:
        """Its place in the file, from 1."""
        return self.tune.number if self.tune is not None else 1

    @property
    def title(self) -> str:
        """Its title, of a tune of a book; else ""."""
        return self.tune.title if self.tune is not None else ""


def pieces_of(path: Path) -> Iterator[PieceSource]:
    """Yield the pieces in a file, each as it is asked for.

    Only books are opened here; their tunes are split, not read.

    Raises:
        ScoreError: it cannot be opened, is too large, is not what its suffix says, or, after the first `MOST_TUNES`
            tunes, it holds more; the text does not name the file.
    """
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise ScoreError(f"'{suffix}' is not a suffix of scores", f"scores end in {', '.join(READABLE)}")
    if suffix not in BOOKS:
        yield PieceSource(path)
        return
    tune = None
    for tune in split_tunes(plain_text(file_content(path))):
        if tune.number > MOST_TUNES:
            raise ScoreError(f"it has more than {MOST_TUNES:,} tunes: the rest is not read", _CUT)
        if len(tune.text) > _MAX_BYTES:
            short = replace(tune, text="")
            yield PieceSource(path, short, f"it is larger than {_MAX_BYTES // 2**20} MB", "check where the tune ends")
        else:
            yield PieceSource(path, tune)
    if tune is None:
        raise ScoreError("it holds no tune: no line gives a key (K:)", "name a file of tunes in ABC")


def count_pieces(path: Path) -> int:
    """Return about how many pieces a file holds, without splitting it: for the progress of reading it.

    Examples:
        >>> count_pieces(Path("air.mid"))
        1
    """
    if path.suffix.lower() not in BOOKS:
        return 1
    try:
        return max(sum(1 for _ in re.finditer(rb"(?:^|[\r\n])X:", file_content(path))), 1)
    except ScoreError:
        return 1


def file_content(path: Path, most: int = 0) -> bytes:
    """Return the bytes of a score or a book.

    Args:
        path: the file.
        most: bytes that it may have; 0 for 16 MB, for a book 64 MB.

    Raises:
        ScoreError: it cannot be opened, or is larger.
    """
    most = most or (_MAX_BOOK_BYTES if path.suffix.lower() in BOOKS else _MAX_BYTES)
    try:
        content = read_regular_file(path, most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScoreError(f"it cannot be opened: {reason}", "check the path and your rights") from error
    if content is None:
        raise ScoreError("it is not an ordinary file", "name a file, not a folder, a pipe or a device")
    if len(content) > most:
        size = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} KB"
        raise ScoreError(f"it is larger than {size}", _CUT)
    return content


@dataclass(frozen=True, slots=True)
class PieceName:
    """What names a file of scores, or one tune of a book.

    Args:
        path: the file.
        tune: the place of a tune, such as `#3`; its reference number, such as `#X:12`; its title; or "" for the file.
    """

    path: Path
    tune: str = ""

    def __str__(self) -> str:
        return f"{self.path}{'' if not self.tune or self.tune.startswith('#') else ':'}{self.tune[:80]}"

    @classmethod
    def parse(cls, text: str) -> PieceName:
        """Parse `BOOK`, `BOOK#3` (the third tune), `BOOK#X:12` (its reference number) or `BOOK:Title`.

        A file that exists under the whole text is meant first, then the longest beginning of it that is a file.

        Raises:
            UsageError: what follows the file names no tune.

        Examples:
            >>> PieceName.parse("airs.abc#3")
            PieceName(path=PosixPath('airs.abc'), tune='#3')
            >>> PieceName.parse("airs.abc:The Rakes of Mallow").tune
            'The Rakes of Mallow'
            >>> PieceName.parse("C#4 D4").tune
            ''
        """
        ends = [match.end() for match in _FILE_END.finditer(text)]
        if not ends or _exists(text):
            return cls(Path(text))
        end = next((end for end in reversed(ends) if _exists(text[:end])), ends[0])
        path, tune = Path(text[:end]), " ".join(text[end:].removeprefix(":").split())
        if not tune or (text[end] == "#" and not re.fullmatch(r"#\d+|#X:\s*\S.*", tune, re.ASCII)):
            raise UsageError(
                f"'{text[end:]}' names no tune of {path}",
                f"write {path.name}#3 for the third tune, {path.name}#X:12 for its field X, or {path.name}:TITLE",
            )
        return cls(path, tune)

    def pieces(self) -> Iterator[PieceSource]:
        """Yield the tune that is named, or all pieces in the file; no more of a book is split than has to be.

        Raises:
            ScoreError: as `pieces_of`; or the book has no such tune, or several. The text does not name the file.
        """
        if not self.tune:
            yield from pieces_of(self.path)
        elif self.path.suffix.lower() not in BOOKS and self.tune != "#1":
            raise ScoreError("it is one piece, not a book of tunes", f"name {self.path.name} alone")
        elif place := re.fullmatch(r"#(\d+)", self.tune, re.ASCII):
            yield self._at(place[1])
        elif self.tune.startswith("#"):
            yield self._with_reference(self.tune.partition(":")[2].strip())
        else:
            yield self._titled(self.tune)

    def _at(self, place: str) -> PieceSource:
        count = 0
        for piece in pieces_of(self.path):
            count += 1
            if str(count) == place.lstrip("0"):
                return piece
        name = self.path.name
        raise ScoreError(
            f"it has no tune {place[:20]}: it has {count:,} tune{'s' * (count != 1)}",
            f"tunes count from 1: name one from {name}#1 to {name}#{count}" if count > 1 else f"name {name}",
        )

    def _with_reference(self, reference: str) -> PieceSource:
        found = _Found()
        for piece in pieces_of(self.path):
            if piece.tune is not None and _number(piece.tune.reference) == _number(reference):
                found.add(piece)
        if found.first is None:
            raise ScoreError(
                f"none of its tunes has the field X:{reference[:40]}", f"{self.path.name}#3 names the third tune"
            )
        return found.only(f"the field X:{reference[:40]}")

    def _titled(self, title: str) -> PieceSource:
        wanted = _plain(title)
        same, like = _Found(), _Found()
        titles: dict[str, str] = {}
        for piece in pieces_of(self.path):
            plain = _plain(piece.title)
            if plain == wanted:
                same.add(piece)
            elif wanted in plain:
                like.add(piece)
            if plain:
                titles.setdefault(plain, f"{piece.path.name}#{piece.number} ({piece.title[:60]})")
        found = same if same.first is not None else like
        if found.first is not None:
            return found.only(f"the title '{title[:60]}'")
        near = [titles[one] for one in get_close_matches(wanted, titles, 3, 0.5)]
        raise ScoreError(
            f"no tune in it has the title '{title[:60]}'",
            f"the nearest titles: {', '.join(near)}" if near else f"{self.path.name}#3 names the third tune",
        )


class _Found:
    """The tunes that a name may mean: the first one, and labels of a few."""

    def __init__(self) -> None:
        self.first: PieceSource | None = None
        self.count = 0
        self.labels: list[str] = []

    def add(self, piece: PieceSource) -> None:
        self.first = self.first or piece
        self.count += 1
        if len(self.labels) < _LISTED:
            self.labels.append(f"{piece.path.name}#{piece.number} ({piece.title[:60]})")

    def only(self, what: str) -> PieceSource:
        assert self.first is not None
        if self.count == 1:
            return self.first
        more = f" and {self.count - len(self.labels)} more" if self.count > len(self.labels) else ""
        raise ScoreError(f"{self.count} of its tunes have {what}", f"name one of {', '.join(self.labels)}{more}")


_FILE_END = re.compile(rf"(?:{'|'.join(re.escape(suffix) for suffix in READABLE)})(?=[#:])", re.IGNORECASE)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or a NUL byte
        return False


def _number(reference: str) -> str:
    """A reference number without zeros in front."""
    return reference.strip().lstrip("0") or reference.strip()


def _plain(title: str) -> str:
    """A title without differences of case and spaces."""
    return " ".join(title.split()).casefold()
