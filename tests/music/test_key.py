"""Keys: that name, signature and scale say the same."""

from __future__ import annotations

from typing import get_args

import pytest

from cantilena.music import Key, Mode, Pitch

KEYS = [Key(tonic, mode) for mode in get_args(Mode) for tonic in range(12)]
SHARPS, FLATS = "FCGDAEB", "BEADGCF"
LETTERS = "CDEFGAB"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_signature_makes_the_scale_of_the_tonic_that_is_named(key: Key) -> None:
    tonic = key.name.split()[0]
    altered = dict.fromkeys(SHARPS[: key.fifths] if key.fifths > 0 else "", "#")
    altered |= dict.fromkeys(FLATS[: -key.fifths] if key.fifths < 0 else "", "b")
    scale = [letter + altered.get(letter, "") for letter in LETTERS]
    assert tonic in scale
    assert sorted(Pitch.parse(f"{note}4") % 12 for note in scale) == list(key.pitch_classes)


@pytest.mark.parametrize(
    ("name", "fifths"), [("Eb minor", -6), ("Gb major", -6), ("B major", 5), ("G# minor", 5), ("A minor", 0)]
)
def test_signatures_as_musicians_count_them(name: str, fifths: int) -> None:
    assert Key.parse(name).fifths == fifths


def test_relative_keys_share_a_signature() -> None:
    mode: Mode = "minor"
    for key in KEYS[:12]:
        assert Key((key.tonic + 9) % 12, mode).fifths == key.fifths


@pytest.mark.parametrize(
    ("name", "plain", "minor"),
    [("E dorian", "D dorian", True), ("G mixolydian", "G mixolydian", False), ("Bb lydian", "F lydian", False)],
)
def test_the_other_modes_are_known_by_name(name: str, plain: str, minor: bool) -> None:
    key = Key.parse(name)
    assert key.plain.name == plain
    assert key.plain.fifths == 0
    assert key.is_minor is minor
    assert Key.parse(name.replace("dorian", "Dorian")) == key
    assert Key.parse("A aeolian") == Key.parse("A minor")
    assert Key.parse("C ionian") == Key()


def test_a_key_is_read_back_from_its_name() -> None:
    assert [Key.parse(key.name) for key in KEYS] == KEYS
