"""Who may come in: names, origins, sizes, paths."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from cantilena.studio import LIMITS
from cantilena.studio.services.judge import VerdictCache


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:9", "[::1]:8000"])
def test_this_computer_s_names_are_let_in(client: TestClient, host: str) -> None:
    assert client.get("/api/rules", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "", "127.0.0.1:80:80", "::1"])
def test_other_names_are_refused_and_so_dns_rebinding(client: TestClient, host: str) -> None:
    answer = client.get("/api/rules", headers={"Host": host})
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
def test_pages_of_others_are_refused(client: TestClient, headers: Any, method: str) -> None:
    answer = client.request(method, "/api/primer", json={"text": "C4"}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]


def test_our_own_page_and_programs_are_let_in(client: TestClient) -> None:
    for headers in ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, {}):
        assert client.post("/api/primer", json={"text": "C4"}, headers=headers).status_code == 200


def test_names_can_be_allowed(tmp_path: Path, open_client: Any) -> None:
    client = open_client(tmp_path, host="0.0.0.0", allow_host=("Music.local",))
    assert client.get("/api/rules", headers={"Host": "music.local:8000"}).status_code == 200
    assert client.get("/api/rules", headers={"Host": "0.0.0.0:8000"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/rules", "/nowhere", "/page/nowhere.js"])
def test_every_answer_says_what_a_page_may_do(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy  # so scripts are of our own files alone
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/%2e%2e/app.py",
        "/page/..%2fapp.py",
        "/page//etc/passwd",
        "/page/%00",
        "/page/index.html%00.js",
        "/page/index.html/",
        "/page/.",
        "/page/..\\app.py",
        "/../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_page_s_folder(live: Any, path: str) -> None:
    parts = urlsplit(live.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode()
    assert answer.split()[1] in ("404", "400", "307")
    assert "import" not in answer
    assert "root:" not in answer


def test_too_large_a_request_is_refused_before_it_is_read(live: Any) -> None:
    parts = urlsplit(live.url)
    head = f"POST /api/primer HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        raw.sendall(f"{head}Content-Length: {10**12}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(65536)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        raw.sendall(f"{head}X-Long: {'x' * 200_000}\r\n\r\n".encode())
        assert raw.recv(65536).split()[1] in (b"400", b"431")


def test_too_large_a_body_in_pieces_is_refused(client: TestClient) -> None:
    def pieces() -> Any:
        for _ in range(LIMITS.body // 65536 + 2):
            yield b"x" * 65536

    answer = client.post("/api/read", params={"name": "a.mid"}, content=pieces())
    assert answer.status_code == 413
    assert set(answer.json()) == {"error", "hint"}


def test_refusals_of_every_kind_say_what_a_page_may_do(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    large = client.post("/api/read", params={"name": "a.mid"}, content=b"x" * (LIMITS.body + 1))
    monkeypatch.setattr(VerdictCache, "verdict", broken)
    mistake = client.post("/api/judge", json={"melodies": [{"notes": []}]})
    for answer, status in ((large, 413), (mistake, 500)):
        assert answer.status_code == status
        assert set(answer.json()) == {"error", "hint"}
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_mistake_does_not_close_the_connection(tmp_path: Path, start: Any) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").write_text("in the way")  # no folder can be made there
    studio = start()
    with studio.client() as client:
        for _ in range(3):
            assert client.post("/api/jobs", json={"model": "tunes"}).status_code == 503
            assert client.head("/").status_code == 200


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
def test_bodies_that_are_no_request_are_answered_with_a_sentence(client: TestClient, path: str, body: bytes) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert set(answer.json()) == {"error", "hint"}


def test_what_is_not_there_is_answered_with_a_sentence(client: TestClient) -> None:
    for method, path, status in [("GET", "/api/nothing", 404), ("PUT", "/api/compose", 405), ("GET", "/docs", 404)]:
        answer = client.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"error", "hint"}


def test_half_a_surrogate_pair_in_a_wrong_request_is_answered_in_words(client: TestClient) -> None:
    body = b'{"melody": {"notes": []}, "verdict": {"\\ud9b4": {"\\uda02": 1}}, "width": "\\udcd8"}'
    answer = client.post("/api/score", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["hint"]
