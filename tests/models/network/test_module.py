"""Networks: steps, numpy and whole sequences agree; gradients, seeds, states; stepping in bfloat16."""

import copy

import numpy as np
import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import (
    Bars,
    Bundle,
    Network,
    NetworkOptions,
    NumpyNetwork,
    SequenceModel,
    find_bundle,
    parameters,
    weight_shapes,
)
from cantilena.tokenizers import NotesEncoding

BARS = Bars(np.array([16, 12, 5]), np.array([0, 4, 0]))
TOKENS = np.random.default_rng(0).integers(0, 4, (3, 50))
SMALL = {"width": 12, "embedding": 10}
SHAPES = [NetworkOptions(core=core, layers=layers, **SMALL) for core in ("lstm", "gru", "rnn") for layers in (1, 3)] + [
    NetworkOptions(input="paper", window=6, layers=2, width=12),
    NetworkOptions(repeat_features=2, **SMALL),
    NetworkOptions(copy_head=True, max_context=11, **SMALL),
    NetworkOptions(attention=4, max_context=11, **SMALL),
    NetworkOptions(core="gru", layers=2, copy_head=True, attention=6, repeat_features=3, max_context=20, **SMALL),
    NetworkOptions(core="transformer", layers=2, repeat_features=1, **SMALL),
]


def stepped(model, tokens, bars=None):
    """Log p of each step, one step at a time."""
    log_probs, state = model.start(len(tokens), bars=bars)
    rows = [log_probs]
    for step in range(tokens.shape[1] - 1):
        log_probs, state = model.step(tokens[:, step], state)
        rows.append(log_probs)
    return np.stack([np.asarray(row) for row in rows], axis=1)


@pytest.mark.parametrize(
    "options", SHAPES, ids=lambda o: f"{o.core}-{o.layers}-{o.input}-{o.repeat_features}-{o.attention}"
)
def test_steps_and_numpy_equal_the_whole_sequence(options):
    network = Network(options, 38, seed=3)
    small = NumpyNetwork(options, network.numpy_weights())
    assert isinstance(network, SequenceModel)
    assert isinstance(small, SequenceModel)
    assert small.uses_bars == network.uses_bars
    whole = network.log_probs(TOKENS, bars=BARS)
    assert whole.shape == (3, 50, 38)
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(3, 50))
    assert torch.equal(network.log_probs(torch.from_numpy(TOKENS), bars=BARS), whole)  # torch tokens, too
    expected = whole.detach().numpy()
    found = [small.log_probs(TOKENS, bars=BARS), stepped(small, TOKENS, BARS)]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    for array in (*found, stepped(network, TOKENS, BARS)):
        np.testing.assert_allclose(array, expected, atol=1e-5)


def test_every_weight_gets_a_gradient_and_the_future_has_no_effect():
    network = Network(NetworkOptions(**SMALL), 38)
    network.log_probs(TOKENS, bars=BARS)[:, :, 5].sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())
    changed = TOKENS.copy()
    changed[:, 20] = 7
    before, after = network.log_probs(TOKENS), network.log_probs(changed)
    assert torch.equal(before[:, :21], after[:, :21])
    assert not torch.equal(before[:, 21], after[:, 21])


