"""The interface of the listening test keeps what its own description promises, whatever is asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings, strategies

from cantilena.listening.server.app import make_app
from cantilena.listening.server.auth import Arrivals
from cantilena.listening.server.state import ListeningRoom
from cantilena.server import ServerOptions

FEW, MANY = 12, 250
"""Requests to each address in the ordinary tests, and in the slow ones."""

MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
"""Requests as they are described, and others."""


@pytest.fixture(scope="module")
def served_room(tmp_path_factory: pytest.TempPathFactory, make_study: Any) -> ListeningRoom:
    folder = tmp_path_factory.mktemp("contract")
    study = make_study(folder / "study.zip", listeners=20)
    room = ListeningRoom(folder / "study.zip", study, folder / "answers.sqlite")
    room.arrivals = Arrivals(at_once=10**6)
    return room


@pytest.fixture(scope="module")
def described(served_room: ListeningRoom) -> Iterator[Any]:
    """The interface as the server describes it that answers over a socket."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(make_app(served_room, ServerOptions()), log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json")
        server.should_exit = True
        thread.join(10)


def ask_everything(described: Any, key: str, examples: int, *, same: bool) -> set[int]:
    """Ask each address with a key and without; the statuses that were met."""
    met = set()
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            derandomize=same,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=strategies.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES]))
        def ask(case: schemathesis.Case) -> None:
            answer = case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, excluded_checks=too_strict())
            met.add(answer.status_code)

        ask()
    return met


def too_strict() -> list[Any]:
    """Checks that ask for more than a description in JSON Schema can say."""
    from schemathesis.specs.openapi import checks

    return [
        checks.positive_data_acceptance,  # a trial may not have come yet
        checks.negative_data_rejection,  # the number of a place is a text in the address
        checks.unsupported_method,
        checks.ignored_auth,  # a key is shown with all requests
    ]


def sat_down(room: ListeningRoom, steps: int) -> str:
    """The key of somebody who has gone so far."""
    key = room.book.begin(10**6)
    listener = room.book.sitting(key).listener
    done = ["training-0", *(f"headphones-0-{n}" for n in range(3)), "volume-0", "practice-0"]
    for name in done[:steps]:
        room.book.write_step(listener, name, name[-1] if name.startswith("headphones") else "")
    if steps > len(done):
        room.seat(room.book.sitting(key))
    return key


@pytest.mark.parametrize("steps", [0, 4, 7])
def test_whatever_a_listener_asks_is_answered_as_described(
    described: Any, served_room: ListeningRoom, steps: int
) -> None:
    met = ask_everything(described, sat_down(served_room, steps), FEW, same=True)
    assert {200, 403, 422} <= met
    assert not any(status >= 500 for status in met)


def test_whatever_those_who_run_it_ask_is_answered_as_described(described: Any, served_room: ListeningRoom) -> None:
    assert {200, 404} <= ask_everything(described, served_room.admin_key, FEW, same=True)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 4, 7])
def test_much_more_is_answered_as_described_too(described: Any, served_room: ListeningRoom, steps: int) -> None:
    ask_everything(described, sat_down(served_room, steps), MANY, same=False)


def test_everything_is_described(served_room: ListeningRoom) -> None:
    description = make_app(served_room, ServerOptions()).openapi()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"
