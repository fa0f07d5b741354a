"""What `cantilena doctor` looks at: each check does the thing in small and says what it found."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing to try.

    Args:
        name: what is checked, as a user would call it.
        attempt: does it and says what it found; raises where it does not work.
        advice: what to do if it does not work.
        required: whether Cantilena needs it.
    """

    name: str
    attempt: Callable[[], str]
    advice: str
    required: bool = True


@dataclass(frozen=True)
class Finding:
    """What came out of a check: `state` is `ok`, or `broken` where it is required, or `missing`."""

    name: str
    state: str
    found: str
    advice: str
    required: bool


def examine(check: Check) -> Finding:
    """Do one check; whatever it raises is a finding.

    Example:
        >>> examine(Check("the moon", lambda: "full", "wait")).state
        'ok'
    """
    try:
        return Finding(check.name, "ok", check.attempt(), "", check.required)
    except Exception as error:  # a broken library raises anything
        state = "broken" if check.required else "missing"
        said = " ".join(str(error).split())[:200]
        return Finding(check.name, state, f"{type(error).__name__}: {said}", check.advice, check.required)


def _python() -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        raise RuntimeError(f"Python {platform.python_version()}")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


CHECKS: tuple[Check, ...] = (Check("Python", _python, "install Python 3.11, 3.12, 3.13 or 3.14"),)
"""Everything, in the order of the table."""
