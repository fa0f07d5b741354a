"""`cantilena doctor`: does everything work on this machine, and if not, what to do."""

from __future__ import annotations

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags


def run(*, flags: Flags) -> Answer:
    """Check that everything works on this machine, and say what to do where something does not.

    The exit status is 0 if all that is required works; what is optional may be missing.

    Args:
        flags: what all commands share.

    Example:
        cantilena doctor
    """
    from cantilena.cli.doctor_checks import CHECKS, examine

    findings = [examine(check) for check in CHECKS]
    ok = all(finding.state == "ok" or not finding.required for finding in findings)
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8} {finding.name:<{width}}  {finding.found}")
        if finding.advice:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.advice}")
    lines += [
        "",
        "Everything that is required works." if ok else "Something that is required does not work: see above.",
    ]
    value = {"ok": ok, "checks": [vars(finding) for finding in findings]}
    return Answer(value, "\n".join(lines), status=0 if ok else 1)
