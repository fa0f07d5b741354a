"""`cantilena listen create | rehearse | serve | analyse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags, Positional, Seed
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
    """Make a listening test: draw clips, match them, look for leaks, freeze all in one file.

    The arms are matched in length, key, tempo, pace and register, cut where phrases end, and played by one piano at one
    loudness. A design in which a machine tells an arm by what is no music is refused.

    Args:
        arm: A folder of melodies under a name; once for each arm, one of them human=DIR.
        out: The study file.
        power: Say how many listeners each claim needs, by simulation, and make nothing.
        force: Replace the study that is there.

    Example:
        cantilena listen create --arm human=scores --arm lstm=runs/lstm/midi --arm tuned=runs/tuned/midi --out study.zip
    """
    from cantilena.listening import arm_folders, create_study, design, power_table

    folders = arm_folders(arm)
    if power:
        table = power_table(design(tuple(folders), options), assumed, margin=options.margin, seed=options.seed)
        return Answer(table.to_json(), text=table.text())
    if assumed != PowerOptions():
        raise UsageError("what is assumed of listeners goes with --power", "add --power")
    if out is None:
        raise UsageError("--out must be given", "name the study file: --out study.zip")
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
    """Let simulated listeners answer a study, to see its whole analysis before anybody is asked.

    Their answers say in every row that nobody was asked, and are never counted together with people's.

    Args:
        study: The study file.
        share: How often an arm is called human; once for each arm.
        out: A folder for listeners.csv and answers.csv.
        force: Replace the answers that are there.

    Example:
        cantilena listen rehearse study.zip --share human=0.7 --share lstm=0.2 --share tuned=0.4 --out rehearsal
    """
    from cantilena.listening import Habits, Truth, arm_shares, read_study, rehearse, write_answers

    made = read_study(study)
    truth = Truth(
        arm_shares(share, made.arms), sd_listener=options.spread_of_listeners, sd_clip=options.spread_of_clips
    )
    listeners = len(made.sessions) if options.listeners is None else options.listeners
    answers = rehearse(made, truth, listeners, options.seed, Habits(careless=options.careless))
    write_answers(answers, out, overwrite=force)
    return Answer(
        {"simulated": True, "listeners": listeners, "answers": len(answers.given), "folder": str(out)},
        text=f"{listeners} simulated listeners gave {len(answers.given):,} answers in {out}; nobody was asked",
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
    """Say what listeners' answers allow to claim.

    Args:
        study: The study file.
        answers: A folder with listeners.csv and answers.csv, or an SQLite file with tables of these names.
        out: A folder for the report as HTML, CSV and JSON, with figures.
        seed: Of the resampling.
        force: Replace the report that is there.

    Example:
        cantilena listen analyse study.zip answers.sqlite --out report
    """
    from cantilena.listening import analyse, analysis_text, analysis_values, read_answers, read_study, write_report
    from cantilena.runtime import check_folder

    if out is not None:
        check_folder(out, force=force)
    done = analyse(read_study(study), read_answers(answers), seed)
    value, text = analysis_values(done), analysis_text(done)
    if out is None:
        return Answer(value, text=text)
    files = write_report(done, out, force=force)
    return Answer({**value, "report": str(files["report.html"])}, text=f"{text}\n\nOpen {files['report.html']}")


def serve(study: Positional[Path], options: ServeOptions, *, flags: Flags) -> Answer:
    """Open the page on which people take a listening test.

    Every answer is on the disk before the page moves on. Who closed the page goes on where they were, and so does all
    after the server was killed. It runs on this computer alone unless --host says otherwise, and ends with Ctrl-C.

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
