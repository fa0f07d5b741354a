"""Whoever means ill: sittings by a script, answers forged and out of order, files that are shared, locked or broken."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.errors import InputError
from cantilena.listening.server.auth import AT_ONCE, EVERY, Arrivals
from cantilena.listening.server.database import Book
from cantilena.listening.server.state import ListeningRoom
from cantilena.server import TooManyRequestsError


def test_a_script_opens_no_thousand_sittings_and_keeps_nobody_else_out() -> None:
    now = 0.0
    arrivals = Arrivals(clock=lambda: now)

    def come(address: str) -> bool:
        try:
            arrivals.let_in(address)
        except TooManyRequestsError:
            return False
        return True

    assert sum(come("192.0.2.1") for _ in range(1000)) == AT_ONCE >= 100, "a class comes at once"
    assert come("192.0.2.2")
    now = 5 * EVERY
    assert sum(come("192.0.2.1") for _ in range(1000)) == 5
    for number in range(20_000):
        come(f"2001:db8::{number:x}")
    assert len(arrivals._empty_at) <= 10_000


def test_a_thousand_sittings_are_refused_with_when_to_try_again(client: TestClient, room: ListeningRoom) -> None:
    room.arrivals = Arrivals(at_once=3)
    answers = [client.post("/api/sittings", json={"consent": True}) for _ in range(8)]
    assert [one.status_code for one in answers] == [201] * 3 + [429] * 5
    assert answers[-1].headers["retry-after"]
    assert room.book.sittings() == 3


def test_tickets_and_answers_of_one_listener_are_nothing_to_another(sit: Any, room: ListeningRoom) -> None:
    one, other = sit().until("trial"), sit().until("trial")
    ticket = one.sound()
    assert other.put("answers/0", one.said(ticket)).status_code == 422, "a ticket of somebody else's"
    milliseconds, _, signature = ticket.partition(".")
    for forged in (
        f"0.{signature}",
        f"{int(milliseconds) - 60_000}.{signature}",
        f"{milliseconds}.{'0' * 64}",
        "",
        ".",
    ):
        assert one.put("answers/0", one.said(forged)).status_code == 422
    assert room.book.answers() == []
    assert one.answer(0).status_code == 200
    assert one.put("answers/1", one.said(ticket)).status_code == 422, "a ticket of another trial"
    assert [(given.position, given.listener) for given in room.book.answers()] == [
        (0, room.book.listeners()[0].listener)
    ]


def test_out_of_order_twice_at_once_and_after_the_end_nothing_is_added(sit: Any, room: ListeningRoom) -> None:
    caller = sit().until("trial")
    ticket = caller.sound()
    for position in (1, 5, 7, 8, 10_000):
        assert caller.put(f"answers/{position}", caller.said(ticket)).status_code == 409
    assert caller.put("answers/10001", caller.said(ticket)).status_code == 422
    assert caller.put("answers/-1", caller.said(ticket)).status_code == 422
    caller.answer(0)
    ticket = caller.sound()
    threading.Event().wait(0.25)
    with ThreadPoolExecutor(8) as pool:
        bodies = [caller.said(ticket, confidence=1 + n % 4, answer="human" if n % 2 else "computer") for n in range(16)]
        statuses = list(pool.map(lambda body: caller.put("answers/1", body).status_code, bodies))
    assert set(statuses) == {200}
    assert [given.position for given in room.book.answers()] == [0, 1]
    caller.until("end")
    before = room.book.answers()
    for path, body in (
        ("answers/8", caller.said(ticket)),
        ("pause/3", None),
        ("practice/5", None),
        ("headphones/1/0", {"quietest": 1}),
    ):
        assert caller.put(path, body).status_code == 409, path
    assert caller.put("answers/6", caller.said(ticket, answer="computer")).status_code == 200, "the first stands"
    assert caller.put("training", {"years": 90}).status_code == 200, "the first stands"
    assert room.book.answers() == before
    assert room.book.listeners()[0].years_of_training == 2.5


def test_no_path_leads_out_and_no_request_is_huge(client: TestClient) -> None:
    for path in (
        "/page/../room.py",
        "/page/%2e%2e/sittings/room.py",
        "/page//etc/passwd",
        "/page/..%5croom.py",
        "/%00",
        "/page/%00",
    ):
        assert client.get(path).status_code == 404, path
    for body in (b'{"consent": true' + b" " * 20_000 + b"}", b"[" * 16_000, b'{"consent": false}', b"\xff"):
        headers = {"Content-Type": "application/json"}
        assert client.post("/api/sittings", content=body, headers=headers).status_code in (413, 422)


def test_what_the_server_says_of_itself_tells_no_clip_and_no_key(
    sit: Any,
    client: TestClient,
    room: ListeningRoom,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        caller = sit().until("trial")
        sound = caller.get("/api/sitting/sound")
    assert {*sound.headers} & {"etag", "last-modified", "content-disposition", "accept-ranges"} == set()
    assert sound.headers["cache-control"] == "no-store"
    assert sound.headers["referrer-policy"] == "no-referrer"
    told = str(caller.state) + client.get("/openapi.json").text + client.get("/api/study").text
    printed = caplog.text + "".join(capsys.readouterr())
    key = caller.headers["Authorization"].removeprefix("Bearer ")
    assert not any(clip.id in told + printed or clip.sha256 in told for clip in room.study.clips)
    assert not any(secret in printed for secret in (key, room.admin_key))
    assert not any(f'"{arm}"' in told for arm in room.study.arms if arm != "human")
    for header in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"Basic {room.admin_key}"},
        {"X-Key": room.admin_key},
    ):
        assert client.get("/api/admin/progress", headers=header).status_code == 403
    assert client.get(f"/api/admin/progress?key={room.admin_key}").status_code == 403


def test_a_book_that_is_locked_is_waited_for_in_a_sentence(sit: Any, room: ListeningRoom) -> None:
    caller = sit()
    room.book._database.execute("PRAGMA busy_timeout = 100")
    with sqlite3.connect(room.book.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = caller.put("training", {"years": 1})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "nothing that you said before is lost" in answer.json()["hint"]
        other.execute("ROLLBACK")
    assert caller.put("training", {"years": 1}).status_code == 200


def test_a_book_that_is_broken_is_refused_and_answered_in_sentences(
    sit: Any, room: ListeningRoom, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"SQLite format 3\0" + bytes(4000))
    with pytest.raises(InputError, match=r"cannot be used for answers|holds something else"):
        Book(broken, "0" * 64)
    empty = Book(tmp_path / "empty.sqlite", "0" * 64)
    empty.close()
    with sqlite3.connect(tmp_path / "empty.sqlite") as database:
        database.execute("DROP TRIGGER study_never_delete")
        database.execute("DELETE FROM study")
    with pytest.raises(InputError, match="holds answers to another study"):
        Book(tmp_path / "empty.sqlite", "0" * 64)
    caller = sit()
    room.book._database.execute("DROP TABLE steps")
    assert caller.put("training", {"years": 1}).status_code == 503


def test_two_servers_may_open_one_new_book_at_once(tmp_path: Path) -> None:
    for turn in range(10):
        path = tmp_path / f"{turn}.sqlite"
        with ThreadPoolExecutor(4) as pool:
            books = list(pool.map(lambda _: Book(path, "0" * 64), range(4)))  # noqa: B023
        assert len({book.ticket_key for book in books}) == 1
        keys = [book.begin(100) for book in books]
        assert all(books[-1].sitting(key).listener for key in keys)
        for book in books:
            book.close()


def test_a_class_that_opens_the_link_at_once_gets_the_whole_page(serve: Any) -> None:
    served = serve()
    port = int(served.url.rpartition(":")[2])
    paths = ["/", "/page/main.js", "/page/listen.css", "/page/trial.js", "/page/player.js", "/api/study"]

    async def everybody() -> list[bytes]:
        """Six connections a browser, which stay open as those of browsers do."""
        everything_came = asyncio.Event()
        first_lines: list[bytes] = []

        async def ask(path: str) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            first_lines.append(await reader.readline())
            if len(first_lines) == 600:
                everything_came.set()
            await everything_came.wait()
            writer.close()

        await asyncio.wait_for(asyncio.gather(*(ask(path) for _ in range(100) for path in paths)), 60)
        return first_lines

    assert {*asyncio.run(everybody())} == {b"HTTP/1.1 200 OK\r\n"}
