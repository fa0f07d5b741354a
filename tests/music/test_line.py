"""Lines: their shapes, and the chords over them."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.metrics.sets import joined_lines
from cantilena.music import Chord, ChordTrack, Line, Meter


def line(melodies: int = 2, steps: int = 4) -> Line:
    return Line.from_events(np.full((melodies, steps), 2), np.full((melodies, steps), 60))


def test_chords_at_steps_with_changes_rounded_to_the_nearest() -> None:
    track = ChordTrack(((0, Chord(0)), (8, Chord(7, "7")), (15, Chord(None)), (20, Chord(5))))
    over = line().with_chords([track, ChordTrack()], ticks_per_step=6)
    assert over.chord_root is not None
    assert over.chord_root.tolist() == [[0, 7, 7, 5], [-1, -1, -1, -1]]
    assert over.chord is not None
    assert over.chord.dtype == np.int16
    assert [bin(int(mask)).count("1") for mask in over.chord[0]] == [3, 4, 4, 3]
    silent = line().with_chords([ChordTrack(((0, Chord(0)), (12, Chord(None)))), ChordTrack()], 6)
    assert silent.chord is not None
    assert (silent.chord[0] > 0).tolist() == [True, True, False, False]


def test_chords_stay_with_their_melodies() -> None:
    tracks = [ChordTrack.parse(name, Meter(4, 4)) for name in ("C", "F")]
    over = line().with_chords(tracks, 6)
    second = over[1:]
    assert second.chord_root is not None
    assert second.chord_root.tolist() == [[5] * 4]
    longer = joined_lines(over, line(1, 6))
    assert longer.chord_root is not None
    assert longer.chord_root.tolist() == [[0] * 4 + [-1] * 2, [5] * 4 + [-1] * 2, [-1] * 6]
    assert joined_lines(line(), line()).chord is None


def test_without_chords_nothing_is_stored() -> None:
    assert line().chord is None
    assert line().with_chords([ChordTrack(), ChordTrack(((0, Chord(None)),))], 6).chord is None
    assert line()[:1].chord is None
    masks, roots = line().chord_arrays()
    assert not masks.any()
    assert (roots == -1).all()


def test_chords_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="chords of 1 melodies for 2"):
        line().with_chords([ChordTrack()], 6)
    with pytest.raises(ValueError, match="must both be None or have shape"):
        Line(*(getattr(line(), name) for name in ("event", "pitch", "pitch_classes", "length")), np.zeros((2, 4)))
