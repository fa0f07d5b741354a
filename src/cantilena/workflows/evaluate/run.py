"""`evaluate`: melodies from anywhere, judged beside people's; from what was named to the report.

The machine listener, asked of each system: does it tell the system's melodies from people's?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.data import Corpus, open_corpus
from cantilena.discriminators import ListenerOptions, by_length, listen
from cantilena.errors import UsageError
from cantilena.models import Bundle
from cantilena.reporting import table_text
from cantilena.runtime import options_record, run_folder, say, write_json
from cantilena.workflows.evaluate.compare import Judge, Judged
from cantilena.workflows.evaluate.copying import LearnedTunes
from cantilena.workflows.evaluate.likelihood import Reference
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.options import LONGEST, SHORTEST, EvaluateOptions
from cantilena.workflows.evaluate.report import write_evaluation
from cantilena.workflows.evaluate.sources import baseline_set, bundle_set, folder_set, people_set
from cantilena.workflows.evaluate.systems import PEOPLE, Contestant, contestants
from cantilena.workflows.evaluate.verdicts import Verdict, of_listener
from cantilena.workflows.learned_corpus import shipped_corpus
from cantilena.workflows.runs import clear_earlier_run

RESULTS = "results.json"
_FILES = (RESULTS, "report.html", "report.md", "results.csv")
_DEFAULT_CORPUS = "tunes"


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation.

    Args:
        results: what `results.json` holds: systems, differences, verdicts, what they were held beside.
        folder: where the report lies; None where none was asked for.
    """

    results: Mapping[str, Any]
    folder: Path | None

    def text(self) -> str:
        """The verdicts, then the table, for a terminal."""
        said = [f"{one['system']}: {one['text']}" for one in self.results["verdicts"]]
        skipped = [
            f"{name}: {len(rows)} files could not be used, such as {rows[0]['file']}: {rows[0]['reason']}"
            for name, rows in self.results["skipped"].items()
            if rows
        ]
        where = [f"Open {self.folder / 'report.html'} to hear, see and compare."] if self.folder is not None else []
        return "\n".join([*said, *skipped, "", table_text(self.results), *where])


@dataclass(frozen=True)
class Evaluation:
    """What was read and found, before it is told.

    Args:
        options: what was asked.
        corpus: what people's melodies come from, and where copies are looked for.
        learned: its tunes.
        steps: of each melody, judged.
        sets: people's first, then the systems.
        judged: all numbers.
        listened: by system, what the machine listener found; empty where it was not asked.
    """

    options: EvaluateOptions
    corpus: Corpus
    learned: LearnedTunes
    steps: int
    sets: Sequence[MelodySet]
    judged: Judged
    listened: Mapping[str, Mapping[str, Any]]

    @property
    def verdicts(self) -> list[Verdict]:
        """What follows from the numbers, and what the machine listener says."""
        return [*self.judged.verdicts, *(of_listener(name, answer) for name, answer in self.listened.items())]

    def results(self) -> dict[str, Any]:
        """What `results.json` holds: the same for the same seed."""
        return {
            "systems": dict(self.judged.systems),
            "differences": [one.to_json() for one in self.judged.differences],
            "verdicts": [one._asdict() for one in self.verdicts],
            "listener": dict(self.listened),
            "skipped": {
                one.name: [{"file": row.file, "reason": row.reason} for row in one.skipped] for one in self.sets
            },
            "against": {
                "corpus": self.corpus.manifest.name,
                "sha256": self.corpus.sha256,
                "pieces": len(set(self.learned.pieces)),
                "melodies": len(self.learned),
            },
            "steps": self.steps,
        }


