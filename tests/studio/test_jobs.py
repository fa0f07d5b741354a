"""TuningQueue in the background: they wait their turn, can be ended, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from cantilena.errors import UsageError
from cantilena.models import Bundle, find_bundle
from cantilena.server import HTTPError, NotFoundError
from cantilena.studio.schemas.requests import JobRequest
from cantilena.studio.schemas.responses import Curves
from cantilena.studio.services.jobs import TuningJob, TuningQueue, rule_selection
from cantilena.studio.services.models import ModelRegistry, TunedModels
from cantilena.studio.services.tuning_worker import TuningTask, tuning_options, untuned
from cantilena.studio.state import OpenPages

QUICK = {"model": "tunes", "updates": 1, "rules": {"set": "paper"}}


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def workers_of(number: int) -> list[int]:
    """The processes that tune, which a process started and which still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            command = path.with_name("cmdline").read_text()
        except OSError:
            continue
        if int(parent) == number and state != "Z" and "tuning_worker" in command:
            found.append(int(path.parent.name))
    return found


def wait_until(true: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def begin(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.post("/api/jobs", json={**QUICK, **asked})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()["job"]
    return job


def state_of(client: httpx.Client, job: dict[str, Any]) -> str:
    return str(client.get(f"/api/jobs/{job['id']}").json()["job"]["state"])


def test_two_tunings_wait_their_turn_and_their_models_can_be_used(start: Any) -> None:
    studio = start()
    with studio.client() as client:
        first, second = begin(client, name="My  first", updates=2), begin(client, model="tunes+rl")
        assert (first["state"], second["state"]) == ("waiting", "waiting")
        assert second["place"] > 0
        told: list[dict[str, Any]] = []
        with client.stream("GET", f"/api/jobs/{first['id']}/events") as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            for line in events.iter_lines():
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))
                    others = client.get(f"/api/jobs/{second['id']}").json()["job"]
                    assert others["state"] == "waiting" or told[-1]["state"] == "done"
        states = [one["state"] for one in told]
        assert states[-1] == "done"
        assert states == sorted(states, key=["waiting", "running", "done"].index)
        assert told[-1]["curves"]["update"] == [1, 2]
        assert len(told[-1]["curves"]["reward"]) == len(told[-1]["curves"]["kl"]) == 2
        assert [one["progress"] for one in told] == sorted(one["progress"] for one in told)
        wait_until(lambda: state_of(client, second) == "done")
        models = {model["name"]: model for model in client.get("/api/models").json()["models"]}
        made = models[told[-1]["model"]]
        assert made["made_here"]
        assert made["tuned"]
        assert (made["title"], made["untuned"]) == ("My first", "tunes")
        composed = client.post("/api/compose", json={"model": made["name"], "bars": 2, "seed": 1})
        assert composed.json()["candidates"][0]["model"] == made["name"]
    assert studio.end() == 0
    studio = start(home=studio.home)  # models survive a restart
    with studio.client() as client:
        assert made["name"] in [model["name"] for model in client.get("/api/models").json()["models"]]
        assert client.delete(f"/api/models/{made['name']}").json() == {"deleted": made["name"]}
        assert made["name"] not in [model["name"] for model in client.get("/api/models").json()["models"]]
        assert client.delete(f"/api/models/{made['name']}").status_code == 404
        assert client.delete("/api/models/tunes").status_code == 404
        assert client.post("/api/compose", json={"model": made["name"]}).status_code == 404


def test_a_job_can_be_cancelled_and_the_next_one_runs(start: Any) -> None:
    studio = start()
    with studio.client() as client:
        long, waiting, last = begin(client, updates=1000), begin(client), begin(client, page="")
        wait_until(lambda: workers_of(studio.process.pid))
        (worker,) = workers_of(studio.process.pid)
        assert client.delete(f"/api/jobs/{waiting['id']}").json()["job"]["state"] == "cancelled"
        began = time.monotonic()
        assert client.delete(f"/api/jobs/{long['id']}").json()["job"]["state"] == "cancelled"
        wait_until(lambda: not alive(worker), 2.0)
        assert time.monotonic() - began < 2.0
        wait_until(lambda: state_of(client, last) == "done")
        assert state_of(client, waiting) == "cancelled"
        assert client.delete(f"/api/jobs/{last['id']}").json()["job"]["state"] == "done"  # it is over
        assert client.get("/api/jobs/none").status_code == 404
    files = {path.name for path in (studio.home / "models").iterdir()}
    assert len(files) == 2  # of the last job alone


def test_a_killed_studio_leaves_no_worker_and_no_half_model(start: Any) -> None:
    studio = start()
    with studio.client() as client:
        begin(client, updates=1000)
        wait_until(lambda: workers_of(studio.process.pid))
    (worker,) = workers_of(studio.process.pid)
    studio.end(signal.SIGKILL)
    wait_until(lambda: not alive(worker), 5.0)
    half = studio.home / "models" / "made-0123456789ab.safetensors"
    draft = half.with_name(f".{half.name}.abcd.draft")
    for path in (half, draft):  # as they lie there when it is killed at the worst moment
        path.write_bytes(b"half")
    studio = start(home=studio.home)
    with studio.client() as client:
        assert not any(model["made_here"] for model in client.get("/api/models").json()["models"])
    assert list((studio.home / "models").iterdir()) == []


def test_closing_the_page_ends_its_jobs(start: Any) -> None:
    studio = start()
    with studio.client() as client:
        with client.stream("GET", "/api/pages/p-1/events") as page:
            lines = page.iter_lines()  # httpx closes a stream whose lines are let go
            assert next(lines).startswith("retry")
            job, other = begin(client, updates=1000, page="p-1"), begin(client, updates=1000, page="")
            wait_until(lambda: state_of(client, job) == "running")
        wait_until(lambda: state_of(client, job) == "cancelled", 8.0)
        assert state_of(client, other) in ("waiting", "running")


