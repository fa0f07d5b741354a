"""A critic of melodies as they grow: after each note, the log odds that people wrote what has come so far.

Each note is described by what a network of notes reads after it (`critic_rows`). With the sum x of its rows of a table

    h = tanh(W tanh(x) + b)
    f = v . tanh(M [mean of h, deviation of h, mean of the last 8 h, h] + m) + c

where mean and deviation are those of the notes so far. Trained at every note to be log D - log(1 - D) of a
discriminator D (I. Goodfellow et al., NeurIPS 2014), f after note t approaches log h(x_1..t) - log p(x_1..t), with h
the distribution of people's melodies and p that of the model's: so f(s, a) - f(s) is what a note a changes in it, as
the future discriminators of K. Yang and D. Klein (FUDGE, NAACL 2021) tell it for attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from cantilena.models import critic_features
from cantilena.models.critic import LEAST_VARIANCE
from cantilena.runtime import cpu_count, derived_seed
from cantilena.tokenizers import NotesEncoding
from cantilena.training.optimizers import AdamW

Rows = NDArray[np.integer]
"""`(notes, columns)`: for one melody what `critic_rows` returns."""

_WIDTH, _DROPOUT, _LAST = 64, 0.5, 8
_BATCH, _LEARNING_RATE, _WEIGHT_DECAY, _AVERAGING = 32, 3e-3, 0.1, 0.98
_AT_ONCE = 64
_ENDED = object()


class PrefixCritic(nn.Module):
    """The critic.

    Args:
        encoding: of the melodies.
        seed: of the initial weights; torch's global generator is left as it was.

    Examples:
        >>> from cantilena.tokenizers import NotesEncoding
        >>> critic = PrefixCritic(NotesEncoding())
        >>> columns = critic.features.columns
        >>> [len(odds) for odds in critic.log_odds([np.zeros((3, columns), int), np.zeros((5, columns), int)])]
        [3, 5]
    """

    def __init__(self, encoding: NotesEncoding, seed: int = 1) -> None:
        super().__init__()
        self.features = critic_features(encoding)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "prefix critic"))
            self.table = nn.EmbeddingBag(self.features.rows, _WIDTH, mode="sum")
            nn.init.normal_(self.table.weight, std=0.1)
            self.inner, self.deep = nn.Linear(_WIDTH, _WIDTH), nn.Linear(4 * _WIDTH, _WIDTH)
            self.out = nn.Linear(_WIDTH, 1)
        self.noise = torch.Generator().manual_seed(derived_seed(seed, "dropout"))
        """The randomness of dropout, so that critics can train in parallel."""
        self.eval()

    def describe(self, rows: Tensor) -> Tensor:
        """`(notes, width)`: h of notes with `(notes, columns)` rows."""
        described: Tensor = torch.tanh(self.inner(self._dropped(torch.tanh(self.table(rows)))))
        return described

    def judge(self, mean: Tensor, square: Tensor, last: Tensor, h: Tensor) -> Tensor:
        """The log odds from the means of h, of its square and of the last h, and from h, each `(..., width)`."""
        deviation = (square - mean**2).clamp_min(LEAST_VARIANCE).sqrt()
        deep = torch.tanh(self.deep(self._dropped(torch.cat([mean, deviation, last, h], dim=-1))))
        odds: Tensor = self.out(self._dropped(deep))
        return odds.squeeze(-1)

    def _dropped(self, values: Tensor) -> Tensor:
        """Values with dropout while training."""
        if not self.training:
            return values
        kept = torch.rand(values.shape, generator=self.noise) >= _DROPOUT
        return values * kept / (1.0 - _DROPOUT)

    def forward(self, melodies: Sequence[Rows]) -> tuple[Tensor, Tensor]:
        """Log odds after each note of each melody, and whether it has so many: both `(melodies, most notes)`."""
        counts = torch.tensor([len(rows) for rows in melodies])
        h = self.describe(torch.from_numpy(np.concatenate(melodies).astype(np.int64)))
        padded = nn.utils.rnn.pad_sequence(list(torch.split(h, counts.tolist())), batch_first=True)
        number = torch.arange(1, padded.shape[1] + 1)[:, None]
        sums = padded.cumsum(1)
        before = F.pad(sums, (0, 0, _LAST, 0))[:, : padded.shape[1]]
        last = (sums - before) / number.clamp_max(_LAST)
        odds = self.judge(sums / number, (padded * padded).cumsum(1) / number, last, padded)
        return odds, number[:, 0] <= counts[:, None]

    @torch.no_grad()
    def log_odds(self, melodies: Sequence[Rows]) -> list[NDArray[np.float32]]:
        """Log odds of each melody after each of its notes, `(notes,)`."""
        known = []
        for start in range(0, len(melodies), _AT_ONCE):
            some = melodies[start : start + _AT_ONCE]
            known += [row[: len(one)].numpy() for row, one in zip(self(some)[0], some, strict=True)]
        return known

    def learn(self, optimizer: Optimizer, people: Sequence[Rows], generated: Sequence[Rows]) -> None:
        """Take a step of the optimizer on a batch."""
        self.train()
        loss = self.loss(people, generated)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.eval()

    def loss(self, people: Sequence[Rows], generated: Sequence[Rows]) -> Tensor:
        """Cross-entropy, half of it after the last note, the other half the mean over all notes of each melody."""
        odds, is_there = self([*people, *generated])
        human = (torch.arange(len(odds)) < len(people)).float()[:, None].expand_as(odds)
        each = F.binary_cross_entropy_with_logits(odds, human, reduction="none") * is_there
        counts = is_there.sum(1)
        at_end = each.gather(1, counts[:, None] - 1).mean()
        loss: Tensor = 0.5 * at_end + 0.5 * (each.sum(1) / counts).mean()
        return loss


def prefix_critic_training(
    critic: PrefixCritic,
    people: Sequence[Rows],
    generated: Sequence[Rows],
    rng: np.random.Generator,
    *,
    epochs: int = 6,
) -> Iterator[None]:
    """Train a critic in place, a batch at each step of the iterator; at the end its weights are their moving average.

    Args:
        critic: to train.
        people: melodies of people.
        generated: melodies of a model.
        rng: draws the batches.
        epochs: passes over the smaller of the two sets.
    """
    batches = max(min(len(people), len(generated)) // _BATCH, 1)
    optimizer = AdamW(critic.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    average = {name: value.clone() for name, value in critic.state_dict().items()}
    for _ in range(epochs):
        orders = [rng.permutation(len(side)) for side in (people, generated)]
        for start in range(0, batches * _BATCH, _BATCH):
            ours, theirs = (order[start : start + _BATCH] for order in orders)
            critic.learn(optimizer, [people[i] for i in ours], [generated[i] for i in theirs])
            schedule.step()
            for name, value in critic.state_dict().items():
                average[name].lerp_(value, 1.0 - _AVERAGING)
            yield
    critic.load_state_dict(average)


def in_parallel(trainings: Sequence[Iterator[None]]) -> Iterator[None]:
    """Run trainings side by side, a batch of each at a time, so that an interruption waits for no more than these.

    Examples:
        >>> sum(1 for _ in in_parallel([iter([None] * 3), iter([None] * 2)]))
        3
    """
    with ThreadPoolExecutor(max(min(len(trainings), cpu_count()), 1)) as pool:
        while any([*pool.map(_go_on, trainings)]):
            yield


def _go_on(training: Iterator[None]) -> bool:
    return next(training, _ENDED) is not _ENDED


class RunningCritic:
    """A critic beside melodies that are being composed, which tries several notes before one of them is taken.

    Args:
        critic: not changed.
        melodies: how many are composed.
    """

    def __init__(self, critic: PrefixCritic, melodies: int) -> None:
        self.critic = critic
        zeros = torch.zeros(melodies, _WIDTH)
        self._sum, self._squares, self._notes = zeros, zeros.clone(), torch.zeros(melodies, 1)
        self._last = torch.zeros(melodies, _LAST - 1, _WIDTH)

    @torch.no_grad()
    def attempt(self, rows: Rows, melody: NDArray[np.integer]) -> tuple[NDArray[np.float32], Tensor]:
        """Log odds after notes that may come next.

        Args:
            rows: `(notes, columns)`.
            melody: `(notes,)`: the melody that each would continue.

        Returns:
            `(notes,)` log odds, and what `take` wants of the notes that are taken.
        """
        h = self.critic.describe(torch.from_numpy(rows.astype(np.int64)))
        count = self._notes[melody] + 1
        mean, square = (self._sum[melody] + h) / count, (self._squares[melody] + h * h) / count
        last = (self._last[melody].sum(1) + h) / count.clamp_max(_LAST)
        return self.critic.judge(mean, square, last, h).numpy(), h

    def take(self, described: Tensor, goes_on: NDArray[np.bool_]) -> None:
        """Go on with one note of each melody that goes on; `described` is `(melodies, width)`."""
        kept = torch.from_numpy(goes_on)[:, None].float()
        self._sum, self._squares = self._sum + described * kept, self._squares + described**2 * kept
        self._notes = self._notes + kept
        longer = torch.cat([self._last[:, 1:], described[:, None]], dim=1)
        self._last = torch.where(kept[:, :, None] > 0, longer, self._last)
