"""Models of a run, each made once: a finished one is read from its bundle, an interrupted one is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.models import Bundle, NetworkOptions
from cantilena.rl import TuningOptions, tune
from cantilena.runtime import read_json, write_json
from cantilena.training import TrainingOptions
from cantilena.workflows.data import EncodedCorpus
from cantilena.workflows.runs import TrainedModel
from cantilena.workflows.train.run import learn_network


def trained_model(
    name: str,
    folder: Path,
    data: EncodedCorpus,
    network: NetworkOptions,
    training: TrainingOptions,
    *,
    corpus: Mapping[str, Any],
) -> TrainedModel:
    """Train a network, or read it from `folder/models/NAME.safetensors` if it was trained before."""

    def train_in(work: Path) -> tuple[Bundle, dict[str, Any]]:
        trained, bundle = learn_network(network, training, data, corpus, folder=work, resume=True)
        report = {
            "seconds": trained.seconds,
            "epochs": trained.epochs,
            "precision": trained.precision,
            "history": list(trained.history),
        }
        return bundle, report

    return _made_once(name, folder, train_in)


def tuned_model(
    name: str, folder: Path, untuned: Bundle, options: TuningOptions, human: NDArray[np.int64] | None = None
) -> TrainedModel:
    """Tune a model, or read it if it was tuned before; `human` is as for `tune`."""

    def tune_in(work: Path) -> tuple[Bundle, dict[str, Any]]:
        tuned = tune(untuned, options, human=human, folder=work, resume=True)
        report = {
            "seconds": tuned.seconds,
            "steps": tuned.steps,
            "steps_per_second": tuned.steps_per_second,
            "history": json.loads(json.dumps(tuned.history.to_json())),
            "looks": [look.to_json() for look in tuned.checks],
            "kept_update": tuned.kept,
        }
        return tuned.bundle, report

    return _made_once(name, folder, tune_in)


def _made_once(name: str, folder: Path, make: Callable[[Path], tuple[Bundle, dict[str, Any]]]) -> TrainedModel:
    path, work = folder / "models" / f"{name}.safetensors", folder / "work" / name
    if path.exists() and (work / "facts.json").exists():
        bundle, report = Bundle.load(path), read_json(work / "facts.json")
    else:
        work.mkdir(parents=True, exist_ok=True)
        bundle, report = make(work)
        write_json(work / "facts.json", report)
        bundle.save(path)
    return TrainedModel(bundle, path, report["seconds"], report)
