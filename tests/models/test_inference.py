"""Inference in numpy equals torch, and is quick."""

import time

import numpy as np
import pytest

from cantilena.models import Bars, Network, NetworkOptions, NumpyNetwork, SequenceModel

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


@pytest.mark.parametrize("options", SHAPES, ids=lambda o: f"{o.core}-{o.layers}-{o.input}-{o.echoes}-{o.attention}")
def test_numpy_equals_torch(options):
    network = Network(options, 38, seed=3)
    plain = NumpyNetwork(options, network.numpy_weights())
    assert isinstance(plain, SequenceModel)
    assert plain.uses_bars == network.uses_bars
    expected = network.log_probs(TOKENS, bars=BARS).detach().numpy()
    np.testing.assert_allclose(plain.log_probs(TOKENS, bars=BARS), expected, atol=1e-5)
    log_probs, state = plain.start(3, bars=BARS)
    for step in range(50):
        assert log_probs.dtype == np.float32
        np.testing.assert_allclose(log_probs, expected[:, step], atol=1e-5)
        log_probs, state = plain.step(TOKENS[:, step], state)


def test_large_scores_do_not_overflow():
    network = Network(NetworkOptions(width=8, embedding=8), 38)
    weights = {name: weight * 1e4 for name, weight in network.numpy_weights().items()}
    assert np.isfinite(NumpyNetwork(network.options, weights).log_probs(TOKENS)).all()


def test_a_composition_takes_a_moment():
    network = NumpyNetwork(NetworkOptions(), Network(NetworkOptions(), 38).numpy_weights())
    tokens = np.zeros(8, dtype=np.int64)
    fastest = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        _, state = network.start(8)
        for _ in range(256):
            _, state = network.step(tokens, state)
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 0.5  # 0.06 s on an idle core; the rest is room for busy machines
