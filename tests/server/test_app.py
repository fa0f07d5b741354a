"""Every response has the security headers, every failure is a JSON error, and page files come from their folders."""

from __future__ import annotations

import socket

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


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/", "text/html"),
        ("/page/index.html", "text/html"),
        ("/page/main.js", "text/javascript"),
        ("/page/parts/part.css", "text/css"),
        ("/page/elements.js", "text/javascript"),
        ("/favicon.ico", "image/svg+xml"),
    ],
)
def test_files_of_the_page_and_shared_files_are_served(client: TestClient, path: str, type_: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(type_)
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
    assert client.head(path).content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/page/../secret.py",
        "/page/%2e%2e/secret.py",
        "/page/..%2fsecret.py",
        "/page//etc/passwd",
        "/page/%2fetc/passwd",
        "/page/%00",
        "/page/index.html%00.js",
        "/page/index.html/",
        "/page/.",
        "/page/",
        "/page/parts",
        "/page/parts/../index.html",
        "/page/..\\secret.py",
        "/../../etc/passwd",
    ],
)
def test_no_path_leaves_the_folders(port: int, path: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode()
    assert answer.split()[1] in ("404", "400", "307")
    assert "import" not in answer
    assert "root:" not in answer
    assert "DOCTYPE" not in answer
