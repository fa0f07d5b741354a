"""Making a study: read the arms, draw and match, play, look for leaks, lay out sessions, freeze it all in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.corpus import ReadOptions, read_folder
from cantilena.errors import InputError, RunError
from cantilena.evaluation.sentences import counted
from cantilena.listening.clip_making import Made, even_sets, make_clips
from cantilena.listening.design import Design, design
from cantilena.listening.excerpts import Excerpt, evenly, excerpts
from cantilena.listening.leaks import Leak, find_leaks, leaks_record, refuse_leaks
from cantilena.listening.matching import matched_sets
from cantilena.listening.options import CreateOptions
from cantilena.listening.orders import sessions
from cantilena.listening.study import Study
from cantilena.listening.study_file import digest_of, write_study
from cantilena.listening.words import WORDS
from cantilena.runs import generator

_MOST_FILES = 2000


@dataclass(frozen=True)
class Created:
    """A study that was made.

    Args:
        study: with its digest.
        path: of its file.
        design: its numbers.
        leaks: what the check found; nothing leaks.
        unused: files of each arm that could not be read.
    """

    study: Study
    path: Path
    design: Design
    leaks: Sequence[Leak]
    unused: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "study": str(self.path),
            "digest": self.study.digest,
            "arms": list(self.design.arms),
            "clips": len(self.study.clips),
            "clips_of_an_arm": self.design.clips,
            "trials_of_an_arm": self.design.heard,
            "sessions": len(self.study.sessions),
            "unread": dict(self.unused),
            "checks": dict(self.study.checks),
        }

    def text(self) -> str:
        """The answer for a terminal."""
        design = self.design
        worst = max(self.leaks, key=lambda one: one.area, default=None)
        lines = [
            f"{self.path}: {counted(design.clips, 'clip')} of each of {', '.join(design.arms)}; "
            f"{counted(design.listeners, 'session')} of {design.heard * len(design.arms)} clips",
            f"digest {self.study.digest}",
        ]
        if worst is not None:
            lines.append(f"no leak: a machine tells most by {worst.by}, {worst.arm} at an area of {worst.area:.2f}")
        lines += [f"{counted(count, 'file')} of {arm} could not be read" for arm, count in self.unused.items() if count]
        return "\n".join(
            [*lines, "Write down the digest before the first listener: it shows that nothing was changed."]
        )


def create_study(folders: Mapping[str, Path], options: CreateOptions, out: Path, *, force: bool = False) -> Created:
    """Make a study of folders of melodies.

    Args:
        folders: for each arm a folder of scores; one is called `human`.
        options: the design.
        out: the study file.
        force: replace a file that is there.

    Raises:
        UsageError: a design that is not balanced.
        InputError: too few melodies that match, or an arm that is told by what is no music.
        RunError: a file is there and `force` is off.
    """
    plan = design(tuple(folders), options)
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    found, unused = {}, {}
    for arm in plan.arms:
        found[arm], unused[arm] = _excerpts(folders[arm], plan, options)
    rng = generator(options.seed, "listening")
    sets = (even_sets if plan.evenly else matched_sets)(_enough(found, plan), plan.clips, rng)
    made = make_clips(plan, sets, _practice(found, sets, plan), options.tempo, generator(options.seed, "clips"))
    leaks = find_leaks(made.heard, generator(options.seed, "leaks"), accepted=options.accept)
    refuse_leaks(leaks, options.accept)
    study = _study(plan, made, leaks, options)
    write_study(study, made.files, out, overwrite=force)
    return Created(study, out, plan, leaks, unused)


def _excerpts(folder: Path, plan: Design, options: CreateOptions) -> tuple[list[Excerpt], int]:
    """What clips may be cut from, and how many files could not be read."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "give a folder of MIDI files: --arm NAME=DIR")
    reading = ReadOptions(voice="all" if plan.evenly else "melody", seed=options.seed)
    corpus = read_folder(folder, reading, as_is=True, most=_MOST_FILES)
    found: list[Excerpt] = []
    for piece, melody in enumerate(corpus):
        if plan.evenly:
            even = evenly(melody, piece, seconds=plan.seconds[1])
            found += [] if even is None else [even]
        else:
            shortest, longest = plan.seconds
            found += excerpts(melody, piece, tempo=options.tempo, shortest=shortest, longest=longest)
    return found, len(corpus.manifest.skipped)


def _enough(found: Mapping[str, list[Excerpt]], plan: Design) -> Mapping[str, list[Excerpt]]:
    shortest, longest = plan.seconds
    for arm, some in found.items():
        pieces = len({one.piece for one in some})
        if pieces < plan.clips:
            what = "long enough" if plan.evenly else f"with whole phrases of {shortest:g} to {longest:g} seconds"
            raise InputError(
                f"{arm} has {counted(pieces, 'melody')} {what}, and {plan.clips} are needed",
                "give more melodies"
                if plan.evenly
                else "give more melodies, fewer --clips, or another --shortest, --longest",
            )
    return found


def _practice(
    found: Mapping[str, list[Excerpt]], sets: Sequence[Mapping[str, Excerpt]], plan: Design
) -> list[tuple[str, Excerpt]]:
    """A clip of people's and one of the last arm's that nobody hears later, where there is one left."""
    chosen = []
    for arm in (plan.arms[0], plan.arms[-1]):
        used = {one[arm].piece for one in sets}
        chosen += [(arm, excerpt) for excerpt in found[arm] if excerpt.piece not in used][:1]
    return chosen


def _study(plan: Design, made: Made, leaks: Sequence[Leak], options: CreateOptions) -> Study:
    order = sessions(
        made.items, plan.heard, plan.listeners, generator(options.seed, "orders"),
        anchors=made.anchors, anchors_each=plan.anchors_each, repeats=plan.repeats, attention=made.attention,
    )  # fmt: skip
    study = Study(
        options.title, plan.arms, made.clips, order, plan.screening, options.margin, options.preset, options.seed,
        leaks_record(leaks, options.accept), dict(WORDS),
    )  # fmt: skip
    return replace(study, digest=digest_of(study))
