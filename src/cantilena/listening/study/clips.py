"""From matched excerpts to clips: one tonic a set, sound, measurements; anchors, checks and practice beside them.

Clips as sound: the same piano, the same loudness, and the loudness measured again in the file that was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import InputError
from cantilena.io import read_sound, render, sound_bytes
from cantilena.listening.study.design import Design
from cantilena.listening.study.excerpts import Excerpt
from cantilena.listening.study.leaks import features
from cantilena.listening.study.loudness import loudness
from cantilena.listening.study.matching import to_one_tonic
from cantilena.listening.study.study import Clip, Role
from cantilena.music import Melody, Tempo
from cantilena.runtime import progress

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
        >>> made = sounded(Melody.from_pitches([(60, 24), (64, 24), (67, 48)]))
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
    return read_sound(content)[0]


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
    return Melody.from_pitches([(67, 24)] * quarters, tempo=Tempo.constant(tempo), title="attention check")


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


_ANCHORS = 6
_HEADPHONE_TRIALS = 6


@dataclass
class ClipMaker:
    """Collects clips and their files.

    Args:
        rng: names of clips come from it.
    """

    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.clips: list[Clip] = []
        self.files: dict[str, bytes] = {}

    def add(self, made: Sounded, role: Role, arm: str = "", source: str = "", **about: Any) -> str:  # noqa: ANN401
        """Keep a clip under a name that tells nothing; gives the name."""
        name = self.rng.bytes(8).hex()
        sha256 = hashlib.sha256(made.content).hexdigest()
        self.clips.append(Clip(name, role, arm, round(made.seconds, 4), made.loudness, sha256, source, about))
        self.files[name] = made.content
        return name


@dataclass(frozen=True)
class Made:
    """All clips of a study.

    Args:
        clips: described.
        files: by id.
        items: for each arm the ids, row i of one matched set.
        anchors: ids.
        attention: its id, or "".
        heard: for each arm `(clips, 8)` what the trivial classifier hears.
    """

    clips: tuple[Clip, ...]
    files: Mapping[str, bytes]
    items: tuple[tuple[str, ...], ...]
    anchors: tuple[str, ...]
    attention: str
    heard: Mapping[str, NDArray[np.float64]]


def make_clips(
    design: Design,
    sets: Sequence[Mapping[str, Excerpt]],
    practice: Sequence[tuple[str, Excerpt]],
    tempo: float,
    rng: np.random.Generator,
) -> Made:
    """Play everything.

    Args:
        design: of the study.
        sets: matched, an excerpt of each arm.
        practice: arms and excerpts for practice.
        tempo: quarters a minute.
        rng: the randomness.

    Raises:
        InputError: a clip cannot be as loud as the others.
    """
    maker = ClipMaker(rng)
    items: dict[str, list[str]] = {arm: [] for arm in design.arms}
    heard: dict[str, list[NDArray[np.float64]]] = {arm: [] for arm in design.arms}
    people: list[Melody] = []
    with progress("Playing clips", total=len(sets) * len(design.arms), unit="clips") as bar:
        for number, one_set in enumerate(sets):
            tonic = int(rng.integers(12))
            for arm in design.arms:
                excerpt = one_set[arm]
                melody = excerpt.melody if design.evenly else to_one_tonic(excerpt.melody, excerpt, tonic)
                made = sounded(melody)
                items[arm].append(maker.add(made, "item", arm, excerpt.source, **_about(melody, excerpt, number)))
                heard[arm].append(features(samples_of(made.content), RATE))
                people += [melody] if arm == design.arms[0] else []
                bar.advance()
    anchors = [
        maker.add(sounded(shuffled(melody, rng)), "anchor")
        for melody in (people[:_ANCHORS] if design.anchors_each else [])
    ]
    check = maker.add(sounded(attention(tempo)), "attention", answer="computer", confidence=4) if design.checks else ""
    if design.checks:
        for quietest in rng.permutation(np.arange(_HEADPHONE_TRIALS) % 3).tolist():
            maker.add(headphone_trial(quietest), "headphones", quietest=quietest)
    for arm, excerpt in practice:
        melody = excerpt.melody if design.evenly else to_one_tonic(excerpt.melody, excerpt, int(rng.integers(12)))
        maker.add(sounded(melody), "practice", arm, excerpt.source)
    return Made(
        tuple(maker.clips),
        maker.files,
        tuple(tuple(items[arm]) for arm in design.arms),
        tuple(anchors),
        check,
        {arm: np.array(rows) for arm, rows in heard.items()},
    )


def even_sets(arms: Mapping[str, Sequence[Excerpt]], sets: int, rng: np.random.Generator) -> list[dict[str, Excerpt]]:
    """Sets of the paper's design: drawn at random, each as long as its shortest.

    Args:
        arms: excerpts, one a melody; as many as there are sets at least.
        sets: how many.
        rng: the randomness.
    """
    drawn = {arm: rng.permutation(len(found))[:sets].tolist() for arm, found in arms.items()}
    made = []
    for number in range(sets):
        one = {arm: arms[arm][rows[number]] for arm, rows in drawn.items()}
        length = min(excerpt.melody.length for excerpt in one.values())
        made.append(
            {
                arm: replace(excerpt, melody=replace(excerpt.melody.until(length), tempo=Tempo.constant(120)))
                for arm, excerpt in one.items()
            }
        )
    return made


def _about(melody: Melody, excerpt: Excerpt, number: int) -> dict[str, Any]:
    return {
        "set": number,
        "key": melody.key.name if melody.key else excerpt.key.name,
        "quarters": round(excerpt.quarters, 3),
        "notes": len(melody.sounding),
    }
