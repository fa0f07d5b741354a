"""`train`: one model from one corpus, measured on pieces that it has not seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from cantilena.corpus import SPLITS, Corpus, ReadOptions, Split, open_corpus, read_folder
from cantilena.encoding import GridEncoding
from cantilena.errors import UsageError
from cantilena.experiment.blending import Blending, Scores, blending, counted, scores_of
from cantilena.experiment.fresh import clear_earlier
from cantilena.experiment.material import Material, material_of
from cantilena.experiment.style_labels import style_labels
from cantilena.experiment.train_options import OF_A_NETWORK, TrainRequest
from cantilena.experiment.trained_bundle import blended_bundle, corpus_facts, counted_bundle, trained_bundle
from cantilena.experiment.vae_run import CodeNumbers, codes_of_parts, learn_vae, vae_shape
from cantilena.model import Bundle, NetworkOptions, SequenceModel
from cantilena.music import Melody, parse_pitch_range
from cantilena.runs import options_record, run_folder, say
from cantilena.training import ALONE, TRANSFORMER_RATE, Processes, TrainingOptions, placed, preset, together

MODEL = "model.safetensors"
PAPER_BATCH = 64
"""Windows that the literal input learns from at once, as in the paper."""


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
        place = placed(os.environ)
        if request.model == "vae" and place.several:
            raise UsageError("several processes for a VAE", "start it without torchrun: it learns in minutes")
        if not place.first:
            return None
        if request.model == "vae":
            vae_shape(request)  # refused before a folder is taken
        return _run(request, None, folder, ALONE, resume=resume, force=force)
    shape = shape_and_training(request)  # refused before a folder is taken
    with together() as processes:
        if processes.first:
            return _run(request, shape, folder, processes, resume=resume, force=force)
        help_learn(processes)
    return None


def _run(
    request: TrainRequest,
    shape: tuple[NetworkOptions, TrainingOptions] | None,
    folder: Path,
    processes: Processes,
    *,
    resume: bool,
    force: bool,
) -> TrainRun:
    asked = options_record(request) | ({"processes": processes.world} if processes.several else {})
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


def shape_and_training(request: TrainRequest) -> tuple[NetworkOptions, TrainingOptions]:
    """The preset's network and training with what was asked otherwise."""
    network, training = preset(request.preset)
    asked = {name: getattr(request, name) for name in _ASKED if getattr(request, name) is not None}
    if request.input == "paper":  # which hears nothing but its window
        network, training = replace(network, echoes=0), replace(training, batch=PAPER_BATCH)
    network = replace(network, **{name: asked[name] for name in _OF_NETWORK if name in asked})
    if network.core == "transformer":
        training = replace(training, learning_rate=min(training.learning_rate, TRANSFORMER_RATE))
    training = replace(training, **{name: asked[name] for name in _OF_TRAINING if name in asked})
    if request.encoding == "grid" and not request.plain_keys and request.transpose is None:
        training = replace(training, transpose=6)
    return network, training


def fitted(
    request: TrainRequest, network: NetworkOptions, training: TrainingOptions, material: Material
) -> tuple[NetworkOptions, TrainingOptions]:
    """The network and its training once the corpus is known: what it can be told, and how much it needs to forget.

    Notes and chords without time lie in no bar, so nothing is told of bars there.
    """
    if not material.encoding.tells_time:
        network = replace(
            network,
            bar_position=bool(request.bar_position),
            look_back=() if request.look_back is None else network.look_back,
        )
    if network.input == "features":
        network = replace(network, conditions=request.known, styles=tuple(material.styles))
    if request.dropout is None and request.preset == "quick":
        network = replace(network, dropout=dropout_for(material.train.sequences.steps))
    return network, training


def dropout_for(steps: int) -> float:
    """How much the quick preset leaves out while it learns from so many steps: the fewer there are, the more.

    Found on the validation parts of the built-in corpora and of piano pieces.

    Example:
        >>> dropout_for(30_000), dropout_for(1_000_000)
        (0.4, 0.1)
    """
    return next(share for most, share in ((100_000, 0.4), (600_000, 0.2), (steps, 0.1)) if steps <= most)


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
    processes: Processes = ALONE,
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
    trained = train(**processes.tell(asked), **here, processes=processes)
    bundle = trained_bundle(trained, material, network, training, corpus)
    return Learned(bundle, trained.network, trained.epochs, trained.seconds)


def help_learn(processes: Processes) -> None:
    """Train what process 0 asks: another needs neither the corpus nor the folder, which may lie on one machine.

    Args:
        processes: those that learn together, seen from one that is not the first.
    """
    from cantilena.training import train

    train(**processes.tell(None), processes=processes)


def _counted(request: TrainRequest, material: Material, corpus: Mapping[str, str]) -> Learned:
    say("Counting n-grams")
    started = perf_counter()
    ngram = counted(material, request.ngram)
    return Learned(counted_bundle(ngram, material, corpus), ngram, 1, perf_counter() - started)


def may_blend(request: TrainRequest, network: NetworkOptions) -> bool:
    """Whether a network is to be held beside an n-gram: where it is asked for, and by itself in the quick preset.

    The paper's own network and its literal input stay what they are.
    """
    if request.blend is not None:
        return request.blend
    return request.preset == "quick" and network.input == "features"


def read_material(request: TrainRequest) -> tuple[Material, dict[str, str]]:
    """The corpus as tokens, and whose it is; held-out folders, where they are given, stand in for its own parts."""
    corpus = read_corpus_of(request)
    return material_for(corpus, request), corpus_facts(corpus)


def read_corpus_of(request: TrainRequest) -> Corpus:
    """The corpus that is asked for."""
    if request.seconds is not None and not Path(request.corpus).is_dir():
        raise UsageError(
            f"--seconds with {request.corpus}, which was read already",
            "give the folder of its scores, or read that with `cantilena corpus read --seconds`",
        )
    return open_corpus(request.corpus, _reading(request))


def _reading(request: TrainRequest) -> ReadOptions:
    return ReadOptions(voice="melody" if request.encoding == "grid" else "all", seconds=request.seconds)


def material_for(corpus: Corpus, request: TrainRequest) -> Material:
    """A corpus as tokens; held-out folders, where they are given, stand in for its own parts."""
    low, high = parse_pitch_range(request.range)
    grid = GridEncoding(int(low), int(high))
    melodies: dict[Split, Sequence[Melody]] = {split: corpus.melodies(split) for split in SPLITS}
    if request.valid and request.test:
        melodies["train"] = corpus.melodies()
    held_out: dict[Split, Path | None] = {"valid": request.valid, "test": request.test}
    for split, folder in held_out.items():
        if folder is not None:
            melodies[split] = read_folder(folder, replace(_reading(request), seconds=None), as_is=True).melodies()
    labels = style_labels(corpus, request.styles)
    return material_of(melodies, request.encoding, plain_keys=request.plain_keys, grid=grid, styles=labels)


_ASKED = (*OF_A_NETWORK, "seed", "device")
_OF_NETWORK = tuple(field.name for field in fields(NetworkOptions) if field.name in _ASKED)
_OF_TRAINING = tuple(field.name for field in fields(TrainingOptions) if field.name in _ASKED)
