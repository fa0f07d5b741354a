"""The times that are told are those of the sound that is played."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from cantilena.io import performed, wav_bytes
from cantilena.io.sound.piano import TAIL_SECONDS
from cantilena.studio.schemas.melody import MelodySchema


@pytest.fixture
def phrases(sent: Any) -> dict[str, Any]:
    """Eight bars in two phrases, the notes far enough apart to be told apart in the sound."""
    phrase = [(60, 24), (None, 24), (67, 24), (None, 24)] * 3 + [(64, 24), (None, 72)]
    melody: dict[str, Any] = sent(*phrase, *phrase)
    return melody


def timing(client: TestClient, melody: dict[str, Any], **asked: Any) -> dict[str, Any]:
    answer = client.post("/api/timing", json={"melody": melody, **asked})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_plain_melody_sounds_as_it_is_written(client: TestClient, tune: Any) -> None:
    told = timing(client, tune)
    assert [(one["onset"], one["end"]) for one in told["notes"]] == [
        (note["onset"] / 48, (note["onset"] + note["duration"]) / 48) for note in tune["notes"]
    ]
    assert [one["note"] for one in told["notes"]] == list(range(len(tune["notes"])))
    assert told["clock"] == [{"tick": 0, "seconds": 0}, {"tick": tune["length"], "seconds": tune["length"] / 48}]


@pytest.mark.parametrize("first", [0, 24, 4 * 96])
def test_expressive_times_are_those_of_the_performance(client: TestClient, phrases: Any, first: int) -> None:
    told = timing(client, phrases, expressive=True, **{"from": first})
    ours = performed(MelodySchema.model_validate(phrases).to_melody())
    numbers = [number for number, note in enumerate(phrases["notes"]) if note["onset"] >= first]
    begins = ours.tempo.seconds(first)
    assert [one["note"] for one in told["notes"]] == numbers
    assert [one["onset"] for one in told["notes"]] == pytest.approx(
        [ours.onsets[n] - begins for n in numbers], abs=1e-5
    )
    assert [one["end"] for one in told["notes"]] == pytest.approx([ours.ends[n] - begins for n in numbers], abs=1e-5)
    assert [one["velocity"] for one in told["notes"]] == [ours.velocities[n] for n in numbers]
    assert told["seconds"] == pytest.approx(ours.seconds - begins, abs=1e-5)


@pytest.mark.parametrize("first", [0, 2 * 96])
def test_notes_are_heard_when_they_are_told_to_sound(client: TestClient, phrases: Any, first: int) -> None:
    asked = {"expressive": True, "from": first}
    told = timing(client, phrases, **asked)
    content = client.post("/api/sound", json={"melody": phrases, **asked}).content
    sound, rate = soundfile.read(io.BytesIO(content))
    assert len(sound) / rate == pytest.approx(told["seconds"] + TAIL_SECONDS, abs=0.01)
    width = rate // 100
    loudness = np.sqrt(np.convolve(sound**2, np.ones(width) / width, mode="full"))
    for note in told["notes"]:
        at = round(note["onset"] * rate)
        before = loudness[max(at - width, 0)] if at else 0.0
        assert loudness[at + 3 * width] > 2 * before + 1e-3


def test_by_the_clock_every_note_is_found(client: TestClient, phrases: Any) -> None:
    told = timing(client, phrases, expressive=True)
    ticks, seconds = ([point[name] for point in told["clock"]] for name in ("tick", "seconds"))
    assert all(a < b for a, b in pairwise(ticks))
    assert all(a < b for a, b in pairwise(seconds))
    onsets = [note["onset"] for note in phrases["notes"]]
    assert [one["onset"] for one in told["notes"]] == pytest.approx(np.interp(onsets, ticks, seconds), abs=1e-5)


def test_sound_is_the_same_as_in_files(client: TestClient, phrases: Any) -> None:
    melody = MelodySchema.model_validate(phrases).to_melody()
    for expressive in (False, True):
        content = client.post("/api/sound", json={"melody": phrases, "expressive": expressive}).content
        assert content == wav_bytes(melody, expressive=expressive)


def test_beyond_the_end_nothing_sounds(client: TestClient, tune: Any, sent: Any) -> None:
    for melody, first in ((tune, tune["length"]), (tune, 10**6), (sent(), 0)):
        for expressive in (False, True):
            told = timing(client, melody, expressive=expressive, **{"from": first})
            assert (told["seconds"], told["notes"]) == (0, [])
            assert client.post("/api/sound", json={"melody": melody, "from": first}).status_code == 200
