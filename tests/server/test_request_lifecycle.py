"""Requests are read whole up to a limit; work for clients that disconnect is cancelled."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.server import CancelOnDisconnect

DISCONNECT = {"type": "http.disconnect"}


def chunk(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def respond(app: Any, messages: list[dict[str, Any]], headers: Any = ()) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await CancelOnDisconnect(app, 10)({"type": "http", "method": "POST", "headers": list(headers)}, receive, send)
    return sent


def test_the_application_receives_the_whole_body() -> None:
    async def app(_: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    sent = asyncio.run(respond(app, [chunk(b"12", more=True), chunk(b"34", more=True), chunk(b"")]))
    assert sent[-1]["body"] == b"1234"


@pytest.mark.parametrize(
    ("messages", "headers", "status"),
    [
        ([chunk(b"x" * 6, more=True), chunk(b"x" * 6)], [], 413),
        ([], [(b"content-length", b"11")], 413),
        ([], [(b"content-length", b"9" * 5000)], 413),
        ([chunk(b"x", more=True), DISCONNECT], [], None),
    ],
)
def test_a_body_that_is_too_large_or_incomplete_never_reaches_the_application(
    messages: Any, headers: Any, status: int | None
) -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("it was called")

    sent = asyncio.run(respond(app, [*messages], headers))
    assert [message["status"] for message in sent[:1]] == ([] if status is None else [status])


def test_work_is_cancelled_when_the_client_disconnects() -> None:
    cancelled = []

    async def app(*_: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(True)

    assert asyncio.run(respond(app, [chunk(b""), DISCONNECT])) == []
    assert cancelled == [True]


def test_the_application_can_ask_whether_the_client_has_disconnected() -> None:
    async def app(_: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        assert (await receive())["type"] == "http.disconnect"

    assert len(asyncio.run(respond(app, [chunk(b""), DISCONNECT]))) <= 2


def test_a_body_in_chunks_is_limited(client: TestClient) -> None:
    answer = client.post("/api/bytes", content=iter([b"x" * 400] * 3))
    assert answer.status_code == 413
    assert set(answer.json()) == {"error", "hint"}
    assert client.post("/api/bytes", content=iter([b"x" * 400] * 2)).json() == 800


def test_a_declared_size_or_header_that_is_too_large_is_rejected_before_it_is_read(port: int) -> None:
    head = f"POST /api/text HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(f"{head}Content-Length: {10**12}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(65536)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(f"{head}X-Long: {'x' * 200_000}\r\n\r\n".encode())
        assert raw.recv(65536).split()[1] in (b"400", b"431")
