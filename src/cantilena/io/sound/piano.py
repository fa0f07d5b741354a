"""A piano by additive synthesis: notes are sums of damped sine waves, without samples of an instrument.

One sine and one exponential for every wave and every sample would be slow. With s = -decay + 2 pi i frequency and
t = b B + w (block b of B samples, place w in it),

    exp(s t) = exp(s b B) exp(s w),

so one matrix product of a table over the blocks and a table over the places gives the sum of all waves at once
(`synthesize`; `benchmarks/sound.py` measures the gain).

The numbers follow N. H. Fletcher and T. D. Rossing, The Physics of Musical Instruments, 2nd edition, Springer 1998,
chapter 12 ("F & R" below), and the measurements named where they are used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.io.sound.accompaniment import ACCOMPANIMENT_VELOCITY
from cantilena.music import Melody, Note

Floats = NDArray[np.float64]
Sound = NDArray[np.float32]

RATE = 44_100
"""Samples a second: that of a compact disc."""

VELOCITY = 80
"""Default MIDI velocity: mezzo-forte."""

REVERB_SECONDS = 0.9
"""Length of the reverberation."""

TAIL_SECONDS = 1.0 + REVERB_SECONDS
"""Sound after a melody's end: the release of the last string and the reverberation."""

LONGEST_SECONDS = 3600
"""A melody longer than an hour is refused: its samples would fill the memory."""

_LONGEST_HELD = 24.0  # seconds; a string held longer is silent
_VELOCITY_STEP = 8  # notes are cached by pitch and velocity in steps of this size
_LEVEL = 0.1  # K-weighted loudness of the start of a note at velocity 80; full scale is 1
_KNEE = 0.7  # where the limiter begins to bend peaks
_REVERB_FADE = 0.6  # seconds in which the reverberation loses 60 dB: a living room
_REVERB_LEVEL = 10 ** (-17 / 20)  # of the response to a click beside the click, as a root of energy
_HIGHEST = 16_000.0  # Hz; partials above are inaudible on most loudspeakers
_FAINTEST = 10 ** (-70 / 20)  # partials fainter than this beside the strongest are left out
_GOLDEN = (5**0.5 - 1) / 2  # its multiples modulo 1 are evenly scattered, without a random generator


def render(
    melody: Melody, *, rate: int = RATE, velocity: int | Sequence[int] = VELOCITY, accompaniment: Sequence[Note] = ()
) -> Sound:
    """Render a melody on the piano.

    Args:
        melody: the notes; its tempo map says when they sound.
        rate: samples a second, 8,000 to 96,000.
        velocity: MIDI velocity, 1 to 127: one for all notes, or one for each note of `melody.sounding`.
        accompaniment: notes that are played under it, at `ACCOMPANIMENT_VELOCITY`.

    Returns:
        `(samples,)` float32 between -1 and 1, as long as the melody and `TAIL_SECONDS`.

    Raises:
        UsageError: a rate or velocity out of range, or more than an hour of music.

    Examples:
        >>> sound = render(Melody.from_pitches([(60, 24), (64, 24), (67, 48)]))
        >>> sound.shape == (round((2.0 + TAIL_SECONDS) * RATE),), bool(abs(sound).max() < 1)
        (True, True)
    """
    sounding = melody.sounding
    velocities = [velocity] * len(sounding) if isinstance(velocity, int) else list(velocity)
    for struck in {VELOCITY, *([velocity] if isinstance(velocity, int) else velocities)}:
        _check(rate, struck)
    if len(velocities) != len(sounding):
        raise UsageError(f"{len(velocities)} velocities do not fit {len(sounding)} notes", "give one for each note")
    if melody.seconds > LONGEST_SECONDS:
        raise UsageError(f"{melody.seconds:,.0f} seconds of music are too long for sound", "cut it to an hour or less")
    dry = np.zeros(round((melody.seconds + TAIL_SECONDS) * rate), dtype=np.float32)
    soft = ((note, ACCOMPANIMENT_VELOCITY) for note in accompaniment)
    for note, struck in (*zip(sounding, velocities, strict=True), *soft):
        start, end = melody.tempo.seconds(note.onset), melody.tempo.seconds(note.end)
        first = round(start * rate)
        for pitch in note.pitches:
            sound = _note(pitch, struck, end - start, rate)[: len(dry) - first]
            dry[first : first + len(sound)] += sound
    return limited(add_reverb(dry, rate))


def render_note(pitch: int, velocity: int = VELOCITY, seconds: float = 2.0, *, rate: int = RATE) -> Sound:
    """Render one note without reverberation: struck, held, and damped when the key is released.

    Args:
        pitch: MIDI number.
        velocity: MIDI velocity, 1 to 127.
        seconds: how long the key is held.
        rate: samples a second, 8,000 to 96,000.

    Returns:
        `(samples,)` float32 between -1 and 1: the seconds asked for and the release.

    Examples:
        >>> render_note(108, seconds=1.0).shape == (round((1.0 + release_seconds(108)) * RATE),)
        True
    """
    _check(rate, velocity)
    if not (0 <= pitch <= 127 and 0 < seconds <= LONGEST_SECONDS):
        raise UsageError(
            f"cannot play pitch {pitch} for {seconds:g} seconds", "give a pitch from 0 to 127 and up to an hour"
        )
    return limited(_note(pitch, velocity, seconds, rate))


