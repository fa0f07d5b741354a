"""The studio behind the checks of the server: hosts, origins, sizes, paths, malformed requests, lost clients.

tests/server tests the checks themselves.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from cantilena.studio import LIMITS, StudioOptions, make_app
from cantilena.studio.schemas.requests import ComposeRequest
from cantilena.studio.services.compose import ComposeService, Events, VerdictCache
from cantilena.studio.services.executor import Deadline

from .conftest import Running

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


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_requests_of_lost_clients_do_not_delay_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    serve: Callable[[Any], AbstractContextManager[int]],
    accept: str,
) -> None:
    started, compose = threading.Semaphore(0), ComposeService.compose

    def compose_without_end(service: ComposeService, body: ComposeRequest, deadline: Deadline) -> Events:
        started.release()
        while body.bars == 32:
            time.sleep(0.01)
            deadline.check()
        yield from compose(service, body, deadline)

    monkeypatch.setattr(ComposeService, "compose", compose_without_end)
    app = make_app(StudioOptions(home=tmp_path))
    executor = app.state.studio.executor
    monkeypatch.setattr(executor, "run", partial(executor.run, seconds=3600.0))  # only cancelling stops a thread
    with serve(app) as port, ExitStack() as lost:
        head = f"POST /api/compose HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\n"
        request = f'{head}Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{{"bars": 32}}'.encode()
        for _ in range(2 * LIMITS.at_once):  # half of them run, half wait
            connection = lost.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(request)
        assert all(started.acquire(timeout=30) for _ in range(LIMITS.at_once)), "no thread is free"
        lost.close()
        answer = httpx.post(f"http://127.0.0.1:{port}/api/compose", json={"bars": 1}, timeout=60, trust_env=False)
        assert answer.status_code == 200
