"""Policies: the formulas, in numpy and torch alike."""

import numpy as np
import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import POLICIES, Bars, Network, NetworkOptions, PolicyModel, SequenceModel, policy_log_probs


def log_softmax(scores):
    """The definition, by numpy's own log-sum-exp, over the last axis."""
    return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)


RNG = np.random.default_rng(0)
SCORES, PRIOR = RNG.normal(size=(3, 5, 11)), log_softmax(RNG.normal(size=(3, 5, 11)))


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_are_normalised_and_the_same_in_torch(policy):
    plain = policy_log_probs(policy, SCORES, PRIOR)
    np.testing.assert_allclose(np.exp(plain).sum(-1), 1.0)
    in_torch = policy_log_probs(policy, torch.from_numpy(SCORES), torch.from_numpy(PRIOR))
    np.testing.assert_allclose(in_torch.numpy(), plain, atol=1e-12)


def test_policies_follow_their_formulas():
    for policy in ("likelihood", "softmax-q", "psi"):
        np.testing.assert_allclose(policy_log_probs(policy, SCORES), log_softmax(SCORES))
    np.testing.assert_allclose(policy_log_probs("g", SCORES, PRIOR), log_softmax(SCORES + PRIOR))
    greedy = policy_log_probs("argmax-q", SCORES)
    np.testing.assert_array_equal(greedy.argmax(-1), SCORES.argmax(-1))
    assert float((np.exp(greedy) * greedy).sum()) == 0.0  # and not NaN


def test_the_gradient_goes_through():
    scores = torch.from_numpy(SCORES).requires_grad_()
    policy_log_probs("g", scores, torch.from_numpy(PRIOR))[..., 0].sum().backward()
    assert scores.grad is not None
    assert float(scores.grad.abs().sum()) > 0


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_model_is_a_sequence_model(policy):
    options, bars = NetworkOptions(width=8, embedding=8), Bars(np.array([12, 16]), np.array([4, 0]))
    network, prior = Network(options, 7, seed=1), Network(options, 7, seed=2)
    model = PolicyModel(network, policy, prior)
    assert isinstance(model, SequenceModel)
    assert model.uses_bars
    tokens = RNG.integers(0, 7, (2, 20))
    whole = model.log_probs(tokens, bars=bars)
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(2, 20))
    log_probs, state = model.start(2, bars=bars)
    for step in range(20):
        if policy != "argmax-q":  # where two values are all but equal, rounding may choose the other
            torch.testing.assert_close(log_probs, whole[:, step].detach(), atol=1e-5, rtol=0)
        log_probs, state = model.step(tokens[:, step], state)


def test_what_cannot_be_is_refused():
    network = Network(NetworkOptions(width=8, embedding=8), 7)
    with pytest.raises(UsageError, match="prior"):
        PolicyModel(network, "g")
    with pytest.raises(UsageError, match="best"):
        PolicyModel(network, "best")
    with pytest.raises(UsageError, match="best"):
        policy_log_probs("best", SCORES)
