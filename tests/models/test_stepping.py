"""Stepping in bfloat16: a stated choice that changes log probabilities little, and float32 not at all."""

import numpy as np
import pytest
import torch

from cantilena.models import Bars, Bundle, Network, NetworkOptions, find_bundle

TOKENS = np.random.default_rng(0).integers(0, 38, (3, 40))
BARS = Bars(np.array([16, 12, 5]), np.array([0, 4, 0]))


def stepped(network, tokens, bars=None, precision=torch.float32):
    network.stepping = precision
    log_probs, state = network.start(len(tokens), bars=bars)
    heard = [log_probs]
    for step in range(tokens.shape[1] - 1):
        log_probs, state = network.step(tokens[:, step], state)
        heard.append(log_probs)
    network.stepping = torch.float32
    return torch.stack(heard, dim=1)


@pytest.mark.parametrize("more", [{}, {"layers": 3}, {"attention": 4, "echoes": 1}, {"width": 520}], ids=str)
@pytest.mark.parametrize("core", ["lstm", "gru", "rnn"])
def test_bfloat16_stays_near_float32(core, more):
    network = Network(NetworkOptions(core=core, embedding=16, **{"width": 24, **more}), 38, seed=1)
    low = stepped(network, TOKENS, BARS, torch.bfloat16)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.exp().sum(-1), torch.ones(3, 40))
    torch.testing.assert_close(low, network.log_probs(TOKENS, bars=BARS).detach(), atol=0.02, rtol=0)
    assert not torch.equal(low, stepped(network, TOKENS, BARS))


@pytest.mark.parametrize("core", ["lstm", "gru", "rnn"])
def test_wide_layers_are_laid_out_otherwise_and_equal_the_whole_sequence(core):
    network = Network(NetworkOptions(core=core, layers=2, width=520, embedding=16), 38, seed=1)
    whole = network.log_probs(TOKENS, bars=BARS).detach()
    torch.testing.assert_close(stepped(network, TOKENS, BARS), whole, atol=1e-5, rtol=0)


def test_a_trained_model_hardly_notices():
    network = Bundle.load(find_bundle("tunes")).network()
    exact, low = (stepped(network, TOKENS, None, kind).double() for kind in (torch.float32, torch.bfloat16))
    divergence = (exact.exp() * (exact - low)).sum(-1)
    assert float(divergence.max()) < 1e-3
    assert float((exact.exp() * (exact - low).abs()).sum(-1).mean()) < 0.005


def test_a_state_can_be_continued_twice_and_outlives_a_change_of_type():
    network = Network(NetworkOptions(layers=2, width=12, embedding=10), 38)
    network.stepping = torch.bfloat16
    _, state = network.start(2)
    once, _ = network.step(np.array([1, 2]), state)
    network.stepping = torch.float32
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0)
    again, _ = network.step(np.array([1, 2]), state)
    assert torch.equal(once, again)


def test_no_melody_is_no_row():
    network = Network(NetworkOptions(width=12, embedding=10), 38)
    network.stepping = torch.bfloat16
    log_probs, state = network.start(0)
    assert network.step(np.zeros(0, dtype=np.int64), state)[0].shape == log_probs.shape == (0, 38)
