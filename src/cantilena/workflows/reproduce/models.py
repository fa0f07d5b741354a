"""Models of a run, each made once: a finished one is read from its bundle, an interrupted one goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.models import Bundle, NetworkOptions
from cantilena.rl import TuningHistory, TuningOptions, tune
from cantilena.runtime import read_json, write_json
from cantilena.training import TrainingOptions, train
from cantilena.workflows.data import Material
from cantilena.workflows.train.bundling import trained_bundle


@dataclass(frozen=True)
class MadeModel:
    """A model and how it came to be.

    Args:
        bundle: the model.
        facts: JSON values: `seconds`, `epochs`, `history`, ...
    """

    bundle: Bundle
    facts: Mapping[str, Any]


def trained_model(
    name: str,
    folder: Path,
    material: Material,
    network: NetworkOptions,
    training: TrainingOptions,
    *,
    corpus: Mapping[str, Any],
) -> MadeModel:
    """Train a network on the material, or read it where it was trained already.

    Args:
        name: of the model: the bundle is `folder/models/<name>.safetensors`.
        folder: of the run.
        material: what to learn from.
        network: its shape.
        training: how.
        corpus: name, licence and digest of the corpus, for the bundle.
    """
    path, work = folder / "models" / f"{name}.safetensors", folder / "work" / name
    if path.exists() and (work / "facts.json").exists():
        return MadeModel(Bundle.load(path), read_json(work / "facts.json"))
    trained = train(
        material.train.sequences,
        material.valid.sequences,
        vocabulary_size=len(material.encoding.vocabulary),
        network=network,
        training=training,
        folder=work,
        resume=True,
    )
    bundle = trained_bundle(trained, material, network, training, corpus)
    facts = {
        "seconds": trained.seconds,
        "epochs": trained.epochs,
        "precision": trained.precision,
        "history": list(trained.history),
    }
    write_json(work / "facts.json", facts)
    bundle.save(path)
    return MadeModel(bundle, facts)


def tuned_model(
    name: str, folder: Path, untuned: Bundle, options: TuningOptions, human: NDArray[np.int64] | None = None
) -> MadeModel:
    """Tune a model, or read it where it was tuned already.

    Args:
        name: of the tuned model: the bundle is `folder/models/<name>.safetensors`.
        folder: of the run.
        untuned: the trained model.
        options: how to tune.
        human: `(excerpts, steps)` tokens of human melodies for the diversity checks.
    """
    path, work = folder / "models" / f"{name}.safetensors", folder / "work" / name
    if path.exists() and (work / "facts.json").exists():
        return MadeModel(Bundle.load(path), read_json(work / "facts.json"))
    work.mkdir(parents=True, exist_ok=True)
    tuned = tune(untuned, options, human=human, folder=work, resume=True)
    facts = {
        "seconds": tuned.seconds,
        "steps": tuned.steps,
        "steps_per_second": tuned.steps_per_second,
        "history": json.loads(json.dumps(tuned.history.to_json())),
        "looks": [look.to_json() for look in tuned.checks],
        "kept_update": tuned.kept,
    }
    write_json(work / "facts.json", facts)
    tuned.bundle.save(path)
    return MadeModel(tuned.bundle, facts)


def tuning_history(facts: Mapping[str, Any]) -> TuningHistory:
    """The history that `tuned_model` recorded."""
    return TuningHistory(**facts["history"])
