"""Tunings run one after another in the background, can be cancelled, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from cantilena import models
from cantilena.errors import UsageError
from cantilena.models import Bundle, find_bundle
from cantilena.runtime import Failure
from cantilena.server import TooManyRequestsError
from cantilena.studio.schemas.requests import JobRequest
from cantilena.studio.schemas.responses import Curves
from cantilena.studio.services import jobs, tuning_worker
from cantilena.studio.services.jobs import TuningJob, TuningQueue, rule_selection
from cantilena.studio.services.models import ModelRegistry, TunedModels
from cantilena.studio.services.tuning_worker import TuningTask, tune_model, tuning_options

from .conftest import Json, Running

QUICK: Json = {"model": "tunes", "updates": 1, "rules": {"set": "paper"}}
TASK = TuningTask("", "", "paper:tonic+paper:repetition", {"tonic": 2.0}, 30.0, 5, 1)

Start = Callable[..., Running]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": "nobody"}, 404, "no such model"),
        ({"kind": "train"}, 422, "kind"),
        ({"seconds": 1}, 422, "seconds"),
        ({"updates": 10**6}, 422, "updates"),
        ({"rules": {"only": ["key"], "weights": {"key": 0}}}, 422, "weight 0"),
        ({"page": "../.."}, 422, "page"),
    ],
)
def test_invalid_jobs_are_rejected(client: TestClient, body: Json, status: int, error: str) -> None:
    answer = client.post("/api/jobs", json={**QUICK, **body})
    assert answer.status_code == status, answer.text
    assert error in answer.json()["error"]
    assert client.get("/api/jobs/none").status_code == 404


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"set": "paper"}, ("paper", {})),
        ({"set": "paper", "weights": {"tonic": 2, "key": 0}}, ("paper:tonic+paper:repetition", {"tonic": 2.0})),
        ({"set": "rl-tuner", "only": ["leap"]}, ("rl-tuner:leap", {})),
    ],
)
def test_rules_are_selected_by_name_and_weight(rules: Json, expected: tuple[str, dict[str, float]]) -> None:
    assert rule_selection(JobRequest.model_validate({"rules": rules})) == expected


def test_tuning_options_are_those_of_the_task() -> None:
    options = tuning_options(TASK)
    assert (options.rules, options.rule_weights, options.updates) == (TASK.rules, {"tonic": 2.0}, 5)
    with pytest.raises(UsageError, match="'nothing'"):
        rule_selection(JobRequest.model_validate({"rules": {"only": ["nothing"]}}))


def test_the_remaining_time_follows_from_the_pace() -> None:
    job = TuningJob(TASK, "t", "tunes", "", "m", {}, updates=4)
    assert job.seconds_left is None
    job.state, job.started = "running", time.monotonic() - 2.0
    job.curves = Curves(update=[1, 2], reward=[0.0, 0.0], diversity=[None, None], kl=[0.0, 0.0])
    assert job.progress == 0.5
    assert job.seconds_left == pytest.approx(2.0, abs=0.5)


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    async def fill() -> None:
        queue = TuningQueue(ModelRegistry(TunedModels(tmp_path / "models")))
        for _ in range(8):
            queue.add(JobRequest(**QUICK))
        with pytest.raises(TooManyRequestsError, match="waiting"):
            queue.add(JobRequest(**QUICK))
        await queue.close()
        assert [job.state for job in queue.jobs] == ["cancelled"] * 8

    asyncio.run(fill())


# --- the queue with a worker that only pretends to tune ---


class FakeWorker:
    """Reports and writes a file as a worker that tunes does; the seed decides how it ends."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.closed = threading.Event()

    def stream(self, task: TuningTask) -> Iterator[Any]:
        yield {"updates": task.updates}
        for update in range(1, task.updates + 1):
            yield {"update": update, "reward": 0.5 * update, "kl": None, "diversity": None}
            time.sleep(0.01)
        if task.seed == 9:
            self.closed.wait(60)
        if task.seed == 1:
            Path(task.out).write_bytes(b"tuned")
            yield None
        else:
            yield {7: Failure("it failed", "change it"), 8: Failure("its worker process crashed")}.get(
                task.seed, Failure("it was cancelled")
            )

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "Worker", FakeWorker)


