"""A studio as a test client, and one in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from cantilena.music import Melody
from cantilena.studio import StudioOptions, make_app
from cantilena.studio.schemas.melody import MelodySchema

EVENT_STREAM = {"Accept": "text/event-stream"}
Json = dict[str, Any]


def make_client(home: Path) -> TestClient:
    """A client of a studio with a data folder of its own."""
    return TestClient(
        make_app(StudioOptions(home=home)), base_url="http://127.0.0.1:8000", raise_server_exceptions=False
    )


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with make_client(tmp_path_factory.mktemp("studio")) as client:
        yield client


@pytest.fixture
def tune() -> Json:
    """Two bars and a half in C major, with a rest and a note that is not in the key."""
    pairs = (60, 24), (62, 24), (64, 24), (65, 24), (67, 48), (None, 24), (66, 24), (60, 96)
    return melody_json(*pairs, title="A tune")


def melody_json(*pairs: tuple[int | None, int], **fields: Any) -> Json:
    """A melody as it is sent, from pairs of pitch and duration."""
    notes, tick = [], 0
    for pitch, duration in pairs:
        if pitch is not None:
            notes.append({"onset": tick, "duration": duration, "pitches": [pitch]})
        tick += duration
    return {"notes": notes, "length": tick, "key": "C major", **fields}


def to_melody(sent: Json) -> Melody:
    """The melody of a response."""
    return MelodySchema.model_validate(sent).to_melody()


def notes_json(melody: Melody) -> list[Json]:
    """The notes of a melody as they are sent."""
    notes: list[Json] = MelodySchema.from_melody(melody).model_dump()["notes"]
    return notes


def candidates(client: TestClient, path: str, **body: Any) -> list[Json]:
    """The candidates that a request returns."""
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["candidates"]
    return found


def events(client: TestClient, path: str, **body: Any) -> list[tuple[str, Any]]:
    """The events that a request streams: names and data."""
    answer = client.post(f"/api/{path}", json=body, headers=EVENT_STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n") for block in answer.text.split("\n\n") if block.strip()]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


@dataclass
class Running:
    """A studio in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    home: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60.0, trust_env=False, verify=False)  # reads no certificates

    def end(self, with_signal: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, with_signal)
        status = self.process.wait(timeout=30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


def start_studio(home: Path, *words: str) -> Running:
    command = [sys.executable, "-m", "cantilena", "studio", "--no-open", "--port", "0", "--home", str(home), *words]
    # A process group of its own, so that Ctrl-C ends the tests only.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0)
    assert process.stderr is not None
    output = ""
    for line in process.stderr:
        output += line
        if found := re.search(r"http://\S+", line):
            return Running(process, found[0].rstrip("/"), home)
    raise AssertionError(f"the studio did not start: {output}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts studios in processes of their own."""
    started: list[Running] = []

    def start(*words: str, home: Path | None = None) -> Running:
        started.append(start_studio(home or tmp_path / "home", *words))
        return started[-1]

    yield start
    for studio in started:
        studio.end(signal.SIGKILL)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A studio in a process of its own."""
    studio = start_studio(tmp_path_factory.mktemp("live"))
    yield studio
    studio.end(signal.SIGKILL)
