"""A studio to ask: one inside the test, and one that runs as a person would run it."""

from __future__ import annotations

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

from cantilena.studio import StudioOptions, make_app

HERE = "http://127.0.0.1:8000"


def make_client(home: Path, **options: Any) -> TestClient:
    app = make_app(StudioOptions(home=home, **options))
    return TestClient(app, base_url=HERE, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with make_client(tmp_path_factory.mktemp("studio")) as client:
        yield client


@dataclass
class Running:
    """A studio in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    home: Path

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60.0, trust_env=False, **options)

    def end(self, with_signal: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, with_signal)
        return self.process.wait(timeout=30)


Start = Callable[..., Running]


def start_studio(home: Path, *words: str) -> Running:
    command = [sys.executable, "-m", "cantilena", "studio", "--no-open", "--port", "0", "--home", str(home), *words]
    # A group of its own, so that the tests' Ctrl-C is not meant for it.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0)
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"http://\S+", line):
            return Running(process, found[0].rstrip("/"), home)
    raise AssertionError(f"the studio did not open: {said}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def begin(*words: str, home: Path | None = None) -> Running:
        started.append(start_studio(home or tmp_path / "home", *words))
        return started[-1]

    yield begin
    for studio in started:
        studio.end(signal.SIGKILL)
        assert studio.process.stderr is not None
        studio.process.stderr.close()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    studio = start_studio(tmp_path_factory.mktemp("live"))
    yield studio
    studio.end(signal.SIGKILL)
    assert studio.process.stderr is not None
    studio.process.stderr.close()


def melody(*pairs: tuple[int | None, int], **fields: Any) -> dict[str, Any]:
    notes, tick = [], 0
    for pitch, duration in pairs:
        if pitch is not None:
            notes.append({"onset": tick, "duration": duration, "pitches": [pitch]})
        tick += duration
    return {"notes": notes, "length": tick, "key": "C major", **fields}


@pytest.fixture(scope="session")
def sent() -> Callable[..., dict[str, Any]]:
    """A melody as it is sent, from pairs of pitch and duration."""
    return melody


@pytest.fixture
def tune() -> dict[str, Any]:
    """Two bars and a half in C major, with a rest and a foreign note."""
    pairs = (60, 24), (62, 24), (64, 24), (65, 24), (67, 48), (None, 24), (66, 24), (60, 96)
    return melody(*pairs, title="A tune")


@pytest.fixture(scope="session")
def open_client() -> Callable[..., TestClient]:
    """Makes a client of a studio of its own."""
    return make_client
