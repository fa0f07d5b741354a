"""The training loop: pieces in, a network out."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models import (
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
from cantilena.runtime import derived_seed, options_digest, options_record, say
from cantilena.training.checkpointing import load_checkpoint, sweep
from cantilena.training.course import Course
from cantilena.training.distributed import ALONE, Processes
from cantilena.training.epochs import AfterEpoch, learn
from cantilena.training.keeping import CHECKPOINT, digest_of, keep, take_up
from cantilena.training.objectives import EveryStep, Lesson
from cantilena.training.options import TrainingOptions
from cantilena.training.paper_input import LastStep
from cantilena.training.trained import Trained


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
    after_epoch: AfterEpoch | None = None,
    processes: Processes = ALONE,
) -> Trained[Network]:
    """Train a network to predict pieces.

    Several processes that all call this with the same arguments train one network, and each is given it.

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
        after_epoch: told the number of each epoch, from 1, and its held-out loss; True ends the training there. Of
            several processes only what process 0 gives is asked.
        processes: those that learn together, from `together`; only process 0 speaks and uses the folder.

    Raises:
        CorpusError: nothing to learn from.
        RunError: the checkpoint is damaged or of another training, the loss is no longer a number, or another process
            has ended.
    """
    shape, options = network or NetworkOptions(), training or TrainingOptions()
    if not len(pieces) or not len(valid):
        raise CorpusError("there is no piece to learn from or none to stop by", "give a corpus of 10 pieces or more")
    options = replace(options, epochs=options.passes(pieces.steps))
    device = _device(options.device, processes)
    precision = choose_precision(options.precision, device, shape.width if shape.core == "lstm" else 8)
    if processes.add([precision == torch.float32])[0]:  # one that gains nothing by bfloat16 decides for all
        precision = torch.float32
    learner = Network(shape, vocabulary_size, seed=derived_seed(options.seed, "network")).to(device)
    course = Course(learner, options, processes)
    lesson = _lesson(pieces, shape, options, vocabulary_size, transpositions, processes)
    digest = _digest(pieces, valid, shape, options, transpositions, processes)
    folder, quiet = (folder, quiet) if processes.first else (None, True)
    save = partial(keep, folder, course, digest)
    found = None
    if folder is not None:
        sweep(folder / CHECKPOINT)
        found = load_checkpoint(folder / CHECKPOINT, digest) if resume else None
    found = processes.tell(found)
    if found is not None:
        take_up(course, *found)
    started = time.perf_counter()
    with (
        threads_worth_it(shape.width, _at_once(shape, options), processes.local_world) as threads,
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        if not quiet:
            say(_announcement(shape, vocabulary_size, device, precision, threads, processes))
        learn(
            course,
            lesson,
            lambda best: _held_out(best, valid, processes),
            lambda: autocast(device, precision),
            save,
            quiet=quiet,
            after_epoch=after_epoch,
        )
    save()
    return Trained.of(course, precision, time.perf_counter() - started)


def _held_out(network: Network, valid: Sequences, processes: Processes) -> float:
    """Nats a step on the held-out pieces, shared among the processes; equal in all, so that all stop together."""
    if not processes.several:
        return likelihood(network, valid).nats_per_step
    mine = processes.share(np.arange(len(valid)))
    share = Sequences(tuple(valid.tokens[piece] for piece in mine), valid.bars[mine])
    nats, steps = processes.add([likelihood(network, share).nats.sum() if len(share) else 0.0, share.steps])
    return nats / steps


def _device(name: str, processes: Processes) -> torch.device:
    if not processes.several:
        return choose_device(name)
    device = choose_device(name, processes.local_rank)
    kind = processes.tell(device.type)
    if device.type != kind:
        raise UsageError(f"it computes on {device.type}, but process 0 on {kind}", "give --device cpu or cuda")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def _lesson(
    pieces: Sequences,
    shape: NetworkOptions,
    options: TrainingOptions,
    vocabulary_size: int,
    transpositions: NDArray[np.int64] | None,
    processes: Processes,
) -> Lesson[Network]:
    batch = options.batch * processes.world
    if shape.input == "paper":
        return LastStep(pieces, shape.window, batch, options.seed, vocabulary_size, processes)
    return EveryStep(options.steps, pieces, batch, options.seed, transpositions, options.forget, processes=processes)


def _at_once(shape: NetworkOptions, options: TrainingOptions) -> int:
    """Steps that are computed together: of every melody one by recurrent cells, all by a transformer."""
    return options.batch * options.steps if shape.core == "transformer" else options.batch


def _digest(
    pieces: Sequences,
    valid: Sequences,
    shape: NetworkOptions,
    options: TrainingOptions,
    transpositions: NDArray[np.int64] | None,
    processes: Processes,
) -> str:
    """What tells this training from another: options, pieces, keys, and how many processes share a batch."""
    asked: dict[str, Any] = {
        "network": options_record(shape),
        "training": options_record(options),
        "pieces": digest_of((pieces, valid), transpositions),
    }
    if processes.several:
        asked["processes"] = processes.world
    return options_digest(asked)


def _announcement(
    shape: NetworkOptions,
    vocabulary_size: int,
    device: torch.device,
    precision: torch.dtype,
    threads: int,
    processes: Processes,
) -> str:
    weights = parameters(shape, vocabulary_size)
    where = f"{device}, {threads} thread{'s' if threads > 1 else ''}" if device.type == "cpu" else str(device)
    where = f"{processes.world} processes, each on {where}" if processes.several else f"on {where}"
    how = "bfloat16 products, which this hardware gains by" if precision == torch.bfloat16 else "float32"
    return f"A network of {shape.layers} x {shape.width} {shape.core}, {weights:,} weights, {where}, {how}"
