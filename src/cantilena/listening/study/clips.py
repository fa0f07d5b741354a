"""Make the clips of a study: test items, anchors, the attention and headphone checks, and practice clips.

All are played by the same piano at the same loudness, and the loudness is measured again in the resulting file.
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
from cantilena.listening.study.matching import transpose_to_tonic
from cantilena.listening.study.study import Clip, ClipRole
from cantilena.music import Melody, Tempo
from cantilena.runtime import progress

RATE = 44_100
"""Samples per second."""

TARGET = -20.0
"""Loudness of every clip, LUFS."""

TOLERANCE = 0.1
"""Maximum deviation of a file from the target, LU."""

_ANCHORS = 6
_HEADPHONE_TRIALS = 6
_TONE_SECONDS, _PAUSE_SECONDS, _TONE_FREQUENCY = 1.0, 0.5, 200.0


@dataclass(frozen=True)
class Clips:
    """All clips of a study.

    Args:
        clips: their descriptions.
        files: their FLAC files by ID.
        items: for each arm the IDs of its items; those at the same index form a matched set.
        anchors: IDs of the anchors.
        attention: ID of the attention check, or "".
        features: `(clips, 8)` features of each arm's items for the check for leaks.
    """

    clips: tuple[Clip, ...]
    files: Mapping[str, bytes]
    items: tuple[tuple[str, ...], ...]
    anchors: tuple[str, ...]
    attention: str
    features: Mapping[str, NDArray[np.float64]]


def make_clips(
    design: Design,
    sets: Sequence[Mapping[str, Excerpt]],
    practice: Sequence[tuple[str, Excerpt]],
    tempo: float,
    rng: np.random.Generator,
) -> Clips:
    """Render all clips of a study.

    Args:
        design: design of the study.
        sets: matched sets, each with an excerpt of every arm.
        practice: arms and excerpts for practice.
        tempo: quarter notes per minute of the attention check.
        rng: random generator of tonics, IDs and anchors.
    """
    clips: list[Clip] = []
    files: dict[str, bytes] = {}

    def add(sound: Sound, role: ClipRole, arm: str = "", source: str = "", **about: Any) -> str:  # noqa: ANN401
        clip_id = rng.bytes(8).hex()
        sha256 = hashlib.sha256(sound.content).hexdigest()
        clips.append(Clip(clip_id, role, arm, round(sound.seconds, 4), sound.loudness, sha256, source, about))
        files[clip_id] = sound.content
        return clip_id

    items: dict[str, list[str]] = {arm: [] for arm in design.arms}
    rows: dict[str, list[NDArray[np.float64]]] = {arm: [] for arm in design.arms}
    human: list[Melody] = []
    with progress("Rendering clips", total=len(sets) * len(design.arms), unit="clips") as bar:
        for number, one_set in enumerate(sets):
            tonic = int(rng.integers(12))
            for arm in design.arms:
                excerpt = one_set[arm]
                melody = excerpt.melody if design.isochronous else transpose_to_tonic(excerpt, tonic)
                sound = render_clip(melody)
                about = {
                    "set": number,
                    "key": (melody.key or excerpt.key).name,
                    "quarters": round(excerpt.quarters, 3),
                    "notes": len(melody.sounding),
                }
                items[arm].append(add(sound, "item", arm, excerpt.source, **about))
                rows[arm].append(features(read_sound(sound.content)[0], RATE))
                human += [melody] if arm == design.arms[0] else []
                bar.advance()
    n_anchors = _ANCHORS if design.anchors else 0
    anchors = [add(render_clip(shuffled(melody, rng)), "anchor") for melody in human[:n_anchors]]
    attention = ""
    if design.checks:
        one_note = Melody.from_pitches([(67, 24)] * 24, tempo=Tempo.constant(tempo), title="attention check")
        attention = add(render_clip(one_note), "attention", answer="computer", confidence=4)
        for quietest in rng.permutation(np.arange(_HEADPHONE_TRIALS) % 3).tolist():
            add(headphone_trial(quietest), "headphones", quietest=quietest)
    for arm, excerpt in practice:
        melody = excerpt.melody if design.isochronous else transpose_to_tonic(excerpt, int(rng.integers(12)))
        add(render_clip(melody), "practice", arm, excerpt.source)
    return Clips(
        tuple(clips),
        files,
        tuple(tuple(items[arm]) for arm in design.arms),
        tuple(anchors),
        attention,
        {arm: np.array(measured) for arm, measured in rows.items()},
    )


def random_sets(arms: Mapping[str, Sequence[Excerpt]], sets: int, rng: np.random.Generator) -> list[dict[str, Excerpt]]:
    """Draw the sets of the paper's design at random; the clips of a set are cut to the length of its shortest."""
    rows = {arm: rng.permutation(len(excerpts))[:sets].tolist() for arm, excerpts in arms.items()}
    drawn = []
    for number in range(sets):
        one_set = {arm: arms[arm][rows[arm][number]] for arm in arms}
        length = min(excerpt.melody.length for excerpt in one_set.values())
        drawn.append(
            {
                arm: replace(excerpt, melody=replace(excerpt.melody.until(length), tempo=Tempo.constant(120)))
                for arm, excerpt in one_set.items()
            }
        )
    return drawn


