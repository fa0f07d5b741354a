"""Create a study: read the arms, match excerpts, render clips, check for leaks, lay out sessions, write the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.data import ReadOptions, read_folder
from cantilena.errors import InputError, RunError
from cantilena.listening.options import CreateOptions
from cantilena.listening.study.clips import make_clips, random_sets
from cantilena.listening.study.design import Design, make_design, make_sessions
from cantilena.listening.study.excerpts import Excerpt, isochronous_excerpt, phrase_excerpts
from cantilena.listening.study.leaks import Leak, find_leaks, refuse_leaks
from cantilena.listening.study.matching import Exclusion, matched_sets, remove_duplicates, training_melodies
from cantilena.listening.study.study import Study, study_digest, write_study
from cantilena.listening.text import DEFAULT_TEXTS, check_folders
from cantilena.music import Melody
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator

_MAX_FILES = 2000
_SHOWN_EXCLUSIONS = 3


@dataclass(frozen=True)
class CreatedStudy:
    """A study that was written.

    Args:
        study: the study with its digest.
        path: its file.
        design: its numbers.
        leaks: result of the check for leaks; none was found.
        exclusions: files that could not be read, and melodies that are duplicates or training data.
        training: number of melodies in each training corpus.
    """

    study: Study
    path: Path
    design: Design
    leaks: Sequence[Leak]
    exclusions: Sequence[Exclusion]
    training: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the answer of `--json`."""
        return {
            "study": str(self.path),
            "digest": self.study.digest,
            "arms": list(self.design.arms),
            "clips": len(self.study.clips),
            "clips_of_an_arm": self.design.clips,
            "trials_of_an_arm": self.design.clips_per_listener,
            "sessions": len(self.study.sessions),
            "left_out": [asdict(exclusion) for exclusion in self.exclusions],
            "held_against": dict(self.training),
            "checks": dict(self.study.checks),
        }

    def text(self) -> str:
        """Return the answer for a terminal."""
        design = self.design
        lines = [
            f"{self.path}: {counted(design.clips, 'clip')} per arm ({', '.join(design.arms)}), "
            f"{counted(design.listeners, 'session')} of {design.clips_per_listener * len(design.arms)} clips",
            f"digest {self.study.digest}",
        ]
        if self.leaks:
            worst = max(self.leaks, key=lambda leak: leak.auc)
            lines.append(
                f"no leak found; the largest difference is in {worst.by}, for {worst.arm}: area under the ROC "
                f"{worst.auc:.2f} (p = {worst.p:.2g})"
            )
        for arm in dict.fromkeys(exclusion.arm for exclusion in self.exclusions):
            excluded = [exclusion for exclusion in self.exclusions if exclusion.arm == arm]
            lines.append(f"{counted(len(excluded), 'melody')} of {arm} excluded:")
            lines += [f"  {exclusion.file}: {exclusion.reason}" for exclusion in excluded[:_SHOWN_EXCLUSIONS]]
            if len(excluded) > _SHOWN_EXCLUSIONS:
                lines.append(f"  and {len(excluded) - _SHOWN_EXCLUSIONS} more, listed by --json")
        if self.training:
            corpora = listed([f"{name} ({counted(count, 'melody')})" for name, count in self.training.items()])
            lines.append(f"near-duplicates of training melodies were excluded: {corpora}")
        else:
            lines.append("the training data of the models is unknown; exclude its melodies with --against CORPUS")
        lines.append("Record the digest before the first listener: it proves that the study was not changed later.")
        return "\n".join(lines)