def test_parts_with_carried_state_equal_one_pass():
    network = Network(NetworkOptions(layers=2, dropout=0.0, **SMALL), 38)
    rows = torch.from_numpy(network.features.encode(TOKENS, BARS))
    whole, _ = network(rows)
    first, state = network(rows[:, :23])
    rest, _ = network(rows[:, 23:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("low", [False, True])
def test_a_state_outlives_updates_and_can_be_continued_twice(low):
    network = Network(NetworkOptions(layers=2, **SMALL), 38)
    network.stepping = torch.bfloat16 if low else torch.float32
    _, state = network.start(2)
    once, _ = network.step(np.array([1, 2]), state)
    network.stepping = torch.float32
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0)
    again, _ = network.step(torch.tensor([1, 2]), state)
    assert torch.equal(once, again)


def test_the_seed_alone_determines_the_initial_weights():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, two, other = (Network(NetworkOptions(width=8, embedding=8), 38, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.head.weight, other.head.weight)


def test_weights_as_numpy_and_back():
    network = Network(NetworkOptions(width=8, embedding=8), 38, seed=1)
    weights = network.numpy_weights()
    assert {name: weight.shape for name, weight in weights.items()} == weight_shapes(network.options, 38)
    assert sum(weight.numel() for weight in network.parameters()) == parameters(network.options, 38)
    copied = Network(network.options, 38, seed=2).load_weights(weights)
    assert torch.equal(copied.log_probs(TOKENS), network.log_probs(TOKENS))
    assert torch.equal(copy.deepcopy(network).log_probs(TOKENS), network.log_probs(TOKENS))
    large = NumpyNetwork(network.options, {name: weight * 1e4 for name, weight in weights.items()})
    assert np.isfinite(large.log_probs(TOKENS)).all()  # large scores do not overflow


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
        {"repeat_features": -1},
        {"repeat_features": 9},
        {"attention": -1},
        {"attention": 10**6},
        {"attention": 8, "input": "paper"},
        {"max_context": 0},
        {"max_context": 10**9},
        {"copy_head": True, "input": "paper"},
        {"repeat_features": 1, "input": "paper"},
    ],
)
def test_invalid_options_are_refused_with_a_hint(wrong):
    with pytest.raises(UsageError) as caught:
        NetworkOptions(**wrong)
    assert caught.value.hint


def low_precision(network, tokens, bars=None):
    """Log p stepped in bfloat16."""
    network.stepping = torch.bfloat16
    low = stepped(network, tokens, bars)
    network.stepping = torch.float32
    return low


@pytest.mark.parametrize("more", [{}, {"layers": 3}, {"attention": 4, "repeat_features": 1}, {"width": 520}], ids=str)
@pytest.mark.parametrize("core", ["lstm", "gru", "rnn"])
def test_bfloat16_is_close_to_float32(core, more):
    network = Network(NetworkOptions(core=core, embedding=16, **{"width": 24, **more}), 38, seed=1)
    low, exact = low_precision(network, TOKENS[:, :20], BARS), network.log_probs(TOKENS[:, :20], bars=BARS).detach()
    assert low.dtype == np.float32
    np.testing.assert_allclose(np.exp(low).sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(low, exact, atol=0.02)
    single = stepped(network, TOKENS[:, :20], BARS)
    np.testing.assert_allclose(single, exact, atol=1e-5)  # wide layers have another layout
    assert not np.array_equal(low, single)


@pytest.mark.parametrize("name", ["tunes+rl-tuner", "tunes"])
def test_a_trained_model_is_hardly_affected_by_bfloat16(name):
    bundle, rng = Bundle.load(find_bundle(name)), np.random.default_rng(0)
    network, tokens = bundle.network(), rng.integers(0, 38, (3, 40))
    if isinstance(bundle.encoding, NotesEncoding):  # a duration, then a pitch
        tokens = np.stack([rng.integers(*bundle.encoding.parts[step % 2], 3) for step in range(40)], axis=1)
    exact, low = (one.astype(float) for one in (stepped(network, tokens), low_precision(network, tokens)))
    assert (np.exp(exact) * (exact - low)).sum(-1).max() < 1e-3
    assert (np.exp(exact) * np.abs(exact - low)).sum(-1).mean() < 0.005


def test_no_melodies_have_no_rows():
    network = Network(NetworkOptions(**SMALL), 38)
    network.stepping = torch.bfloat16
    log_probs, state = network.start(0)
    assert network.step(np.zeros(0, dtype=np.int64), state)[0].shape == log_probs.shape == (0, 38)
