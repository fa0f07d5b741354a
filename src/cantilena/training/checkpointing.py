"""Checkpoints: everything that the next update depends on in one file, replaced whole, so that a kill is harmless.

Randomness needs no place here: each epoch's order and each update's dropout are drawn from the seed and their number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cantilena.errors import RunError
from cantilena.runtime import atomic_file

_ENTRY = "cantilena"


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors and a record (JSON values), whole or not at all."""
    # safetensors refuses tensors that share memory.
    apart = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path) as draft:
        draft.write_bytes(save(apart, metadata={_ENTRY: json.dumps(record, allow_nan=False)}))


def sweep(path: Path) -> None:
    """Remove what killed processes left of a checkpoint half written; the folder must be this run's alone."""
    for draft in path.parent.glob(f".{path.name}.*.draft"):
        draft.unlink(missing_ok=True)


def load_checkpoint(path: Path, digest: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The tensors and the record of a checkpoint, None where there is none.

    Args:
        path: where it is.
        digest: what its record must have under `digest`: that it belongs to this training.

    Raises:
        RunError: it is damaged, or belongs to another training.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {})[_ENTRY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        belongs = record["digest"] == digest
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged", "start anew with --force") from error
    if not belongs:
        raise RunError(
            f"{path} belongs to a training with other options, pieces or processes", "start anew with --force"
        )
    return tensors, record


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's running means, by parameter number and name."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {f"{number}.{name}": torch.as_tensor(value) for number, row in state.items() for name, value in row.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Take back what `optimizer_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
