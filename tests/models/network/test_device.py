"""What networks learn in: bfloat16 only where an LSTM of that width learns in it from the right gradients."""

from __future__ import annotations

import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import Network, NetworkOptions, autocast, choose_precision, supports_bfloat16
from cantilena.models.network import device as device_file

CPU = torch.device("cpu")
WIDTHS = (8, 128, pytest.param(1024, marks=pytest.mark.e2e))


@pytest.fixture(autouse=True)
def tried_anew():
    supports_bfloat16.cache_clear()
    yield
    supports_bfloat16.cache_clear()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_width_that_passes_the_trial_learns_from_nearly_the_gradients_of_float32(width: int) -> None:
    if not supports_bfloat16(CPU, width):
        assert choose_precision("auto", CPU, width) is torch.float32
        with pytest.raises(UsageError, match=f"LSTM layers of {width} cells"):
            choose_precision("bfloat16", CPU, width)
        return
    tokens = torch.arange(24).remainder(5).view(4, 6)
    gradients = []
    for precision in (torch.float32, torch.bfloat16):
        network = Network(NetworkOptions(layers=2, width=width, embedding=16), vocabulary_size=5, seed=1)
        with autocast(CPU, precision):
            scores = network.scores(tokens)
        torch.nn.functional.cross_entropy(scores.flatten(0, 1), tokens.flatten()).backward()
        gradients.append([weight.grad.flatten() for weight in network.core.parameters()])
    for exact, rounded in zip(*gradients, strict=True):
        assert torch.cosine_similarity(exact, rounded, dim=0) > 0.98


def test_wrong_gradients_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = device_file._gradient

    def wrong(device: torch.device, width: int, precision: torch.dtype) -> torch.Tensor:
        gradient = right(device, width, torch.float32)
        return gradient.roll(1) if precision is torch.bfloat16 else gradient

    monkeypatch.setattr(device_file, "_gradient", wrong)
    monkeypatch.setattr(device_file, "cpu_has_bfloat16", lambda: True)
    assert not supports_bfloat16(CPU, 8)
    assert choose_precision("auto", CPU, 8) is torch.float32


def test_a_missing_kernel_means_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> torch.Tensor:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(device_file, "_gradient", missing)
    assert not supports_bfloat16(CPU, 8)


def test_the_trial_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    assert supports_bfloat16(CPU, 16) == supports_bfloat16(CPU, 16)
    assert torch.equal(torch.random.get_rng_state(), before)
