"""The paper's experiment, end to end: from a corpus to two sets of melodies, their numbers and the report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.data import Corpus, ReadOptions, corpus_report, open_corpus
from cantilena.errors import CorpusError
from cantilena.generation import SamplingOptions, remove_melodies
from cantilena.reporting import write_report
from cantilena.runtime import RunFolder, generator, log, options_record, run_folder, write_json
from cantilena.workflows.data import Material, events_material, excerpts, grid_material
from cantilena.workflows.evaluate.copying import TrainingMelodies
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.report import human_melodies, listening_steps, write_melody_sets
from cantilena.workflows.evaluate.systems import System, baseline_system, model_system
from cantilena.workflows.reproduce.counting import Counting, LongMelodies, heard_of, people_of, row, vocabulary_of
from cantilena.workflows.reproduce.models import MadeModel, trained_model, tuned_model
from cantilena.workflows.reproduce.options import STEPS, Plan, ReproduceOptions, plan
from cantilena.workflows.reproduce.report import Findings, report_data
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.train.bundling import corpus_facts

REPORT, RESULTS = "report.html", "results.json"
TABLES = ("report.md", "results.csv")
_READING = {"quick": ReadOptions(), "paper": ReadOptions(seconds=30.0)}
"""How a folder of scores is read: whole pieces, or as the paper has it the first thirty seconds of each."""

MODELS = ("lstm", "rnn", "lstm+rl", "lstm-events", "lstm-events+rl")


@dataclass(frozen=True)
class Reproduced:
    """A finished run.

    Args:
        folder: where it lies.
        results: what `results.json` holds.
        seconds: by stage.
    """

    folder: Path
    results: Mapping[str, Any]
    seconds: Mapping[str, float]

    def text(self) -> str:
        """What to do now, for a terminal."""
        took = sum(self.seconds.values())
        return f"Done in {took:.0f} s. Open {self.folder / REPORT} to hear, see and compare the melodies."


@dataclass
class _Stages:
    """The stages of a run with their seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        log(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def reproduce(options: ReproduceOptions, folder: Path, *, resume: bool = False, force: bool = False) -> Reproduced:
    """Run the experiment in a folder.

    Args:
        options: corpus, preset, seed.
        folder: gets `melodies/`, `models/`, `figures/`, `results.json`, `report.html`, `run.json`.
        resume: go on with an interrupted run.
        force: start anew in a folder that holds another run.

    Raises:
        CorpusError: the corpus is too small or cannot be read.
        RunError: the folder is taken.
    """
    with run_folder(folder, options_record(options), resume=resume, force=force) as run:
        _clear(run)
        stages, what = _Stages(), plan(options)
        with stages.stage("Reading the corpus"):
            corpus = open_corpus(options.corpus, _READING[options.preset])
            material = grid_material(corpus)
        about = corpus_facts(corpus)
        with stages.stage("Training the LSTM"):
            lstm = trained_model("lstm", folder, material, what.network, what.training, corpus=about)
        with stages.stage("Training the baselines"):
            rnn = trained_model("rnn", folder, material, what.rnn, what.rnn_training, corpus=about)
            systems = _baselines(material, rnn, options.seed)
        with stages.stage("Tuning the LSTM on rules of music theory"):
            people = people_of(material, corpus, STEPS)
            tuned = tuned_model("lstm+rl", folder, lstm.bundle, what.tuning, excerpts(material.test, STEPS).tokens)
        systems += _networks(material, lstm, tuned, options, what)
        made = {"lstm": lstm, "lstm+rl": tuned, "rnn": rnn}
        if what.with_events:
            with stages.stage("Training and tuning on notes and chords"):
                chord_systems, chord_models = _events(folder, options, what, about)
                made.update(chord_models)
        with stages.stage("Counting"):
            learned = TrainingMelodies.from_corpus(corpus)
            judged = Counting(learned, lstm, options).evaluate(people, systems)
            rows = dict(judged.systems)
            if what.with_events:
                matched_size = min(options.counted, len(people))
                rows.update({s.name: row(s, made["lstm-events"], options, matched_size) for s in chord_systems})
            results = {
                "systems": rows,
                "differences": [one.to_json() for one in judged.differences],
                "verdicts": [one._asdict() for one in judged.verdicts],
            }
            write_json(folder / RESULTS, results)
        with stages.stage("Writing melodies"):
            heard = {
                "human": human_melodies(
                    material.test, material.encoding, options.heard, generator(options.seed, "human")
                )
            }
            heard.update({system.name: heard_of(system, options) for system in systems})
            if what.with_events:
                heard.update({system.name: heard_of(system, options) for system in chord_systems})
            write_melody_sets([(folder / "melodies" / name, melodies) for name, melodies in heard.items()])
        with stages.stage("Writing the report"):
            descriptions = {"human": "held-out melodies, the first thirty seconds"} | {
                system.name: system.description for system in (*systems, *(chord_systems if what.with_events else ()))
            }
            report = corpus_report(
                corpus, vocabulary=vocabulary_of(material), folded=material.folded, rounded=material.rounded
            )
            long = LongMelodies(_long_excerpts(material, corpus), learned)
            findings = Findings(
                judged,
                long.similarity([system for system in systems if system.name in ("lstm", "lstm+rl")]),
                long.passages(
                    {name: melodies for name, melodies in heard.items() if not name.startswith("lstm-events")}
                ),
            )
            data = report_data(
                results,
                findings,
                heard,
                descriptions,
                made,
                material,
                report.to_json() | {"licence": about["licence"], "sha256": about["sha256"]},
                options,
                what,
                stages.seconds,
            )
            write_report(folder / REPORT, data)
        run.finish(seconds=stages.seconds, corpus=about)
        return Reproduced(folder, results, stages.seconds)


def _long_excerpts(material: Material, corpus: Corpus) -> MelodySet | None:
    """Held-out excerpts as long as what is heard; None where no piece is."""
    with suppress(CorpusError):
        return people_of(material, corpus, listening_steps(material.encoding))
    return None


def _clear(run: RunFolder) -> None:
    """Take away what an earlier run left, so that a forced run makes everything anew."""
    models = [f"models/{name}.safetensors" for name in MODELS]
    work = [
        f"work/{name}/{file}" for name in MODELS for file in ("checkpoint.safetensors", "metrics.jsonl", "facts.json")
    ]
    clear_earlier(run, REPORT, RESULTS, *TABLES, *models, *work)
    if not run.resumed:
        for folder in run.path.glob("melodies/*"):
            remove_melodies(folder)


def _baselines(material: Material, rnn: MadeModel, seed: int) -> list[System]:
    oracle, frequent, ngram = (baseline_system(name, material, seed) for name in ("oracle", "random-top10", "ngram"))
    words = "a plain RNN without place in the bar or look-back"
    return [oracle, frequent, model_system("rnn", words, rnn.bundle.model(), material.encoding, seed), ngram]


def _networks(
    material: Material, lstm: MadeModel, tuned: MadeModel, options: ReproduceOptions, what: Plan
) -> list[System]:
    encoding, seed = material.encoding, options.seed
    model = lstm.bundle.model()
    systems = [model_system("lstm", "the LSTM as trained", model, encoding, seed)]
    if what.with_events:
        opening = 8
        primers = np.stack([t[:opening] for t in material.test.sequences.tokens if len(t) >= opening])
        systems.append(
            model_system(
                "lstm-greedy",
                f"the LSTM, always its most probable token, after {opening} steps of a held-out piece",
                model,
                encoding,
                seed,
                sampling=SamplingOptions(greedy=True),
                primers=primers,
            )
        )
    description = f"the LSTM tuned with {what.tuning.algorithm} on the rules of {what.tuning.rules}"
    return [*systems, model_system("lstm+rl", description, tuned.bundle.model(), encoding, seed)]


def _events(
    folder: Path, options: ReproduceOptions, what: Plan, about: Mapping[str, Any]
) -> tuple[list[System], dict[str, MadeModel]]:
    """The paper's section VII: notes and chords without time, as trained and as tuned."""
    corpus = _chords_of(options)
    material = events_material(corpus)
    lstm = trained_model("lstm-events", folder, material, what.network, what.training, corpus=about)
    tuned = tuned_model("lstm-events+rl", folder, lstm.bundle, what.events_tuning)
    seed, encoding = options.seed, material.encoding
    systems = [
        model_system(
            "lstm-events", "the LSTM on notes and chords without time, as trained", lstm.bundle.model(), encoding, seed
        ),
        model_system(
            "lstm-events+rl",
            f"the same, tuned on the rules of {what.events_tuning.rules}",
            tuned.bundle.model(),
            encoding,
            seed,
        ),
    ]
    return systems, {"lstm-events": lstm, "lstm-events+rl": tuned}


def _chords_of(options: ReproduceOptions) -> Corpus:
    """The corpus with all its notes and chords: a folder is read again, anything else is what it is."""
    if Path(options.corpus).is_dir():
        return open_corpus(options.corpus, ReadOptions(voice="all", reading="paper", seconds=30.0))
    return open_corpus(options.corpus)
