"""Voicings of chords, and the patterns that play them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.io import PATTERNS, accompaniment, read_sound, render, wav_bytes
from cantilena.io.sound.accompaniment import HIGHEST, LOWEST, _movement, _own_cost, _positions
from cantilena.io.sound.synthesis import k_weighting
from cantilena.music import CHORD_TONES, Chord, Melody, Meter, Note

PLAYED = [pattern for pattern in PATTERNS if pattern != "none"]
CHORDS = st.one_of(
    st.builds(
        Chord, st.integers(0, 11), st.sampled_from(sorted(CHORD_TONES)), st.one_of(st.none(), st.integers(0, 11))
    ),
    st.just(Chord(None)),
)
METERS = [
    Meter(),
    Meter(3, 4),
    Meter(6, 8),
    Meter(2, 4),
    Meter(2, 2),
    Meter(5, 4),
    Meter(3, 8),
    Meter(7, 8),
    Meter(1, 4),
]
PROGRESSION = "C Am7 Dm7 G7 Cmaj7 F/A Bdim E7 Am D7 G7sus4 G7 C".split()


def sheet(symbols: list[str], ticks: int = 96, **fields: Any) -> Melody:
    chords = tuple((ticks * place, Chord.parse(name)) for place, name in enumerate(symbols))
    return Melody.from_pitches([(76, ticks)] * len(symbols), chords=chords, **fields)


@st.composite
def lead_sheets(draw: st.DrawFn) -> Melody:
    pitches = draw(st.lists(st.one_of(st.none(), st.integers(45, 85)), min_size=4, max_size=30))
    melody = Melody.from_pitches(
        [*((pitch, 12) for pitch in pitches), (72, 24)],
        meter=draw(st.sampled_from(METERS)),
        pickup=draw(st.sampled_from([0, 12, 18])),
    )
    ticks = draw(st.sets(st.integers(0, melody.length - 1), max_size=12))
    return replace(melody, chords=tuple((tick, draw(CHORDS)) for tick in sorted(ticks)))


@pytest.mark.parametrize("pattern", PLAYED)
@given(melody=lead_sheets())
@settings(max_examples=60, deadline=None)
def test_every_chord_sounds_from_its_tick_to_the_next_without_a_gap(pattern: Any, melody: Melody) -> None:
    notes = accompaniment(melody, pattern)
    ends = [*(tick for tick, _ in melody.chords), melody.length][1:]
    for (start, chord), end in zip(melody.chords, ends, strict=True):
        inside = [note for note in notes if start <= note.onset < end]
        if chord.root is None:
            assert not inside
            continue
        assert inside[0].onset == start
        assert all(left.end == right.onset for left, right in pairwise(inside))
        assert inside[-1].end == end
        assert inside[0].pitches[0] % 12 == chord.bass
        heard = {pitch % 12 for note in inside for pitch in note.pitches}
        assert heard <= {*chord.pitch_classes, chord.bass}
    assert len(notes) == sum(1 for note in notes if melody.chords and note.onset >= melody.chords[0][0])


@given(st.lists(CHORDS, min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_voices_stay_in_their_range_and_do_not_cross(chords: list[Chord]) -> None:
    melody = Melody.from_pitches([(79, 96)] * len(chords), chords=tuple((96 * n, one) for n, one in enumerate(chords)))
    for note in accompaniment(melody):
        bass, *upper = note.pitches
        assert 39 <= bass <= 50
        assert len(upper) == 3
        assert all(max(bass + 1, LOWEST) <= pitch <= HIGHEST for pitch in upper)


@pytest.mark.parametrize("quality", ["7", "maj7", "min7", "m7b5", "dim7", "7sus4"])
@pytest.mark.parametrize("bass", range(4))
def test_a_seventh_chord_is_complete(quality: str, bass: int) -> None:
    chord = Chord(7, quality, (7 + CHORD_TONES[quality][bass]) % 12)
    (note,) = accompaniment(Melody.from_pitches([(79, 96)], chords=((0, chord),)))
    assert tuple(sorted(pitch % 12 for pitch in note.pitches)) == chord.pitch_classes


@pytest.mark.parametrize("first", range(0, len(PROGRESSION) - 5, 3))
def test_no_other_voicings_move_less(first: int) -> None:
    symbols = PROGRESSION[first : first + 6]

    def cost(voicings: tuple[tuple[int, ...], ...]) -> float:
        return sum(_own_cost(one, 76) for one in voicings) + sum(_movement(a, b) for a, b in pairwise(voicings))

    best = min(cost(choice) for choice in product(*(_positions(Chord.parse(name)) for name in symbols)))
    assert cost(tuple(note.pitches for note in accompaniment(sheet(symbols)))) == pytest.approx(best)


def test_voices_move_by_step_through_a_progression() -> None:
    voicings = [note.pitches for note in accompaniment(sheet(PROGRESSION))]
    moves = [abs(a - b) for one, other in pairwise(voicings) for a, b in zip(one[1:], other[1:], strict=True)]
    assert max(moves) <= 5
    assert sum(moves) / len(moves) < 1.7


def test_a_low_melody_pushes_the_chords_down() -> None:
    high, low = (
        accompaniment(Melody.from_pitches([(pitch, 96)], chords=((0, Chord.parse("C")),)))[0] for pitch in (84, 60)
    )
    assert high.top > low.top
    assert low.top <= 60


@pytest.mark.parametrize(
    ("meter", "pattern", "expected"),
    [
        (Meter(3, 4), "bass-and-chord", [(0, 1), (24, 3), (48, 3)]),
        (Meter(4, 4), "bass-and-chord", [(0, 1), (24, 3), (48, 1), (72, 3)]),
        (Meter(2, 4), "bass-and-chord", [(0, 1), (24, 3)]),
        (Meter(6, 8), "bass-and-chord", [(0, 1), (24, 3), (36, 1), (60, 3)]),
        (Meter(5, 4), "bass-and-chord", [(0, 1), (24, 3), (48, 1), (72, 3), (96, 3)]),
        (Meter(6, 8), "arpeggio", [(tick, 1) for tick in range(0, 72, 12)]),
        (Meter(3, 4), "block", [(0, 4)]),
    ],
)
def test_patterns_fit_the_meter(meter: Meter, pattern: Any, expected: list[tuple[int, int]]) -> None:
    bar = meter.ticks_per_bar
    melody = Melody.from_pitches([(76, bar)] * 2, meter=meter, chords=((0, Chord.parse("C")),))
    notes = accompaniment(melody, pattern)
    for start in (0, bar):
        played = [(note.onset - start, len(note.pitches)) for note in notes if start <= note.onset < start + bar]
        assert played == expected


def test_arpeggios_rise_and_fall() -> None:
    three, six = (
        accompaniment(Melody.from_pitches([(76, 72)], meter=meter, chords=((0, Chord.parse("C")),)), "arpeggio")
        for meter in (Meter(3, 4), Meter(6, 8))
    )
    bass, low, middle, high = 48, 55, 60, 64
    assert [note.top for note in three] == [bass, low, middle, high, middle, low]
    assert [note.top for note in six] == [bass, middle, high, low, middle, high]


def test_a_chord_off_the_beat_is_heard_whole() -> None:
    melody = Melody.from_pitches([(76, 96)], chords=((0, Chord.parse("C")), (60, Chord.parse("F"))))
    found = [(note.onset, note.duration, len(note.pitches)) for note in accompaniment(melody, "bass-and-chord")]
    assert found == [(0, 24, 1), (24, 24, 3), (48, 12, 1), (60, 12, 4), (72, 24, 3)]


def test_after_a_pickup_the_pattern_follows_the_barlines() -> None:
    melody = Melody.from_pitches([(76, 24), (76, 72)], meter=Meter(3, 4), pickup=24, chords=((0, Chord.parse("G")),))
    found = [(note.onset, len(note.pitches)) for note in accompaniment(melody, "bass-and-chord")]
    assert found == [(0, 4), (24, 1), (48, 3), (72, 3)]


def test_no_chords_no_notes() -> None:
    melody = Melody.from_pitches([(60, 96)])
    assert all(accompaniment(melody, pattern) == () for pattern in PATTERNS)
    assert accompaniment(sheet(["C"]), "none") == ()
    assert accompaniment(sheet(["N.C."])) == ()
    with pytest.raises(UsageError, match="'walz' is not a pattern"):
        accompaniment(melody, "walz")  # type: ignore[arg-type]


def level(sound: Any, rate: int) -> float:
    """K-weighted level in dB."""
    frequency = np.fft.rfftfreq(len(sound), 1 / rate)
    weight = np.where(frequency > 0, k_weighting(np.maximum(frequency, 1e-3)), 0.0)
    return float(10 * np.log10(np.mean(np.fft.irfft(np.fft.rfft(sound) * weight, len(sound)) ** 2)))


@pytest.mark.parametrize("pattern", PLAYED)
def test_sound_has_the_accompaniment_softly_under_the_melody(pattern: Any) -> None:
    symbols = [(96 * place, Chord.parse(name)) for place, name in enumerate(PROGRESSION[:4])]
    melody = Melody.from_pitches([(pitch, 24) for pitch in (76, 72, 74, 79) * 4], chords=tuple(symbols))
    notes = accompaniment(melody, pattern)
    silent = Melody((Note((), 0, melody.length),))
    alone, under = render(melody), render(silent, accompaniment=notes)
    assert -10 < level(under, 44_100) - level(alone, 44_100) < -5
    both, rate = read_sound(wav_bytes(melody, pattern=pattern))
    assert np.abs(both).max() < 0.9
    assert np.allclose(both, alone + under, atol=2e-3)
    assert rate == 44_100


def test_each_tone_of_a_chord_is_in_the_spectrum() -> None:
    melody = Melody.from_pitches([(None, 24), (84, 72)], chords=((0, Chord.parse("Am7")),))
    sound, rate = read_sound(wav_bytes(melody))
    first = sound[: 3 * rate // 2]
    spectrum = np.abs(np.fft.rfft(first * np.hanning(len(first)), 8 * len(first)))
    frequency = np.fft.rfftfreq(8 * len(first), 1 / rate)

    def peak(pitch: float) -> float:
        centre = 440 * 2 ** ((pitch - 69) / 12)
        return float(spectrum[np.abs(frequency - centre) < 1].max())

    (chord,) = accompaniment(melody)
    assert len(chord.pitches) == 4
    silent = max(peak(pitch + 0.5) for pitch in chord.pitches)
    assert all(peak(pitch) > 5 * silent for pitch in chord.pitches)


def test_expressive_sound_keeps_melody_and_accompaniment_together() -> None:
    melody = sheet(PROGRESSION[:8])
    plain, played = (read_sound(wav_bytes(melody, rate=8_000, expressive=one))[0] for one in (False, True))
    assert played.shape != plain.shape or not np.allclose(played, plain)
    assert np.abs(played).max() < 1
