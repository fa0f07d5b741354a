"""`reproduce`: the paper's experiment, from a corpus to two sets of melodies, their numbers and the report.

Models are made once: a finished one is read from its bundle, an interrupted one is resumed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, ReadOptions, corpus_report, is_builtin, open_corpus
from cantilena.errors import CorpusError
from cantilena.generation import SamplingOptions, remove_melodies
from cantilena.models import Bundle, NetworkOptions
from cantilena.music import Melody
from cantilena.reporting import write_report
from cantilena.rl import PeoplesNotes, TuningOptions, tune
from cantilena.runtime import RunFolder, generator, log, options_record, read_json, run_folder, write_json
from cantilena.training import TrainingOptions
from cantilena.workflows.data import EncodedCorpus, encode_as_events, encode_on_grid, excerpts
from cantilena.workflows.evaluate.copying import TrainingMelodies
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.report import decode_all, human_melodies, listening_steps, write_melody_sets
from cantilena.workflows.evaluate.systems import System, baseline_system, model_system
from cantilena.workflows.reproduce.counting import (
    held_out_set,
    measure_events,
    measure_systems,
    passages_of,
    similarity_of,
)
from cantilena.workflows.reproduce.options import STEPS, Plan, ReproduceOptions, plan
from cantilena.workflows.reproduce.report import Findings, report_data
from cantilena.workflows.reproduce.shipped import HEARD, shipped_systems
from cantilena.workflows.runs import TrainedModel, clear_earlier_run
from cantilena.workflows.train.bundling import corpus_facts
from cantilena.workflows.train.run import learn_network

REPORT, RESULTS = "report.html", "results.json"
TABLES = ("report.md", "results.csv")
MODELS = ("lstm", "rnn", "lstm+rl", "lstm-events", "lstm-events+rl")
_READING = {"quick": ReadOptions(), "paper": ReadOptions(seconds=30.0)}
"""How a folder of scores is read: whole pieces, or as in the paper the first thirty seconds of each."""
_PRIMER = 8
"""Steps of a held-out piece that the greedy LSTM continues."""

Systems = dict[str, System]
Models = dict[str, TrainedModel]


@dataclass(frozen=True)
class Reproduced:
    """A finished run."""

    folder: Path
    results: Mapping[str, Any]
    seconds: Mapping[str, float]

    def text(self) -> str:
        """The next step, for a terminal."""
        total = sum(self.seconds.values())
        return f"Done in {total:.0f} s. Open {self.folder / REPORT} to hear, see and compare the melodies."


def reproduce(options: ReproduceOptions, folder: Path, *, resume: bool = False, force: bool = False) -> Reproduced:
    """Run the experiment in a folder.

    Args:
        options: corpus, preset, seed.
        folder: gets `melodies/`, `models/`, `figures/`, `results.json`, `report.html`, `run.json`.
        resume: resume an interrupted run.
        force: start over in a folder that holds another run.

    Raises:
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder holds another run.
    """
    with ExitStack() as stack:
        run = stack.enter_context(run_folder(folder, options_record(options), resume=resume, force=force))
        _clear(run)
        settings = plan(options)
        seconds: dict[str, float] = {}
        stage = partial(_stage, seconds)
        with stage("Reading the corpus"):
            corpus = open_corpus(options.corpus, _READING[options.preset])
            data, facts = encode_on_grid(corpus), corpus_facts(corpus)
            people = held_out_set(data, corpus, STEPS)
        learned_by_shipped = is_builtin(str(facts["name"]), str(facts["sha256"]))
        shipped = stack.enter_context(shipped_systems(options)) if learned_by_shipped else {}
        systems, models = _on_grid(folder, options, settings, data, facts, stage)
        events: Systems = {}
        if settings.with_events:
            with stage("Training and tuning on notes and chords"):
                events, event_models = _on_events(folder, options, settings, facts)
                models |= event_models
        with stage("Counting"):
            learned = TrainingMelodies.from_corpus(corpus)
            judged = measure_systems(people, [*systems.values()], learned, models["lstm"].bundle, options)
            if shipped:  # measured apart, so that the numbers of the others, which depend on the smallest set, stay
                beside = measure_systems(people, [*shipped.values()], learned, models["lstm"].bundle, options)
                judged = judged.joined(beside)
            rows = dict(judged.systems)
            for name, system in events.items():
                matched_size = min(options.counted, len(people))
                rows[name] = measure_events(system, models["lstm-events"].bundle, options, matched_size)
            results = {
                "systems": rows,
                "differences": [one.to_json() for one in judged.differences],
                "verdicts": [one._asdict() for one in judged.verdicts],
            }
            write_json(folder / RESULTS, results)
        everything = systems | shipped | events
        with stage("Writing melodies"):
            rng = generator(options.seed, "human")
            heard = {"human": human_melodies(data.test, data.encoding, options.heard, rng)}
            heard |= {name: _melodies_of(system, options.heard) for name, system in everything.items()}
            write_melody_sets([(folder / "melodies" / name, melodies) for name, melodies in heard.items()])
        with stage("Writing the report"):
            words = {"human": "held-out melodies, the first thirty seconds"}
            words |= {name: system.description for name, system in everything.items()}
            long = _long_excerpts(data, corpus)
            on_grid = {name: melodies for name, melodies in heard.items() if name not in events}
            findings = Findings(
                results=results,
                judged=judged,
                heard=heard,
                descriptions=words,
                models=models,
                similarity=similarity_of(long, [systems[name] for name in ("lstm", "lstm+rl")]),
                copies=passages_of(on_grid, long, learned),
                corpus=_about(corpus, data) | {"licence": facts["licence"], "sha256": facts["sha256"]},
            )
            write_report(folder / REPORT, report_data(findings, options, settings, seconds))
        run.finish(seconds=seconds, corpus=facts)
        return Reproduced(folder, results, seconds)


@contextmanager
def _stage(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Announce a stage of the run, and note how long it takes."""
    log(name)
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def _clear(run: RunFolder) -> None:
    """Remove what an earlier run left, so that a forced run makes everything anew."""
    models = [f"models/{name}.safetensors" for name in MODELS]
    work = [
        f"work/{name}/{file}" for name in MODELS for file in ("checkpoint.safetensors", "metrics.jsonl", "facts.json")
    ]
    clear_earlier_run(run, REPORT, RESULTS, *TABLES, *models, *work)
    if not run.resumed:
        for folder in run.path.glob("melodies/*"):
            remove_melodies(folder)


