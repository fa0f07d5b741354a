"""The training loop of networks and VAEs: epochs, validation, early stopping, checkpoints; `train` for networks."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.models import (
    UNKNOWN,
    Network,
    NetworkOptions,
    Sequences,
    autocast,
    choose_device,
    choose_precision,
    likelihood,
    limit_threads,
    parameters,
)
from cantilena.models.conditions import MAX_STYLES, METERS
from cantilena.runtime import derived_seed, log, options_digest, options_record, progress, write_text
from cantilena.training.checkpointing import (
    CHECKPOINT,
    add_prefixes,
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    remove_drafts,
    save_checkpoint,
    with_prefix,
)
from cantilena.training.distributed import SINGLE_PROCESS, ProcessGroup
from cantilena.training.objectives import BatchPosition, LastStepPrediction, Objective, TeacherForcing
from cantilena.training.optimizers import AdamW
from cantilena.training.options import TrainingOptions

METRICS = "metrics.jsonl"

HALVE_AFTER = 2
"""Epochs without a better validation loss after which the plateau schedule halves the learning rate."""

_FINAL_RATE = 0.01
"""What the cosine schedule leaves of the learning rate at the end."""

Model = TypeVar("Model", bound=nn.Module)

AfterEpoch = Callable[[int, float], bool]
"""Called with each epoch, from 1, and its validation loss; True stops the training."""


@dataclass(frozen=True)
class TrainResult(Generic[Model]):
    """A trained model and its history.

    Args:
        network: with the weights of the best epoch, in evaluation mode.
        history: an entry for each epoch: `epoch updates train valid learning_rate`, losses in nats a step.
        best_epoch: the epoch of the weights, from 1.
        precision: `float32` or `bfloat16`.
        seconds: duration, without the earlier part of a resumed training.
        processes: number of processes that trained together.
    """

    network: Model
    history: tuple[dict[str, float], ...]
    best_epoch: int
    precision: str
    seconds: float
    processes: int = 1

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(self.history)

    @property
    def valid(self) -> float:
        """The validation loss of the best epoch, nats a step."""
        return self.history[self.best_epoch - 1]["valid"]


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
    processes: ProcessGroup = SINGLE_PROCESS,
) -> TrainResult[Network]:
    """Train a network by maximum likelihood.

    Several processes that call this with the same arguments train one network, which each of them returns.

    Args:
        pieces: the training pieces.
        valid: the validation pieces, which determine the best epoch.
        vocabulary_size: number of tokens.
        network: the shape of the network.
        training: the training options.
        folder: for checkpoints and `metrics.jsonl`; None writes nothing.
        resume: continue from the checkpoint in the folder, if there is one, to the identical network.
        transpositions: `(2 n + 1, vocabulary)` table from `training.transpositions`, to transpose pieces at random.
        quiet: show no progress.
        after_epoch: called after each epoch, in process 0 only; may stop the training.
        processes: the processes that train together, from `init_distributed`; only process 0 uses the folder.

    Raises:
        CorpusError: there are no pieces.
        RunError: the checkpoint is damaged or of another training, the loss became NaN or infinite, or another process
            failed.
    """
    shape = network or NetworkOptions()
    options = limit_epochs(training or TrainingOptions(), pieces, valid)
    batch = options.batch * processes.world_size
    objective: Objective[Network]
    if shape.input == "paper":
        objective = LastStepPrediction(pieces, shape.window, batch, options.seed, vocabulary_size, processes)
    else:
        objective = TeacherForcing(
            options.steps,
            pieces,
            batch,
            options.seed,
            transpositions,
            options.condition_dropout,
            processes=processes,
        )
    identity: dict[str, Any] = {
        "network": options_record(shape),
        "training": options_record(options),
        "pieces": pieces_digest((pieces, valid), transpositions),
    }
    if processes.is_distributed:
        identity["processes"] = processes.world_size
    weights = parameters(shape, vocabulary_size)
    return fit(
        Network(shape, vocabulary_size, seed=derived_seed(options.seed, "network")),
        objective,
        lambda best: _validation_loss(best, valid, processes),
        options,
        identity,
        summary=f"A network of {shape.layers} x {shape.width} {shape.core}, {weights:,} weights",
        width=shape.width,
        lstm_width=shape.width if shape.core == "lstm" else 8,
        rows=options.batch * options.steps if shape.core == "transformer" else options.batch,
        folder=folder,
        resume=resume,
        quiet=quiet,
        after_epoch=after_epoch,
        processes=processes,
    )


def limit_epochs(options: TrainingOptions, pieces: Sequences, valid: Sequences) -> TrainingOptions:
    """The options with the number of epochs that the budget allows.

    Raises:
        CorpusError: there are no pieces to train on or to validate with.
    """
    if not len(pieces) or not len(valid):
        raise CorpusError("there are no training pieces or no validation pieces", "give a corpus of at least 10 pieces")
    return replace(options, epochs=options.epochs_for(pieces.steps))


def pieces_digest(parts: Iterable[Sequences], transpositions: NDArray[np.int64] | None) -> str:
    """SHA-256 of pieces, their bars and the table of transpositions, in hex."""
    content = hashlib.sha256()
    for sequences in parts:
        bars = sequences.bars
        # As before there were lengths.
        lengths = [bars.length, bars.plan, bars.plan_origin] if bars.length.any() else []
        lengths += [bars.chords] if bars.chords.any() else []
        known = bars.condition_ids
        if not lengths:  # as before there were roles, and modes besides major and minor
            known = np.where(known[:, :4] > [12, 2, len(METERS), MAX_STYLES], UNKNOWN, known[:, :4])
        arrays = (*sequences.tokens, sequences.lengths, bars.steps_per_bar, bars.pickup, known, *lengths)
        for array in arrays:
            content.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    if transpositions is not None:
        content.update(np.ascontiguousarray(transpositions, dtype=np.int64).tobytes())
    return content.hexdigest()


def _validation_loss(network: Network, valid: Sequences, processes: ProcessGroup) -> float:
    """Nats a step on the validation pieces, shared among the processes; equal in all, so that all stop together."""
    if not processes.is_distributed:
        return likelihood(network, valid).nats_per_step
    rows = processes.shard(np.arange(len(valid)))
    shard = valid[rows]
    nats, steps = processes.all_reduce(
        [likelihood(network, shard).nats.sum() if len(shard) else 0.0, shard.durations.sum()]
    )
    return nats / steps


def fit(
    network: Model,
    objective: Objective[Model],
    validate: Callable[[Model], float],
    options: TrainingOptions,
    identity: Mapping[str, Any],
    *,
    summary: str,
    width: int,
    lstm_width: int,
    rows: int,
    folder: Path | None,
    resume: bool,
    quiet: bool,
    after_epoch: AfterEpoch | None = None,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> TrainResult[Model]:
    """Train a network on an objective, from its last checkpoint or from the start; see `train` for the rest.

    `validate` returns the validation loss in nats a step, the same in all processes. `identity` has the JSON values
    that identify the training: a checkpoint of another one is refused. `summary` describes the network in the message
    at the start. The width of the layers and the rows that are computed at once decide whether several threads pay off,
    the width of LSTM layers decides the precision.
    """
    device = _shared_device(options.device, processes)
    precision = choose_precision(options.precision, device, lstm_width)
    if processes.all_reduce([precision == torch.float32])[0]:  # all use float32 if one gains nothing from bfloat16
        precision = torch.float32
    state = TrainState(network.to(device), options, processes)
    digest = options_digest(identity)
    folder, quiet = (folder, quiet) if processes.is_main else (None, True)
    checkpoint = None
    if folder is not None:
        remove_drafts(folder / CHECKPOINT)
        checkpoint = load_checkpoint(folder / CHECKPOINT, digest) if resume else None
    checkpoint = processes.broadcast(checkpoint)
    if checkpoint is not None:
        state.restore(*checkpoint)

    def save() -> None:
        if folder is not None:
            record = state.record()
            save_checkpoint(folder / CHECKPOINT, state.tensors(), {**record, "digest": digest})
            write_text(folder / METRICS, "".join(json.dumps(entry) + "\n" for entry in record["history"]))

    started = time.perf_counter()
    with (
        limit_threads(width, rows, processes.local_world_size) as threads,
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        if not quiet:
            where = f"{device}, {threads} thread{'s' if threads > 1 else ''}" if device.type == "cpu" else str(device)
            where = f"{processes.world_size} processes, each on {where}" if processes.is_distributed else f"on {where}"
            how = "products in bfloat16" if precision == torch.bfloat16 else "float32"
            log(f"{summary}, {where}, {how}")
        _run_epochs(state, objective, validate, lambda: autocast(device, precision), save, after_epoch, quiet=quiet)
    save()
    network.load_state_dict(state.best)
    return TrainResult(
        network=network.eval(),
        history=tuple(state.progress.history),
        best_epoch=state.progress.best_epoch + 1,
        precision=str(precision).removeprefix("torch."),
        seconds=time.perf_counter() - started,
        processes=processes.world_size,
    )


def _run_epochs(
    state: TrainState[Model],
    objective: Objective[Model],
    validate: Callable[[Model], float],
    forward_context: Callable[[], Any],
    save: Callable[[], None],
    after_epoch: AfterEpoch | None,
    *,
    quiet: bool,
) -> None:
    """Run the remaining epochs. Dropout uses torch's global generator, which is seeded for each batch."""
    now, options, processes = state.progress, state.options, state.processes
    per_epoch = objective.batches_per_epoch
    own_rank = (processes.rank,) if processes.rank else ()  # each process drops other cells
    saved, total = time.monotonic(), options.epochs * per_epoch
    with progress("Training", total=total, unit="batches", quiet=quiet) as bar:
        bar.advance(now.epoch * per_epoch + now.batch)
        while now.epoch < options.epochs and now.waited < options.patience:
            state.network.train()
            for batch in objective.epoch(now.epoch)[now.batch :]:
                position = BatchPosition(now.epoch, now.batch, (now.epoch * per_epoch + now.batch) / total)
                torch.manual_seed(derived_seed(options.seed, "dropout", position.epoch, position.batch, *own_rank))
                for loss, steps in objective.losses(state.network, batch, position, forward_context):
                    state.update(loss, steps, position.progress)
                now.batch += 1
                validation = f", validation {now.history[-1]['valid']:.3f}" if now.history else ""
                bar.advance(1, f"epoch {now.epoch + 1}, {now.nats / max(now.steps, 1):.3f} nats a step{validation}")
                if time.monotonic() - saved > options.checkpoint_seconds:
                    save()
                    saved = time.monotonic()
            state.end_epoch(validate(state.evaluated.eval()))
            stop = False
            if after_epoch is not None and processes.is_main:
                stop = after_epoch(now.epoch, now.history[-1]["valid"])
            if processes.broadcast(stop):
                return


