"""Primers: melodies to continue, typed as notes or read from a file."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from cantilena.errors import UsageError
from cantilena.generation.options import ComposeOptions
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Pitch, find_key

if TYPE_CHECKING:
    from cantilena.data import ReadLimits

MAX_NOTES = 10_000

_HINT = 'write notes such as "C4 D4 E4/2 r/8 C4+E4+G4/4." or name a MIDI, MusicXML, ABC or kern file'
_FILE = re.compile(r"\.(mid|midi|kar|smf|rmi|musicxml|mxl|xml|abc|krn)(\s*\Z|[#:])", re.IGNORECASE)
"""The suffix of a file of scores, at the end or before the name of a tune."""

_BRACKETS = re.compile(r"\[([^\[\]]*[^\[\]\s])\s*\]")
"""A chord as notes in brackets."""

_ITEM = re.compile(r"(?P<pitches>[^/]+?)(?:/(?P<value>\d{1,2})(?P<dots>\.{0,2}))?\Z")


def primer_of(options: ComposeOptions, limits: ReadLimits | None = None) -> Melody | None:
    """The primer of some options; limits and errors as of `read_primer`."""
    if isinstance(options.primer, Melody):
        return options.primer
    if not options.primer.strip():
        return None
    key = options.key if isinstance(options.key, Key) else Key.parse(options.key) if options.key else None
    return read_primer(options.primer, key, limits=limits)


def read_primer(text: str, key: Key | None = None, *, name: str = "primer", limits: ReadLimits | None = None) -> Melody:
    """Parse notes, or read the file of that name if it exists.

    A note is a name and, after a slash, its value: `/4` a quarter (the default), `/8` an eighth, `/4.` a dotted
    quarter; `r` is a rest, `C4+E4+G4` or `[C4 E4 G4]` a chord.

    Args:
        text: notes between spaces, or a path; of a book of tunes also `BOOK#3` or `BOOK:TITLE`, as for
            `cantilena.data.read_melody`.
        key: of typed notes; None means that it is found from the notes. A file has its own.
        name: what it is, for messages.
        limits: of reading a file.

    Returns:
        The melody with its key.

    Raises:
        UsageError: the text is neither notes nor a file.
        InputError: the file cannot be read, or the book has no such tune.

    Examples:
        >>> [(note.name, note.duration) for note in read_primer("C4 E4/8 r/8 G4/2.").notes]
        [('C4', 24), ('E4', 12), ('G4', 72)]
    """
    melody = _from_file(text, limits) or replace(typed_notes(text, name=name), key=key)
    if not melody.sounding:
        raise UsageError(f"the {name} holds no note", _HINT)
    return melody if melody.key else replace(melody, key=find_key(melody))


def read_melody_or_notes(text: str, limits: ReadLimits | None = None) -> Melody:
    """As `read_primer`, for a melody that is varied or interpolated.

    Examples:
        >>> read_melody_or_notes("C4 E4 G4/2").key.name
        'C major'
    """
    return read_primer(text, name="melody", limits=limits)


def typed_notes(text: str, *, name: str = "primer") -> Melody:
    """Parse notes between spaces; files are not looked for.

    Raises:
        UsageError: a word is not a note.

    Examples:
        >>> typed_notes("C4 E4/8").length, typed_notes("[C4 E4 G4]/2").notes[0].pitches
        (36, (60, 64, 67))
    """
    items = _BRACKETS.sub(lambda found: "+".join(found[1].split()), text).split()
    if len(items) > MAX_NOTES:
        raise UsageError(f"the {name} has {len(items)} notes", f"give {MAX_NOTES} at most")
    return Melody.from_pitches([_item(item) for item in items])


def _from_file(text: str, limits: ReadLimits | None) -> Melody | None:
    names_file = bool(_FILE.search(text))
    # A folder that happens to be named C4 must not hide the note.
    exists = _exists(text) and (names_file or not Path(text).is_dir())
    if not exists and not names_file:
        return None
    from cantilena.data import ReadLimits, read_melody  # imports the readers, which typed notes do not need
    from cantilena.io import PieceName

    if not exists and not _exists(path := PieceName.parse(text).path):
        raise UsageError(f"there is no file {path}", "check the path")
    return read_melody(text, (limits or ReadLimits()).read_options())


def _exists(path: Path | str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a name, or a NUL byte
        return False


def _item(item: str) -> tuple[tuple[int, ...] | None, int]:
    match = _ITEM.match(item)
    if match is None:
        raise UsageError(f"'{item}' is not a note", _HINT)
    duration = _ticks(item, int(match["value"] or 4), len(match["dots"] or ""))
    if match["pitches"].lower() in ("r", "rest"):
        return None, duration
    try:
        return tuple(Pitch.parse(name) for name in match["pitches"].split("+")), duration
    except UsageError as error:
        raise UsageError(f"'{item}' is not a note", _HINT) from error


def _ticks(item: str, value: int, dots: int) -> int:
    """A note value in ticks; each dot adds half of what was added before."""
    if value not in (1, 2, 4, 8, 16, 32):
        raise UsageError(f"'{item}' has the note value 1/{value}", "values are 1, 2, 4, 8, 16 and 32")
    ticks = Fraction(4 * TICKS_PER_QUARTER, value) * (2 - Fraction(1, 2**dots))
    if ticks.denominator != 1:
        raise UsageError(f"'{item}' is not a whole number of ticks", "take a longer note value or fewer dots")
    return int(ticks)
