"""`train`: one model from one corpus, measured on pieces that it has not seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from cantilena.errors import UsageError
from cantilena.models import Bundle, NetworkOptions, SequenceModel
from cantilena.runtime import options_record, run_folder, say
from cantilena.training import SINGLE_PROCESS, ProcessGroup, TrainingOptions, init_distributed, rank_from_env
from cantilena.workflows.data import Material
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.train.blend import Blending, Scores, blending, counted, scores_of
from cantilena.workflows.train.bundling import blended_bundle, counted_bundle, trained_bundle
from cantilena.workflows.train.config import fitted, may_blend, read_material, shape_and_training
from cantilena.workflows.train.options import TrainRequest
from cantilena.workflows.train.vae import CodeNumbers, codes_of_parts, learn_vae, vae_shape

MODEL = "model.safetensors"


@dataclass(frozen=True)
class TrainRun:
    """A finished training.

    Args:
        bundle: where the model lies.
        epochs: passes through the training pieces; an n-gram counts them once.
        seconds: how long it took.
        valid: nats a step and a note on the validation pieces.
        test: the same on the test pieces.
        mixed: whether the network was mixed with an n-gram, and what each predicts alone; None where nobody asked.
        codes: what a VAE's codes say of both parts: `valid` and `test` are bounds then; None for others.
    """

    bundle: Path
    epochs: int
    seconds: float
    valid: Mapping[str, float | None]
    test: Mapping[str, float | None]
    mixed: Blending | None = None
    codes: Mapping[str, CodeNumbers] | None = None

    def answer(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return {
            "bundle": str(self.bundle),
            "epochs": self.epochs,
            "seconds": self.seconds,
            "valid": dict(self.valid),
            "test": dict(self.test),
            "blend": None if self.mixed is None else self.mixed.answer(),
            **({} if self.codes is None else {"codes": {name: one.to_json() for name, one in self.codes.items()}}),
        }

    def text(self) -> str:
        """The same for a terminal."""
        rows = [f"{self.epochs} epoch{'s' if self.epochs != 1 else ''} in {self.seconds:.0f} s: {self.bundle}"]
        for name, nats in (("valid", self.valid), ("test", self.test)):
            note = f", {nats['nats_per_note']:.4f} a note" if nats["nats_per_note"] is not None else ""
            most = "" if self.codes is None else "at most (a bound) "
            rows.append(f"{name:<5} {most}{nats['nats_per_step']:.4f} nats a step{note}{self._beside(name)}")
            rows += [] if self.codes is None else [f"      {self.codes[name].text()}"]
        return "\n".join(rows)

    def _beside(self, part: str) -> str:
        """The same of the network and the n-gram alone."""
        if self.mixed is None:
            return ""
        alone = {name: scores[part]["nats_per_step"] for name, scores in self.mixed.scores.items() if name != "blend"}
        if self.mixed.blend is None:
            alone.pop("network")
        names = {"network": "the network alone", "ngram": "the n-gram alone"}
        return "".join(f"; {names[name]} {nats:.4f}" for name, nats in alone.items())


@dataclass(frozen=True)
class Learned:
    """A model with its bundle, and what it took.

    Args:
        bundle: the model as it is kept.
        model: the same, to measure.
        epochs: passes through the training pieces.
        seconds: how long it took.
    """

    bundle: Bundle
    model: SequenceModel
    epochs: int
    seconds: float


def run_training(request: TrainRequest, folder: Path, *, resume: bool = False, force: bool = False) -> TrainRun | None:
    """Train a model as asked and measure it.

    Of several processes that torchrun started, process 0 reads, writes and measures; the others help it to train a
    network, from what it tells them, and are given None. An n-gram it counts alone.

    Args:
        request: corpus, encoding, network, training.
        folder: of the run.
        resume: go on with an interrupted run, to the identical model.
        force: start anew in a folder that holds another run.

    Raises:
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder is taken, or another process has ended.
        UsageError: what is asked cannot be, or the environment does not say which process this is.
    """
    if request.model != "network":
        place = rank_from_env(os.environ)
        if request.model == "vae" and place.is_distributed:
            raise UsageError("several processes for a VAE", "start it without torchrun: it learns in minutes")
        if not place.is_main:
            return None
        if request.model == "vae":
            vae_shape(request)  # refused before a folder is taken
        return _run(request, None, folder, SINGLE_PROCESS, resume=resume, force=force)
    shape = shape_and_training(request)  # refused before a folder is taken
    with init_distributed() as processes:
        if processes.is_main:
            return _run(request, shape, folder, processes, resume=resume, force=force)
        help_learn(processes)
    return None


def _run(
    request: TrainRequest,
    shape: tuple[NetworkOptions, TrainingOptions] | None,
    folder: Path,
    processes: ProcessGroup,
    *,
    resume: bool,
    force: bool,
) -> TrainRun:
    asked = options_record(request) | ({"processes": processes.world_size} if processes.is_distributed else {})
    with run_folder(folder, asked, resume=resume, force=force) as run:
        clear_earlier(run, MODEL, "checkpoint.safetensors", "metrics.jsonl")
        material, corpus = read_material(request)
        vae = None
        if request.model == "vae":
            vae = learn_vae(request, material, corpus, folder=run.path, resume=run.resumed)
            learned = Learned(vae.bundle, vae.model, vae.epochs, vae.seconds)
        elif shape is None:
            learned = _counted(request, material, corpus)
        else:
            network, training = fitted(request, *shape, material)
            learned = learn_network(
                network, training, material, corpus, folder=run.path, resume=run.resumed, processes=processes
            )
        mixed = None
        if shape is not None and may_blend(request, shape[0]):
            mixed = blending(learned.model, material, request.ngram, wanted=request.blend)
            if mixed.blend is not None:
                learned = replace(learned, bundle=blended_bundle(learned.bundle, mixed.blend), model=mixed.blend)
        learned.bundle.save(folder / MODEL)
        codes = None if vae is None else codes_of_parts(vae.model, material, request.seed)
        if codes is not None:
            scores: Mapping[str, Scores] = {name: one.scores for name, one in codes.items()}
        else:
            scores = scores_of(learned.model, material) if mixed is None else mixed.chosen
        made = TrainRun(folder / MODEL, learned.epochs, learned.seconds, scores["valid"], scores["test"], mixed, codes)
        run.finish(**made.answer() | {"bundle": MODEL})
        return made


def learn_network(
    network: NetworkOptions,
    training: TrainingOptions,
    material: Material,
    corpus: Mapping[str, str],
    *,
    folder: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    after_epoch: Callable[[int, float], bool] | None = None,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> Learned:
    """Train a network on the material and put it into a bundle.

    Of several processes process 0 calls this, and the others `help_learn`.

    Args:
        network: its shape.
        training: how.
        material: what it learns from.
        corpus: whose that is (`corpus_facts`).
        folder: where checkpoints go; nowhere if None.
        resume: go on from the folder's checkpoint.
        quiet: say nothing on the way.
        after_epoch: told each epoch and its held-out loss; True ends the training there.
        processes: those that learn together.
    """
    from cantilena.training import train, transpositions  # torch takes seconds to import

    asked: dict[str, Any] = {
        "pieces": material.train.sequences,
        "valid": material.valid.sequences,
        "vocabulary_size": len(material.encoding.vocabulary),
        "network": network,
        "training": training,
        "transpositions": transpositions(material.encoding, training.transpose) if training.transpose else None,
    }
    here: dict[str, Any] = {"folder": folder, "resume": resume, "quiet": quiet, "after_epoch": after_epoch}
    trained = train(**processes.broadcast(asked), **here, processes=processes)
    bundle = trained_bundle(trained, material, network, training, corpus)
    return Learned(bundle, trained.network, trained.epochs, trained.seconds)


def help_learn(processes: ProcessGroup) -> None:
    """Train what process 0 asks: another needs neither the corpus nor the folder, which may lie on one machine.

    Args:
        processes: those that learn together, seen from one that is not the first.
    """
    from cantilena.training import train

    train(**processes.broadcast(None), processes=processes)


def _counted(request: TrainRequest, material: Material, corpus: Mapping[str, str]) -> Learned:
    say("Counting n-grams")
    started = perf_counter()
    ngram = counted(material, request.ngram)
    return Learned(counted_bundle(ngram, material, corpus), ngram, 1, perf_counter() - started)
