"""The critic: a reward by the log odds of discriminators that are trained together with the model.

The idea is that of SeqGAN (L. Yu et al., AAAI 2017). With f the mean over the ensemble of log D - log(1 - D), clipped,
and w the critic's weight, a melody s_1..T earns w f(s_1..T), in nats like log p. It is paid by step,

    r_critic(t) = w ( f(s_1..t) - f(s_1..t-1) )          f of the empty melody is 0

which has the same sum and therefore the same optimum; but the reward to go of a step is w (f(s_1..T) - f(s_1..t-1)),
as with a baseline that depends on the state. For a trained model's melodies of two bars this has 2.4 times less
variance than w f(s_1..T).

Optimal discriminators give f = log(h / pi), with h the human distribution. Then the best policy for

    E_pi [ w f + log p - log pi ]          is          p^(1 / (1 + w)) h^(w / (1 + w)), normalised,

between the trained model p and h, and the closer to h the larger w.

The reward is stated in points, which the learner divides by c: a nat is worth the initial c. If c rises to hold a
target KL, the critic counts for less, as the rules do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cantilena.discriminators import DiscriminatorEnsemble, HumanMelodies
from cantilena.errors import UsageError
from cantilena.models import to_numpy
from cantilena.rl.options import TuningOptions
from cantilena.rl.reward import MusicReward
from cantilena.runtime import generator

CRITIC = "critic"
"""The name of the critic's reward, beside those of the rules."""

_PRETRAINING_MELODIES = 1024
_KEEP_ONE_IN = 4
"""The share of new melodies that go into the replay buffer."""


@dataclass(frozen=True)
class CriticData:
    """Human melodies by role.

    Args:
        reward: for the training of the discriminators that reward.
        stopping: for the classifier that stops a run.

    Raises:
        UsageError: a piece is in both.
    """

    reward: HumanMelodies
    stopping: HumanMelodies

    def __post_init__(self) -> None:
        shared = np.intersect1d(self.reward.piece, self.stopping.piece)
        if len(shared):
            raise UsageError(f"piece {shared[0]} is used both to reward and to stop", "split the melodies by piece")


class CriticReward:
    """The reward of discriminators that are trained further on human melodies and the model's.

    `reward` is that of the rules before any update: its encoding, meter, key and c are used.
    """

    def __init__(
        self, human: HumanMelodies, reward: MusicReward, options: TuningOptions, device: torch.device | str = "cpu"
    ) -> None:
        self.options, self.encoding, self.seed = options.critic, reward.encoding, options.seed
        self.tonic = reward.context.key.tonic
        self.points_per_nat = reward.c * self.options.critic_weight
        self.accuracy = 0.5
        self.updates = 0
        self.ensemble = DiscriminatorEnsemble(
            human,
            members=self.options.critic_members,
            steps_per_bar=reward.context.steps_per_bar,
            seed=options.seed,
            device=device,
        )
        self._replay = torch.zeros((0, 0, 0), dtype=torch.int16)

    def pretrain(self, sample: Callable[[int], Tensor]) -> None:
        """Train the discriminators on melodies of the untuned model; `sample` returns a number of them."""
        features = self._encode(sample(min(_PRETRAINING_MELODIES, self.options.critic_replay)))
        self.ensemble.train(features, updates=self.options.critic_start, round_=0)
        self._replay = features

    def score_and_train(self, tokens: Tensor) -> NDArray[np.float64]:
        """The reward of each step of new melodies in points, `(melodies, steps)`; then train on them if it is time."""
        features = self._encode(tokens)
        points = self._points(features)
        if self.updates % self.options.critic_every == 0:
            number = 1 + self.updates // self.options.critic_every
            self.accuracy = self.ensemble.accuracy(features, number)
            older = self._replay if len(self._replay) else None
            self.ensemble.train(features, updates=self.options.critic_lessons, round_=number, older=older)
            self._add_to_replay(features, number)
        self.updates += 1
        return points

    def score(self, tokens: Tensor) -> NDArray[np.float64]:
        """The reward of each step in points, `(melodies, steps)`."""
        return self._points(self._encode(tokens))

    def state(self) -> dict[str, Tensor]:
        """The state that the next update depends on, as tensors by name."""
        numbers = torch.tensor([self.updates, self.accuracy], dtype=torch.float64)
        return {"numbers": numbers, "older": self._replay, **self.ensemble.state()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.updates, self.accuracy = int(state["numbers"][0]), float(state["numbers"][1])
        self._replay = state["older"]
        self.ensemble.restore(state)

    def _encode(self, tokens: Tensor) -> Tensor:
        return self.ensemble.encode(self.encoding.line(to_numpy(tokens)), self.tonic)

    def _points(self, features: Tensor) -> NDArray[np.float64]:
        limit = self.options.critic_clip
        odds = to_numpy(self.ensemble.log_odds(features)).astype(np.float64).clip(-limit, limit)
        return self.points_per_nat * np.diff(odds, axis=1, prepend=0.0)

    def _add_to_replay(self, features: Tensor, number: int) -> None:
        """Keep some of the newest melodies, which replace random older ones once the buffer is full."""
        new = features[: max(len(features) // _KEEP_ONE_IN, 1)]
        room = self.options.critic_replay - len(self._replay)
        if room > 0:
            self._replay = torch.cat([self._replay, new[:room]])
            new = new[room:]
        if len(new):
            rng = generator(self.seed, "critic", "remember", number)
            rows = rng.choice(len(self._replay), min(len(new), len(self._replay)), replace=False)
            self._replay = self._replay.clone()
            self._replay[torch.from_numpy(rows)] = new[: len(rows)]
