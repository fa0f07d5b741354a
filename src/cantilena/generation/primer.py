"""Primers: the idea that a composition goes on from, typed or read from a file."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from cantilena.errors import UsageError
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Pitch, find_key

_HINT = 'write notes such as "C4 D4 E4/2 r/8 C4+E4+G4/4." or name a MIDI, MusicXML, ABC or kern file'
_ITEM = re.compile(r"(?P<pitches>[^/]+?)(?:/(?P<value>\d{1,2})(?P<dots>\.{0,2}))?\Z")
_LONGEST = 10_000


def read_primer(text: str, key: Key | None = None) -> Melody:
    """A primer from notes as a person types them, or from a file.

    A note is a name and, after a slash, its value: `/4` a quarter (what it is if nothing is said), `/8` an eighth,
    `/4.` a dotted quarter; `r` is a rest, `C4+E4+G4` a chord. What names an existing file is read as one.

    Args:
        text: the notes, between spaces, or a path.
        key: how typed notes are heard, which five of them seldom tell; found where None. A file has its own.

    Returns:
        The melody, its key found where it has none.

    Raises:
        UsageError: neither notes nor a file.
        InputError: a file that cannot be read.

    Example:
        >>> [(note.name, note.duration) for note in read_primer("C4 E4/8 r/8 G4/2.").notes]
        [('C4', 24), ('E4', 12), ('G4', 72)]
    """
    melody = _from_file(text) or replace(typed_notes(text), key=key)
    if not melody.sounding:
        raise UsageError("the primer holds no note", _HINT)
    return melody if melody.key else replace(melody, key=find_key(melody))


def read_melody_or_notes(text: str) -> Melody:
    """A melody to go from, to go to or to vary, from a file or from notes as a person types them: as `read_primer`.

    Args:
        text: the notes, between spaces, or a path.

    Raises:
        UsageError: neither notes nor a file.
        InputError: a file that cannot be read.

    Example:
        >>> read_melody_or_notes("C4 E4 G4/2").key.name
        'C major'
    """
    try:
        return read_primer(text)
    except UsageError as error:
        raise UsageError(
            error.text.replace("the primer", "the melody").replace("a primer", "a melody"), error.hint
        ) from None


def _from_file(text: str) -> Melody | None:
    named_as_score = re.search(r"\.(mid|midi|musicxml|xml|mxl|abc|krn)\Z", text.strip(), re.IGNORECASE)
    try:
        # A folder that happens to be named C4 must not hide the note.
        is_file = Path(text).exists() and (bool(named_as_score) or not Path(text).is_dir())
    except (OSError, ValueError):  # too long for a name, or a NUL byte: then it is no path
        return None
    if is_file:
        from cantilena.data import read_melody  # a typed primer need not wait for the readers

        return read_melody(Path(text))
    if named_as_score:
        raise UsageError(f"there is no file {text}", "check the path")
    return None


def typed_notes(text: str) -> Melody:
    """Notes as a person types them, and nothing else: no file is looked for.

    Args:
        text: the notes, between spaces.

    Raises:
        UsageError: a word that is no note; the text says which.

    Example:
        >>> typed_notes("C4 E4/8").length
        36
    """
    items = text.split()
    if len(items) > _LONGEST:
        raise UsageError(f"a primer of {len(items)} notes", f"give {_LONGEST} at the most")
    return Melody.of([_item(item) for item in items])


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
    """A note value with dots in ticks: a dot adds half of what came before."""
    if value not in (1, 2, 4, 8, 16, 32):
        raise UsageError(f"'{item}' has no note value 1/{value}", "values are 1, 2, 4, 8, 16 and 32")
    ticks = Fraction(4 * TICKS_PER_QUARTER, value) * (2 - Fraction(1, 2**dots))
    if ticks.denominator != 1:
        raise UsageError(f"'{item}' is shorter than a tick can count", "take a longer note value or fewer dots")
    return int(ticks)
