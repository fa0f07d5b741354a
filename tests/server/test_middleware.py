"""Requests name one of our hosts, come from our page or none, are read whole, and are cancelled on disconnect."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.server import CancelOnDisconnect

from .conftest import make_app


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:9", "[::1]:8000"])
def test_local_names_are_accepted(client: TestClient, host: str) -> None:
    assert client.get("/api/hello", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "", "127.0.0.1:80:80", "::1"])
def test_other_names_are_rejected_against_dns_rebinding(client: TestClient, host: str) -> None:
    answer = client.get("/api/hello", headers={"Host": host})
    assert answer.status_code == 403
    assert "name" in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:8000.evil.example"},
        {"Origin": "file://127.0.0.1:8000"},
        {"Origin": "http://a@127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        [("Origin", "http://127.0.0.1:8000"), ("Origin", "http://evil.example")],
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_requests_of_other_sites_are_rejected(client: TestClient, headers: Any, method: str) -> None:
    answer = client.request(method, "/api/text", json={"text": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]


def test_our_own_page_and_programs_are_accepted(client: TestClient) -> None:
    for headers in ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, {}):
        assert client.post("/api/text", json={"text": "x"}, headers=headers).status_code == 200


def test_host_names_can_be_allowed(page_folder: Path) -> None:
    app = make_app(page_folder, host="0.0.0.0", allow_host=("Music.local", "2001:DB8::1"))
    client = TestClient(app)
    for host, status in (("music.local:8000", 200), ("[2001:db8::1]:8000", 200), ("0.0.0.0:8000", 403)):
        assert client.get("/api/hello", headers={"Host": host}).status_code == status


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
