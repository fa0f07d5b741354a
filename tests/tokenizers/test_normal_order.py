"""Normal order against music21's, for every chord there is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.tokenizers import normal_order, sounded

ALL_SETS = [tuple(pc for pc in range(12) if mask >> pc & 1) for mask in range(1, 4096)]


@pytest.mark.parametrize(
    "sets",
    [
        pytest.param(ALL_SETS[::61], id="some"),
        pytest.param(ALL_SETS, id="all", marks=pytest.mark.slow),  # music21 takes 10 ms a chord
    ],
)
def test_pitch_class_sets_have_music21s_normal_order(sets: list[tuple[int, ...]]) -> None:
    chord = pytest.importorskip("music21.chord", reason="the extra notation is not installed")
    for classes in sets:
        assert normal_order(classes) == tuple(chord.Chord(list(classes)).normalOrder), classes


def test_a_chord_in_normal_order_sounds_as_itself() -> None:
    for classes in ALL_SETS:
        order = normal_order(classes)
        pitches = sounded(order)
        assert normal_order(pitches) == order
        assert len(pitches) >= 2
        assert all(low < high for low, high in pairwise(pitches))
        if len(order) > 1:
            assert pitches[0] == 60 + order[0]
            assert all(high - low < 12 for low, high in pairwise(pitches))
        else:
            assert 60 <= pitches[-1] < 72


@settings(deadline=None)
@given(st.lists(st.integers(0, 127), min_size=1, max_size=8), st.integers(-3, 3))
def test_octaves_and_repeats_do_not_matter(pitches: list[int], octaves: int) -> None:
    assert normal_order([*pitches, *(pitch + 12 * octaves for pitch in pitches)]) == normal_order(pitches)


def test_nothing_is_in_order() -> None:
    assert normal_order(()) == ()
