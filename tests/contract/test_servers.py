"""What both servers offer, as they describe it themselves, is what it was; and they open what was there before."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

Serve = Callable[..., str]
PROSE = {"title", "description", "summary", "operationId", "tags", "examples", "example"}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of the command line, and tells what it said until all addresses were there."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: object, addresses: int = 1) -> str:
        line = [sys.executable, "-m", "cantilena", *map(str, words), "--port", "0"]
        # A group of its own, so that the tests' Ctrl-C is not meant for it.
        process = subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0)
        started.append(process)
        assert process.stderr is not None
        said = ""
        for row in process.stderr:
            said += row
            if len(re.findall(r"http://127\S+", said)) == addresses:
                return said
        raise AssertionError(f"it did not open: {said}")

    yield begin
    for process in started:
        process.send_signal(signal.SIGINT)
        answer, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert json.loads(answer)["closed"] is True


def client(said: str) -> httpx.Client:
    found = re.search(r"http://127[^\s/]+", said)
    assert found is not None
    return httpx.Client(base_url=found[0], timeout=60.0, trust_env=False, verify=False)  # reads no certificates


def shape_of(described: dict[str, Any]) -> dict[str, Any]:
    """The addresses of an interface with what they take and answer, without words, and without names of classes."""

    def plain(value: Any, within: tuple[str, ...] = (), *, names: bool = False) -> Any:
        if isinstance(value, list):
            return [plain(entry, within) for entry in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            name = value["$ref"].rpartition("/")[2]
            if name in within:
                return {"again": len(within) - within.index(name)}
            return plain(described["components"]["schemas"][name], (*within, name))
        return {
            key: sorted(entry) if key == "required" and isinstance(entry, list) else plain(entry, within, names=inside)
            for key, entry in value.items()
            if names or key not in PROSE
            for inside in [not names and key in ("properties", "paths", "responses", "content", "headers")]
        }

    paths: dict[str, Any] = plain({"paths": described["paths"]})["paths"]
    for methods in paths.values():
        for operation in methods.values():
            operation.get("parameters", []).sort(key=lambda one: (one["in"], one["name"]))
    return paths


def test_the_studio_offers_what_it_did(serve: Serve, stored: Any, tmp_path: Path) -> None:
    with client(serve("studio", "--no-open", "--home", tmp_path, "--json")) as studio:
        now = shape_of(studio.get("/openapi.json").json())
    assert len(now) > 15
    assert now == stored("studio_interface.json", now)


@pytest.mark.e2e
def test_the_listening_test_offers_what_it_did(serve: Serve, stored: Any, before: Path) -> None:
    with client(serve("listen", "serve", "study.zip", "--json", addresses=2)) as listening:
        now = shape_of(listening.get("/openapi.json").json())
    assert len(now) > 10
    assert now == stored("listening_interface.json", now)


@pytest.mark.e2e
def test_a_history_is_there_again(serve: Serve, before: Path) -> None:
    with client(serve("studio", "--no-open", "--home", "studio", "--json")) as studio:
        answer = studio.get("/api/history").json()
        assert answer["total"] == 2
        assert [(entry["title"], entry["kept"]) for entry in answer["entries"]] == [
            ("A second idea", False),
            ("A first idea", True),
        ]
        melody = answer["entries"][0]["candidate"]["melody"]
        assert len(melody["notes"]) > 4
        added = {"candidate": answer["entries"][0]["candidate"], "title": "A third"}
        assert studio.post("/api/history", json=added).status_code == 201
        assert studio.get("/api/history").json()["total"] == 3


@pytest.mark.e2e
def test_a_study_is_gone_on_with(serve: Serve, before: Path) -> None:
    said = serve("listen", "serve", "study.zip", "--answers", "study.answers.sqlite", "--json", addresses=2)
    key = re.findall(r"http://127\S+#(\S+)", said)[0]
    with client(said) as listening:
        shown = {"Authorization": f"Bearer {key}"}
        progress = listening.get("/api/admin/progress", headers=shown).json()
        assert (progress["began"], progress["finished"]) == (4, 4)
        assert len(listening.get("/api/admin/answers.csv", headers=shown).text.splitlines()) == 1 + progress["answers"]
        begun = listening.post("/api/sittings", json={"consent": True})
        assert begun.status_code == 201
        assert begun.json()["state"]["stage"] == "training"