def _on_grid(
    folder: Path,
    options: ReproduceOptions,
    settings: Plan,
    data: EncodedCorpus,
    facts: Mapping[str, Any],
    stage: Callable[[str], AbstractContextManager[None]],
) -> tuple[Systems, Models]:
    """The paper's section VIII and its baselines: melodies on the grid, as trained and as tuned."""
    seed, encoding = options.seed, data.encoding
    with stage("Training the LSTM"):
        lstm = trained_model("lstm", folder, data, settings.network, settings.training, corpus=facts)
    with stage("Training the baselines"):
        rnn = trained_model("rnn", folder, data, settings.rnn, settings.rnn_training, corpus=facts)
        oracle, frequent, ngram = (baseline_system(name, data, seed) for name in ("oracle", "random-top10", "ngram"))
        words = "a plain RNN without place in the bar or look-back"
        systems = [oracle, frequent, model_system("rnn", words, rnn.bundle.model(), encoding, seed), ngram]
    with stage("Tuning the LSTM on rules of music theory"):
        people = excerpts(data.test, STEPS).tokens
        tuned = tuned_model("lstm+rl", folder, lstm.bundle, settings.tuning, people)
    model = lstm.bundle.model()
    systems.append(model_system("lstm", "the LSTM as trained", model, encoding, seed))
    if settings.with_events:
        words = f"the LSTM, always its most probable token, after {_PRIMER} steps of a held-out piece"
        primers = np.stack([t[:_PRIMER] for t in data.test.sequences.tokens if len(t) >= _PRIMER])
        greedy = SamplingOptions(greedy=True)
        systems.append(model_system("lstm-greedy", words, model, encoding, seed, sampling=greedy, primers=primers))
    words = f"the LSTM tuned with {settings.tuning.algorithm} on the rules of {settings.tuning.rules}"
    systems.append(model_system("lstm+rl", words, tuned.bundle.model(), encoding, seed))
    return {system.name: system for system in systems}, {"lstm": lstm, "lstm+rl": tuned, "rnn": rnn}


def _on_events(
    folder: Path, options: ReproduceOptions, settings: Plan, facts: Mapping[str, Any]
) -> tuple[Systems, Models]:
    """The paper's section VII: notes and chords without time, as trained and as tuned."""
    reading = ReadOptions(voice="all", reading="paper", seconds=30.0)
    corpus = open_corpus(options.corpus, reading) if Path(options.corpus).is_dir() else open_corpus(options.corpus)
    data, tuning = encode_as_events(corpus), settings.events_tuning
    trained = trained_model("lstm-events", folder, data, settings.network, settings.training, corpus=facts)
    models = {"lstm-events": trained, "lstm-events+rl": tuned_model("lstm-events+rl", folder, trained.bundle, tuning)}
    words = {
        "lstm-events": "the LSTM on notes and chords without time, as trained",
        "lstm-events+rl": f"the same, tuned on the rules of {tuning.rules}",
    }
    systems = {
        name: model_system(name, words[name], model.bundle.model(), data.encoding, options.seed)
        for name, model in models.items()
    }
    return systems, models


def _melodies_of(system: System, count: int) -> list[Melody]:
    """The melodies of a system to listen to."""
    tokens = system.draw(count, listening_steps(system.encoding), HEARD)
    return decode_all(tokens, system.encoding, system.name)


def _long_excerpts(data: EncodedCorpus, corpus: Corpus) -> MelodySet | None:
    """Held-out excerpts as long as the melodies to listen to; None if no piece is."""
    with suppress(CorpusError):
        return held_out_set(data, corpus, listening_steps(data.encoding))
    return None


def _about(corpus: Corpus, data: EncodedCorpus) -> dict[str, Any]:
    """The report of the corpus, as JSON values."""
    tokens = [row for part in (data.train, data.valid, data.test) for row in part.sequences.tokens]
    vocabulary = len(np.unique(np.concatenate(tokens)))
    return corpus_report(corpus, vocabulary=vocabulary, folded=data.folded, rounded=data.rounded).to_json()


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
    name: str,
    folder: Path,
    untuned: Bundle,
    options: TuningOptions,
    human: NDArray[np.int64] | None = None,
    people: PeoplesNotes | None = None,
) -> TrainedModel:
    """Tune a model, or read it if it was tuned before; `human` and `people` are as for `tune`."""

    def tune_in(work: Path) -> tuple[Bundle, dict[str, Any]]:
        tuned = tune(untuned, options, human=human, people=people, folder=work, resume=True)
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
