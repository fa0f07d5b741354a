"""A small study whose clips make no sound, answers to it, and one that sounds and is served."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from cantilena.io import sound_bytes
from cantilena.listening import Answers, Clip, Habits, Study, Truth, digest_of, read_study, rehearse, write_study
from cantilena.listening.server.app import make_app
from cantilena.listening.server.state import ListeningRoom
from cantilena.listening.study.design import sessions
from cantilena.listening.study.study import Role, Screening
from cantilena.server import ServerOptions

HERE = "http://127.0.0.1:8000"
ARMS = ("human", "lstm", "tuned")
SHARES = (0.75, 0.25, 0.5)


def silent_study(arms: tuple[str, ...] = ARMS, clips: int = 30, listeners: int = 40, heard: int = 6) -> Study:
    names = {(arm, n): hashlib.sha256(f"{arm}{n}".encode()).hexdigest()[:16] for arm in arms for n in range(clips)}
    others = {role: hashlib.sha256(role.encode()).hexdigest()[:16] for role in ("anchor", "attention")}
    made = [Clip(names[arm, n], "item", arm, 15.0, -23.0, "", f"{arm}/{n}.mid") for arm in arms for n in range(clips)]
    made += [Clip(others[role], role, "", 15.0, -23.0, "") for role in ("anchor", "attention")]
    order = sessions(
        [[names[arm, n] for n in range(clips)] for arm in arms], heard, listeners, np.random.default_rng(1),
        anchors=[others["anchor"]], attention=others["attention"],
    )  # fmt: skip
    study = Study("A rehearsal", arms, tuple(made), order)
    return Study(**{**vars(study), "digest": digest_of(study)})


@pytest.fixture(scope="session")
def study() -> Study:
    return silent_study()


@pytest.fixture(scope="session")
def answers(study: Study) -> Answers:
    return rehearse(study, Truth(SHARES), 40, seed=1, habits=Habits(careless=0.1))


def sounding_study(path: Path, *, listeners: int = 6, heard: int = 2, seconds: float = 0.3) -> Study:
    """A study file whose clips are short tones: two arms, and all that surrounds them."""
    rng, files, clips = np.random.default_rng(1), {}, []

    def add(role: Role, arm: str = "", **about: Any) -> str:
        name = rng.bytes(8).hex()
        time = np.arange(round((seconds + rng.uniform(0, 0.1)) * 8000)) / 8000
        noise = rng.normal(0, 0.02 if arm == "human" else 0.0005, len(time))  # what cannot be compressed
        files[name] = sound_bytes((0.1 * np.sin(2 * np.pi * 440 * time) + noise).astype(np.float32), 8000, "FLAC")
        sha256 = hashlib.sha256(files[name]).hexdigest()
        clips.append(Clip(name, role, arm, round(len(time) / 8000, 4), -20.0, sha256, "", about))
        return name

    items = [[add("item", arm) for _ in range(8)] for arm in ("human", "lstm")]
    anchors, check = [add("anchor"), add("anchor")], add("attention", answer="computer", confidence=4)
    for quietest in (0, 1, 2):
        add("headphones", quietest=quietest)
    add("practice", "human")
    order = sessions(items, heard, listeners, rng, anchors=anchors, attention=check)
    rules = Screening(attention=False, most_anchors=2)
    study = Study("Human or computer?", ("human", "lstm"), tuple(clips), order, rules)
    write_study(study, files, path)
    return read_study(path)


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """Writes a study file that sounds."""
    return sounding_study


@dataclass
class Served:
    """A listening test in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    admin: str
    study: Path
    answers: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60.0, trust_env=False)

    def end(self, with_signal: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, with_signal)
        return self.process.wait(timeout=30)


def start_server(study: Path, *words: str, port: str = "0") -> Served:
    command = [sys.executable, "-m", "cantilena", "listen", "serve", str(study), "--port", port, *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0)
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("Answers go to "):
            url, admin = re.findall(r"http://127\S+", said)
            return Served(process, url.rstrip("/"), admin, study, Path(line.removeprefix("Answers go to ").strip()))
    raise AssertionError(f"it did not open: {said}")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serves a study as a person would; by itself it makes one that sounds."""
    started: list[Served] = []

    def begin(study: Path | None = None, *words: str, port: str = "0", **design: Any) -> Served:
        if study is None:
            study = tmp_path / "study.zip"
            sounding_study(study, **design)
        started.append(start_server(study, *words, port=port))
        return started[-1]

    yield begin
    for one in started:
        one.end(signal.SIGKILL)
        assert one.process.stderr is not None
        one.process.stderr.close()


class Caller:
    """A listener who asks without a page."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        begun = client.post("/api/sittings", json={"consent": True})
        assert begun.status_code == 201
        self.headers = {"Authorization": f"Bearer {begun.json()['key']}"}

    @staticmethod
    def said(ticket: str, **more: Any) -> dict[str, Any]:
        return {"answer": "human", "confidence": 3, "seconds_heard": 9.0, "ticket": ticket, **more}

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def put(self, path: str, body: Any = None) -> Any:
        return self.client.put(f"/api/sitting/{path}", json=body, headers=self.headers)

    @property
    def state(self) -> Any:
        return self.get("/api/sitting").json()

    def sound(self) -> str:
        answer = self.get("/api/sitting/sound")
        assert answer.status_code == 200
        return str(answer.headers["x-ticket"])

    def until(self, stage: str, *, passing: bool = True) -> Caller:
        while (now := self.state)["stage"] != stage:
            number = now["number"]
            right = number if passing else (number + 1) % 3
            sent = {
                "training": ("training", {"years": 2.5}),
                "headphones": (f"headphones/{now['turn']}/{number}", {"quietest": right}),
                "volume": ("volume", None),
                "practice": (f"practice/{number}", None),
                "ready": ("ready", None),
                "pause": (f"pause/{number}", None),
            }
            if now["stage"] == "trial":
                assert self.answer(number).status_code == 200
            else:
                assert self.put(*sent[now["stage"]]).status_code == 200
        return self

    def answer(self, position: int, **more: Any) -> Any:
        ticket = self.sound()
        time.sleep(0.21)  # half of a clip of up to 0.4 s
        return self.put(f"answers/{position}", self.said(ticket, **more))


@pytest.fixture
def room(tmp_path: Path, make_study: Any) -> ListeningRoom:
    study = make_study(tmp_path / "study.zip", listeners=2)
    return ListeningRoom(tmp_path / "study.zip", study, tmp_path / "answers.sqlite")


@pytest.fixture
def client(room: ListeningRoom) -> Iterator[TestClient]:
    with TestClient(make_app(room, ServerOptions()), base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def sit(client: TestClient) -> Callable[[], Caller]:
    """Somebody who agrees and sits down."""
    return lambda: Caller(client)
