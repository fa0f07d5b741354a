"""What a worker of a search says of trainings that go well, are stopped, or go astray."""

from __future__ import annotations

import math
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cantilena.errors import RunError
from cantilena.models import Bundle
from cantilena.workflows import TrainRequest
from cantilena.workflows.sweep import worker as sweep_worker
from cantilena.workflows.sweep.worker import EpochDone, Ready, TrialDone, TrialFailed, TrialOrder, serve


def conversation(request: TrainRequest, order: TrialOrder | None, answers: list[bool]) -> list[Any]:
    """All that a worker says, which is answered after each epoch in turn."""
    its_orders, orders = Pipe(duplex=False)
    messages, its_messages = Pipe(duplex=False)
    said = []
    with orders, messages:
        worker = Thread(target=serve, args=(its_orders, its_messages))
        worker.start()
        orders.send(request)
        said.append(messages.recv())
        if order is not None:
            orders.send(order)
            said.append(messages.recv())
            for answer in answers:
                orders.send(answer)
                said.append(messages.recv())
        orders.close()
        worker.join(timeout=60)
        assert not worker.is_alive()
    return said


@pytest.fixture
def order(corpus_file: Path, tmp_path: Path) -> TrialOrder:
    request = TrainRequest(str(corpus_file), width=8, embedding=8, epochs=3, batch=8, device="cpu", precision="float32")
    return TrialOrder(request, tmp_path / "trial-0.safetensors")


def test_it_reports_each_epoch_and_stops_where_it_is_told(order: TrialOrder) -> None:
    said = conversation(order.request, order, [False, False, False])
    assert isinstance(said[0], Ready)
    assert [(one.epoch, one.of) for one in said[1:4] if isinstance(one, EpochDone)] == [(1, 3), (2, 3), (3, 3)]
    assert isinstance(said[4], TrialDone)
    assert said[4].score["nats_per_step"] == min(one.loss for one in said[1:4])
    assert Bundle.load(order.bundle).provenance["training"]["epochs_done"] == 3
    order.bundle.unlink()
    stopped = conversation(order.request, order, [False, True])
    assert stopped[:3] == said[:3]
    assert stopped[3] == TrialDone(None)
    assert not order.bundle.exists()


def _nan(*_: object, after_epoch: Callable[[int, float], bool], **__: object) -> None:
    after_epoch(1, math.nan)


def _astray(*_: object, **__: object) -> None:
    raise RunError("training went astray:\nthe loss is not a number", "lower it")


def _memory(*_: object, **__: object) -> None:
    raise MemoryError


def _strange(*_: object, **__: object) -> None:
    raise ZeroDivisionError("x" * 1000)


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        (_nan, "the held-out loss after epoch 1 is not a number"),
        (_astray, "training went astray: the loss is not a number"),
        (_memory, "not enough memory"),
        (_strange, "ZeroDivisionError: xxx"),
    ],
)
def test_what_goes_astray_is_a_reason_of_one_line(
    order: TrialOrder, training: Callable[..., None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_worker, "learn_network", training)
    failed = conversation(order.request, order, [])[1]
    assert isinstance(failed, TrialFailed)
    assert failed.reason.startswith(reason)
    assert len(failed.reason) <= 300
    assert not order.bundle.exists()


def test_a_corpus_that_is_gone_is_told(tmp_path: Path) -> None:
    said = conversation(TrainRequest(str(tmp_path / "gone.arrow")), None, [])
    assert isinstance(said[0], TrialFailed)
    assert "gone.arrow" in said[0].reason
