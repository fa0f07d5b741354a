"""Pitch spelling (G sharp or A flat), and the accidentals that a score shows.

Note names stand on the line of fifths ... Bb F C G D A E B F# ...; a key takes twelve neighbours from it, so that every
pitch class has one name (D. Temperley, The Cognition of Basic Musical Structures, MIT Press 2001, chapter 5). A note
outside the scale that moves on by a semitone is spelled by that motion: up from a sharpened note, down from a flattened
one.
"""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.music import CHORD_TONES, NATURALS, Chord, Key, note_by_fifths

_LETTERS = "FCGDAEB"  # the line of fifths, F at position -1
# The lowest of the twelve fifths, from the tonic of the key signature's major scale: C major has Eb .. G#, A minor has
# Bb .. D#, the raised sixth and seventh and the leading tone of the dominant among them.
_WINDOW = {"major": -3, "minor": -2}
# How far a semitone motion may go outside it: D C# D but D Db C; never A# for Bb, nor Gb for F#, in C major, and
# the falling line A G# G F# F of A minor keeps its sharps.
_PASSING = {"major": (-5, 9), "minor": (-3, 9)}
_FLATTEST, _SHARPEST = -8, 12  # Fb .. B#: no double accidentals, except for the leading tone of a minor key
_LEADING_TONE = 8  # fifths above the tonic of the key signature's major scale: G# in A minor, F## in G# minor


@dataclass(frozen=True, slots=True)
class Spelling:
    """A pitch as it is written.

    Args:
        step: the letter, C to B.
        alter: semitones from the natural note, -2 (double flat) to 2.
        octave: the written octave: B#3 sounds as C4.
    """

    step: str
    alter: int
    octave: int

    @property
    def name(self) -> str:
        """The name with signs: `C♯4`, `B♭3`."""
        return f"{self.step}{'♭' * -self.alter}{'♯' * self.alter}{self.octave}"