@dataclass(frozen=True)
class Sound:
    """A FLAC file, its duration in seconds, and its loudness in LUFS, measured in the file."""

    content: bytes
    seconds: float
    loudness: float


def render_clip(melody: Melody) -> Sound:
    """Render a melody with the piano at the target loudness.

    Examples:
        >>> sound = render_clip(Melody.from_pitches([(60, 24), (64, 24), (67, 48)]))
        >>> abs(sound.loudness - TARGET) <= TOLERANCE
        True
    """
    samples = render(melody, rate=RATE)
    gain = 10 ** ((TARGET - loudness(samples, RATE)) / 20)
    content = sound_bytes((samples * gain).astype(np.float32), RATE, "FLAC")
    decoded = read_sound(content)[0]
    measured = loudness(decoded, RATE)
    if not abs(measured - TARGET) <= TOLERANCE:
        raise InputError(
            f"{melody.title or melody.source} has a loudness of {measured:.1f} LUFS instead of {TARGET:g}",
            "remove this melody: it is too sparse to be as loud as the others",
        )
    return Sound(content, len(decoded) / RATE, round(measured, 3))


def shuffled(melody: Melody, rng: np.random.Generator) -> Melody:
    """Make a negative anchor: the notes of a melody in random order, with shuffled onsets and durations."""
    notes = melody.sounding
    pitch_order, time_order = rng.permutation(len(notes)), rng.permutation(len(notes))
    intervals = [after.onset - note.onset for note, after in pairwise(notes)]
    intervals.append(melody.length - notes[-1].onset)
    made, tick = [], 0
    for time, pitch in zip(time_order, pitch_order, strict=True):
        made.append(replace(notes[pitch], onset=tick, duration=min(notes[time].duration, intervals[time])))
        tick += intervals[time]
    return replace(melody, notes=tuple(made), length=tick)


def headphone_trial(quietest: int) -> Sound:
    """Make a trial of the headphone check: three tones, one of them quieter, one with inverted phase on the right.

    Through loudspeakers the inverted tone cancels and seems to be the quietest; through headphones it does not. K. J.
    P. Woods, M. H. Siegel, J. Traer and J. H. McDermott, Headphone screening to facilitate web-based auditory
    experiments, Attention, Perception, and Psychophysics 79, 2017.

    Args:
        quietest: the tone that is 6 dB quieter, 0 to 2; the next one is inverted.
    """
    time = np.arange(round(_TONE_SECONDS * RATE)) / RATE
    ramp = np.minimum(np.minimum(time, _TONE_SECONDS - time) / 0.1, 1.0)
    tone = 0.2 * ramp * np.sin(2 * np.pi * _TONE_FREQUENCY * time)
    pause = np.zeros((round(_PAUSE_SECONDS * RATE), 2))
    parts = []
    for number in range(3):
        phase = -1.0 if number == (quietest + 1) % 3 else 1.0
        level = 0.5 if number == quietest else 1.0
        parts += [np.stack([tone, phase * tone], axis=1) * level, pause]
    samples = np.concatenate(parts[:-1]).astype(np.float32)
    return Sound(sound_bytes(samples, RATE, "FLAC"), len(samples) / RATE, round(loudness(samples, RATE), 3))
