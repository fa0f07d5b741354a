"""A training under way: the network, its optimizer, and how far it has come."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from cantilena.errors import RunError
from cantilena.training.checkpointing import load_optimizer, optimizer_tensors, under
from cantilena.training.distributed import ALONE, Processes
from cantilena.training.options import TrainingOptions
from cantilena.training.schedule import HALVE_AFTER, learning_rate

Learner = TypeVar("Learner", bound=nn.Module)


@dataclass
class Standing:
    """How far a training has come: numbers alone."""

    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that are done."""
    updates: int = 0
    nats: float = 0.0
    """Sum of the training loss in this epoch."""
    steps: int = 0
    """Steps predicted in this epoch."""
    best: float = math.inf
    best_epoch: int = -1
    waited: int = 0
    """Epochs since the best one."""
    halvings: int = 0
    rate: float = 0.0
    """Learning rate of the last update."""
    history: list[dict[str, float]] = field(default_factory=list)
    """An entry an epoch: `epoch updates train valid learning_rate`."""


class Course(Generic[Learner]):
    """What learns, and what is remembered of it.

    Args:
        network: trained in place.
        options: how.
        processes: those that learn together, each with the same network.
    """

    def __init__(self, network: Learner, options: TrainingOptions, processes: Processes = ALONE) -> None:
        self.network, self.options, self.processes = network, options, processes
        matrices = [weight for weight in network.parameters() if weight.ndim > 1]
        biases = [weight for weight in network.parameters() if weight.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": options.weight_decay}, {"params": biases, "weight_decay": 0.0}],
            lr=options.learning_rate,
            fused=self._device.type in ("cpu", "cuda"),
        )
        self.averaged = copy.deepcopy(network).requires_grad_(False) if options.averaging else None
        self.best: dict[str, Tensor] = {}
        self.standing = Standing()

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def measured(self) -> Learner:
        """The network that is measured and kept: the average where there is one."""
        return self.network if self.averaged is None else self.averaged

    def update(self, loss: Tensor, steps: int, share: float) -> None:
        """Take one step of the optimizer, the same in all processes.

        Args:
            loss: mean nats, with its gradient; of several processes, this one's part of it.
            steps: of which it is the mean.
            share: of all epochs' batches done so far.

        Raises:
            RunError: the loss is not a number.
        """
        standing, options = self.standing, self.options
        self.optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        nats = self.processes.add_gradients(self.network.parameters(), loss)
        if not math.isfinite(nats):
            raise RunError(
                f"training went astray at update {standing.updates}: the loss is not a number",
                "give a lower --learning-rate, or --precision float32",
            )
        standing.rate = learning_rate(options, standing.updates, share, standing.halvings)
        for group in self.optimizer.param_groups:
            group["lr"] = standing.rate
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        self.optimizer.step()
        standing.updates += 1
        standing.nats += nats * steps
        standing.steps += steps
        if self.averaged is not None:
            past = min(options.averaging, standing.updates / (standing.updates + 10))  # a short past counts less
            with torch.no_grad():
                for slow, fast in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                    slow.lerp_(fast, 1.0 - past)

    def end_epoch(self, valid: float) -> None:
        """Record an epoch with its held-out loss, and keep the weights if they are the best so far."""
        standing = self.standing
        standing.history.append({
            "epoch": standing.epoch + 1,
            "updates": standing.updates,
            "train": standing.nats / max(standing.steps, 1),
            "valid": valid,
            "learning_rate": standing.rate,
        })  # fmt: skip
        if valid < standing.best:
            standing.best, standing.best_epoch, standing.waited = valid, standing.epoch, 0
            self.best = {name: weight.detach().clone() for name, weight in self.measured.state_dict().items()}
        else:
            standing.waited += 1
            if standing.waited % HALVE_AFTER == 0:
                standing.halvings += 1
        standing.epoch, standing.batch, standing.nats, standing.steps = standing.epoch + 1, 0, 0.0, 0

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or the held-out loss has not fallen for too long."""
        return self.standing.epoch >= self.options.epochs or self.standing.waited >= self.options.patience

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a checkpoint holds beside the standing."""
        averaged = self.averaged.state_dict() if self.averaged is not None else {}
        return {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"averaged.{name}": tensor for name, tensor in averaged.items()},
            **{f"best.{name}": tensor for name, tensor in self.best.items()},
            **{f"optimizer.{name}": tensor for name, tensor in optimizer_tensors(self.optimizer).items()},
        }

    def record(self) -> dict[str, Any]:
        """The standing as JSON values."""
        return {**asdict(self.standing), "best": self.standing.best if self.best else None}

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Take back what `tensors` and `record` gave."""
        self.network.load_state_dict(under("network.", tensors))
        if self.averaged is not None:
            self.averaged.load_state_dict(under("averaged.", tensors))
        self.best = {name: tensor.to(self._device) for name, tensor in under("best.", tensors).items()}
        load_optimizer(self.optimizer, under("optimizer.", tensors))
        fields = {name: record[name] for name in asdict(self.standing)}
        self.standing = Standing(**{**fields, "best": math.inf if record["best"] is None else record["best"]})
