"""A flute, an ensemble of strings and an organ: tones that sound as long as they are held.

A period of a tone is a table, the sum of its harmonics below half the sampling rate, that an oscillator reads at any
speed: F. R. Moore, Table lookup noise for sinusoidal digital oscillators, Computer Music Journal 1(2), 1977. The organ
has no vibrato and is a plain sum of sine waves. "F & R" is N. H. Fletcher and T. D. Rossing, The Physics of Musical
Instruments, 2nd edition, Springer 1998.
"""

from __future__ import annotations

import math

import numpy as np

from cantilena.io.sound.synthesis import (
    GOLDEN,
    HIGHEST,
    Floats,
    Sines,
    Sound,
    fundamental,
    k_weighting,
    level,
    rise,
    synthesize,
)

_STEADY = 0.7  # loudness beside the start of a note of the piano, which fades
_TABLE = 1 << 14  # samples; linear interpolation errs by less than -80 dB for 60 harmonics

_FLUTE_VIBRATO_HZ, _FLUTE_CENTS = 5.3, 5.0
_FLUTE_RISE, _BOW_RISE, _KEY_RISE = 0.045, 0.08, 0.006  # seconds

_PLAYERS = 6
_BOW_CENTS, _APART_CENTS = 12.0, 5.0  # extent of the vibrato; greatest distance of a player from the pitch

_DRAWBARS = ((0, 8), (12, 7), (19, 5), (24, 6), (28, 3), (31, 3), (36, 4))
"""Semitones over the key, and how far the drawbar is pulled: 8', 4', 2 2/3', 2', 1 3/5', 1 1/3', 1'."""