@pytest.mark.usefixtures("fake_worker")
def test_jobs_run_in_order_and_end_in_their_states(tmp_path: Path) -> None:
    async def run() -> None:
        tuned = TunedModels(tmp_path / "models")
        queue = TuningQueue(ModelRegistry(tuned))
        done, failed, crashed, cancelled, last = (
            queue.add(JobRequest(**{**QUICK, "updates": 3, "seed": seed, "page": page, "name": "My  model"}))
            for seed, page in ((1, ""), (7, ""), (8, ""), (9, "page"), (1, ""))
        )
        assert [queue.describe(job).place for job in queue.jobs] == [1, 2, 3, 4, 5]
        states = [state async for state in queue.follow(done)]
        assert [state.state for state in states] == sorted(
            (state.state for state in states), key=["waiting", "running", "done"].index
        )
        assert states[-1].state == "done"
        assert states[-1].curves == Curves(
            update=[1, 2, 3], reward=[0.5, 1.0, 1.5], diversity=[None] * 3, kl=[None] * 3
        )
        assert states[-1].progress == 1.0
        assert tuned.names() == [states[-1].model]
        assert tuned.facts(str(states[-1].model)) == {
            "title": "My model", "untuned": "tunes", "rules": {"set": "paper", "weights": {}, "only": []},
        }  # fmt: skip
        while not cancelled.curves.update:
            await asyncio.sleep(0.01)
        queue.cancel_page("page")
        assert isinstance(cancelled.worker, FakeWorker)
        assert cancelled.worker.closed.is_set()
        async for _ in queue.follow(last):
            pass
        assert [job.state for job in queue.jobs] == ["done", "failed", "failed", "cancelled", "done"]
        assert failed.error == "it failed: change it"
        assert crashed.error == "its worker process crashed: start the tuning again"
        queue.cancel(last)
        assert last.state == "done"  # it has ended
        await queue.close()
        assert len(tuned.names()) == 2
        assert len([*(tmp_path / "models").iterdir()]) == 4

    asyncio.run(run())


def test_a_task_tunes_and_writes_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "use_threads", lambda _: None)  # it is set for the whole process
    monkeypatch.setattr(tuning_worker, "_MELODIES", 8)
    monkeypatch.setattr(tuning_worker, "_STEPS", 16)
    monkeypatch.setattr(tuning_worker, "_CHECKED_MELODIES", 16)
    reports: list[Json] = []
    task = TuningTask(str(find_bundle("tunes")), str(tmp_path / "tuned.safetensors"), "paper", {}, 30.0, 1, 1)
    tune_model(task, reports.append)
    assert reports[0] == {"updates": 1}
    assert [set(report) for report in reports[1:]] == [{"update", "reward", "kl", "diversity"}]
    bundle = Bundle.load(Path(task.out))
    assert bundle.prior_weights is not None
    assert "tuning" in bundle.provenance


