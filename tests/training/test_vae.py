"""Training of a VAE: it reconstructs windows, keeps its latent dimensions active, and resumes bit-identically."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cantilena.errors import CorpusError, RunError
from cantilena.models import MelodyVae, Sequences, VaeNetwork, VaeOptions, Windows, bound, reconstruction
from cantilena.training import TrainingOptions, TrainResult, VaeTrainingOptions, loop, train_vae
from cantilena.training.checkpointing import save_checkpoint
from cantilena.training.loop import CHECKPOINT, METRICS

SHAPE = VaeOptions(bars=1, latent=4, encoder=8, width=12, embedding=8, reading=4, plan=4, hidden=16)
OPTIONS = TrainingOptions(
    epochs=3, budget=0, batch=8, checkpoint_seconds=0.0, learning_rate=0.02, warmup=2, precision="float32"
)
LEARNING = VaeTrainingOptions(free_bits=0.5)


def bars_of_two(pieces: int, seed: int) -> Sequences:
    """Bars of sixteen steps that hold one of six tokens, then another: a code can represent which."""
    rng = np.random.default_rng(seed)
    return Sequences.from_tokens([np.repeat(rng.integers(0, 6, 6), 8) for _ in range(pieces)])


TRAIN, VALID = bars_of_two(24, 1), bars_of_two(6, 2)


def trained(**named: object) -> TrainResult[VaeNetwork]:
    options = replace(OPTIONS, **{name: value for name, value in named.items() if hasattr(OPTIONS, name)})
    rest = {name: value for name, value in named.items() if not hasattr(OPTIONS, name)}
    arguments = {"shape": SHAPE, "learning": LEARNING, "quiet": True, **rest}
    return train_vae(TRAIN, VALID, vocabulary_size=6, training=options, **arguments)  # type: ignore[arg-type]


def same(one: VaeNetwork, other: VaeNetwork) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.fixture(scope="session")
def whole() -> TrainResult[VaeNetwork]:
    return trained(ema_decay=0.5)


def test_the_validation_loss_falls(whole: TrainResult[VaeNetwork]) -> None:
    losses = [entry["valid"] for entry in whole.history]
    assert losses[-1] < losses[0]
    assert whole.valid == min(losses)


@pytest.mark.e2e
def test_it_reconstructs_bars_and_its_latent_dimensions_stay_active() -> None:
    shape = replace(SHAPE, dropout=0.0, width=24, hidden=32, latent=6)
    result = trained(shape=shape, epochs=60, patience=60, learning=VaeTrainingOptions(free_bits=1.0))
    vae = MelodyVae(shape, result.network.numpy_weights())
    windows = Windows.from_sequences(VALID, 1).sequences
    assert reconstruction(vae, windows).steps > 0.8
    measured = bound(vae, windows, 8, np.random.default_rng(1))
    assert measured.active >= 0.5
    assert measured.per_step(measured.weighted) < 0.6  # a uniform guess: ln 6 = 1.79
    assert result.valid == min(entry["valid"] for entry in result.history)


def test_the_seed_determines_the_result_and_the_global_generator_is_unchanged(whole: TrainResult[VaeNetwork]) -> None:
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    again = trained(ema_decay=0.5)
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(whole.network, again.network)
    assert not same(whole.network, trained(ema_decay=0.5, seed=2).network)


@pytest.mark.parametrize("saves", [1, 7, *(pytest.param(many, marks=pytest.mark.e2e) for many in (4, 11))])
def test_an_interrupted_training_resumes(
    whole: TrainResult[VaeNetwork], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    done = []

    def interrupted(*args: object) -> None:
        save_checkpoint(*args)  # type: ignore[arg-type]
        done.append(1)
        if len(done) == saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(ema_decay=0.5, folder=tmp_path)
    monkeypatch.undo()
    result = trained(ema_decay=0.5, folder=tmp_path, resume=True)
    assert same(whole.network, result.network)
    assert result.history == whole.history
    assert len((tmp_path / METRICS).read_text().splitlines()) == 3


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(folder=tmp_path, epochs=1)
    assert (tmp_path / CHECKPOINT).exists()
    with pytest.raises(RunError, match="other options"):
        trained(folder=tmp_path, epochs=1, learning=VaeTrainingOptions(free_bits=0.4), resume=True)


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(CorpusError, match="no training pieces"):
        train_vae(Sequences.from_tokens([]), VALID, vocabulary_size=6)
