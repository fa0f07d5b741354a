"""Chord symbols: a root, a quality and a bass."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cantilena.errors import UsageError, shown
from cantilena.music.key import FIFTHS_ABOVE, Key, name_by_fifths
from cantilena.music.pitch import parse_pitch_class

CHORD_TONES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "sus2": (0, 2, 7), "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
}  # fmt: skip
"""Semitones of the tones of each quality above the root."""

_SUFFIXES = {
    "maj": "", "min": "m", "dim": "dim", "aug": "aug", "7": "7", "maj7": "maj7", "min7": "m7", "m7b5": "m7b5",
    "dim7": "dim7", "sus2": "sus2", "sus4": "sus4", "7sus4": "7sus4",
}  # fmt: skip

_SYNONYMS = {
    "": "maj", "M": "maj", "maj": "maj", "ma": "maj", "major": "maj", "Δ": "maj7", "5": "maj", "6": "maj",
    "add9": "maj", "add2": "maj", "2": "maj", "69": "maj", "m69": "min", "m": "min", "-": "min", "mi": "min",
    "min": "min", "minor": "min", "m6": "min", "-6": "min", "mi6": "min", "min6": "min", "madd9": "min", "dim": "dim",
    "o": "dim",
    "°": "dim", "º": "dim", "mb5": "dim", "+": "aug", "aug": "aug", "#5": "aug", "+5": "aug", "7": "7", "9": "7",
    "11": "7", "13": "7", "dom7": "7", "7b9": "7", "7#9": "7", "7b5": "7", "7#5": "7", "7+": "7", "aug7": "7",
    "+7": "7", "7alt": "7", "7#11": "7", "7b13": "7", "maj7": "maj7", "M7": "maj7", "ma7": "maj7", "Δ7": "maj7",
    "^": "maj7", "^7": "maj7", "maj9": "maj7", "M9": "maj7", "maj13": "maj7", "maj7#11": "maj7", "j7": "maj7",
    "m7": "min7", "-7": "min7", "mi7": "min7", "min7": "min7", "m9": "min7", "-9": "min7", "min9": "min7",
    "m11": "min7", "min11": "min7", "m13": "min7", "mM7": "min", "mmaj7": "min", "minmaj7": "min", "m(maj7)": "min",
    "-maj7": "min", "m7b5": "m7b5", "m7(b5)": "m7b5", "-7b5": "m7b5", "min7b5": "m7b5", "ø": "m7b5", "ø7": "m7b5",
    "h": "m7b5", "h7": "m7b5", "dim7": "dim7", "o7": "dim7", "°7": "dim7", "º7": "dim7", "sus2": "sus2", "sus": "sus4",
    "sus4": "sus4", "4": "sus4", "7sus4": "7sus4", "7sus": "7sus4", "9sus4": "7sus4", "9sus": "7sus4", "11sus": "7sus4",
}  # fmt: skip
"""Suffixes of lead sheets and the quality that each is read as: tensions above the seventh are not kept."""

_SYMBOL = re.compile(r"([A-G])([#♯b♭]{0,2})([^/]*)(?:/([A-Ga-g])([#♯b♭]{0,2}))?\Z")
_TENSION = re.compile(r"(?:(?:add|omit|no)[b#]?|[b#]|(?<![\db#do]))(?:2|3|4|5|6|9|11|13)\Z")
"""A tension at the end of a symbol, or a tone that is left out."""
_GERMAN = re.compile(r"[Hh]|[A-Ga-g](?:is|es)(?![a-z])|[AEae]s(?![a-z])|.*(?:moll|dur)\b", re.IGNORECASE)
_SOLFEGE = re.compile(r"(?:do|ut|re|ré|mi|fa|sol|la|si)(?:m|(?![a-z]))", re.IGNORECASE)
_NO_CHORD = ("n.c.", "nc", "n.c", "no chord")
_FIFTHS_OF = (0, 7, 2, -3, 4, -1, -6, 1, 8, -9, -2, 5)
"""Fifths from the root to each semitone above it as a chord tone: a third, a fifth, a seventh, an augmented fifth."""
_DIMINISHED = ("dim", "m7b5", "dim7")
_DEGREES = {
    "major": ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII"),
    "minor": ("I", "bII", "II", "III", "#III", "IV", "#IV", "V", "VI", "#VI", "VII", "#VII"),
    "diminished in major": ("I", "#I", "II", "#II", "III", "IV", "#IV", "V", "#V", "VI", "#VI", "VII"),
    "diminished in minor": ("I", "#I", "II", "III", "#III", "IV", "#IV", "V", "VI", "#VI", "bVII", "VII"),
}
"""Degrees by semitones above the tonic; a diminished chord leads to the tone above its root."""
_FIFTHS_OF_DEGREES = {
    "major": (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5),
    "minor": (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5),
    "diminished in major": (0, 7, 2, 9, 4, -1, 6, 1, 8, 3, 10, 5),
    "diminished in minor": (0, 7, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5),
}
_QUALITY_MARKS = {
    "dim": "°", "aug": "+", "maj7": "maj", "m7b5": "ø", "dim7": "°", "sus2": "sus2", "sus4": "sus4", "7sus4": "7sus4",
}  # fmt: skip
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord symbol of a lead sheet; without a root it is N.C., where no chord sounds.

    Args:
        root: pitch class, 0 (C) to 11 (B); None for N.C.
        quality: a name in `CHORD_TONES`; "" for N.C.
        bass: pitch class of the bass; None is the root.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> Chord.parse("Am7/G")
        Chord(root=9, quality='min7', bass=7)
        >>> str(Chord.parse("Am7/G").transposed(3)), str(Chord.parse("N.C."))
        ('Cm7/Bb', 'N.C.')
    """

    root: int | None
    quality: str = "maj"
    bass: int | None = None

    def __post_init__(self) -> None:
        if self.root is None:
            object.__setattr__(self, "quality", "")
            object.__setattr__(self, "bass", None)
            return
        if self.quality not in CHORD_TONES:
            raise UsageError(f"'{self.quality}' is not a quality of chords", f"choose one of {', '.join(CHORD_TONES)}")
        bass = self.root if self.bass is None else self.bass
        if not (0 <= self.root <= 11 and 0 <= bass <= 11):
            raise UsageError(
                f"a chord on {self.root} over {bass} is out of range", "pitch classes run from 0 (C) to 11 (B)"
            )
        object.__setattr__(self, "bass", bass)

    @classmethod
    def parse(cls, text: str) -> Chord:
        """Parse a symbol such as `C`, `Am7`, `F/A`, `Bdim`, `F#m7b5` or `N.C.`; tensions are left out.

        Raises:
            UsageError: it is not a chord symbol.
        """
        symbol = text.strip()
        if symbol.lower() in _NO_CHORD:
            return cls(None)
        match = _SYMBOL.match(symbol.replace("6/9", "69"))
        quality = _quality_of(re.sub(r"[\s()]", "", match[3])) if match else None
        if match is None or quality is None:
            raise UsageError(f"'{shown(text)}' is not a chord symbol", _hint(symbol))
        root = parse_pitch_class(match[1] + match[2])
        bass = parse_pitch_class(match[4] + match[5]) if match[4] else root
        return cls(root, quality, bass)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The pitch classes of its tones, ascending from 0; none for N.C."""
        if self.root is None:
            return ()
        return tuple(sorted((self.root + tone) % 12 for tone in CHORD_TONES[self.quality]))

    def transposed(self, semitones: int) -> Chord:
        """The chord `semitones` higher."""
        if self.root is None or self.bass is None:
            return self
        return Chord((self.root + semitones) % 12, self.quality, (self.bass + semitones) % 12)

    def symbol(self, key: Key | None) -> str:
        """The symbol, its root with the accidental that it has in a key; without a key as `str` writes it.

        The root is spelled as its degree (`roman`), and a bass that is a chord tone as third, fifth or seventh of it.

        Examples:
            >>> chord = Chord(8)
            >>> chord.symbol(Key.parse("Eb major")), chord.symbol(Key.parse("E major"))
            ('Ab', 'G#')
            >>> Chord(9, "7", 1).symbol(Key.parse("F major"))
            'A7/C#'
        """
        if self.root is None or self.bass is None or key is None:
            return str(self)
        root, bass = self.fifths(key)
        slash = f"/{name_by_fifths(bass)}" if self.bass != self.root else ""
        return f"{name_by_fifths(root)}{self.suffix}{slash}"

    def fifths(self, key: Key) -> tuple[int, int]:
        """The root and the bass as spelled in a key: places on the line of fifths, C at 0.

        Raises:
            UsageError: it is N.C.
        """
        if self.root is None or self.bass is None:
            raise UsageError("N.C. has no root", "spell chords alone")
        tonic = key.fifths + FIFTHS_ABOVE[key.mode]
        root = _within(tonic + _FIFTHS_OF_DEGREES[self._table(key)][(self.root - key.tonic) % 12])
        over = (self.bass - self.root) % 12
        if over in CHORD_TONES[self.quality]:
            return root, _within(root + _FIFTHS_OF[over])
        degrees = _FIFTHS_OF_DEGREES["minor" if key.is_minor else "major"]
        return root, _within(tonic + degrees[(self.bass - key.tonic) % 12])

    @property
    def suffix(self) -> str:
        """What follows the root in its symbol, such as `m7`; empty for N.C."""
        return _SUFFIXES.get(self.quality, "")

    def roman(self, key: Key) -> str:
        """The Roman numeral of the chord in a key; "N.C." for no chord.

        Degrees are counted in semitones above the tonic, with `b` or `#` where the scale has them elsewhere: in minor
        keys the natural one, but the diminished chord on the leading tone is `vii°`. Capitals are chords with a major
        third, or without a third. Figures name the inversion of triads and seventh chords; a bass that is no chord tone
        is left out, and so are applied dominants: V7 of V is `II7`.

        Examples:
            >>> key = Key.parse("C major")
            >>> [Chord.parse(symbol).roman(key) for symbol in ("Am7", "G7/B", "Bm7b5", "Bdim7", "Cmaj7", "Gsus4", "Ab")]
            ['vi7', 'V65', 'viiø7', 'vii°7', 'Imaj7', 'Vsus4', 'bVI']
        """
        if self.root is None or self.bass is None:
            return str(self)
        degree = _DEGREES[self._table(key)][(self.root - key.tonic) % 12]
        tones = CHORD_TONES[self.quality]
        if 3 in tones:
            degree = degree.lower()
        figures = ""
        if "sus" not in self.quality:
            over = (self.bass - self.root) % 12
            inversion = tones.index(over) if over in tones else 0
            figures = ("7", "65", "43", "42")[inversion] if len(tones) == 4 else ("", "6", "64")[inversion]
        return f"{degree}{_QUALITY_MARKS.get(self.quality, '')}{figures}"

    def _table(self, key: Key) -> str:
        """The table of degrees that names its root."""
        mode = "minor" if key.is_minor else "major"
        return f"diminished in {mode}" if self.quality in _DIMINISHED else mode

    def __str__(self) -> str:
        if self.root is None or self.bass is None:
            return "N.C."
        over = "" if self.bass == self.root else f"/{_NAMES[self.bass]}"
        return f"{_NAMES[self.root]}{self.suffix}{over}"


def _within(position: int) -> int:
    """The place with the same tone that needs no double accidental: Fb to B#."""
    return position + 12 if position < -8 else position - 12 if position > 12 else position


def _quality_of(suffix: str) -> str | None:
    """The quality that a suffix names; up to three tensions that no synonym has are left out."""
    suffix = suffix.replace("Maj", "maj").replace("Min", "min").translate({ord("♯"): "#", ord("♭"): "b"})
    for _ in range(4):
        if (quality := _SYNONYMS.get(suffix)) is not None:
            return quality
        shorter = _TENSION.sub("", suffix)
        if shorter == suffix:
            return None
        suffix = shorter
    return None


def _hint(symbol: str) -> str:
    """What to write instead of a wrong symbol."""
    if _GERMAN.match(symbol):
        return "names are English: B for H, Bb for B, C# for Cis, Eb for Es, Am for a-Moll, C for C-Dur"
    if _SOLFEGE.match(symbol):
        return "names are English: C D E F G A B for do re mi fa sol la si"
    return "write it like C, Am7, F/A, Bdim, G7 or N.C."
