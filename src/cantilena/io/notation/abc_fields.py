"""The fields of ABC that decide how notes sound: keys, clefs, meters, note lengths and tempos.

Source: The ABC Music Standard 2.1, 3.1 "Description of information fields" and 4.6 "Clefs and transposition".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from cantilena.errors import UsageError
from cantilena.io.notation.abc_tunes import decode_title
from cantilena.music import FIFTHS_ABOVE, MODE_NAMES, NATURALS, Key, Meter, Mode

Signature = dict[int, int]
"""Pitch class of a letter -> semitones that the key signature raises it by."""

_LONGEST = 300
"""Characters of a field that are read."""

_LETTERS = "FCGDAEB"
_MODES: dict[str, Mode] = {"": "major", "m": "minor", **{name[:3]: mode for name, mode in MODE_NAMES.items()}}
"""The modes by their first three letters, as K: names them."""

_NAMES = {fifths: mode for mode, fifths in FIFTHS_ABOVE.items()}
_WORD = re.compile(
    r'(?:(?:clef|octave|transpose|name)\s{0,3}=\s{0,3}|(?:m|[A-Za-z]{2,20})=)(?:"[^"]*"?|[^\s"]*)|"[^"]*"?|[^\s"]+'
)
_CLEF = re.compile(
    r'"?(treble|bass|alto|tenor|soprano|mezzo(?:soprano)?|baritone|perc(?:ussion)?|none|auto|[GCFPgcfp])?[1-5]?'
    r'(?:([+-](?:8|15))(?:va)?)?[,\']*(?:[_^]8)?"?\Z'
)
_TONIC = re.compile(r"([A-G])([#b♯♭]|\s?flat|\s?sharp|)\s*([A-Za-z]*)(.*)\Z", re.DOTALL)
_LOWER_TONIC = re.compile(r"([a-g])([#b♯♭]?)\s*(?:m|maj|min|ion|aeo|mix|dor|phr|lyd|loc)?(?![a-z])", re.IGNORECASE)
_ALTERED = re.compile(r"(\^\^|__|[\^_=])([0-9]*/[0-9]*)?\s?([A-Ga-g])")
_FRACTION = re.compile(r"([+\s]{0,9})\(?([0-9][0-9\s+]{0,40})\)?\s{0,9}/\s{0,9}([0-9]{1,4})")
_NUMBER = r"([0-9]{1,5}(?:\.[0-9]{1,4})?)"
_BEAT = r"[0-9]{1,3}\s?/\s?[0-9]{1,3}"
_TEMPO = re.compile(rf"({_BEAT}(?:[\s+]+{_BEAT})*)\s*=\s*[a-z.~]{{0,6}}\s*{_NUMBER}")
_UNIT_TEMPO = re.compile(rf"C\s*([0-9]{{0,3}})(?:/([0-9]{{1,3}}))?\s*=\s*{_NUMBER}")
_SIGNS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0, "": 0}
_SIGNS |= {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}


@dataclass(frozen=True, slots=True)
class Properties:
    """What K: and V: say of a voice beside the key; None where nothing is said.

    Args:
        clef: octaves by which an 8 or 15 at the clef moves the notes.
        octave: octaves by which `octave=` moves them.
        transpose: semitones by which `transpose=` moves them.
        name: the name of the voice.
        is_drums: whether it is percussion.
        doubts: what could not be read.
    """

    clef: int | None = None
    octave: int | None = None
    transpose: int | None = None
    name: str | None = None
    is_drums: bool | None = None
    doubts: tuple[str, ...] = ()

    @property
    def semitones(self) -> int:
        """Semitones by which written notes sound higher."""
        return 12 * ((self.clef or 0) + (self.octave or 0)) + (self.transpose or 0)

    def then(self, later: Properties) -> Properties:
        """These properties, changed by what is said later."""
        return Properties(
            self.clef if later.clef is None else later.clef,
            self.octave if later.octave is None else later.octave,
            self.transpose if later.transpose is None else later.transpose,
            self.name if later.name is None else later.name,
            self.is_drums if later.is_drums is None else later.is_drums,
        )


@dataclass(frozen=True, slots=True)
class KeyField:
    """The value of K:.

    Args:
        signature: alteration of each letter; None if it names no key, only a clef.
        key: its key, if it has a tonic and a mode of music theory.
        is_explicit: whether it states the mode (a tonic alone is major).
        properties: clef and transposition.
        doubts: what could not be read.
    """

    signature: Signature | None
    key: Key | None
    is_explicit: bool
    properties: Properties
    doubts: tuple[str, ...] = ()


def read_properties(text: str) -> tuple[list[str], Properties]:
    """Return the words of a field that are no properties, and the properties.

    Examples:
        >>> read_properties('T1 clef=treble-8 name="Tenor"')
        (['T1'], Properties(clef=-1, octave=None, transpose=None, name='Tenor', is_drums=False, doubts=()))
    """
    words: list[str] = []
    found: dict[str, int] = {}
    name: str | None = None
    is_drums: bool | None = None
    doubts: list[str] = []
    for word in _WORD.findall(text[:_LONGEST]):
        prop, is_assigned, value = word.partition("=")
        is_key = prop[:1] in NATURALS or prop[:3].lower() in _MODES  # K:Dmix=c, K:D mix=c
        prop, value = prop.strip().lower(), value.strip()
        is_key &= prop not in ("clef", "m")
        if not is_assigned or is_key or not prop.isalpha():
            clef = _CLEF.match(word)
            if clef and (clef[2] or len(clef[1] or "") > 1) and clef[1] != "none":
                found["clef"], is_drums = _octaves(clef[2]), _is_drums(clef[1])
            else:
                words.append(word)
        elif prop in ("clef", "cl"):
            clef = _CLEF.match(value)
            found["clef"], is_drums = (_octaves(clef[2]), _is_drums(clef[1])) if clef else (0, False)
            if clef is None:
                doubts.append(f"the clef '{value}' is unknown")
        elif prop in ("octave", "transpose"):
            number = re.fullmatch(r'"?([+-]?[0-9]{1,2})"?', value)
            if number:
                found[prop] = int(number[1])
            else:
                doubts.append(f"'{word}' is no number")
        elif prop in ("name", "nm"):
            name = decode_title(value.strip('"').replace("\\n", " "))
        elif prop in ("score", "sound", "shift"):
            doubts.append(f"{prop}= is not applied")
    moves = found.get("clef"), found.get("octave"), found.get("transpose")
    return words, Properties(*moves, name, is_drums, tuple(doubts))


def _is_drums(clef: str | None) -> bool:
    return (clef or "").lower() in ("perc", "percussion", "p")


def _octaves(mark: str | None) -> int:
    """Octaves that a mark at a clef stands for: -8 is one down."""
    return {"+8": 1, "-8": -1, "+15": 2, "-15": -2}.get(mark or "", 0)


def read_key(text: str) -> KeyField:
    """Return the value of a K: field.

    Examples:
        >>> field = read_key("D Phr ^f clef=bass")
        >>> field.key, {letter: field.signature[pitch] for letter, pitch in NATURALS.items()}
        (Key(tonic=2, mode='phrygian'), {'C': 0, 'D': 0, 'E': -1, 'F': 1, 'G': 0, 'A': 0, 'B': -1})
    """
    words, properties = read_properties(text[:_LONGEST])
    value = " ".join(words).strip('"')
    doubts: list[str] = list(properties.doubts)
    if value[:2] in ("HP", "Hp"):
        return KeyField(_signature(2), Key(9, "mixolydian"), False, properties, tuple(doubts))
    lower = _LOWER_TONIC.match(value)
    tonic = _TONIC.match(value.capitalize() if lower else value)
    if tonic is None:
        is_named = value[:4].lower() == "none" or value[:3].lower() == "exp" or not text.strip()
        altered = _ALTERED.findall(value)
        if not (is_named or altered):
            if words:
                doubts.append(f"the key '{one_word(value)}' is unknown")
            return KeyField(None, None, False, properties, tuple(doubts))
        signature = _altered(_signature(0), altered, doubts)
        fifths = _fifths(signature)
        key = Key(fifths * 7 % 12, "major") if fifths and altered else None
        return KeyField(signature, key, False, properties, tuple(doubts))
    letter, sign, word, rest = tonic.groups()
    mode = word.lower() if word.lower() == "m" else word.lower()[:3]
    of_tonic = _LETTERS.index(letter) - 1 + 7 * _SIGNS[sign.strip()]
    altered = _ALTERED.findall(rest)
    if _ALTERED.sub("", rest).strip():
        doubts.append(f"'{one_word(rest)}' of the key is not read")
    if mode != "exp" and mode not in _MODES:
        doubts.append(f"the mode '{one_word(word)}' is unknown and read as major")
        mode = ""
    signature = _altered(_signature(0 if mode == "exp" else of_tonic - FIFTHS_ABOVE[_MODES[mode]]), altered, doubts)
    fifths = _fifths(signature)
    by_signature = None if fifths is None or not (altered or mode == "exp") else _NAMES.get(of_tonic - fifths)
    name = by_signature or (None if mode == "exp" else _MODES[mode])
    key = Key((NATURALS[letter] + _SIGNS[sign.strip()]) % 12, name) if name else None
    return KeyField(signature, key, mode != "exp", properties, tuple(doubts))


def one_word(text: str) -> str:
    """Return the beginning of a text from a file, for a message."""
    return " ".join(text.split())[:30]


def _signature(fifths: int) -> Signature:
    return {NATURALS[letter]: (fifths + 6 - place) // 7 for place, letter in enumerate(_LETTERS)}


def _fifths(signature: Signature) -> int | None:
    """The number of sharps (or, negative, of flats) of a signature; None if it is that of no major key."""
    return next((fifths for fifths in range(-7, 8) if _signature(fifths) == signature), None)


def _altered(signature: Signature, altered: list[tuple[str, str, str]], doubts: list[str]) -> Signature:
    for sign, fraction, letter in altered:
        signature[NATURALS[letter.upper()]] = 0 if fraction else _SIGNS[sign]
        if fraction:
            doubts.append(f"the microtone of {letter.upper()} in the key is not kept")
    return signature


def read_meter(text: str) -> tuple[Fraction | None, Meter | None, str]:
    """Return the value of an M: field: length of a bar in whole notes, meter, and what could not be read.

    Without a meter (`none`) both are None.

    Examples:
        >>> read_meter("2+3/8"), read_meter("C|")[1]
        ((Fraction(5, 8), Meter(numerator=5, denominator=8), ''), Meter(numerator=2, denominator=2))
    """
    value = text[:_LONGEST].strip().strip('"')
    if value.lower() in ("", "none", "free"):
        return None, None, ""
    if value in ("C", "c", "C|", "c|"):
        meter = Meter(2, 2) if "|" in value else Meter()
        return Fraction(1), meter, ""
    numerator = denominator = 0
    doubt = ""
    for joint, numbers, below in _FRACTION.findall(value):
        if denominator and "+" not in joint:
            doubt = f"of the meter '{one_word(value)}' only {numerator}/{denominator} is read"
            break
        count, unit = sum(map(int, re.findall(r"[0-9]+", numbers))), int(below)
        if not (count and unit):
            continue
        common = max(unit, denominator)
        if denominator:
            whole = Fraction(numerator, denominator) + Fraction(count, unit)
            numerator, denominator = int(whole * common), common
        else:
            numerator, denominator = count, unit
    if not (numerator and denominator) or numerator > 999:
        return None, None, f"the meter '{one_word(value)}' is unknown"
    try:
        return Fraction(numerator, denominator), Meter(numerator, denominator), doubt
    except UsageError:
        return Fraction(numerator, denominator), None, f"the meter '{one_word(value)}' is not kept"


def read_unit(text: str) -> Fraction | None:
    """Return the value of an L: field in whole notes; None if it is none.

    Examples:
        >>> read_unit("1/16")
        Fraction(1, 16)
    """
    match = re.match(r"\s*([0-9]{1,3})\s*(?:/\s*([0-9]{1,4}))?", text)
    if match is None or not int(match[1]) or (match[2] is not None and not int(match[2])):
        return None
    return Fraction(int(match[1]), int(match[2] or 1))


def read_tempo(text: str, unit: Fraction) -> float | None:
    """Return the value of a Q: field in quarter notes a minute; None if it has no number.

    Args:
        text: such as `"Allegro" 1/4=120`, or `120` units a minute as in early ABC.
        unit: the unit note length in whole notes.

    Examples:
        >>> read_tempo("3/8=60", Fraction(1, 8)), read_tempo("120", Fraction(1, 8))
        (90.0, 60.0)
    """
    value = re.sub(r'"[^"]*"?', " ", text[:_LONGEST])
    match = _TEMPO.search(value)
    if match:
        beats = re.findall(r"([0-9]+)\s*/\s*([0-9]+)", match[1])
        if any(not int(below) for _, below in beats):
            return None
        beat, rate = sum(Fraction(int(above), int(below)) for above, below in beats), match[2]
    else:
        match = _UNIT_TEMPO.search(value)
        if match:
            beat, rate = unit * Fraction(int(match[1] or 1), int(match[2] or 1) or 1), match[3]
        else:
            match = re.match(rf"\s*{_NUMBER}", value)
            if match is None:
                return None
            beat, rate = unit, match[1]
    return float(beat * 4 * Fraction(rate))
