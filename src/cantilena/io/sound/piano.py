"""The piano: melodies and single notes as sound, computed here, without samples of anybody's instrument.

A note is a sum of damped sine waves (`piano_string`). Added up naively that is one sine and one exponential for every
wave and every sample. By blocks it is one matrix product: with s = -decay + 2 pi i frequency and t = b B + w (block b
of B samples, place w in it),

    exp(s t) = exp(s b B) exp(s w),

so that a table over the blocks and a table over the places in a block, multiplied as matrices, give every sample of all
waves' sum at once. `benchmarks/sound.py` measures what that saves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.io.sound.piano_room import ROOM_SECONDS, in_room
from cantilena.io.sound.piano_string import Sines, contact_seconds, knock, loudness, string
from cantilena.music import Melody

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
        >>> sound = render(Melody.of([(60, 24), (64, 24), (67, 48)]))
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
