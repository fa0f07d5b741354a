"""The report of an evaluation, and the melodies of a run that are written to be played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cantilena.errors import CorpusError, InputError
from cantilena.generation import is_complete, write_melodies
from cantilena.metrics import RuleCounts, self_similarity
from cantilena.metrics.registry import get_metric
from cantilena.music import Melody, Tempo
from cantilena.reporting import Distribution, Remark, ReportData, SystemMelodies, write_report
from cantilena.reporting.text import listed
from cantilena.runtime import Failure, bounded_map, generator, options_record, progress, versions
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import EncodedPieces
from cantilena.workflows.evaluate.copying import copied_passages
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.options import LIMITS
from cantilena.workflows.evaluate.systems import Tokens
from cantilena.workflows.evaluate.verdicts import TONES

if TYPE_CHECKING:
    from cantilena.workflows.evaluate.run import Evaluation

REPORT = "report.html"

SECONDS = 30.0
"""Duration of each melody that is played, as in the paper."""

METHOD = (
    "All melodies are quantised to sixteenths at their own pitch, start at their first barline, and are cut to one "
    "length. Each is measured in its own key and meter. The key of a human excerpt is that of its whole piece; other "
    "melodies have the key that their file states, the key in which their model was tuned, or the key found by the "
    "profile of Krumhansl and Kessler. Human melodies are non-overlapping excerpts of held-out pieces.",
    "Metrics of sets (different melodies, distinct-n, self-BLEU, Vendi) depend on the size of a set, so they are taken "
    "over equally many melodies and notes of every system. Overlaps are taken over half as many melodies as there are "
    "human ones. The human column shows their ceiling: one half of the human pieces compared with the other.",
    "Differences are tested by permutation: whole pieces are assigned at random to two sets of the original sizes, "
    "1,999 times. p is the share of permutations with a difference at least as large, corrected by Holm's method over "
    "all metrics of a pair.",
    "A copy is the longest run of notes that also occurs in the corpus in any key, by intervals and inter-onset times. "
    "The own piece of a human excerpt does not count. A melody copies more than people do if its run is longer than "
    "those of 95 % of the human excerpts.",
)
"""Paragraphs: what was compared, over which sizes, how differences were tested, what a copy is."""

_DRAWN_UNITS = {
    "cantilena.range": "semitones",
    "cantilena.density": "notes per quarter",
    "cantilena.motion": "",
    "cantilena.syncopation": "",
    "cantilena.rhythm": "bits per note",
    "pitch_class_entropy": "bits",
    "cantilena.motif": "",
    "similarity_2": "",
    "copied_notes": "notes",
}
"""The metrics whose distributions are drawn, and their units."""

_TIME_LIMIT, _MEMORY_LIMIT = 3600.0, 4 * 2**30
"""Seconds and bytes of memory for writing the melodies of one system."""


def write_evaluation(folder: Path, done: Evaluation) -> None:
    """Write the melodies that the report plays, and the report."""
    rows = {one.name: _played(one, done) for one in done.sets}
    melodies = {one.name: [one.melodies[row].to_melody() for row in rows[one.name]] for one in done.sets}
    write_melody_sets([(folder / "melodies" / name, some) for name, some in melodies.items() if some])
    results, corpus = done.results, done.corpus
    options = {name: value for name, value in options_record(done.options).items() if name not in ("jobs", *LIMITS)}
    data = ReportData(
        results=done.to_dict(),
        melodies=[
            SystemMelodies(one.name, one.description, melodies[one.name], f"melodies/{one.name}") for one in done.sets
        ],
        probabilities=[one.probabilities for one in done.sets if one.probabilities is not None],
        corpus={"name": corpus.manifest.name, "melodies": len(corpus), "notes": corpus.notes},
        options={"evaluation": options, "steps": done.steps},
        seeds={"run": done.options.seed},
        versions=versions(),
        title=f"{listed([one.name for one in done.sets[1:]])} beside people's melodies",
        published=False,
        verdicts=[Remark(one.system, one.text, TONES[one.kind]) for one in done.verdicts],
        differences=results.differences,
        distributions=distributions(results.counts),
        similarity=[self_similarity(one.name, one.line, one.contexts) for one in done.sets],
        copies=[
            passage
            for one in done.sets
            for passage in copied_passages(
                one, rows[one.name], done.training, results.copies[one.name], results.copy_limit
            )
        ],
        two_sample=done.two_sample,
        method=METHOD,
        hashes={corpus.manifest.name: corpus.sha256} | done.hashes,
    )
    write_report(folder / REPORT, data)


def distributions(counts: Mapping[str, RuleCounts]) -> list[Distribution]:
    """The values of some metrics in each melody, NaN where it has none, from the counts by system."""
    drawn = []
    for metric, unit in _DRAWN_UNITS.items():
        values = {}
        for name, some in counts.items():
            if metric in some.counted:
                counted, out_of = some.counted[metric], some.out_of[metric]
                values[name] = np.full(len(out_of), np.nan)
                np.divide(counted, out_of, out=values[name], where=out_of > 0)
        if values:
            drawn.append(Distribution(metric, get_metric(metric).label, unit, values))
    return drawn


def _played(one: MelodySet, done: Evaluation) -> list[int]:
    """The melodies that the report plays: some at random, and the one with the longest copied run."""
    most = min(done.options.heard, len(one))
    if not most:
        return []
    rows = generator(done.options.seed, "heard", one.name).permutation(len(one))[:most].tolist()
    longest = int(np.argmax(done.results.copies[one.name].notes))
    return sorted([longest, *(row for row in rows if row != longest)][:most])


def decode_all(tokens: Tokens, encoding: Encoding, title: str) -> list[Melody]:
    """Each row of tokens as a melody at 120 quarter notes per minute."""
    melodies = [encoding.decode(row, tempo=Tempo.constant(120)) for row in tokens]
    return [replace(melody, title=f"{title} {number}") for number, melody in enumerate(melodies, start=1)]


def human_melodies(pieces: EncodedPieces, encoding: Encoding, count: int, rng: np.random.Generator) -> list[Melody]:
    """The first thirty seconds of held-out pieces, in the encoding of the models.

    Pieces of that length are drawn at random; if they are too few, shorter ones follow, the longest first.

    Raises:
        CorpusError: there is no piece.
    """
    steps, tokens = listening_steps(encoding), pieces.sequences.tokens
    long = [index for index in rng.permutation(len(pieces)) if len(tokens[index]) >= steps]
    short = sorted(set(range(len(pieces))) - set(long), key=lambda index: -len(tokens[index]))
    chosen = [*long, *short][:count]
    if not chosen:
        raise CorpusError("there is no held-out melody to listen to", "give a larger corpus")
    melodies = []
    for index in chosen:
        piece = pieces.melodies[index]
        melody = encoding.decode(tokens[index][:steps], key=piece.key, meter=piece.meter, tempo=Tempo.constant(120))
        melodies.append(replace(melody, title=piece.title, source=piece.source, pickup=piece.pickup))
    return melodies


def listening_steps(encoding: Encoding) -> int:
    """Steps of a melody that is played: thirty seconds, or the paper's 125 notes and chords without durations."""
    if not encoding.has_rhythm:
        return 125
    return Tempo.constant(120).ticks(SECONDS) // encoding.ticks_per_step


def write_melody_sets(sets: Sequence[tuple[Path, Sequence[Melody]]]) -> None:
    """Write sets of melodies into their folders in parallel; complete folders are left as they are.

    Raises:
        InputError: a file cannot be written, or a melody cannot be engraved.
    """
    missing = [(folder, list(melodies)) for folder, melodies in sets if not is_complete(folder)]
    with progress("Writing melodies", total=len(missing), unit="systems") as bar:
        for number, outcome in bounded_map(_write, missing, seconds=_TIME_LIMIT, memory=_MEMORY_LIMIT):
            if isinstance(outcome, Failure):
                hint = outcome.hint or "check the free space and the permissions of that folder, then --resume"
                raise InputError(f"cannot write {missing[number][0]}: {outcome.reason}", hint)
            bar.advance()


def _write(job: tuple[Path, list[Melody]]) -> None:
    folder, melodies = job
    write_melodies(melodies, folder, force=True, quiet=True)
