"""`sweep`: a search for the parameters that predict validation pieces best, and the model that they give."""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cantilena.errors import MissingError, RunError, UsageError
from cantilena.models import Bundle
from cantilena.reporting.figures import Figure, SearchedParameter, png_bytes, search_panels
from cantilena.runtime import (
    Failure,
    Worker,
    cpu_count,
    log,
    options_record,
    progress,
    run_folder,
    write_bytes,
    write_json,
    write_text,
)
from cantilena.workflows.data import EncodedCorpus
from cantilena.workflows.runs import TrainedModel, clear_earlier_run
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.space import (
    SearchSpace,
    TrialRow,
    Value,
    best_of,
    counts_of,
    csv_text,
    load_space,
    value_text,
)
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import load_encoded, shape_and_training, value_of
from cantilena.workflows.train.options import CorpusOptions, NetworkTraining, TrainOptions

if TYPE_CHECKING:  # Optuna may not be installed, and torch takes seconds to import
    from cantilena.workflows.sweep.study import SweepStudy
    from cantilena.workflows.sweep.worker import Trial, TrialTask

MODEL = "model.safetensors"
_JOURNAL, _MODELS, _TABLES = "trials.journal", "models", ("sweep.json", "sweep.csv", "sweep.png")


def run_sweep(
    options: TrainOptions | NetworkTraining,
    sweep: SweepOptions,
    folder: Path,
    *,
    resume: bool = False,
    force: bool = False,
) -> TrainedModel:
    """Train networks that differ in some parameters, and keep the one that predicts the validation pieces best.

    Args:
        options: the training; what they give is not searched.
        sweep: what may change, how many trials, how many at once.
        folder: of the run.
        resume: resume an interrupted search: ended trials are kept, running ones are tried again.
        force: start over in a folder that holds another run.

    Raises:
        MissingError: Optuna is not installed.
        UsageError: an invalid search space, or a model that cannot be searched.
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder holds another run, or no trial finished.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MissingError("a search needs Optuna, which is not installed", "pip install 'cantilena[sweep]'")
    training = options.of_kind() if isinstance(options, TrainOptions) else options
    if not isinstance(training, NetworkTraining) or training.blend:
        raise UsageError("only networks can be searched", "search for a network, then train it with --blend")
    space = without_given(load_space(sweep.search), training)
    first = first_parameters(space, training)
    from cantilena.workflows.sweep.study import SweepStudy
    from cantilena.workflows.sweep.worker import TrialTask

    data, facts = load_encoded(training)
    chosen = {name: value for name, value in options_record(sweep).items() if name != "processes"}
    record = {**training.record(), **chosen, "space": space.record(), "pieces": _digest(data)}
    with run_folder(folder, record, resume=resume, force=force) as run:
        clear_earlier_run(run, MODEL, _JOURNAL, f"{_JOURNAL}.lock", f"{_MODELS}/trial-*.safetensors", *_TABLES)
        study = SweepStudy(folder / _JOURNAL, space, sweep, seed=training.seed, first=first)
        (folder / _MODELS).mkdir(exist_ok=True)

        def write_tables(rows: list[TrialRow]) -> None:
            write_json(folder / "sweep.json", {"space": space.record(), "trials": [row.record() for row in rows]})
            write_text(folder / "sweep.csv", csv_text(rows, space))

        task = TrialTask(_arrays_of(data), facts, folder / _JOURNAL, sweep.pruning)
        search = Search(study, training, sweep, task, folder / _MODELS, write_tables)
        search.run()
        rows = study.rows()
        write_tables(rows)
        best = best_of(rows)
        if best is None:
            reason = next((row.reason for row in rows if row.state == "failed"), "all were pruned")
            raise RunError(f"no trial of {len(rows)} finished: {reason}", "change --search and start over with --force")
        if not search.model_of(best.number).exists():
            raise RunError(f"the model of trial {best.number} is missing in {folder}", "start over with --force")
        write_bytes(folder / MODEL, search.model_of(best.number).read_bytes())
        bundle = Bundle.load(folder / MODEL)
        again = with_parameters(training, best.parameters)
        report = {
            **counts_of(rows),
            "interrupted": sum(row.state == "interrupted" for row in rows),
            "best": {
                "number": best.number,
                "parameters": best.record()["parameters"],
                "valid": dict(best.score),
            },
            "test": score(bundle.network().eval(), data.test, data),  # not used before
            "command": train_command(again, folder.with_name(f"{folder.name}-best")),
        }
        write_bytes(folder / "sweep.png", png_bytes(_picture(rows, space)))
        run.finish(**report | {"bundle": MODEL})
        for path in (folder / _MODELS).glob("*trial-*.safetensors*"):
            path.unlink(missing_ok=True)
        if not any((folder / _MODELS).iterdir()):
            (folder / _MODELS).rmdir()
        return TrainedModel(bundle, folder / MODEL, best.seconds or 0.0, report, _text(folder / MODEL, report, best))


def without_given(space: SearchSpace, training: NetworkTraining) -> SearchSpace:
    """A space without the parameters that the options give.

    Raises:
        UsageError: nothing is left.
    """
    given = [parameter.name for parameter in space.parameters if getattr(training, parameter.name) is not None]
    left = replace(space, parameters=tuple(one for one in space.parameters if one.name not in given))
    if not left.parameters:
        raise UsageError(f"every parameter of '{space.name}' is given by a flag", "leave out one of the flags")
    if given:
        log(f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} given, and not searched")
    return left


def first_parameters(space: SearchSpace, training: NetworkTraining) -> dict[str, Value]:
    """The preset's own values of the parameters of a space.

    Raises:
        UsageError: a parameter has an end that no network can have.
    """
    shapes = shape_and_training(training)
    first: dict[str, Value] = {}
    for parameter in space.parameters:
        name = parameter.name
        first[name] = value_of(shapes, name)
        for value in parameter.ends():
            try:
                shape_and_training(with_parameters(training, {name: value}))
            except UsageError as error:
                raise UsageError(f"'{name}' in the search space '{space.name}': {error.text}", error.hint) from error
    return first


def with_parameters(training: NetworkTraining, parameters: Mapping[str, Value]) -> NetworkTraining:
    """A training with the parameters of a trial.

    Examples:
        >>> with_parameters(NetworkTraining("tunes"), {"width": 64}).width
        64
    """
    values: dict[str, Any] = dict(parameters)
    return replace(training, **values)


def train_command(options: CorpusOptions, out: Path) -> str:
    """The command line of a training.

    Examples:
        >>> train_command(NetworkTraining("tunes", width=64, copy_head=False, look_back=(1, 2)), Path("best"))
        'cantilena train --corpus tunes --width 64 --look-back 1 2 --no-copy-head --out best'
    """
    words = ["cantilena", "train"]
    for one in fields(options):
        value = getattr(options, one.name)
        if value == one.default and one.default is not MISSING:
            continue
        flag = one.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join([*words, "--out", str(out)])


@dataclass
class Search:
    """A search under way: a thread for each worker process gives it one trial after the other."""

    study: SweepStudy
    training: NetworkTraining
    options: SweepOptions
    task: TrialTask
    models: Path
    after_trial: Callable[[list[TrialRow]], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[int] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Go on until there are as many trials as are wanted.

        Raises:
            RunError: worker processes cannot start.
        """
        left = self._left()
        size = min(self.options.processes or cpu_count(), max(left, 1))
        limits: dict[str, Any] = {"seconds": self.options.seconds_a_trial, "memory": None}
        if size == 1:  # one worker alone uses all processors
            limits["environment"] = {}
        workers = [Worker(self.task, **limits) for _ in range(size)]
        with ThreadPoolExecutor(size) as pool, progress("Searching", total=self.options.trials, unit="trials") as bar:
            bar.advance(self.options.trials - left)
            jobs: list[Future[None]] = [pool.submit(self._work, worker) for worker in workers]
            try:
                while any(not job.done() for job in jobs):
                    wait(jobs, timeout=1.0, return_when=FIRST_EXCEPTION)
                    bar.advance(self.options.trials - self._left() - bar.done, self._note())
                    for job in jobs:
                        if job.done():
                            job.result()
            finally:
                self._over.set()  # what is still running is tried again by a resumed search
                for worker in workers:
                    worker.close()

    def model_of(self, number: int) -> Path:
        """Where the model of a trial is."""
        return self.models / f"trial-{number}.safetensors"

    def _work(self, worker: Worker[Trial, dict[str, float | None] | str]) -> None:
        from cantilena.workflows.sweep.worker import Trial

        while True:
            with self._lock:
                if self._over.is_set() or self._left() <= len(self._running):
                    return
                number, parameters = self.study.begin()
                self._running.add(number)
            began = time.monotonic()
            outcome = worker.run(Trial(number, with_parameters(self.training, parameters), self.model_of(number)))
            with self._lock:
                if self._over.is_set():
                    return
                self._end(number, outcome, time.monotonic() - began)
                self._running.remove(number)

    def _end(self, number: int, outcome: dict[str, float | None] | str | Failure, seconds: float) -> None:
        if isinstance(outcome, dict):
            self.study.end(number, seconds, score=outcome)
        elif isinstance(outcome, str):
            self.study.end(number, seconds, reason=outcome, pruned=True)
        else:
            late = outcome.reason.startswith("it took longer")
            self.study.end(number, seconds, reason=outcome.reason, pruned=late)
        rows = self.study.rows()
        best = best_of(rows)
        for row in rows:
            if row.state != "running" and row is not best:
                self.model_of(row.number).unlink(missing_ok=True)
        self.after_trial(rows)

    def _left(self) -> int:
        """Trials that have not ended."""
        return max(self.options.trials - counts_of(self.study.rows())["trials"], 0)

    def _note(self) -> str:
        rows = self.study.rows()
        best = best_of(rows)
        note = f"best {best.valid:.4f} in trial {best.number}" if best else "none finished yet"
        epochs = [row for row in rows if row.state == "running" and row.losses]
        return note + "".join(
            f"; trial {row.number}: {row.losses[-1]:.3f} after epoch {len(row.losses)}" for row in epochs
        )


