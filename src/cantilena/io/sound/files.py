"""Sound files: 16-bit PCM as WAV or FLAC."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.io.sound.accompaniment import Pattern, accompaniment
from cantilena.io.sound.names import InstrumentName
from cantilena.io.sound.performance import perform
from cantilena.io.sound.render import render
from cantilena.io.sound.synthesis import RATE, VELOCITY
from cantilena.music import Melody


def read_sound(file: bytes | Path) -> tuple[NDArray[np.float32], int]:
    """Read a sound file in any format that libsndfile reads, such as WAV, FLAC or Ogg.

    Args:
        file: the content or the path of a trusted file.

    Returns:
        The samples, `(samples,)` or `(samples, channels)` between -1 and 1, and their rate in Hz.
    """
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(file) if isinstance(file, bytes) else file, dtype="float32")
    return np.asarray(samples), int(rate)


def sound_bytes(sound: NDArray[np.float32], rate: int, container: Literal["WAV", "FLAC"] = "WAV") -> bytes:
    """Encode samples as a file of 16-bit PCM.

    Args:
        sound: `(samples,)` or `(samples, channels)` between -1 and 1.
        rate: samples a second.
        container: `WAV`, or `FLAC`, lossless and about half the size.

    Examples:
        >>> sound, rate = read_sound(sound_bytes(np.zeros(10, np.float32), 8_000, "FLAC"))
        >>> sound.shape, rate
        ((10,), 8000)
    """
    import soundfile

    numbers = np.rint(np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, numbers, rate, format=container, subtype="PCM_16")
    return file.getvalue()


def wav_bytes(
    melody: Melody,
    *,
    rate: int = RATE,
    velocity: int = VELOCITY,
    expressive: bool = False,
    pattern: Pattern = "block",
    instrument: InstrumentName = "piano",
) -> bytes:
    """Render a melody and its chords as a mono WAV file; the same melody gives the same bytes.

    Args:
        melody: the melody.
        rate: samples a second.
        velocity: MIDI velocity of the notes, 1 to 127.
        expressive: play it as `perform` does, with velocities around that one.
        pattern: how the chords are played, as in `accompaniment`.
        instrument: what plays it, a name of `INSTRUMENTS`.

    Examples:
        >>> wav_bytes(Melody.from_pitches([(60, 24)]), rate=8_000)[:4]
        b'RIFF'
    """
    velocities: int | tuple[int, ...] = velocity
    if expressive:
        played = perform(melody, velocity)
        melody, velocities = replace(melody, tempo=played.tempo), played.velocities
    under = accompaniment(melody, pattern)
    sound = render(melody, rate=rate, velocity=velocities, accompaniment=under, instrument=instrument)
    return sound_bytes(sound, rate)