# --- real workers ---


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def workers_of(pid: int) -> list[int]:
    """The tuning processes that a process has started and that are still running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_, nice = path.read_text().rpartition(")")[2].split()[:17]
        except OSError:
            continue
        if int(parent) == pid and state != "Z" and nice == "10":  # workers that tune run with low priority
            found.append(int(path.parent.name))
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def begin(client: httpx.Client, **body: Any) -> Json:
    answer = client.post("/api/jobs", json={**QUICK, **body})
    assert answer.status_code == 202, answer.text
    job: Json = answer.json()["job"]
    return job


def state_of(client: httpx.Client, job: Json) -> str:
    return str(client.get(f"/api/jobs/{job['id']}").json()["job"]["state"])


@pytest.mark.e2e
def test_two_tunings_run_one_after_the_other_and_their_models_compose(start: Start) -> None:
    studio = start()
    with studio.client() as client:
        first, second = begin(client, name="My  first", updates=2), begin(client, model="tunes+rl")
        assert (first["state"], second["state"]) == ("waiting", "waiting")
        assert second["place"] > 0
        states: list[Json] = []
        with client.stream("GET", f"/api/jobs/{first['id']}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    states.append(json.loads(line.removeprefix("data: ")))
                    assert state_of(client, second) == "waiting" or states[-1]["state"] == "done"
        names = [state["state"] for state in states]
        assert names[-1] == "done"
        assert names == sorted(names, key=["waiting", "running", "done"].index)
        assert states[-1]["curves"]["update"] == [1, 2]
        assert len(states[-1]["curves"]["reward"]) == len(states[-1]["curves"]["kl"]) == 2
        assert [state["progress"] for state in states] == sorted(state["progress"] for state in states)
        wait_until(lambda: state_of(client, second) == "done")
        models = {model["name"]: model for model in client.get("/api/models").json()["models"]}
        made = models[states[-1]["model"]]
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
        assert client.post("/api/compose", json={"model": made["name"]}).status_code == 404


@pytest.mark.e2e
def test_a_job_can_be_cancelled_and_the_next_one_runs(start: Start) -> None:
    studio = start()
    with studio.client() as client:
        long, waiting, last = begin(client, updates=1000), begin(client), begin(client, page="")
        wait_until(lambda: workers_of(studio.process.pid))
        (worker,) = workers_of(studio.process.pid)
        for job in (waiting, long):
            assert client.delete(f"/api/jobs/{job['id']}").json()["job"]["state"] == "cancelled"
        wait_until(lambda: not is_alive(worker), 10.0)
        wait_until(lambda: state_of(client, last) == "done")
        assert state_of(client, waiting) == "cancelled"
        assert client.delete(f"/api/jobs/{last['id']}").json()["job"]["state"] == "done"
    assert len([*(studio.home / "models").iterdir()]) == 2  # those of the last job


@pytest.mark.e2e
def test_a_killed_studio_leaves_no_worker_and_no_incomplete_model(start: Start) -> None:
    studio = start()
    with studio.client() as client:
        begin(client, updates=1000)
        wait_until(lambda: workers_of(studio.process.pid))
    (worker,) = workers_of(studio.process.pid)
    studio.end(signal.SIGKILL)
    wait_until(lambda: not is_alive(worker), 10.0)
    bundle = studio.home / "models" / "made-0123456789ab.safetensors"
    for path in (bundle, bundle.with_name(f".{bundle.name}.abcd.draft")):  # as if killed while it wrote
        path.write_bytes(b"incomplete")
    studio = start(home=studio.home)
    with studio.client() as client:
        assert not any(model["made_here"] for model in client.get("/api/models").json()["models"])
    assert list((studio.home / "models").iterdir()) == []


@pytest.mark.e2e
def test_closing_a_page_cancels_its_jobs(start: Start) -> None:
    studio = start()
    with studio.client() as client:
        with client.stream("GET", "/api/pages/p-1/events") as page:
            lines = page.iter_lines()  # httpx closes the stream when the iterator is dropped
            assert next(lines).startswith("retry")
            job, other = begin(client, updates=1000, page="p-1"), begin(client, updates=1000, page="")
            wait_until(lambda: state_of(client, job) == "running")
        wait_until(lambda: state_of(client, job) == "cancelled", 15.0)
        assert state_of(client, other) in ("waiting", "running")


@pytest.mark.e2e
def test_a_worker_that_is_killed_is_an_error(start: Start) -> None:
    studio = start()
    with studio.client() as client:
        job = begin(client, updates=1000)
        wait_until(lambda: workers_of(studio.process.pid))
        os.kill(workers_of(studio.process.pid)[0], signal.SIGKILL)
        wait_until(lambda: state_of(client, job) == "failed", 10.0)
        error = client.get(f"/api/jobs/{job['id']}").json()["job"]["error"]
    assert error == "its worker process crashed (SIGKILL): start the tuning again"
