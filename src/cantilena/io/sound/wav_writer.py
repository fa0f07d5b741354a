"""Melodies as WAV files: 16-bit PCM, the same bytes for the same melody."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.io.sound.performance import performed
from cantilena.io.sound.piano import RATE, VELOCITY, render
from cantilena.music import Melody
from cantilena.runtime import write_bytes


def sound_bytes(sound: NDArray[np.float32], rate: int, container: Literal["WAV", "FLAC"] = "WAV") -> bytes:
    """Samples as a file's bytes: 16-bit PCM in a WAV container, or the same samples packed without loss as FLAC.

    Args:
        sound: `(samples,)` between -1 and 1.
        rate: samples a second.
        container: `WAV`, which everything reads, or `FLAC`, about half the size, which browsers read too.
    """
    import soundfile

    numbers = np.rint(np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, numbers, rate, format=container, subtype="PCM_16")
    return file.getvalue()


def wav_bytes(melody: Melody, *, rate: int = RATE, velocity: int = VELOCITY, expressive: bool = False) -> bytes:
    """A melody played on the piano, as the bytes of a mono WAV file.

    Args:
        melody: the notes.
        rate: samples a second.
        velocity: how hard the keys are struck, 1 to 127.
        expressive: play it as `performed` does, with velocities around that one.

    Example:
        >>> wav_bytes(Melody.from_pitches([(60, 24)]), rate=8_000)[:4]
        b'RIFF'
    """
    if not expressive:
        return sound_bytes(render(melody, rate=rate, velocity=velocity), rate)
    played = performed(melody, velocity)
    return sound_bytes(render(replace(melody, tempo=played.tempo), rate=rate, velocity=played.velocities), rate)


def write_wav(melody: Melody, path: Path, *, overwrite: bool = True) -> None:
    """Write a melody as a WAV file, whole or not at all."""
    write_bytes(path, wav_bytes(melody), overwrite=overwrite)
