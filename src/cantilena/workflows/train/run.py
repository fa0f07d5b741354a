"""`train`: a model of a corpus, measured on pieces that it has not seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from cantilena.data import Corpus
from cantilena.errors import UsageError
from cantilena.models import Bundle, MelodyVae, NetworkOptions, SequenceModel
from cantilena.runtime import log, one_blas_thread, run_folder
from cantilena.training import SINGLE_PROCESS, ProcessGroup, TrainingOptions, init_distributed, rank_from_env
from cantilena.workflows.data import EncodedCorpus
from cantilena.workflows.runs import TrainedModel, clear_earlier_run, folder_or_temporary, make_options
from cantilena.workflows.train.blend import Scores, choose_blend, fit_ngram, may_blend, scores_of
from cantilena.workflows.train.bundling import blended_bundle, ngram_bundle, trained_bundle
from cantilena.workflows.train.config import encode_corpus, load_corpus, network_for, shape_and_training, training_facts
from cantilena.workflows.train.options import NetworkTraining, TrainingKind, TrainOptions, VaeTraining
from cantilena.workflows.train.vae import learn_vae, measure_vae, vae_shape

if TYPE_CHECKING:  # torch takes seconds to import
    from cantilena.models import Network
    from cantilena.training import TrainResult

MODEL = "model.safetensors"


def train(
    corpus: Corpus | Path | str,
    *,
    encoding: str = "grid",
    seed: int = 1,
    out: Path | str | None = None,
    resume: bool = False,
    force: bool = False,
    **options: Any,  # noqa: ANN401  (the fields of `TrainOptions`)
) -> TrainedModel:
    """Train a model on a corpus and measure it on held-out pieces.

    Args:
        corpus: a corpus, the name of a built-in one, a corpus file, or a folder of scores.
        encoding: `grid`, one token a sixteenth, or `events`, one token a note or chord.
        seed: the same seed, machine and versions give the same model.
        out: the folder of the run; None saves nothing.
        resume: resume an interrupted run, to the identical model.
        force: start over in a folder that holds another run.
        **options: the flags of `cantilena train` (`TrainOptions`), such as `model="ngram"` or `width=256`.

    Raises:
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder holds another run.
        UsageError: an unknown option, a value that makes no sense, or a process that torchrun started.

    Examples:
        >>> trained = train("chorales", model="ngram", order=4)
        >>> trained.bundle.options.order, sorted(trained.test)
        (4, ['nats_per_note', 'nats_per_step'])
    """
    if rank_from_env(os.environ).is_distributed:
        raise UsageError("cantilena.train runs in one process", "use `torchrun -m cantilena train` for several")
    name, loaded = (corpus.manifest.name, corpus) if isinstance(corpus, Corpus) else (str(corpus), None)
    folders = {part: Path(options[part]) for part in ("valid", "test") if options.get(part)}
    chosen = make_options(TrainOptions, {"corpus": name, "encoding": encoding, "seed": seed, **options, **folders})
    with folder_or_temporary(out) as folder:
        result = run_training(chosen, folder, corpus=loaded, resume=resume, force=force)
    assert result is not None
    return result if out is not None else replace(result, path=None)


@one_blas_thread()
def run_training(
    options: TrainOptions | TrainingKind,
    folder: Path,
    *,
    corpus: Corpus | None = None,
    resume: bool = False,
    force: bool = False,
) -> TrainedModel | None:
    """Train a model in a run folder.

    Of several processes that torchrun started, process 0 reads, writes and measures; the others only help to train a
    network, with what process 0 sends them, and get None. An n-gram needs process 0 alone.

    Args:
        options: corpus, encoding, model, training.
        folder: of the run.
        corpus: in place of the one that the options name.
        resume: resume an interrupted run, to the identical model.
        force: start over in a folder that holds another run.

    Raises:
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder holds another run, or another process has ended.
        UsageError: a value that makes no sense, or a process without rank.
    """
    kind = options.of_kind() if isinstance(options, TrainOptions) else options
    # Options that no model can have are refused before the folder is used.
    if isinstance(kind, NetworkTraining):
        shape_and_training(kind)
        with init_distributed() as processes:
            if processes.is_main:
                return _run(kind, folder, corpus, processes, resume=resume, force=force)
            from cantilena.training import train as train_network  # torch takes seconds to import

            train_network(**processes.broadcast(None), processes=processes)
            return None
    process = rank_from_env(os.environ)
    if isinstance(kind, VaeTraining):
        if process.is_distributed:
            raise UsageError("a VAE is trained in one process", "start it without torchrun: it takes minutes")
        vae_shape(kind)
    return _run(kind, folder, corpus, SINGLE_PROCESS, resume=resume, force=force) if process.is_main else None


class _Learned(NamedTuple):
    bundle: Bundle
    model: SequenceModel
    epochs: int
    seconds: float


def _run(
    options: TrainingKind, folder: Path, corpus: Corpus | None, processes: ProcessGroup, *, resume: bool, force: bool
) -> TrainedModel:
    record = options.record() | ({"processes": processes.world_size} if processes.is_distributed else {})
    with run_folder(folder, record, resume=resume, force=force) as run:
        clear_earlier_run(run, MODEL, "checkpoint.safetensors", "metrics.jsonl")
        corpus = load_corpus(options) if corpus is None else corpus
        data, facts = encode_corpus(corpus, options), training_facts(corpus, options)
        choice = codes = None
        scores: Mapping[str, Scores]
        if isinstance(options, NetworkTraining):
            network, training = shape_and_training(options)
            network = network_for(network, options, data)
            trained, bundle = learn_network(
                network, training, data, facts, folder=run.path, resume=run.resumed, processes=processes
            )
            learned = _Learned(bundle, trained.network, trained.epochs, trained.seconds)
            if may_blend(options, network):
                choice = choose_blend(trained.network, data, options.ngram, wanted=options.blend)
                if choice.blend is not None:
                    learned = learned._replace(bundle=blended_bundle(bundle, choice.blend))
        elif isinstance(options, VaeTraining):
            vae, bundle = learn_vae(options, data, facts, folder=run.path, resume=run.resumed)
            learned = _Learned(bundle, bundle.model(), vae.epochs, vae.seconds)
        else:
            log("Counting n-grams")
            started = perf_counter()
            ngram = fit_ngram(data, options.ngram)
            learned = _Learned(ngram_bundle(ngram, data, corpus=facts), ngram, 1, perf_counter() - started)
        learned.bundle.save(folder / MODEL)
        if isinstance(learned.model, MelodyVae):
            codes = measure_vae(learned.model, data, options.seed)
            scores = {
                part: {"nats_per_step": one["weighted"], "nats_per_note": one["weighted"] * one["steps_per_note"]}
                for part, one in codes.items()
            }
        else:
            scores = scores_of(learned.model, data) if choice is None else choice.chosen
        report: dict[str, Any] = {"epochs": learned.epochs, "seconds": learned.seconds}
        report |= {part: dict(nats) for part, nats in scores.items()}
        report["blend"] = None if choice is None else choice.to_dict()
        if codes is not None:
            report["codes"] = {
                part: {name: round(value, 6) for name, value in one.items()} for part, one in codes.items()
            }
        run.finish(**report | {"bundle": MODEL})
        path = folder / MODEL
        return TrainedModel(learned.bundle, path, learned.seconds, report, _text(path, report))


def learn_network(
    network: NetworkOptions,
    training: TrainingOptions,
    data: EncodedCorpus,
    corpus: Mapping[str, Any],
    *,
    folder: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    after_epoch: Callable[[int, float], bool] | None = None,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> tuple[TrainResult[Network], Bundle]:
    """Train a network on an encoded corpus, and put it into a bundle.

    Args:
        network: its shape.
        training: how.
        data: what it learns from.
        corpus: the facts of its corpus (`corpus_facts`).
        folder: for checkpoints; None for none.
        resume: resume from the folder's checkpoint.
        quiet: print nothing.
        after_epoch: called with each epoch and its validation loss; if it returns True, training ends.
        processes: those that train together; process 0 calls this.
    """
    from cantilena.training import train as train_network
    from cantilena.training import transpositions  # torch takes seconds to import

    shared: dict[str, Any] = {
        "pieces": data.train.sequences,
        "valid": data.valid.sequences,
        "vocabulary_size": len(data.encoding.vocabulary),
        "network": network,
        "training": training,
        "transpositions": transpositions(data.encoding, training.transpose) if training.transpose else None,
    }
    own: dict[str, Any] = {"folder": folder, "resume": resume, "quiet": quiet, "after_epoch": after_epoch}
    trained = train_network(**processes.broadcast(shared), **own, processes=processes)
    return trained, trained_bundle(trained, data, network, training, corpus=corpus)


def _text(path: Path, report: Mapping[str, Any]) -> str:
    """The report for a terminal."""
    epochs, codes = report["epochs"], report.get("codes", {})
    rows = [f"{epochs} epoch{'s' if epochs != 1 else ''} in {report['seconds']:.0f} s: {path}"]
    for part in ("valid", "test"):
        nats = report[part]
        note = f", {nats['nats_per_note']:.4f} a note" if nats["nats_per_note"] is not None else ""
        most = "at most (a bound) " if codes else ""
        rows.append(f"{part:<5} {most}{nats['nats_per_step']:.4f} nats a step{note}{_alone(report['blend'], part)}")
        if codes:
            rows.append(
                "      ELBO {elbo:.4f}; {steps:.1%} of steps and {bars:.1%} of bars are reconstructed, {active:.0%} of "
                "the latent dimensions are active, KL {kl:.1f} nats a window".format(**codes[part])
            )
    return "\n".join(rows)


def _alone(blend: Mapping[str, Any] | None, part: str) -> str:
    """The same of the network and the n-gram alone."""
    if blend is None:
        return ""
    names = {"network": "the network alone", "ngram": "the n-gram alone"}
    if "blend" not in blend:
        del names["network"]  # it is what was chosen
    return "".join(f"; {words} {blend[name][part]['nats_per_step']:.4f}" for name, words in names.items())
