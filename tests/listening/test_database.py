"""The database of answers: rows are only added, answers are on disk when acknowledged, other files are refused."""

from __future__ import annotations

import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.errors import InputError
from cantilena.listening import Answer, Listener, read_answers
from cantilena.listening.server.database import AnswerStore
from cantilena.server import NotFoundError, TooManyRequestsError, UnavailableError

DIGEST = "0" * 64


def answer(listener: str, position: int = 0, choice: Any = "human") -> Answer:
    return Answer(listener, position, "item", "0" * 16, choice, 2, False, 3.5)


def listener(name: str) -> Listener:
    return Listener(DIGEST, name, 0, simulated=False, consent=True, years_of_training=None, headphones=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnswerStore]:
    store = AnswerStore(tmp_path / "answers.sqlite", DIGEST)
    yield store
    store.close()


def test_an_answer_is_on_disk_and_can_be_read_by_others(store: AnswerStore) -> None:
    assert store.assign_session(listener("a"), [4] * 3, all_count=False, hour=1)
    store.add_answer(answer("a"))
    assert read_answers(store.path).answers == (answer("a"),)  # while the file is open
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_no_row_is_changed(store: AnswerStore) -> None:
    store.add_participant(9)
    store.add_step("a", "training-0", "3")
    store.assign_session(listener("a"), [4] * 3, all_count=False, hour=1)
    store.add_answer(answer("a"))
    with sqlite3.connect(store.path) as other:
        for table in ("study", "sittings", "steps", "listeners", "answers"):
            for change in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
                with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                    other.execute(change)
    other.close()


def test_no_key_and_no_personal_data_are_stored(store: AnswerStore) -> None:
    key = store.add_participant(9)
    name = store.participant(key).listener
    store.close()
    content = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert key.encode() not in content
    assert re.fullmatch("listener-[0-9a-f]{12}", name)
    with sqlite3.connect(store.path) as database:
        columns = {row[1] for (t,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                   for row in database.execute(f"PRAGMA table_info({t})")}  # fmt: skip
    database.close()
    assert not {"name", "address", "ip", "time", "agent", "made"} & columns


def test_participants_are_limited_and_unknown_keys_are_refused(store: AnswerStore) -> None:
    store.add_participant(1)
    with pytest.raises(TooManyRequestsError):
        store.add_participant(1)
    with pytest.raises(NotFoundError):
        store.participant("\ud800")


def test_an_abandoned_session_is_assigned_again(store: AnswerStore) -> None:
    def assign(name: str, hour: int) -> bool:
        return store.assign_session(listener(name), [8, 8], all_count=False, hour=hour)

    assert assign("one", 100)
    assert assign("two", 100)
    assert not assign("three", 101), "both sessions are in use"
    assert assign("three", 102), "no other session is free, and this one was abandoned for two hours"
    assert assign("four", 124), "abandoned for a day"
    assert assign("one", 125), "a listener who returns keeps the session"
    assert [row.session for row in store.listeners()] == [0, 1, 0, 1]


def test_listeners_who_begin_at_once_get_different_sessions(store: AnswerStore) -> None:
    with ThreadPoolExecutor(16) as threads:
        assigned = threads.map(
            lambda n: store.assign_session(listener(f"l{n}"), [4] * 30, all_count=False, hour=1), range(32)
        )
        assert sum(assigned) == 30
    assert sorted(row.session for row in store.listeners()) == list(range(30))


def test_a_removed_file_accepts_no_answer(store: AnswerStore) -> None:
    store.path.unlink()
    with pytest.raises(UnavailableError, match="was removed"):
        store.add_answer(answer("a"))


def test_an_invalid_answer_is_an_error(store: AnswerStore) -> None:
    with pytest.raises(UnavailableError):
        store.add_answer(answer("a", choice="both"))
    store.add_answer(answer("a"))
    assert len(store.answers()) == 1


def test_servers_may_create_one_file_at_once(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"{number}.sqlite"
        with ThreadPoolExecutor(4) as pool:
            stores = list(pool.map(lambda _: AnswerStore(path, DIGEST), range(4)))  # noqa: B023
        assert len({store.signing_key for store in stores}) == 1
        keys = [store.add_participant(100) for store in stores]
        assert all(stores[-1].participant(key).listener for key in keys)
        for store in stores:
            store.close()


def test_other_files_and_those_of_other_studies_are_refused(store: AnswerStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers to another study"):
        AnswerStore(store.path, "1" * 64)
    for name, content in (("text", b"not a database, but long " * 20), ("broken", b"SQLite format 3\0" + bytes(4000))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"cannot be used|is not a file of answers"):
            AnswerStore(tmp_path / name, DIGEST)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE answers (x)")
    other.close()
    with pytest.raises(InputError, match="is not a file of answers"):
        AnswerStore(tmp_path / "other.sqlite", DIGEST)
    with sqlite3.connect(store.path) as emptied:
        emptied.execute("DROP TRIGGER study_never_delete")
        emptied.execute("DELETE FROM study")
    emptied.close()
    with pytest.raises(InputError, match="answers to another study"):
        AnswerStore(store.path, DIGEST)


@pytest.mark.e2e
def test_kill_nine_loses_no_acknowledged_answer(serve: Any, http_listener: Any) -> None:
    server = serve(clips_per_listener=6)
    acknowledged: list[tuple[int, int]] = []

    def take(number: int) -> None:
        try:
            with server.client() as client:
                taking = http_listener(client, lambda: time.sleep(0.21)).until("trial")
                for position in range(14):
                    assert taking.answer(position).status_code == 200
                    acknowledged.append((number, position))
        except Exception:  # the server was killed
            return

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(acknowledged) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    server.end(signal.SIGKILL)
    for thread in threads:
        thread.join(30)
    assert 12 <= len(acknowledged) < 56
    assert len(read_answers(server.answers).answers) >= len(acknowledged)


@pytest.mark.e2e
def test_a_hundred_listeners_at_once_store_all_their_answers(serve: Any, http_listener: Any) -> None:
    server = serve(clips_per_listener=2, listeners=100)

    def take(_: int) -> None:
        with server.client() as client:
            taking = http_listener(client, lambda: time.sleep(0.21)).until("trial")
            for position in range(7):
                assert taking.answer(position).status_code == 200

    with ThreadPoolExecutor(100) as threads:
        list(threads.map(take, range(100)))
    tables = read_answers(server.answers)
    assert sorted(row.session for row in tables.listeners) == list(range(100))
    assert len(tables.answers) == 700
    assert all(row.headphones for row in tables.listeners)


@pytest.mark.e2e
def test_an_interrupt_ends_the_server_with_success(serve: Any) -> None:
    assert serve().end() == 0


def test_the_command_refuses_unusable_files_and_ports(
    tone_study_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = str(tone_study_file)
    assert main(["listen", "serve", str(tmp_path / "no.zip")]) == 1
    assert "there is no study" in capsys.readouterr().err
    assert main(["listen", "serve", study, "--port", "99999"]) == 2
    assert main(["listen", "serve", study, "--port", "0", "--answers", study]) == 1
    assert "cannot be used for answers" in capsys.readouterr().err
