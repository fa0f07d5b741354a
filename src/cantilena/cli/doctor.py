"""`cantilena doctor`: does everything work on this machine, and if not, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cantilena.cli.answer import Answer
from cantilena.cli.doctor_checks import Check, attempt, checks
from cantilena.cli.shared_flags import Flags

_SECONDS = 120.0  # compiling the rules for the first time on a slow machine
_BYTES = 2**45  # of address space, of which libraries for graphics cards reserve a lot: no limit that is felt


@dataclass(frozen=True)
class Finding:
    """What came of a check.

    Args:
        name: what was checked.
        state: `broken` only where it is required, else `missing`.
        found: what is there, or what went wrong.
        advice: what to do, "" where all is well.
        required: whether Cantilena needs it.
    """

    name: str
    state: Literal["ok", "broken", "missing"]
    found: str
    advice: str
    required: bool


def run(*, flags: Flags) -> Answer:
    """Check that everything works on this machine, and say what to do where something does not.

    The exit status is 0 if all that is required works; what is optional may be missing.

    Example:
        cantilena doctor
    """
    findings = examine(list(checks()))
    ok = not any(finding.state == "broken" for finding in findings)
    last = "Everything that is required works." if ok else "Something that is required is broken: see above."
    value = {"ok": ok, "checks": [vars(finding) for finding in findings]}
    return Answer(value, f"{table(findings)}\n\n{last}", status=0 if ok else 1)


def examine(all_checks: Sequence[Check]) -> list[Finding]:
    """Do the checks, each in a process that may crash at its own cost only; whatever happens is a finding.

    Args:
        all_checks: checks whose names `attempt` knows.
    """
    from cantilena.errors import RunError
    from cantilena.runtime import Failure, bounded_map, progress

    outcomes: dict[int, str | Failure] = {}
    try:
        with progress("Looking", total=len(all_checks), unit="checks") as bar:
            names = [check.name for check in all_checks]
            for index, outcome in bounded_map(attempt, names, seconds=_SECONDS, memory=_BYTES):
                outcomes[index] = outcome
                bar.advance()
    except RunError as error:
        workers = Finding("worker processes", "broken", error.text, error.hint, required=True)
        return [workers, *(finding(check, _in_this_process(check)) for check in all_checks)]
    return [finding(check, outcomes[index]) for index, check in enumerate(all_checks)]


def finding(check: Check, outcome: object) -> Finding:
    """What to say of the outcome of a check: text where it went well, else a failure with its reason and hint."""
    if isinstance(outcome, str):
        return Finding(check.name, "ok", outcome, "", check.required)
    reason, hint = getattr(outcome, "reason", str(outcome)), getattr(outcome, "hint", "")
    return Finding(check.name, "broken" if check.required else "missing", reason, hint or check.advice, check.required)


def table(findings: Sequence[Finding]) -> str:
    """The findings as lines for people, advice under what it is for."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for one in findings:
        lines.append(f"{one.state:<8} {one.name:<{width}}  {one.found}")
        if one.advice:
            lines.append(f"{'':<8} {'':<{width}}  -> {one.advice}")
    return "\n".join(lines)


def _in_this_process(check: Check) -> object:
    from cantilena.runtime import Failure

    try:
        return check.attempt()
    except Exception as error:  # a broken library raises anything
        return Failure(f"{type(error).__name__}: {error}")
