"""Checkpoints: all tensors and numbers that the next update depends on, in one file that is replaced atomically.

No random state is needed: the order of each epoch and the dropout of each update are derived from the seed and their
number.
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

CHECKPOINT = "checkpoint.safetensors"
_RECORD = "cantilena"


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors and a record of JSON values to a file, atomically."""
    # safetensors refuses tensors that share memory.
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path) as draft:
        # Not save_file, whose error on a full disk is no OSError.
        draft.write_bytes(save(copies, metadata={_RECORD: json.dumps(record)}))


def load_checkpoint(path: Path, digest: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read the tensors and the record of a checkpoint; None if there is no file.

    Unless `digest` is None, it must be that of the record, which identifies the training.

    Raises:
        RunError: the file is damaged or belongs to another training.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {})[_RECORD])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        matches = digest is None or record["digest"] == digest
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged", "start again with --force") from error
    if not matches:
        raise RunError(
            f"{path} belongs to a training with other options, pieces or processes", "start again with --force"
        )
    return tensors, record


def remove_drafts(path: Path) -> None:
    """Remove half-written checkpoints of killed processes; the folder must belong to this run alone."""
    for draft in path.parent.glob(f".{path.name}.*.draft"):
        draft.unlink(missing_ok=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimizer as tensors named `NUMBER.NAME`, by the number of the parameter."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {f"{number}.{name}": torch.as_tensor(value) for number, row in state.items() for name, value in row.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state that `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def add_prefixes(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One mapping of all parts, each name with the prefix of its part."""
    return {prefix + name: tensor for prefix, tensors in parts.items() for name, tensor in tensors.items()}


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
