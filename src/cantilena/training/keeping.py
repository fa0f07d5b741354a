"""What a training leaves in its folder, so that it can go on, and what it says on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cantilena.errors import RunError
from cantilena.models import Sequences
from cantilena.runtime import write_text
from cantilena.training.checkpointing import save_checkpoint
from cantilena.training.course import Course, Learner

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"


def keep(folder: Path | None, course: Course[Learner], digest: str) -> None:
    """Write where a training stands, and its losses by epoch; nothing where there is no folder.

    Args:
        folder: of the run.
        course: the training.
        digest: what tells it from another.
    """
    if folder is None:
        return
    record = course.record()
    save_checkpoint(folder / CHECKPOINT, course.tensors(), {**record, "digest": digest})
    write_text(folder / METRICS, "".join(json.dumps(entry) + "\n" for entry in record["history"]))


def take_up(course: Course[Learner], tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Go on from what was kept.

    Raises:
        RunError: it is of a network of another shape.
    """
    try:
        course.restore(tensors, record)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError("the checkpoint does not fit this training", "start anew with --force") from error


def digest_of(parts: Iterable[Sequences], transpositions: NDArray[np.int64] | None) -> str:
    """What tells pieces, their bars and the keys that they are learned in from others: a SHA-256 in hex."""
    content = hashlib.sha256()
    for sequences in parts:
        bars = sequences.bars
        for array in (*sequences.tokens, sequences.lengths, bars.steps_per_bar, bars.pickup, bars.known):
            content.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    if transpositions is not None:
        content.update(np.ascontiguousarray(transpositions, dtype=np.int64).tobytes())
    return content.hexdigest()


def note(course: Course[Learner]) -> str:
    """Where a training stands, beside its bar of progress."""
    standing = course.standing
    held_out = f", held out {standing.history[-1]['valid']:.3f}" if standing.history else ""
    return f"epoch {standing.epoch + 1}, {standing.nats / max(standing.steps, 1):.3f} nats a step{held_out}"
