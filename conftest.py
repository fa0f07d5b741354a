"""What the examples in docstrings share, and how the processes of the tests use memory."""

from __future__ import annotations

import gc
from collections import Counter

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make all but the first cases of a test with the mark `quick_cases` e2e tests."""
    seen = Counter[str]()
    for item in items:
        mark, name = item.get_closest_marker("quick_cases"), item.nodeid.partition("[")[0]
        if mark is not None and item.get_closest_marker("e2e") is None:
            seen[name] += 1
            if seen[name] > mark.args[0]:
                item.add_marker(pytest.mark.e2e)


def pytest_collection_finish() -> None:
    """Leave the many objects of the collected tests out of later garbage collections, and make full ones rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 100)


@pytest.fixture(autouse=True)
def _few_melodies_are_counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of tuning measures thirty melodies a side, which go the way that a thousand would."""
    if request.node.name == "cantilena.workflows.tune.run.tune":
        monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 30)
