"""Clips as sound: the same piano, the same loudness, and the loudness measured again in the file that was made."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import InputError
from cantilena.io import render, sound_bytes
from cantilena.listening.study.loudness import loudness
from cantilena.music import Melody, Tempo

RATE = 44_100
"""Samples a second."""

TARGET = -20.0
"""Loudness of every clip, LUFS."""

TOLERANCE = 0.1
"""How far from it a file may be, LU."""

_TONE, _PAUSE, _FREQUENCY = 1.0, 0.5, 200.0


@dataclass(frozen=True)
class Sounded:
    """A clip as a file.

    Args:
        content: the FLAC file.
        seconds: its length.
        loudness: LUFS, measured in the file.
    """

    content: bytes
    seconds: float
    loudness: float


def sounded(melody: Melody) -> Sounded:
    """Play a melody on the piano and bring it to the loudness of all clips.

    Args:
        melody: the melody.

    Raises:
        InputError: it cannot be as loud as the others without being clipped.

    Example:
        >>> made = sounded(Melody.of([(60, 24), (64, 24), (67, 48)]))
        >>> abs(made.loudness - TARGET) <= TOLERANCE
        True
    """
    dry = render(melody, rate=RATE)
    gain = 10 ** ((TARGET - loudness(dry, RATE)) / 20)
    content = sound_bytes((dry * gain).astype(np.float32), RATE, "FLAC")
    heard = samples_of(content)
    measured = loudness(heard, RATE)
    if not abs(measured - TARGET) <= TOLERANCE:
        raise InputError(
            f"{melody.title or melody.source} came out at {measured:.1f} LUFS, not at {TARGET:g}",
            "leave this melody out: it is too sparse to be as loud as the others",
        )
    return Sounded(content, len(heard) / RATE, round(measured, 3))


def samples_of(content: bytes) -> NDArray[np.float32]:
    """The samples of a FLAC file of ours, `(samples,)` or `(samples, channels)`."""
    import soundfile

    samples, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    return np.asarray(samples)


def shuffled(melody: Melody, rng: np.random.Generator) -> Melody:
    """A negative anchor: the notes of a melody in random order, their onsets and durations dealt anew as well."""
    notes = melody.sounding
    pitches, places = rng.permutation(len(notes)), rng.permutation(len(notes))
    waits = [after.onset - note.onset for note, after in pairwise(notes)]
    waits.append(melody.length - notes[-1].onset)
    made, tick = [], 0
    for place, pitch in zip(places, pitches, strict=True):
        made.append(replace(notes[pitch], onset=tick, duration=min(notes[place].duration, waits[place])))
        tick += waits[place]
    return replace(melody, notes=tuple(made), length=tick)


def attention(tempo: float, quarters: int = 24) -> Melody:
    """The attention check: one note again and again."""
    return Melody.of([(67, 24)] * quarters, tempo=Tempo.constant(tempo), title="attention check")


def headphone_trial(quietest: int) -> Sounded:
    """Three tones of which one is quieter, and one is turned over on the right side.

    Loudspeakers cancel the turned one and make it seem the quietest; headphones do not. K. J. P. Woods, M. H. Siegel,
    J. Traer and J. H. McDermott, Headphone screening to facilitate web-based auditory experiments, Attention,
    Perception, and Psychophysics 79, 2017.

    Args:
        quietest: which tone is 6 dB quieter, 0 to 2; the next one is turned.
    """
    time = np.arange(round(_TONE * RATE)) / RATE
    ramp = np.minimum(np.minimum(time, _TONE - time) / 0.1, 1.0)
    tone = 0.2 * ramp * np.sin(2 * np.pi * _FREQUENCY * time)
    pause = np.zeros((round(_PAUSE * RATE), 2))
    parts = []
    for place in range(3):
        side = -1.0 if place == (quietest + 1) % 3 else 1.0
        level = 0.5 if place == quietest else 1.0
        parts += [np.stack([tone, side * tone], axis=1) * level, pause]
    sound = np.concatenate(parts[:-1]).astype(np.float32)
    return Sounded(sound_bytes(sound, RATE, "FLAC"), len(sound) / RATE, round(loudness(sound, RATE), 3))
