"""Learn the model that infers chords from Bach's chorales, without analyses.

    python scripts/learn_chords.py [FILE]

Writes `harmony.json` of `cantilena.music`, or FILE. The chords of the chorales of the built-in corpus are inferred with
a first model, in which chord tones are likely and chords of the key are common; the tables are then estimated from what
was inferred (one step of Viterbi training), with the first model as their prior: further steps make sevenths of passing
notes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from cantilena.data import chorale_voices, load_builtin
from cantilena.music import CHORD_TONES, QUALITIES, ChordModel, ChordPath, chord_path

TARGET = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "music" / "harmony.json"
COUNT = len(QUALITIES)
STATES = 12 * COUNT

CHORD_TONE_SHARE = 0.85
"""The share of time that chord tones sound, in the first model."""

COMMON = dict(zip(QUALITIES, (0.30, 0.25, 0.03, 0.01, 0.20, 0.04, 0.10, 0.03, 0.04), strict=True))
"""How common qualities are in the first model; each tone of a chord outside the key costs 1.5 nats more."""

PRIOR_TONES, PRIOR_BASS, PRIOR_DEGREES, PRIOR_MOTIONS = 30_000, 5_000, 300, 30
"""How many slices, or changes, the first model counts for."""

SCALES = ({0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 10, 11})
"""Major, and minor with its leading tone."""


def first_model() -> ChordModel:
    """The model before anything is learned."""
    tones, bass = np.zeros((COUNT, 12)), np.full((COUNT, 12), 0.1 / 12)
    degrees = np.zeros((2, 12, COUNT))
    for place, quality in enumerate(QUALITIES):
        chord = CHORD_TONES[quality]
        tones[place] = (1 - CHORD_TONE_SHARE) / (12 - len(chord))
        tones[place, list(chord)] = CHORD_TONE_SHARE / len(chord)
        bass[place, list(chord)] += 0.35 / (len(chord) - 1)
        bass[place, 0] = 0.55
        for mode, scale in enumerate(SCALES):
            for root in range(12):
                foreign = sum((root + tone) % 12 not in scale for tone in chord)
                degrees[mode, root, place] = np.log(COMMON[quality]) - 1.5 * foreign
    degrees -= np.log(np.exp(degrees).sum(axis=(1, 2), keepdims=True))
    return ChordModel(np.log(tones), np.log(bass), degrees.reshape(2, STATES), np.zeros((12, COUNT, COUNT)))


def chorale_paths(model: ChordModel) -> Iterator[ChordPath]:
    """The chords of every chorale of three or four voices that a model infers."""
    for voices in chorale_voices(load_builtin("chorales")):
        if not 3 <= len(voices) <= 4:
            continue
        notes = np.array([(note.top, note.onset, note.duration) for voice in voices for note in voice.sounding])
        first = voices[0]
        length = max(voice.length for voice in voices)
        pitch, onset, duration = notes.T
        path = chord_path(
            pitch, onset, duration, first.meter, pickup=first.pickup, length=length, key=first.key, model=model
        )
        if path is not None:
            yield path


def learned(first: ChordModel) -> ChordModel:
    """The model after one step of Viterbi training."""
    tones, bass = PRIOR_TONES * np.exp(first.tones), PRIOR_BASS * np.exp(first.bass)
    moves = np.zeros((2, STATES, STATES))
    for path in chorale_paths(first):
        root, quality = np.divmod(path.states, COUNT)
        for weights, low, tonic, kind in zip(path.weights, path.lowest, root, quality, strict=True):
            tones[kind] += np.roll(np.sqrt(weights), -tonic)
            if low < 128:
                bass[kind, (low - tonic) % 12] += 1
        for step, (before, after) in enumerate(pairwise(path.states.tolist()), start=1):
            if before != after:
                mode, tonic = divmod(int(path.keys[step]), 12)
                moves[mode, (before - tonic * COUNT) % STATES, (after - tonic * COUNT) % STATES] += 1
    degrees = moves.sum(axis=1) + PRIOR_DEGREES * np.exp(first.degrees)
    degrees /= degrees.sum(axis=1, keepdims=True)
    expected = moves.sum(axis=2)[:, :, None] * degrees[:, None, :]
    semitones = (np.arange(12)[None, :] - np.arange(12)[:, None]) % 12
    found, chance = (np.full((12, COUNT, COUNT), float(PRIOR_MOTIONS)) for _ in range(2))
    for into, table in ((found, moves), (chance, expected)):
        by_root = table.sum(axis=0).reshape(12, COUNT, 12, COUNT).transpose(0, 2, 1, 3)
        np.add.at(into, semitones, by_root)
    return ChordModel(_log_shares(tones), _log_shares(bass), np.log(degrees), np.log(found / chance))


def _log_shares(counts: np.ndarray) -> np.ndarray:
    logs: np.ndarray = np.log(counts / counts.sum(axis=1, keepdims=True))
    return logs


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    tables = learned(first_model()).to_json()
    target.write_text(json.dumps(tables, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")
