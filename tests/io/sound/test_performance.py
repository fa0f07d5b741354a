"""Expressive performance: by rules, within bounds, and optional."""

from __future__ import annotations

import hashlib
import io
import itertools
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.io import midi_bytes, musicxml, perform, render, write
from cantilena.io.sound.files import wav_bytes
from cantilena.io.sound.performance import phrases_of
from cantilena.music import Key, Melody, Meter, Note, Tempo

SCALE = [(60 + step, 24) for step in (0, 2, 4, 5, 7, 5)]
TWO_PHRASES = Melody.from_pitches([*SCALE, (64, 48), *SCALE, (60, 48)], key=Key())

melodies = st.builds(
    lambda pairs, meter, pickup, tempo: Melody.from_pitches(pairs, meter=meter, pickup=pickup, tempo=tempo),
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 127), st.just((60, 64, 67))), st.integers(1, 200)), max_size=60
    ),
    st.sampled_from([Meter(), Meter(6, 8), Meter(3, 4), Meter(5, 32), Meter(1, 1)]),
    st.integers(0, 100),
    st.sampled_from([Tempo(), Tempo.constant(4), Tempo.constant(2000), Tempo(((0, 90.0), (30, 45.0), (1000, 180.0)))]),
)


@given(melodies, st.integers(1, 127))
@settings(max_examples=60, deadline=None)
def test_laws(melody: Melody, velocity: int) -> None:
    played = perform(melody, velocity)
    assert played == perform(melody, velocity)
    assert len(played.velocities) == len(played.onsets) == len(played.ends) == len(melody.sounding)
    assert all(1 <= one <= 127 for one in played.velocities)
    assert all(before < after for before, after in itertools.pairwise(played.onsets))
    assert all(begin < end for begin, end in zip(played.onsets, played.ends, strict=True))
    if max(rate for _, rate in melody.tempo.changes) < 1900:
        assert played.seconds == pytest.approx(melody.seconds, rel=0.03)
    phrases = phrases_of(melody)
    assert [tick for one in phrases for tick in one][::2] == [0, *(end for _, end in phrases[:-1])][: len(phrases)]
    assert not phrases or phrases[-1][1] == melody.length


def test_phrases_swell_ebb_and_slow_down() -> None:
    assert phrases_of(TWO_PHRASES) == [(0, 192), (192, 384)]
    played = perform(TWO_PHRASES)
    first = played.velocities[:7]
    assert max(first) == first[4]  # the highest note, on a downbeat, after the middle
    assert first[6] == min(first)
    assert first[4] - first[6] > 10
    for start in (0, 7):
        beats = np.diff(played.onsets[start : start + 7])
        assert beats[3] < beats[0] < played.ends[start + 6] - played.onsets[start + 6]
    assert played.ends[6] - played.onsets[6] > 1.03  # a half note, written 1 s
    assert played.seconds == pytest.approx(8.0, rel=1e-9)


def test_strong_beats_and_high_notes_are_louder() -> None:
    same = Melody.from_pitches([(60, 12)] * 32)
    velocities = perform(same).velocities
    assert velocities[8] > velocities[10] > velocities[9]
    low_high = Melody.from_pitches([(60, 24), (60, 24), (72, 24), (60, 24)] * 4)
    assert perform(low_high).velocities[6] > perform(low_high).velocities[5] + 5


def test_off_by_default(tmp_path: Path) -> None:
    plain = midi_bytes(TWO_PHRASES)
    assert plain == midi_bytes(TWO_PHRASES, expressive=False) != midi_bytes(TWO_PHRASES, expressive=True)
    # What was written before there was expression.
    assert hashlib.sha256(plain).hexdigest() == PLAIN_MIDI
    assert (
        hashlib.sha256(render(TWO_PHRASES, rate=8000).tobytes()).digest()
        == hashlib.sha256(render(TWO_PHRASES, rate=8000, velocity=[80] * 14).tobytes()).digest()
    )
    for suffix in ("mid", "musicxml", "svg"):
        write(TWO_PHRASES, tmp_path / f"plain.{suffix}")
        write(TWO_PHRASES, tmp_path / f"played.{suffix}", expressive=True)
        same = (tmp_path / f"plain.{suffix}").read_bytes() == (tmp_path / f"played.{suffix}").read_bytes()
        assert same == (suffix != "mid")
    assert "<sound" in musicxml(TWO_PHRASES)


def test_another_reader_hears_the_performance() -> None:
    played = perform(TWO_PHRASES)
    file = mido.MidiFile(file=io.BytesIO(midi_bytes(TWO_PHRASES, expressive=True)))
    now, strokes = 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on":
            strokes.append((now, message.velocity))
    assert [velocity for _, velocity in strokes] == list(played.velocities)
    np.testing.assert_allclose([time for time, _ in strokes], played.onsets, atol=1e-4)
    own = mido.MidiFile(file=io.BytesIO(midi_bytes(TWO_PHRASES, velocity=[33] * 14, expressive=True)))
    assert {message.velocity for message in own if message.type == "note_on"} == {33}


def test_sound_is_played_too() -> None:
    plain, played = (
        soundfile.read(io.BytesIO(wav_bytes(TWO_PHRASES, rate=8000, expressive=expressive)))[0]
        for expressive in (False, True)
    )
    assert len(played) == pytest.approx(len(plain), rel=0.03)
    loud = [
        float(np.abs(played[int(start * 8000) : int(start * 8000) + 2400]).max())
        for start in perform(TWO_PHRASES).onsets
    ]
    assert loud[4] > 1.3 * loud[0]
    for bad in ([80] * 3, [0] * 14):
        with pytest.raises(UsageError):
            render(TWO_PHRASES, rate=8000, velocity=bad)


def test_a_melody_with_nothing_to_shape() -> None:
    assert perform(Melody(())).velocities == ()
    assert perform(Melody((), length=96)).seconds == pytest.approx(2.0)
    one = perform(Melody((Note((60,), 0, 24),)))
    assert one.seconds == pytest.approx(0.5)
    assert 70 <= one.velocities[0] <= 95


PLAIN_MIDI = "3fd2db07705eae2c2bc8747d137d027b9de8f2c165f17104520629c3bdbf3ecb"
