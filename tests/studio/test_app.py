"""The studio as a whole: its OpenAPI description, its command, and many clients at once."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings, strategies

from cantilena.cli import main
from cantilena.generation import ComposeOptions, load
from cantilena.studio import StudioOptions, make_app
from cantilena.studio.services.jobs import TuningQueue

from .conftest import EVENT_STREAM, Json, Running, notes_json

Start = Callable[..., Running]


# --- the OpenAPI description ---


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return make_app(StudioOptions(home=tmp_path_factory.mktemp("description")))


def test_everything_is_described(app: FastAPI) -> None:
    description = app.openapi()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"
            for parameter in operation.get("parameters", ()):
                assert parameter["schema"].keys() - {"title"}, f"{method} {path}"
    for name, schema in description["components"]["schemas"].items():
        if name.endswith("Request"):
            for field, properties in schema["properties"].items():
                assert properties.get("description"), f"{name}.{field}"


def test_the_documentation_lists_every_address(app: FastAPI) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "studio-api.md").read_text(encoding="utf-8")
    missing = [path for path in app.openapi()["paths"] if f"`{path}`" not in text and f" {path}`" not in text]
    assert missing == []


@pytest.fixture(scope="module")
def schema(app: FastAPI) -> Iterator[schemathesis.schemas.BaseSchema]:
    """The description of a studio that answers on a socket."""

    async def wait(_: TuningQueue) -> None:
        return

    with pytest.MonkeyPatch.context() as patch, socket.socket() as listening:
        patch.setattr(TuningQueue, "_run_all", wait)  # jobs are queued, and no model is tuned
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # Streams of events do not end; they have tests of their own.
        yield schemathesis.openapi.from_url(f"{address}/openapi.json").exclude(path_regex="events$")
        server.should_exit = True
        thread.join(10)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("examples", "is_reproducible"), [(15, True), pytest.param(250, False, marks=pytest.mark.slow)]
)
def test_valid_and_invalid_requests_are_answered_as_described(
    schema: schemathesis.schemas.BaseSchema, examples: int, is_reproducible: bool
) -> None:
    from schemathesis.specs.openapi import checks

    excluded = [
        checks.positive_data_acceptance,  # `Z major` fits the schema, and is not a key
        checks.unsupported_method,
        checks.negative_data_rejection,  # in a query, a text such as 1 is a number too
    ]
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            derandomize=is_reproducible,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=strategies.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=excluded)

        check()


# --- the command ---


def test_a_port_in_use_ends_the_command_with_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["studio", "--port", str(port), "--no-open", "--home", str(tmp_path), "--json"]) == 1
    out, err = capsys.readouterr()
    assert f"127.0.0.1:{port}" in err
    assert "--port 0" in err
    assert set(json.loads(out)) == {"error", "hint"}
    assert "Traceback" not in err


def test_a_data_folder_that_is_a_file_ends_the_command_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["studio", "--port", "0", "--no-open", "--home", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("error: cannot create the studio's folder")


@pytest.mark.e2e
@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_although_pages_and_jobs_are_open(start: Start, with_signal: int) -> None:
    studio = start()
    with studio.client() as client:
        job = client.post("/api/jobs", json={"model": "tunes", "updates": 500}).json()["job"]
        are_open = threading.Barrier(3)

        def hold(path: str) -> None:
            with client.stream("GET", path) as stream:
                lines = stream.iter_lines()
                next(lines)
                are_open.wait(10)
                with suppress(Exception):  # the studio has ended
                    for _ in lines:
                        pass

        paths = ["/api/pages/one/events", f"/api/jobs/{job['id']}/events"]
        threads = [threading.Thread(target=hold, args=(path,), daemon=True) for path in paths]
        for thread in threads:
            thread.start()
        are_open.wait(10)
        status = studio.end(with_signal)
        for thread in threads:
            thread.join(5)
    assert status in (0, -with_signal, 128 + with_signal)


@pytest.mark.e2e
def test_two_studios_can_share_a_data_folder(start: Start) -> None:
    first = start()
    second = start(home=first.home)
    for studio in (first, second):
        with studio.client() as client:
            candidate = {"melody": {"notes": [{"onset": 0, "duration": 24, "pitches": [60]}]}}
            assert client.post("/api/history", json={"candidate": candidate}).status_code == 201
            total = client.get("/api/history").json()["total"]
    assert total == 2


@pytest.mark.e2e
def test_fifty_clients_at_once_each_get_their_own_response(live: Running) -> None:
    composer, seeds = load("tunes"), range(50)
    expected = {seed: notes_json(composer.compose_many(1, ComposeOptions(bars=4), seed=seed)[0]) for seed in seeds}
    barrier = threading.Barrier(len(seeds))

    def compose(seed: int) -> tuple[int, Json]:
        is_streamed = seed % 2 == 0
        with live.client() as client:
            barrier.wait(30)
            body = {"model": "tunes", "bars": 4, "seed": seed}
            answer = client.post("/api/compose", json=body, headers=EVENT_STREAM if is_streamed else {})
        assert answer.status_code == 200, answer.text
        if not is_streamed:
            return seed, answer.json()["candidates"][0]
        (block,) = [block for block in answer.text.split("\n\n") if block.startswith("event: candidate")]
        return seed, json.loads(block.split("\n")[1].removeprefix("data: "))

    with ThreadPoolExecutor(len(seeds)) as threads:
        for seed, candidate in threads.map(compose, seeds):
            assert candidate["seed"] == seed
            assert candidate["melody"]["notes"] == expected[seed]
