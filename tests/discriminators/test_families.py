"""Every family by itself: what it learns, what it answers, and that nothing but its generator decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cantilena.discriminators import FAMILIES, Examples, family
from cantilena.discriminators.recurrent import Recurrent
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
Walks = Callable[..., Line]
QUICKLY = {"gru": Recurrent(updates=40)}


@pytest.mark.parametrize("name", [*FAMILIES, "trivial"])
def test_each_learns_what_it_can_hear(walks: Walks, name: str) -> None:
    rng = np.random.default_rng(1)
    generated = np.arange(160) >= 80
    heard, others = (
        Examples(GRID.line(np.concatenate([_tokens(walks(rng, 80)), _tokens(walks(rng, 80, struck=0.2))])))
        for _ in range(2)
    )
    kind = QUICKLY.get(name) or family(name)
    scores = [kind.fit(heard, generated, np.random.default_rng(2)).score(others) for _ in range(2)]
    assert np.array_equal(scores[0], scores[1])
    assert np.all((scores[0] >= 0) & (scores[0] <= 1))
    assert np.mean((scores[0] > 0.5) == generated) > 0.9
    assert kind.fit(heard, generated, rng).score(others[:0]).shape == (0,)


def test_a_network_leaves_torchs_own_generator_as_it_was(walks: Walks) -> None:
    heard = Examples(walks(np.random.default_rng(1), 20, 16))
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    Recurrent(updates=3).fit(heard, np.arange(20) >= 10, np.random.default_rng(1)).score(heard)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", [*FAMILIES, "trivial"])
def test_what_is_all_the_same_is_told_by_nobody(name: str) -> None:
    heard = Examples(GRID.line(np.full((40, 16), 62)))
    kind = QUICKLY.get(name) or family(name)
    score = kind.fit(heard, np.arange(40) >= 20, np.random.default_rng(1)).score(heard)
    assert len(set(score.tolist())) == 1
    assert score[0] == pytest.approx(0.5, abs=0.15)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(UsageError, match="no classifier 'oracle'"):
        family("oracle")


def _tokens(line: Line) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.where(line.event == 2, line.pitch.astype(np.int64) + 2, line.event)
