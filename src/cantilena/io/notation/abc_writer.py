"""Writing melodies as ABC.

A pickup is a short first bar. An accidental is written wherever programs differ on whether an earlier one still holds:
on the same pitch in another octave, and after a tie over a barline. A chord symbol stands before a note or rest: where
the chord changes within one, it is cut there, and tied. ABC does not get written rests beyond silence, nor tempo
changes after the start.
Source: The ABC Music Standard 2.1, abcnotation.com.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby

from cantilena.io.engraving.bars import Bar, Symbol, notate
from cantilena.io.engraving.note_values import Triplet
from cantilena.io.engraving.spelling import Spelling, signature_alterations, spell_pitch
from cantilena.io.printable import printable
from cantilena.music import Key, Melody, find_key

_UNIT = 12
"""Ticks of the unit note length, an eighth."""

_BARS_A_LINE = 4
_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_MODES = {
    "major": "", "minor": "m", "dorian": "dor", "phrygian": "phr", "lydian": "lyd", "mixolydian": "mix",
    "locrian": "loc",
}  # fmt: skip


def abc(melody: Melody) -> str:
    """Return a melody as one tune in ABC 2.1; overlapping notes are cut where the next one begins.

    Raises:
        UsageError: more than 50,000 bars.

    Examples:
        >>> pitches = [(67, 24), (66, 12), (67, 12), (70, 48)]
        >>> print(abc(Melody.from_pitches(pitches, key=Key.parse("G minor"), title="Air")))
        %abc-2.1
        X:1
        T:Air
        M:4/4
        L:1/8
        Q:1/4=120
        K:Gm
        G2 ^FG B4 |]
    """
    writer = _Writer(melody)
    bars = [writer.bar(bar) for bar in notate(melody, writer.chords)]
    lines = [" | ".join(bars[first : first + _BARS_A_LINE]) for first in range(0, len(bars), _BARS_A_LINE)]
    return "\n".join([*_head(melody), " |\n".join(lines) + " |]", ""]).rstrip("\n") + "\n"


def _head(melody: Melody) -> Iterator[str]:
    yield "%abc-2.1"
    yield "X:1"
    # % begins a comment, and a backslash an escape.
    yield f"T:{printable(melody.title).replace(chr(92), '/').replace('%', chr(92) + '%')}"
    yield f"M:{melody.meter}"
    yield "L:1/8"
    yield f"Q:1/4={max(round(melody.tempo.initial), 1)}"
    key = melody.key
    yield f"K:{key.name.split()[0]}{_MODES[key.mode]}" if key is not None else "K:C"


class _Writer:
    """Writes bars from left to right."""

    def __init__(self, melody: Melody) -> None:
        self._key = melody.key or find_key(melody) or Key()  # for the spelling; an unknown key has no signature
        self._signature = signature_alterations(melody.key.fifths if melody.key else 0)
        self.chords = {tick: chord.symbol(self._key) for tick, chord in melody.chords if tick < melody.length}
        self._on_line: dict[tuple[str, int], int] = {}
        self._of_letter: dict[str, int] = {}

    def bar(self, bar: Bar) -> str:
        """Return the notes of one bar; beamed notes are not separated."""
        self._on_line, self._of_letter = {}, {}
        written: list[str] = []
        for triplet, symbols in groupby(bar.symbols, key=lambda symbol: symbol.triplet):
            group = list(symbols)
            opening = "" if triplet is None else _tuplet(len(group))
            for number, symbol in enumerate(group):
                text = (opening if number == 0 else "") + self._symbol(symbol, triplet)
                goes_on = bool(symbol.beams) and symbol.beams[0] in ("continue", "end")
                if written and goes_on:
                    written[-1] += text
                else:
                    written.append(text)
        return " ".join(written)

    def _symbol(self, symbol: Symbol, triplet: Triplet | None) -> str:
        length = _length(Fraction(symbol.duration, _UNIT) * (Fraction(3, 2) if triplet else 1))
        chord = symbol.chord
        name = f'"{self.chords[symbol.start]}"' if symbol.start in self.chords else ""
        if chord is None:
            return f"{name}z{length}"
        tie = "-" if symbol.tied[1] else ""
        heads = [self._head(spell_pitch(pitch, self._key, chord.resolution(pitch))) for pitch in chord.pitches]
        head = heads[0] if len(heads) == 1 else f"[{''.join(heads)}]"
        return f"{name}{head}{length}{tie}"

    def _head(self, note: Spelling) -> str:
        place = note.step, note.octave
        by_signature = self._signature[note.step]
        on_line = self._on_line.get(place, by_signature)
        of_letter = self._of_letter.get(note.step, by_signature)
        sign = ""
        if note.alter != on_line or note.alter != of_letter:
            sign = _SIGNS[note.alter]
            self._on_line[place] = self._of_letter[note.step] = note.alter
        low = note.octave < 5
        marks = "," * (4 - note.octave) if low else "'" * (note.octave - 5)
        return f"{sign}{note.step if low else note.step.lower()}{marks}"


def _tuplet(count: int) -> str:
    """Three in the time of two, over so many symbols."""
    return "(3" if count == 3 else f"(3:2:{count}"


def _length(units: Fraction) -> str:
    """A multiple of the unit note length: "", `2`, `3/2`, `/2`."""
    whole = str(units.numerator) if units.numerator != 1 else ""
    return whole if units.denominator == 1 else f"{whole}/{units.denominator}"
