"""A network beside an n-gram: when both are mixed, what the mixture predicts, and what of it is tuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cantilena.generation import load
from cantilena.models import Bundle, NGramOptions
from cantilena.rl import TuningOptions
from cantilena.workflows import TrainOptions, run_training, run_tuning
from cantilena.workflows.train.blend import blending, score
from cantilena.workflows.train.config import may_blend, read_material, shape_and_training

TUNING = TuningOptions(updates=4, melodies=8, steps=16, device="cpu")


def request(corpus: Path, **fields: object) -> TrainOptions:
    """A network of eight cells, hardly trained."""
    return TrainOptions(str(corpus), width=8, epochs=2, batch=8, device="cpu", precision="float32", **fields)  # type: ignore[arg-type]


def test_a_network_is_blended_with_an_n_gram(tunes: Path, tmp_path: Path) -> None:
    asked = request(tunes, blend=True, order=4, echoes=1)
    done = run_training(asked, tmp_path / "run")
    bundle = Bundle.load(done.bundle)
    assert bundle.ngram is not None
    assert bundle.provenance["ngram"]["order"] == bundle.ngram.options.order == 4
    assert bundle.provenance["ngram"]["share"] == bundle.ngram.share
    material, _ = read_material(asked)
    assert score(bundle.model(), material.test, material) == pytest.approx(done.test)
    alone = run_training(request(tunes, echoes=1, blend=False), tmp_path / "alone")
    assert alone.answer()["blend"] is None
    assert Bundle.load(alone.bundle).ngram is None
    assert done.valid["nats_per_step"] < alone.valid["nats_per_step"]  # type: ignore[operator]
    told = done.answer()["blend"]
    assert told["network"]["test"] == pytest.approx(alone.test)
    assert told["blend"]["test"] == pytest.approx(done.test)
    assert told["share"] == bundle.ngram.share
    assert load(done.bundle).compose(bars=2, seed=1).tokens


def test_of_a_blend_the_network_alone_is_tuned(tunes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run_training(request(tunes, blend=True, echoes=1), tmp_path / "run")
    tuned = Bundle.load(run_tuning(str(done.bundle), TUNING, tmp_path / "tuned").bundle)
    assert tuned.ngram is None
    for name, weight in Bundle.load(done.bundle).weights.items():
        np.testing.assert_array_equal(tuned.prior_weights[name], weight)
    assert "the network alone is tuned" in capsys.readouterr().err


def test_a_network_that_is_not_clearly_ahead_of_the_n_gram_is_blended_by_itself(tunes: Path, tmp_path: Path) -> None:
    asked = request(tunes)  # two epochs of eight cells: far behind
    told = run_training(asked, tmp_path / "run").answer()["blend"]
    assert told["share"] > 0.5
    assert "worse than the n-gram" in told["why"]
    material, _ = read_material(asked)
    ahead = AlwaysRight()
    mixed = blending(ahead, material, NGramOptions(), wanted=None)
    assert mixed.blend is None
    assert mixed.model is ahead
    assert mixed.answer()["share"] == 0.0
    assert "better than the n-gram" in mixed.why
    wanted = blending(ahead, material, NGramOptions(), wanted=True).blend
    assert wanted is not None
    assert wanted.share < 0.01


def test_the_papers_network_is_never_blended_by_itself() -> None:
    for asked in ({"preset": "paper"}, {"input": "paper"}):
        shape, _ = shape_and_training(TrainOptions("tunes", **asked))  # type: ignore[arg-type]
        assert not may_blend(TrainOptions("tunes", **asked), shape)  # type: ignore[arg-type]


class AlwaysRight:
    """Gives whatever comes a probability of .9."""

    vocabulary_size, uses_bars = 38, False

    def log_probs(self, tokens: np.ndarray) -> np.ndarray:
        log_p = np.full((*tokens.shape, 38), np.log(0.1 / 37))
        np.put_along_axis(log_p, tokens[..., None], np.log(0.9), axis=-1)
        return log_p

    def start(self, melodies: int) -> tuple[np.ndarray, None]:
        return np.full((melodies, 38), -np.log(38)), None

    def step(self, tokens: np.ndarray, state: None) -> tuple[np.ndarray, None]:
        return np.full((len(tokens), 38), -np.log(38)), None
