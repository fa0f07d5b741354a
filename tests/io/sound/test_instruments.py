"""Every instrument is in tune, about as loud as the piano, clean, and deterministic."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import soundfile

from cantilena.errors import UsageError
from cantilena.io import INSTRUMENTS, InstrumentName, midi_bytes, render, render_note, wav_bytes, write
from cantilena.io.sound import render as rendering
from cantilena.io.sound.synthesis import RATE, fundamental, k_weighting
from cantilena.music import Chord, Melody

OTHERS: tuple[InstrumentName, ...] = tuple(name for name in get_args(InstrumentName) if name != "piano")
TUNE = Melody.from_pitches(
    [(72, 12), (74, 12), (None, 24), (76, 48)], chords=((0, Chord.parse("C")), (48, Chord.parse("G7")))
)


def loudness(sound: np.ndarray) -> float:
    """The K-weighted power in decibels below full scale."""
    spectrum, frequency = np.fft.rfft(sound.astype(np.float64)), np.fft.rfftfreq(len(sound), 1 / RATE)
    weight = k_weighting(np.maximum(frequency, 1e-3))
    return float(10 * np.log10(2 * np.sum(np.abs(spectrum * weight) ** 2) / len(sound) ** 2))


def cents_off(sound: np.ndarray, rate: int, frequency: float) -> float:
    """The distance of a fundamental from a frequency in cents, by the centre of its power within 70 cents."""
    size = 4 * len(sound)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size)) ** 2
    cents = 1200 * np.log2(np.maximum(np.fft.rfftfreq(size, 1 / rate), 1e-3) / frequency)
    near = np.abs(cents) < 70
    return float(np.sum(power[near] * cents[near]) / np.sum(power[near]))


@pytest.mark.parametrize("instrument", OTHERS)
@pytest.mark.parametrize("pitch", range(36, 97, 5))
def test_notes_are_in_tune(instrument: InstrumentName, pitch: int) -> None:
    sound = render_note(pitch, seconds=2.5, instrument=instrument)[RATE // 4 : 2 * RATE]
    assert abs(cents_off(sound, RATE, fundamental(pitch))) < (5 if instrument == "strings" else 1)


@pytest.mark.parametrize("instrument", OTHERS)
@pytest.mark.parametrize("pitch", range(36, 97, 12))
def test_notes_are_about_as_loud_as_those_of_the_piano(instrument: InstrumentName, pitch: int) -> None:
    ours, piano = (loudness(render_note(pitch, seconds=1.0, instrument=name)[:RATE]) for name in (instrument, "piano"))
    assert abs(ours - piano) < 5
    soft, hard = (loudness(render_note(pitch, velocity, 1.0, instrument=instrument)[:RATE]) for velocity in (40, 104))
    assert 10 < hard - soft < 20


@pytest.mark.parametrize("instrument", OTHERS)
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize("pitch", [21, 28, 60, 108, 127])
def test_notes_are_clean(instrument: InstrumentName, rate: int, pitch: int) -> None:
    sound = render_note(pitch, 127, 0.7, rate=rate, instrument=instrument)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() < 1
    assert abs(float(sound.mean())) < 2e-3
    assert abs(sound[0]) < 1e-3
    assert np.abs(sound[-rate // 500 :]).max() < 3e-3
    assert len(sound) == round((0.7 + INSTRUMENTS[instrument].release(pitch)) * rate)


@pytest.mark.parametrize("instrument", ["flute", "strings", "organ"])
def test_sustained_notes_last_as_long_as_they_are_held(instrument: InstrumentName) -> None:
    sound = render_note(67, seconds=6.0, instrument=instrument)
    early, late = (loudness(sound[at * RATE : (at + 1) * RATE]) for at in (1, 5))
    assert abs(late - early) < 4


def test_a_plucked_string_fades_and_its_treble_fades_first() -> None:
    sound = render_note(60, seconds=3.0, instrument="plucked").astype(np.float64)
    early, late = (np.abs(np.fft.rfft(sound[at : at + RATE // 2])) for at in (0, 2 * RATE))
    low, high = slice(100, 200), slice(1000, 2000)  # bins of 2 Hz
    fall_low, fall_high = (20 * np.log10(early[part].max() / late[part].max()) for part in (low, high))
    assert fall_low > 10
    assert fall_high > fall_low + 20


def test_a_flute_has_no_partials_between_its_harmonics_but_breath() -> None:
    sound = render_note(72, seconds=2.0, instrument="flute")[RATE // 2 : RATE // 2 + RATE].astype(np.float64)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    first = fundamental(72)
    harmonic = np.abs((np.arange(len(power)) / first + 0.5) % 1 - 0.5) < 0.1
    ratio = 10 * np.log10(power[harmonic].sum() / power[~harmonic].sum())
    assert 20 < ratio < 45


@pytest.mark.parametrize("instrument", OTHERS)
def test_the_same_melody_gives_the_same_bytes_whatever_was_played_before(instrument: InstrumentName) -> None:
    rendering._ringing_note.cache_clear()
    first = wav_bytes(TUNE, instrument=instrument)
    wav_bytes(TUNE.transposed(2), instrument=instrument)
    wav_bytes(TUNE)
    assert wav_bytes(TUNE, instrument=instrument) == first
    assert first != wav_bytes(TUNE)


@pytest.mark.parametrize("instrument", OTHERS)
def test_chords_are_played_by_the_instrument_or_by_a_piano_under_a_flute(instrument: InstrumentName) -> None:
    silent = Melody((), length=TUNE.length)
    notes = Melody.from_pitches([((48, 55, 64), 96)]).notes
    chords = render(silent, accompaniment=notes, instrument=instrument)
    player = INSTRUMENTS[instrument].chords.name
    assert player == ("piano" if instrument == "flute" else instrument)
    assert (chords == render(silent, accompaniment=notes, instrument=player)).all()


def test_loud_clusters_do_not_clip() -> None:
    for instrument in OTHERS:
        sound = render(Melody.from_pitches([((60, 64, 67, 70, 74, 76), 96)]), velocity=120, instrument=instrument)
        assert np.abs(sound).max() < 1


@pytest.mark.parametrize("instrument", get_args(InstrumentName))
def test_files_name_the_instrument(instrument: InstrumentName, tmp_path) -> None:
    content = midi_bytes(TUNE, instrument=instrument)
    found = INSTRUMENTS[instrument]
    assert bytes((0xC0, found.program)) in content
    assert bytes((0xC1, found.chords.program)) in content
    write(TUNE, tmp_path / "tune.mid", instrument=instrument)
    assert (tmp_path / "tune.mid").read_bytes() == content
    write(TUNE, tmp_path / "tune.wav", instrument=instrument)
    samples, _ = soundfile.read(io.BytesIO((tmp_path / "tune.wav").read_bytes()), dtype="float32")
    assert np.abs(samples).max() > 0.05


@pytest.mark.parametrize(
    "work",
    [
        lambda name: render(TUNE, instrument=name),
        lambda name: render_note(60, instrument=name),
        lambda name: midi_bytes(TUNE, instrument=name),
    ],
)
def test_an_unknown_instrument_is_refused(work: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="'flut' is not an instrument") as error:
        work("flut")
    assert "flute" in (error.value.hint or "")
