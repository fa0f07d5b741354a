"""The answer of a command: one object for machines, some lines for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cantilena.cli.output import print_flushed


@dataclass(frozen=True)
class Answer:
    """The answer of a command.

    Args:
        value: what `--json` prints, as JSON values: an undefined number is None with a reason beside it, never NaN.
        text: what is printed otherwise; nothing if empty.
        status: the exit status, 0 unless the answer itself is negative.
    """

    value: Mapping[str, Any]
    text: str = ""
    status: int = 0


def show(answer: Answer, *, as_json: bool) -> int:
    """Print an answer on stdout and return its exit status.

    Raises:
        OSError: stdout cannot be written, as on a full disk; a reader that left early is no error.
    """
    if as_json and (answer.value or not answer.text):
        from cantilena.runtime import json_text

        text = json_text(dict(answer.value))
    else:
        text = answer.text and answer.text.rstrip("\n") + "\n"
    print_flushed(text, sys.stdout)
    return answer.status
