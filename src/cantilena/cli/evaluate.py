"""`cantilena evaluate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional, Resume, StartAnew
from cantilena.errors import UsageError
from cantilena.workflows import EvaluateOptions

_OF_LIKELIHOOD = ("seed", "device", "time_limit", "memory_limit")
"""The options that apply to --likelihood."""


def run(
    systems: Positional[tuple[str, ...]],
    options: EvaluateOptions,
    *,
    likelihood: bool = False,
    test: Path | None = None,
    styles: bool = False,
    styles_by: str = "",
    out: Path | None = None,
    resume: Resume = False,
    force: StartAnew = False,
    flags: Flags,
) -> Answer:
    """Compare melodies with human ones: rules, diversity, distance to the data, originality.

    Every metric has a 95 % interval. Differences are tested, and collapse, copying and differences from human melodies
    are reported in sentences.

    Args:
        systems: Folders of MIDI files, also by other programs; bundles; baselines: oracle, random-top10, ngram,
            shuffled. NAME=PATH gives a name; a folder named human replaces the human melodies of the corpus.
        likelihood: Instead, measure the likelihood of the pieces of --test under bundles, in nats per step and note.
        test: A folder of held-out scores for --likelihood, taken as it is.
        styles: Instead, measure how well a classifier trained on human melodies recognises the style that one bundle
            was given, beside chance, human melodies, and melodies of no given style.
        styles_by: The source of the styles for --styles, if the bundle does not record it or the file has moved:
            collection, composer, or a clusters.json.
        out: A folder for report.html, report.md, results.csv, results.json and the melodies.

    Example:
        cantilena evaluate lstm=runs/lstm tuned=runs/tuned others/midi ngram --against tunes --out runs/compared
    """
    if styles and (likelihood or test is not None):
        raise UsageError("--styles cannot be combined with --likelihood or --test", "give one of them at a time")
    if styles_by.strip() and not styles:
        raise UsageError("--styles-by requires --styles", "add --styles")
    if likelihood:
        if (
            out is not None
            or resume
            or force
            or replace(EvaluateOptions(), **{name: getattr(options, name) for name in _OF_LIKELIHOOD}) != options
        ):
            raise UsageError("--likelihood takes bundles and --test alone", "leave out the other flags")
        if test is None:
            raise UsageError("--likelihood requires --test", "give a folder of held-out scores")
        from cantilena.workflows import measure_likelihoods

        measured = measure_likelihoods(systems, test, seed=options.seed, device=options.device, limits=options)
        return Answer(measured.to_json(), text=measured.text())
    if test is not None:
        raise UsageError("--test requires --likelihood", "add --likelihood, or give human melodies with --against")
    if out is None and (resume or force):
        raise UsageError("--resume and --force require --out", "give the folder of the report with --out")
    if styles:
        from cantilena.workflows import run_style_probe

        probe = run_style_probe(systems, options, out, styles_by=styles_by, resume=resume, force=force)
        return Answer(probe.to_json(), text=probe.text())
    from cantilena.workflows import run_evaluation

    done = run_evaluation(systems, options, out, resume=resume, force=force)
    return Answer(done.to_dict(), text=done.text())
