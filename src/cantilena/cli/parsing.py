"""The flags that many commands share, and from a typed function and words to a call of it, through tyro.

The errors of tyro become one line.
"""

from __future__ import annotations

import functools
import inspect
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, TypeVar, get_type_hints

import tyro
from tyro.conf import FlagCreatePairsOff, arg
from tyro.conf import Positional as Positional
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from cantilena.errors import UsageError

Seed = Annotated[int, arg(help="The same seed, machine and versions give the same result.")]
"""`--seed`."""

Count = Annotated[int, arg(aliases=["-n"], help="How many melodies.")]
"""`-n`."""

Resume = Annotated[bool, arg(help="Resume an interrupted run, to the identical result.")]
"""`--resume`."""

StartAnew = Annotated[bool, arg(help="Start over in a folder that holds another run.")]
"""`--force` of a command that fills a run folder."""


@dataclass(frozen=True)
class _Flags:
    json: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """Print one JSON object on stdout, and all else on stderr."""
    debug: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """Show the traceback where something fails."""


Flags = Annotated[_Flags, arg(name="")]
"""`--json` and `--debug`, which `main` handles; every command has them as its last parameter `flags`."""

T = TypeVar("T")

_MARKERS = (
    tyro.conf.OmitArgPrefixes,
    tyro.conf.PositionalMetavarFromFieldName,
    tyro.conf.HelptextFromCommentsOff,
    tyro.conf.DisallowNone,  # an option that may be None is left out, not typed as "None"
)

_OURS = ConstructorRegistry()


@_OURS.primitive_rule
def _path_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
    """Any path but the empty one: an unset shell variable does not mean the working folder."""

    def read(words: list[str]) -> Path:
        if not words[0].strip():
            raise ValueError("an empty name is neither a file nor a folder")
        return Path(words[0])

    if info.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


@_OURS.primitive_rule
def _bars_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[int] | None:
    """Numbers that can be ranges, such as bars 5-8: their own `parse` reads them, `shape` is their help."""
    shape, parse_text = getattr(info.type, "shape", ""), getattr(info.type, "parse", None)
    if not shape or parse_text is None:
        return None

    def read(words: list[str]) -> int:
        try:
            number: int = parse_text(words[0])
        except UsageError as error:
            raise ValueError(f"{error.text}: {error.hint}") from error
        return number

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=str(shape),
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, info.type),
        str_from_instance=lambda number: [str(number)],
    )


def parse(function: Callable[..., T], words: Sequence[str], program: str) -> Callable[[], T]:
    """Parse the flags of a function.

    Args:
        function: its parameters are the flags, its docstring is their help.
        words: the command line after the command's name.
        program: what the user typed, such as `cantilena compose`.

    Returns:
        The function with its arguments, not yet called.

    Raises:
        UsageError: unknown, missing or invalid flags.

    Example:
        >>> def hum(notes: int = 4) -> str:
        ...     return "la " * notes
        >>> parse(hum, ["--notes", "2"], "cantilena hum")()
        'la la '
    """

    @functools.wraps(function)
    def bind(*positional: object, **named: object) -> Callable[[], T]:
        return functools.partial(function, *positional, **named)

    long = {short: long for long, short in _negations(function).items()}
    args = [long.get(word, word) for word in words]
    with _wide_terminal(), redirect_stdout(_Page()), redirect_stderr(_Page()) as page:
        try:
            return tyro.cli(bind, args=args, prog=program, config=_MARKERS, registry=_OURS)
        except SystemExit as error:
            raise _usage_error(page.getvalue(), program) from error


def help_text(function: Callable[..., object], program: str) -> str:
    """The help of a command: usage, what it does, its flags, and the example of its docstring."""
    with redirect_stdout(_Page()) as printed, suppress(SystemExit):
        tyro.cli(function, args=["--help"], prog=program, config=_MARKERS, registry=_OURS)
    # Leave out defaults without information, and name groups for people: `options.value options` are `value options`.
    page = re.sub(r"\(default: (None)?\)", lambda match: " " * len(match[0]), printed.getvalue())
    page = re.sub(r"^(╭─) ([\w.-]+) options (─)─*(╮)$", _group_title, page, flags=re.MULTILINE)
    for long, short in _negations(function).items():
        page = re.sub(rf"{long}( *)", lambda match: short.ljust(len(match[0])), page)  # noqa: B023  (called at once)
    example = (inspect.getdoc(function) or "").partition("\nExample:\n")[2]
    return f"{page.rstrip()}\n\nExample:\n{example.rstrip()}\n" if example else page


