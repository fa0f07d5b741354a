"""Tuning a tuned model again: what it learned from data stays the yardstick; a network of G is no policy by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import TuningOptions, WatchOptions, tune
from cantilena.tokenizers import GridEncoding

TOKENS = np.random.default_rng(1).integers(0, 38, (6, 16))
TINY = {"updates": 3, "melodies": 16, "steps": 16, "device": "cpu", "watch": WatchOptions(look=0)}


def options(algorithm: str, **changes: object) -> TuningOptions:
    return TuningOptions(algorithm=algorithm, **TINY | changes)  # type: ignore[arg-type]


def log_probs(bundle: Bundle, *, prior: bool = False) -> np.ndarray:
    return np.asarray((bundle.prior() if prior else bundle.model()).log_probs(TOKENS))


@pytest.fixture(scope="module")
def untuned() -> Bundle:
    network = Network(NetworkOptions(width=16, embedding=12), 38, seed=3)
    return Bundle(network.options, network.numpy_weights(), GridEncoding().description())


@pytest.mark.parametrize("first", ["rloo", "q", "g"])
@pytest.mark.parametrize("mode", [False, True], ids=["ours", "reference"])
def test_g_learning_is_composed_with_the_prior_that_it_was_learned_with(
    untuned: Bundle, first: str, mode: bool
) -> None:
    once = tune(untuned, options(first, learning_rate=0.05)).bundle
    again = tune(once, options("g", learning_rate=1e-12, reference_mode=mode))
    np.testing.assert_array_equal(log_probs(again.bundle, prior=True), log_probs(untuned))
    if not mode:  # G began at nothing, and has hardly moved: it is the model before any tuning that composes
        np.testing.assert_allclose(log_probs(again.bundle), log_probs(untuned), atol=1e-4)
        assert max(again.history.kl) < 1e-6


@pytest.mark.parametrize("algorithm", ["rloo", "ppo", "q", "psi", "rejection"])
def test_the_distance_is_that_from_the_model_before_any_tuning(untuned: Bundle, algorithm: str) -> None:
    once = tune(untuned, options("rloo", learning_rate=0.05)).bundle
    again = tune(once, options(algorithm, learning_rate=1e-9, updates=1, melodies=256))
    policy, prior = log_probs(once), log_probs(untuned)
    assert (np.exp(policy) * (policy - prior)).sum(-1).mean() > 0.02
    assert again.history.kl[0] > 0.02
    np.testing.assert_allclose(log_probs(again.bundle), policy, atol=1e-4)


@pytest.mark.parametrize("algorithm", ["rloo", "ppo", "q", "double-q", "psi", "rejection"])
def test_a_network_of_g_is_no_policy(untuned: Bundle, algorithm: str) -> None:
    once = tune(untuned, options("g")).bundle
    with pytest.raises(UsageError, match="tuned by g") as refused:
        tune(once, options(algorithm))
    assert "--algorithm g" in refused.value.hint


def test_the_provenance_says_which_c(untuned: Bundle) -> None:
    asked = options("q", rules="cantilena")
    record = tune(untuned, asked).bundle.provenance["tuning"]
    assert record["c"] == pytest.approx(0.1)
    assert tune(untuned, replace(asked, c=0.7)).bundle.provenance["tuning"]["c"] == 0.7


def test_a_windowed_network_is_refused_before_it_is_tuned() -> None:
    network = Network(NetworkOptions(width=8, input="paper", window=4), 38, seed=3)
    bundle = Bundle(network.options, network.numpy_weights(), GridEncoding().description())
    with pytest.raises(UsageError, match="reference mode"):
        tune(bundle, options("q", reference_mode=True))
    assert len(tune(bundle, options("q", updates=1, melodies=4)).history.kl) == 1
