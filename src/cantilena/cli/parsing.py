"""From a typed function and words to a call of it, through tyro; what tyro refuses becomes a UsageError."""

from __future__ import annotations

import functools
import inspect
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TypeVar, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from cantilena.errors import UsageError

T = TypeVar("T")

_MARKERS = (
    tyro.conf.OmitArgPrefixes,
    tyro.conf.PositionalMetavarFromFieldName,
    tyro.conf.HelptextFromCommentsOff,
    tyro.conf.DisallowNone,  # an option that may be None is left out, not typed as "None"
)

_OURS = ConstructorRegistry()


@_OURS.primitive_rule
def _paths(wanted: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
    """Paths as anywhere, but for the empty one: an unset shell variable does not mean the working folder."""

    def read(words: list[str]) -> Path:
        if not words[0].strip():
            raise ValueError("an empty name is neither a file nor a folder")
        return Path(words[0])

    if wanted.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


@_OURS.primitive_rule
def _numbers_of_ours(wanted: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[int] | None:
    """Numbers that say more than how many, such as bars 5-8: their own `parse` reads them, `shape` is their help."""
    shape, parse_text = getattr(wanted.type, "shape", ""), getattr(wanted.type, "parse", None)
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
        is_instance=lambda value: isinstance(value, wanted.type),
        str_from_instance=lambda number: [str(number)],
    )


def parse(function: Callable[..., T], words: Sequence[str], program: str) -> Callable[[], T]:
    """Read the flags of a function from words.

    Args:
        function: its parameters are the flags, its docstring is their help.
        words: the command line after the command's name.
        program: what the user typed, such as `cantilena compose`.

    Returns:
        The function with its arguments, not yet called.

    Raises:
        UsageError: unknown, missing or impossible flags, in one line.

    Example:
        >>> def hum(notes: int = 4) -> str:
        ...     return "la " * notes
        >>> parse(hum, ["--notes", "2"], "cantilena hum")()
        'la la '
    """

    @functools.wraps(function)
    def keep(*positional: object, **named: object) -> Callable[[], T]:
        return functools.partial(function, *positional, **named)

    with _wide_terminal(), redirect_stdout(_Page()), redirect_stderr(_Page()) as said:
        try:
            args = _long_denials(words, function)
            return tyro.cli(keep, args=args, prog=program, config=_MARKERS, registry=_OURS)
        except SystemExit as refusal:
            raise _refusal(said.getvalue(), program) from refusal


def help_text(function: Callable[..., object], program: str) -> str:
    """The help of a command: usage, what it does, its flags, and the example of its docstring."""
    with redirect_stdout(_Page()) as said, suppress(SystemExit):
        tyro.cli(function, args=["--help"], prog=program, config=_MARKERS, registry=_OURS)
    page = _tidied(said.getvalue())
    for long, short in _denials(function).items():
        page = re.sub(rf"{long}( *)", lambda found: short.ljust(len(found[0])), page)  # noqa: B023  (called at once)
    example = (inspect.getdoc(function) or "").partition("\nExample:\n")[2]
    return f"{page.rstrip()}\n\nExample:\n{example.rstrip()}\n" if example else page


def _denials(function: Callable[..., object]) -> dict[str, str]:
    """A flag `--with-primer` is denied by `--no-primer`; tyro's own word for it, and that one."""
    types = [kind for kind in get_type_hints(function).values() if is_dataclass(kind)]
    names = [*inspect.signature(function).parameters, *(field.name for kind in types for field in fields(kind))]
    withs = [name.removeprefix("with_").replace("_", "-") for name in names if name.startswith("with_")]
    return {f"--no-with-{name}": f"--no-{name}" for name in withs}


def _long_denials(words: Sequence[str], function: Callable[..., object]) -> list[str]:
    long = {short: long for long, short in _denials(function).items()}
    return [long.get(word, word) for word in words]


def _tidied(page: str) -> str:
    """Leave out defaults that say nothing, and name groups for people: `options.value options` are `value options`."""
    page = re.sub(r"\(default: (None)?\)", lambda found: " " * len(found[0]), page)

    def title(found: re.Match[str]) -> str:
        name = found[2].rpartition(".")[2].replace("-", " ")
        shown = "more options" if name == "options" else f"{name} options"
        return f"{found[1]} {shown} ".ljust(len(found[0]) - 1, found[3]) + found[4]

    return re.sub(r"^(╭─) ([\w.-]+) options (─)─*(╮)$", title, page, flags=re.MULTILINE)


class _Page(io.StringIO):
    """Text in memory that says it takes any letter, so that tyro draws proper lines."""

    encoding = "utf-8"


@contextmanager
def _wide_terminal() -> Iterator[None]:
    """Keep tyro from wrapping the lines that are read back below."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _refusal(box: str, program: str) -> UsageError:
    """One line of what tyro draws as a box: a title, what is wrong, a rule, what might be meant, a rule, a footer."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    rows = [line.strip("│|╭╮╰╯+").rstrip() for line in plain.splitlines()[1:]]
    parts: list[list[str]] = [[]]
    for row in rows:
        if row.strip(" ─-"):
            parts[-1].append(row)
        else:
            parts.append([])
    wrong, *others = [part for part in parts if part] or [[]]
    text = _in_the_users_words(" ".join(row.strip() for row in wrong), wrong)
    nearest = ""
    if text.startswith("unknown") and len(others) > 1:
        meant = next((found[0] for row in others[0] if (found := re.findall(r"^ +(--[a-z-]+)", row))), "")
        nearest = f"did you mean {meant}? " if meant else ""
    return UsageError(text or "these flags cannot be read", f"{nearest}`{program} --help` shows the flags")


def _in_the_users_words(wrong: str, rows: Sequence[str]) -> str:
    """Tyro's sentences as sentences of ours; one that is not known stays as it is."""
    if wrong.startswith("Missing from"):
        margin = len(rows[0]) - len(rows[0].lstrip()) + 4
        missing = [row.strip() for row in rows[1:] if re.match(rf" {{{margin}}}\S", row)]
        return f"{' and '.join(missing)} must be given"
    if found := re.match(r"Unrecognized options: (.*)", wrong):
        return f"unknown: {found[1].replace(',', '')}"
    if found := re.match(r"invalid choice (.*) for argument '(.*)'\. Expected one of \((.*?),?\)\.?$", wrong):
        return f"{found[2]} cannot be {found[1]}: it is one of {found[3]}".replace("'", "")
    if found := re.match(r"Missing value for argument '(.*?)'", wrong):
        return f"{found[1]} needs a value"
    if found := re.match(r"Error parsing (.*?): (.*)", wrong):
        reason = re.sub(r"invalid literal for int\(\) with base 10: (.*)", r"\1 is not a whole number", found[2])
        reason = re.sub(r"could not convert string to float: (.*)", r"\1 is not a number", reason)
        reason = re.sub(
            r"no type matching INT could be instantiated from \['(.*)'\]\.?", r"'\1' is not a whole number", reason
        )
        reason = re.sub(
            r"no type matching FLOAT could be instantiated from \['(.*)'\]\.?", r"'\1' is not a number", reason
        )
        reason = re.sub(
            r"no type matching INT\|FIRST-LAST could be instantiated from \['(.*)'\]\.?",
            r"'\1' is neither a whole number nor a range such as 5-8",
            reason,
        )
        if few := re.match(r"no type matching \{(STR(?: STR)*)\} could be instantiated from \[(.*)\]", reason):
            wanted, given = len(few[1].split()), len(re.findall(r"'[^']*'|\"[^\"]*\"", few[2]))
            reason = f"takes {wanted} values, and {given} {'is' if given == 1 else 'are'} given"
        return f"{found[1]}: {reason}"
    return wrong
