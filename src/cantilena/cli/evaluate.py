"""`cantilena evaluate`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags, Positional, Resume, StartAnew
from cantilena.errors import UsageError
from cantilena.workflows import EvaluateOptions


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
    """Measure melodies beside people's: rules, diversity, distance to the data, originality.

    Every number comes with its 95 % interval and beside people's; differences are tested, and what collapsed, copies or
    is unlike people's melodies is said in a sentence.

    Args:
        systems: Folders of MIDI files, also by other programs; bundles; baselines: oracle, random-top10, ngram,
            shuffled. NAME=PATH names one; a folder named human stands in for people's melodies.
        likelihood: Tell how well bundles predict the pieces of --test instead, in nats a step and a note.
        test: A folder of held-out scores, taken as it is, for --likelihood.
        styles: Tell how well a machine listener, which learned styles from people's melodies, hears the style that one
            bundle was told, instead; beside chance, people's own melodies, and melodies that were told none.
        styles_by: What told the styles, for --styles, where the bundle does not say or the file has moved: collection,
            composer, or a clusters.json.
        out: A folder for report.html, report.md, results.csv, results.json and the melodies.

    Example:
        cantilena evaluate lstm=runs/lstm tuned=runs/tuned others/midi ngram --against tunes --out runs/compared
    """
    if styles:
        if likelihood or test is not None:
            raise UsageError("--styles with --likelihood or --test", "ask for one at a time")
        return _styles(systems, options, styles_by, out, resume=resume, force=force)
    if styles_by.strip():
        raise UsageError("--styles-by goes with --styles", "add --styles")
    if likelihood:
        if out is not None or resume or force or options != EvaluateOptions(seed=options.seed, device=options.device):
            raise UsageError("--likelihood takes bundles and --test alone", "leave out the flags of the other numbers")
        return _likelihood(systems, test, options)
    if test is not None:
        raise UsageError("--test goes with --likelihood", "add --likelihood, or name people's melodies with --against")
    _check_folder(out, asked=resume or force)
    from cantilena.workflows import run_evaluation

    done = run_evaluation(systems, options, out, resume=resume, force=force)
    return Answer(dict(done.results), text=done.text())


def _likelihood(bundles: tuple[str, ...], test: Path | None, options: EvaluateOptions) -> Answer:
    if test is None:
        raise UsageError("--test must be given with --likelihood", "name a folder of held-out scores")
    from cantilena.workflows import measure_likelihoods

    measured = measure_likelihoods(bundles, test, seed=options.seed, device=options.device)
    return Answer(measured.to_json(), text=measured.text())


def _styles(
    bundles: tuple[str, ...],
    options: EvaluateOptions,
    styles_by: str,
    out: Path | None,
    *,
    resume: bool,
    force: bool,
) -> Answer:
    _check_folder(out, asked=resume or force)
    from cantilena.workflows import HeardStylesOptions, run_heard_styles

    asked = HeardStylesOptions.of(options, styles_by)
    done = run_heard_styles(bundles, asked, out, resume=resume, force=force)
    return Answer(done.to_json(), text=done.text())


def _check_folder(out: Path | None, *, asked: bool) -> None:
    if out is None and asked:
        raise UsageError("--resume and --force go with --out", "name the folder of the report with --out")
