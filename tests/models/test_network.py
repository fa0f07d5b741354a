"""Networks: one step at a time equals the whole sequence at once; gradients, seeds, states."""

import copy

import numpy as np
import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import Bars, Network, NetworkOptions, SequenceModel, parameters, weight_shapes

BARS = Bars(np.array([16, 12, 5]), np.array([0, 4, 0]))
TOKENS = np.random.default_rng(0).integers(0, 4, (3, 50))
SHAPES = [
    NetworkOptions(core=core, layers=layers, width=12, embedding=10)
    for core in ("lstm", "gru", "rnn")
    for layers in (1, 3)
] + [
    NetworkOptions(input="paper", window=6, layers=2, width=12),
    NetworkOptions(width=12, embedding=10, echoes=2),
    NetworkOptions(width=12, embedding=10, copy_head=True, reach=11),
    NetworkOptions(width=12, embedding=10, attention=4, reach=11),
    NetworkOptions(core="gru", layers=2, width=12, embedding=10, copy_head=True, attention=6, echoes=3, reach=20),
    NetworkOptions(core="transformer", layers=2, width=12, embedding=10, echoes=1),
]


def stepped(model, tokens, bars):
    log_probs, state = model.start(len(tokens), bars=bars)
    found = [log_probs]
    for step in range(tokens.shape[1] - 1):
        log_probs, state = model.step(tokens[:, step], state)
        found.append(log_probs)
    return found


@pytest.mark.parametrize("options", SHAPES, ids=lambda o: f"{o.core}-{o.layers}-{o.input}-{o.echoes}-{o.attention}")
def test_steps_equal_the_whole_sequence(options):
    network = Network(options, 38, seed=3)
    assert isinstance(network, SequenceModel)
    whole = network.log_probs(TOKENS, bars=BARS)
    assert whole.shape == (3, 50, 38)
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(3, 50))
    torch.testing.assert_close(torch.stack(stepped(network, TOKENS, BARS), dim=1), whole.detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        network.log_probs(torch.from_numpy(TOKENS), bars=BARS), whole, atol=0, rtol=0
    )  # torch tokens too


def test_every_weight_gets_a_gradient_and_log_probs_do_not_see_ahead():
    network = Network(NetworkOptions(width=12, embedding=10), 38)
    network.log_probs(TOKENS, bars=BARS)[:, :, 5].sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())
    changed = TOKENS.copy()
    changed[:, 20] = 7
    before, after = network.log_probs(TOKENS), network.log_probs(changed)
    assert torch.equal(before[:, :21], after[:, :21])
    assert not torch.equal(before[:, 21], after[:, 21])


def test_training_in_parts_with_carried_state_equals_one_pass():
    network = Network(NetworkOptions(layers=2, width=12, embedding=10, dropout=0.0), 38)
    rows = torch.from_numpy(network.features.of(TOKENS, BARS))
    whole, _ = network(rows)
    first, state = network(rows[:, :23])
    rest, _ = network(rows[:, 23:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole, atol=1e-6, rtol=1e-5)


def test_a_state_outlives_an_update_and_can_be_continued_twice():
    network = Network(NetworkOptions(width=12, embedding=10), 38)
    _, state = network.start(2)
    once, _ = network.step(np.array([1, 2]), state)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0)
    again, _ = network.step(torch.tensor([1, 2]), state)
    assert torch.equal(once, again)


def test_the_seed_alone_decides_the_initial_weights():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, two, other = (Network(NetworkOptions(width=8, embedding=8), 38, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.head.weight, other.head.weight)


def test_weights_go_out_as_numpy_and_come_back():
    network = Network(NetworkOptions(width=8, embedding=8), 38, seed=1)
    weights = network.numpy_weights()
    assert {name: weight.shape for name, weight in weights.items()} == weight_shapes(network.options, 38)
    assert sum(weight.numel() for weight in network.parameters()) == parameters(network.options, 38)
    copied = Network(network.options, 38, seed=2).load_weights(weights)
    assert torch.equal(copied.log_probs(TOKENS), network.log_probs(TOKENS))
    assert torch.equal(copy.deepcopy(network).log_probs(TOKENS), network.log_probs(TOKENS))


def test_the_papers_network_has_the_papers_size():
    # Three LSTM layers of 1024: 4 (1 + 1024) 1024 + 2 * 4 (1024 + 1024) 1024 weights and 2 * 4 * 1024 biases a layer.
    options = NetworkOptions(input="paper", layers=3, width=1024, dropout=0.4)
    cells = 4 * 1024 * (1 + 1024) + 2 * 4 * 1024 * 2048 + 3 * 2 * 4 * 1024
    assert parameters(options, 417) == cells + 417 * 1024 + 417


@pytest.mark.parametrize(
    "wrong",
    [
        {"core": "perceptron"},
        {"input": "pixels"},
        {"layers": 0},
        {"width": 10_000_000},
        {"dropout": 1.0},
        {"dropout": float("nan")},
        {"look_back": (2, 1)},
        {"look_back": (0,)},
        {"window": 0},
        {"echoes": -1},
        {"echoes": 9},
        {"attention": -1},
        {"attention": 10**6},
        {"attention": 8, "input": "paper"},
        {"reach": 0},
        {"reach": 10**9},
        {"copy_head": True, "input": "paper"},
        {"echoes": 1, "input": "paper"},
    ],
)
def test_impossible_networks_are_refused_with_advice(wrong):
    with pytest.raises(UsageError) as caught:
        NetworkOptions(**wrong)
    assert caught.value.hint