def create_study(
    folders: Mapping[str, Path], options: CreateOptions, out: Path, *, force: bool = False
) -> CreatedStudy:
    """Create a study from a folder of scores for each arm, one of which is `human`, and write it to `out`.

    Raises:
        UsageError: the design is not balanced, or two arms have the same folder.
        InputError: there are too few matching melodies, two arms share melodies, or an arm has a leak.
        RunError: the file exists and `force` is off.
    """
    design = make_design(tuple(folders), options)
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    check_folders(folders)
    training = training_melodies(folders.values(), options.against)
    melodies, exclusions = _read_arms(folders, design, options, training)
    excerpts = {arm: _excerpts(some, design, options) for arm, some in melodies.items()}
    _check_enough(excerpts, design, exclusions)
    draw_sets = random_sets if design.isochronous else matched_sets
    sets = draw_sets(excerpts, design.clips, generator(options.seed, "listening"))
    practice = _practice(excerpts, sets, design)
    clips = make_clips(design, sets, practice, options.tempo, generator(options.seed, "clips"))
    leaks = find_leaks(clips.features, generator(options.seed, "leaks"), accepted=options.accept)
    refuse_leaks(leaks, options.accept)
    sessions = make_sessions(
        clips.items, design.clips_per_listener, design.listeners, generator(options.seed, "orders"),
        anchors=clips.anchors, anchors_per_session=design.anchors, repeats=design.repeats, attention=clips.attention,
    )  # fmt: skip
    counts = {name: len(some) for name, some in training.items()}
    study = Study(
        options.title, design.arms, clips.clips, sessions, design.screening, options.margin, options.preset,
        options.seed,
        checks={
            "accepted": sorted(options.accept),
            "found": [leak.to_json() for leak in leaks],
            "left_out": [asdict(exclusion) for exclusion in exclusions],
            "held_against": counts,
        },
        words=dict(DEFAULT_TEXTS),
    )  # fmt: skip
    study = replace(study, digest=study_digest(study))
    write_study(study, clips.files, out, overwrite=force)
    return CreatedStudy(study, out, design, leaks, exclusions, counts)


def _read_arms(
    folders: Mapping[str, Path], design: Design, options: CreateOptions, training: Mapping[str, Sequence[Melody]]
) -> tuple[dict[str, list[Melody]], list[Exclusion]]:
    """Read the melodies of each arm without duplicates."""
    reading = ReadOptions(voice="all" if design.isochronous else "melody", seed=options.seed)
    melodies, unreadable = {}, []
    for arm in design.arms:
        corpus = read_folder(folders[arm], reading, as_is=True, most=_MAX_FILES, once=True)
        melodies[arm] = list(corpus)
        unreadable += [Exclusion(arm, row.file, row.reason) for row in corpus.manifest.skipped]
    kept, duplicates = remove_duplicates(melodies, training)
    return kept, unreadable + duplicates


def _excerpts(melodies: Sequence[Melody], design: Design, options: CreateOptions) -> list[Excerpt]:
    shortest, longest = design.seconds
    if design.isochronous:
        candidates = (isochronous_excerpt(melody, piece, seconds=longest) for piece, melody in enumerate(melodies))
        return [excerpt for excerpt in candidates if excerpt is not None]
    return [
        excerpt
        for piece, melody in enumerate(melodies)
        for excerpt in phrase_excerpts(melody, piece, tempo=options.tempo, shortest=shortest, longest=longest)
    ]


def _check_enough(excerpts: Mapping[str, list[Excerpt]], design: Design, exclusions: Sequence[Exclusion]) -> None:
    what, hint = "long enough", "give more or longer melodies"
    if not design.isochronous:
        what = f"with whole phrases of {design.seconds[0]:g} to {design.seconds[1]:g} seconds"
        hint = "give more melodies, fewer --clips, or another --shortest or --longest"
    for arm, some in excerpts.items():
        pieces = len({excerpt.piece for excerpt in some})
        if pieces < design.clips:
            excluded = [exclusion for exclusion in exclusions if exclusion.arm == arm]
            last = f"; {len(excluded)} were excluded, {excluded[-1].file}: {excluded[-1].reason}" if excluded else ""
            raise InputError(f"{arm} has {counted(pieces, 'melody')} {what}, and {design.clips} are needed{last}", hint)


def _practice(
    excerpts: Mapping[str, list[Excerpt]], sets: Sequence[Mapping[str, Excerpt]], design: Design
) -> list[tuple[str, Excerpt]]:
    """A human clip and one of the last arm, if there are melodies that are not used otherwise."""
    chosen = []
    for arm in (design.arms[0], design.arms[-1]):
        used = {one_set[arm].piece for one_set in sets}
        chosen += [(arm, excerpt) for excerpt in excerpts[arm] if excerpt.piece not in used][:1]
    return chosen
