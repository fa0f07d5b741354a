"""A plucked string on the body of a guitar: the Karplus-Strong algorithm as the sum of its damped modes.

The algorithm of K. Karplus and A. Strong (Computer Music Journal 7(2), 1983) lets a burst of noise run round a delay
line of one period, through a filter that takes a little of its treble at each round. D. A. Jaffe and J. O. Smith,
Extensions of the Karplus-Strong plucked-string algorithm (ibid.), add where the string is plucked, how hard, and in
tune. The delay line has one mode at each harmonic n f_0, which the filter damps by |H(n f_0)| a period, so that it
decays at the rate -f_0 ln |H(n f_0)|: those modes are computed here, exactly in tune at every sampling rate.
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

_PLACE = 0.13  # where the string is plucked, as a part of its length
_FINGER_SECONDS = 0.002
# Frequency in Hz, decay a second and amplitude of what the body does by itself: air, top plate, back, higher modes.
_KNOCK = np.array([(102, 25, 1.0), (196, 35, 0.9), (272, 45, 0.5), (412, 60, 0.4), (630, 80, 0.25), (1050, 110, 0.2)])


def plucked_string(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """Return a string plucked and left to ring, `(seconds * rate,)`."""
    tone = string(pitch, velocity)
    sines = (tone * (1 / loudness(tone)) + body_knock()) * level(velocity)
    sound = synthesize(sines[sines.frequency < 0.45 * rate], math.ceil(seconds * rate), rate)
    return rise(sound, _FINGER_SECONDS, rate)


def release_seconds(pitch: float) -> float:
    """Return how long a finger takes to quieten a string by 60 dB."""
    return float(np.interp(pitch, (40, 88), (0.2, 0.1)))


def string(pitch: int, velocity: int) -> Sines:
    """Return the modes of a plucked string.

    The amplitude of harmonic n at the bridge is |sin(n pi b)| / n, b being the place of the pluck (N. H. Fletcher and
    T. D. Rossing, The Physics of Musical Instruments, 2nd edition, section 2.8), times exp(-f / c) for the width of the
    finger, c growing with velocity, times what the body radiates.

    Examples:
        >>> string(69, 80).frequency[:3].round(3).tolist()
        [440.0, 880.0, 1320.0]
    """
    first = fundamental(pitch)
    number = np.arange(1.0, max(HIGHEST // first, 1) + 1)
    frequency = number * first
    finger = np.exp(-frequency / (1800 + 25 * velocity + 2 * first))
    amplitude = np.sqrt(np.sin(number * np.pi * _PLACE) ** 2 + 0.002) / number * finger * body(frequency)
    return Sines(frequency, decay_rate(pitch, frequency), amplitude, 2 * np.pi * (number * GOLDEN % 1))


def decay_rate(pitch: float, frequency: Floats) -> Floats:
    """Return how quickly modes fade, a second: s + b f^2.

    The filter H = r (1 - S + S / z) of Jaffe and Smith gives -f_0 ln |H| = -f_0 ln r + f_0 S (1 - S) w^2 / 2 + .., with
    w = 2 pi f / rate. r is chosen for a decay of 8 s in the bass to half a second at the top, by 60 dB; S so that the
    second term is the same for all strings.

    Examples:
        >>> decay_rate(60, np.array([261.6, 2616.0])).round(1).tolist()
        [2.2, 10.3]
    """
    shared = 6.91 / np.exp(np.interp(pitch, (28, 60, 84, 108), np.log((8.0, 3.3, 1.6, 0.5))))
    return np.asarray(shared + 1.2e-6 * frequency**2)


def body(frequency: Floats) -> Floats:
    """Return how well a guitar radiates by frequency in Hz: best at its resonances of air and top plate."""
    low = 1 / (1 + (85 / frequency) ** 2)
    bells = sum(gain * np.exp(-((np.log2(frequency / at) / 0.2) ** 2)) for at, gain in ((102, 0.9), (196, 1.1)))
    return np.asarray(low * (1 + bells) / np.sqrt(1 + (frequency / 4500) ** 2))


def body_knock() -> Sines:
    """Return the knock of the body beside a tone of loudness 1."""
    frequency, decay, amplitude = _KNOCK.T
    return Sines(frequency, decay, 0.05 * amplitude, 2 * np.pi * (np.arange(6.0) * GOLDEN % 1))
