"""The history keeps what was saved, whatever happens to the process or the file."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.server import HTTPError, UnavailableError
from cantilena.studio.options import LIMITS
from cantilena.studio.services import history as history_module
from cantilena.studio.services.history import MAX_DEPTH, History

from .conftest import Running

CANDIDATE = {"melody": {"notes": [{"onset": 0, "duration": 24, "pitches": [60]}], "title": "One"}, "seed": 1}


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def history(tmp_path: Path, warnings: list[str]) -> History:
    return History(tmp_path / "history.sqlite3", warnings.append)


def add(history: History, title: str = "", *, kept: bool = False) -> int:
    return history.add(CANDIDATE, {"seed": 1}, kept=kept, title=title).id


def test_entries_are_listed_the_newest_first(history: History) -> None:
    ids = [add(history, f"{number}", kept=number % 2 == 0) for number in range(7)]
    found, total = history.entries(limit=3)
    assert [entry.id for entry in found] == ids[:3:-1]
    assert total == 7
    assert [entry.title for entry in history.entries(limit=9, before=ids[3])[0]] == ["2", "1", "0"]
    assert [entry.title for entry in history.entries(limit=9, kept=True)[0]] == ["6", "4", "2", "0"]
    assert history.entries(limit=9, kept=False)[1] == 3
    assert found[0].candidate == CANDIDATE
    assert found[0].settings == {"seed": 1}
    assert found[0].made.endswith("+00:00")


def test_entries_are_changed_and_deleted_over_http(client: TestClient) -> None:
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


def test_above_the_limit_the_oldest_not_kept_is_deleted(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "LIMITS", replace(LIMITS, history=4))
    kept = add(history, kept=True)
    numbers = [add(history) for _ in range(5)]
    assert [entry.id for entry in history.entries(limit=9)[0]] == [*numbers[:1:-1], kept]
    for number in numbers[2:]:
        history.change(number, kept=True)
    with pytest.raises(HTTPError, match="kept already"):
        add(history)
    assert history.entries(limit=9)[1] == 4


@pytest.mark.e2e
def test_entries_survive_a_kill(start: Callable[..., Running]) -> None:
    studio = start()
    with studio.client() as client:
        saved = [client.post("/api/history", json={"candidate": CANDIDATE, "kept": True}).json()["entry"]["id"]]

        def write() -> None:
            with suppress(Exception):  # until the studio is killed
                while True:
                    saved.append(client.post("/api/history", json={"candidate": CANDIDATE}).json()["entry"]["id"])

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(saved) < 20:
            pass
        studio.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
    studio = start(home=studio.home)
    with studio.client() as client:
        answer = client.get("/api/history", params={"limit": 200}).json()
        assert {*saved} <= {entry["id"] for entry in answer["entries"]}
        assert client.get("/api/about").json()["trouble"] is None


def test_entries_survive_a_restart(history: History) -> None:
    number = add(history, "again")
    history.close()
    assert [entry.id for entry in History(history.path).entries(limit=5)[0]] == [number]


def test_two_studios_can_write_at_once(history: History) -> None:
    other = History(history.path)  # as a second studio in the same folder
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda number: add((history, other)[number % 2], str(number)), range(80)))
    found, total = history.entries(limit=200)
    assert total == len(set(numbers)) == 80
    assert {entry.title for entry in found} == {str(number) for number in range(80)}
    other.close()


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 10_000])
def test_a_damaged_file_is_renamed_and_a_new_one_created(history: History, warnings: list[str], content: bytes) -> None:
    history.path.write_bytes(content)
    assert history.entries(limit=5) == ([], 0)
    add(history)
    assert history.entries(limit=5)[1] == 1
    (aside,) = history.path.parent.glob("history-damaged-*.sqlite3")
    assert aside.read_bytes() == content
    assert aside.name in warnings[0]


def test_a_file_that_is_damaged_while_it_is_open_is_renamed_too(history: History) -> None:
    for _ in range(300):
        add(history, "x" * 100)
    history._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    content = bytearray(history.path.read_bytes())
    history.close()
    content[4096:] = b"\xa5" * (len(content) - 4096)
    history.path.write_bytes(content)
    with suppress(UnavailableError):  # found when the file is opened, or only when it is read
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


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    script = f"""
import resource, signal, sys
from pathlib import Path
from cantilena.studio.services.history import History
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
history = History(Path({str(tmp_path / "h.sqlite3")!r}), print)
history.entries(limit=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
from cantilena.server import UnavailableError
try:
    for number in range(500):
        history.add({{"melody": {{}}, "noise": [hash((number, k)) for k in range(200)]}}, {{}}, kept=False, title="")
except UnavailableError as error:
    print(error.text)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(history.entries(limit=1)[1] > 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    error, is_readable = done.stdout.splitlines()[-2:]
    assert "disk" in error or "cannot be used" in error
    assert is_readable == "True"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    history = History(tmp_path / "nowhere" / "history.sqlite3")
    with pytest.raises(UnavailableError, match="cannot be used"):
        history.entries(limit=5)


# --- single entries ---


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(("levels", "status"), [(MAX_DEPTH - 1, 201), (MAX_DEPTH, 422), (900, 422)])
def test_entries_that_are_nested_too_deeply_are_rejected(client: TestClient, levels: int, status: int) -> None:
    for body in ({"candidate": {**CANDIDATE, "x": nested(levels)}}, {"settings": {"x": nested(levels)}}):
        answer = client.post("/api/history", json={"candidate": CANDIDATE, **body})
        assert answer.status_code == status, answer.text[:200]
    assert client.get("/api/history").status_code == 200


def execute(history: History, statement: str, *values: object) -> None:
    """Change the file with another connection."""
    database = sqlite3.connect(history.path)
    with database:
        database.execute(statement, values)
    database.close()


@pytest.mark.parametrize(
    "damage", ["candidate = x'00ff'", "candidate = 'text'", "settings = x''", "title = x'ff'", "made = x'ff'"]
)
def test_a_damaged_entry_is_left_out_and_reported_once(history: History, warnings: list[str], damage: str) -> None:
    ids = [add(history) for _ in range(3)]
    execute(history, f"UPDATE entries SET {damage} WHERE id = ?", ids[1])
    for _ in range(2):
        assert [entry.id for entry in history.entries(limit=9)[0]] == [ids[2], ids[0]]
    assert warnings == [f"Entry {ids[1]} of the history is damaged and left out"]
    with pytest.raises(HTTPError, match="damaged"):
        history.change(ids[1], kept=True)
    history.delete(ids[1])
    assert history.entries(limit=9)[1] == 2


def test_a_database_of_another_program_is_renamed(history: History, warnings: list[str]) -> None:
    execute(history, "CREATE TABLE entries (a)")
    assert history.entries(limit=9) == ([], 0)
    assert "history-damaged-" in warnings[0]
    assert add(history) == 1


def test_nothing_is_saved_to_a_file_that_was_deleted(history: History) -> None:
    add(history)
    for path in history.path.parent.glob("history*"):
        path.unlink()
    assert add(history, "again") == 1
    assert history.path.exists()
    for path in history.path.parent.iterdir():
        path.unlink()
    history.path.parent.rmdir()
    with pytest.raises(UnavailableError):
        add(history)
