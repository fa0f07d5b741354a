"""Sums of sine waves: what all instruments are computed with, without samples of an instrument.

One sine and one exponential for every wave and every sample would be slow. With s = -decay + 2 pi i frequency and
t = b B + w (block b of B samples, place w in it),

    exp(s t) = exp(s b B) exp(s w),

so one matrix product of a table over the blocks and a table over the places gives the sum of all waves at once
(`synthesize`; `benchmarks/sound.py` measures the gain).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sound = NDArray[np.float32]
_Samples = TypeVar("_Samples", bound=NDArray[Any])

RATE = 44_100
"""Samples a second: that of a compact disc."""

VELOCITY = 80
"""Default MIDI velocity: mezzo-forte."""

HIGHEST = 16_000.0
"""Hz; partials above are inaudible on most loudspeakers."""

GOLDEN = (5**0.5 - 1) / 2
"""Its multiples modulo 1 are evenly scattered, without a random generator."""

_LEVEL = 0.1  # K-weighted loudness of the start of a note at velocity 80; full scale is 1


def level(velocity: int) -> float:
    """Return the K-weighted loudness of a note by its MIDI velocity; full scale is 1.

    Examples:
        >>> level(80), round(level(40), 4)
        (0.1, 0.0308)
    """
    return float(_LEVEL * (velocity / 80) ** 1.7)


@dataclass(frozen=True, slots=True)
class Sines:
    """Damped sine waves: the sum of amplitude x exp(-decay t) x sin(2 pi frequency t + phase).

    Args:
        frequency: `(waves,)` Hz.
        decay: `(waves,)` a second; a wave has lost 60 dB after 6.91 / decay seconds.
        amplitude: `(waves,)` linear, full scale is 1.
        phase: `(waves,)` radians.
    """

    frequency: Floats
    decay: Floats
    amplitude: Floats
    phase: Floats

    def __add__(self, other: Sines) -> Sines:
        return Sines(*(np.concatenate([getattr(one, f.name) for one in (self, other)]) for f in fields(self)))

    def __mul__(self, gain: float) -> Sines:
        return Sines(self.frequency, self.decay, gain * self.amplitude, self.phase)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Sines:
        return Sines(*(getattr(self, f.name)[chosen] for f in fields(self)))


def synthesize(sines: Sines, samples: int, rate: int) -> Sound:
    """Return the first samples of a sum of damped sine waves, `(samples,)` float32, by one matrix product."""
    block = max(math.isqrt(samples), 1)
    blocks = -(-samples // block)
    s = (-sines.decay + 2j * np.pi * sines.frequency) / rate
    starts = np.exp(np.outer(np.arange(blocks) * block, s)) * (sines.amplitude * np.exp(1j * sines.phase))
    places = np.exp(np.outer(s, np.arange(block)))
    # The imaginary part of a product of complex numbers is Im a Re b + Re a Im b: one real product of twice the width.
    left = np.hstack([starts.imag, starts.real]).astype(np.float32)
    right = np.vstack([places.real, places.imag]).astype(np.float32)
    return np.asarray((left @ right).reshape(-1)[:samples])


def rise(sound: _Samples, seconds: float, rate: int) -> _Samples:
    """Let the start of a sound rise as half a cosine, in place, and return it.

    Examples:
        >>> rise(np.ones(5), 0.0004, 10_000).round(2).tolist()
        [0.0, 0.15, 0.5, 0.85, 1.0]
    """
    samples = min(max(round(seconds * rate), 2), len(sound))
    sound[:samples] *= (0.5 - 0.5 * np.cos(np.pi * np.arange(samples) / samples)).astype(np.float32)
    return sound


def fundamental(pitch: float) -> float:
    """Return the frequency of a MIDI pitch in equal temperament, A4 = 440 Hz.

    Examples:
        >>> round(fundamental(60), 2)
        261.63
    """
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def loudness(sines: Sines, seconds: float = 0.2) -> float:
    """Return the loudness of the start of a sound: the root of the mean K-weighted power of its waves.

    The mean of a^2 exp(-2 d t) / 2 over the first T seconds is a^2 (1 - exp(-2 d T)) / (4 d T), for each wave alone.
    """
    span = 2 * sines.decay * seconds
    power = sines.amplitude**2 / 2 * -np.expm1(-span) / span
    return float(np.sqrt(np.sum(power * k_weighting(sines.frequency) ** 2)))


def k_weighting(frequency: Floats) -> Floats:
    """Return the sensitivity of hearing as a linear gain: an approximation of the two filters of ITU-R BS.1770.

    A shelf of 4 dB above 1.7 kHz for the head, and little below 38 Hz.

    Examples:
        >>> (20 * np.log10(k_weighting(np.array([38.0, 440.0, 10_000.0])))).round(1).tolist()
        [-6.0, 0.3, 3.9]
    """
    shelf = np.sqrt((1700**2 + 10**0.4 * frequency**2) / (1700**2 + frequency**2))
    return np.asarray(shelf / (1 + (38 / frequency) ** 2))
