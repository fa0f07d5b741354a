"""The book of answers: only ever added to, on the disk before anybody is told, and nobody's but the study's."""

from __future__ import annotations

import re
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.errors import InputError
from cantilena.listening import Given, Listener, read_answers
from cantilena.listening.server.database import Book
from cantilena.server import NotFoundError, TooManyRequestsError, UnavailableError


def given(listener: str, position: int = 0, answer: str = "human") -> Given:
    return Given(listener, position, "item", "0" * 16, answer, 2, False, 3.5)


def one(name: str) -> Listener:
    return Listener("digest", name, 0, simulated=False, consent=True, years_of_training=None, headphones=True)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "answers.sqlite", "digest")


def test_what_is_written_is_on_the_disk_and_read_by_others(book: Book) -> None:
    assert book.seat(one("a"), 3, trials=[4] * 3, every=False, hour=1)
    book.write_answer(given("a"))
    found = read_answers(book.path)  # while it is open
    assert found.given == (given("a"),)
    assert book._database.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("table", ["study", "sittings", "steps", "listeners", "answers"])
def test_no_row_is_ever_changed(book: Book, table: str) -> None:
    book.begin(9)
    book.write_step("a", "training-0", "3")
    book.seat(one("a"), 3, trials=[4] * 3, every=False, hour=1)
    book.write_answer(given("a"))
    with sqlite3.connect(book.path) as stranger:
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                stranger.execute(change)
    stranger.close()


def test_nothing_of_a_person_is_kept_and_no_key(book: Book) -> None:
    key = book.begin(9)
    listener = book.sitting(key).listener
    book.close()
    content = b"".join(path.read_bytes() for path in book.path.parent.iterdir())
    assert key.encode() not in content
    assert re.fullmatch("listener-[0-9a-f]{12}", listener)
    with sqlite3.connect(book.path) as database:
        columns = {row[1] for (t,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                   for row in database.execute(f"PRAGMA table_info({t})")}  # fmt: skip
    database.close()
    assert not {"name", "address", "ip", "time", "agent", "made"} & columns


def test_sittings_are_bounded_and_unknown_keys_open_none(book: Book) -> None:
    book.begin(1)
    with pytest.raises(TooManyRequestsError):
        book.begin(1)
    with pytest.raises(NotFoundError):
        book.sitting("\ud800")


def test_a_book_of_another_study_or_of_something_else_is_refused(book: Book, tmp_path: Path) -> None:
    book.close()
    with pytest.raises(InputError, match="another study"):
        Book(book.path, "other")
    (tmp_path / "text").write_text("not a database, but long enough to be looked at " * 10)
    with pytest.raises(InputError, match="cannot be used"):
        Book(tmp_path / "text", "digest")
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE answers (x)")
    other.close()
    with pytest.raises(InputError, match="something else"):
        Book(tmp_path / "other.sqlite", "digest")


def test_a_book_that_was_taken_away_takes_no_answer(book: Book) -> None:
    book.path.unlink()
    with pytest.raises(UnavailableError, match="taken away"):
        book.write_answer(given("a"))
    book.close()


def test_an_answer_that_cannot_be_is_not_passed_over(book: Book) -> None:
    with pytest.raises(UnavailableError):
        book.write_answer(given("a", answer="both"))
    book.write_answer(given("a"))
    assert len(book.answers()) == 1


def test_many_who_sit_down_at_once_get_a_session_each(book: Book) -> None:
    with ThreadPoolExecutor(16) as threads:
        seats = threads.map(lambda n: book.seat(one(f"l{n}"), 30, trials=[4] * 30, every=False, hour=1), range(32))
        assert sum(seats) == 30
    assert sorted(row.session for row in book.listeners()) == list(range(30))


class Person:
    """A listener who asks a server in another process."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {client.post('/api/sittings', json={'consent': True}).json()['key']}"}

    def put(self, path: str, body: Any = None) -> Any:
        answer = self.client.put(f"/api/sitting/{path}", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sit(self) -> Person:
        self.put("training", {"years": 1})
        for number in range(3):
            self.put(f"headphones/0/{number}", {"quietest": number})
        self.put("volume")
        self.put("practice/0")
        self.put("ready")
        return self

    def answer(self, position: int) -> None:
        sound = self.client.get("/api/sitting/sound", headers=self.headers)
        assert sound.status_code == 200, sound.text
        time.sleep(0.21)
        body = {
            "answer": "human",
            "confidence": 1 + position % 4,
            "seconds_heard": 9,
            "ticket": sound.headers["x-ticket"],
        }
        self.put(f"answers/{position}", body)


def test_kill_nine_loses_no_answer_that_was_acknowledged(serve: Any) -> None:
    served = serve(heard=6)
    acknowledged: list[tuple[int, int]] = []

    def take(who: int) -> None:
        try:
            with served.client() as client:
                person = Person(client).sit()
                for position in range(14):
                    person.answer(position)
                    acknowledged.append((who, position))
        except Exception:  # the server was killed
            return

    threads = [threading.Thread(target=take, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while len(acknowledged) < 12 and time.monotonic() < end:
        time.sleep(0.01)
    served.end(signal.SIGKILL)
    for thread in threads:
        thread.join(30)
    assert 12 <= len(acknowledged) < 56
    assert len(read_answers(served.answers).given) >= len(acknowledged)


@pytest.mark.slow
def test_a_hundred_listeners_at_once_each_give_all_their_answers(serve: Any) -> None:
    served = serve(heard=2, listeners=100)

    def take(_: int) -> None:
        with served.client() as client:
            person = Person(client).sit()
            for position in range(7):
                person.answer(position)

    with ThreadPoolExecutor(100) as threads:
        list(threads.map(take, range(100)))
    found = read_answers(served.answers)
    assert sorted(row.session for row in found.listeners) == list(range(100))
    assert len(found.given) == 700
    assert all(row.headphones for row in found.listeners)


def test_it_ends_in_a_line_and_refuses_in_one(serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve()
    assert served.end() == 0
    assert main(["listen", "serve", str(tmp_path / "no.zip")]) == 1
    assert "there is no study" in capsys.readouterr().err
    assert main(["listen", "serve", str(served.study), "--port", "99999"]) == 2
    assert main(["listen", "serve", str(served.study), "--port", "0", "--answers", str(served.study)]) == 1
    assert "cannot be used for answers" in capsys.readouterr().err
