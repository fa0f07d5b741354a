"""Each classifier by itself: it learns, its scores are probabilities, and only its generator is random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cantilena.discriminators import FAMILIES, Examples, make_classifier
from cantilena.discriminators.recurrent import Recurrent
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
Walks = Callable[..., Line]
QUICK = {"gru": Recurrent(updates=40)}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("name", [*FAMILIES, "trivial"])
def test_each_classifier_learns(walks: Walks, name: str) -> None:
    rng = np.random.default_rng(1)
    generated = np.arange(160) >= 80
    examples, others = (
        Examples(GRID.line(np.concatenate([_tokens(walks(rng, 80)), _tokens(walks(rng, 80, struck=0.2))])))
        for _ in range(2)
    )
    classifier = QUICK.get(name) or make_classifier(name)
    scores = [classifier.fit(examples, generated, np.random.default_rng(2))(others) for _ in range(2)]
    assert np.array_equal(scores[0], scores[1])
    assert np.all((scores[0] >= 0) & (scores[0] <= 1))
    assert np.mean((scores[0] > 0.5) == generated) > 0.9
    assert classifier.fit(examples, generated, rng)(others[:0]).shape == (0,)


def test_training_does_not_change_the_global_generator(walks: Walks) -> None:
    examples = Examples(walks(np.random.default_rng(1), 20, 16))
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    Recurrent(updates=3).fit(examples, np.arange(20) >= 10, np.random.default_rng(1))(examples)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", [*FAMILIES, "trivial"])
def test_identical_melodies_get_identical_scores(name: str) -> None:
    examples = Examples(GRID.line(np.full((40, 16), 62)))
    classifier = QUICK.get(name) or make_classifier(name)
    score = classifier.fit(examples, np.arange(40) >= 20, np.random.default_rng(1))(examples)
    assert len(set(score.tolist())) == 1
    assert score[0] == pytest.approx(0.5, abs=0.15)


def test_an_unknown_classifier_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown classifier 'oracle'"):
        make_classifier("oracle")


def _tokens(line: Line) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.where(line.event == 2, line.pitch.astype(np.int64) + 2, line.event)
