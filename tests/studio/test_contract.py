"""The interface keeps what its own description promises, whatever is asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings, strategies

from cantilena.studio import StudioOptions, make_app
from cantilena.studio.services.jobs import TuningQueue

FEW, MANY = 15, 250
"""Requests to each address in the ordinary tests, and in the slow ones."""


MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
"""Requests as they are described, and others."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return make_app(StudioOptions(home=tmp_path_factory.mktemp("contract")))


@pytest.fixture(scope="module")
def described(app: FastAPI) -> Iterator[Any]:
    """The interface as a studio describes it that answers over a socket."""

    async def waits_for_ever(_: TuningQueue) -> None:
        return

    with pytest.MonkeyPatch.context() as patch, socket.socket() as listening:
        patch.setattr(TuningQueue, "_run_all", waits_for_ever)  # jobs are taken into the queue, and no network is tuned
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # Streams have no end; they are looked at elsewhere.
        yield schemathesis.openapi.from_url(f"{address}/openapi.json").exclude(path_regex="events$")
        server.should_exit = True
        thread.join(10)


def ask_everything(described: Any, examples: int, *, same: bool) -> None:
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
            case.call_and_validate(excluded_checks=too_strict())

        ask()


def test_whatever_is_asked_is_answered_as_described(described: Any) -> None:
    ask_everything(described, FEW, same=True)


@pytest.mark.slow
def test_much_more_is_answered_as_described_too(described: Any) -> None:
    ask_everything(described, MANY, same=False)


def too_strict() -> list[Any]:
    """Checks that ask for more than a description in JSON Schema can say."""
    from schemathesis.specs.openapi import checks

    return [
        checks.positive_data_acceptance,  # `Z major` is text as the schema has it, and no key
        checks.unsupported_method,
        checks.negative_data_rejection,  # a text that JSON would call a number is taken for one in a query
    ]


def test_everything_is_described(app: FastAPI) -> None:
    description = app.openapi()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            told = f"{method} {path}"
            assert operation.get("description"), told
            for parameter in operation.get("parameters", ()):
                assert parameter["schema"].keys() - {"title"}, told
    for name, shape in description["components"]["schemas"].items():
        if name.endswith("Request"):
            for field, facts in shape["properties"].items():
                assert facts.get("description"), f"{name}.{field}"


def test_the_document_of_the_interface_names_every_address(app: FastAPI) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "studio-api.md").read_text(encoding="utf-8")
    missing = [path for path in app.openapi()["paths"] if f"`{path}`" not in text and f" {path}`" not in text]
    assert missing == []
