"""Chord symbols, as lead sheets write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.music import CHORD_TONES, FIFTHS_ABOVE, Chord, Key


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("C", (0, "maj", 0), "C"),
        ("Am7/G", (9, "min7", 7), "Am7/G"),
        ("Bb", (10, "maj", 10), "Bb"),
        ("F#m7b5", (6, "m7b5", 6), "F#m7b5"),
        ("F#ø", (6, "m7b5", 6), "F#m7b5"),
        ("E-7", (4, "min7", 4), "Em7"),
        ("Gsus", (7, "sus4", 7), "Gsus4"),
        ("D9sus4", (2, "7sus4", 2), "D7sus4"),
        ("Eb°7", (3, "dim7", 3), "Ebdim7"),
        ("A7(b9)", (9, "7", 9), "A7"),
        ("C6/9", (0, "maj", 0), "C"),
        ("n.c.", (None, "", None), "N.C."),
    ],
)
def test_symbols(text, expected, written):
    chord = Chord.parse(text)
    assert (chord.root, chord.quality, chord.bass) == expected
    assert str(chord) == written
    assert Chord.parse(str(chord)) == chord


@pytest.mark.parametrize("quality", CHORD_TONES)
@pytest.mark.parametrize("root", range(12))
def test_every_chord_is_read_as_written(root, quality):
    chord = Chord(root, quality, (root + 3) % 12)
    assert Chord.parse(str(chord)) == chord
    assert chord.transposed(5).transposed(7) == chord


@pytest.mark.parametrize("text", ["", "H", "Cxyz", "c", "Am7/x", "Allegro", "D.C. al Fine"])
def test_what_is_no_symbol_is_refused(text):
    with pytest.raises(UsageError, match="is not a chord symbol"):
        Chord.parse(text)


chords = st.builds(Chord, st.integers(0, 11), st.sampled_from(sorted(CHORD_TONES)), st.integers(0, 11))
keys = st.builds(Key, st.integers(0, 11), st.sampled_from(sorted(FIFTHS_ABOVE)))


@given(chords, keys)
def test_a_symbol_in_a_key_is_the_same_chord(chord, key):
    assert Chord.parse(chord.symbol(key)) == chord


@given(chords, keys, st.integers(0, 11))
def test_numerals_do_not_change_with_the_key(chord, key, semitones):
    assert chord.transposed(semitones).roman(key.transposed(semitones)) == chord.roman(key)


@pytest.mark.parametrize(
    ("chord", "key", "symbol", "roman"),
    [
        (Chord(8), "Eb major", "Ab", "IV"),
        (Chord(8), "E major", "G#", "III"),
        (Chord(8, "dim7"), "A minor", "G#dim7", "vii°7"),
        (Chord(8, "m7b5"), "A major", "G#m7b5", "viiø7"),
        (Chord(7, "7"), "A minor", "G7", "VII7"),
        (Chord(1, "dim7"), "C major", "C#dim7", "#i°7"),
        (Chord(1), "C major", "Db", "bII"),
        (Chord(9, "7", 1), "C major", "A7/C#", "VI65"),
        (Chord(0, "maj", 2), "C major", "C/D", "I"),
        (Chord(0, "maj", 7), "C major", "C/G", "I64"),
        (Chord(7, "7", 5), "C major", "G7/F", "V42"),
        (Chord(7, "7", 2), "C minor", "G7/D", "V43"),
        (Chord(2, "m7b5", 5), "C minor", "Dm7b5/F", "iiø65"),
        (Chord(0, "aug"), "A minor", "Caug", "III+"),
        (Chord(8), "C minor", "Ab", "VI"),
        (Chord(6, "dim"), "C major", "F#dim", "#iv°"),
        (Chord(3), "G# minor", "D#", "V"),
        (Chord(2, "min"), "D dorian", "Dm", "i"),
        (Chord(None), "C major", "N.C.", "N.C."),
    ],
)
def test_symbols_and_numerals_in_keys(chord, key, symbol, roman):
    assert chord.symbol(Key.parse(key)) == symbol
    assert chord.roman(Key.parse(key)) == roman


def test_music21_reads_the_numerals_as_these_chords():
    from music21.roman import RomanNumeral

    qualities = ("maj", "min", "dim", "aug", "7", "min7", "m7b5", "dim7")
    compared = 0
    for name, tonic in (("C major", "C"), ("A minor", "a"), ("Eb major", "E-"), ("F# minor", "f#")):
        key = Key.parse(name)
        diatonic = set(key.pitch_classes)
        for quality in qualities:
            for root in range(12):
                above = (root - key.tonic) % 12
                # music21 reads vi and vii of minor keys as raised, and sevenths as those of the scale
                is_other = key.is_minor and above in (8, 9, 10)
                if is_other or (root not in diatonic and above != 11) or (above == 11 and "dim" not in quality):
                    continue
                for over in CHORD_TONES[quality]:
                    chord = Chord(root, quality, (root + over) % 12)
                    if quality in ("7", "min7") and not set(chord.pitch_classes) <= diatonic | {(key.tonic - 1) % 12}:
                        continue
                    figure = chord.roman(key).replace("°", "o")
                    theirs = RomanNumeral(figure, tonic)
                    assert sorted({pitch.pitchClass for pitch in theirs.pitches}) == list(chord.pitch_classes), figure
                    assert theirs.bass().pitchClass == chord.bass, figure
                    compared += 1
    assert compared > 250


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("CMaj7", "Cmaj7"), ("CMin7", "Cm7"), ("Cadd4", "C"), ("CΔ9", "Cmaj7"), ("C13b9", "C7"), ("C7b9b13", "C7"),
        ("Caug9", "Caug"), ("Cm6/9", "Cm"), ("Cmaj7#5", "Cmaj7"), ("Cno3", "C"), ("Cdim9", "Cdim"),
    ],
)  # fmt: skip
def test_tensions_are_left_out(text: str, symbol: str) -> None:
    assert str(Chord.parse(text)) == symbol


@pytest.mark.parametrize("text", ["C99", "C9999", "Cx", "C8", "Cadd", "C13z"])
def test_what_is_no_tension_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a chord symbol"):
        Chord.parse(text)
