"""Between melodies over the wire: ends as they were sent, and what cannot be is said in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.generation import load
from cantilena.studio.schemas.melody import MelodySchema


@pytest.fixture
def melodies(client: TestClient) -> list[dict[str, Any]]:
    asked = {"model": "tunes", "bars": 4, "seed": 3, "key": "G major", "count": 2}
    return [one["melody"] for one in client.post("/api/compose", json=asked).json()["candidates"]]


def test_the_models_say_which_of_them_have_codes(client: TestClient) -> None:
    models = client.get("/api/models").json()["models"]
    assert [model["name"] for model in models if model["has_codes"]] == ["tunes-vae"]


def test_a_way_begins_and_ends_with_what_was_sent(client: TestClient, melodies: list[dict[str, Any]]) -> None:
    asked = {"first": melodies[0], "last": melodies[1], "steps": 4}
    candidates = client.post("/api/interpolate", json=asked).json()["candidates"]
    assert [one["number"] for one in candidates] == [1, 2, 3, 4]
    for place, melody in ((0, melodies[0]), (-1, melodies[1])):
        assert candidates[place]["melody"]["notes"] == melody["notes"]
        assert set(candidates[place]["probabilities"]) == {None}
    for one in candidates[1:-1]:
        assert one["melody"]["key"] == "G major"
        assert all(0 <= chance <= 1 for chance in one["probabilities"])
        assert one["verdict"]["rules"]
    ours = load("tunes-vae").interpolate(*(MelodySchema.model_validate(one).to_melody() for one in melodies), steps=4)
    assert candidates[1]["melody"]["notes"] == MelodySchema.from_melody(ours[1]).model_dump()["notes"]


def test_a_melody_is_varied_by_nothing_and_by_much(client: TestClient, melodies: list[dict[str, Any]]) -> None:
    for amount in (0.0, 0.6):
        asked = {"melody": melodies[0], "amount": amount, "count": 3, "seed": 2}
        candidates = client.post("/api/vary", json=asked).json()["candidates"]
        same = [one["melody"]["notes"] == melodies[0]["notes"] for one in candidates]
        assert same == [True] * 3 if amount == 0 else not any(same)
        assert candidates == client.post("/api/vary", json=asked).json()["candidates"]


def test_a_stream_tells_each_melody(client: TestClient, melodies: list[dict[str, Any]]) -> None:
    asked = {"first": melodies[0], "last": melodies[1], "steps": 3}
    text = client.post("/api/interpolate", json=asked, headers={"Accept": "text/event-stream"}).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert names == ["notes", "candidate"] * 3 + ["done"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "tunes"}, "no VAE"),
        ({"model": "../tunes-vae"}, "no such model"),
        ({"steps": 1}, ""),
        ({"steps": 17}, ""),
        ({"key": "H major"}, ""),
        ({"range": "C9-C10"}, ""),
        ({"meter": "3/4"}, ""),
    ],
)
def test_what_cannot_be_is_refused(
    client: TestClient, melodies: list[dict[str, Any]], change: dict[str, Any], words: str
) -> None:
    asked = {"first": melodies[0], "last": melodies[1], "steps": 3, **change}
    answer = client.post("/api/interpolate", json=asked)
    assert 400 <= answer.status_code < 500
    assert words in answer.json()["error"]


def test_melodies_of_two_meters_without_notes_or_too_long_are_refused(
    client: TestClient, melodies: list[dict[str, Any]], sent: Any
) -> None:
    waltz = {**melodies[1], "meter": "3/4"}
    said = client.post("/api/interpolate", json={"first": melodies[0], "last": waltz}).json()
    assert "from a melody in 4/4 to one in 3/4" in said["error"]
    assert client.post("/api/vary", json={"melody": sent()}).status_code == 422
    for amount in (-0.1, 1.1, "NaN"):
        assert client.post("/api/vary", json={"melody": melodies[0], "amount": amount}).status_code == 422
    late = {**melodies[0], "length": 96 * 200}
    assert "512" in client.post("/api/vary", json={"melody": late, "count": 16}).json()["error"]


def test_a_vae_composes_on_the_page_like_any_model(client: TestClient) -> None:
    answer = client.post(
        "/api/compose", json={"model": "tunes-vae", "bars": 4, "count": 2, "primer": "C4 E4 G4"}
    ).json()
    assert [len(one["probabilities"]) for one in answer["candidates"]] == [
        len(one["melody"]["notes"]) for one in answer["candidates"]
    ]
    melody = answer["candidates"][0]["melody"]
    assert client.post("/api/probabilities", json={"model": "tunes-vae", "melody": melody}).status_code == 200
    refused = client.post("/api/rewrite", json={"model": "tunes-vae", "melody": melody, "first": 1, "last": 2})
    assert "cannot fit bars" in refused.json()["error"]