def _group_title(match: re.Match[str]) -> str:
    name = match[2].rpartition(".")[2].replace("-", " ")
    shown = "more options" if name == "options" else f"{name} options"
    return f"{match[1]} {shown} ".ljust(len(match[0]) - 1, match[3]) + match[4]


def _negations(function: Callable[..., object]) -> dict[str, str]:
    """For each flag `--with-primer` tyro's negation, `--no-with-primer`, and ours, `--no-primer`."""
    types = [kind for kind in get_type_hints(function).values() if is_dataclass(kind)]
    names = [*inspect.signature(function).parameters, *(field.name for kind in types for field in fields(kind))]
    flags = [name.removeprefix("with_").replace("_", "-") for name in names if name.startswith("with_")]
    return {f"--no-with-{flag}": f"--no-{flag}" for flag in flags}


class _Page(io.StringIO):
    """Text in memory that claims to be UTF-8, so that tyro draws proper lines."""

    encoding = "utf-8"


@contextmanager
def _wide_terminal() -> Iterator[None]:
    """Keep tyro from wrapping the lines that are parsed below."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _usage_error(box: str, program: str) -> UsageError:
    """One line of the box that tyro draws: a title, what is wrong, a rule, what might be meant, a rule, a footer."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    rows = [line.strip("│|╭╮╰╯+").rstrip() for line in plain.splitlines()[1:]]
    parts: list[list[str]] = [[]]
    for row in rows:
        if row.strip(" ─-"):
            parts[-1].append(row)
        else:
            parts.append([])
    wrong, *others = [part for part in parts if part] or [[]]
    text = _plainly(wrong)
    nearest = ""
    if text.startswith("unknown") and len(others) > 1:
        flag = next((match[1] for row in others[0] if (match := re.match(r" +(--[a-z-]+)", row))), "")
        nearest = f"did you mean {flag}? " if flag else ""
    return UsageError(text or "these flags cannot be read", f"{nearest}`{program} --help` shows the flags")


_FROM = "could be instantiated from"


def _count_of_values(match: re.Match[str]) -> str:
    takes, given = len(match[2].split()), len(re.findall(r"'[^']*'|\"[^\"]*\"", match[3]))
    return f"{match[1]}: takes {takes} values, and {given} {'is' if given == 1 else 'are'} given"


_MESSAGES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"Unrecognized options: (.*)", lambda match: f"unknown: {match[1].replace(',', '')}"),
    (
        r"invalid choice '(.*)' for argument '(.*)'\. Expected one of \((.*?),?\)\.?$",
        lambda match: f"{match[2]} cannot be {match[1]}: it is one of {match[3]}".replace("'", ""),
    ),
    (r"Missing value for argument '(.*?)'.*", r"\1 needs a value"),
    (r"Error parsing (.*?): invalid literal for int\(\) with base 10: (.*)", r"\1: \2 is not a whole number"),
    (r"Error parsing (.*?): could not convert string to float: (.*)", r"\1: \2 is not a number"),
    (rf"Error parsing (.*?): no type matching INT {_FROM} \['(.*)'\]\.?", r"\1: '\2' is not a whole number"),
    (rf"Error parsing (.*?): no type matching FLOAT {_FROM} \['(.*)'\]\.?", r"\1: '\2' is not a number"),
    (
        rf"Error parsing (.*?): no type matching INT\|FIRST-LAST {_FROM} \['(.*)'\]\.?",
        r"\1: '\2' is neither a whole number nor a range such as 5-8",
    ),
    (rf"Error parsing (.*?): no type matching \{{(STR(?: STR)*)\}} {_FROM} \[(.*)\].*", _count_of_values),
    (r"Error parsing (.*?): (.*)", r"\1: \2"),
)
"""Patterns of tyro's messages, and ours."""


def _plainly(rows: Sequence[str]) -> str:
    """Tyro's message in the terms of the command line; an unknown one stays as it is."""
    text = " ".join(row.strip() for row in rows)
    if text.startswith("Missing from"):
        margin = len(rows[0]) - len(rows[0].lstrip()) + 4
        missing = [row.strip() for row in rows[1:] if re.match(rf" {{{margin}}}\S", row)]
        return f"{' and '.join(missing)} must be given"
    for pattern, replacement in _MESSAGES:
        if match := re.match(pattern, text):
            return match.expand(replacement) if isinstance(replacement, str) else replacement(match)
    return text
