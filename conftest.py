"""What the examples in docstrings share, and how the processes of the tests use memory."""

from __future__ import annotations

import gc

import pytest


def pytest_collection_finish() -> None:
    """Leave the many objects of the collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _few_melodies_are_counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of tuning measures thirty melodies a side, which go the way that a thousand would."""
    if request.node.name == "cantilena.workflows.tune.run.tune":
        monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 30)
