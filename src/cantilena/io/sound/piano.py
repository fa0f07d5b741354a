"""The piano: melodies and single notes as sound, computed here, without samples of anybody's instrument.

A note is a sum of damped sine waves (`piano_string`). Added up naively that is one sine and one exponential for every
wave and every sample. By blocks it is one matrix product: with s = -decay + 2 pi i frequency and t = b B + w (block b
of B samples, place w in it),

    exp(s t) = exp(s b B) exp(s w),

so that a table over the blocks and a table over the places in a block, multiplied as matrices, give every sample of all
waves' sum at once. `benchmarks/sound.py` measures what that saves.

What one struck piano string sounds like, as a sum of damped sine waves.

The numbers follow N. H. Fletcher and T. D. Rossing, The Physics of Musical Instruments, 2nd edition, Springer 1998,
chapter 12 ("F & R" below), and the measurements named where they are used.

The room around the piano: a short, soft reverberation, so that notes do not end in a vacuum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Melody

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


ROOM_SECONDS = 0.9
"""How long the room answers; nothing is left after that."""

_FADE = 0.6
"""Seconds in which the answer loses 60 dB: a living room, not a hall."""

_ROOM_LEVEL = 10 ** (-17 / 20)
"""How loud the room's answer to a click is beside the click, as a root of energy."""


@lru_cache(maxsize=4)
def room_response(rate: int) -> NDArray[np.float32]:
    """The room's answer to a click, `(ROOM_SECONDS * rate,)`: noise that fades, and darkens as it does.

    The noise is the same each time: it is a room, not chance.
    """
    samples = int(ROOM_SECONDS * rate)
    time = np.arange(samples) / rate
    noise = np.random.default_rng(1709).standard_normal(samples)  # Cristofori's first pianos are from about 1709
    dark = np.convolve(noise, np.hanning(max(int(rate / 6000), 3)), mode="same")
    answer = np.where(time < 0.006, 0.0, dark * np.exp(-6.91 * time / _FADE))
    answer *= np.minimum(1.0, 10 * (ROOM_SECONDS - time) / ROOM_SECONDS)
    answer *= _ROOM_LEVEL / np.sqrt(np.sum(answer**2))
    response = answer.astype(np.float32)
    response.flags.writeable = False
    return response