def test_a_worker_that_dies_is_told_of(start: Any) -> None:
    studio = start()
    with studio.client() as client:
        job = begin(client, updates=1000)
        wait_until(lambda: workers_of(studio.process.pid))
        os.kill(workers_of(studio.process.pid)[0], signal.SIGKILL)
        wait_until(lambda: state_of(client, job) == "failed", 5.0)
        said = client.get(f"/api/jobs/{job['id']}").json()["job"]["error"]
    assert said == "the process that tuned it was killed (SIGKILL): start it again"


@pytest.mark.parametrize(
    ("asked", "status", "word"),
    [
        ({"model": "nobody"}, 404, "no such model"),
        ({"kind": "train"}, 422, "kind"),
        ({"seconds": 1}, 422, "seconds"),
        ({"updates": 10**6}, 422, "updates"),
        ({"rules": {"only": ["key"], "weights": {"key": 0}}}, 422, "no rule is left"),
        ({"page": "../.."}, 422, "page"),
    ],
)
def test_what_cannot_be_tuned_is_refused(client: TestClient, asked: dict[str, Any], status: int, word: str) -> None:
    answer = client.post("/api/jobs", json={**QUICK, **asked})
    assert answer.status_code == status, answer.text
    assert word in answer.json()["error"]


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    composers = ModelRegistry(TunedModels(tmp_path / "models"))

    async def fill() -> None:
        tunings = TuningQueue(composers)
        for _ in range(8):
            tunings.add(JobRequest(**QUICK))
        with pytest.raises(HTTPError, match="wait already"):
            tunings.add(JobRequest(**QUICK))
        await tunings.close()
        assert [job.state for job in tunings.jobs] == ["cancelled"] * 8

    asyncio.run(fill())


def test_rules_are_told_to_the_tuner_by_name_and_weight() -> None:
    def words(**rules: Any) -> tuple[str, dict[str, float]]:
        return rule_selection(JobRequest.model_validate({"rules": rules}))

    assert words(set="paper") == ("paper", {})
    assert words(set="paper", weights={"tonic": 2, "key": 0}) == ("paper:tonic+paper:repetition", {"tonic": 2.0})
    assert words(set="rl-tuner", only=["leap"]) == ("rl-tuner:leap", {})
    with pytest.raises(UsageError, match="no rule 'nothing'"):
        words(only=["nothing"])
    order = TuningTask("", "", "paper:tonic+paper:repetition", {"tonic": 2.0}, 30.0, 5, 1)
    options = tuning_options(order)
    assert (options.rules, options.rule_weights, options.updates) == (order.rules, {"tonic": 2.0}, 5)


def test_a_tuned_model_is_tuned_from_what_it_was_before() -> None:
    tuned, plain = (Bundle.load(find_bundle(name)) for name in ("tunes+rl", "tunes"))
    before = untuned(tuned)
    assert before.prior_weights is None
    assert "tuning" not in before.provenance
    assert before.policy == "likelihood"
    assert set(before.weights) == set(plain.weights)
    assert untuned(plain) is plain


def test_names_of_models_lead_to_no_other_file(tmp_path: Path) -> None:
    made = TunedModels(tmp_path)
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "secret.safetensors").write_text("")
    (tmp_path / "made-0123456789ab.json").write_text("[]")
    (tmp_path / "made-0123456789ab.safetensors").write_text("")
    for name in ("secret", "../secret", "", "made-0123456789ab\n", "made-0123456789AB", "made-0123456789ab.json"):
        assert made.path(name) is None
        assert made.facts(name) is None
        with pytest.raises(NotFoundError):
            made.delete(name)
    assert made.names() == ["made-0123456789ab"]
    assert made.facts("made-0123456789ab") == {"title": "made-0123456789ab", "untuned": "", "rules": {}}
    made.delete("made-0123456789ab")
    assert (tmp_path / "secret.json").exists()


def test_a_damaged_model_is_left_out(tmp_path: Path, open_client: Any) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "made-0123456789ab.safetensors").write_bytes(b"nonsense")
    (folder / "made-0123456789ab.json").write_text("{}")
    with open_client(tmp_path) as client:
        assert not any(model["made_here"] for model in client.get("/api/models").json()["models"])
        answer = client.post("/api/compose", json={"model": "made-0123456789ab"})
        assert answer.status_code == 422
        assert str(tmp_path) not in answer.text


def test_a_page_that_never_opens_its_stream_is_waited_for_and_given_up() -> None:
    async def scene() -> list[str]:
        closed: list[str] = []
        pages = OpenPages(closed.append, timeout=0.05)
        pages.expect("a")
        pages.expect("")
        stream = pages.stream("b")
        await anext(stream)
        pages.expect("b")
        await asyncio.sleep(0.2)
        assert closed == ["a"]
        second = pages.stream("b")
        await anext(second)
        await stream.aclose()
        await asyncio.sleep(0.1)
        assert closed == ["a"]  # the same page is open in another tab
        await second.aclose()
        await asyncio.sleep(0.2)
        return closed

    assert asyncio.run(scene()) == ["a", "b"]


def test_what_is_left_is_told_by_the_pace_so_far() -> None:
    job = TuningJob(TuningTask("", "", "", {}, 1.0, 4, 1), "t", "tunes", "", "m", {}, updates=4)
    assert job.seconds_left is None
    job.state, job.started = "running", time.monotonic() - 2.0
    job.curves = Curves(update=[1, 2], reward=[0.0, 0.0], diversity=[None, None], kl=[0.0, 0.0])
    assert job.progress == 0.5
    assert job.seconds_left == pytest.approx(2.0, abs=0.2)
