"""From an evaluation to what its report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import RuleCounts, self_similarity
from cantilena.metrics.registry import words_of
from cantilena.music import Melody
from cantilena.reporting import CopiedPassage, Distribution, Remark, ReportData, SystemMelodies, write_report
from cantilena.reporting.text import listed
from cantilena.runtime import generator, options_record, versions
from cantilena.workflows.evaluate.copied_passages import copied_passages
from cantilena.workflows.evaluate.melodies import write_all
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.methods import METHOD
from cantilena.workflows.evaluate.verdicts import TONES

if TYPE_CHECKING:
    from cantilena.workflows.evaluate.run import Evaluation

REPORT = "report.html"

DRAWN = {
    "cantilena.range": "semitones",
    "cantilena.density": "notes a quarter",
    "cantilena.motion": "",
    "cantilena.syncopation": "",
    "cantilena.rhythm": "bits a note",
    "pitch_class_entropy": "bits",
    "cantilena.motif": "",
    "similarity_2": "",
    "copied_notes": "notes",
}
"""The features whose distributions are drawn, and in what they are counted."""


def write_evaluation(folder: Path, done: Evaluation, results: Mapping[str, Any]) -> None:
    """Write the melodies that the report lets one hear, and the report.

    Args:
        folder: of the run.
        done: what was found.
        results: what `results.json` holds.

    Raises:
        InputError: the disk said no.
    """
    rows = {one.name: _heard(one, done) for one in done.sets}
    melodies = {one.name: [one.tunes[row].melody() for row in rows[one.name]] for one in done.sets}
    write_all([(folder / "melodies" / name, some) for name, some in melodies.items() if some])
    write_report(folder / REPORT, _report_data(done, results, rows, melodies))


def _report_data(
    done: Evaluation,
    results: Mapping[str, Any],
    rows: Mapping[str, Sequence[int]],
    melodies: Mapping[str, Sequence[Melody]],
) -> ReportData:
    judged = done.judged
    hashes = {done.corpus.manifest.name: done.corpus.sha256} | {one.name: one.sha256 for one in done.sets if one.sha256}
    return ReportData(
        results=results,
        melodies=[
            SystemMelodies(one.name, one.description, melodies[one.name], f"melodies/{one.name}") for one in done.sets
        ],
        probabilities=[one.thought for one in done.sets if one.thought is not None],
        corpus={"name": done.corpus.manifest.name, "melodies": len(done.corpus), "notes": done.corpus.notes},
        options={"evaluation": _asked(done), "steps": done.steps},
        seeds={"run": done.options.seed},
        versions=versions(),
        title=f"{listed([one.name for one in done.sets[1:]])} beside people's melodies",
        published=False,
        verdicts=[Remark(one.system, one.text, TONES[one.kind]) for one in done.verdicts],
        differences=judged.differences,
        distributions=distributions(judged.counts),
        similarity=[self_similarity(one.name, one.line, one.contexts) for one in done.sets],
        copies=[passage for one in done.sets for passage in _passages(one, done, rows[one.name])],
        listener=done.listened,
        method=METHOD,
        hashes=hashes,
    )


def _asked(done: Evaluation) -> dict[str, Any]:
    """What was asked, but for what makes no number another."""
    return {name: value for name, value in options_record(done.options).items() if name != "jobs"}


def distributions(counts: Mapping[str, RuleCounts]) -> list[Distribution]:
    """The features that are drawn, of each system, melody by melody.

    Args:
        counts: by system, what was counted in each melody.
    """
    return [
        Distribution(
            metric,
            words_of(metric).label,
            unit,
            {name: _each(some, metric) for name, some in counts.items() if metric in some.counted},
        )
        for metric, unit in DRAWN.items()
        if any(metric in some.counted for some in counts.values())
    ]


def _each(counts: RuleCounts, metric: str) -> NDArray[np.float64]:
    """The number of each melody, NaN where it has none."""
    values = np.full(len(counts.out_of[metric]), np.nan)
    np.divide(counts.counted[metric], counts.out_of[metric], out=values, where=counts.out_of[metric] > 0)
    return values


def _heard(one: MelodySet, done: Evaluation) -> list[int]:
    """Which melodies the report lets one hear: some at random, and the one that copies most."""
    most = min(done.options.heard, len(one))
    if not most:
        return []
    rows = generator(done.options.seed, "heard", one.name).permutation(len(one))[:most].tolist()
    copies = done.judged.copies.get(one.name)
    if copies is not None and len(copies.notes):
        longest = int(np.argmax(copies.notes))
        rows = [longest, *[row for row in rows if row != longest]][:most]
    return sorted(rows)


def _passages(one: MelodySet, done: Evaluation, rows: Sequence[int]) -> list[CopiedPassage]:
    copies = done.judged.copies.get(one.name)
    return copied_passages(one, rows, done.learned, copies, done.judged.bound) if copies is not None else []