def in_room(dry: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """A sound with the room's answer to it, `(samples,)` as long as it was.

    The convolution is done in blocks by Fourier transforms, each block's answer running into the next ones
    (overlap-add).
    """
    response = room_response(rate)
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


RATE = 44_100
"""Samples a second: that of a compact disc."""

VELOCITY = 80
"""How hard keys are struck where nobody says: mezzo-forte."""

TAIL_SECONDS = 1.0 + ROOM_SECONDS
"""Sound after a melody's end: the last string is damped and the room falls silent."""

LONGEST_SECONDS = 3600
"""A melody longer than an hour is refused: its samples would fill the memory."""

_RING_SECONDS = 24.0
"""A key held longer than this has nothing left to say."""

_VELOCITY_STEP = 8
"""Notes are kept by pitch and by steps of so many velocities."""

_LEVEL = 0.1
"""K-weighted loudness of a note's first moments at velocity 80; full scale is 1."""

_KNEE = 0.7
"""Where the limiter begins to bend peaks."""

Sound = NDArray[np.float32]


def render(melody: Melody, *, rate: int = RATE, velocity: int | Sequence[int] = VELOCITY) -> Sound:
    """A melody played on the piano, every key struck alike unless it is said how hard each is.

    Args:
        melody: the notes; its tempo map says when they sound.
        rate: samples a second, 8,000 to 96,000.
        velocity: how hard the keys are struck, 1 to 127: one for all, or one for each note of `melody.sounding`.

    Returns:
        `(samples,)` float32 between -1 and 1, the melody's length and `TAIL_SECONDS` long.

    Raises:
        UsageError: a rate or velocity out of range, or more than an hour of music.

    Example:
        >>> sound = render(Melody.from_pitches([(60, 24), (64, 24), (67, 48)]))
        >>> sound.shape == (round((2.0 + TAIL_SECONDS) * RATE),), bool(abs(sound).max() < 1)
        (True, True)
    """
    sounding = melody.sounding
    velocities = [velocity] * len(sounding) if isinstance(velocity, int) else list(velocity)
    for struck in {VELOCITY, *([velocity] if isinstance(velocity, int) else velocities)}:
        _check(rate, struck)
    if len(velocities) != len(sounding):
        raise UsageError("the velocities do not fit the notes", "give one number from 1 to 127 for each note")
    if melody.seconds > LONGEST_SECONDS:
        raise UsageError(f"{melody.seconds:,.0f} seconds of music as sound", "cut the melody to an hour or less")
    dry = np.zeros(round((melody.seconds + TAIL_SECONDS) * rate), dtype=np.float32)
    for note, struck in zip(sounding, velocities, strict=True):
        start, end = melody.tempo.seconds(note.onset), melody.tempo.seconds(note.end)
        first = round(start * rate)
        for pitch in note.pitches:
            sound = _let_go(pitch, struck, end - start, rate)[: len(dry) - first]
            dry[first : first + len(sound)] += sound
    return limited(in_room(dry, rate))


def render_note(pitch: int, velocity: int = VELOCITY, seconds: float = 2.0, *, rate: int = RATE) -> Sound:
    """One note without the room: struck, held, and damped when the key is let go.

    Args:
        pitch: MIDI number.
        velocity: how hard the key is struck, 1 to 127.
        seconds: how long the key is held.
        rate: samples a second, 8,000 to 96,000.

    Returns:
        `(samples,)` float32 between -1 and 1: the seconds asked for and a short release.

    Example:
        >>> render_note(108, seconds=1.0).shape == (round((1.0 + release_seconds(108)) * RATE),)
        True
    """
    _check(rate, velocity)
    if not (0 <= pitch <= 127 and 0 < seconds <= LONGEST_SECONDS):
        raise UsageError(f"pitch {pitch} for {seconds:g} seconds", "give a pitch from 0 to 127 and up to an hour")
    return limited(_let_go(pitch, velocity, seconds, rate))


def limited(sound: Sound) -> Sound:
    """Peaks above the knee bent smoothly below full scale, the rest untouched.

    |y| = k + (1 - k) tanh((|x| - k) / (1 - k)) where |x| > k: the slope is 1 at the knee.
    """
    size = np.abs(sound)
    bent = _KNEE + (1 - _KNEE) * np.tanh((size - _KNEE) / (1 - _KNEE))
    return np.where(size > _KNEE, np.copysign(bent, sound), sound).astype(np.float32)


def release_seconds(pitch: int) -> float:
    """How long a damper takes to quieten a string by 60 dB: longer for the heavy strings of the bass."""
    return float(np.interp(pitch, (21, 60, 108), (0.5, 0.25, 0.18)))


def sum_of(sines: Sines, samples: int, rate: int) -> NDArray[np.float32]:
    """The first samples of a sum of damped sine waves, by one matrix product.

    Args:
        sines: the waves.
        samples: how many samples.
        rate: samples a second.

    Returns:
        `(samples,)` float32.
    """
    block = max(math.isqrt(samples), 1)
    blocks = -(-samples // block)
    s = (-sines.decay + 2j * np.pi * sines.frequency) / rate
    starts = np.exp(np.outer(np.arange(blocks) * block, s)) * (sines.amplitude * np.exp(1j * sines.phase))
    places = np.exp(np.outer(s, np.arange(block)))
    # The imaginary part of a product of complex numbers is Im a Re b + Re a Im b: one real product of twice the width.
    left = np.hstack([starts.imag, starts.real]).astype(np.float32)
    right = np.vstack([places.real, places.imag]).astype(np.float32)
    return np.asarray((left @ right).reshape(-1)[:samples])


def _let_go(pitch: int, velocity: int, held: float, rate: int) -> Sound:
    """A note as long as its key is held, and its release."""
    held = min(held, _RING_SECONDS)
    release = release_seconds(pitch)
    samples, damped = round((held + release) * rate), round(held * rate)
    sound = _struck(pitch, _velocity_step(velocity), _roof(held + release), rate)[:samples].copy()
    sound[damped:] *= np.exp(-6.91 / (release * rate) * np.arange(samples - damped, dtype=np.float32))
    return sound


@lru_cache(maxsize=160)
def _struck(pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """A string struck and left to ring, `(seconds * rate,)`."""
    tone = string(pitch, velocity)
    sines = tone.louder(1 / loudness(tone)).and_also(knock(pitch, velocity)).louder(_LEVEL * (velocity / 80) ** 1.7)
    below = sines.frequency < 0.45 * rate
    heard = Sines(sines.frequency[below], sines.decay[below], sines.amplitude[below], sines.phase[below])
    sound = sum_of(heard, math.ceil(seconds * rate) + 1, rate)
    rise = max(round(contact_seconds(pitch, velocity) * rate), 2)
    sound[:rise] *= (0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)).astype(np.float32)
    sound.flags.writeable = False
    return sound


def _roof(seconds: float) -> float:
    """The next of 1/2, 1, 2, 4, .. seconds, so that notes of similar length share one rendering."""
    return 2.0 ** max(math.ceil(math.log2(seconds)), -1)


def _velocity_step(velocity: int) -> int:
    return max(round(velocity / _VELOCITY_STEP), 1) * _VELOCITY_STEP


def _check(rate: int, velocity: int) -> None:
    if not 8_000 <= rate <= 96_000:
        raise UsageError(f"{rate} samples a second", "give a rate from 8000 to 96000; 44100 is usual")
    if not 1 <= velocity <= 127:
        raise UsageError(f"velocity {velocity}", "give 1 (barely touched) to 127 (as hard as can be)")
