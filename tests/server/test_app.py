"""Every response has the security headers; every failure is a JSON error."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from cantilena.errors import UsageError
from cantilena.server import ServerOptions

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "error"),
    [
        ("GET", "/nowhere", b"", {}, 404, "no such page"),
        ("GET", "/docs", b"", {}, 404, "no such page"),
        ("GET", "/page/nowhere.js", b"", {}, 404, "no such page"),
        ("PUT", "/api/text", b"", {}, 405, "does not support the method"),
        ("POST", "/api/text", b"{}", JSON, 422, "text: Field required"),
        ("POST", "/api/text", b"\xff", JSON, 422, ""),
        ("POST", "/api/text", b'{"text": "wrong"}', JSON, 422, "the text is wrong"),
        ("POST", "/api/text", b'{"text": "crash"}', JSON, 500, "internal server error"),
        ("POST", "/api/bytes", b"x" * 1001, {}, 413, "the request is too large"),
        ("GET", "/api/hello", b"", {"Host": "evil.example"}, 403, "host name"),
        ("POST", "/api/text", b"", {"Origin": "http://evil.example"}, 403, "another site"),
    ],
)
def test_failures_are_json_errors_with_security_headers(
    client: TestClient, method: str, path: str, body: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    answer = client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "hint"}
    assert error in answer.json()["error"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/api/hello", "/page/main.js", "/favicon.ico"])
def test_responses_have_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy  # so scripts come from our own files only
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "options", [{"port": -1}, {"port": 70_000}, {"host": "a b"}, {"host": ""}, {"allow_host": ("http://x",)}]
)
def test_invalid_options_are_rejected(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ServerOptions(**options)  # type: ignore[arg-type]
