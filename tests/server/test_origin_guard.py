"""Requests must name one of our hosts, and come from our own page or from no page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

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
