"""What every algorithm shares: a model that learns, a prior that never changes, a reward, an optimizer.

Gradients of recurrent layers on every device.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.errors import UsageError
from cantilena.models import Bars, ScoreModel, SequenceModel, log_probs_with_bars, to_numpy
from cantilena.rl.critic_reward import CRITIC, CriticReward
from cantilena.rl.options import TuningOptions
from cantilena.rl.reward import MusicReward
from cantilena.rl.rollout import Update, divergence, entropy, sample_melodies


@dataclass(frozen=True)
class TuningTask:
    """What is to be tuned, and by what.

    Args:
        model: a torch module that is a `SequenceModel`; tuned in place.
        prior: the model before tuning, never changed: the paper's reward network.
        reward: the rules of music theory.
        options: how to tune.
        bars: where the steps lie in their bars, one row for all melodies; None where tokens tell no time.
        generator: the randomness, on the model's device.
        critic: discriminators that reward too; None where the rules alone do.
    """

    model: nn.Module
    prior: SequenceModel
    reward: MusicReward
    options: TuningOptions
    bars: Bars | None
    generator: torch.Generator
    critic: CriticReward | None = None


class Learner(ABC):
    """One algorithm of reinforcement learning on whole melodies.

    Args:
        task: what is to be tuned.
    """

    policy: str
    """How the model's scores become probabilities once it is tuned."""

    def __init__(self, task: TuningTask) -> None:
        self.model, self.prior, self.critic = task.model, task.prior, task.critic
        self.reward, self.options, self.bars, self.generator = task.reward, task.options, task.bars, task.generator
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=task.options.step_size)

    @abstractmethod
    def update(self, progress: float) -> Update:
        """Sample a batch of melodies, score it, and learn from it; `progress` runs from 0 to 1."""

    def learning_rate(self, progress: float) -> float:
        """The optimizer's step size: it falls to a tenth in a half cosine."""
        return self.options.step_size * (0.55 + 0.45 * math.cos(math.pi * progress))

    def composer(self) -> SequenceModel:
        """The policy as a sequence model: what composes once the tuning is done."""
        return cast("SequenceModel", self.model)

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs beside the model, the optimizer and the generator."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027  (most learners have nothing to take back)
        """Take back what `state` gave."""

    def play(self) -> Tensor:
        """`(melodies, steps)` tokens drawn from the policy."""
        melodies = self.options.melodies
        bars = self.bars_for(melodies)
        return sample_melodies(self.composer(), melodies, self.options.steps, self.generator, bars=bars)

    def judge(self, tokens: Tensor) -> dict[str, NDArray[np.float64]]:
        """What each rule says of fresh melodies (`MusicReward.terms`), and the critic, which then learns from them."""
        terms = self.reward.terms(to_numpy(tokens))
        return terms if self.critic is None else {**terms, CRITIC: self.critic.judge(tokens)}

    def music(self, terms: Mapping[str, NDArray[np.float64]], like: Tensor) -> Tensor:
        """`(melodies, steps)`: r_MT / c, with what the critic gives, on the device of `like`."""
        if self.critic is None:
            return torch.from_numpy(self.reward.learned(terms)).to(like.device)
        rules = self.reward.learned({name: term for name, term in terms.items() if name != CRITIC})
        return torch.from_numpy((rules + terms[CRITIC] / self.reward.c).astype(np.float32)).to(like.device)

    def log_probs(self, model: SequenceModel, tokens: Tensor) -> Tensor:
        """`(melodies, steps, vocabulary)` log probabilities of a model, with gradient where it has one."""
        return cast("Tensor", log_probs_with_bars(model, tokens, self.bars_for(len(tokens))))

    def scores(self, model: Any, tokens: Tensor) -> Tensor:  # noqa: ANN401  (a model with a method more)
        """`(melodies, steps, vocabulary)` raw scores of a model, with gradient where it has one."""
        return cast("Tensor", cast("ScoreModel", model).scores(tokens, self.bars_for(len(tokens))))

    def descend(self, loss: Tensor) -> None:
        """Take one step of the optimizer down a loss, its gradient shortened to `options.max_norm`."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.max_norm)
        self.optimizer.step()

    def bars_for(self, melodies: int) -> Bars | None:
        """The bars of so many melodies."""
        return self.bars[np.zeros(melodies, dtype=np.int64)] if self.bars is not None else None


def chosen(values: Tensor, tokens: Tensor) -> Tensor:
    """`(melodies, steps)`: of `(melodies, steps, vocabulary)` values, those of the tokens taken."""
    return values.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def account(
    terms: Mapping[str, NDArray[np.float64]], log_p: Tensor, log_policy: Tensor, log_prior: Tensor, loss: float
) -> Update:
    """What an update was like, for the log.

    Args:
        terms: `(melodies, steps)` by rule, whole.
        log_p: `(melodies, steps)`, of the tokens under the prior.
        log_policy: `(melodies, steps, vocabulary)`.
        log_prior: the same of the prior.
        loss: what was minimised.
    """
    with torch.no_grad():
        return Update(
            terms={name: float(term.sum(1).mean()) for name, term in terms.items()},
            log_p=float(log_p.mean()),
            kl=float(divergence(log_policy, log_prior).mean()),
            entropy=float(entropy(log_policy).mean()),
            loss=loss,
        )


def needs_scores(model: object, algorithm: str) -> None:
    """Refuse a model without raw scores where an algorithm learns values.

    Raises:
        UsageError: it has none.
    """
    if not all(hasattr(model, name) for name in ("scores", "start_scores", "step_scores")):
        raise UsageError(
            f"{algorithm} learns values, and this model has only probabilities",
            "give it scores, start_scores and step_scores, or choose rloo or ppo",
        )


@contextmanager
def recurrent_gradients(module: nn.Module) -> Iterator[None]:
    """Let gradients through a module's recurrent layers while its dropout stays off.

    A tuned model computes as it composes, without dropout. But cuDNN, which computes recurrent layers on CUDA cards,
    gives gradients in training mode alone; so these layers are put into it, with a dropout of 0, and back at the end.

    Args:
        module: a torch module in evaluation mode.

    Example:
        >>> layer = nn.LSTM(2, 2, num_layers=2, dropout=0.5).eval()
        >>> with recurrent_gradients(layer):
        ...     print(layer.training, layer.dropout)
        True 0.0
        >>> layer.training, layer.dropout
        (False, 0.5)
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.RNNBase)]
    before = [(layer.dropout, layer.training) for layer in layers]
    for layer in layers:
        layer.dropout, layer.training = 0.0, True
    try:
        yield
    finally:
        for layer, (dropout, training) in zip(layers, before, strict=True):
            layer.dropout, layer.training = dropout, training
