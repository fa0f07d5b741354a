"""Training a VAE: it learns to say windows back, keeps its codes alive, and goes on after a kill to the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.models import MelodyVae, Sequences, VaeNetwork, VaeOptions, Windows, bound, reconstruction
from cantilena.training import Trained, TrainingOptions, VaeLearning, train_vae
from cantilena.training import loop as keeping
from cantilena.training.loop import CHECKPOINT, METRICS

SHAPE = VaeOptions(bars=1, latent=4, encoder=8, width=12, embedding=8, reading=4, plan=4, hidden=16)
OPTIONS = TrainingOptions(
    epochs=3, budget=0, batch=8, checkpoint_seconds=0.0, learning_rate=0.02, warmup=2, precision="float32"
)
LEARNING = VaeLearning(free_bits=0.5)


def bars_of_two(pieces: int, seed: int) -> Sequences:
    """Bars of sixteen steps that hold one of six tokens, then another: a code can say which."""
    rng = np.random.default_rng(seed)
    return Sequences.from_tokens([np.repeat(rng.integers(0, 6, 6), 8) for _ in range(pieces)])


TRAIN, VALID = bars_of_two(24, 1), bars_of_two(6, 2)


def trained(**named: object) -> Trained[VaeNetwork]:
    options = replace(OPTIONS, **{name: value for name, value in named.items() if hasattr(OPTIONS, name)})
    rest = {name: value for name, value in named.items() if not hasattr(OPTIONS, name)}
    asked = {"shape": SHAPE, "learning": LEARNING, "quiet": True, **rest}
    return train_vae(TRAIN, VALID, vocabulary_size=6, training=options, **asked)  # type: ignore[arg-type]


def same(one: VaeNetwork, other: VaeNetwork) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_it_learns_to_say_bars_back_and_its_codes_stay_alive() -> None:
    shape = replace(SHAPE, dropout=0.0, width=24, hidden=32, latent=6)
    result = trained(shape=shape, epochs=60, patience=60, learning=VaeLearning(free_bits=1.0))
    vae = MelodyVae(shape, result.network.numpy_weights())
    windows = Windows.from_sequences(VALID, 1).sequences
    assert reconstruction(vae, windows).steps > 0.8
    found = bound(vae, windows, 8, np.random.default_rng(1))
    assert found.active >= 0.5
    assert found.per_step(found.weighted) < 0.6  # evens: ln 6 = 1.79
    assert result.valid == min(entry["valid"] for entry in result.history)


def test_the_same_seed_gives_the_same_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    one = trained()
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(one.network, trained().network)
    assert not same(one.network, trained(seed=2).network)


@pytest.mark.parametrize("saves", [1, 4, 7, 11])
def test_a_training_that_was_cut_off_goes_on_to_the_identical_vae(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    whole = trained(averaging=0.5)
    real, done = keeping.save_checkpoint, []

    def cut_off(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        done.append(1)
        if len(done) == saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(keeping, "save_checkpoint", cut_off)
    with pytest.raises(KeyboardInterrupt):
        trained(averaging=0.5, folder=tmp_path)
    monkeypatch.setattr(keeping, "save_checkpoint", real)
    result = trained(averaging=0.5, folder=tmp_path, resume=True)
    assert same(whole.network, result.network)
    assert result.history == whole.history
    assert len((tmp_path / METRICS).read_text().splitlines()) == 3


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(folder=tmp_path, epochs=1)
    assert (tmp_path / CHECKPOINT).exists()
    with pytest.raises(RunError, match="other options"):
        trained(folder=tmp_path, epochs=1, learning=VaeLearning(free_bits=0.4), resume=True)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(CorpusError, match="no piece"):
        train_vae(Sequences.from_tokens([]), VALID, vocabulary_size=6)
    for named, words in (
        ({"free_bits": -1.0}, "free bits"),
        ({"kl_warmup": 2.0}, "KL warm-up"),
        ({"word_dropout": float("nan")}, "word dropout"),
    ):
        with pytest.raises(UsageError, match=words):
            VaeLearning(**named)
