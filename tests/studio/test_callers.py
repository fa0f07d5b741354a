"""Callers who go away, are slow, or send half of a request: nobody else waits for them."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from cantilena.server import CancelOnDisconnect, RequestTimeoutProtocol

LONG = b'{"bars": 32, "count": 16, "model": "tunes"}'


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def request(url: str, body: bytes, *, accept: str = "application/json") -> bytes:
    head = f"POST /api/compose HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAccept: {accept}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_nobody_waits_for_what_was_asked_by_those_who_went_away(live: Any, accept: str) -> None:
    with live.client() as client:
        client.post("/api/compose", json={"bars": 1})
        began = time.monotonic()
        client.post("/api/compose", content=LONG, headers={"Content-Type": "application/json"})
        one = time.monotonic() - began
        for _ in range(20):
            with connected(live.url) as caller:
                caller.sendall(request(live.url, LONG, accept=accept))
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                time.sleep(0.02)
        began = time.monotonic()
        assert client.post("/api/compose", json={"bars": 1}).status_code == 200
    assert time.monotonic() - began < 0.2 + 3 * one  # 20 requests by 2 at a time would take 10 times as long


async def answer(app: Any, messages: list[dict[str, Any]], headers: Any = ()) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await RequestBodyLimitMiddleware(CancelOnDisconnect(app, 10), 10)(
        {"type": "http", "method": "POST", "headers": list(headers)}, receive, send
    )
    return sent


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_request_is_handed_over_whole() -> None:
    async def app(_: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    sent = asyncio.run(answer(app, [piece(b"12", more=True), piece(b"34", more=True), piece(b"")]))
    assert sent[-1]["body"] == b"1234"


def test_what_is_too_large_never_reaches_what_answers() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("it was asked")

    for messages, headers in (
        ([piece(b"x" * 6, more=True), piece(b"x" * 6)], []),
        ([], [(b"content-length", b"11")]),
        ([], [(b"content-length", b"9" * 5000)]),
    ):
        assert asyncio.run(answer(app, messages, headers))[0]["status"] == 413
    assert asyncio.run(answer(app, [piece(b"x", more=True), {"type": "http.disconnect"}])) == []


def test_who_goes_away_is_not_worked_for() -> None:
    ended = []

    async def app(*_: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    assert asyncio.run(answer(app, [piece(b""), {"type": "http.disconnect"}])) == []
    assert ended == [True]


def test_half_a_request_is_not_waited_for_for_ever() -> None:
    import uvicorn

    class Hasty(RequestTimeoutProtocol):
        timeout = 0.3

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(0.6)  # an answer may take longer than a request
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def talk(port: int, *pieces: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for one in pieces:
            writer.write(one)
            await asyncio.sleep(0.2)
        heard = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return heard

    async def scene() -> list[bytes]:
        server = uvicorn.Server(uvicorn.Config(app, http=Hasty, lifespan="off", log_level="critical"))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            running = asyncio.create_task(server.serve([listening]))
            port = listening.getsockname()[1]
            head = b"POST / HTTP/1.1\r\nHost: x\r\n"
            heard = await asyncio.gather(
                talk(port),
                talk(port, head),
                talk(port, head + b"Content-Length: 9\r\n\r\nabc"),
                talk(port, head + b"Content-Length: 3\r\n\r\n", b"a", b"bc"),
                talk(port, head + b"Content-Length: 3\r\n\r\na", b"bc"),
            )
            server.should_exit = True
            await running
        return heard

    *half, slow, whole = asyncio.run(scene())
    assert half == [b"", b"", b""]
    assert slow == b""  # it came, but too late
    assert whole.endswith(b"ok")
