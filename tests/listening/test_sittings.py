"""A listener's way through the test, asked over HTTP: its order, what may be sent again, what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.listening import Study, read_answers
from cantilena.listening.server.state import ListeningRoom


def test_a_sitting_goes_through_all_that_the_study_asks(sit: Any, room: ListeningRoom) -> None:
    caller = sit().until("end")
    assert caller.state["score"] == {"people": 2, "people_right": 2, "computers": 2, "computers_right": 0}
    found = read_answers(room.book.path)
    (listener,) = found.listeners
    assert (listener.session, listener.years_of_training, listener.headphones) == (0, 2.5, True)
    assert [(one.kind, one.clip) for one in found.given] == [(s.kind, s.clip) for s in room.study.sessions[0]]


def test_nothing_can_be_done_before_its_time(sit: Any) -> None:
    caller = sit()
    for path, body in [("ready", None), ("volume", None), ("practice/0", None), ("answers/0", caller.said("x")),
                       ("headphones/0/0", {"quietest": 1}), ("pause/0", None)]:  # fmt: skip
        assert caller.put(path, body).status_code == 409, path
    assert caller.get("/api/sitting/sound").status_code == 409
    caller.until("trial")
    assert caller.put("answers/1", caller.said(caller.sound())).status_code == 409


def test_the_first_answer_stands_however_often_it_is_sent(sit: Any, room: ListeningRoom) -> None:
    caller = sit().until("trial")
    assert caller.answer(0, liking=7).json()["number"] == 1
    again = caller.put("answers/0", caller.said("lost", answer="computer"))
    assert (again.status_code, again.json()["number"]) == (200, 1)
    assert [(one.answer, one.liking) for one in room.book.answers()] == [("human", 7)]
    assert caller.put("training", {"years": 50}).status_code == 200
    assert caller.put("ready").json()["number"] == 1
    assert [one.years_of_training for one in room.book.listeners()] == [2.5]


def test_a_clip_must_have_been_heard_by_the_server_s_clock_too(sit: Any, room: ListeningRoom) -> None:
    caller, other = sit().until("trial"), sit().until("trial")
    ticket, others = caller.sound(), other.sound()
    assert caller.put("answers/0", caller.said(ticket)).status_code == 422  # too early, whatever the page says
    time.sleep(0.3)
    forged = f"1{ticket[1:]}" if ticket[0] != "1" else f"2{ticket[1:]}"
    for wrong in (others, forged, "", "0." + "0" * 64, "٣." + "0" * 64):
        assert "too little" in caller.put("answers/0", caller.said(wrong)).json()["error"]
    assert caller.put("answers/0", caller.said(ticket, seconds_heard=0.01)).status_code == 422
    assert room.book.answers() == []
    assert caller.put("answers/0", caller.said(ticket)).status_code == 200
    assert 0.3 <= room.book.answers()[0].seconds_heard < 5  # not the nine seconds that were claimed


def test_every_answer_of_the_server_is_the_same_for_every_arm(sit: Any, room: ListeningRoom) -> None:
    caller = sit().until("trial")
    seen, keys, arms = set(), set(), set()
    while (state := caller.state)["stage"] == "trial":
        clip = room.study.clip(room.study.sessions[0][state["number"]].clip)
        answer = caller.get("/api/sitting/sound")
        assert clip.id not in f"{answer.headers} {state}"
        seen.add((len(answer.content), answer.headers["content-length"], len(answer.headers["x-ticket"])))
        keys.add(tuple(sorted(answer.headers)))
        arms.add(clip.arm)
        assert len(room.sounds[clip.id]) == len(answer.content)
        assert caller.answer(state["number"]).status_code == 200
    assert len(seen) == len(keys) == 1
    assert arms >= {"human", "lstm"}


def test_a_study_that_is_full_says_so_and_a_failed_check_takes_no_session(sit: Any) -> None:
    failing = sit().until("trial", passing=False)
    first, second = sit().until("trial"), sit().until("trial")
    third = sit().until("ready").put("ready")
    assert third.status_code == 409
    assert "everybody who is needed" in third.json()["error"]
    for caller in (failing, first, second):
        assert caller.state["stage"] == "trial"


def test_a_session_that_was_left_is_given_again(room: ListeningRoom, study: Study) -> None:
    from cantilena.listening import Listener

    def seated(name: str, hour: int) -> bool:
        listener = Listener(room.study.digest, name, 9, False, True, None, True)
        return room.book.seat(listener, 2, trials=[8, 8], every=False, hour=hour)

    assert seated("one", 100)
    assert seated("two", 100)
    assert not seated("three", 101), "both are taken"
    assert seated("three", 102), "no other is free, and it was left for two hours"
    assert seated("four", 124), "a day ago"
    assert seated("one", 125), "who comes back keeps the session"
    assert [one.session for one in room.book.listeners()] == [0, 1, 0, 1]
    room.book.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer \xff"}])
def test_without_its_key_a_sitting_stays_shut(client: TestClient, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    assert client.get("/api/sitting", headers=raw).status_code == 404
    assert client.get("/api/sitting/sound", headers=raw).status_code == 404
    for path in ("progress", "listeners.csv", "answers.csv"):
        assert client.get(f"/api/admin/{path}", headers=raw).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [{"answer": "both"}, {"confidence": 5}, {"confidence": True}, {"seconds_heard": -1}, {"liking": 8}, {"more": 1},
     {"ticket": "x" * 201}, {"knows_piece": "yes"}, {"classical": 0.5}],
)  # fmt: skip
def test_answers_that_are_none_are_refused_in_a_sentence(sit: Any, wrong: dict[str, Any]) -> None:
    caller = sit().until("trial")
    answer = caller.put("answers/0", caller.said("x") | wrong)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "hint"}


def test_who_does_not_agree_leaves_nothing(client: TestClient, room: ListeningRoom) -> None:
    for body in ({"consent": False}, {}, [], {"consent": True, "name": "Ada"}):
        assert client.post("/api/sittings", json=body).status_code == 422
    assert room.book.sittings() == 0


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("GET", {"Host": "evil.example"}, 403), ("POST", {"Origin": "http://evil.example"}, 403), ("POST", {}, 413)],
)
def test_the_door_is_that_of_every_page(client: TestClient, method: str, headers: Any, status: int) -> None:
    body = b"x" * 20_000 if status == 413 else b"{}"
    path = "/api/sittings" if method == "POST" else "/"
    answer = client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/", "/admin", "/page/main.js", "/page/listen.css", "/page/paper.css", "/page/admin.js"]
)
def test_pages_load_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "http" not in answer.text.replace("http-equiv", "")
    assert "style=" not in answer.text
