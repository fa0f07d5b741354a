"""Learning from several notes that are tried at each place: maximum a posteriori policy optimisation.

At each note K notes a_1..K are drawn from the policy pi. With their rewards r_k in nats, the prior p, and beta = 0.7,

    q_k = softmax over k of  beta (r_k + log p(a_k) - log pi(a_k))
    loss = - sum over k of (q_k - 1 / K) log pi(a_k)

    r_k = w f(a_k) + m lambda(a_k) + r_MT(a_k) / c

with the log odds f of critics that people wrote the melody up to a_k, the reward lambda for having notes as often as
people have them (`note_reward.py`), and the rules' reward of the melody up to a_k. All terms count in nats of log p, as
for other algorithms: by critics alone the optimum is w / (1 + w) of the way from p to people's melodies.

q is the policy improved at this place, as far as K samples show it (A. Abdolmaleki et al., Maximum a Posteriori Policy
Optimisation, ICLR 2018: their E step without parameters, and the M step, a weighted likelihood). To subtract 1 / K
changes no expectation, since the K notes are samples of pi, and removes the noise of the sampling. Where only one note
is possible nothing is learned. The reward of a melody up to a note is a log ratio log h(x_1..t) - log pi(x_1..t), of
which the notes that are tried in one place share all but the last term, and needs no return over later notes: rewards
are not summed over time.

Several steps on the same melodies are clipped as in PPO (J. Schulman et al., arXiv 1707.06347).

The weights that are kept are the mean of those after each update from `_AVERAGED` on: critics and policy circle round
each other, and the mean is nearer to where (Y. Yazici et al., The Unusual Effectiveness of Averaging in GAN Training,
ICLR 2019).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cantilena.errors import UsageError
from cantilena.models import Network, critic_features
from cantilena.rl.critic_reward import CRITIC
from cantilena.rl.history import UpdateStats
from cantilena.rl.learner import Learner, TuningTask
from cantilena.rl.note_candidates import Rollout, by_length, log_probs_tried, roll_out
from cantilena.rl.note_matching import NoteMatching
from cantilena.rl.note_reward import MATCHING, Composed, NoteCritics, TriedReward
from cantilena.rl.note_rules import melody_rewards, tried_rewards
from cantilena.runtime import derived_seed, generator
from cantilena.training.checkpointing import add_prefixes, with_prefix
from cantilena.training.optimizers import Adam

STEP = 0.7
"""Beta: how far the policy goes in an update, 1 as far as the samples show it."""

_BETAS = (0.9, 0.99)
_PARTS = 3
"""Into how many minibatches the melodies of an update are divided by their numbers of notes."""

_AVERAGED = 1 / 3
"""The share of the updates after which weights are averaged."""

_CLIP = (0.75, 1.33)
"""Bounds of the ratio of the probabilities of a note after and before the steps on the same melodies."""


def mpo_loss(
    log_policy: Tensor,
    log_prior: Tensor,
    log_before: Tensor,
    rewards: Tensor,
    is_played: Tensor,
    *,
    step: float = STEP,
) -> Tensor:
    """The loss, the mean over the notes.

    Args:
        log_policy: `(melodies, notes, tried)` nats, with gradient.
        log_prior: the same of the model before tuning.
        log_before: the same of the policy that the notes were drawn from.
        rewards: the same shape, nats.
        is_played: `(melodies, notes)`: false for padding.
        step: beta.

    Examples:
        >>> half = torch.full((1, 1, 2), 0.5).log().requires_grad_()
        >>> known = half.detach()
        >>> mpo_loss(half, known, known, torch.tensor([[[1.0, 0.0]]]), torch.tensor([[True]])).backward()
        >>> [round(slope, 2) for slope in half.grad[0, 0].tolist()]  # the first note becomes more probable
        [-0.17, 0.17]
    """
    improved = torch.softmax(step * (rewards + log_prior - log_policy.detach()), dim=-1)
    advantage = improved - 1.0 / improved.shape[-1]
    ratio = (log_policy - log_before).exp()
    each = torch.minimum(ratio * advantage, ratio.clamp(*_CLIP) * advantage).sum(-1)
    return -(each * is_played).sum() / is_played.sum()


class Mpo(Learner):
    """The algorithm `mpo`: the model's scores are the logits of the policy, a network of single notes.

    The melodies of an update are like as many of people's, drawn anew, under forms of their own.

    Raises:
        UsageError: the model is no network of notes, or there are no melodies of people's.
    """

    policy = "likelihood"
    keeps_latest = True  # critics change with the model, and tell nothing of earlier weights

    def __init__(self, task: TuningTask) -> None:
        super().__init__(task)
        if task.people is None:
            raise UsageError("mpo needs human melodies, but none were given", "name some with --against CORPUS")
        if not isinstance(task.model, Network) or not isinstance(task.prior, Network):
            raise UsageError("mpo tunes networks of Cantilena", "choose another algorithm")
        self.network, self.before, self.people = task.model, task.prior, task.people
        self.averaged, self.summed = copy.deepcopy(task.model).requires_grad_(requires_grad=False), 0
        notes, options = self.options.notes, self.options
        self.points_per_nat = self.reward.c
        self.critics = NoteCritics(self.people, options.critic, options.seed) if options.critic.critic else None
        self.matching = (
            NoteMatching(self.people.encoding, self.people.rows, self.people.kinds, notes.matching_rate)
            if notes.matching
            else None
        )
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = Adam(weights, lr=options.step_size, betas=_BETAS)
        self.updates = 0

    @property
    def accuracy(self) -> float | None:
        """That of the critics on whole melodies."""
        return None if self.critics is None else self.critics.accuracy

    def prepare(self) -> None:
        """Train the critics on melodies of the model before tuning."""
        if self.critics is not None:
            self.critics.pretrain()

    def policy_model(self) -> Network:
        """The network with the mean weights, which is not the one that learns."""
        return self.averaged

    def kept_weights(self) -> Mapping[str, Tensor]:
        """The mean weights."""
        return self.averaged.state_dict()

    def update(self, progress: float) -> UpdateStats:
        """Compose melodies with several notes tried at each place, and learn from all of these."""
        rng = generator(self.options.seed, "mpo", self.updates)
        known = len(self.people.rows)
        like = rng.choice(known, min(self.options.melodies, known), replace=False)
        told, guides = self.people.tell(like, derived_seed(self.options.seed, "forms", self.updates))
        rollout = roll_out(
            self.network,
            self.people.encoding,
            told,
            guides,
            TriedReward(self.people.kinds[like], self.critics, self.matching, self.options.notes.matching),
            rng,
            features=critic_features(self.people.encoding),
            tried=self.options.notes.tried,
        )
        contexts = [self.people.contexts[row] for row in like]
        chords = [self.people.chords[row] for row in like] if self.people.has_chords else []
        rewards = rollout.rewards * (self.points_per_nat / self.reward.c)
        if self.reward.rules.rules:
            rewards += tried_rewards(self.reward, rollout, contexts, chords)
        melodies = self.people.describe(list(rollout.tokens), like)
        self.updates += 1
        with ThreadPoolExecutor(1) as pool:  # torch computes both without Python
            learned = pool.submit(self._learn_rewards, melodies)
            stats = self._improve(replace(rollout, rewards=rewards), rng)
        self._average(restart=progress < _AVERAGED)
        rules = melody_rewards(self.reward, rollout.tokens, rollout.bars, contexts, chords)
        terms = {name: float(values.mean()) for name, values in rules.items()}
        return replace(stats, terms=terms | learned.result())

    def state(self) -> dict[str, Tensor]:
        """What rewards, and the number of updates."""
        return add_prefixes({
            "critics.": self.critics.state() if self.critics is not None else {},
            "matching.": self.matching.state() if self.matching is not None else {},
            "averaged.": self.averaged.state_dict(),
            "summed": {"": torch.tensor(self.summed)},
            "updates": {"": torch.tensor(self.updates)},
        })  # fmt: skip

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.updates, self.summed = int(state["updates"]), int(state["summed"])
        self.averaged.load_state_dict(with_prefix("averaged.", state))
        for name, part in (("critics.", self.critics), ("matching.", self.matching)):
            if part is not None:
                part.restore(with_prefix(name, state))

    @torch.no_grad()
    def _average(self, *, restart: bool) -> None:
        """Add the weights to the mean, or begin a new one after them."""
        self.summed = 0 if restart else self.summed + 1
        for mean, value in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1.0 / max(self.summed, 1))

    def _improve(self, rollout: Rollout, rng: np.random.Generator) -> UpdateStats:
        """Learn from melodies, and return the statistics of the policy that composed them, without terms."""
        parts = [rollout.take(rows) for rows in by_length(rollout, _PARTS) if len(rows)]
        played = [torch.from_numpy(part.is_played) for part in parts]
        with torch.no_grad():
            known = [(log_probs_tried(self.network, part), log_probs_tried(self.before, part)) for part in parts]
        losses = []
        for _ in range(self.options.notes.epochs):
            for number in rng.permutation(len(parts)):
                log_policy, log_prior = known[number]
                rewards = torch.from_numpy(parts[number].rewards).float()
                loss = mpo_loss(
                    log_probs_tried(self.network, parts[number]),
                    log_prior,
                    log_policy,
                    rewards,
                    played[number],
                )
                self.gradient_step(loss)
                losses.append(float(loss.detach()))
        log_policy, log_prior = (
            torch.cat([pair[side][mask] for pair, mask in zip(known, played, strict=True)]) for side in (0, 1)
        )
        steps = int(rollout.bars.length.sum()) / self.people.encoding.ticks_per_step
        change = log_prior - log_policy
        return UpdateStats(
            {},
            log_p=float(log_prior[:, 0].sum()) / steps,
            kl=float((change.exp() - 1.0 - change).mean(1).sum()) / steps,
            entropy=float(-log_policy.mean(1).sum()) / steps,
            loss=float(np.mean(losses)),
            steps=round(steps),
        )

    def _learn_rewards(self, melodies: list[Composed]) -> dict[str, float]:
        """The mean rewards of new melodies by term, in points; then let what rewards learn from them."""
        terms, rng = {}, generator(self.options.seed, "examined", self.updates)
        if self.critics is not None:
            options = self.options.critic
            terms[CRITIC] = self.points_per_nat * options.critic_weight * float(self.critics.log_odds(melodies).mean())
            if (self.updates - 1) % options.critic_every == 0:
                self.critics.examine(melodies, rng)
                self.critics.train(melodies, self.updates)
        if self.matching is not None:
            rows, kinds = [melody.rows for melody in melodies], self.people.kinds[[melody.like for melody in melodies]]
            each = self.matching.rewards(np.concatenate(rows), kinds.repeat([len(one) for one in rows]))
            terms[MATCHING] = self.points_per_nat * self.options.notes.matching * float(each.sum()) / len(rows)
            self.matching.update(rows, kinds)
        return terms
