"""`sweep`: a search for the parameters that predict held-out pieces best, and the model that they gave.

The search itself: workers get trials, epochs come back, what is not worth going on with is given up.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cantilena.errors import MissingError, RunError, UsageError
from cantilena.models import Bundle
from cantilena.reporting.figures import Figure, SearchedParameter, png_bytes, search_panels
from cantilena.runtime import (
    Progress,
    cpu_count,
    log,
    options_record,
    progress,
    record_name,
    run_folder,
    write_bytes,
    write_json,
    write_text,
)
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.space import SearchSpace, Value, load_space
from cantilena.workflows.sweep.study import SweepStudy, TrialRow, best_of, counts_of, csv_text, spoken, train_command
from cantilena.workflows.sweep.worker import (
    Ended,
    EpochDone,
    Message,
    Ready,
    Team,
    TrialDone,
    TrialFailed,
    TrialOrder,
    Worker,
)
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import read_material, shape_and_training
from cantilena.workflows.train.options import OF_A_NETWORK, TrainRequest

MODEL = "model.safetensors"
_JOURNAL, _MODELS, _TABLES = "trials.journal", "models", ("sweep.json", "sweep.csv", "sweep.png")


@dataclass(frozen=True)
class SweepRun:
    """A finished search.

    Args:
        bundle: where the best trial's model lies.
        rows: all trials.
        best: the best of them.
        test: nats a step and a note of its model on the test pieces, which nothing before has looked at.
        command: the command line that trains it again.
    """

    bundle: Path
    rows: Sequence[TrialRow]
    best: TrialRow
    test: Mapping[str, float | None]
    command: str

    def answer(self) -> dict[str, Any]:
        """What `sweep --json` prints."""
        record = self.best.record()
        return {
            "bundle": str(self.bundle),
            **counts_of(self.rows),
            "interrupted": sum(row.state == "interrupted" for row in self.rows),
            "best": {"number": self.best.number, "parameters": record["parameters"], "valid": dict(self.best.score)},
            "test": dict(self.test),
            "command": self.command,
        }

    def text(self) -> str:
        """The same for a terminal."""
        counts = counts_of(self.rows)
        how = ", ".join(f"{number} {state}" for state, number in counts.items() if state != "trials")
        tried = "  ".join(f"{name} {spoken(value)}" for name, value in self.best.parameters.items())
        lines = [f"{counts['trials']} trials, {how}: {self.bundle}", f"best  trial {self.best.number}: {tried}"]
        for name, result in (("valid", self.best.score), ("test", self.test)):
            note = f", {result['nats_per_note']:.4f} a note" if result["nats_per_note"] is not None else ""
            lines.append(f"{name:<5} {result['nats_per_step']:.4f} nats a step{note}")
        lines.append("The test pieces were looked at once, for the best alone. To train it again:")
        return "\n".join([*lines, self.command])


def run_sweep(
    request: TrainRequest, options: SweepOptions, folder: Path, *, resume: bool = False, force: bool = False
) -> SweepRun:
    """Try trainings that differ in some parameters, and keep the model that predicts the validation pieces best.

    Args:
        request: the training; what it gives is not searched.
        options: what may change, how many trials, how many at once.
        folder: of the run.
        resume: go on with an interrupted search: what was over is kept, what was running is tried again.
        force: start anew in a folder that holds another run.

    Raises:
        MissingError: Optuna is not installed.
        UsageError: a search space that is none, or what cannot be searched so.
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder is taken, or no trial finished.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MissingError("searches are made by Optuna, which is not installed", "pip install 'cantilena[sweep]'")
    if request.model != "network" or request.blend:
        raise UsageError("a search for an n-gram, a VAE or a blend", "search for a network, then train it with --blend")
    space = _free(load_space(options.search), request)
    first = _checked(space, request)
    # What follows imports torch and Optuna, which takes seconds.
    from cantilena.workflows.sweep.study import SweepStudy
    from cantilena.workflows.sweep.worker import material_digest

    material, _ = read_material(request)
    digest = material_digest(material)
    chosen = {name: value for name, value in options_record(options).items() if name != "processes"}
    asked = {**options_record(request), **chosen, "space": space.record(), "pieces": digest}
    with run_folder(folder, asked, resume=resume, force=force) as run:
        clear_earlier(run, MODEL, _JOURNAL, f"{_JOURNAL}.lock", f"{_MODELS}/trial-*.safetensors", *_TABLES)
        study = SweepStudy(folder / _JOURNAL, space, options, seed=request.seed, first=first)
        (folder / _MODELS).mkdir(exist_ok=True)

        def tell(rows: list[TrialRow]) -> None:
            write_json(folder / "sweep.json", {"space": space.record(), "trials": [row.record() for row in rows]})
            write_text(folder / "sweep.csv", csv_text(rows, space))

        search = Search(study, request, options, digest, folder / _MODELS, tell)
        search.run()
        rows = study.rows()
        tell(rows)
        best = best_of(rows)
        if best is None:
            reason = next((row.reason for row in rows if row.state == "failed"), "all were given up")
            raise RunError(f"no trial of {len(rows)} finished: {reason}", "change --search and start anew with --force")
        if not search.model_of(best.number).exists():
            raise RunError(f"the model of trial {best.number} is gone from {folder / _MODELS}", "start with --force")
        write_bytes(folder / MODEL, search.model_of(best.number).read_bytes())
        network = Bundle.load(folder / MODEL).network().eval()
        test = score(network, material.test, material)
        write_bytes(folder / "sweep.png", png_bytes(_picture(rows, space)))
        again = with_parameters(request, best.parameters)
        done = SweepRun(folder / MODEL, rows, best, test, train_command(again, folder.with_name(f"{folder.name}-best")))
        run.finish(**done.answer() | {"bundle": MODEL})
        _clear(folder / _MODELS)
        return done