def run_evaluation(
    words: Sequence[str],
    options: EvaluateOptions,
    folder: Path | None = None,
    *,
    resume: bool = False,
    force: bool = False,
) -> Evaluated:
    """Evaluate folders, bundles and baselines beside people's melodies.

    Args:
        words: `NAME=PATH` or `PATH` of each.
        options: beside what, how many, how long.
        folder: for the report, the numbers and the melodies; None to answer only.
        resume: go on with an evaluation that was interrupted; it is begun again, to the identical result.
        force: start anew in a folder that holds another run.

    Raises:
        UsageError: two of one name, or nothing named.
        InputError: there is nothing at a path, or nothing in it can be used.
        RunError: the folder is taken.
    """
    found = contestants(words)
    if all(one.name == PEOPLE for one in found):
        raise UsageError(f"nothing to hold beside {PEOPLE}", "name a folder, a bundle or a baseline, too")
    if folder is None:
        return Evaluated(evaluate(found, options).results(), None)
    with run_folder(folder, {"systems": list(words), **options_record(options)}, resume=resume, force=force) as run:
        clear_earlier_run(run, *_FILES)
        done = evaluate(found, options)
        results = done.results()
        write_json(folder / RESULTS, results)  # first: a full disk shall not take the numbers with the sound
        write_evaluation(folder, done, results)
        run.finish(hashes={one.name: one.sha256 for one in done.sets if one.sha256})
        return Evaluated(results, folder)


def evaluate(found: Sequence[Contestant], options: EvaluateOptions) -> Evaluation:
    """Read, draw and judge.

    Args:
        found: who is evaluated.
        options: beside what, how many, how long.
    """
    reference = _reference(found, options)
    say("Reading")
    folders = {one.name: folder_set(one, options) for one in found if one.kind == "folder"}
    corpus = open_corpus(options.against or _corpus_of(found))
    steps = options.steps or max(min([LONGEST, *(one.typical_length for one in folders.values())]), SHORTEST)
    sets = {one.name: folders.get(one.name) or _made(one, corpus, steps, options) for one in found}
    people = sets.pop(PEOPLE, None) or people_set(corpus, steps, options)
    cut = [one.cut(steps) for one in (people, *sets.values())]
    learned = LearnedTunes.of(corpus)
    judged = Judge(cut[0], learned, reference, options.seed).judge(cut[1:])
    listened: Mapping[str, Mapping[str, Any]] = {}
    if options.listener:
        listened = listen_to(cut[0], cut[1:], options)
    return Evaluation(options, corpus, learned, steps, cut, judged, listened)


def _made(one: Contestant, corpus: Corpus, steps: int, options: EvaluateOptions) -> MelodySet:
    say(f"Composing: {one.name}")
    if one.kind == "bundle":
        return bundle_set(one, steps, options)
    return baseline_set(one, corpus, steps, options)


def _corpus_of(found: Sequence[Contestant]) -> str:
    """The corpus that the first bundle learned, where it ships with the package."""
    for one in found:
        if one.kind == "bundle":
            name = shipped_corpus(Bundle.load(Path(one.source)))
            if name:
                return name
    return _DEFAULT_CORPUS


def _reference(found: Sequence[Contestant], options: EvaluateOptions) -> Reference | None:
    if options.reference.strip():
        return Reference.open(options.reference)
    first = next((one.source for one in found if one.kind == "bundle"), None)
    return Reference.open(first) if first is not None else None


_STEPS_PER_BAR = 16
"""Excerpts are cut by bars of 4/4."""


def listen_to(
    people: MelodySet, systems: Sequence[MelodySet], options: EvaluateOptions
) -> dict[str, Mapping[str, Any]]:
    """What the machine listener found of each system, as JSON values; the controls are in it.

    Args:
        people: people's melodies, labelled by piece.
        systems: the others.
        options: seed and device.
    """
    asked = ListenerOptions(seed=options.seed, device=options.device)
    found: dict[str, Mapping[str, Any]] = {}
    for one in systems:
        heard = listen(people.line, people.pieces, one.line, asked, generated_pieces=one.pieces)
        rows = by_length(
            people.line, people.pieces, one.line, _STEPS_PER_BAR, options=asked, generated_pieces=one.pieces
        )
        found[one.name] = {**heard.to_json(), "by_bars": [row.to_json() for row in rows]}
    return found
