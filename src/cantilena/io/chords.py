"""Reading progressions of chords: scores with chord symbols, ChordPro, and plain bars of text.

A score in MIDI (with a track of chords as `midi_bytes` writes it), MusicXML, ABC or kern is read in a worker process,
as `read_safely` does. Text is ChordPro where chords stand in brackets (`[C]words [Am]more`, www.chordpro.org), else
bars (`C | Am | F G7 | C`). Headers are lines such as `key: D minor` and `time: 3/4`, in ChordPro also in braces; other
directives and lines that begin with # are left out, and so are tablatures and grids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from cantilena.errors import ScoreError, UsageError
from cantilena.io.notation.text import plain_text
from cantilena.io.pieces import READABLE, PieceName, PieceSource, file_content
from cantilena.io.reader import read_piece
from cantilena.io.score import Score
from cantilena.music import MOST_BARS, TICKS_PER_QUARTER, Chord, ChordTrack, Key, Meter, key_of_chords
from cantilena.runtime import Failure, bounded_map

CHORD_TEXT = (".cho", ".chordpro", ".chopro", ".crd", ".pro", ".txt")
"""The suffixes of text files with chords."""

Changes = tuple[tuple[int, Chord], ...]
"""(tick, chord), ascending."""

_MAX_BYTES = 64 * 1024
_LONGEST_HEADER = 500
_SECONDS = 10.0
_HEADER = re.compile(
    r"\s*\{?\s*(key|time|meter|title|subtitle|composer|artist|tempo|capo)\s*:([^}]*)\}?\s*\Z", re.IGNORECASE
)
_DIRECTIVE = re.compile(r"\s*\{[^}]*\}\s*\Z")
_BLOCK = re.compile(r"\s*\{\s*(start_of_(?:tab|grid|abc|ly|svg|textblock)|so[tg])\b", re.IGNORECASE)
_BLOCK_ENDS = re.compile(r"\s*\{\s*(?:end_of_|eo[tg])", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_MARK = re.compile(r"\[([^\[\]]*)\]|(\|)")
_HINT = "write bars like C | Am | F G7 | C, or ChordPro like [C]words [Am]more"


class Progression(NamedTuple):
    """Chords over time.

    Args:
        chords: from tick 0 on, which is a barline.
        meter: the time signature.
        key: the key that the file names, or the chords imply; None for N.C. alone.
        length: ticks, a whole number of bars.
    """

    chords: ChordTrack
    meter: Meter
    key: Key | None
    length: int


def read_progression(path: Path | str) -> Progression:
    r"""Read the chords of a file.

    A pickup before the first barline is left out. Of a score whose meter changes the one that lasts longest is taken.
    In ChordPro without barlines each chord lasts a bar.

    Args:
        path: a score in MIDI, MusicXML, ABC or kern, one tune of a book (`BOOK#3`, `BOOK:TITLE`), or text up to 64 KB.

    Raises:
        ScoreError: it cannot be read or has no chords; the text names the file, the reason and the place.

    Examples:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "song.cho"
        >>> _ = file.write_text("{key: G}\n[G]Some [Em]words [D7]here")
        >>> [str(chord) for _, chord in read_progression(file).chords], read_progression(file).length
        (['G', 'Em', 'D7'], 288)
    """
    file = Path(path)
    try:
        if file.suffix.lower() in CHORD_TEXT:
            found = _of_text(plain_text(file_content(file, _MAX_BYTES)))
        else:
            name = PieceName.parse(str(path))
            if name.path.suffix.lower() not in READABLE:
                known = ", ".join((*READABLE, *CHORD_TEXT))
                raise ScoreError(f"'{file.suffix}' is not a suffix of files with chords", f"they end in {known}")
            found = _of_pieces(name)
    except (ScoreError, UsageError) as error:
        raise ScoreError(f"cannot read chords in {path}: {error.text}", error.hint or _HINT) from error
    if found.length > MOST_BARS * found.meter.ticks_per_bar:
        bars = found.length // found.meter.ticks_per_bar
        raise ScoreError(f"cannot use the chords in {path}: they have {bars:,} bars", f"give up to {MOST_BARS:,}")
    return found


def _of_pieces(name: PieceName) -> Progression:
    """The chords of the first piece that has any."""
    failure: Failure | None = None
    started = monotonic()
    for _, found in bounded_map(_of_piece, name.pieces(), jobs=1, seconds=_SECONDS):
        if not isinstance(found, Failure):
            return found
        failure = failure or found
        if monotonic() - started > _SECONDS:
            break  # a book has many tunes that may be late
    assert failure is not None  # a file has at least one piece
    raise ScoreError(failure.reason, failure.hint)


def _of_piece(piece: PieceSource) -> Progression:
    score = read_piece(piece)
    if not score.chords:
        raise ScoreError("it has no chord symbols", "name a score with chord symbols")
    return _of_score(score)


def _of_score(score: Score) -> Progression:
    def ticks(time: int) -> int:
        return (2 * time * TICKS_PER_QUARTER + score.resolution) // (2 * score.resolution)

    # A symbol that is left out would let the chord before sound on.
    for unread in score.unread_chords:
        raise ScoreError(unread, "correct it in the score, or write the chords as text")
    meter, first = score.main_meter, ticks(score.first_barline)
    last = ticks(max([score.end, *(bar.end for bar in score.bars[-1:])]))
    end = max(last, ticks(score.chords[-1][0]) + 1) - first
    chords = {max(ticks(time) - first, 0): chord for time, chord in score.chords}
    track, length = ChordTrack(tuple(chords.items())), -(-end // meter.ticks_per_bar) * meter.ticks_per_bar
    key = score.keys[0][1] if score.keys else None
    if key is None or not (score.keys_are_explicit or key.mode == "minor"):
        # A signature alone is also that of the relative minor; C major in MIDI is often a program's default.
        relative = () if key is None else (key, Key((key.tonic + 9) % 12, "minor"))
        key = key_of_chords(track, length, relative if key is not None and (key.fifths or score.bars) else ())
    return Progression(track, meter, key, length)


def _of_text(text: str) -> Progression:
    headers: dict[str, str] = {}
    lines: list[str] = []
    is_block = False
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line) if len(line) <= _LONGEST_HEADER else None
        is_block = bool(_BLOCK.match(line)) or (is_block and not _BLOCK_ENDS.match(line))
        if header is not None and not is_block:
            name = "time" if header[1].lower() == "meter" else header[1].lower()
            value = header[2].strip()
            if name == "time" and headers.get(name, value) != value:
                raise ScoreError(f"line {number}: the meter changes to {value[:20]}", "give one meter for all bars")
            headers.setdefault(name, value)
        is_music = not (is_block or header or _DIRECTIVE.match(line) or line.lstrip().startswith("#"))
        lines.append(line if is_music else "")
    meter = Meter.parse(headers["time"]) if "time" in headers else Meter()
    key = Key.parse(headers["key"]) if headers.get("key") else None
    if any(_BRACKETS.search(line) for line in lines):
        chords = _spread(list(_chordpro_bars(lines)), meter)
    else:
        chords = ChordTrack.parse("\n".join(lines).strip(), meter).changes
    if not chords:
        raise ScoreError("it has no chords", _HINT)
    track, length = ChordTrack(chords), (chords[-1][0] // meter.ticks_per_bar + 1) * meter.ticks_per_bar
    return Progression(track, meter, key or key_of_chords(track, length), length)


def _chordpro_bars(lines: Iterable[str]) -> Iterator[list[Chord]]:
    """The chords of each bar: one a bar, or as barlines divide a line; a bar without a chord keeps the one before."""
    last: Chord | None = None
    for number, line in enumerate(lines, start=1):
        bars: list[list[Chord]] = [[]]
        begun, is_divided = 0, "|" in _BRACKETS.sub("", line)
        for mark in _MARK.finditer(line):
            if mark[2]:
                if bars[-1] or line[begun : mark.start()].strip():
                    bars.append([])
                begun = mark.end()
                continue
            chord = _bracketed(mark[1], line, f"line {number}, column {mark.start() + 1}")
            if chord is not None:
                bars[-1].append(chord)
        if not bars[-1] and not (is_divided and line[begun:].strip()):
            bars.pop()
        for bar in bars:
            if not bar and last is None:
                continue
            last = bar[-1] if bar else last
            held = bar or [one for one in (last,) if one is not None]
            yield from [held] if is_divided else [[one] for one in held]


def _bracketed(text: str, line: str, place: str) -> Chord | None:
    """The chord in brackets; None for a remark ([*softly]) and for a heading that is alone in its line ([Chorus])."""
    symbol = text.strip()
    if not symbol or symbol.startswith("*"):
        return None
    try:
        return Chord.parse(symbol)
    except UsageError as error:
        if line.strip() == f"[{text}]":
            return None
        raise ScoreError(f"{place}: {error.text}"[:200], error.hint) from error


def _spread(bars: list[list[Chord]], meter: Meter) -> Changes:
    """The chords of each bar at equal distances."""
    bar_ticks = meter.ticks_per_bar
    for number, bar in enumerate(bars, start=1):
        if len(bar) > bar_ticks // 3:
            raise UsageError(f"bar {number} has {len(bar)} chords", f"a bar of {meter} holds up to {bar_ticks // 3}")
    return tuple(
        (number * bar_ticks + place * bar_ticks // len(bar), chord)
        for number, bar in enumerate(bars)
        for place, chord in enumerate(bar)
    )
