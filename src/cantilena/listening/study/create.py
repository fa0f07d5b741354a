"""Making a study: read the arms, draw and match, play, look for leaks, lay out sessions, freeze it all in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.data import Corpus, ReadOptions, read_folder
from cantilena.errors import InputError, RunError
from cantilena.listening.options import CreateOptions
from cantilena.listening.study.clips import Made, even_sets, make_clips
from cantilena.listening.study.design import Design, design, sessions
from cantilena.listening.study.excerpts import Excerpt, evenly, excerpts
from cantilena.listening.study.leaks import Leak, find_leaks, leaks_record, refuse_leaks
from cantilena.listening.study.matching import LeftOut, learned_melodies, matched_sets, without_copies
from cantilena.listening.study.study import Study, digest_of, write_study
from cantilena.listening.text import WORDS, check_folders
from cantilena.music import Melody
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator

_MOST_FILES = 2000
_MOST_ROWS = 3


@dataclass(frozen=True)
class Created:
    """A study that was made.

    Args:
        study: with its digest.
        path: of its file.
        design: its numbers.
        leaks: what the check found; nothing leaks.
        left_out: files that could not be read, and melodies that stand in the study already or were learned from.
        against: how many melodies models may have learned from, by the name of the corpus.
    """

    study: Study
    path: Path
    design: Design
    leaks: Sequence[Leak]
    left_out: Sequence[LeftOut]
    against: Mapping[str, int]

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
            "left_out": [asdict(row) for row in self.left_out],
            "held_against": dict(self.against),
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
            lines.append(
                f"no leak was found: a machine tells most by {worst.by}, {worst.arm} at an area of {worst.area:.2f} "
                f"(p = {worst.p:.2g})"
            )
        lines += _rows_in_words(self.left_out)
        if self.against:
            held = listed([f"{name} ({counted(count, 'melody')})" for name, count in self.against.items()])
            lines.append(f"no clip is almost the same as what models may have learned from: {held}")
        else:
            lines.append("what the models learned from is not known: --against CORPUS leaves out melodies of it")
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
        UsageError: a design that is not balanced, or one folder for two arms.
        InputError: too few melodies that match, the same in two arms, or an arm that is told by what is no music.
        RunError: a file is there and `force` is off.
    """
    plan = design(tuple(folders), options)
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    check_folders(folders)
    learned = learned_melodies(folders.values(), options.against)
    read = {arm: _read(folders[arm], plan, options) for arm in plan.arms}
    melodies, copies = without_copies({arm: list(corpus) for arm, corpus in read.items()}, learned)
    left_out = [
        *(LeftOut(arm, row.file, row.reason) for arm, corpus in read.items() for row in corpus.manifest.skipped),
        *copies,
    ]
    found = {arm: _excerpts(some, plan, options) for arm, some in melodies.items()}
    rng = generator(options.seed, "listening")
    sets = (even_sets if plan.evenly else matched_sets)(_enough(found, plan, left_out), plan.clips, rng)
    made = make_clips(plan, sets, _practice(found, sets, plan), options.tempo, generator(options.seed, "clips"))
    leaks = find_leaks(made.heard, generator(options.seed, "leaks"), accepted=options.accept)
    refuse_leaks(leaks, options.accept)
    against = {name: len(some) for name, some in learned.items()}
    checks = {
        **leaks_record(leaks, options.accept),
        "left_out": [asdict(row) for row in left_out],
        "held_against": against,
    }
    study = _study(plan, made, checks, options)
    write_study(study, made.files, out, overwrite=force)
    return Created(study, out, plan, leaks, left_out, against)


def _read(folder: Path, plan: Design, options: CreateOptions) -> Corpus:
    reading = ReadOptions(voice="all" if plan.evenly else "melody", seed=options.seed)
    return read_folder(folder, reading, as_is=True, most=_MOST_FILES, once=True)


def _excerpts(melodies: Sequence[Melody], plan: Design, options: CreateOptions) -> list[Excerpt]:
    """What clips may be cut from."""
    found: list[Excerpt] = []
    for piece, melody in enumerate(melodies):
        if plan.evenly:
            even = evenly(melody, piece, seconds=plan.seconds[1])
            found += [] if even is None else [even]
        else:
            shortest, longest = plan.seconds
            found += excerpts(melody, piece, tempo=options.tempo, shortest=shortest, longest=longest)
    return found


def _enough(
    found: Mapping[str, list[Excerpt]], plan: Design, left_out: Sequence[LeftOut]
) -> Mapping[str, list[Excerpt]]:
    shortest, longest = plan.seconds
    for arm, some in found.items():
        pieces = len({one.piece for one in some})
        if pieces < plan.clips:
            what = "long enough" if plan.evenly else f"with whole phrases of {shortest:g} to {longest:g} seconds"
            rows = [row for row in left_out if row.arm == arm]
            because = f"; {len(rows)} were left out, {rows[-1].file}: {rows[-1].reason}" if rows else ""
            raise InputError(
                f"{arm} has {counted(pieces, 'melody')} {what}, and {plan.clips} are needed{because}",
                "give more melodies"
                if plan.evenly
                else "give more melodies, fewer --clips, or another --shortest, --longest",
            )
    return found


def _rows_in_words(rows: Sequence[LeftOut]) -> list[str]:
    """How many files or melodies of each arm are not in the study, and why the first of them are not."""
    lines = []
    for arm in dict.fromkeys(row.arm for row in rows):
        some = [row for row in rows if row.arm == arm]
        shown = [f"  {row.file}: {row.reason}" for row in some[:_MOST_ROWS]]
        more = [f"  .. and {len(some) - _MOST_ROWS} more; --json has them all"] if len(some) > _MOST_ROWS else []
        lines += [f"{counted(len(some), 'melody')} of {arm} left out:", *shown, *more]
    return lines


def _practice(
    found: Mapping[str, list[Excerpt]], sets: Sequence[Mapping[str, Excerpt]], plan: Design
) -> list[tuple[str, Excerpt]]:
    """A clip of people's and one of the last arm's that nobody hears later, where there is one left."""
    chosen = []
    for arm in (plan.arms[0], plan.arms[-1]):
        used = {one[arm].piece for one in sets}
        chosen += [(arm, excerpt) for excerpt in found[arm] if excerpt.piece not in used][:1]
    return chosen


def _study(plan: Design, made: Made, checks: Mapping[str, Any], options: CreateOptions) -> Study:
    order = sessions(
        made.items, plan.heard, plan.listeners, generator(options.seed, "orders"),
        anchors=made.anchors, anchors_each=plan.anchors_each, repeats=plan.repeats, attention=made.attention,
    )  # fmt: skip
    study = Study(
        options.title, plan.arms, made.clips, order, plan.screening, options.margin, options.preset, options.seed,
        checks, dict(WORDS),
    )  # fmt: skip
    return replace(study, digest=digest_of(study))
