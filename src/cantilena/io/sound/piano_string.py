"""What one struck piano string sounds like, as a sum of damped sine waves.

The numbers follow N. H. Fletcher and T. D. Rossing, The Physics of Musical Instruments, 2nd edition, Springer 1998,
chapter 12 ("F & R" below), and the measurements named where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HIGHEST = 16_000.0
"""Hz: partials above it are left out; few loudspeakers and fewer listeners would miss them."""

_FAINTEST = 10 ** (-70 / 20)
"""Partials fainter than this beside the strongest are left out."""

_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of the golden ratio, modulo 1, scatter evenly: chance without a random generator."""


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

    def and_also(self, other: Sines) -> Sines:
        """Both sounds together."""
        pairs = zip(self._arrays(), other._arrays(), strict=True)
        return Sines(*(np.concatenate(pair) for pair in pairs))

    def louder(self, gain: float) -> Sines:
        """The same sound, so many times as loud."""
        return Sines(self.frequency, self.decay, gain * self.amplitude, self.phase)

    def _arrays(self) -> tuple[Floats, ...]:
        return self.frequency, self.decay, self.amplitude, self.phase


def fundamental(pitch: float) -> float:
    """Hz of a MIDI pitch in equal temperament, A4 = 440 Hz.

    Example:
        >>> round(fundamental(60), 2)
        261.63
    """
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def inharmonicity(pitch: float) -> float:
    """How much a string's stiffness stretches its partials: B in f_n = n f_0 sqrt(1 + B n^2) (F & R, section 12.3).

    Two straight lines on a logarithmic scale, one for the wound strings of the bass bridge and one for the plain ones:
    B = exp(-.0847 m - 5.82) + exp(.0926 m - 13.64); F. Rigaud, B. David and L. Daudet, A parametric model and
    estimation techniques for the inharmonicity and tuning of the piano, J. Acoust. Soc. Am. 133(5), 2013.

    Example:
        >>> f"{inharmonicity(21):.1e} {inharmonicity(60):.1e} {inharmonicity(108):.1e}"
        '5.1e-04 3.3e-04 2.6e-02'
    """
    return float(np.exp(-0.0847 * pitch - 5.82) + np.exp(0.0926 * pitch - 13.64))


def partials(pitch: int) -> tuple[Floats, Floats]:
    """Numbers and frequencies of a string's partials up to 16 kHz, tuned so that the first is the pitch itself.

    f_n = n f_1 sqrt((1 + B n^2) / (1 + B)).
    """
    number = np.arange(1.0, 401.0)
    stiffness = inharmonicity(pitch)
    frequency = fundamental(pitch) * number * np.sqrt((1 + stiffness * number**2) / (1 + stiffness))
    audible = (frequency < _HIGHEST) | (number == 1)
    return number[audible], frequency[audible]


def contact_seconds(pitch: float, velocity: int) -> float:
    """How long the hammer touches the string: 4 ms in the bass, under 1 ms in the treble, shorter when struck harder.

    A. Askenfelt and E. V. Jansson, From touch to string vibrations II, J. Acoust. Soc. Am. 88(1), 1990.
    """
    return float(4.0e-3 * (0.5 / 4.0) ** ((pitch - 21) / 87) * (80 / velocity) ** 0.6)


def string(pitch: int, velocity: int) -> Sines:
    """A string's partials after the blow of a hammer, each as a prompt sound and an aftersound.

    The amplitude of partial n is the product of
    - where the hammer strikes: |sin(n pi / 8)| in the bass and the middle (an eighth of the length, so that partials 8,
      16, .. are weak), the point moving to a sixteenth at the top; the hammer's width leaves a little even there;
    - how long it touches: 1 / (1 + (2 f t)^2), the envelope of the spectrum of a half-sine push of t seconds;
    - how well the soundboard radiates: little below 100 Hz, less again above 5 kHz, uneven in between.

    Two or three strings a note share a bridge. Moving together they lose energy quickly (the prompt sound); what is
    left moves apart, some 16 dB softer, and decays four times as slowly (the aftersound). G. Weinreich, Coupled piano
    strings, J. Acoust. Soc. Am. 62(6), 1977.
    """
    number, frequency = partials(pitch)
    strike = np.interp(pitch, (60, 108), (1 / 8, 1 / 16))
    place = np.sqrt(np.sin(number * np.pi * strike) ** 2 + 0.01)
    push = 1 / (1 + (2 * frequency * contact_seconds(pitch, velocity)) ** 2)
    amplitude = place * push * soundboard(frequency)
    kept = amplitude > _FAINTEST * amplitude.max()
    number, frequency, amplitude = number[kept], frequency[kept], amplitude[kept]

    decay = decay_rate(pitch, frequency)
    scatter = number * _GOLDEN % 1
    phase = 2 * np.pi * (number * _GOLDEN**2 % 1)
    prompt = Sines(frequency, decay, amplitude, phase)
    apart = frequency + np.minimum(0.5, 6e-4 * frequency) * (0.3 + 0.7 * scatter)  # at most a cent: a slow beat
    after = Sines(apart, decay / 4, amplitude * (0.1 + 0.12 * scatter), phase)
    return prompt.and_also(after)


