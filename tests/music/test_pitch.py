"""Names of pitches, and the pitches that names mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.music import Pitch, parse_pitch_range

pitches = st.integers(0, 127).map(Pitch)


@given(pitches)
def test_a_name_is_read_back(pitch: Pitch) -> None:
    assert Pitch.parse(pitch.name) == pitch


@given(pitches, pitches)
def test_a_range_of_names_is_read_back(one: Pitch, other: Pitch) -> None:
    low, high = sorted((one, other))
    assert parse_pitch_range(f"{low.name}-{high.name}") == (low, high)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("C-1", 0), ("c-1", 0), ("B-1", 11), ("Bb-1", 10), ("C#-1", 1), ("B--1", 10), ("Dbb-1", 0), ("C--1", None),
        ("B-3", 58), ("B--3", 57), ("E-4", 63), ("Bb1", 34), ("F##4", 67), ("G9", 127), ("B♭4", 70), ("F♯4", 66),
        ("C-2", 35), ("C#-2", None), ("G#9", None), ("H4", None), ("C", None), ("C4\n", 60), ("C44", None),
    ],
)  # fmt: skip
def test_a_final_minus_one_is_the_octave_and_other_dashes_are_flats(name: str, number: int | None) -> None:
    if number is None:
        with pytest.raises(UsageError):
            Pitch.parse(name)
    else:
        assert Pitch.parse(name) == number