def _free(space: SearchSpace, request: TrainRequest) -> SearchSpace:
    """What of a space no flag decides."""
    given = [name for name in OF_A_NETWORK if getattr(request, name) is not None]
    both = [parameter.name for parameter in space.parameters if parameter.name in given]
    left = space.without(both)
    if both:
        log(f"{' and '.join(both)} {'is' if len(both) == 1 else 'are'} given, and not searched")
    return left


def _checked(space: SearchSpace, request: TrainRequest) -> dict[str, Value]:
    """The preset's own values; each end of each parameter is refused here where no network can have it."""
    network, training = shape_and_training(request)
    preset = {record_name(one): getattr(part, one.name) for part in (training, network) for one in fields(part)}
    first: dict[str, Value] = {}
    for parameter in space.parameters:
        name = parameter.name
        first[name] = preset[name]
        for value in parameter.ends():
            values: dict[str, Any] = {name: value}
            try:
                shape_and_training(replace(request, **values))
            except UsageError as error:
                raise UsageError(f"'{name}' in the search space '{space.name}': {error.text}", error.hint) from error
    return first


def _picture(rows: Sequence[TrialRow], space: SearchSpace) -> Figure:
    shown = [row for row in rows if row.losses and row.state in ("finished", "pruned")]
    parameters = [
        SearchedParameter(
            parameter.name,
            [
                spoken(row.parameters[parameter.name]) if parameter.choices else row.parameters[parameter.name]
                for row in shown
            ],
            choices=tuple(spoken(choice) for choice in parameter.choices),
            log=parameter.log,
        )
        for parameter in space.parameters
    ]
    losses = [row.valid if row.state == "finished" else min(row.losses) for row in shown]
    return search_panels([row.number for row in shown], losses, [row.state == "finished" for row in shown], parameters)


def _clear(models: Path) -> None:
    """The best model has been copied: take away what trials left."""
    for path in models.glob("*trial-*.safetensors*"):
        path.unlink(missing_ok=True)
    if not any(models.iterdir()):
        models.rmdir()


_FALSE_STARTS = 3
"""Workers in a row that end before they can begin, until the search gives up."""


def with_parameters(request: TrainRequest, parameters: Mapping[str, Value]) -> TrainRequest:
    """A training with the parameters of a trial.

    Example:
        >>> with_parameters(TrainRequest("tunes"), {"width": 64}).width
        64
    """
    values: dict[str, Any] = dict(parameters)
    return replace(request, **values)


