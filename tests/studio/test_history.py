"""The history: what was answered is kept, whatever happens to the process or the file."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.server import HTTPError, UnavailableError
from cantilena.studio.options import LIMITS
from cantilena.studio.services import history as history_file
from cantilena.studio.services.history import History

CANDIDATE = {"melody": {"notes": [{"onset": 0, "duration": 24, "pitches": [60]}], "title": "One"}, "seed": 1}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite3", lambda _: None)


def add(history: History, title: str = "", *, kept: bool = False) -> int:
    return history.add(CANDIDATE, {"seed": 1}, kept=kept, title=title).id


def test_what_is_added_is_found_the_newest_first(history: History) -> None:
    numbers = [add(history, f"{number}", kept=number % 2 == 0) for number in range(7)]
    found, total = history.entries(limit=3)
    assert [entry.id for entry in found] == numbers[:3:-1]
    assert total == 7
    assert [entry.title for entry in history.entries(limit=9, before=numbers[3])[0]] == ["2", "1", "0"]
    assert [entry.title for entry in history.entries(limit=9, kept=True)[0]] == ["6", "4", "2", "0"]
    assert history.entries(limit=9, kept=False)[1] == 3
    assert found[0].candidate == CANDIDATE
    assert found[0].settings == {"seed": 1}
    assert found[0].made.endswith("+00:00")


def test_entries_are_changed_and_deleted_over_the_wire(client: TestClient) -> None:
    entry = client.post("/api/history", json={"candidate": CANDIDATE, "settings": {"a": [1, None]}}).json()["entry"]
    assert (entry["title"], entry["kept"]) == ("One", False)
    path = f"/api/history/{entry['id']}"
    assert client.patch(path, json={"kept": True}).json()["entry"]["kept"]
    changed = client.patch(path, json={"title": "<b>'; DROP TABLE entries; --"}).json()["entry"]
    assert changed == {**entry, "kept": True, "title": "<b>'; DROP TABLE entries; --"}
    assert client.get("/api/history", params={"limit": 1}).json()["entries"] == [changed]
    assert client.delete(path).status_code == 200
    for answer in (
        client.delete(path),
        client.patch(path, json={"kept": True}),
        client.patch("/api/history/0", json={}),
    ):
        assert answer.status_code == 404
    for candidate in ({}, {"melody": 1}, {"melody": {"notes": [{"onset": 0}]}}):
        assert client.post("/api/history", json={"candidate": candidate}).status_code == 422
    for query in ({"limit": 0}, {"limit": 201}, {"before": -1}, {"kept": "maybe"}):
        assert client.get("/api/history", params=query).status_code == 422


def test_of_too_many_the_oldest_that_is_not_kept_goes(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_file, "LIMITS", replace(LIMITS, history=4))
    kept = add(history, kept=True)
    numbers = [add(history) for _ in range(5)]
    assert [entry.id for entry in history.entries(limit=9)[0]] == [*numbers[:1:-1], kept]
    for number in numbers[2:]:
        history.change(number, kept=True)
    with pytest.raises(HTTPError, match="kept already"):
        add(history)
    assert history.entries(limit=9)[1] == 4


def test_it_survives_a_restart_and_a_kill(start: Any) -> None:
    studio = start()
    with studio.client() as client:
        number = client.post("/api/history", json={"candidate": CANDIDATE, "kept": True}).json()["entry"]["id"]
        answered: list[int] = []

        def write() -> None:
            try:
                while True:
                    answered.append(client.post("/api/history", json={"candidate": CANDIDATE}).json()["entry"]["id"])
            except Exception:  # the studio is gone
                return

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(answered) < 20:
            pass
        studio.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
    studio = start(home=studio.home)
    with studio.client() as client:
        answer = client.get("/api/history", params={"limit": 200}).json()
        assert {number, *answered} <= {entry["id"] for entry in answer["entries"]}
        assert client.get("/api/about").json()["trouble"] is None


def test_many_write_at_once(history: History) -> None:
    other = History(history.path)  # as a second studio in the same folder
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda number: add((history, other)[number % 2], str(number)), range(80)))
    found, total = history.entries(limit=200)
    assert total == len(set(numbers)) == 80
    assert {entry.title for entry in found} == {str(number) for number in range(80)}
    other.close()


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 10_000])
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(tmp_path: Path, content: bytes) -> None:
    path, told = tmp_path / "history.sqlite3", []
    path.write_bytes(content)
    history = History(path, told.append)
    assert history.entries(limit=5) == ([], 0)
    add(history)
    assert history.entries(limit=5)[1] == 1
    (aside,) = tmp_path.glob("history-damaged-*.sqlite3")
    assert aside.read_bytes() == content
    assert aside.name in told[0]
    history.close()


def test_a_file_that_is_damaged_while_it_is_open_does_not_end_the_studio(history: History) -> None:
    for _ in range(300):
        add(history, "x" * 100)
    history._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    content = bytearray(history.path.read_bytes())
    history.close()
    content[4096:] = b"\xa5" * (len(content) - 4096)
    history.path.write_bytes(content)
    with suppress(UnavailableError):  # it may be noticed when it is opened, or not before it is read
        history.entries(limit=5)
    assert history.entries(limit=5) == ([], 0)
    assert add(history) == 1


def test_a_newer_history_is_left_alone(history: History) -> None:
    add(history)
    history.close()
    with sqlite3.connect(history.path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(UnavailableError, match="newer"):
        history.entries(limit=5)
    assert not list(history.path.parent.glob("*damaged*"))


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    script = f"""
import resource, signal, sys
from pathlib import Path
from cantilena.studio.services.history import History
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
history = History(Path({str(tmp_path / "h.sqlite3")!r}), print)
history.entries(limit=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
from cantilena.server import LateError
try:
    for number in range(500):
        history.add({{"melody": {{}}, "noise": [hash((number, k)) for k in range(200)]}}, {{}}, kept=False, title="")
except LateError as error:
    print(error.text)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(history.entries(limit=1)[1] > 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    said, goes_on = done.stdout.splitlines()[-2:]
    assert "disk" in said or "cannot be used" in said
    assert goes_on == "True"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    history = History(tmp_path / "nowhere" / "history.sqlite3")
    with pytest.raises(UnavailableError, match="cannot be used"):
        history.entries(limit=5)
