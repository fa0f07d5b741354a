"""The studio behind the checks of the server: hosts, origins, sizes, paths, malformed requests, lost clients.

tests/server tests the checks themselves.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from cantilena.studio import LIMITS
from cantilena.studio.services.judge import VerdictCache

from .conftest import Json, Running

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/api/rules", b"", {"Host": "evil.example"}, 403),
        ("POST", "/api/primer", b'{"text": "C4"}', {**JSON, "Origin": "http://evil.example"}, 403),
        ("POST", "/api/read?name=a.mid", b"x" * (LIMITS.body + 1), {}, 413),
        ("GET", "/api/nothing", b"", {}, 404),
        ("PUT", "/api/compose", b"", {}, 405),
        ("GET", "/docs", b"", {}, 404),
        ("GET", "/page/../app.py", b"", {}, 404),
        ("GET", "/page/%2e%2e/app.py", b"", {}, 404),
        ("POST", "/api/judge", b'{"melodies": [{"notes": []}]}', JSON, 500),
    ],
)
def test_rejected_requests_get_json_errors_with_security_headers(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(VerdictCache, "verdict", crash)
    answer = client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "hint"}
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_body_in_chunks_is_limited(client: TestClient) -> None:
    chunks = iter([b"x" * 65536] * (LIMITS.body // 65536 + 2))
    assert client.post("/api/read", params={"name": "a.mid"}, content=chunks).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"text": "\\ud800"}',
        b'{"text": NaN}',
        b'{"text": ' + b"9" * 10_000 + b"}",
        b"null",
        b'"C4"',
        b'{"text": "C4", "text": ["D4"]}',
        '{"text": "C4\u0000\u202e"}'.encode(),
    ],
)
@pytest.mark.parametrize("path", ["/api/primer", "/api/compose", "/api/history", "/api/jobs", "/api/score"])
def test_malformed_bodies_are_rejected(client: TestClient, path: str, body: bytes) -> None:
    answer = client.post(path, content=body, headers=JSON)
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert set(answer.json()) == {"error", "hint"}


def test_half_a_surrogate_pair_in_an_invalid_request_can_be_reported(client: TestClient) -> None:
    body = b'{"melody": {"notes": []}, "verdict": {"\\ud9b4": {"\\uda02": 1}}, "width": "\\udcd8"}'
    answer = client.post("/api/score", content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["hint"]


@pytest.mark.e2e
def test_an_error_does_not_close_the_connection(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").write_text("a file where the folder should be")
    studio = start()
    with studio.client() as client:
        for _ in range(3):
            assert client.post("/api/jobs", json={"model": "tunes"}).status_code == 503
            assert client.head("/").status_code == 200


@pytest.mark.e2e
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_requests_of_lost_clients_do_not_delay_others(live: Running, accept: str) -> None:
    parts, body = urlsplit(live.url), b'{"bars": 32, "count": 16, "model": "tunes"}'
    head = f"POST /api/compose HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: {accept}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def seconds(client: httpx.Client, content: Json | bytes) -> float:
        started = time.monotonic()
        sent = {"content": content, "headers": JSON} if isinstance(content, bytes) else {"json": content}
        assert client.post("/api/compose", **sent).status_code == 200  # type: ignore[arg-type]
        return time.monotonic() - started

    with live.client() as client:
        seconds(client, {"bars": 1})
        alone = seconds(client, body)
        for _ in range(20):
            with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
                connection.sendall(request)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                time.sleep(0.02)
        # 20 requests, two at a time, would take ten times as long as one.
        assert seconds(client, {"bars": 1}) < 0.2 + 3 * alone
