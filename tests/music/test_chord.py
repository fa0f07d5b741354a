"""Chord symbols, as lead sheets write them."""

from __future__ import annotations

import pytest

from cantilena.errors import UsageError
from cantilena.music import CHORD_TONES, Chord


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
