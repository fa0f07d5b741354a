"""Checkpoints of a tuning run: one safetensors file, replaced whole, so that a kill at any moment is harmless."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cantilena.errors import RunError
from cantilena.rl.history import TuningHistory
from cantilena.rl.learner import Learner
from cantilena.rl.loop import Course
from cantilena.rl.watch import Look
from cantilena.runtime import whole_file
from cantilena.training.checkpointing import load_optimizer, optimizer_tensors, sweep, under


class TuningCheckpoint:
    """Where a run left off: networks, optimizer, randomness, replay memory, the best weights so far, history.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoint.safetensors"

    def save(self, learner: Learner, course: Course) -> None:
        """Write everything that the next update depends on."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "network.": learner.model.state_dict(),
            "learner.": learner.state(),
            "optimizer.": optimizer_tensors(learner.optimizer),
            "best.": course.best or {},
            "critic.": learner.critic.state() if learner.critic is not None else {},
            "generator": {"": learner.generator.get_state()},
        }
        tensors = {prefix + name: tensor for prefix, some in parts.items() for name, tensor in some.items()}
        # safetensors refuses tensors that share memory, and a resumed run must not depend on the layout of another.
        copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        sweep(self.path)
        with whole_file(self.path) as draft:
            # Not save_file: on a full disk it raises an error of its own, which is no OSError.
            draft.write_bytes(save(copies, metadata={"cantilena": json.dumps(_record(course))}))

    def restore(self, learner: Learner) -> Course:
        """Take everything back; gives the course so far, a new one where there is no checkpoint.

        Raises:
            RunError: the checkpoint is damaged or of another run.
        """
        sweep(self.path)
        if not self.path.exists():
            return Course()
        try:
            with safe_open(self.path, framework="pt") as file:
                record = json.loads((file.metadata() or {})["cantilena"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            learner.model.load_state_dict(under("network.", tensors))
            learner.restore(under("learner.", tensors))
            load_optimizer(learner.optimizer, under("optimizer.", tensors))
            if learner.critic is not None:
                learner.critic.restore(under("critic.", tensors))
            learner.generator.set_state(tensors["generator"])
            return Course(
                history=TuningHistory(**record["history"]),
                updates=int(record["updates"]),
                looks=[Look.from_json(look) for look in record["looks"]],
                best=under("best.", tensors) or None,
                best_reward=float(record["best_reward"]),
                best_update=int(record["best_update"]),
                stopped=bool(record["stopped"]),
            )
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise RunError(f"{self.path} is damaged or of another run", "start anew with --force") from error


def _record(course: Course) -> dict[str, Any]:
    return {
        "updates": course.updates,
        "history": course.history.as_json(),
        "looks": [look.as_json() for look in course.looks],
        "best_reward": course.best_reward if course.best is not None else "-inf",
        "best_update": course.best_update,
        "stopped": course.stopped,
    }
