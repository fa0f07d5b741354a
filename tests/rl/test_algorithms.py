"""Each algorithm converges to what its mathematics predicts: the optimal policy, or the fixed point of its values."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cantilena.errors import UsageError
from cantilena.models import Bundle, Network, NetworkOptions, PolicyModel
from cantilena.music import Line
from cantilena.rl import (
    LEARNERS,
    MusicReward,
    PolicyOptions,
    TuningOptions,
    TuningTask,
    ValueOptions,
    WatchOptions,
    tune,
    tune_module,
)
from cantilena.rl.algorithms.ppo import advantage_estimates
from cantilena.rl.algorithms.rloo import mean_of_others, reward_to_go
from cantilena.rules import Context, Rule, RuleSet
from cantilena.tokenizers import EventsEncoding, GridEncoding

STEPS = 8
FREE = 2
"""Steps with different rewards; the others have none."""

ENCODING = EventsEncoding(("C4", "D4", "E4"))
REWARDS = np.array([[0.0, 1.0, 2.5], [1.5, 0.0, -1.0], [0.5, 3.0, 0.0]])
"""The reward of the second note after the first."""


def pair(line: Line, context: Context) -> np.ndarray:
    """The reward of the second note depends on the first."""
    index = np.select([line.pitch == 60, line.pitch == 62], [0, 1], 2)
    values = np.zeros(line.event.shape)
    if line.steps > 1:
        values[:, 1] = REWARDS[index[:, 0], index[:, 1]]
    return values


def reward(c: float) -> MusicReward:
    return MusicReward(ENCODING, RuleSet("pairs", (Rule.from_function(pair),)), Context(), c, clip=10.0)


class Table(nn.Module):
    """Scores of the first note, and of the second by the first; those of later notes are uniform and fixed."""

    vocabulary_size = 3

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.first = nn.Parameter(torch.randn(3, generator=generator))
        self.second = nn.Parameter(torch.randn(3, 3, generator=generator))

    def scores(self, tokens: Any, bars: object = None) -> Tensor:
        known = torch.as_tensor(tokens)
        first = self.first.expand(len(known), 1, 3)
        second = self.second[known[:, 0]][:, None]
        return torch.cat([first, second, torch.zeros(len(known), known.shape[1] - 2, 3)], dim=1)

    def log_probs(self, tokens: Any) -> Tensor:
        return self.scores(tokens).log_softmax(-1)

    def start_scores(self, melodies: int, bars: object = None) -> tuple[Tensor, Any]:
        return self.first.detach().expand(melodies, 3), 0

    def step_scores(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        return (self.second.detach()[tokens] if state == 0 else torch.zeros(len(tokens), 3)), state + 1

    def start(self, melodies: int) -> tuple[Tensor, Any]:
        scores, state = self.start_scores(melodies)
        return scores.log_softmax(-1), state

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        scores, state = self.step_scores(tokens, state)
        return scores.log_softmax(-1), state


def pairs(log_probs: Tensor) -> np.ndarray:
    """`(9,)`: the probability of each pair of first notes, from the log probabilities of those nine melodies."""
    tokens = all_pairs()
    chosen = log_probs.gather(-1, tokens[..., None])[..., 0]
    return chosen[:, :FREE].sum(1).exp().detach().numpy().astype(np.float64)


def all_pairs() -> Tensor:
    rows = [[first, second] + [0] * (STEPS - FREE) for first, second in itertools.product(range(3), repeat=FREE)]
    return torch.tensor(rows)


def optimal_policy(c: float) -> np.ndarray:
    """`(9,)`: the pairs under the policy that maximises E[r / c + log p - log pi]: p exp(r / c), normalised."""
    prior = pairs(Table().log_probs(all_pairs()))
    weight = prior * np.exp(REWARDS.reshape(-1) / c)
    return weight / weight.sum()


C = 1.5


def options(algorithm: str, **changes: Any) -> TuningOptions:
    value = ValueOptions(gamma=1.0, replay=512, target_rate=0.1, exploration="none", updates_per_batch=2)
    usual: dict[str, Any] = {
        "c": C,
        "updates": 100,
        "melodies": 256,
        "steps": STEPS,
        "learning_rate": 0.08,
        "value": value,
        "watch": WatchOptions(look=0),
    }
    return TuningOptions(algorithm=algorithm, **usual | changes)  # type: ignore[arg-type]


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        ("rloo", {}),
        pytest.param("rloo", {"policy": PolicyOptions(group=16)}, marks=pytest.mark.e2e),
        pytest.param(
            "ppo",
            {"learning_rate": 0.03, "policy": PolicyOptions(passes=2, minibatches=2)},
            marks=pytest.mark.e2e,
        ),
        ("psi", {}),
        ("g", {}),
        pytest.param("psi", {"value": replace(options("psi").value, priority=0.6)}, marks=pytest.mark.e2e),
        pytest.param("psi", {"value": replace(options("psi").value, exploration="boltzmann")}, marks=pytest.mark.e2e),
    ],
)
def test_the_optimal_policy_is_found(algorithm: str, changes: dict[str, Any]) -> None:
    model = Table()
    prior = copy.deepcopy(model)
    done = tune_module(model, ENCODING, options(algorithm, **changes), reward=reward(C))
    policy = PolicyModel(model, done.policy, prior) if done.policy != "likelihood" else model
    found = pairs(policy.log_probs(all_pairs()))
    np.testing.assert_allclose(found, optimal_policy(C), atol=0.03)
    assert abs(pairs(prior.log_probs(all_pairs())) - optimal_policy(C)).max() > 0.2


@pytest.mark.parametrize("algorithm", ["q", pytest.param("double-q", marks=pytest.mark.e2e)])
def test_action_values_converge_to_their_fixed_point(algorithm: str) -> None:
    model = Table()
    log_p = model.log_probs(all_pairs()).detach()
    first, second = log_p[0, 0].numpy(), log_p[::3, 1].numpy()
    value = replace(options(algorithm).value, gamma=0.5, epsilon=1.0, epsilon_end=1.0, exploration="epsilon")
    tune_module(model, ENCODING, options(algorithm, value=value), reward=reward(C))
    # The third step's values are fixed at 0, so that it adds nothing but its maximum, 0.
    last = second + REWARDS / C
    np.testing.assert_allclose(model.second.detach().numpy(), last, atol=0.08)
    np.testing.assert_allclose(model.first.detach().numpy(), first + 0.5 * last.max(axis=1), atol=0.08)


def test_g_learning_starts_from_the_prior() -> None:
    network = Network(NetworkOptions(width=8, embedding=8), 38, seed=2)
    bundle = Bundle(network.options, network.numpy_weights(), GridEncoding().description())
    tuned = tune(bundle, TuningOptions(algorithm="g", updates=1, melodies=8, steps=8, learning_rate=1e-9))
    tokens = np.random.default_rng(1).integers(0, 38, (4, 8))
    np.testing.assert_allclose(tuned.bundle.model().log_probs(tokens), network.log_probs(tokens).detach(), atol=1e-4)


def test_the_gradient_of_rloo_is_that_of_the_objective() -> None:
    model = Table()
    task = TuningTask(model, copy.deepcopy(model), reward(C), options("rloo", melodies=60000), None, torch.Generator())
    learner = LEARNERS["rloo"](task)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    log_prior = torch.log(torch.tensor(pairs(task.prior.log_probs(all_pairs()))))
    log_pi = model.log_probs(all_pairs())[:, :2].gather(-1, all_pairs()[:, :2, None])[..., 0].sum(1)
    rewards = torch.tensor(REWARDS.reshape(-1)) / C
    objective = (log_pi.exp() * (rewards + log_prior - log_pi)).sum()
    exact = torch.autograd.grad(-objective, list(model.parameters()))
    learner.gradient_step = lambda loss: loss.backward()  # type: ignore[method-assign]
    learner.update(0.0)
    for weight, wanted in zip(model.parameters(), exact, strict=True):
        np.testing.assert_allclose(weight.grad, wanted, atol=0.015)


def test_sums_baselines_and_advantages_by_hand() -> None:
    rewards = torch.tensor([[1.0, 2.0, 3.0]])
    assert reward_to_go(rewards).tolist() == [[6.0, 5.0, 3.0]]
    groups = mean_of_others(torch.tensor([[1.0], [3.0], [10.0], [20.0]]), group=2)
    assert groups.tolist() == [[3.0], [1.0], [20.0], [10.0]]
    values = torch.tensor([[1.0, 1.0, 1.0]])
    # deltas 1, 2, 2 (nothing comes after the last step); lambda 1/2
    assert advantage_estimates(rewards, values, lam=0.5).tolist() == [[2.5, 3.0, 2.0]]


def test_an_entropy_bonus_raises_the_entropy() -> None:
    plain, exploring = Table(), Table()
    tune_module(plain, ENCODING, options("rloo", updates=60), reward=reward(0.3))
    bonus = options("rloo", updates=60, policy=PolicyOptions(entropy_bonus=2.0))
    tune_module(exploring, ENCODING, bonus, reward=reward(0.3))

    def entropy(model: Table) -> float:
        chances = pairs(model.log_probs(all_pairs()))
        return float(-(chances * np.log(chances)).sum())

    assert entropy(exploring) > entropy(plain) + 0.1


def test_rejection_learns_from_the_best_and_skips_updates_above_the_target() -> None:
    model, held = Table(), Table()
    tune_module(model, ENCODING, options("rejection", updates=40), reward=reward(C))
    chances = pairs(model.log_probs(all_pairs()))
    assert (chances * REWARDS.reshape(-1)).sum() > (
        pairs(Table().log_probs(all_pairs())) * REWARDS.reshape(-1)
    ).sum() + 1
    done = tune_module(held, ENCODING, options("rejection", updates=40, target_kl=0.02), reward=reward(C))
    assert max(done.history.kl) < 0.06


class OnlyProbabilities(nn.Module):
    """A model without raw scores, and with a gradient."""

    vocabulary_size = 3

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()

    def log_probs(self, tokens: Any) -> Tensor:
        return self.table.log_probs(tokens)

    def start(self, melodies: int) -> tuple[Tensor, Any]:
        return self.table.start(melodies)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.table.step(tokens, state)


def test_value_learning_needs_scores() -> None:
    with pytest.raises(UsageError, match="only probabilities"):
        tune_module(OnlyProbabilities(), ENCODING, options("q"), reward=reward(C))
    done = tune_module(OnlyProbabilities(), ENCODING, options("rloo", updates=5), reward=reward(C))
    assert done.policy == "likelihood"


def test_modules_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="is no SequenceModel"):
        tune_module(nn.Linear(3, 3), ENCODING, options("rloo"), reward=reward(C))
    with pytest.raises(UsageError, match="3 tokens, but the encoding 38"):
        tune_module(Table(), GridEncoding(), options("rloo"))


@pytest.mark.parametrize("melodies", [2, 3, 5])
def test_ppo_learns_from_a_handful_of_melodies(melodies: int) -> None:
    done = tune_module(Table(), ENCODING, options("ppo", updates=2, melodies=melodies), reward=reward(C))
    assert len(done.history.kl) == 2
