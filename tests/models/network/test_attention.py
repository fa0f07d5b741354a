"""Attention and the copy head: formulas written out, gradients, bounds, and that they remember."""

import numpy as np
import pytest
import torch

from cantilena.models import Network, NetworkOptions, NumpyNetwork, Sequences, likelihood
from cantilena.models.network.attention import Attention, add_copies, attention_shares, sum_by_token
from cantilena.training import TrainingOptions, train

OPTIONS = NetworkOptions(width=12, embedding=10, copy_head=True, attention=6)
TOKENS = np.random.default_rng(0).integers(0, 4, (3, 50))


def lively(network):
    """A network whose attention is heard: it begins with silence."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        for weight in network.attention.parameters():
            weight.normal_()
    return network


def test_scores_and_copies_share_one_softmax():
    # s = (0, ln 2), copies of token 1 with c = ln 3 and of token 0 with c = ln 4: weights 1 + 4 and 2 + 3.
    scores, fits = torch.tensor([[[1.0, 2.0]]]).log(), torch.tensor([[[0.0, 3.0, 4.0]]]).log()
    mixed = add_copies(scores, fits, torch.tensor([[2, 1, 0]]))
    torch.testing.assert_close(mixed.exp(), torch.tensor([[[5.0, 5.0]]]))


def test_attention_is_shared_among_the_steps_and_none_of_them():
    # exp c = 1 and 3 for token 1, 4 for token 0, 1 for none: 4/9, 4/9, and 1/9 for none.
    fits = torch.tensor([[[1.0, 3.0, 4.0]]]).log()
    said = sum_by_token(attention_shares(fits), torch.tensor([[1, 1, 0]]), 2)
    torch.testing.assert_close(said, torch.tensor([[[4 / 9, 4 / 9]]]))
    assert attention_shares(torch.full((1, 1, 2), -torch.inf)).tolist() == [[[0.0, 0.0]]]


def test_the_formula_of_attention_written_out():
    attention = lively(Network(OPTIONS, 5)).attention
    hidden, previous = torch.randn(1, 4, 12), torch.tensor([[5, 1, 2, 1]])
    fits, tokens, _, _ = attention(hidden, previous)
    query, key = attention.query(hidden)[0, 3], attention.place(hidden)[0, :, :6]
    assert tokens.tolist() == [[5, 1, 2, 1]]
    # Heard: 1 2 1. Before the 2 came a 1, as before the step to predict. A row begins with its token, so that the core
    # had not heard the token of a place in the row before.
    match, distance = [0, 0, 1, 0], [3, 2, 1, 0]
    for place in (1, 2, 3):
        likeness = query @ key[place - 1] / 6**0.5
        expected = likeness + attention.matches[match[place]] + attention.distances[distance[place]]
        torch.testing.assert_close(fits[0, 3, place], expected)
    assert fits[0, 3, 0] == -torch.inf  # the start symbol


def test_nothing_heard_changes_nothing():
    scores = torch.randn(2, 1, 5)
    same, _ = Attention(OPTIONS, 5).scores(lambda _: scores, torch.randn(2, 1, 12), torch.full((2, 1), 5))
    torch.testing.assert_close(same, scores)


@pytest.mark.parametrize("size", [1e30, -1e30])
def test_huge_scores_stay_numbers(size):
    said_so, previous = torch.full((1, 3, 5), size), torch.tensor([[5, 1, 1]])
    scores, _ = Attention(OPTIONS, 5).scores(lambda _: said_so, torch.randn(1, 3, 12), previous)
    assert torch.isfinite(scores).all()


def test_log_probs_are_normalised_and_every_weight_gets_a_gradient():
    network = lively(Network(OPTIONS, 38))
    log_p = network.log_probs(TOKENS)
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(3, 50))
    log_p[:, :, 2].sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in network.attention.parameters())


@pytest.mark.parametrize("memory", [{"attention": 6}, {"copy_head": True}, {"attention": 6, "copy_head": True}])
def test_numpy_and_steps_hear_the_same(memory):
    options = NetworkOptions(width=12, embedding=10, max_context=20, **memory)
    network = lively(Network(options, 38))
    plain, whole = NumpyNetwork(options, network.numpy_weights()), network.log_probs(TOKENS).detach().numpy()
    np.testing.assert_allclose(plain.log_probs(TOKENS), whole, atol=1e-5)
    log_p, state = network.start(3)
    for step in range(50):
        np.testing.assert_allclose(log_p, whole[:, step], atol=1e-5)
        log_p, state = network.step(TOKENS[:, step], state)


def test_the_future_is_not_heard():
    network = lively(Network(OPTIONS, 38))
    changed = TOKENS.copy()
    changed[:, 20] = 7
    before, after = network.log_probs(TOKENS), network.log_probs(changed)
    torch.testing.assert_close(before[:, :21], after[:, :21], atol=0, rtol=0)
    assert not torch.equal(before[:, 21], after[:, 21])


@pytest.mark.parametrize("max_context", [1, 7, 50])
def test_parts_equal_the_whole_and_memory_is_bounded(max_context):
    network = lively(
        Network(NetworkOptions(width=12, embedding=10, copy_head=True, attention=6, max_context=max_context), 38)
    )
    rows = torch.from_numpy(network.features.encode(TOKENS))
    whole, _ = network(rows)
    parts, state = [], None
    for first in range(0, 50, 9):
        scores, state = network(rows[:, first : first + 9], state)
        parts.append(scores)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    keys, tokens, matches = state[1]
    assert (len(keys), len(tokens), len(matches)) == (max_context + 1, max_context, max_context)


def test_a_state_outlives_an_update():
    network = Network(OPTIONS, 38)
    _, state = network.start(2)
    once, _ = network.step(np.array([1, 2]), state)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0)
    again, _ = network.step(np.array([1, 2]), state)
    assert torch.equal(once, again)


def test_one_melody_of_one_step_is_harmless():
    network = Network(OPTIONS, 38)
    assert network.log_probs(np.array([[5]])).shape == (1, 1, 38)
    plain = NumpyNetwork(OPTIONS, network.numpy_weights())
    assert plain.start(0)[0].shape == (0, 38)
    assert network.start(0)[0].shape == (0, 38)


def phrases(pieces, seed):
    """Pieces that say a phrase of twelve random tokens four times."""
    rng = np.random.default_rng(seed)
    return Sequences.from_tokens([np.tile(rng.integers(0, 20, 12), 4) for _ in range(pieces)])


def learned_nats(**memory):
    """The nats a step of new phrases after a training on others."""
    shape = NetworkOptions(width=16, embedding=16, dropout=0.0, bar_position=False, look_back=(), **memory)
    training = TrainingOptions(epochs=12, batch=8, learning_rate=0.02, warmup=5, budget=0)
    made = train(phrases(80, 1), phrases(10, 2), vocabulary_size=20, network=shape, training=training, quiet=True)
    return likelihood(made.network, phrases(20, 3)).nats_per_step


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("memory", [{"copy_head": True}, {"attention": 8}, {"repeat_features": 1}])
def test_who_remembers_predicts_what_repeats_itself(memory):
    # A quarter of the steps are unguessable, ln 20 = 3.0 nats each; the rest can be copied.
    assert learned_nats(**memory) < 1.4


def test_who_does_not_remember_predicts_nothing():
    assert learned_nats() > 2.5


def test_a_long_piece_is_heard_in_stretches_and_costs_no_square_of_memory():
    options = NetworkOptions(width=4, embedding=4, attention=2, copy_head=True, max_context=40)
    network, long = lively(Network(options, 6)), np.random.default_rng(2).integers(0, 6, (1, 700))
    whole = network.log_probs(long).detach().numpy()
    np.testing.assert_allclose(NumpyNetwork(options, network.numpy_weights()).log_probs(long), whole, atol=2e-5)
