"""The command line: a table of commands, and one small file for each; it parses, calls and prints.

To add a command `hum`:

1. Write `cli/hum.py` with a typed function. Its parameters are the flags, its Google docstring is the help, its section
   `Example:` closes the help. An options dataclass is a parameter without a default (`sampling: SamplingOptions`): each
   of its fields becomes a flag. Import what is slow to import inside the function.

       def run(bundle: Positional[str], sampling: SamplingOptions, *, out: Path, n: Count = 8, flags: Flags) -> Answer:
           '''Hum melodies. ...'''
           from cantilena.generation import load
           ...
           return Answer({"melodies": 8}, text=f"8 melodies in {out}")

2. Add a line to `COMMANDS` in `cli/table.py`; a command of two words, such as `corpus hum`, after that of `corpus`.
3. Show it in README.md: a test looks for it there.

`Flags` brings `--json` and `--debug`, `Count` is `-n`; `cli/parsing.py` has more. Raise a `CantilenaError` if
something cannot be done: `main` prints it and returns the exit status. Progress goes to stderr through
`cantilena.runtime`; only the answer goes to stdout, and `main` prints it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cantilena.cli.failures import describe_error, flag_value, print_error
from cantilena.cli.output import Answer, show, silence, stdout_to_stderr
from cantilena.cli.table import find_command, overview
from cantilena.errors import InputError, __version__

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `cantilena`; those of the process if None.

    Returns:
        The exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Example:
        >>> main(["--version"])
        cantilena 0.1.0
        0
    """
    # Threads that wait should sleep (set before a library starts them, unless the user did): OpenMP's spin by default,
    # and one other busy process on two cores then makes training seven times slower. Numpy's products are too small
    # here to gain by threads of their own.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    words = list(sys.argv[1:] if argv is None else argv)
    as_json, debug = "--json" in words, "--debug" in words
    if words[:1] == ["train"]:
        _silence_all_but_one(debug=debug)
    try:
        with stdout_to_stderr(when=as_json):
            answer = _run(words)
    except BaseException as error:  # whatever it is, the user gets one line, not a traceback
        return print_error(describe_error(error, words), as_json=as_json, debug=error if debug else None)
    try:
        return show(answer, as_json=as_json)
    except BaseException as error:
        return print_error(describe_error(error, words), as_json=False, debug=error if debug else None)


def _silence_all_but_one(*, debug: bool) -> None:
    """Of several processes that train together only the first prints; with --debug all print their tracebacks."""
    if "WORLD_SIZE" not in os.environ:
        return
    from cantilena.training import is_main_process

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # the line that ends a training says what matters
    if not is_main_process(os.environ):
        silence(sys.stdout, *([] if debug else [sys.stderr]))


def _run(words: list[str]) -> Answer:
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words:
        return Answer({}, overview(), status=2)
    if words[0] in ("-h", "--help"):
        return Answer({}, overview())
    if words[0] in ("-V", "--version"):
        return Answer({"version": __version__}, f"cantilena {__version__}")
    command = find_command(words)
    rest = words[len(command.name.split()) :]
    if command.is_group:
        return Answer({}, overview(command.name), status=0 if rest else 2)
    from cantilena.cli.parsing import help_text, parse

    function = command.load()
    if any(word in ("-h", "--help") for word in rest):
        return Answer({}, help_text(function, f"cantilena {command.name}"))
    if command.name.split()[0] in ("train", "sweep"):
        rest = _with_recorded_corpus(rest)
    return parse(function, rest, f"cantilena {command.name}")() or Answer({})


def _with_recorded_corpus(words: list[str]) -> list[str]:
    """The words with the corpus of the run that `--resume` continues, unless they name one."""
    out = flag_value(words, "--out")
    if "--resume" not in words or not out or flag_value(words, "--corpus") is not None:
        return words
    from cantilena.runtime import read_json

    with suppress(InputError):
        match read_json(Path(out) / "run.json"):
            case {"options": {"corpus": str(corpus)}} if corpus.strip():
                return [*words, "--corpus", corpus]
    return words
