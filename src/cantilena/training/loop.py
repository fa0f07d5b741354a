"""The training loop: pieces in, a network out.

A training under way: the network, its optimizer, and how far it has come.

What a training leaves in its folder, so that it can go on, and what it says on the way.

The loop that every training runs: epoch after epoch, batch after batch, and a look at what is held out.

How the learning rate rises and falls.

What a training gives.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.models import (
    Network,
    NetworkOptions,
    Sequences,
    autocast,
    choose_device,
    choose_precision,
    likelihood,
    parameters,
    limit_threads,
)
from cantilena.runtime import derived_seed, options_digest, options_record, progress, say, write_text
from cantilena.training.checkpointing import (
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    save_checkpoint,
    sweep,
    under,
)
from cantilena.training.distributed import ALONE, Processes
from cantilena.training.objectives import EveryStep, LastStep, Lesson, Place, Precisely
from cantilena.training.options import TrainingOptions

_FLOOR = 0.01
"""What is left of the learning rate at the end of the cosine."""

HALVE_AFTER = 2
"""Epochs without a better held-out loss after which the plateau schedule halves the learning rate."""


def learning_rate(options: TrainingOptions, updates: int, share: float, halvings: int) -> float:
    """The learning rate of an update.

    Args:
        options: highest learning rate, schedule and warm-up.
        updates: updates done so far.
        share: of all epochs' batches done so far, 0 to 1.
        halvings: how often the plateau schedule has halved it.

    Example:
        >>> learning_rate(TrainingOptions(learning_rate=1.0, warmup=0, schedule="cosine"), 500, 0.5, 0)
        0.505
    """
    rate = options.learning_rate * min((updates + 1) / (options.warmup + 1), 1.0)
    if options.schedule == "cosine":
        rate *= _FLOOR + (1.0 - _FLOOR) * 0.5 * (1.0 + math.cos(math.pi * share))
    elif options.schedule == "plateau":
        rate *= 0.5**halvings
    return rate


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
        for array in (*sequences.tokens, sequences.lengths, bars.steps_per_bar, bars.pickup, bars.condition_ids):
            content.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    if transpositions is not None:
        content.update(np.ascontiguousarray(transpositions, dtype=np.int64).tobytes())
    return content.hexdigest()


def note(course: Course[Learner]) -> str:
    """Where a training stands, beside its bar of progress."""
    standing = course.standing
    held_out = f", held out {standing.history[-1]['valid']:.3f}" if standing.history else ""
    return f"epoch {standing.epoch + 1}, {standing.nats / max(standing.steps, 1):.3f} nats a step{held_out}"


AfterEpoch = Callable[[int, float], bool]
"""Told each epoch and its held-out loss; True ends the training there."""


def learn(
    course: Course[Learner],
    lesson: Lesson[Learner],
    held_out: Callable[[Learner], float],
    precisely: Precisely,
    save: Callable[[], None],
    *,
    quiet: bool,
    after_epoch: AfterEpoch | None = None,
) -> None:
    """Take a training from where it stands to its end.

    Dropout draws from torch's global generator, which is seeded anew for every batch: whoever calls gives it back.

    Args:
        course: what learns.
        lesson: what each batch teaches.
        held_out: the loss by which the best epoch is kept, nats a step; the same number in all processes.
        precisely: gives the context in which a forward pass computes.
        save: keeps a checkpoint.
        quiet: show no progress.
        after_epoch: may end the training early.
    """
    standing, options, network = course.standing, course.options, course.network
    whose = (course.processes.rank,) if course.processes.rank else ()  # each process leaves out other cells
    saved, total = time.monotonic(), options.epochs * lesson.each_epoch
    with progress("Training", total=total, unit="batches", quiet=quiet) as bar:
        bar.advance(standing.epoch * lesson.each_epoch + standing.batch)
        while not course.over:
            network.train()
            for batch in lesson.epoch(standing.epoch)[standing.batch :]:
                share = (standing.epoch * lesson.each_epoch + standing.batch) / total
                place = Place(standing.epoch, standing.batch, share)
                torch.manual_seed(derived_seed(options.seed, "dropout", place.epoch, place.batch, *whose))
                for loss, steps in lesson.losses(network, batch, place, precisely):
                    course.update(loss, steps, share)
                standing.batch += 1
                bar.advance(1, note(course))
                if time.monotonic() - saved > options.checkpoint_seconds:
                    save()
                    saved = time.monotonic()
            course.end_epoch(held_out(course.measured.eval()))
            if _ended(course, after_epoch):
                return


def _ended(course: Course[Learner], after_epoch: AfterEpoch | None) -> bool:
    """Whether whoever is told of the epoch ends the training: one in process 0, for all."""
    over = False
    if after_epoch is not None and course.processes.first:
        over = after_epoch(course.standing.epoch, course.standing.history[-1]["valid"])
    return course.processes.tell(over)


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
        limit_threads(shape.width, _at_once(shape, options), processes.local_world) as threads,
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
