"""Shared studies: one without sound and simulated answers to it, one of short tones, in process or served."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from cantilena.io import sound_bytes
from cantilena.listening import (
    AnswerTables,
    Clip,
    ListenerModel,
    Study,
    read_study,
    rehearse,
    study_digest,
    write_study,
)
from cantilena.listening.server.app import make_app
from cantilena.listening.server.state import ServedStudy
from cantilena.listening.study.design import make_sessions
from cantilena.listening.study.study import ClipRole, Screening
from cantilena.server import ServerOptions

BASE_URL = "http://127.0.0.1:8000"
ARMS = ("human", "lstm", "tuned")
SHARES = (0.75, 0.25, 0.5)


@pytest.fixture(scope="session")
def study() -> Study:
    """A study of three arms without sound: 40 sessions of 6 of 30 clips per arm."""
    rng = np.random.default_rng(1)
    ids = {(arm, n): hashlib.sha256(f"{arm}{n}".encode()).hexdigest()[:16] for arm in ARMS for n in range(30)}
    clips = [Clip(clip_id, "item", arm, 15.0, -23.0, "", f"{arm}/{n}.mid") for (arm, n), clip_id in ids.items()]
    anchor, attention = "0" * 16, "1" * 16
    clips += [Clip(anchor, "anchor", "", 15.0, -23.0, ""), Clip(attention, "attention", "", 15.0, -23.0, "")]
    items = [[ids[arm, n] for n in range(30)] for arm in ARMS]
    sessions = make_sessions(items, 6, 40, rng, anchors=[anchor], attention=attention)
    study = Study("A rehearsal", ARMS, tuple(clips), sessions)
    return replace(study, digest=study_digest(study))


@pytest.fixture(scope="session")
def answers(study: Study) -> AnswerTables:
    return rehearse(study, ListenerModel(SHARES), 40, seed=1, careless=0.1)


def write_tone_study(path: Path, *, listeners: int = 6, clips_per_listener: int = 2, seconds: float = 0.3) -> Study:
    """Write a study of two arms whose clips are short tones, with all checks."""
    rng, files, clips = np.random.default_rng(1), {}, []

    def add(role: ClipRole, arm: str = "", **about: Any) -> str:
        name = rng.bytes(8).hex()
        time = np.arange(round((seconds + rng.uniform(0, 0.1)) * 8000)) / 8000
        noise = rng.normal(0, 0.02 if arm == "human" else 0.0005, len(time))  # cannot be compressed
        files[name] = sound_bytes((0.1 * np.sin(2 * np.pi * 440 * time) + noise).astype(np.float32), 8000, "FLAC")
        sha256 = hashlib.sha256(files[name]).hexdigest()
        clips.append(Clip(name, role, arm, round(len(time) / 8000, 4), -20.0, sha256, "", about))
        return name

    items = [[add("item", arm) for _ in range(8)] for arm in ("human", "lstm")]
    anchors, check = [add("anchor"), add("anchor")], add("attention", answer="computer", confidence=4)
    for quietest in (0, 1, 2):
        add("headphones", quietest=quietest)
    add("practice", "human")
    sessions = make_sessions(items, clips_per_listener, listeners, rng, anchors=anchors, attention=check)
    rules = Screening(attention=False, most_anchors=2)
    study = Study("Human or computer?", ("human", "lstm"), tuple(clips), sessions, rules)
    write_study(study, files, path)
    return read_study(path)


@pytest.fixture(scope="session")
def tone_study() -> Callable[..., Study]:
    """Writes a study of short tones."""
    return write_tone_study


@pytest.fixture(scope="session")
def tone_study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of short tones with two sessions."""
    path = tmp_path_factory.mktemp("tones") / "study.zip"
    write_tone_study(path, listeners=2)
    return path


class Clock:
    """The clock of a server in process."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("cantilena.listening.server.state.time", SimpleNamespace(time=clock.time))
    return clock


@pytest.fixture
def served(tmp_path: Path, tone_study_file: Path, clock: Clock) -> Iterator[ServedStudy]:
    served = ServedStudy(tone_study_file, read_study(tone_study_file), tmp_path / "answers.sqlite")
    yield served
    served.store.close()


@pytest.fixture
def client(served: ServedStudy) -> Iterator[TestClient]:
    with TestClient(make_app(served, ServerOptions()), base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client


class HttpListener:
    """A listener without a page; `wait` lets the time of a clip pass."""

    def __init__(self, client: Any, wait: Callable[[], None]) -> None:
        self.client, self.wait = client, wait
        created = client.post("/api/sittings", json={"consent": True})
        assert created.status_code == 201
        self.headers = {"Authorization": f"Bearer {created.json()['key']}"}

    @staticmethod
    def body(token: str, **more: Any) -> dict[str, Any]:
        return {"answer": "human", "confidence": 3, "seconds_heard": 9.0, "ticket": token, **more}

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def put(self, path: str, body: Any = None) -> Any:
        return self.client.put(f"/api/sitting/{path}", json=body, headers=self.headers)

    @property
    def state(self) -> Any:
        return self.get("/api/sitting").json()

    def token(self) -> str:
        response = self.get("/api/sitting/sound")
        assert response.status_code == 200
        return str(response.headers["x-ticket"])

    def answer(self, position: int, **more: Any) -> Any:
        token = self.token()
        self.wait()
        return self.put(f"answers/{position}", self.body(token, **more))

    def until(self, stage: str, *, passing: bool = True) -> HttpListener:
        while (state := self.state)["stage"] != stage:
            number = state["number"]
            steps = {
                "training": ("training", {"years": 2.5}),
                "headphones": (
                    f"headphones/{state['turn']}/{number}",
                    {"quietest": number if passing else (number + 1) % 3},
                ),
                "volume": ("volume", None),
                "practice": (f"practice/{number}", None),
                "ready": ("ready", None),
                "pause": (f"pause/{number}", None),
            }
            is_trial = state["stage"] == "trial"
            response = self.answer(number) if is_trial else self.put(*steps[state["stage"]])
            assert response.status_code == 200, response.text
        return self


@pytest.fixture
def listener(client: TestClient, clock: Clock) -> Callable[[], HttpListener]:
    """Adds a listener who consented."""

    def wait() -> None:
        clock.now += 10

    return lambda: HttpListener(client, wait)


@pytest.fixture(scope="session")
def http_listener() -> type[HttpListener]:
    return HttpListener


@dataclass
class Server:
    """A listening test in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    admin: str
    study: Path
    answers: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60.0, trust_env=False, verify=False)  # reads no certificates

    def end(self, with_signal: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, with_signal)
        return self.process.wait(timeout=30)


def start_server(study: Path, *words: str, port: str = "0") -> Server:
    command = [sys.executable, "-m", "cantilena", "listen", "serve", str(study), "--port", port, *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0)
    assert process.stderr is not None
    printed = ""
    for line in process.stderr:
        printed += line
        if line.startswith("Answers are written to "):
            url, admin = re.findall(r"http://127\S+", printed)
            answers = Path(line.removeprefix("Answers are written to ").strip())
            return Server(process, url.rstrip("/"), admin, study, answers)
    raise AssertionError(f"the server did not start: {printed}")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers; without a study, with one of short tones."""
    started: list[Server] = []

    def start(study: Path | None = None, *words: str, port: str = "0", **design: Any) -> Server:
        if study is None:
            study = tmp_path / "study.zip"
            write_tone_study(study, **design)
        started.append(start_server(study, *words, port=port))
        return started[-1]

    yield start
    for server in started:
        server.end(signal.SIGKILL)
        assert server.process.stderr is not None
        server.process.stderr.close()
