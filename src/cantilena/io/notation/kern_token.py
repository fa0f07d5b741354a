"""The tokens of **kern: notes with their durations, keys, meters, and chord symbols of other spines beside it.

Source: David Huron, "Humdrum Representation for Basic Notated Music" (**kern and **recip), and the rational durations
of the Humdrum Extras (`20%3` lasts 3/20 of a whole note). Pitches sound as written, also of transposing instruments.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from cantilena.errors import UsageError
from cantilena.io.notation.musicxml_harmony import QUALITIES
from cantilena.music import MODE_NAMES, NATURALS, Chord, Key, Meter

_DURATION = re.compile(r"([0-9]+)(?:%([0-9]+))?")
_PITCH = re.compile(r"(([a-gA-G])\2*)(#+|-+|n)?")
_UNPITCHED = re.compile(r"(?<![TtMmWwS$O])R(?![TtMmWwS$O])")
_SNARE = 38  # of percussion without a pitch
_MOST_DIGITS = 4
_MOST_DOTS = 6

_KEY = re.compile(r"\*([A-Ga-g])([#-]?):(\w*)\Z")
_MODES = {name[:3]: mode for name, mode in MODE_NAMES.items()}
_SIGNATURE = re.compile(r"\*k\[((?:[a-g][#-])*)\]")
_SHARPS = "fcgdaeb"
_METER = re.compile(r"\*M([0-9][0-9+]*)/([0-9]+)(?:%([0-9]+))?\Z")

CHORD_KINDS = frozenset(("mxhm", "harte", "chord", "cdata"))
"""Spines that may hold chord symbols of a lead sheet."""

_CHORD = re.compile(r"([A-G])([#b-]*)[: ]?(.*?)(?:/(.+))?\Z")
_HARTE = {"hdim7": "m7b5", "minmaj7": "mM7", "maj6": "6"}
"""Shorthands of Harte that no lead sheet has; the kinds of chords are those of MusicXML."""

_DEGREES = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 11, "9": 14}


class NoteSign(NamedTuple):
    """A note of a token.

    Args:
        pitch: MIDI number.
        quarters: its duration.
        is_tied: whether a tie comes from before.
        ties: whether a tie goes on.
    """

    pitch: int
    quarters: Fraction
    is_tied: bool
    ties: bool


class Token(NamedTuple):
    """What begins in a column at a line.

    Args:
        quarters: time until the next token of the column; 0 for grace notes.
        notes: those that sound.
        silent: number of grace notes, and of notes without a duration.
        marks: its signs of slurs, phrases, pauses and breaths, in order.
        is_rest: whether it is a rest.
        is_unpitched: whether it is a note of percussion without pitch.
        doubt: what is wrong with it, or "".
    """

    quarters: Fraction
    notes: tuple[NoteSign, ...]
    silent: int
    marks: str
    is_rest: bool
    is_unpitched: bool
    doubt: str


def parse_token(text: str) -> Token:
    """Parse a data token: a note, several at once, or a rest.

    Appoggiaturas (`P`) have the duration that they are played with; grace notes (`q`) and groupettos (`Q`) none.

    Args:
        text: the token, not the null token.

    Examples:
        >>> token = parse_token("[4.cc# 4.e")
        >>> token.quarters, [(note.pitch, note.ties) for note in token.notes]
        (Fraction(3, 2), [(73, True), (64, False)])
        >>> str(parse_token("20%3.f").quarters), parse_token("8ffq").silent
        ('9/10', 1)
    """
    notes: list[tuple[int, Fraction | None, bool, bool]] = []
    advance: Fraction | None = None
    silent, doubt = 0, ""
    for part in text.split(" "):
        if not part or part == ".":
            continue
        timed = _DURATION.search(part)
        quarters = _quarters(timed[1], timed[2], part.count(".")) if timed else None
        is_rest, pitch = "r" in part, _PITCH.search(part)
        if "q" in part or "Q" in part:
            silent += 0 if is_rest else 1
            continue
        if timed and quarters is None:
            doubt = f"'{part[:40]}' has no duration that can be read"
        advance = advance or quarters
        if is_rest:
            continue
        if pitch is None and not _UNPITCHED.search(part):
            doubt = f"'{part[:40]}' is neither a note nor a rest"
            continue
        is_tied, ties = "]" in part or "_" in part, "[" in part or "_" in part
        notes.append((_midi(pitch[1], pitch[3] or "") if pitch else _SNARE, quarters, is_tied, ties))
    if notes and advance is None:
        silent, doubt = silent + len(notes), doubt or f"'{text[:40]}' has no duration"
    signs = tuple(NoteSign(pitch, own or advance, *ties) for pitch, own, *ties in notes if advance is not None)
    if not doubt and any(sign.quarters != advance for sign in signs):
        doubt = f"the notes of '{text[:40]}' have several durations"
    marks = "".join(re.findall(r"[&(){};,]", text))
    return Token(advance or Fraction(0), signs, silent, marks, not notes, _UNPITCHED.search(text) is not None, doubt)


@lru_cache(maxsize=1024)
def _quarters(number: str, divisor: str | None, dots: int) -> Fraction | None:
    """A duration in quarter notes; 0, 00 and 000 are a breve, a long and a maxima."""
    if max(len(number), len(divisor or "")) > _MOST_DIGITS or dots > _MOST_DOTS:
        return None
    whole = Fraction(int(divisor or 1), int(number)) if number.strip("0") else Fraction(2 ** len(number))
    return 4 * whole * (2 - Fraction(1, 2**dots)) or None


def _midi(letters: str, sign: str) -> int:
    octave = 4 + len(letters) if letters.islower() else 5 - len(letters)
    return 12 * octave + NATURALS[letters[0].upper()] + sign.count("#") - sign.count("-")


def parse_key(text: str) -> Key | None:
    """Parse a key such as `*d:`, `*B-:` or `*G:mix`; None for anything else.

    Examples:
        >>> parse_key("*B-:").name, parse_key("*d:dor").name, parse_key("*?:")
        ('Bb major', 'D dorian', None)
    """
    match = _KEY.match(text)
    if match is None:
        return None
    by_case = "major" if match[1].isupper() else "minor"
    mode = _MODES.get(match[3][:3].lower(), MODE_NAMES[by_case])
    tonic = NATURALS[match[1].upper()] + {"#": 1, "-": -1, "": 0}[match[2]]
    return Key(tonic % 12, mode)


def parse_signature(text: str) -> int | None:
    """Parse a key signature such as `*k[b-e-]` into fifths; None if it is none, or not that of a major key."""
    match = _SIGNATURE.match(text)
    if match is None:
        return None
    letters, signs = match[1][::2], match[1][1::2]
    for sign, order, direction in (("#", _SHARPS, 1), ("-", _SHARPS[::-1], -1)):
        if signs == sign * len(signs) and sorted(letters) == sorted(order[: len(letters)]):
            return direction * len(letters)
    return None


def parse_meter(text: str) -> tuple[Meter | None, Fraction] | None:
    """Parse a meter such as `*M2+3/8`: it, and the quarter notes of a bar; None for anything else.

    The meter is None where its denominator is none of `Meter`, as in mensural music.
    """
    match = _METER.match(text)
    if match is None or len(match[0]) > 20:
        return None
    numerator = sum(int(beats) for beats in match[1].split("+") if beats)
    beat = _quarters(match[2], match[3], 0)
    if not numerator or beat is None:
        return None
    twice = 2 ** len(match[2]) if not match[2].strip("0") else 1
    try:
        return Meter(numerator * twice, int(match[2]) or 1), numerator * beat
    except UsageError:
        return None, numerator * beat


def parse_chord(text: str) -> Chord | None:
    """Parse a chord symbol of a lead sheet, with the words of MusicXML or by Harte; None for anything else.

    Examples:
        >>> str(parse_chord("B- minor-seventh")), str(parse_chord("C:maj7/3")), parse_chord("V7")
        ('Bbm7', 'Cmaj7/E', None)
    """
    if text in ("N", "X", "none"):
        return Chord(None)
    match = _CHORD.match(text.strip())
    try:
        if match is None:
            return Chord.parse(text)
        kind = re.sub(r"\(.*?\)", "", match[3]) if ":" in text else match[3]
        chord = Chord.parse(match[1] + match[2].replace("-", "b") + (QUALITIES.get(kind) or _HARTE.get(kind, kind)))
        if match[4] and match[4][0] in "ABCDEFG":
            chord = Chord(chord.root, chord.quality, Chord.parse(match[4].replace("-", "b")).root)
        elif match[4] and match[4].lstrip("b#") in _DEGREES and chord.root is not None:
            tones = _DEGREES[match[4].lstrip("b#")] + match[4].count("#") - match[4].count("b")
            chord = Chord(chord.root, chord.quality, (chord.root + tones) % 12)
    except UsageError:
        return None
    return chord