def _shared_device(name: str, processes: ProcessGroup) -> torch.device:
    if not processes.is_distributed:
        return choose_device(name)
    device = choose_device(name, processes.local_rank)
    main = processes.broadcast(device.type)
    if device.type != main:
        raise UsageError(
            f"this process computes on {device.type}, but process 0 on {main}", "give --device cpu or cuda"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def learning_rate(options: TrainingOptions, updates: int, fraction: float, halvings: int) -> float:
    """The learning rate after `updates` updates, a fraction of all batches, and halvings of the plateau schedule.

    Examples:
        >>> learning_rate(TrainingOptions(learning_rate=1.0, warmup=0, schedule="cosine"), 500, 0.5, 0)
        0.505
    """
    rate = options.learning_rate * min((updates + 1) / (options.warmup + 1), 1.0)
    if options.schedule == "cosine":
        rate *= _FINAL_RATE + (1.0 - _FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * fraction))
    elif options.schedule == "plateau":
        rate *= 0.5**halvings
    return rate


@dataclass
class TrainProgress:
    """The numbers of a training's state, as checkpoints record them."""

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
    """As in `TrainResult`."""


class TrainState(Generic[Model]):
    """The network, which is trained in place, its optimizer, moving average, best weights and progress."""

    def __init__(self, network: Model, options: TrainingOptions, processes: ProcessGroup = SINGLE_PROCESS) -> None:
        self.network, self.options, self.processes = network, options, processes
        self.device = next(network.parameters()).device
        matrices = [weight for weight in network.parameters() if weight.ndim > 1]
        biases = [weight for weight in network.parameters() if weight.ndim == 1]
        self.optimizer = AdamW(
            [{"params": matrices, "weight_decay": options.weight_decay}, {"params": biases, "weight_decay": 0.0}],
            lr=options.learning_rate,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self.average = copy.deepcopy(network).requires_grad_(False) if options.ema_decay else None
        self.best: dict[str, Tensor] = {}
        self.progress = TrainProgress()

    @property
    def evaluated(self) -> Model:
        """The network that is evaluated and kept: the moving average if there is one."""
        return self.network if self.average is None else self.average

    def update(self, loss: Tensor, steps: int, fraction: float) -> None:
        """Take an optimizer step, the same in all processes.

        Args:
            loss: mean nats a step, with its gradient; with several processes, this one's share of it.
            steps: number of steps in the mean.
            fraction: of all batches that are done.
        """
        now, options = self.progress, self.options
        self.optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        nats = self.processes.all_reduce_gradients(self.network.parameters(), loss)
        if not math.isfinite(nats):
            raise RunError(
                f"the loss became NaN or infinite at update {now.updates}",
                "give a lower --learning-rate, or --precision float32",
            )
        now.rate = learning_rate(options, now.updates, fraction, now.halvings)
        for group in self.optimizer.param_groups:
            group["lr"] = now.rate
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        self.optimizer.step()
        now.updates += 1
        now.nats += nats * steps
        now.steps += steps
        if self.average is not None:
            decay = min(options.ema_decay, now.updates / (now.updates + 10))  # lower at the start
            with torch.no_grad():
                for slow, fast in zip(self.average.parameters(), self.network.parameters(), strict=True):
                    slow.lerp_(fast, 1.0 - decay)

    def end_epoch(self, valid: float) -> None:
        """Record an epoch with its validation loss, and keep the weights if they are the best so far."""
        now = self.progress
        now.history.append({
            "epoch": now.epoch + 1,
            "updates": now.updates,
            "train": now.nats / max(now.steps, 1),
            "valid": valid,
            "learning_rate": now.rate,
        })  # fmt: skip
        if valid < now.best:
            now.best, now.best_epoch, now.waited = valid, now.epoch, 0
            self.best = {name: weight.detach().clone() for name, weight in self.evaluated.state_dict().items()}
        else:
            now.waited += 1
            now.halvings += now.waited % HALVE_AFTER == 0
        now.epoch, now.batch, now.nats, now.steps = now.epoch + 1, 0, 0.0, 0

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint."""
        return add_prefixes({
            "network.": self.network.state_dict(),
            "averaged.": {} if self.average is None else self.average.state_dict(),
            "best.": self.best,
            "optimizer.": optimizer_tensors(self.optimizer),
        })  # fmt: skip

    def record(self) -> dict[str, Any]:
        """The progress as JSON values."""
        return {**asdict(self.progress), "best": self.progress.best if self.best else None}

    def restore(self, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `record` returned."""
        try:
            self.network.load_state_dict(with_prefix("network.", tensors))
            if self.average is not None:
                self.average.load_state_dict(with_prefix("averaged.", tensors))
            self.best = {name: tensor.to(self.device) for name, tensor in with_prefix("best.", tensors).items()}
            load_optimizer(self.optimizer, with_prefix("optimizer.", tensors))
            values = {name: record[name] for name in asdict(self.progress)}
            best = math.inf if record["best"] is None else record["best"]
            self.progress = TrainProgress(**{**values, "best": best})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError("the checkpoint does not fit this network", "start again with --force") from error
