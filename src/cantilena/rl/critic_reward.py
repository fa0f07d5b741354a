"""What a melody earns for sounding like people's: the log odds of discriminators that learn while the model does.

The idea is that of SeqGAN (L. Yu et al., AAAI 2017; a generator of text rewarded by a discriminator). With f the mean
over the ensemble of log D - log(1 - D), clipped, and w the critic's weight, a melody s_1..T earns w f(s_1..T), in nats
beside log p. It is paid as it is earned,

    r_critic(t) = w ( f(s_1..t) - f(s_1..t-1) )          f of nothing is 0

which sums to the same, so that nothing else is maximised; but what is still to be earned at a step is
w (f(s_1..T) - f(s_1..t-1)): what was gained or lost before it is taken away, as by a baseline that knows the state, and
credit goes to the step. Of a trained model's melodies of two bars this has 2.4 times less variance than w f(s_1..T).

Discriminators that have learned all give f = log(h / pi), with h people's distribution. Then the best policy for

    E_pi [ w f + log p - log pi ]          is          p^(1 / (1 + w)) h^(w / (1 + w)), normalised,

between the trained model p and people, the nearer to people the larger w.

As all rewards, it is told in points, which the learner divides by c: a nat is worth the c that was asked for. Where c
rises to hold a target KL, the critic counts for less, as the rules do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cantilena.discriminators import Discriminators, PeoplesMelodies
from cantilena.errors import UsageError
from cantilena.models import to_numpy
from cantilena.rl.options import TuningOptions
from cantilena.rl.reward import MusicReward
from cantilena.runtime import generator

CRITIC = "critic"
"""What the critic's reward is called beside the rules'."""

_FIRST = 1024
"""Melodies of the untuned model that the discriminators begin with, or as many as they remember."""
_REMEMBERED = 4
"""One in so many of the newest melodies is remembered."""


class CriticReward:
    """The reward of discriminators that go on learning.

    Args:
        people: people's melodies that they learn from.
        reward: the rules' reward beside it: its encoding, meter, key and c, before any update.
        options: how.
        device: where the discriminators learn.
    """

    def __init__(
        self, people: PeoplesMelodies, reward: MusicReward, options: TuningOptions, device: torch.device | str = "cpu"
    ) -> None:
        self.options, self.encoding, self.seed = options.critic, reward.encoding, options.seed
        self.tonic = reward.context.key.tonic
        self.points = reward.c * self.options.critic_weight
        self.accuracy = 0.5
        self.updates = 0
        self.discriminators = Discriminators(
            people,
            members=self.options.critic_members,
            steps_per_bar=reward.context.steps_per_bar,
            seed=options.seed,
            device=device,
        )
        self._older = torch.zeros((0, 0, 0), dtype=torch.int16)

    def begin(self, draw: Callable[[int], Tensor]) -> None:
        """Let the discriminators hear the model as it is before the first update.

        Args:
            draw: gives so many `(melodies, steps)` tokens.
        """
        heard = self._heard(draw(min(_FIRST, self.options.critic_replay)))
        self.discriminators.learn(heard, lessons=self.options.critic_start, round_=0)
        self._older = heard

    def judge(self, tokens: Tensor) -> NDArray[np.float64]:
        """What each step of fresh melodies earns, `(melodies, steps)`, in points; then, if it is time, learn from them.

        Args:
            tokens: `(melodies, steps)`, which no discriminator has heard yet.
        """
        heard = self._heard(tokens)
        earned = self._points(heard)
        if self.updates % self.options.critic_every == 0:
            number = 1 + self.updates // self.options.critic_every
            self.accuracy = self.discriminators.accuracy(heard, number)
            self.discriminators.learn(
                heard,
                lessons=self.options.critic_lessons,
                round_=number,
                older=self._older if len(self._older) else None,
            )
            self._remember(heard, number)
        self.updates += 1
        return earned

    def points_of(self, tokens: Tensor) -> NDArray[np.float64]:
        """What each step earns, `(melodies, steps)`, in points; nothing is learned."""
        return self._points(self._heard(tokens))

    def state(self) -> dict[str, Tensor]:
        """All that the next update depends on, as tensors by name."""
        numbers = torch.tensor([self.updates, self.accuracy], dtype=torch.float64)
        return {"numbers": numbers, "older": self._older, **self.discriminators.state()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.updates, self.accuracy = int(state["numbers"][0]), float(state["numbers"][1])
        self._older = state["older"]
        self.discriminators.restore(state)

    def _heard(self, tokens: Tensor) -> Tensor:
        return self.discriminators.hear(self.encoding.line(to_numpy(tokens)), self.tonic)

    def _points(self, heard: Tensor) -> NDArray[np.float64]:
        edge = self.options.critic_clip
        odds = to_numpy(self.discriminators.log_odds(heard)).astype(np.float64).clip(-edge, edge)
        return self.points * np.diff(odds, axis=1, prepend=0.0)

    def _remember(self, heard: Tensor, number: int) -> None:
        """Keep some of the newest melodies, in the places of others at random once there is no room."""
        kept = heard[: max(len(heard) // _REMEMBERED, 1)]
        room = self.options.critic_replay - len(self._older)
        if room > 0:
            self._older = torch.cat([self._older, kept[:room]])
            kept = kept[room:]
        if len(kept):
            rng = generator(self.seed, "critic", "remember", number)
            places = rng.choice(len(self._older), min(len(kept), len(self._older)), replace=False)
            self._older = self._older.clone()
            self._older[torch.from_numpy(places)] = kept[: len(places)]


@dataclass(frozen=True)
class CriticPeople:
    """People's melodies by role.

    Args:
        rewarding: what the discriminators learn from.
        stopping: what the listener that stops a run hears.

    Raises:
        UsageError: a piece that is in both.
    """

    rewarding: PeoplesMelodies
    stopping: PeoplesMelodies

    def __post_init__(self) -> None:
        both = np.intersect1d(self.rewarding.piece, self.stopping.piece)
        if len(both):
            raise UsageError(
                f"piece {both[0]} is heard both by those that reward and by the one that stops", "split them by piece"
            )
