"""Reading scores of any format; files from others are parsed in bounded worker processes, one piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import TypeVar

from cantilena.errors import ScoreError
from cantilena.io.midi.reader import read_midi
from cantilena.io.notation.abc_reader import read_abc_tune
from cantilena.io.notation.kern_reader import read_kern
from cantilena.io.notation.musicxml_reader import read_musicxml
from cantilena.io.pieces import MIDI, PieceName, PieceSource, file_content, pieces_of
from cantilena.io.score import NOTATION_RESOLUTION, Score
from cantilena.runtime import Failure, bounded_map

Result = TypeVar("Result")

_OPEN = "open it in a music program and export it again"
_HINTS = {
    "allow it more time": "allow it more time with --time-limit",
    "allow it more memory": "allow it more memory with --memory-limit",
}


def read_piece(piece: PieceSource) -> Score:
    """Read one piece in this process: only from trusted files, or inside a worker.

    Raises:
        ScoreError: it cannot be read; the text gives the reason and does not name the file.
    """
    if piece.error:
        raise ScoreError(piece.error, piece.hint)
    if piece.tune is not None:
        return read_abc_tune(piece.tune)
    suffix = piece.path.suffix.lower()
    read = read_midi if suffix in MIDI else read_kern if suffix == ".krn" else read_musicxml
    return read(file_content(piece.path))


def read_score(path: Path) -> list[Score]:
    """Read a file in this process: only for trusted files, or inside a worker.

    Args:
        path: the file, in the format of its suffix.

    Returns:
        One score; for a book of tunes, one per tune. A tune that cannot be read has no parts and an `error`.

    Raises:
        ScoreError: it cannot be read; the text gives the reason and does not name the file.
    """
    scores: list[Score] = []
    failure: ScoreError | None = None
    for piece in pieces_of(path):
        try:
            scores.append(read_piece(piece))
        except ScoreError as error:
            failure = failure or error
            scores.append(Score((), NOTATION_RESOLUTION, title=piece.title, error=error.text))
    if failure is not None and len(scores) == 1:
        raise failure
    return scores


def read_safely(path: Path, *, seconds: float = 10.0, memory: int = 2**30) -> list[Score]:
    """Read an untrusted file in worker processes, which may crash, hang or exhaust their memory without harm.

    Args:
        path: the file, in the format of its suffix.
        seconds: time limit of one piece: the file, or a tune of a book.
        memory: memory limit of one piece, in bytes.

    Returns:
        As `read_score`.

    Raises:
        ScoreError: it cannot be read; the text names the file and the reason.
    """
    titles: list[str] = []

    def pieces() -> Iterator[PieceSource]:
        for piece in pieces_of(path):
            titles.append(piece.title)
            yield piece

    try:
        outcomes = dict(bounded_map(read_piece, pieces(), seconds=seconds, memory=memory))
    except ScoreError as error:
        raise ScoreError(f"cannot read {path}: {error.text}", error.hint or _OPEN) from error
    if len(outcomes) == 1 and isinstance(failure := outcomes[0], Failure):
        raise ScoreError(f"cannot read {path}: {failure.reason}", failure.hint or _OPEN)
    return [
        Score((), NOTATION_RESOLUTION, title=title, error=one.reason) if isinstance(one, Failure) else one
        for title, one in ((title, outcomes[index]) for index, title in enumerate(titles))
    ]


def read_first(path: Path | str, read: Callable[[PieceSource], Result], *, seconds: float, memory: int) -> Result:
    """Read one piece with a function, in a worker process within limits.

    Args:
        path: a file. Of a book of tunes, `BOOK#3` is the third tune, `BOOK#X:12` the one of that reference number, and
            `BOOK:TITLE` the one of that title; without any of these, the first tune that can be used.
        read: what to do with the piece; it can be pickled, and raises `ScoreError` for one that cannot be used.
        seconds: time limit, which holds for the search through a book too.
        memory: memory limit in bytes.

    Raises:
        ScoreError: it cannot be used, or the book has no such tune; the text names the file and the reason.
        UsageError: what follows the name of the book names no tune.
    """
    name = PieceName.parse(str(path))
    failures: list[Failure] = []
    started = monotonic()
    try:
        for _, outcome in bounded_map(read, name.pieces(), jobs=1, seconds=seconds, memory=memory):
            if not isinstance(outcome, Failure):
                return outcome
            failures.append(outcome)
            if monotonic() - started > seconds:
                break  # a book has many tunes that may be late
    except ScoreError as error:
        raise ScoreError(f"cannot read {name}: {error.text}", error.hint) from error
    tried = f"none of the first {len(failures)} tunes can be used: " if len(failures) > 1 else ""
    hint = _HINTS.get(failures[0].hint, failures[0].hint) or _OPEN
    raise ScoreError(f"cannot read {name}: {tried}{failures[0].reason}", hint)
