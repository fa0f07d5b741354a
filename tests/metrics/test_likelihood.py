"""The entropy of the next token, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics import entropies, entropy_per_step


def test_entropy_by_hand() -> None:
    even, certain = [math.log(1 / 4)] * 4, [0.0, -math.inf, -math.inf, -math.inf]
    half = [math.log(1 / 2), math.log(1 / 2), -math.inf, -math.inf]
    log_p = np.array([[even, certain], [half, half]])
    np.testing.assert_allclose(entropies(log_p), [[math.log(4), 0.0], [math.log(2), math.log(2)]])
    assert entropy_per_step(log_p) == pytest.approx(math.log(2))
    assert entropy_per_step(log_p, np.array([1, 0])) == pytest.approx(math.log(4))
    assert entropy_per_step(log_p.astype(np.float32)) == pytest.approx(math.log(2))
    assert math.isnan(entropy_per_step(np.zeros((0, 8, 4))))
    assert math.isnan(entropy_per_step(log_p, np.array([0, 0])))
    assert not np.signbit(entropies(log_p)).any()


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 4)), np.zeros((2, 3, 4)), np.full((1, 1, 4), np.nan), np.full((1, 1, 4), 1e6)]
)
def test_scores_are_not_taken_for_log_probabilities(wrong: NDArray[np.float64]) -> None:
    with pytest.raises(UsageError):
        entropies(wrong)
