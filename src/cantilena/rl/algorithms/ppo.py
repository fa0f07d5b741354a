"""Proximal policy optimisation (PPO) on whole melodies.

The reward is that of `rloo`, r_t = r_MT(t) / c + log p(a_t) - log pi_old(a_t), so c is again the weight of the KL
divergence from the prior. A separate network estimates the reward to go V_t before each step, and with it the
advantage (generalised advantage estimation, Schulman et al. 2016, arXiv 1506.02438; undiscounted)

    delta_t = r_t + V_{t+1} - V_t          A_t = delta_t + lambda A_{t+1}          V = A = 0 after the last step

Several passes over the same melodies, in minibatches, maximise (Schulman et al. 2017, arXiv 1707.06347)

    mean min( rho_t A_t, clip(rho_t, 1 - e, 1 + e) A_t ) + beta H(pi)          rho_t = pi(a_t) / pi_old(a_t)

with the advantages of a minibatch normalised to mean 0 and variance 1, and minimise (V_t - A_t - V_t,old)^2.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cantilena.rl.history import UpdateStats
from cantilena.rl.learner import Learner, TuningTask, update_stats
from cantilena.rl.rollout import entropy, gather_tokens
from cantilena.training.checkpointing import add_prefixes, load_optimizer, optimizer_tensors, with_prefix
from cantilena.training.optimizers import Adam

_VALUE_LEARNING_RATE = 3e-3


class Ppo(Learner):
    """The algorithm `ppo`: the model's scores are the logits of the policy."""

    policy = "likelihood"

    def __init__(self, task: TuningTask) -> None:
        super().__init__(task)
        vocabulary = len(task.reward.encoding.vocabulary)
        self.values = ValueNetwork(vocabulary, task.options.steps, task.options.seed).to(task.generator.device)
        self.value_optimizer = Adam(self.values.parameters(), lr=_VALUE_LEARNING_RATE)

    def update(self, progress: float) -> UpdateStats:
        """Sample a batch of melodies, score it, and learn from it in several passes; `progress` rises from 0 to 1."""
        tokens = self.sample()
        terms = self.score(tokens)
        with torch.no_grad():
            log_policy = self.log_probs(self.policy_model(), tokens)
            log_prior = self.log_probs(self.prior, tokens)
            log_old, log_p = gather_tokens(log_policy, tokens), gather_tokens(log_prior, tokens)
            rewards = self.scaled_reward(terms, tokens) + log_p - log_old
            values = self.values(tokens, self.places(tokens)).masked_fill(~self.is_played(tokens), 0.0)
            advantages = advantage_estimates(rewards, values, self.options.policy.gae)
            returns = advantages + values
        for rows in self._minibatches(len(tokens)):
            loss = self._step(tokens[rows], log_old[rows], advantages[rows], returns[rows])
        return update_stats(terms, log_p, log_policy, log_prior, loss, self.options.steps)

    def _step(self, tokens: Tensor, log_old: Tensor, advantages: Tensor, returns: Tensor) -> float:
        """Take one step of the policy and one of the values on a minibatch."""
        limit = self.options.policy.ratio_clip
        log_policy = self.log_probs(self.policy_model(), tokens)
        ratio = (gather_tokens(log_policy, tokens) - log_old).exp()
        is_played = self.is_played(tokens)
        known = advantages if bool(is_played.all()) else advantages[is_played]
        normalized = (advantages - known.mean()) / (known.std() + 1e-8)
        gain = torch.minimum(ratio * normalized, ratio.clamp(1.0 - limit, 1.0 + limit) * normalized)
        loss = -mean_where(gain + self.options.policy.entropy_bonus * entropy(log_policy), is_played)
        self.gradient_step(loss)

        error = mean_where((self.values(tokens, self.places(tokens)) - returns).square(), is_played)
        self.value_optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        self.value_optimizer.step()
        return float(loss.detach())

    def _minibatches(self, melodies: int) -> list[Tensor]:
        """The rows of each minibatch of each pass."""
        number = max(min(self.options.policy.minibatches, melodies // 2), 1)  # one melody has no standard deviation
        parts: list[Tensor] = []
        for _ in range(self.options.policy.passes):
            order = torch.randperm(melodies, generator=self.generator, device=self.generator.device)
            parts.extend(order.tensor_split(number))
        return parts

    def state(self) -> dict[str, Tensor]:
        """The value network and its optimizer."""
        return add_prefixes({
            "values.": self.values.state_dict(),
            "optimizer.": optimizer_tensors(self.value_optimizer),
        })  # fmt: skip

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.values.load_state_dict(with_prefix("values.", state))
        load_optimizer(self.value_optimizer, with_prefix("optimizer.", state))


class ValueNetwork(nn.Module):
    """Estimates the reward to go before each token from the tokens before it, for any model.

    Examples:
        >>> tokens, places = torch.zeros(2, 4, dtype=torch.int64), torch.arange(4).expand(2, 4)
        >>> ValueNetwork(vocabulary=38, steps=4)(tokens, places).shape
        torch.Size([2, 4])
    """

    def __init__(self, vocabulary: int, steps: int, seed: int = 0, width: int = 64) -> None:
        super().__init__()
        self.start = vocabulary
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tokens = nn.Embedding(vocabulary + 1, width)
            self.places = nn.Embedding(steps, width)
            self.core = nn.GRU(width, width, batch_first=True)
            self.head = nn.Linear(width, 1)

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        """`(melodies, tokens)` values for `(melodies, tokens)` tokens and their steps; entry t depends on those before.

        The step at which the note of a token begins depends on the tokens before it alone.
        """
        before = torch.cat([torch.full_like(tokens[:, :1], self.start), tokens[:, :-1]], dim=1)
        hidden, _ = self.core(self.tokens(before) + self.places(places))
        values: Tensor = self.head(hidden).squeeze(-1)
        return values


def mean_where(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of the values that are counted.

    Examples:
        >>> float(mean_where(torch.tensor([[1.0, 5.0]]), torch.tensor([[True, False]])))
        1.0
    """
    return values.masked_fill(~counted, 0.0).mean() / counted.double().mean().to(values.dtype)


def advantage_estimates(rewards: Tensor, values: Tensor, lam: float) -> Tensor:
    """Generalised advantage estimates, undiscounted, of `(melodies, steps)` rewards and values.

    With lambda 1 it is the reward to go minus its estimate; 0 looks one step ahead.

    Examples:
        >>> advantage_estimates(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 0.5]]), lam=1.0).tolist()
        [[2.5, 1.5]]
    """
    after = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    delta = rewards + after - values
    advantage = torch.zeros_like(delta)
    ahead = torch.zeros_like(delta[:, 0])
    for step in range(delta.shape[1] - 1, -1, -1):
        ahead = delta[:, step] + lam * ahead
        advantage[:, step] = ahead
    return advantage
