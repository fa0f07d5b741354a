"""The piano is in tune, fades as pianos do, never clips, and is deterministic."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from cantilena.errors import UsageError
from cantilena.io import write
from cantilena.io.sound.files import sound_bytes, wav_bytes
from cantilena.io.sound.piano import inharmonicity, string
from cantilena.io.sound.render import TAIL_SECONDS, add_reverb, render, render_note, reverb_response
from cantilena.io.sound.synthesis import RATE, fundamental, synthesize
from cantilena.music import Melody, Tempo

KEYBOARD = range(21, 109)


def level(sound: np.ndarray) -> float:
    """Decibels below full scale, by root mean square."""
    return float(20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2)) + 1e-12))


def peak_near(sound: np.ndarray, rate: int, frequency: float) -> float:
    """The frequency of the strongest spectral peak within 3 % of one, interpolated between bins."""
    size = 4 * len(sound)
    spectrum = np.log(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size)) + 1e-12)
    bins = np.fft.rfftfreq(size, 1 / rate)
    inside = np.flatnonzero(np.abs(bins / frequency - 1) < 0.03)
    top = inside[np.argmax(spectrum[inside])]
    left, middle, right = spectrum[top - 1 : top + 2]
    return float(bins[top] + (bins[1] - bins[0]) * 0.5 * (left - right) / (left - 2 * middle + right))


@pytest.mark.parametrize("pitch", KEYBOARD)
def test_every_key_of_the_keyboard_is_in_tune(pitch: int) -> None:
    rate = 22_050
    sound = render_note(pitch, seconds=1.0, rate=rate)[:rate]
    expected = 440 * 2 ** ((pitch - 69) / 12)
    cents = 1200 * np.log2(peak_near(sound, rate, expected) / expected)
    assert abs(cents) < 2


@pytest.mark.parametrize("pitch", [28, 40, 52, 64, 76])
def test_partials_are_stretched_by_the_strings_stiffness(pitch: int) -> None:
    sound = render_note(pitch, seconds=1.0)[:RATE]
    first, stiffness = fundamental(pitch), inharmonicity(pitch)
    for number in (3, 5, 7):
        expected = number * first * np.sqrt((1 + stiffness * number**2) / (1 + stiffness))
        assert abs(1200 * np.log2(peak_near(sound, RATE, expected) / expected)) < 3
        assert expected > number * first


@pytest.mark.parametrize("pitch", KEYBOARD)
def test_every_key_is_about_as_loud_and_never_clips(pitch: int) -> None:
    sound = render_note(pitch, seconds=0.5)
    assert abs(level(sound[: RATE // 5]) + 20) < 2.5
    assert np.abs(sound).max() < 0.8


def test_a_harder_blow_is_louder_and_brighter() -> None:
    def brightness(sound: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(sound)) ** 2
        return float(np.sum(power * np.arange(len(power))) / np.sum(power))

    soft, hard = render_note(60, velocity=40), render_note(60, velocity=110)
    assert level(hard) - level(soft) > 8
    assert brightness(hard) > 1.15 * brightness(soft)


@pytest.mark.parametrize("pitch", [21, 33, 45, 60, 72, 84, 96, 108])
def test_a_held_note_fades_quickly_at_first_and_slowly_later(pitch: int) -> None:
    sound = render_note(pitch, seconds=12.0)
    halves = [level(part) for part in np.split(sound[: 12 * RATE], 24)]
    assert all(later < earlier + 1.5 for earlier, later in pairwise(halves))
    early, late = halves[0] - halves[2], (halves[12] - halves[22]) / 5
    assert early > 1.2 * late  # decibels a second


def test_low_strings_ring_for_many_seconds_and_high_ones_for_less_than_one() -> None:
    def seconds_to_fall(pitch: int, decibels: float) -> float:
        sound = render_note(pitch, seconds=16.0)[: 16 * RATE].astype(np.float64)
        parts = np.array([level(part) for part in np.split(sound, 320)])
        fallen = np.flatnonzero(parts < parts.max() - decibels)
        return float(fallen[0] / 20) if len(fallen) else 16.0

    assert seconds_to_fall(21, 40) > 8
    assert 3 < seconds_to_fall(60, 40) < 12
    assert seconds_to_fall(108, 60) < 1.0


def test_the_damper_quietens_a_note_when_the_key_is_let_go() -> None:
    sound = render_note(60, seconds=1.0)
    held, let_go = sound[int(0.9 * RATE) : RATE], sound[int(1.15 * RATE) :]
    assert level(let_go) < level(held) - 35


def test_the_block_sum_equals_the_naive_sum() -> None:
    sines, samples = string(57, 80), 10_000
    t = np.arange(samples) / RATE
    naive = np.zeros(samples)
    for frequency, decay, amplitude, phase in zip(
        sines.frequency, sines.decay, sines.amplitude, sines.phase, strict=True
    ):
        naive += amplitude * np.exp(-decay * t) * np.sin(2 * np.pi * frequency * t + phase)
    assert np.abs(synthesize(sines, samples, RATE) - naive).max() < 1e-5 * np.abs(naive).max()


def test_a_melody_has_its_length_a_tail_and_silent_rests() -> None:
    melody = Melody.from_pitches([(60, 24), (None, 96), (64, 24)], tempo=Tempo.constant(60))
    sound = render(melody)
    assert sound.dtype == np.float32
    assert sound.shape == (round((6.0 + TAIL_SECONDS) * RATE),)
    assert level(sound[: RATE // 2]) > -25
    assert level(sound[int(3.0 * RATE) : int(4.9 * RATE)]) < -70
    assert level(sound[-RATE // 4 :]) < -80


def test_notes_sound_when_the_tempo_map_says() -> None:
    melody = Melody.from_pitches([(None, 24), (72, 24), (None, 24), (72, 24)], tempo=Tempo(((0, 60.0), (48, 120.0))))
    sound = np.abs(render(melody))
    loud = np.flatnonzero(sound > 0.05) / RATE
    assert 1.0 <= loud[0] < 1.01
    second = loud[loud > 2.3]
    assert 2.5 <= second[0] < 2.51


def test_a_melody_of_rests_is_silence() -> None:
    assert not render(Melody.from_pitches([(None, 96)])).any()
    assert not render(Melody(())).any()


def test_a_hundred_loud_notes_at_once_do_not_clip() -> None:
    cluster = Melody.from_pitches([(tuple(range(20, 120)), 24)])
    sound = render(cluster, velocity=127)
    assert np.abs(sound).max() <= 1.0
    assert np.isfinite(sound).all()


@pytest.mark.parametrize("pitch", [0, 12, 120, 127])
def test_pitches_beyond_the_keyboard_sound_too(pitch: int) -> None:
    assert level(render_note(pitch, seconds=0.3)) > -45


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 96_000])
def test_other_rates_say_the_same_without_folding_back(rate: int) -> None:
    sound = render_note(84, seconds=0.5, rate=rate)
    assert abs(peak_near(sound[: rate // 2], rate, fundamental(84)) / fundamental(84) - 1) < 0.002
    power = np.abs(np.fft.rfft(sound)) ** 2
    above = np.fft.rfftfreq(len(sound), 1 / rate) > 0.46 * rate
    assert power[above].sum() < 1e-5 * power.sum()


def test_the_room_answers_softly_and_only_after() -> None:
    click = np.zeros(200_000, dtype=np.float32)
    click[50_000] = 1.0
    wet = add_reverb(click, RATE)
    assert wet.shape == click.shape
    assert np.abs(wet[:50_000]).max() < 1e-6
    assert -18 < 10 * np.log10(np.sum(wet[50_001:].astype(np.float64) ** 2)) < -16
    assert np.abs(wet[50_000 + len(reverb_response(RATE)) :]).max() < 1e-6
    late, early = wet[50_000 + 22_050 : 50_000 + 26_460], wet[50_000 + 441 : 50_000 + 4851]
    assert level(late) < level(early) - 30


def test_the_same_melody_gives_the_same_bytes_whatever_was_played_before(tmp_path) -> None:
    from cantilena.io.sound import render as rendering

    melody = Melody.from_pitches([(60, 12), (64, 12), ((60, 64, 67), 48)], title="again")
    rendering._ringing_note.cache_clear()
    first = wav_bytes(melody)
    render_note(60, seconds=9.0)
    wav_bytes(melody.transposed(3))
    assert wav_bytes(melody) == first
    write(melody, tmp_path / "again.wav")
    assert (tmp_path / "again.wav").read_bytes() == first


def test_a_wav_file_is_read_by_others_as_it_was_meant() -> None:
    import wave

    melody = Melody.from_pitches([(67, 24), (72, 24)])
    content = wav_bytes(melody)
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        numbers = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert np.abs(numbers / 32767 - render(melody)).max() < 1e-4


def test_flac_holds_the_same_samples_in_less_room() -> None:
    sound = render_note(60, seconds=1.7, rate=22_050)
    packed, plain = sound_bytes(sound, 22_050, "FLAC"), sound_bytes(sound, 22_050)
    assert len(packed) < 0.6 * len(plain)
    for content in (packed, plain):
        samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
        assert rate == 22_050
        assert (samples == np.rint(sound * 32767)).all()


@pytest.mark.parametrize(
    "question",
    [
        lambda: render(Melody.from_pitches([(60, 24)]), rate=100),
        lambda: render(Melody.from_pitches([(60, 24)]), velocity=0),
        lambda: render(Melody.from_pitches([(60, 24)], length=10**9)),
        lambda: render_note(128),
        lambda: render_note(60, seconds=0.0),
        lambda: render_note(60, velocity=200),
    ],
)
def test_arguments_out_of_range_are_refused(question) -> None:
    with pytest.raises(UsageError):
        question()
