"""The HTTP interface: what the OpenAPI document says, and that the server keeps to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings, strategies

from cantilena.listening import read_study
from cantilena.listening.server.app import make_app
from cantilena.listening.server.auth import RateLimit
from cantilena.listening.server.state import ServedStudy
from cantilena.server import ServerOptions

SOME, MANY = 12, 250
"""Requests to each operation."""


def test_the_interface_is_unchanged(served: ServedStudy) -> None:
    document = make_app(served, ServerOptions()).openapi()
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    puts = ("training", "headphones/{turn}/{number}", "volume", "practice/{number}", "ready", "pause/{number}",
            "answers/{position}")  # fmt: skip
    assert set(operations) == {
        *(("get", f"/api/admin/{name}") for name in ("progress", "listeners.csv", "answers.csv")),
        *(("get", f"/api/{name}") for name in ("study", "sitting", "sitting/sound")),
        ("post", "/api/sittings"),
        *(("put", f"/api/sitting/{name}") for name in puts),
    }
    assert all(operation.get("description") for operation in operations.values())
    properties = {name: set(schema["properties"]) for name, schema in document["components"]["schemas"].items()}
    assert {"error", "hint"} in properties.values()
    assert properties.items() >= {
        "About": {"title", "words", "trials", "minutes", "headphones", "attention", "least_heard"},
        "Begun": {"key", "state"},
        "Consent": {"consent"},
        "ListenerRow": {"listener", "session", "answered", "of", "headphones"},
        "OwnScore": {"people", "people_right", "computers", "computers_right"},
        "Progress": {"title", "digest", "sessions", "consented", "began", "finished", "complete", "answers",
                     "listeners"},
        "Quietest": {"quietest"},
        "State": {"place", "stage", "number", "of", "turn", "answered", "trials", "score"},
        "Training": {"years"},
        "TrialAnswer": {"answer", "confidence", "knows_piece", "seconds_heard", "liking", "classical", "ticket"},
    }.items()  # fmt: skip


@pytest.fixture(scope="module")
def served_study(tmp_path_factory: pytest.TempPathFactory, tone_study: Any) -> ServedStudy:
    folder = tmp_path_factory.mktemp("openapi")
    tone_study(folder / "study.zip", listeners=20)
    served = ServedStudy(folder / "study.zip", read_study(folder / "study.zip"), folder / "answers.sqlite")
    served.rate_limit = RateLimit(burst=10**6)
    return served


@pytest.fixture(scope="module")
def document(served_study: ServedStudy) -> Iterator[Any]:
    """The OpenAPI document of a server that listens on a socket."""
    schemathesis = pytest.importorskip("schemathesis")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(
            uvicorn.Config(make_app(served_study, ServerOptions()), log_level="critical", ws="none")
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json")
        server.should_exit = True
        thread.join(10)


def request_everything(document: Any, key: str, examples: int, *, derandomize: bool) -> set[int]:
    """Send valid and invalid requests to each operation, validate the responses, and return their statuses."""
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi import checks

    excluded = [  # these need more than JSON Schema can express
        checks.positive_data_acceptance,  # a step may not have been reached
        checks.negative_data_rejection,  # numbers of steps are text in the path
        checks.unsupported_method,
        checks.ignored_auth,  # every request has a key
    ]
    statuses = set()
    for found in document.get_all_operations():
        operation = found.ok()
        modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            derandomize=derandomize,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=strategies.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
        def request(case: Any) -> None:
            response = case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, excluded_checks=excluded)
            statuses.add(response.status_code)

        request()
    return statuses


def key_after(served: ServedStudy, steps: int) -> str:
    """The key of a participant who has completed so many steps."""
    key = served.store.add_participant(10**6)
    listener = served.store.participant(key).listener
    names = ["training-0", *(f"headphones-0-{n}" for n in range(3)), "volume-0", "practice-0"]
    for name in names[:steps]:
        served.store.add_step(listener, name, name[-1] if name.startswith("headphones") else "")
    if steps > len(names):
        served.begin_trials(served.store.participant(key))
    return key


@pytest.mark.e2e
@pytest.mark.parametrize("steps", [0, 4, 7])
def test_responses_to_listeners_are_as_described(document: Any, served_study: ServedStudy, steps: int) -> None:
    statuses = request_everything(document, key_after(served_study, steps), SOME, derandomize=True)
    assert {200, 403, 422} <= statuses
    assert not any(status >= 500 for status in statuses)


@pytest.mark.e2e
def test_responses_to_the_admin_are_as_described(document: Any, served_study: ServedStudy) -> None:
    assert {200, 404} <= request_everything(document, served_study.admin_key, SOME, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 4, 7])
def test_responses_to_many_requests_are_as_described(document: Any, served_study: ServedStudy, steps: int) -> None:
    request_everything(document, key_after(served_study, steps), MANY, derandomize=False)
