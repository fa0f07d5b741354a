"""What lies in the history can be answered again; what cannot is left out, and hides nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.server import HTTPError, UnavailableError
from cantilena.studio.services.history import MAX_DEPTH, History

MELODY = {"notes": [{"onset": 0, "duration": 24, "pitches": [60]}]}


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def history(tmp_path: Path, told: list[str]) -> History:
    return History(tmp_path / "history.sqlite3", told.append)


def test_what_is_nested_too_deeply_is_refused_and_the_list_goes_on(client: TestClient) -> None:
    for levels, status in ((MAX_DEPTH - 1, 201), (MAX_DEPTH, 422), (900, 422)):
        for asked in ({"candidate": {"melody": MELODY, "x": nested(levels)}}, {"settings": {"x": nested(levels)}}):
            answer = client.post("/api/history", json={"candidate": {"melody": MELODY}, **asked})
            assert answer.status_code == status, answer.text[:200]
    assert client.get("/api/history").status_code == 200


@pytest.mark.parametrize(
    "damage", ["candidate = x'00ff'", "candidate = 'text'", "settings = x''", "title = x'ff'", "made = x'ff'"]
)
def test_a_damaged_row_is_left_out_and_told_of_once(history: History, told: list[str], damage: str) -> None:
    numbers = [history.add({"melody": MELODY}, {}, kept=False, title="").id for _ in range(3)]
    database = sqlite3.connect(history.path)
    with database:
        database.execute(f"UPDATE entries SET {damage} WHERE id = ?", (numbers[1],))
    database.close()
    for _ in range(2):
        assert [entry.id for entry in history.entries(limit=9)[0]] == [numbers[2], numbers[0]]
    assert told == [f"Entry {numbers[1]} of the history is damaged and left out"]
    with pytest.raises(HTTPError, match="damaged"):
        history.change(numbers[1], kept=True)
    history.delete(numbers[1])
    assert history.entries(limit=9)[1] == 2


def test_a_database_of_another_program_is_put_aside(history: History, told: list[str]) -> None:
    database = sqlite3.connect(history.path)
    with database:
        database.execute("CREATE TABLE entries (a)")
    database.close()
    assert history.entries(limit=9) == ([], 0)
    assert "put aside" in told[0] or "lies in history-damaged" in told[0]
    assert history.add({"melody": MELODY}, {}, kept=False, title="").id == 1


def test_nothing_is_said_to_be_kept_in_a_file_that_was_taken_away(history: History) -> None:
    history.add({"melody": MELODY}, {}, kept=False, title="")
    for path in history.path.parent.glob("history*"):
        path.unlink()
    assert history.add({"melody": MELODY}, {}, kept=False, title="again").id == 1
    assert history.path.exists()
    for path in history.path.parent.iterdir():
        path.unlink()
    history.path.parent.rmdir()
    with pytest.raises(UnavailableError):
        history.add({"melody": MELODY}, {}, kept=False, title="")
