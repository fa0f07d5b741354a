"""Trains the critic of whole melodies that a search composes with (`models/critic.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cantilena.errors import CorpusError
from cantilena.models import MelodyCritic, critic_features, limit_threads
from cantilena.models.critic import LEAST_VARIANCE, WIDTH
from cantilena.runtime import derived_seed, generator, progress
from cantilena.tokenizers import NotesEncoding

Rows = Sequence[NDArray[np.int32]]
"""For each melody what `critic_rows` returns."""

_EPOCHS, _BATCH = 12, 32
_LEARNING_RATE, _WEIGHT_DECAY, _DROPOUT = 3e-3, 0.1, 0.4
_AVERAGING = 0.98
"""Decay of the moving average of the weights, which is what is kept."""
_LEAST = 32
"""Melodies of each kind and part that are needed."""


@dataclass(frozen=True)
class CriticExamples:
    """Melodies of people and of a model, described by `critic_rows`."""

    people: Rows
    generated: Rows

    def __len__(self) -> int:
        return min(len(self.people), len(self.generated))


class _Network(nn.Module):
    """The critic in torch."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(rows, WIDTH, mode="sum")
        nn.init.normal_(self.table.weight, std=0.1)
        self.inner, self.deep, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(3 * WIDTH, WIDTH), nn.Linear(WIDTH, 1)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, melodies: Rows) -> Tensor:
        """`(melodies,)` log odds."""
        counts = torch.tensor([len(rows) for rows in melodies])
        h = torch.tanh(self.inner(self.dropout(torch.tanh(self.table(torch.from_numpy(np.concatenate(melodies)))))))
        of = torch.repeat_interleave(torch.arange(len(melodies)), counts)
        mean, square = (h.new_zeros(len(melodies), WIDTH).index_add(0, of, x) / counts[:, None] for x in (h, h * h))
        deviation = (square - mean**2).clamp_min(LEAST_VARIANCE).sqrt()
        pooled = torch.cat([mean, deviation, h[counts.cumsum(0) - 1]], dim=1)
        odds: Tensor = self.out(self.dropout(torch.tanh(self.deep(self.dropout(pooled)))))
        return odds.squeeze(1)


def train_critic(
    encoding: NotesEncoding,
    examples: CriticExamples,
    valid: CriticExamples,
    *,
    seed: int = 1,
    provenance: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> MelodyCritic:
    """Train a critic by cross-entropy; the epoch is kept that is best on the validation examples.

    Args:
        encoding: of the melodies.
        examples: to learn from.
        valid: of other pieces of people.
        seed: of initial weights, batches and dropout.
        provenance: what the critic records of its training.
        quiet: show no progress.

    Raises:
        CorpusError: there are too few melodies.
    """
    if len(examples) < _LEAST or len(valid) < _LEAST:
        raise CorpusError(
            f"a critic needs {_LEAST} melodies of people to learn from and as many to check it, "
            f"and there are {len(examples.people)} and {len(valid.people)}",
            "give a larger corpus",
        )
    rng = generator(seed, "critic", "batches")
    with limit_threads(WIDTH, 2 * _BATCH), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "critic"))
        network = _Network(critic_features(encoding).rows)
        optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        batches = len(examples) // _BATCH
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _EPOCHS * batches)
        average = {name: value.clone() for name, value in network.state_dict().items()}
        best, kept, accuracy = np.inf, average, 0.5
        with progress("Training the critic", total=_EPOCHS * batches, unit="batches", quiet=quiet) as bar:
            for epoch in range(_EPOCHS):
                sides = [rng.permutation(len(side)) for side in (examples.people, examples.generated)]
                for start in range(0, batches * _BATCH, _BATCH):
                    people, generated = (side[start : start + _BATCH] for side in sides)
                    network.train()
                    odds = network([examples.people[i] for i in people] + [examples.generated[i] for i in generated])
                    loss = F.binary_cross_entropy_with_logits(odds, (torch.arange(2 * _BATCH) < _BATCH).float())
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    schedule.step()
                    for name, value in network.state_dict().items():
                        average[name].lerp_(value, 1.0 - _AVERAGING)
                    bar.advance()
                current = {name: value.clone() for name, value in network.state_dict().items()}
                network.load_state_dict(average)
                loss_now, accuracy_now = _validate(network.eval(), valid)
                if loss_now < best:
                    best, accuracy = loss_now, accuracy_now
                    kept = {name: value.clone() for name, value in average.items()}
                network.load_state_dict(current)
                bar.advance(0, f"epoch {epoch + 1}, validation accuracy {accuracy_now:.1%}")
    weights = {name.replace("table.weight", "table"): value.numpy() for name, value in kept.items()}
    record = {**(provenance or {}), "valid": {"cross_entropy": round(best, 4), "accuracy": round(accuracy, 4)}}
    return MelodyCritic(encoding, weights, record)


def _validate(network: _Network, valid: CriticExamples) -> tuple[float, float]:
    """Cross-entropy and accuracy, both kinds of melodies with the same weight."""
    with torch.no_grad():
        people, generated = network(valid.people), -network(valid.generated)
    loss = (F.softplus(-people).mean() + F.softplus(-generated).mean()) / 2
    return float(loss), float(((people > 0).float().mean() + (generated > 0).float().mean()) / 2)