def limited(sound: Sound) -> Sound:
    """Bend peaks above a knee k smoothly below full scale; the rest is unchanged.

    |y| = k + (1 - k) tanh((|x| - k) / (1 - k)) where |x| > k: the slope is 1 at the knee.
    """
    size = np.abs(sound)
    bent = _KNEE + (1 - _KNEE) * np.tanh((size - _KNEE) / (1 - _KNEE))
    return np.where(size > _KNEE, np.copysign(bent, sound), sound).astype(np.float32)


def release_seconds(pitch: int) -> float:
    """Return how long a damper takes to quieten a string by 60 dB; heavy bass strings take longer."""
    return float(np.interp(pitch, (21, 60, 108), (0.5, 0.25, 0.18)))


def _note(pitch: int, velocity: int, held: float, rate: int) -> Sound:
    """A string held for so many seconds, and its release."""
    held = min(held, _LONGEST_HELD)
    release = release_seconds(pitch)
    samples, damped = round((held + release) * rate), round(held * rate)
    # Cached by length in steps of 1/2, 1, 2, 4, .. seconds and by velocity in steps, so that similar notes share one.
    length = 2.0 ** max(math.ceil(math.log2(held + release)), -1)
    step = max(round(velocity / _VELOCITY_STEP), 1) * _VELOCITY_STEP
    sound = _ringing_string(pitch, step, length, rate)[:samples].copy()
    sound[damped:] *= np.exp(-6.91 / (release * rate) * np.arange(samples - damped, dtype=np.float32))
    return sound


@lru_cache(maxsize=160)
def _ringing_string(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """A string struck and left to ring, `(seconds * rate,)`."""
    tone = string(pitch, velocity)
    sines = ((tone * (1 / loudness(tone))) + hammer_noise(pitch, velocity)) * (_LEVEL * (velocity / 80) ** 1.7)
    sound = synthesize(sines[sines.frequency < 0.45 * rate], math.ceil(seconds * rate) + 1, rate)
    rise = max(round(contact_seconds(pitch, velocity) * rate), 2)
    sound[:rise] *= (0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)).astype(np.float32)
    sound.flags.writeable = False
    return sound


def _check(rate: int, velocity: int) -> None:
    if not 8_000 <= rate <= 96_000:
        raise UsageError(f"the rate must be 8000 to 96000 samples a second, got {rate}", "44100 is usual")
    if not 1 <= velocity <= 127:
        raise UsageError(f"the velocity must be 1 to 127, got {velocity}", "80 is mezzo-forte")


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
    scatter = number * _GOLDEN % 1
    phase = 2 * np.pi * (number * _GOLDEN**2 % 1)
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
    audible = (frequency < _HIGHEST) | (number == 1)
    return number[audible], frequency[audible]


def fundamental(pitch: float) -> float:
    """Return the frequency of a MIDI pitch in equal temperament, A4 = 440 Hz.

    Examples:
        >>> round(fundamental(60), 2)
        261.63
    """
    return float(440.0 * 2 ** ((pitch - 69) / 12))


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
    scatter = (number + pitch) * _GOLDEN % 1
    frequency = 80 * 2 ** (5 * (number - scatter) / 24)
    decay = 50 + 0.06 * frequency
    brightness = 1 / (1 + (frequency / (300 + 6 * velocity)) ** 2)
    level = np.interp(pitch, (60, 108), (0.05, 0.15)) / np.sqrt(len(number))
    amplitude = level * (0.4 + 0.6 * scatter) * brightness
    return Sines(frequency, decay, amplitude, 2 * np.pi * scatter)


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


def add_reverb(dry: Sound, rate: int) -> Sound:
    """Add reverberation to a sound, which keeps its length: `(samples,)`.

    The convolution is done in blocks by Fourier transforms, each block's response running into the next ones
    (overlap-add).
    """
    response = reverb_response(rate)
    size = 1 << 17
    step = size - len(response) + 1
    blocks = -(-len(dry) // step)
    padded = np.zeros((blocks, size), dtype=np.float32)
    padded[:, :step] = np.pad(dry, (0, blocks * step - len(dry))).reshape(blocks, step)
    answers = np.fft.irfft(np.fft.rfft(padded, axis=1) * np.fft.rfft(response, size), size, axis=1)
    wet = np.zeros(blocks * step + size, dtype=np.float32)
    for start, answer in zip(range(0, blocks * step, step), answers, strict=True):
        wet[start : start + size] += answer.astype(np.float32)
    return np.asarray(dry + wet[: len(dry)])


@lru_cache(maxsize=4)
def reverb_response(rate: int) -> Sound:
    """Return the response to a click, `(REVERB_SECONDS * rate,)`: noise that fades and darkens, always the same."""
    samples = int(REVERB_SECONDS * rate)
    time = np.arange(samples) / rate
    noise = np.random.default_rng(1709).standard_normal(samples)
    dark = np.convolve(noise, np.hanning(max(int(rate / 6000), 3)), mode="same")
    answer = np.where(time < 0.006, 0.0, dark * np.exp(-6.91 * time / _REVERB_FADE))
    answer *= np.minimum(1.0, 10 * (REVERB_SECONDS - time) / REVERB_SECONDS)
    answer *= _REVERB_LEVEL / np.sqrt(np.sum(answer**2))
    response = answer.astype(np.float32)
    response.flags.writeable = False
    return response
