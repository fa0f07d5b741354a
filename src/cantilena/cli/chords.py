"""`cantilena chords`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional
from cantilena.data import ReadLimits

if TYPE_CHECKING:
    from cantilena.data import ScoreChords

_SOURCES = {
    "written": "chord symbols of the score",
    "parts": "inferred from the parts",
    "melody": "guessed from a melody alone: one of many harmonies that would fit",
}


def run(
    score: Positional[Path],
    *,
    every: Literal["half-beat", "beat", "half-bar", "bar"] = "half-beat",
    limits: ReadLimits,
    flags: Flags,
) -> Answer:
    """Show the chords of a score, bar by bar: its chord symbols, or else what its parts imply.

    Args:
        score: A score: MIDI, MusicXML, ABC or kern. Of a book of tunes the first tune that can be used; BOOK#3 is its
            third tune, BOOK:TITLE the one of that title.
        every: Where inferred chords may change.

    Example:
        cantilena chords song.musicxml --every beat
    """
    from cantilena.generation import score_chords

    chords = score_chords(score, limits, every)
    return Answer(chords.to_json(), text=_table(chords))


def _table(chords: ScoreChords) -> str:
    """The chords with their numerals, a line a bar; a chord that lasts is there again in each bar."""
    rows = [("bar", "chords", "numerals")]
    ends = [*(tick for tick, _ in chords.bars[1:]), chords.length]
    for (tick, number), end in zip(chords.bars, ends, strict=True):
        inside = [chord for _, chord in chords.track.between(tick, end).merged()]
        numerals = [chord.roman(chords.key) for chord in inside] if chords.key else []
        rows.append((number, " ".join(chord.symbol(chords.key) for chord in inside), " ".join(numerals)))
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{number:>{first}}  {symbols:<{second}}  {numerals}".rstrip() for number, symbols, numerals in rows]
    key = f"{chords.key.name}, " if chords.key else ""
    title = f"{chords.title}: " if chords.title else ""
    lines += [f"note: {doubt}" for doubt in chords.doubts]
    return "\n".join([f"{title}{key}{chords.meter}; {_SOURCES[chords.source]}", "", *lines])
