"""Recorded melodies have the log probabilities and the gradient of a forward pass of their own."""

from __future__ import annotations

import pytest
import torch

from cantilena.models import Bars, Network, NetworkOptions, recorded
from cantilena.rl import sample_melodies

BARS = Bars.common_time(70)


def drawn(network: Network) -> torch.Tensor:
    return sample_melodies(network, 70, 20, torch.Generator().manual_seed(2), bars=BARS)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_tape_has_the_gradient_of_a_forward_pass(layers: int) -> None:
    network = Network(NetworkOptions(width=16, embedding=12, layers=layers), 38)
    with recorded(network) as tape:
        tokens = drawn(network)
    assert tape is not None
    assert network.tape is None
    weights = torch.randn(70, 20, generator=torch.Generator().manual_seed(3))
    gradients = []
    for log_probs in (tape.log_probs(), network.log_probs(tokens, bars=BARS)):
        chosen = log_probs.gather(-1, tokens[..., None])[..., 0]
        gradients.append(torch.autograd.grad((chosen * weights).sum(), list(network.parameters())))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(tape.log_probs(), network.log_probs(tokens, bars=BARS))


def test_a_tape_holds_the_first_melodies_that_are_drawn() -> None:
    network = Network(NetworkOptions(width=8, embedding=8), 38)
    with recorded(network) as tape:
        drawn(network)
        drawn(network)
    assert tape is not None
    assert len(tape.rows) == 20


@pytest.mark.parametrize(
    "shape", [NetworkOptions(core="gru"), NetworkOptions(attention=8), NetworkOptions(input="paper")]
)
def test_other_networks_are_not_recorded(shape: NetworkOptions) -> None:
    with recorded(Network(shape, 38)) as tape:
        assert tape is None


@pytest.mark.parametrize("layers", [1, 2])
def test_many_melodies_are_stepped_without_a_gradient(layers: int) -> None:
    network = Network(NetworkOptions(width=16, embedding=12, layers=layers), 38)
    tokens = drawn(network)
    with torch.no_grad():
        stepped = network.log_probs(tokens, bars=BARS)
    torch.testing.assert_close(stepped, network.log_probs(tokens, bars=BARS).detach())
