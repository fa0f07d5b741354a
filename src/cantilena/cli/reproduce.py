"""`cantilena reproduce`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Resume, StartAnew
from cantilena.workflows import ReproduceOptions


def run(
    options: ReproduceOptions,
    *,
    out: Path,
    resume: Resume = False,
    force: StartAnew = False,
    flags: Flags,
) -> Answer:
    """Run the paper's experiment, from a corpus to two sets of melodies, the table and the report.

    Args:
        out: The folder of this run: melodies, models, results.json, figures, report.html.

    Example:
        cantilena reproduce --preset quick --out runs/melody
    """
    from cantilena.workflows import reproduce

    done = reproduce(options, out, resume=resume, force=force)
    return Answer(done.results, text=done.text())