def decay_rate(pitch: float, frequency: Floats) -> Floats:
    """How quickly partials of a note fade at first, a second: s + b f^2.

    The form is that of J. Bensa et al., The simulation of piano string vibration, J. Acoust. Soc. Am. 114(2), 2003:
    losses that every partial shares, and losses that grow with the square of its frequency. s rises from .5 in the
    bass to 18 at the top (4 to 160 dB a second).
    """
    shared = np.exp(np.interp(pitch, (21, 60, 84, 108), np.log((0.5, 1.2, 4.0, 18.0))))
    growing = 1.0e-7 * 2 ** (max(pitch - 60, 0) / 14)
    return np.asarray(shared + growing * frequency**2)


def soundboard(frequency: Floats) -> Floats:
    """How well the soundboard turns motion into sound, by frequency in Hz.

    It is too small to radiate below its first resonances near 100 Hz and rolls off at the top (F & R, section 12.6);
    between them its many resonances make some partials up to 3 dB stronger or weaker than their neighbours.
    """
    low = 1 / (1 + (90 / frequency) ** 2)
    high = 1 / np.sqrt(1 + (frequency / 5000) ** 2)
    octaves = np.log2(frequency)
    uneven = np.sin(2 * np.pi * 1.7 * octaves) + np.sin(2 * np.pi * 4.3 * octaves + 1)
    return np.asarray(low * high * 10 ** (1.5 * uneven / 20))


def knock(pitch: int, velocity: int) -> Sines:
    """The thud of hammer and key beside a tone of loudness 1: short resonances of the wood, 80 Hz to 2.5 kHz.

    It is felt more than heard in the middle, and plain in the treble, where strings are short and hammers still hard.
    """
    number = np.arange(1.0, 25.0)
    scatter = (number + pitch) * _GOLDEN % 1
    frequency = 80 * 2 ** (5 * (number - scatter) / 24)
    decay = 50 + 0.06 * frequency
    brightness = 1 / (1 + (frequency / (300 + 6 * velocity)) ** 2)
    level = np.interp(pitch, (60, 108), (0.05, 0.15)) / np.sqrt(len(number))
    amplitude = level * (0.4 + 0.6 * scatter) * brightness
    return Sines(frequency, decay, amplitude, 2 * np.pi * scatter)


def loudness(sines: Sines, seconds: float = 0.2) -> float:
    """How loud a sound is at its start: the root of the mean K-weighted power of its waves.

    The mean of a^2 exp(-2 d t) / 2 over the first T seconds is a^2 (1 - exp(-2 d T)) / (4 d T), for each wave alone.
    """
    span = 2 * sines.decay * seconds
    power = sines.amplitude**2 / 2 * -np.expm1(-span) / span
    return float(np.sqrt(np.sum(power * k_weighting(sines.frequency) ** 2)))


def k_weighting(frequency: Floats) -> Floats:
    """How sensitive a listener is, as a linear gain: the two filters of ITU-R BS.1770, near enough.

    A shelf of 4 dB above 1.7 kHz for the head, and little below 38 Hz.

    Example:
        >>> (20 * np.log10(k_weighting(np.array([38.0, 440.0, 10_000.0])))).round(1).tolist()
        [-6.0, 0.3, 3.9]
    """
    shelf = np.sqrt((1700**2 + 10**0.4 * frequency**2) / (1700**2 + frequency**2))
    return np.asarray(shelf / (1 + (38 / frequency) ** 2))
