"""The training loop: pieces in, a network out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cantilena.errors import CorpusError, RunError
from cantilena.model import (
    Network,
    NetworkOptions,
    Sequences,
    autocast,
    choose_device,
    choose_precision,
    likelihood,
    parameters,
    threads_worth_it,
)
from cantilena.runs import derived_seed, options_digest, options_record, progress, say, write_text
from cantilena.training.checkpoint import load_checkpoint, save_checkpoint, sweep
from cantilena.training.course import Course
from cantilena.training.lessons import EveryStep, Lesson
from cantilena.training.options import TrainingOptions
from cantilena.training.paper_input import LastStep

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Trained:
    """What training gives.

    Args:
        network: with the weights of the best epoch, in evaluation mode.
        history: an entry an epoch: `epoch updates train valid learning_rate`, losses in nats a step.
        best_epoch: the epoch whose weights these are, from 1.
        epochs: epochs done.
        valid: nats a step on the held-out pieces.
        precision: `float32` or `bfloat16`.
        seconds: how long it took, a resumed training's earlier part not counted.
    """

    network: Network
    history: tuple[dict[str, float], ...]
    best_epoch: int
    epochs: int
    valid: float
    precision: str
    seconds: float


def train(
    pieces: Sequences,
    valid: Sequences,
    *,
    vocabulary_size: int,
    network: NetworkOptions | None = None,
    training: TrainingOptions | None = None,
    folder: Path | None = None,
    resume: bool = False,
    transpositions: NDArray[np.int64] | None = None,
    quiet: bool = False,
    after_epoch: Callable[[int, float], bool] | None = None,
) -> Trained:
    """Train a network to predict pieces.

    Args:
        pieces: to learn from.
        valid: held out, to stop by; the best network by these is given.
        vocabulary_size: how many tokens there are.
        network: its shape.
        training: how.
        folder: where checkpoints and `metrics.jsonl` go; nowhere if None.
        resume: go on from the folder's checkpoint, if there is one, to the identical network.
        transpositions: `(2 n + 1, vocabulary)` tokens in other keys, from `training.transpositions`, to learn each
            piece in a random one.
        quiet: say nothing on the way.
        after_epoch: told the number of each epoch, from 1, and its held-out loss; True ends the training there.

    Raises:
        CorpusError: nothing to learn from.
        RunError: the checkpoint is damaged or of another training, or the loss is no longer a number.
    """
    shape, options = network or NetworkOptions(), training or TrainingOptions()
    if not len(pieces) or not len(valid):
        raise CorpusError("there is no piece to learn from or none to stop by", "give a corpus of 10 pieces or more")
    options = replace(options, epochs=options.passes(pieces.steps))
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device, shape.width if shape.core == "lstm" else 8)
    learner = Network(shape, vocabulary_size, seed=derived_seed(options.seed, "network")).to(device)
    course = Course(learner, options)
    lesson = _lesson(pieces, shape, options, vocabulary_size, transpositions)
    digest = _digest(pieces, valid, shape, options, transpositions)
    save = partial(_save, folder, course, digest) if folder is not None else _nowhere
    if folder is not None:
        sweep(folder / CHECKPOINT)
    if folder is not None and resume and (found := load_checkpoint(folder / CHECKPOINT, digest)) is not None:
        _restore(course, *found)
    started = time.perf_counter()
    # Dropout draws from torch's global generator: it is seeded anew for every batch, and given back as it was.
    with (
        threads_worth_it(shape.width, _at_once(shape, options)) as threads,
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        if not quiet:
            say(_announcement(shape, vocabulary_size, device, precision, threads))
        _learn(course, lesson, valid, lambda: autocast(device, precision), save, quiet=quiet, after_epoch=after_epoch)
    save()
    learner.load_state_dict(course.best)
    standing = course.standing
    return Trained(
        network=learner.eval(),
        history=tuple(standing.history),
        best_epoch=standing.best_epoch + 1,
        epochs=standing.epoch,
        valid=standing.best,
        precision=str(precision).removeprefix("torch."),
        seconds=time.perf_counter() - started,
    )


def _learn(
    course: Course,
    lesson: Lesson,
    valid: Sequences,
    precisely: Callable[[], AbstractContextManager[object]],
    save: Callable[[], None],
    *,
    quiet: bool,
    after_epoch: Callable[[int, float], bool] | None,
) -> None:
    standing, options, network = course.standing, course.options, course.network
    saved = time.monotonic()
    total = options.epochs * lesson.each_epoch
    with progress("Training", total=total, unit="batches", quiet=quiet) as bar:
        bar.advance(standing.epoch * lesson.each_epoch + standing.batch)
        while not course.over:
            network.train()
            for batch in lesson.epoch(standing.epoch)[standing.batch :]:
                torch.manual_seed(derived_seed(options.seed, "dropout", standing.epoch, standing.batch))
                share = (standing.epoch * lesson.each_epoch + standing.batch) / total
                for loss, steps in lesson.losses(network, batch, standing.epoch, precisely):
                    course.update(loss, steps, share)
                standing.batch += 1
                bar.advance(1, _note(course))
                if time.monotonic() - saved > options.checkpoint_seconds:
                    save()
                    saved = time.monotonic()
            course.end_epoch(likelihood(course.measured.eval(), valid).nats_per_step)
            if after_epoch is not None and after_epoch(standing.epoch, standing.history[-1]["valid"]):
                return


def _lesson(
    pieces: Sequences,
    shape: NetworkOptions,
    options: TrainingOptions,
    vocabulary_size: int,
    transpositions: NDArray[np.int64] | None,
) -> Lesson:
    if shape.input == "paper":
        return LastStep(pieces, shape.window, options.batch, options.seed, vocabulary_size)
    return EveryStep(options.steps, pieces, options.batch, options.seed, transpositions, options.forget)


def _at_once(shape: NetworkOptions, options: TrainingOptions) -> int:
    """Steps that are computed together: of every melody one by recurrent cells, all by a transformer."""
    return options.batch * options.steps if shape.core == "transformer" else options.batch


def _save(folder: Path, course: Course, digest: str) -> None:
    record = course.record()
    save_checkpoint(folder / CHECKPOINT, course.tensors(), {**record, "digest": digest})
    write_text(folder / METRICS, "".join(json.dumps(entry) + "\n" for entry in record["history"]))


def _nowhere() -> None:
    """Save nothing."""


def _restore(course: Course, tensors: dict[str, torch.Tensor], record: dict[str, Any]) -> None:
    try:
        course.restore(tensors, record)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError("the checkpoint does not fit this training", "start anew with --force") from error


def _digest(
    pieces: Sequences,
    valid: Sequences,
    shape: NetworkOptions,
    options: TrainingOptions,
    transpositions: NDArray[np.int64] | None,
) -> str:
    """What tells this training from another: options, pieces, keys."""
    content = hashlib.sha256()
    for sequences in (pieces, valid):
        bars = sequences.bars
        for array in (*sequences.tokens, sequences.lengths, bars.steps_per_bar, bars.pickup, bars.known):
            content.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    if transpositions is not None:
        content.update(np.ascontiguousarray(transpositions, dtype=np.int64).tobytes())
    asked = {"network": options_record(shape), "training": options_record(options), "pieces": content.hexdigest()}
    return options_digest(asked)


def _note(course: Course) -> str:
    standing = course.standing
    held_out = f", held out {standing.history[-1]['valid']:.3f}" if standing.history else ""
    return f"epoch {standing.epoch + 1}, {standing.nats / max(standing.steps, 1):.3f} nats a step{held_out}"


def _announcement(
    shape: NetworkOptions, vocabulary_size: int, device: torch.device, precision: torch.dtype, threads: int
) -> str:
    weights = parameters(shape, vocabulary_size)
    where = f"{device}, {threads} thread{'s' if threads > 1 else ''}" if device.type == "cpu" else str(device)
    how = "bfloat16 products, which this hardware gains by" if precision == torch.bfloat16 else "float32"
    return f"A network of {shape.layers} x {shape.width} {shape.core}, {weights:,} weights, on {where}, {how}"