def _arrays_of(data: EncodedCorpus) -> EncodedCorpus:
    """A corpus without its melodies, which a training does not need: less to send."""
    parts = {name: replace(getattr(data, name), melodies=()) for name in ("train", "valid", "test")}
    return replace(data, **parts)


def _digest(data: EncodedCorpus) -> str:
    """What tells the pieces of one corpus from those of another."""
    content = hashlib.sha256()
    for pieces in (data.train, data.valid, data.test):
        for array in (*pieces.sequences.tokens, pieces.sequences.lengths, pieces.sequences.bars.steps_per_bar):
            content.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    return content.hexdigest()


def _picture(rows: Sequence[TrialRow], space: SearchSpace) -> Figure:
    shown = [row for row in rows if row.losses and row.state in ("finished", "pruned")]
    parameters = [
        SearchedParameter(
            parameter.name,
            [
                value_text(row.parameters[parameter.name]) if parameter.choices else row.parameters[parameter.name]
                for row in shown
            ],
            choices=tuple(value_text(choice) for choice in parameter.choices),
            log=parameter.log,
        )
        for parameter in space.parameters
    ]
    losses = [row.valid if row.state == "finished" else min(row.losses) for row in shown]
    return search_panels([row.number for row in shown], losses, [row.state == "finished" for row in shown], parameters)


def _text(path: Path, report: Mapping[str, Any], best: TrialRow) -> str:
    """The report for a terminal."""
    how = ", ".join(f"{report[state]} {state}" for state in ("finished", "pruned", "failed"))
    tried = "  ".join(f"{name} {value_text(value)}" for name, value in best.parameters.items())
    lines = [f"{report['trials']} trials, {how}: {path}", f"best  trial {best.number}: {tried}"]
    for name, nats in (("valid", best.score), ("test", report["test"])):
        note = f", {nats['nats_per_note']:.4f} a note" if nats["nats_per_note"] is not None else ""
        lines.append(f"{name:<5} {nats['nats_per_step']:.4f} nats a step{note}")
    return "\n".join(
        [*lines, "The test pieces were used once, for the best alone. To train it again:", report["command"]]
    )
