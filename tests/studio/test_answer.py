"""Call and response over HTTP gives what the library gives."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from cantilena.generation import PlayedNote, answer, call_melody, load
from cantilena.music import Key, Meter

from .conftest import Json, notes_json

PLAYED = [
    {"pitch": 62, "on": -0.02, "off": 0.48},
    {"pitch": 66, "on": 0.5, "off": 1.0},
    {"pitch": 69, "on": 1, "off": 2},
]


def body(**more: object) -> Json:
    return {"played": PLAYED, "bars": 2, "tempo": 120, "meter": "3/4", "key": "D major", "model": "tunes", **more}


def test_an_answer_is_that_of_the_library(client: TestClient) -> None:
    sent = client.post("/api/answer", json=body(seed=4, reply="varied", range="D4-A5")).json()
    call = call_melody([PlayedNote(**note) for note in PLAYED], bars=2, meter=Meter(3, 4), key=Key.parse("D major"))
    ours = answer(load("tunes"), call, reply="varied", range="D4-A5", seed=4)
    assert sent["call"]["notes"] == notes_json(call)
    assert sent["melody"]["notes"] == notes_json(ours.melody)
    assert sent["melody"]["length"] == 2 * sent["call"]["length"] == 288
    moved = [{**note, "onset": note["onset"] + 144} for note in sent["notes"]]
    assert moved == [note for note in sent["melody"]["notes"] if note["onset"] >= 144]
    assert (sent["model"], sent["seed"]) == ("tunes", 4)
    assert 0 < sent["seconds"] < 30


def test_a_call_is_written_without_an_answer(client: TestClient) -> None:
    asked = {name: value for name, value in body().items() if name != "model"}
    (first, *_) = client.post("/api/call", json=asked).json()["melody"]["notes"]
    assert first == {"onset": 0, "duration": 24, "pitches": [62]}


@pytest.mark.parametrize(
    ("more", "status", "text"),
    [
        ({"played": []}, 422, "has no note"),
        ({"bars": 17}, 422, "bars"),
        ({"model": "nobody"}, 404, "there is no such model"),
        ({"played": [{"pitch": 60, "on": 1, "off": 0.5}]}, 422, "end must not come before"),
        ({"reply": "none"}, 422, "reply"),
    ],
)
def test_errors_say_what_is_wrong(client: TestClient, more: Json, status: int, text: str) -> None:
    response = client.post("/api/answer", json=body(**more))
    assert response.status_code == status
    assert text in response.text
