"""What a training gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import torch

from cantilena.training.course import Course, Learner


@dataclass(frozen=True)
class Trained(Generic[Learner]):
    """A network at its best, and how it came there.

    Args:
        network: with the weights of the best epoch, in evaluation mode.
        history: an entry an epoch: `epoch updates train valid learning_rate`, losses in nats a step.
        best_epoch: the epoch whose weights these are, from 1.
        epochs: epochs done.
        valid: the loss on what is held out, nats a step.
        precision: `float32` or `bfloat16`.
        seconds: how long it took, a resumed training's earlier part not counted.
        processes: how many learned together.
    """

    network: Learner
    history: tuple[dict[str, float], ...]
    best_epoch: int
    epochs: int
    valid: float
    precision: str
    seconds: float
    processes: int = 1

    @classmethod
    def of(cls, course: Course[Learner], precision: torch.dtype, seconds: float) -> Trained[Learner]:
        """The end of a course: its network gets the best weights that were found."""
        course.network.load_state_dict(course.best)
        standing = course.standing
        return cls(
            network=course.network.eval(),
            history=tuple(standing.history),
            best_epoch=standing.best_epoch + 1,
            epochs=standing.epoch,
            valid=standing.best,
            precision=str(precision).removeprefix("torch."),
            seconds=seconds,
            processes=course.processes.world,
        )
