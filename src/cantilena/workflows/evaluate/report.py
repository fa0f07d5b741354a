"""From an evaluation to what its report is made of.

How an evaluation measures, in the words of its report.

The melodies of a run that people listen to: thirty seconds each, four files each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, InputError
from cantilena.generation import is_complete, write_melodies
from cantilena.metrics import RuleCounts, self_similarity
from cantilena.metrics.registry import words_of
from cantilena.music import Melody, Tempo
from cantilena.reporting import CopiedPassage, Distribution, Remark, ReportData, SystemMelodies, write_report
from cantilena.reporting.text import listed
from cantilena.runtime import Failure, bounded_map, generator, options_record, progress, versions
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import EncodedPieces
from cantilena.workflows.evaluate.copying import copied_passages
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.systems import Tokens
from cantilena.workflows.evaluate.verdicts import TONES

if TYPE_CHECKING:
    from cantilena.workflows.evaluate.run import Evaluation


METHOD = (
    "All melodies are put on a grid of sixteenths, at their own pitch, from their first barline on, and cut to one "
    "length. Each is judged in its own key and meter: people's excerpts in the key of their whole piece; others in "
    "the key that their file names, that their model was tuned in, or that the profile of their notes tells "
    "(Krumhansl and Kessler). People's melodies are excerpts of pieces that were held out when the corpus was "
    "split, none overlapping another.",
    "Numbers of a set (different melodies, distinct-n, self-BLEU, Vendi) fall or rise with its size: they are taken"
    " of as many melodies and as many notes of every system. Overlaps are taken of as many melodies as the ceiling "
    "can have, half of people's; in people's column stands that ceiling, people's pieces beside other pieces of "
    "people's.",
    "Differences: whole pieces are dealt out anew at random into two sets as large as those compared, 1,999 times; "
    "p is the share of deals that differ as much or more, and Holm's correction makes all numbers of a pair one "
    "family.",
    "Copies: the longest run of notes that the corpus has too, in any key, by intervals and by the times from note "
    "to note. People's own pieces do not count as copies of themselves. A melody copies more than people do if its "
    "run is longer than that of 95 in 100 of people's excerpts.",
)
"""Paragraphs: what was compared, at what size, how differences were tested, what a copy is."""


SECONDS = 30.0
"""Length of each melody, as in the paper."""


def decoded(tokens: Tokens, encoding: Encoding, title: str) -> list[Melody]:
    """Each row of tokens as a melody at 120 quarter notes a minute."""
    melodies = [encoding.decode(row, tempo=Tempo.constant(120)) for row in tokens]
    return [replace(melody, title=f"{title} {number}") for number, melody in enumerate(melodies, start=1)]


def human_melodies(pieces: EncodedPieces, encoding: Encoding, count: int, rng: np.random.Generator) -> list[Melody]:
    """Thirty seconds from the start of held-out pieces, each another, in the encoding as the models see them.

    Pieces that last as long come first; where there are too few, shorter ones follow, the longest first.

    Raises:
        CorpusError: there is none.
    """
    steps = steps_of_melody(encoding)
    order = rng.permutation(len(pieces))
    long = [index for index in order if len(pieces.sequences.tokens[index]) >= steps]
    short = sorted(set(range(len(pieces))) - set(long), key=lambda index: -len(pieces.sequences.tokens[index]))
    chosen = [*long, *short][:count]
    if not chosen:
        raise CorpusError("there is no held-out melody to listen to", "give a larger corpus")
    melodies = []
    for index in chosen:
        piece = pieces.melodies[index]
        heard = encoding.decode(
            pieces.sequences.tokens[index][:steps], key=piece.key, meter=piece.meter, tempo=Tempo.constant(120)
        )
        melodies.append(replace(heard, title=piece.title, source=piece.source, pickup=piece.pickup))
    return melodies


def steps_of_melody(encoding: Encoding) -> int:
    """Tokens of a melody to listen to: thirty seconds on the grid, the paper's 125 notes and chords without time."""
    if not encoding.tells_time:
        return 125
    return Tempo.constant(120).ticks(SECONDS) // encoding.step_ticks


def write_all(sets: Sequence[tuple[Path, Sequence[Melody]]]) -> None:
    """Write sets of melodies into their folders, several at once; complete folders are left as they are.

    Raises:
        InputError: the disk said no, or a melody cannot be written.
    """
    missing = [(folder, list(melodies)) for folder, melodies in sets if not is_complete(folder)]
    with progress("Writing melodies", total=len(missing), unit="systems") as bar:
        for number, outcome in bounded_map(_write, missing, seconds=_TIME_LIMIT, memory=_MEMORY_LIMIT):
            if isinstance(outcome, Failure):
                raise InputError(f"cannot write {missing[number][0]}: {outcome.reason}", outcome.hint or _DISK_HINT)
            bar.advance()


_TIME_LIMIT = 3600.0
"""Seconds that one system's melodies may take."""

_MEMORY_LIMIT = 4 * 2**30
"""Bytes that writing one system's melodies may take."""

_DISK_HINT = "check the free space and the rights of that folder, then --resume"


def _write(job: tuple[Path, list[Melody]]) -> None:
    folder, melodies = job
    write_melodies(melodies, folder, force=True, quiet=True)


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