def flute(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """Return a flute that is blown, `(seconds * rate,)`.

    Harmonics fall geometrically, more steeply in the high register and when soft (F & R, section 16.9). The vibrato
    pulsates the upper harmonics by some 4 dB and hardly the fundamental; its pitch varies little: N. H. Fletcher,
    Acoustical correlates of flute performance technique, J. Acoust. Soc. Am. 57(1), 1975. Breath is noise about the
    fundamental and above, most of it at the onset.
    """
    first, time = fundamental(pitch), np.arange(math.ceil(seconds * rate)) / rate
    number = _harmonics(first, rate)
    ratio = float(np.interp(pitch, (60, 72, 84, 96), (0.55, 0.42, 0.25, 0.1))) * (velocity / 80) ** 0.5
    amplitude = min(ratio, 0.8) ** (number - 1)
    gain = _STEADY * level(velocity) / steady_loudness(number * first, amplitude)
    swing = _vibrato(_FLUTE_VIBRATO_HZ, 0.0, 0.5, len(time), rate)
    cycles = _cycles(first, _FLUTE_CENTS * swing, rate)
    tone = _read(_table(amplitude * (number == 1)), cycles) * (1 + 0.06 * swing)
    tone += _read(_table(amplitude * (number > 1)), cycles) * (1 + 0.4 * swing)
    breath = _noise(pitch, len(time), rate, first) * (0.035 + 0.12 * np.exp(-time / 0.03))
    return rise((gain * (tone + breath)).astype(np.float32), _FLUTE_RISE, rate)


def strings(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """Return an ensemble of bowed strings, `(seconds * rate,)`.

    A bow pulls the string into Helmholtz motion: a sawtooth at the bridge, harmonic n having the amplitude 1 / n
    (F & R, section 10.3), times what the body radiates. Players differ in pitch by a few cents, in when they begin,
    and in the rate of their vibrato (5 to 6.4 Hz: J. Mellody and G. H. Wakefield, The time-frequency characteristics of
    violin vibrato, J. Acoust. Soc. Am. 107(1), 2000); together they beat and blend.
    """
    first, samples = fundamental(pitch), math.ceil(seconds * rate)
    number = _harmonics(first, rate)
    amplitude = violin_body(number * first, velocity) / number
    gain = _STEADY * level(velocity) / (steady_loudness(number * first, amplitude) * np.sqrt(_PLAYERS))
    total = np.zeros(samples)
    table = _table(amplitude)
    for player in range(_PLAYERS):
        scatter = (player + 1) * GOLDEN % 1
        apart = _APART_CENTS * (2 * player / (_PLAYERS - 1) - 1)
        swing = _vibrato(5.0 + 1.4 * scatter, scatter, 0.4, samples, rate)
        cycles = scatter + _cycles(first, apart + _BOW_CENTS * swing, rate)
        total += rise(_read(table, cycles), _BOW_RISE * (0.6 + 0.8 * scatter), rate)
    return np.asarray(gain * total, dtype=np.float32)


def organ(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """Return an organ whose key is held, `(seconds * rate,)`.

    Each drawbar adds a sine wave; pulled by one step less it is 3 dB softer. As in the organ of L. Hammond (US patent
    1,956,350, 1934) the waves are those of the tempered scale, so that a twelfth is 2 cents flat of the third harmonic.
    A key has no touch; velocity is how far the swell is open.
    """
    semitones, pulled = np.array(_DRAWBARS, dtype=np.float64).T
    frequency = fundamental(pitch) * 2 ** (semitones / 12)
    amplitude = 10 ** (-3 * (8 - pulled) / 20)
    gain = _STEADY * level(velocity) / steady_loudness(frequency, amplitude)
    sines = Sines(frequency, np.zeros(len(frequency)), gain * amplitude, 2 * np.pi * (semitones * GOLDEN % 1))
    sines = sines[frequency < min(0.45 * rate, HIGHEST)]
    return rise(synthesize(sines, math.ceil(seconds * rate), rate), _KEY_RISE, rate)


def steady_loudness(frequency: Floats, amplitude: Floats) -> float:
    """Return the K-weighted loudness of sine waves: the root of the sum of their mean powers.

    Below 60 Hz hearing would ask for more than a loudspeaker gives: the weight stays that of 60 Hz.

    Examples:
        >>> round(steady_loudness(np.array([1000.0]), np.array([1.0])), 2)  # 1 / sqrt(2), and 1.4 dB
        0.83
    """
    return float(np.sqrt(np.sum((amplitude * k_weighting(np.maximum(frequency, 60.0))) ** 2) / 2))


def violin_body(frequency: Floats, velocity: int) -> Floats:
    """Return how well a body radiates by frequency in Hz: little below its air resonance, best about 2.5 kHz.

    The "bridge hill" of F & R, section 10.6; harder bowing is brighter.
    """
    low = 1 / (1 + (120 / frequency) ** 2)
    hill = 1 + 0.8 * np.exp(-((np.log2(frequency / 2500) / 0.6) ** 2))
    return np.asarray(low * hill / (1 + (frequency / (2600 * (velocity / 80) ** 0.5)) ** 2))


def _harmonics(first: float, rate: int) -> Floats:
    """Numbers of the harmonics that a vibrato keeps below the limit of hearing and of the sampling rate."""
    return np.arange(1.0, max(min(0.44 * rate, HIGHEST) // first, 1) + 1)


def _table(amplitude: Floats) -> Floats:
    """One period of harmonics of these amplitudes, phases scattered, `(_TABLE + 1,)`: its first sample is its last."""
    number = np.arange(1, len(amplitude) + 1)
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[number] = amplitude * np.exp(2j * np.pi * (number * GOLDEN % 1)) * _TABLE / 2
    period = np.fft.irfft(spectrum, _TABLE)
    return np.append(period, period[0])


def _read(table: Floats, cycles: Floats) -> Floats:
    """Read a table at places counted in periods, by linear interpolation."""
    place = cycles * _TABLE
    whole = place.astype(np.int32)
    place -= whole
    whole &= _TABLE - 1
    return np.asarray(table[whole] + place * np.diff(table)[whole])


def _vibrato(frequency: float, phase: float, onset: float, samples: int, rate: int) -> Floats:
    """A sine wave, its phase in periods, that grows to 1 in the seconds of its onset; interpolated in 32 samples."""
    coarse = np.arange(samples // 32 + 2) * (32 / rate)
    swing = np.sin(2 * np.pi * (frequency * coarse + phase)) * np.minimum(coarse / onset, 1)
    fine = swing[:-1, None] + np.arange(32) / 32 * np.diff(swing)[:, None]
    return np.asarray(fine.reshape(-1)[:samples])


def _cycles(first: float, cents: Floats, rate: int) -> Floats:
    """The periods that have passed at each sample, the frequency being so many cents from the first one.

    2^(c / 1200) is 1 + c log 2 / 1200 within 0.1 cents for c < 17.
    """
    return np.cumsum((first / rate) * (1 + math.log(2) / 1200 * cents))


def _noise(pitch: int, samples: int, rate: int, first: float) -> Floats:
    """Noise of power 1 from the fundamental up to some kHz, the same for the same pitch."""
    spectrum = np.fft.rfft(np.random.default_rng(1847 + pitch).standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    shape = (frequency / first) ** 2 / (1 + (frequency / first) ** 2) / (1 + (frequency / (1500 + first)) ** 2)
    noise = np.fft.irfft(spectrum * shape, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))
