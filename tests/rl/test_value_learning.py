"""Value learning: temporal-difference targets against the published code, and the size of the replay buffer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import Network, NetworkOptions
from cantilena.models.policy import LOG_ZERO
from cantilena.rl import LEARNERS, MusicReward, TuningOptions, TuningTask, td_target
from cantilena.rl.options import ValueOptions
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import GridEncoding


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_targets_of_the_reference(shared: Path, index: int) -> None:
    record = json.loads((shared / "oracle" / "rl_tuner_sample.json").read_text())["targets"][index]
    rewards = np.array(record["rewards"])
    scores = np.array(record["next_target_scores"])
    log_probs = _log_softmax(np.array(record["reward_rnn_logits"]))
    ours = td_target(record["algorithm"], rewards, scores, log_probs, record["discount"])
    np.testing.assert_allclose(ours, record["future_rewards"], atol=1e-5)
    np.testing.assert_allclose((ours - rewards) / record["discount"], record["target_vals"], atol=1e-4)


@pytest.mark.parametrize("algorithm", ["q", "double-q", "psi", "g"])
def test_torch_and_numpy_agree_and_terminal_states_have_no_value(algorithm: str) -> None:
    rng = np.random.default_rng(1)
    rewards, scores, online = rng.normal(size=5), rng.normal(size=(5, 7)), rng.normal(size=(5, 7))
    log_probs = _log_softmax(rng.normal(size=(5, 7)))
    terminal = np.array([False, True, False, False, True])
    in_numpy = td_target(algorithm, rewards, scores, log_probs, 0.9, next_online_scores=online, terminal=terminal)
    tensors = [torch.from_numpy(array) for array in (rewards, scores, log_probs)]
    in_torch = td_target(
        algorithm, *tensors, 0.9, next_online_scores=torch.from_numpy(online), terminal=torch.from_numpy(terminal)
    )
    np.testing.assert_allclose(in_torch.numpy(), in_numpy)
    np.testing.assert_allclose(in_numpy[terminal], rewards[terminal])


@pytest.mark.parametrize("algorithm", ["q", "double-q", "psi", "g"])
def test_tokens_that_may_not_come_do_not_count(algorithm: str) -> None:
    rng = np.random.default_rng(1)
    rewards, scores, online, log_probs = (rng.normal(size=shape) for shape in ((5,), (5, 3), (5, 3), (5, 3)))
    masked = [np.concatenate([values, np.full((5, 4), LOG_ZERO)], axis=1) for values in (scores, log_probs, online)]
    expected = td_target(algorithm, rewards, scores, log_probs, 0.9, next_online_scores=online)
    found = td_target(algorithm, rewards, *masked[:2], 0.9, next_online_scores=masked[2])
    np.testing.assert_allclose(found, expected)


def test_double_q_uses_the_choice_of_the_learner() -> None:
    target = td_target("double-q", np.zeros(1), np.array([[5.0, 1.0]]), None, 1.0, next_online_scores=[[0.0, 9.0]])
    assert target.tolist() == [1.0]


def test_no_gradient_flows_into_the_prior() -> None:
    log_probs = torch.randn(3, 4, requires_grad=True)
    assert not td_target("g", torch.zeros(3), torch.randn(3, 4), log_probs.log_softmax(-1), 0.5).requires_grad


def test_unknown_algorithms_and_missing_values_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown algorithm 'sarsa'"):
        td_target("sarsa", np.zeros(1), np.zeros((1, 2)), None, 0.5)
    with pytest.raises(UsageError, match="next_online_scores"):
        td_target("double-q", np.zeros(1), np.zeros((1, 2)), None, 0.5)


def test_the_replay_buffer_is_no_larger_than_needed() -> None:
    options = TuningOptions(algorithm="q", updates=3, melodies=8, steps=16, value=ValueOptions(replay=10**7))
    networks = [Network(NetworkOptions(width=12, embedding=8), 38, seed=3) for _ in range(2)]
    reward = MusicReward(GridEncoding(), RULE_SETS["paper"], Context(), c=0.5, clip=10.0)
    task = TuningTask(networks[0], networks[1].requires_grad_(False), reward, options, None, torch.Generator())
    learner = LEARNERS["q"](task)
    assert learner.state()["replay.tokens"].shape == (0, 16)  # a checkpoint has only what is filled
    assert len(learner.replay.tensors["tokens"]) == 3 * 8  # type: ignore[attr-defined]
