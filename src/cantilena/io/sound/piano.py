"""A piano by additive synthesis: notes are sums of damped sine waves, without samples of an instrument.

The numbers follow N. H. Fletcher and T. D. Rossing, The Physics of Musical Instruments, 2nd edition, Springer 1998,
chapter 12 ("F & R" below), and the measurements named where they are used.
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
    level,
    loudness,
    rise,
    synthesize,
)

_FAINTEST = 10 ** (-70 / 20)  # partials fainter than this beside the strongest are left out


def ringing_string(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """Return a string struck and left to ring, `(seconds * rate,)`."""
    tone = string(pitch, velocity)
    sines = ((tone * (1 / loudness(tone))) + hammer_noise(pitch, velocity)) * level(velocity)
    sound = synthesize(sines[sines.frequency < 0.45 * rate], math.ceil(seconds * rate) + 1, rate)
    return rise(sound, contact_seconds(pitch, velocity), rate)


def release_seconds(pitch: float) -> float:
    """Return how long a damper takes to quieten a string by 60 dB; heavy bass strings take longer."""
    return float(np.interp(pitch, (21, 60, 108), (0.5, 0.25, 0.18)))


def string(pitch: int, velocity: int) -> Sines:
    """Return a string's partials after the blow of a hammer, each as a prompt sound and an aftersound.

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
    scatter = number * GOLDEN % 1
    phase = 2 * np.pi * (number * GOLDEN**2 % 1)
    prompt = Sines(frequency, decay, amplitude, phase)
    apart = frequency + np.minimum(0.5, 6e-4 * frequency) * (0.3 + 0.7 * scatter)  # at most a cent: a slow beat
    after = Sines(apart, decay / 4, amplitude * (0.1 + 0.12 * scatter), phase)
    return prompt + after


def partials(pitch: int) -> tuple[Floats, Floats]:
    """Return numbers and frequencies of a string's partials up to 16 kHz, the first in tune.

    f_n = n f_1 sqrt((1 + B n^2) / (1 + B)).
    """
    number = np.arange(1.0, 401.0)
    stiffness = inharmonicity(pitch)
    frequency = fundamental(pitch) * number * np.sqrt((1 + stiffness * number**2) / (1 + stiffness))
    audible = (frequency < HIGHEST) | (number == 1)
    return number[audible], frequency[audible]


def inharmonicity(pitch: float) -> float:
    """Return how much a string's stiffness stretches its partials: B in f_n = n f_0 sqrt(1 + B n^2) (F & R, 12.3).

    Two straight lines on a logarithmic scale, one for the wound strings of the bass bridge and one for the plain ones:
    B = exp(-.0847 m - 5.82) + exp(.0926 m - 13.64); F. Rigaud, B. David and L. Daudet, A parametric model and
    estimation techniques for the inharmonicity and tuning of the piano, J. Acoust. Soc. Am. 133(5), 2013.

    Examples:
        >>> f"{inharmonicity(21):.1e} {inharmonicity(60):.1e} {inharmonicity(108):.1e}"
        '5.1e-04 3.3e-04 2.6e-02'
    """
    return float(np.exp(-0.0847 * pitch - 5.82) + np.exp(0.0926 * pitch - 13.64))


def contact_seconds(pitch: float, velocity: int) -> float:
    """Return how long the hammer touches the string: 4 ms in the bass, under 1 ms in the treble, less when loud.

    A. Askenfelt and E. V. Jansson, From touch to string vibrations II, J. Acoust. Soc. Am. 88(1), 1990.
    """
    return float(4.0e-3 * (0.5 / 4.0) ** ((pitch - 21) / 87) * (80 / velocity) ** 0.6)


def decay_rate(pitch: float, frequency: Floats) -> Floats:
    """Return how quickly partials of a note fade at first, a second: s + b f^2.

    The form is that of J. Bensa et al., The simulation of piano string vibration, J. Acoust. Soc. Am. 114(2), 2003:
    losses that every partial shares, and losses that grow with the square of its frequency. s rises from .5 in the
    bass to 18 at the top (4 to 160 dB a second).
    """
    shared = np.exp(np.interp(pitch, (21, 60, 84, 108), np.log((0.5, 1.2, 4.0, 18.0))))
    growing = 1.0e-7 * 2 ** (max(pitch - 60, 0) / 14)
    return np.asarray(shared + growing * frequency**2)


def soundboard(frequency: Floats) -> Floats:
    """Return how well the soundboard radiates, by frequency in Hz.

    It is too small to radiate below its first resonances near 100 Hz and rolls off at the top (F & R, section 12.6);
    between them its many resonances make some partials up to 3 dB stronger or weaker than their neighbours.
    """
    low = 1 / (1 + (90 / frequency) ** 2)
    high = 1 / np.sqrt(1 + (frequency / 5000) ** 2)
    octaves = np.log2(frequency)
    uneven = np.sin(2 * np.pi * 1.7 * octaves) + np.sin(2 * np.pi * 4.3 * octaves + 1)
    return np.asarray(low * high * 10 ** (1.5 * uneven / 20))


def hammer_noise(pitch: int, velocity: int) -> Sines:
    """Return the thud of hammer and key beside a tone of loudness 1: short resonances of the wood, 80 Hz to 2.5 kHz.

    It is louder in the treble, where strings are short and hammers hard.
    """
    number = np.arange(1.0, 25.0)
    scatter = (number + pitch) * GOLDEN % 1
    frequency = 80 * 2 ** (5 * (number - scatter) / 24)
    decay = 50 + 0.06 * frequency
    brightness = 1 / (1 + (frequency / (300 + 6 * velocity)) ** 2)
    level = np.interp(pitch, (60, 108), (0.05, 0.15)) / np.sqrt(len(number))
    amplitude = level * (0.4 + 0.6 * scatter) * brightness
    return Sines(frequency, decay, amplitude, 2 * np.pi * scatter)
