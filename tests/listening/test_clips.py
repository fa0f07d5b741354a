"""Clips have one loudness, and anchors and checks have the properties that they need."""

from __future__ import annotations

import numpy as np

from cantilena.io import read_sound
from cantilena.listening.study.clips import (
    RATE,
    TARGET,
    TOLERANCE,
    headphone_trial,
    render_clip,
    shuffled,
)
from cantilena.music import Melody


def test_every_clip_has_the_target_loudness_and_is_reproducible() -> None:
    for melody in (Melody.from_pitches([(pitch, 12)] * 4) for pitch in (84, 67, 48)):
        sound = render_clip(melody)
        assert abs(sound.loudness - TARGET) <= TOLERANCE
        assert sound.content == render_clip(melody).content


def test_an_anchor_has_the_notes_and_the_length_of_its_melody_in_another_order() -> None:
    melody = Melody.from_pitches([(60 + index, 6 * (1 + index % 4)) for index in range(20)])
    anchor = shuffled(melody, np.random.default_rng(1))
    assert anchor.length == melody.length
    assert sorted(note.pitches for note in anchor.notes) == sorted(note.pitches for note in melody.notes)
    assert [note.pitches for note in anchor.notes] != [note.pitches for note in melody.notes]


def test_loudspeakers_cancel_the_inverted_tone_and_headphones_do_not() -> None:
    samples = read_sound(headphone_trial(1).content)[0]
    tones = [slice(round(1.5 * RATE * tone), round((1.5 * tone + 1) * RATE)) for tone in range(3)]
    left = [np.abs(samples[tone, 0]).max() for tone in tones]
    mixed = [np.abs(samples[tone].sum(axis=1)).max() for tone in tones]
    assert np.argmin(left) == 1
    assert np.argmin(mixed) == 2
