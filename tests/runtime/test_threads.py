"""Small products are computed on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from cantilena.generation import load
from cantilena.models.network.inference import NumpyCells
from cantilena.runtime import one_blas_thread


def blas_threads() -> int:
    return max(library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info())


@pytest.fixture
def two_threads() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.usefixtures("two_threads")
def test_one_blas_thread_is_restored_to_as_many_as_before() -> None:
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread():
            assert blas_threads() == 1
        assert blas_threads() == 1
    assert blas_threads() == before


@pytest.mark.usefixtures("two_threads")
def test_a_small_model_composes_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    step, seen = NumpyCells.__call__, set()

    def observed(*args: Any) -> Any:
        seen.add(blas_threads())
        return step(*args)

    monkeypatch.setattr(NumpyCells, "__call__", observed)
    load("tunes+rl-tuner").compose_many(2, bars=1)
    assert seen == {1}
