"""Checkpoints of a tuning run: one safetensors file, replaced whole, so that a kill at any moment is harmless."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cantilena.errors import RunError
from cantilena.runs import whole_file
from cantilena.tuning.history import TuningHistory
from cantilena.tuning.learner import Learner


class TuningCheckpoint:
    """Where a run left off: networks, optimizer, randomness, replay memory, history.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoint.safetensors"

    def save(self, learner: Learner, history: TuningHistory, updates: int) -> None:
        """Write everything that the next update depends on."""
        tensors: dict[str, Tensor] = {
            **{f"network.{name}": tensor for name, tensor in learner.network.state_dict().items()},
            **{f"learner.{name}": tensor for name, tensor in learner.state().items()},
            **{f"optimizer.{name}": tensor for name, tensor in _optimizer_tensors(learner.optimizer).items()},
            "generator": learner.generator.get_state(),
        }
        record = {"updates": updates, "history": history.as_json()}
        # safetensors refuses tensors that share memory, and a resumed run must not depend on the layout of another.
        copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        with whole_file(self.path) as draft:
            save_file(copies, draft, metadata={"cantilena": json.dumps(record)})

    def restore(self, learner: Learner, history: TuningHistory) -> int:
        """Take everything back; gives the number of updates done, 0 where there is no checkpoint.

        Raises:
            RunError: the checkpoint is damaged or of another run.
        """
        if not self.path.exists():
            return 0
        try:
            with safe_open(self.path, framework="pt") as file:
                record = json.loads((file.metadata() or {})["cantilena"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            learner.network.load_state_dict(_under("network.", tensors))
            learner.restore(_under("learner.", tensors))
            _load_optimizer(learner.optimizer, _under("optimizer.", tensors))
            learner.generator.set_state(tensors["generator"])
            for name, value in record["history"].items():
                setattr(history, name, value)
            return int(record["updates"])
        except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as error:
            raise RunError(f"{self.path} is damaged or of another run", "start anew with --force") from error


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by parameter number and name."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {f"{number}.{name}": torch.as_tensor(value) for number, row in state.items() for name, value in row.items()}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