@dataclass
class Search:
    """A search under way.

    Args:
        study: what to try next; the trials until now.
        request: the training that trials change.
        options: how many, how many at once, how long each.
        digest: of the pieces that workers must find in the corpus.
        models: the folder where the best model of a trial is kept.
        after_trial: called when a trial is over, with all of them.
    """

    study: SweepStudy
    request: TrainRequest
    options: SweepOptions
    digest: str
    models: Path
    after_trial: Callable[[list[TrialRow]], None]
    false_starts: int = 0

    def run(self) -> None:
        """Go on until there are as many trials as are wanted.

        Raises:
            RunError: workers cannot start, or the corpus is not what it was.
        """
        size = self.options.processes or cpu_count()
        left = self.left()
        with (
            progress("Searching", total=self.options.trials, unit="trials") as bar,
            Team(self.request, min(size, max(left, 1))) as team,
        ):
            bar.advance(self.options.trials - left, self._note())
            while (left := self.left()) > 0:
                team.fill(left)
                for worker, message in team.messages():
                    self._take(worker, message, bar)
                for worker in team.workers:
                    if worker.is_ready and worker.trial is None and team.busy < self.left():
                        self._give(worker)

    def left(self) -> int:
        """Trials that have not come to their end."""
        return max(self.options.trials - counts_of(self.study.rows())["trials"], 0)

    def model_of(self, number: int) -> Path:
        """Where the model of a trial lies."""
        return self.models / f"trial-{number}.safetensors"

    def _give(self, worker: Worker) -> None:
        number, parameters = self.study.ask()
        order = TrialOrder(with_parameters(self.request, parameters), self.model_of(number))
        worker.train(number, order, self.options.seconds_a_trial)

    def _take(self, worker: Worker, message: Message | Ended, bar: Progress) -> None:
        number = worker.trial
        if number is None:
            self._welcome(worker, message)
            return
        match message:
            case EpochDone(epoch, most, loss):
                hopeless = self.study.report(number, epoch, loss) and epoch < most
                worker.go_on(f"worse than the median after epoch {epoch}" if hopeless else "")
                bar.advance(0, self._note(f"; trial {number}: {loss:.3f} after epoch {epoch} of {most}"))
                return
            case TrialDone(None):
                self.study.give_up(number, worker.stops, worker.done())
            case TrialDone(score):
                assert score is not None
                self.study.finish(number, score, worker.done())
            case TrialFailed(reason):
                self.study.fail(number, reason, worker.done())
            case Ended(reason):
                late = reason.startswith("it took longer")
                (self.study.give_up if late else self.study.fail)(number, reason, worker.done())
            case Ready():
                raise RunError("a worker process spoke out of turn", "start anew with --force")
        rows = self.study.rows()
        self._keep_the_best(rows)
        self.after_trial(rows)
        bar.advance(1, self._note())

    def _welcome(self, worker: Worker, message: Message | Ended) -> None:
        match message:
            case Ready(digest):
                if digest != self.digest:
                    raise RunError("the corpus changed while it was searched with", "start anew with --force")
                worker.is_ready, self.false_starts = True, 0
            case TrialFailed(reason, hint):
                raise RunError(f"a worker process cannot read the corpus: {reason}", hint or "check the corpus")
            case Ended(reason):
                self.false_starts += 1
                if self.false_starts >= _FALSE_STARTS:
                    raise RunError(f"worker processes cannot start: {reason}", "give fewer --processes, or free memory")
            case _:
                raise RunError("a worker process spoke out of turn", "start anew with --force")

    def _keep_the_best(self, rows: list[TrialRow]) -> None:
        best = best_of(rows)
        over = {self.model_of(row.number) for row in rows if row.state != "running"}
        for path in over - ({self.model_of(best.number)} if best else set()):
            path.unlink(missing_ok=True)

    def _note(self, more: str = "") -> str:
        best = best_of(self.study.rows())
        return f"best {best.valid:.4f} in trial {best.number}{more}" if best else f"none finished yet{more}"
