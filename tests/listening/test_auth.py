"""Tokens are bound to a step of a participant, keys to a participant, and new participants are limited."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.listening.server.auth import BURST, INTERVAL, RateLimit
from cantilena.listening.server.state import ServedStudy


def test_the_rate_of_one_address_is_limited_and_others_are_not_affected() -> None:
    now = 0.0
    limit = RateLimit(clock=lambda: now)
    assert sum(limit.allows("192.0.2.1") for _ in range(1000)) == BURST >= 100, "a class begins at once"
    assert limit.allows("192.0.2.2")
    now = 5 * INTERVAL
    assert sum(limit.allows("192.0.2.1") for _ in range(1000)) == 5
    for number in range(20_000):
        limit.allows(f"2001:db8::{number:x}")
    assert len(limit._empty_at) <= 10_000


def test_too_many_participants_get_a_time_to_retry(client: TestClient, served: ServedStudy) -> None:
    served.rate_limit = RateLimit(burst=3)
    responses = [client.post("/api/sittings", json={"consent": True}) for _ in range(8)]
    assert [response.status_code for response in responses] == [201] * 3 + [429] * 5
    assert responses[-1].headers["retry-after"]
    assert served.store.count_participants() == 3


def test_tokens_of_other_listeners_and_trials_and_forged_ones_are_refused(listener: Any, served: ServedStudy) -> None:
    one, other = listener().until("trial"), listener().until("trial")
    token = one.token()
    assert other.put("answers/0", one.body(token)).status_code == 422, "a token of another listener"
    milliseconds, _, signature = token.partition(".")
    for forged in (
        f"0.{signature}",
        f"{int(milliseconds) - 60_000}.{signature}",
        f"{milliseconds}.{'0' * 64}",
        f"٣{milliseconds[1:]}.{signature}",
        "",
        ".",
    ):
        one.wait()
        response = one.put("answers/0", one.body(forged))
        assert response.status_code == 422
        assert "too little" in response.json()["error"]
    assert served.store.answers() == []
    assert one.answer(0).status_code == 200
    assert one.put("answers/1", one.body(token)).status_code == 422, "a token of another trial"
    stored = [(row.position, row.listener) for row in served.store.answers()]
    assert stored == [(0, served.store.listeners()[0].listener)]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer \xff"}])
def test_nothing_is_served_without_a_valid_key(client: TestClient, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    assert client.get("/api/sitting", headers=raw).status_code == 404
    assert client.get("/api/sitting/sound", headers=raw).status_code == 404
    for path in ("progress", "listeners.csv", "answers.csv"):
        assert client.get(f"/api/admin/{path}", headers=raw).status_code == 403


def test_the_admin_key_is_accepted_as_a_bearer_token_only(
    listener: Any, client: TestClient, served: ServedStudy
) -> None:
    key = listener().headers["Authorization"]
    for headers in (
        {"Authorization": key},
        {"Authorization": f"Basic {served.admin_key}"},
        {"X-Key": served.admin_key},
    ):
        assert client.get("/api/admin/progress", headers=headers).status_code == 403
    assert client.get(f"/api/admin/progress?key={served.admin_key}").status_code == 403
    headers = {"Authorization": f"Bearer {served.admin_key}"}
    assert client.get("/api/admin/progress", headers=headers).json()["consented"] == 1
