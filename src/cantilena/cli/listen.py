"""`cantilena listen create | rehearse | serve | analyse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional, Seed
from cantilena.errors import UsageError
from cantilena.listening import CreateOptions, PowerOptions, RehearseOptions, ServeOptions


def create(
    options: CreateOptions,
    assumed: PowerOptions,
    *,
    arm: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=DIR")],
    out: Path | None = None,
    power: bool = False,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Create a listening test from folders of melodies, and write it to one file.

    The clips of the arms are matched in length, key, tempo, pace and register, cut at phrase boundaries, and played by
    the same piano at the same loudness. The command fails if a classifier can tell an arm from human clips by
    properties that are not musical.

    Args:
        arm: A name and a folder of melodies; once for each arm, one of them human=DIR.
        out: The study file.
        power: Find the required number of listeners by simulation, and create nothing.
        force: Replace an existing study.

    Example:
        cantilena listen create --arm human=scores --arm lstm=runs/lstm/midi --arm tuned=runs/tuned/midi --out study.zip
    """
    from cantilena.listening import arm_folders, create_study, make_design, power_table

    folders = arm_folders(arm)
    if power:
        table = power_table(make_design(tuple(folders), options), assumed, margin=options.margin, seed=options.seed)
        return Answer(table.to_json(), text=table.text())
    if assumed != PowerOptions():
        raise UsageError("assumptions of a power analysis are given without --power", "add --power, or omit them")
    if out is None:
        raise UsageError("--out is missing", "give the study file: --out study.zip")
    created = create_study(folders, options, out, force=force)
    return Answer(created.to_json(), text=created.text())


def rehearse(
    study: Positional[Path],
    options: RehearseOptions,
    *,
    share: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=SHARE")],
    out: Path,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Simulate the answers to a study, to check its analysis before the first listener.

    The answers are marked as simulated in every row, and are never analysed together with those of human listeners.

    Args:
        study: The study file.
        share: The share of an arm's clips that are called human; once for each arm.
        out: A folder for listeners.csv and answers.csv.
        force: Replace existing answers.

    Example:
        cantilena listen rehearse study.zip --share human=0.7 --share lstm=0.2 --share tuned=0.4 --out rehearsal
    """
    from cantilena.listening import ListenerModel, arm_shares, read_study, rehearse, write_answers

    read = read_study(study)
    model = ListenerModel(
        arm_shares(share, read.arms), sd_listener=options.spread_of_listeners, sd_clip=options.spread_of_clips
    )
    listeners = len(read.sessions) if options.listeners is None else options.listeners
    tables = rehearse(read, model, listeners, options.seed, careless=options.careless)
    write_answers(tables, out, overwrite=force)
    return Answer(
        {"simulated": True, "listeners": listeners, "answers": len(tables.answers), "folder": str(out)},
        text=f"{listeners} simulated listeners gave {len(tables.answers):,} answers, in {out}; nobody was asked",
    )


def analyse(
    study: Positional[Path],
    answers: Positional[Path],
    *,
    out: Path | None = None,
    seed: Seed = 1,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Analyse the answers to a study.

    Args:
        study: The study file.
        answers: A folder with listeners.csv and answers.csv, or an SQLite file with tables of these names.
        out: A folder for the report as HTML, CSV and JSON, with figures.
        seed: Random seed of the bootstrap.
        force: Replace an existing report.

    Example:
        cantilena listen analyse study.zip answers.sqlite --out report
    """
    from cantilena.listening import analyse, analysis_json, analysis_text, read_answers, read_study, write_report
    from cantilena.runtime import check_folder

    if out is not None:
        check_folder(out, force=force)
    analysis = analyse(read_study(study), read_answers(answers), seed)
    value, text = analysis_json(analysis), analysis_text(analysis)
    if out is None:
        return Answer(value, text=text)
    report = write_report(analysis, out, force=force)["report.html"]
    return Answer({**value, "report": str(report)}, text=f"{text}\n\nOpen {report}")


def serve(study: Positional[Path], options: ServeOptions, *, flags: Flags) -> Answer:
    """Serve a study to listeners in a browser.

    Every answer is on disk before the page continues, so listeners can close the page and the server can be restarted
    at any time. Other computers can reach the page only with --host and --allow-host. Press Ctrl-C to stop.

    Args:
        study: The study file.

    Example:
        cantilena listen serve study.zip --host 0.0.0.0 --allow-host music.local
    """
    from cantilena.listening import serve

    answers = serve(study, options)
    return Answer(
        {"closed": True, "answers": str(answers)},
        text=f"The listening test is closed; the answers are in {answers}",
    )
