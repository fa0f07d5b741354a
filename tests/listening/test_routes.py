"""The procedure of the test over HTTP: the order of steps, repeated requests, and what is refused."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.listening import read_answers
from cantilena.listening.server.state import ServedStudy


def test_a_session_has_all_steps_of_the_study(listener: Any, served: ServedStudy) -> None:
    taking = listener().until("end")
    assert taking.state["score"] == {"people": 2, "people_right": 2, "computers": 2, "computers_right": 0}
    tables = read_answers(served.store.path)
    (row,) = tables.listeners
    assert (row.session, row.years_of_training, row.headphones) == (0, 2.5, True)
    played = [(trial.kind, trial.clip) for trial in served.study.sessions[0]]
    assert [(answer.kind, answer.clip) for answer in tables.answers] == played


def test_no_step_can_be_skipped(listener: Any) -> None:
    taking = listener()
    for path, body in [("ready", None), ("volume", None), ("practice/0", None), ("answers/0", taking.body("x")),
                       ("headphones/0/0", {"quietest": 1}), ("pause/0", None)]:  # fmt: skip
        assert taking.put(path, body).status_code == 409, path
    assert taking.get("/api/sitting/sound").status_code == 409
    token = taking.until("trial").token()
    for position in (1, 5, 7, 8, 10_000):
        assert taking.put(f"answers/{position}", taking.body(token)).status_code == 409
    for position in (10_001, -1):
        assert taking.put(f"answers/{position}", taking.body(token)).status_code == 422


def test_the_first_answer_is_kept_when_requests_are_repeated(listener: Any, served: ServedStudy) -> None:
    taking = listener().until("trial")
    assert taking.answer(0, liking=7).json()["number"] == 1
    again = taking.put("answers/0", taking.body("lost", answer="computer"))
    assert (again.status_code, again.json()["number"]) == (200, 1)
    assert [(answer.answer, answer.liking) for answer in served.store.answers()] == [("human", 7)]
    assert taking.put("training", {"years": 50}).status_code == 200
    assert taking.put("ready").json()["number"] == 1
    assert [row.years_of_training for row in served.store.listeners()] == [2.5]


def test_simultaneous_answers_and_answers_after_the_end_add_nothing(listener: Any, served: ServedStudy) -> None:
    taking = listener().until("trial")
    token = taking.token()
    taking.wait()
    bodies = [taking.body(token, confidence=1 + n % 4, answer="human" if n % 2 else "computer") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda body: taking.put("answers/0", body).status_code, bodies))
    assert statuses == {200}
    assert [answer.position for answer in served.store.answers()] == [0]
    taking.until("end")
    before = served.store.answers()
    for path, body in (
        ("answers/8", taking.body(token)),
        ("pause/3", None),
        ("practice/5", None),
        ("headphones/1/0", {"quietest": 1}),
    ):
        assert taking.put(path, body).status_code == 409, path
    assert taking.put("answers/6", taking.body(token, answer="computer")).status_code == 200, "the first is kept"
    assert served.store.answers() == before


def test_a_clip_must_be_heard_by_the_clock_of_the_server(listener: Any, served: ServedStudy, clock: Any) -> None:
    taking = listener().until("trial")
    token = taking.token()
    assert taking.put("answers/0", taking.body(token)).status_code == 422, "too early, whatever the page claims"
    clock.now += 0.3
    assert taking.put("answers/0", taking.body(token, seconds_heard=0.01)).status_code == 422
    assert served.store.answers() == []
    assert taking.put("answers/0", taking.body(token)).status_code == 200
    assert served.store.answers()[0].seconds_heard == pytest.approx(0.3, abs=0.01)  # not the nine seconds of the page


def test_responses_do_not_depend_on_the_arm(listener: Any, served: ServedStudy) -> None:
    taking = listener().until("trial")
    sizes, headers, arms = set(), set(), set()
    while (state := taking.state)["stage"] == "trial":
        clip = served.study.clip(served.study.sessions[0][state["number"]].clip)
        response = taking.get("/api/sitting/sound")
        assert clip.id not in f"{response.headers} {state}"
        sizes.add((len(response.content), response.headers["content-length"], len(response.headers["x-ticket"])))
        headers.add(tuple(sorted(response.headers)))
        arms.add(clip.arm)
        assert len(served.sounds[clip.id]) == len(response.content)
        assert taking.answer(state["number"]).status_code == 200
    assert len(sizes) == len(headers) == 1
    assert arms >= {"human", "lstm"}


def test_responses_and_logs_reveal_no_clip_and_no_key(
    listener: Any,
    client: TestClient,
    served: ServedStudy,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        taking = listener().until("trial")
        sound = taking.get("/api/sitting/sound")
    assert {*sound.headers} & {"etag", "last-modified", "content-disposition", "accept-ranges"} == set()
    assert sound.headers["cache-control"] == "no-store"
    assert sound.headers["referrer-policy"] == "no-referrer"
    sent = str(taking.state) + client.get("/openapi.json").text + client.get("/api/study").text
    printed = caplog.text + "".join(capsys.readouterr())
    key = taking.headers["Authorization"].removeprefix("Bearer ")
    assert not any(clip.id in sent + printed or clip.sha256 in sent for clip in served.study.clips)
    assert not any(secret in printed for secret in (key, served.admin_key))
    assert not any(f'"{arm}"' in sent for arm in served.study.arms if arm != "human")


def test_a_full_study_is_closed_and_a_failed_check_occupies_no_session(listener: Any) -> None:
    failing = listener().until("trial", passing=False)
    first, second = listener().until("trial"), listener().until("trial")
    third = listener().until("ready").put("ready")
    assert third.status_code == 409
    assert "enough participants" in third.json()["error"]
    for taking in (failing, first, second):
        assert taking.state["stage"] == "trial"


@pytest.mark.parametrize(
    "wrong",
    [{"answer": "both"}, {"confidence": 5}, {"confidence": True}, {"seconds_heard": -1}, {"liking": 8}, {"more": 1},
     {"ticket": "x" * 201}, {"knows_piece": "yes"}, {"classical": 0.5}],
)  # fmt: skip
def test_invalid_answers_are_refused_with_a_message(listener: Any, wrong: dict[str, Any]) -> None:
    taking = listener()
    response = taking.put("answers/0", taking.body("x") | wrong)
    assert response.status_code == 422
    assert set(response.json()) == {"error", "hint"}


def test_nothing_is_stored_without_consent(client: TestClient, served: ServedStudy) -> None:
    for body in ({"consent": False}, {}, [], {"consent": True, "name": "Ada"}):
        assert client.post("/api/sittings", json=body).status_code == 422
    assert served.store.count_participants() == 0


def test_a_locked_database_gives_a_time_to_retry(listener: Any, served: ServedStudy) -> None:
    taking = listener()
    served.store._database.execute("PRAGMA busy_timeout = 100")
    with sqlite3.connect(served.store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        response = taking.put("training", {"years": 1})
        assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        assert "no previous answer is lost" in response.json()["hint"]
        other.execute("ROLLBACK")
    other.close()
    assert taking.put("training", {"years": 1}).status_code == 200
    served.store._database.execute("DROP TABLE steps")
    assert taking.put("training", {"years": 1}).status_code == 503


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("GET", {"Host": "evil.example"}, 403), ("POST", {"Origin": "http://evil.example"}, 403), ("POST", {}, 413)],
)
def test_other_names_other_sites_and_large_requests_are_refused(
    client: TestClient, method: str, headers: Any, status: int
) -> None:
    body = b"x" * 20_000 if status == 413 else b"{}"
    response = client.request(method, "/api/sittings" if method == "POST" else "/", headers=headers, content=body)
    assert response.status_code == status
    assert "default-src 'self'" in response.headers["content-security-policy"]


def test_no_path_leads_out_of_the_page_and_malformed_bodies_are_refused(client: TestClient) -> None:
    for path in (
        "/page/../state.py",
        "/page/%2e%2e/server/state.py",
        "/page//etc/passwd",
        "/page/..%5cstate.py",
        "/%00",
        "/page/%00",
    ):
        assert client.get(path).status_code == 404, path
    for body in (b'{"consent": true' + b" " * 20_000 + b"}", b"[" * 16_000, b'{"consent": false}', b"\xff"):
        headers = {"Content-Type": "application/json"}
        assert client.post("/api/sittings", content=body, headers=headers).status_code in (413, 422)


@pytest.mark.parametrize(
    "path", ["/", "/admin", "/page/main.js", "/page/listen.css", "/page/paper.css", "/page/admin.js"]
)
def test_pages_load_nothing_from_other_servers(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert "http" not in response.text.replace("http-equiv", "")
    assert "style=" not in response.text


@pytest.mark.e2e
def test_a_class_that_opens_the_link_at_once_gets_the_whole_page(serve: Any) -> None:
    port = int(serve().url.rpartition(":")[2])
    paths = ["/", "/page/main.js", "/page/listen.css", "/page/trial.js", "/page/player.js", "/api/study"]

    async def all_requests() -> list[bytes]:
        """Six connections per browser, which stay open."""
        all_answered = asyncio.Event()
        status_lines: list[bytes] = []

        async def request(path: str) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            status_lines.append(await reader.readline())
            if len(status_lines) == 600:
                all_answered.set()
            await all_answered.wait()
            writer.close()

        await asyncio.wait_for(asyncio.gather(*(request(path) for _ in range(100) for path in paths)), 60)
        return status_lines

    assert {*asyncio.run(all_requests())} == {b"HTTP/1.1 200 OK\r\n"}