def spell_pitch(pitch: int, key: Key, following: int | None = None) -> Spelling:
    """Spell a pitch in a key.

    Args:
        pitch: MIDI number.
        key: the key; other modes are spelled as the major or minor key of their third.
        following: MIDI number of the note that it moves on to, if any.

    Examples:
        >>> spell_pitch(66, Key.parse("C major")).name, spell_pitch(66, Key.parse("C major"), following=65).name
        ('F♯4', 'F♯4')
        >>> spell_pitch(61, Key.parse("C major")).name, spell_pitch(61, Key.parse("C major"), following=60).name
        ('C♯4', 'D♭4')
    """
    mode = "minor" if key.is_minor else "major"
    low = _WINDOW[mode]
    # Positions of one pitch class lie twelve fifths apart (seven semitones each, so that 7 is its own inverse).
    position = low + (pitch * 7 - key.fifths - low) % 12 + key.fifths
    if pitch % 12 not in key.pitch_classes and following is not None and abs(following - pitch) == 1:
        neighbour = low + (following * 7 - key.fifths - low) % 12 + key.fifths
        # A diatonic semitone is five fifths down when it rises, five up when it falls.
        resolving = neighbour + (5 if following > pitch else -5)
        flattest, sharpest = _PASSING[mode]
        if max(_FLATTEST, key.fifths + flattest) <= resolving <= min(_SHARPEST, key.fifths + sharpest):
            position = resolving
    if position < _FLATTEST:
        position += 12
    elif position > _SHARPEST and not (key.mode == "minor" and position == key.fifths + _LEADING_TONE):
        position -= 12
    step, alter = note_by_fifths(position)
    return Spelling(step, alter, (pitch - alter - NATURALS[step]) // 12 - 1)


@dataclass(frozen=True, slots=True)
class SpelledChord:
    """A chord symbol taken apart.

    Args:
        root: letter and alteration of the root; None for N.C.
        suffix: what follows the root, such as `m7`.
        bass: letter and alteration of the bass where it is not the root.
    """

    root: tuple[str, int] | None
    suffix: str = ""
    bass: tuple[str, int] | None = None

    @classmethod
    def of_chord(cls, chord: Chord, key: Key) -> SpelledChord:
        """Spell a chord in a key.

        Examples:
            >>> SpelledChord.of_chord(Chord.parse("Bbm7/F"), Key())
            SpelledChord(root=('B', -1), suffix='m7', bass=('F', 0))
        """
        if chord.root is None:
            return cls(None, "N.C.")
        root, bass = map(note_by_fifths, chord.fifths(key))
        return cls(root, chord.suffix, bass if chord.bass != chord.root else None)

    def tone(self, pitch: int, chord: Chord) -> Spelling | None:
        """Spell a pitch as a tone of the chord: its third is a third above its root; None if it is no tone of it.

        Examples:
            >>> chord = Chord.parse("Fm")
            >>> SpelledChord.of_chord(chord, Key()).tone(56, chord).name
            'A♭3'
        """
        if self.root is None or chord.root is None:
            return None
        tones = CHORD_TONES[chord.quality]
        interval = (pitch - chord.root) % 12
        if interval in tones:
            second = {"sus2": 1, "sus4": 3, "7sus4": 3}.get(chord.quality, 2)
            step = "CDEFGAB"[("CDEFGAB".index(self.root[0]) + (0, second, 4, 6)[tones.index(interval)]) % 7]
        elif pitch % 12 == chord.bass and self.bass is not None:
            step = self.bass[0]
        else:
            return None
        alter = (pitch - NATURALS[step] + 6) % 12 - 6
        return Spelling(step, alter, (pitch - alter - NATURALS[step]) // 12 - 1) if abs(alter) < 2 else None


def signature_alterations(fifths: int) -> dict[str, int]:
    """Return the alteration of each letter by a key signature: 1 for a sharp, -1 for a flat.

    Examples:
        >>> signature_alterations(-2)
        {'F': 0, 'C': 0, 'G': 0, 'D': 0, 'A': 0, 'E': -1, 'B': -1}
    """
    return {letter: (index < fifths) - (index >= 7 + fifths) for index, letter in enumerate(_LETTERS)}


_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


class Accidentals:
    """The accidentals in force on each line and space while a score is read from left to right.

    An accidental holds to the barline, on its own line or space. In the next bar the signature holds again: the first
    note there that might be misread gets a cautionary accidental.

    Args:
        fifths: the key signature.

    Examples:
        >>> signs = Accidentals(fifths=1)
        >>> signs.sign(Spelling("F", 1, 4)), signs.sign(Spelling("F", 0, 4)), signs.sign(Spelling("F", 0, 4))
        (None, ('natural', False), None)
        >>> signs.barline()
        >>> signs.sign(Spelling("F", 1, 4))
        ('sharp', True)
    """

    def __init__(self, fifths: int) -> None:
        self._signature = signature_alterations(fifths)
        self._in_bar: dict[tuple[str, int], int] = {}
        self._misleading: dict[tuple[str, int], int] = {}

    def barline(self) -> None:
        """Begin a new bar."""
        self._misleading, self._in_bar = self._in_bar, {}

    def sign(self, note: Spelling, *, tied: bool = False) -> tuple[str, bool] | None:
        """Return the accidental to write before a note: its name in MusicXML and whether it is cautionary, or None.

        Args:
            note: the note as spelled.
            tied: whether it is tied from the note before, and so needs no sign.
        """
        if tied:
            return None
        place = note.step, note.octave
        in_force = self._in_bar.get(place, self._signature[note.step])
        before = self._misleading.pop(place, in_force)
        if note.alter != in_force:
            self._in_bar[place] = note.alter
            return _SIGNS[note.alter], False
        if note.alter != before and place not in self._in_bar:
            return _SIGNS[note.alter], True
        return None
