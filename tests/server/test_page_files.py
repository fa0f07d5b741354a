"""Page files are served from their folders, and nothing else is."""

from __future__ import annotations

import socket

import pytest
from fastapi.testclient import TestClient


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
