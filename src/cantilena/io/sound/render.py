"""Melodies and notes as sound: an instrument of `INSTRUMENTS`, in a room.

Notes are computed once and cached; a melody is their sum, with reverberation, and peaks bent below full scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cantilena.errors import UsageError
from cantilena.io.sound.accompaniment import ACCOMPANIMENT_VELOCITY
from cantilena.io.sound.instruments import INSTRUMENTS, Instrument, find_instrument
from cantilena.io.sound.names import InstrumentName
from cantilena.io.sound.synthesis import RATE, VELOCITY, Sound
from cantilena.music import Melody, Note

REVERB_SECONDS = 0.9
"""Length of the reverberation."""

TAIL_SECONDS = 1.0 + REVERB_SECONDS
"""Sound after a melody's end: the release of the last note and the reverberation."""

LONGEST_SECONDS = 3600
"""A melody longer than an hour is refused: its samples would fill the memory."""

_LONGEST_HELD = 24.0  # seconds; a note held longer is silent
_VELOCITY_STEP = 8  # notes are cached by pitch and velocity in steps of this size
_KNEE = 0.7  # where the limiter begins to bend peaks
_REVERB_FADE = 0.6  # seconds in which the reverberation loses 60 dB: a living room
_REVERB_LEVEL = 10 ** (-17 / 20)  # of the response to a click beside the click, as a root of energy


def render(
    melody: Melody,
    *,
    rate: int = RATE,
    velocity: int | Sequence[int] = VELOCITY,
    accompaniment: Sequence[Note] = (),
    instrument: InstrumentName = "piano",
) -> Sound:
    """Render a melody on an instrument.

    Args:
        melody: the notes; its tempo map says when they sound.
        rate: samples a second, 8,000 to 96,000.
        velocity: MIDI velocity, 1 to 127: one for all notes, or one for each note of `melody.sounding`.
        accompaniment: notes that are played under it, at `ACCOMPANIMENT_VELOCITY`.
        instrument: what plays it, a name of `INSTRUMENTS`; its `chords` plays the accompaniment.

    Returns:
        `(samples,)` float32 between -1 and 1, as long as the melody and `TAIL_SECONDS`.

    Raises:
        UsageError: an unknown instrument, a rate or velocity out of range, or more than an hour of music.

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
    voice = find_instrument(instrument)
    loud = ((note, struck, voice) for note, struck in zip(sounding, velocities, strict=True))
    soft = ((note, ACCOMPANIMENT_VELOCITY, voice.chords) for note in accompaniment)
    for note, struck, player in (*loud, *soft):
        start, end = melody.tempo.seconds(note.onset), melody.tempo.seconds(note.end)
        first = round(start * rate)
        for pitch in note.pitches:
            sound = _note(player, pitch, struck, end - start, rate)[: len(dry) - first]
            dry[first : first + len(sound)] += sound
    return limited(add_reverb(dry, rate))


def render_note(
    pitch: int,
    velocity: int = VELOCITY,
    seconds: float = 2.0,
    *,
    rate: int = RATE,
    instrument: InstrumentName = "piano",
) -> Sound:
    """Render one note without reverberation: begun, held, and released.

    Args:
        pitch: MIDI number.
        velocity: MIDI velocity, 1 to 127.
        seconds: how long it is held.
        rate: samples a second, 8,000 to 96,000.
        instrument: what plays it, a name of `INSTRUMENTS`.

    Returns:
        `(samples,)` float32 between -1 and 1: the seconds asked for and the release.

    Examples:
        >>> render_note(108, seconds=1.0).shape == (round((1.0 + INSTRUMENTS["piano"].release(108)) * RATE),)
        True
    """
    _check(rate, velocity)
    if not (0 <= pitch <= 127 and 0 < seconds <= LONGEST_SECONDS):
        raise UsageError(
            f"cannot play pitch {pitch} for {seconds:g} seconds", "give a pitch from 0 to 127 and up to an hour"
        )
    return limited(_note(find_instrument(instrument), pitch, velocity, seconds, rate))


def limited(sound: Sound) -> Sound:
    """Bend peaks above a knee k smoothly below full scale; the rest is unchanged.

    |y| = k + (1 - k) tanh((|x| - k) / (1 - k)) where |x| > k: the slope is 1 at the knee.
    """
    size = np.abs(sound)
    bent = _KNEE + (1 - _KNEE) * np.tanh((size - _KNEE) / (1 - _KNEE))
    return np.where(size > _KNEE, np.copysign(bent, sound), sound).astype(np.float32)


def _note(instrument: Instrument, pitch: int, velocity: int, held: float, rate: int) -> Sound:
    """A note held for so many seconds, and its release."""
    held = min(held, _LONGEST_HELD)
    release = instrument.release(pitch)
    samples, damped = round((held + release) * rate), round(held * rate)
    # Cached by length in steps of 1/2, 1, 2, 4, .. seconds and by velocity in steps, so that similar notes share one.
    length = 2.0 ** max(math.ceil(math.log2(held + release)), -1)
    step = max(round(velocity / _VELOCITY_STEP), 1) * _VELOCITY_STEP
    sound = _ringing_note(instrument.name, pitch, step, length, rate)[:samples].copy()
    sound[damped:] *= np.exp(-6.91 / (release * rate) * np.arange(samples - damped, dtype=np.float32))
    return sound


@lru_cache(maxsize=160)
def _ringing_note(instrument: str, pitch: int, velocity: int, seconds: float, rate: int) -> Sound:
    """A note that is not released, `(seconds * rate,)`."""
    sound = INSTRUMENTS[instrument].sound(pitch, velocity, seconds, rate)
    sound.flags.writeable = False
    return sound


def _check(rate: int, velocity: int) -> None:
    if not 8_000 <= rate <= 96_000:
        raise UsageError(f"the rate must be 8000 to 96000 samples a second, got {rate}", "44100 is usual")
    if not 1 <= velocity <= 127:
        raise UsageError(f"the velocity must be 1 to 127, got {velocity}", "80 is mezzo-forte")


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
