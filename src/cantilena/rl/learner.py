"""What all algorithms share: a model that is tuned, a fixed prior, a reward and an optimizer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.models import Bars, ScoreModel, SequenceModel, Tape, log_probs_with_bars, recorded, to_numpy
from cantilena.models.policy import LOG_ZERO
from cantilena.rl.critic_reward import CRITIC, CriticReward
from cantilena.rl.history import UpdateStats
from cantilena.rl.note_reward import PeoplesNotes
from cantilena.rl.options import TuningOptions
from cantilena.rl.reward import MusicReward, end_token, most_tokens, token_places
from cantilena.rl.rollout import entropy, kl_divergence, per_step, sample_melodies
from cantilena.rules import Context
from cantilena.runtime import derived_seed
from cantilena.training.optimizers import Adam

_PARTS = 8
"""Into how many parts the melodies of an update are divided by their numbers of tokens."""


@dataclass(frozen=True)
class TuningTask:
    """A model to tune and its reward.

    Args:
        model: a torch module that is a `SequenceModel`; tuned in place.
        prior: the model before tuning, never changed: the paper's reward network.
        reward: the rules of music theory.
        options: of the tuning.
        bars: of the melodies, one row for all of them, with their length for a model of notes; None if tokens have no
            duration.
        generator: source of randomness, on the model's device.
        critic: the reward of discriminators; None for the rules alone.
        also: other contexts of the rules, in which updates take turns with that of `reward`.
        people: people's melodies of notes; needed by `mpo` only.
    """

    model: nn.Module
    prior: SequenceModel
    reward: MusicReward
    options: TuningOptions
    bars: Bars | None
    generator: torch.Generator
    critic: CriticReward | None = None
    also: tuple[Context, ...] = ()
    people: PeoplesNotes | None = None


class Learner(ABC):
    """An algorithm of reinforcement learning on whole melodies.

    Args:
        task: the model to tune and its reward.
    """

    policy: str
    """How probabilities follow from the scores of the tuned model."""

    keeps_latest = False
    """Whether the last weights that pass a diversity check are kept, not the best: where nothing compares them."""

    def __init__(self, task: TuningTask) -> None:
        self.model, self.prior, self.critic = task.model, task.prior, task.critic
        self.reward, self.options, self.bars, self.generator = task.reward, task.options, task.bars, task.generator
        self.contexts = (task.reward.context, *task.also)
        self.end = end_token(task.reward.encoding)
        self.optimizer = Adam(self.model.parameters(), lr=task.options.step_size)
        self._sampled: tuple[Tensor, Tape] | None = None

    @property
    def accuracy(self) -> float | None:
        """That of the discriminators on melodies that they were not trained on; None without a critic."""
        return None if self.critic is None else self.critic.accuracy

    def prepare(self) -> None:
        """Do what comes before the first update; a resumed run restores it instead."""
        if self.critic is not None:
            rng = torch.Generator(self.generator.device).manual_seed(derived_seed(self.options.seed, "critic"))
            self.critic.pretrain(lambda count: self.draw(self.prior, count, rng))

    @abstractmethod
    def update(self, progress: float) -> UpdateStats:
        """Sample a batch of melodies, score it, and learn from it; `progress` rises from 0 to 1."""

    def turn_to(self, number: int) -> None:
        """Go on in the context of rules whose turn it is at an update."""
        context = self.contexts[number % len(self.contexts)]
        if context != self.reward.context:
            self.reward = replace(self.reward, context=context)
            self.bars = self.reward.bars(melodies=1, steps=self.options.steps)
            if self.critic is not None:
                self.critic.tonic = context.key.tonic

    def learning_rate(self, progress: float) -> float:
        """The learning rate, which a cosine anneals to a tenth."""
        return self.options.step_size * (0.55 + 0.45 * math.cos(math.pi * progress))

    def policy_model(self) -> SequenceModel:
        """The policy as a sequence model, which composes after the tuning."""
        return cast("SequenceModel", self.model)

    def kept_weights(self) -> Mapping[str, Tensor]:
        """The weights that the model gets if the tuning ends now."""
        return self.model.state_dict()

    def state(self) -> dict[str, Tensor]:
        """Tensors of a checkpoint besides model, optimizer and generator."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027  (most learners have no further state)
        """Restore what `state` returned."""

    def sample(self, *, epsilon: float = 0.0, temperature: float = 1.0) -> Tensor:
        """`(melodies, tokens)` tokens from the policy; see `sample_melodies`."""
        melodies = self.options.melodies
        model = self.policy_model()
        with recorded(model) as tape:
            tokens = self.draw(model, melodies, self.generator, epsilon=epsilon, temperature=temperature)
        self._sampled = None if tape is None else (tokens, tape)
        return tokens

    def draw(
        self,
        model: SequenceModel,
        melodies: int,
        generator: torch.Generator,
        *,
        epsilon: float = 0.0,
        temperature: float = 1.0,
    ) -> Tensor:
        """`(melodies, tokens)` tokens of whole melodies from any model; see `sample_melodies`."""
        return sample_melodies(
            model,
            melodies,
            most_tokens(self.reward.encoding, self.options.steps),
            generator,
            bars=self.bars_for(melodies),
            epsilon=epsilon,
            temperature=temperature,
            end=self.end,
        )

    def is_played(self, tokens: Tensor) -> Tensor:
        """`(melodies, tokens)`: false for the padding after the end of a melody."""
        return torch.ones_like(tokens, dtype=torch.bool) if self.end is None else tokens != self.end

    def places(self, tokens: Tensor) -> Tensor:
        """`(melodies, tokens)`: the step of the line at which the note of each token begins; of padding the last."""
        places = token_places(self.reward.encoding, to_numpy(tokens), self.options.steps)
        return torch.from_numpy(np.minimum(places, self.options.steps - 1)).to(tokens.device)

    def score(self, tokens: Tensor) -> dict[str, NDArray[np.float64]]:
        """The terms of the reward of new melodies (`MusicReward.terms`), with that of the critic, which then trains.

        They are `(melodies, steps)`, of each step of the line.
        """
        terms = self.reward.terms(to_numpy(tokens))
        return terms if self.critic is None else {**terms, CRITIC: self.critic.score_and_train(tokens)}

    def scaled_reward(self, terms: Mapping[str, NDArray[np.float64]], tokens: Tensor) -> Tensor:
        """`(melodies, tokens)`: r_MT / c of each token, including the critic's reward, on the device of the tokens."""
        scaled = self.reward.scaled({name: term for name, term in terms.items() if name != CRITIC})
        if self.critic is not None:
            scaled = (scaled + terms[CRITIC] / self.reward.c).astype(np.float32)
        return torch.from_numpy(self.reward.by_token(scaled, to_numpy(tokens))).to(tokens.device)

    def log_probs(self, model: SequenceModel, tokens: Tensor) -> Tensor:
        """`(melodies, tokens, vocabulary)` log probabilities of a model, with gradient if it has one."""
        if self._sampled is not None and tokens is self._sampled[0] and model is self.policy_model():
            return self._sampled[1].log_probs()
        return self._by_length(lambda some, bars: log_probs_with_bars(model, some, bars), tokens)

    def scores(self, model: Any, tokens: Tensor) -> Tensor:  # noqa: ANN401  (a `ScoreModel` and a module)
        """`(melodies, tokens, vocabulary)` raw scores of a model, with gradient if it has one."""
        return self._by_length(cast("ScoreModel", model).scores, tokens)

    def _by_length(self, compute: Callable[[Tensor, Bars | None], Any], tokens: Tensor) -> Tensor:
        """`(melodies, tokens, vocabulary)` values, computed of melodies of about as many tokens at a time.

        Half of the tokens of melodies of notes are padding, since one of them has many short notes.
        """
        if self.end is None or len(tokens) < 2 * _PARTS:
            return cast("Tensor", compute(tokens, self.bars_for(len(tokens))))
        lengths = self.is_played(tokens).sum(1)
        order = lengths.argsort(stable=True)
        parts = []
        for rows in order.tensor_split(_PARTS):
            longest = max(int(lengths[rows].max()), 1)
            values = compute(tokens[rows, :longest], self.bars_for(len(rows)))
            padding = values.new_full((len(rows), tokens.shape[1] - longest, values.shape[2]), LOG_ZERO)
            padding[:, :, self.end] = 0.0
            parts.append(torch.cat([values, padding], dim=1))
        return torch.cat(parts)[order.argsort()]

    def gradient_step(self, loss: Tensor) -> None:
        """Take an optimizer step, with the gradient clipped to `options.max_norm`."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.max_norm)
        self.optimizer.step()
        self._sampled = None  # the weights have changed

    def bars_for(self, melodies: int) -> Bars | None:
        """The bars of a number of melodies."""
        return self.bars[np.zeros(melodies, dtype=np.int64)] if self.bars is not None else None


@torch.no_grad()
def update_stats(
    terms: Mapping[str, NDArray[np.float64]],
    log_p: Tensor,
    log_policy: Tensor,
    log_prior: Tensor,
    loss: float,
    steps: int,
) -> UpdateStats:
    """The statistics of an update on melodies of so many steps.

    The distributions of policy and prior are `(melodies, tokens, vocabulary)`.
    """
    return UpdateStats(
        terms={name: float(term.sum(1).mean()) for name, term in terms.items()},
        log_p=float(per_step(log_p, steps)),
        kl=float(per_step(kl_divergence(log_policy, log_prior), steps)),
        entropy=float(per_step(entropy(log_policy), steps)),
        loss=loss,
    )


@contextmanager
def recurrent_gradients(module: nn.Module) -> Iterator[None]:
    """Allow gradients through recurrent layers of a module in evaluation mode.

    A model is tuned without dropout, as it composes. But cuDNN computes gradients of recurrent layers in training mode
    only, so they are put into it with a dropout of 0, and reset at the end.

    Examples:
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
