"""Evaluate melodies of any origin beside human melodies: `cantilena.evaluate` and `cantilena evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Unpack

from cantilena.data import Corpus, open_corpus
from cantilena.errors import UsageError, unknown_name_hint
from cantilena.generation import Composer
from cantilena.models import Bundle, find_bundle
from cantilena.reporting import table_text
from cantilena.runtime import log, one_blas_thread, options_record, run_folder, write_json
from cantilena.workflows.evaluate.compare import EvalResults, Evaluator
from cantilena.workflows.evaluate.copying import TrainingMelodies
from cantilena.workflows.evaluate.likelihood import ReferenceModel
from cantilena.workflows.evaluate.matching import Matched
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.options import LIMITS, MAX_STEPS, MIN_STEPS, EvaluateKeywords, EvaluateOptions
from cantilena.workflows.evaluate.report import REPORT, write_evaluation
from cantilena.workflows.evaluate.sources import baseline_set, bundle_set, given_set, reference_set, shuffled_set
from cantilena.workflows.evaluate.systems import HUMAN, Source, SystemSpec, named_systems, parse_systems
from cantilena.workflows.evaluate.verdicts import Verdict, listener_verdict
from cantilena.workflows.learned_corpus import shipped_corpus
from cantilena.workflows.runs import clear_earlier_run

RESULTS = "results.json"

_DEFAULT_CORPUS = "tunes"


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Args:
        corpus: the source of the human melodies, in whose `training` melodies copies are searched.
        steps: of each melody that were compared.
        sets: the human melodies, then those of the systems.
        results: metrics, differences and verdicts.
        two_sample: by system, how well classifiers tell it from human melodies, if asked for.
        matched: in what the human melodies were chosen like those of the systems.
        folder: of the report, if one was written.
    """

    options: EvaluateOptions
    corpus: Corpus
    training: TrainingMelodies
    steps: int
    sets: Sequence[MelodySet]
    results: EvalResults
    two_sample: Mapping[str, Mapping[str, Any]]
    matched: Matched = ()
    folder: Path | None = None

    @property
    def verdicts(self) -> list[Verdict]:
        """The conclusions from the metrics and the classifiers."""
        return [*self.results.verdicts, *(listener_verdict(name, answer) for name, answer in self.two_sample.items())]

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of folders and bundles, by system."""
        return {one.name: one.sha256 for one in self.sets if one.sha256}

    def to_dict(self) -> dict[str, Any]:
        """The content of results.json, which is equal for equal seeds."""
        return {
            "systems": dict(self.results.systems),
            "differences": [one.to_json() for one in self.results.differences],
            "verdicts": [one._asdict() for one in self.verdicts],
            "listener": dict(self.two_sample),
            "obedience": {one.name: dict(one.obedience) for one in self.sets if one.obedience},
            "skipped": {
                one.name: [{"file": row.file, "reason": row.reason} for row in one.skipped] for one in self.sets
            },
            "against": {
                "corpus": self.corpus.manifest.name,
                "sha256": self.corpus.sha256,
                "pieces": len(set(self.training.pieces)),
                "melodies": len(self.training),
                "matched": list(self.matched),
            },
            "steps": self.steps,
        }

    def text(self) -> str:
        """The verdicts, then the table, for a terminal."""
        lines = [f"{one.system}: {one.text}" for one in self.verdicts]
        for one in self.sets:
            if one.obedience:
                lines.append(_obedience_text(one))
            if one.skipped:
                count, first = len(one.skipped), one.skipped[0]
                lines.append(f"{one.name}: {count} files could not be used, such as {first.file}: {first.reason}")
        where = [f"Open {self.folder / REPORT} to hear, see and compare."] if self.folder is not None else []
        return "\n".join([*lines, "", table_text(self.to_dict()), *where])


def _obedience_text(one: MelodySet) -> str:
    """How far a model obeys the forms that it is told."""
    shares = {name: "–" if row["value"] is None else f"{row['value']:.0%}" for name, row in one.obedience.items()}
    return (
        f"{one.name}: told a form, with nothing forbidden, it repeats {shares['literal_notes']} of the notes of "
        f"literal returns, varies {shares['varied_returns']} of varied ones as people do, and ends as told in "
        f"{shares['cadences']} of its melodies"
    )


def evaluate(
    systems: Mapping[str, Source], *, against: str | Path | Corpus = "", **options: Unpack[EvaluateKeywords]
) -> Evaluation:
    """Evaluate systems beside human melodies: rules, diversity, distance to the data, originality.

    Args:
        systems: by name, a sequence of melodies, a `Bundle`, or a path: a folder of scores, a bundle (or its shipped
            name), or a baseline. Melodies named `human` replace those of the corpus.
        against: the corpus of human melodies: an object, a name, a corpus file or a folder of scores. By default the
            training corpus of the first model if that ships, else `tunes`.
        options: fields of `EvaluateOptions`, such as `melodies`, `steps` or `seed`.

    Returns:
        The metrics with 95 % intervals, tested differences and verdicts; `to_dict()` is the content of results.json.

    Raises:
        UsageError: an unknown option or an invalid value; no systems.
        InputError: a path does not exist, or nothing in it can be used.

    Examples:
        >>> from cantilena.music import Melody
        >>> scale = Melody.from_pitches([(60 + step, 12) for step in (0, 2, 4, 5, 7, 9, 11, 12)] * 4)
        >>> evaluation = evaluate({"scales": [scale] * 20}, against="chorales", melodies=20)
        >>> metrics = evaluation.to_dict()["systems"]["scales"]["metrics"]
        >>> metrics["not_in_key"]["value"], metrics["different_melodies"]["value"]
        (0.0, 0.05)
    """
    known = [field.name for field in fields(EvaluateOptions)]
    for name in options:
        if name not in known:
            raise UsageError(f"evaluate has no option '{name}'", unknown_name_hint(name, known, "the options"))
    specs, chosen = named_systems(systems), EvaluateOptions(**options)
    if isinstance(against, str):
        return _evaluate(specs, replace(chosen, against=against))
    return _evaluate(
        specs, chosen, open_corpus(against, chosen.read_options()) if isinstance(against, Path) else against
    )


def run_evaluation(
    words: Sequence[str],
    options: EvaluateOptions,
    folder: Path | None = None,
    *,
    resume: bool = False,
    force: bool = False,
) -> Evaluation:
    """Evaluate the systems `NAME=PATH` or `PATH` of the command line, and write a report to a folder if one is given.

    `resume` starts an interrupted run again, with the same result; `force` replaces another run in the folder.

    Raises:
        UsageError: no systems, or two of one name.
        InputError: a path does not exist, or nothing in it can be used.
        RunError: the folder holds another run.
    """
    specs = parse_systems(words)
    if folder is None:
        return _evaluate(specs, options)
    _check_systems(specs)
    record = {name: value for name, value in options_record(options).items() if name not in LIMITS}
    with run_folder(folder, {"systems": list(words), **record}, resume=resume, force=force) as run:
        clear_earlier_run(run, RESULTS, REPORT, "report.md", "results.csv")
        done = replace(_evaluate(specs, options), folder=folder)
        write_json(folder / RESULTS, done.to_dict())  # first: the numbers shall survive a disk that the sound fills
        write_evaluation(folder, done)
        run.finish(hashes=done.hashes)
        return done


def _check_systems(specs: Sequence[SystemSpec]) -> None:
    if all(spec.name == HUMAN for spec in specs):
        raise UsageError(f"nothing to compare with {HUMAN}", "give a folder, a bundle or a baseline, too")


@one_blas_thread()
def _evaluate(specs: Sequence[SystemSpec], options: EvaluateOptions, corpus: Corpus | None = None) -> Evaluation:
    _check_systems(specs)
    reference_model = _reference_model(specs, options)
    log("Reading")
    sets = {spec.name: given_set(spec, options) for spec in specs if spec.kind in ("folder", "melodies")}
    if corpus is None:
        corpus = open_corpus(options.against or _trained_corpus(specs), options.read_options(jobs=options.jobs))
    steps = options.steps or max(min([MAX_STEPS, *(one.median_length for one in sets.values())]), MIN_STEPS)
    for spec in specs:
        if spec.name not in sets and not spec.is_shuffled:
            log(f"Composing: {spec.name}")
            if spec.kind == "bundle":
                sets[spec.name] = bundle_set(spec, steps, options)
            else:
                sets[spec.name] = baseline_set(spec, corpus, steps, options)
    matched: Matched = ()
    if HUMAN in sets:
        reference = sets[HUMAN]
    else:
        reference, matched = reference_set(corpus, steps, options, list(sets.values()))
    sets |= {spec.name: shuffled_set(spec, reference, options) for spec in specs if spec.is_shuffled}
    systems = [sets[spec.name].truncate(steps) for spec in specs if spec.name != HUMAN]
    reference, training = reference.truncate(steps), TrainingMelodies.from_corpus(corpus)
    results = Evaluator(reference, training, reference_model, options.seed).evaluate(systems)
    two_sample = _two_sample_tests(reference, systems, options) if options.listener else {}
    return Evaluation(options, corpus, training, steps, [reference, *systems], results, two_sample, matched)


def _reference_model(specs: Sequence[SystemSpec], options: EvaluateOptions) -> ReferenceModel | None:
    """The model that is named, or the first one that is evaluated."""
    if options.reference.strip():
        return ReferenceModel(Composer.from_bundle(Bundle.load(find_bundle(options.reference))))
    first = next((spec.bundle for spec in specs if spec.kind == "bundle"), None)
    return ReferenceModel(Composer.from_bundle(first)) if first is not None else None


def _trained_corpus(specs: Sequence[SystemSpec]) -> str:
    """The training corpus of the first bundle whose corpus ships with the package."""
    names = (shipped_corpus(spec.bundle) for spec in specs if spec.kind == "bundle")
    return next(filter(None, names), _DEFAULT_CORPUS)


def _two_sample_tests(
    reference: MelodySet, systems: Sequence[MelodySet], options: EvaluateOptions
) -> dict[str, Mapping[str, Any]]:
    """How well classifiers tell each system from human melodies, whole and by their first bars of 4/4."""
    from cantilena.discriminators import (  # an evaluation without classifiers does not wait for scikit-learn
        TwoSampleOptions,
        two_sample_tests,
    )

    chosen = TwoSampleOptions(seed=options.seed, device=options.device)
    sets = {one.name: (one.line, one.pieces) for one in systems}
    results = two_sample_tests(reference.line, reference.pieces, sets, chosen, jobs=options.jobs)
    return {
        name: {**whole.to_json(), "by_bars": [row.to_json() for row in rows]} for name, (whole, rows) in results.items()
    }
