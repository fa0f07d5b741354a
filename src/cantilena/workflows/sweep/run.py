"""`sweep`: a search for the parameters that predict held-out pieces best, and the model that they gave."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.errors import MissingError, RunError, UsageError
from cantilena.models import Bundle
from cantilena.reporting.figures import Figure, SearchedParameter, png_bytes, search_panels
from cantilena.runtime import options_record, run_folder, say, write_bytes, write_json, write_text
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.sweep.options import SweepOptions
from cantilena.workflows.sweep.search_files import load_space
from cantilena.workflows.sweep.space import SearchSpace, Value
from cantilena.workflows.sweep.sweep_trials import TrialRow, best_of, counts_of, csv_text, spoken, train_command
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import shape_and_training
from cantilena.workflows.train.options import OF_A_NETWORK, TrainRequest
from cantilena.workflows.train.train_material import read_material

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
    from cantilena.workflows.sweep.sweep_search import Search, with_parameters
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
        say(f"{' and '.join(both)} {'is' if len(both) == 1 else 'are'} given, and not searched")
    return left


def _checked(space: SearchSpace, request: TrainRequest) -> dict[str, Value]:
    """The preset's own values; each end of each parameter is refused here where no network can have it."""
    network, training = shape_and_training(request)
    first: dict[str, Value] = {}
    for parameter in space.parameters:
        name = parameter.name
        first[name] = getattr(network if hasattr(network, name) else training, name)
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
