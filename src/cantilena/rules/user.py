"""A user's own rules: functions in a Python file that the user names, `my_rules.py:no_tritones`.

Running the file is what the user asks for. Whatever is wrong with it is told with the file and the line; a rule is
tried on small lines before it is used (`rule_check.py`).
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from cantilena.errors import CantilenaError, UsageError, near_names
from cantilena.rules.checks import check_rule
from cantilena.rules.rule import Rule, RuleFunction
from cantilena.runtime.files import small_file

_MODULES = "cantilena_user_rules_"
"""How the modules are named that hold users' files."""

_CONTRACT = "write `def NAME(line, context, *, penalty=-1.0):`"


def load_user_rules(path: Path, name: str = "") -> tuple[Rule, ...]:
    """Read and run a user's file, and take a rule from it, or all that are marked with `@rule`.

    Args:
        path: a file of Python, under 1 MB.
        name: of a function `NAME(line, context, *, parameters)` or of a rule that `@rule` made; all of these if empty.

    Returns:
        The rules, each tried on small lines.

    Raises:
        UsageError: the file cannot be read or run, holds no such rule, or the rule breaks the contract.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "my_rules.py"
        >>> _ = path.write_text("def loud(line, context, *, reward=1.0): return reward * (line.event == 2)")
        >>> (rule,) = load_user_rules(path, "loud")
        >>> rule.name, dict(rule.parameters)
        ('loud', {'reward': 1.0})
    """
    module = _run(path)
    rules = (_named(module, path, name),) if name else _marked(module, path)
    for rule in rules:
        _check_signature(rule, path)
        try:
            check_rule(rule)
        except UsageError as error:
            raise UsageError(f"{_place(path, rule.judge)}: {error.text}", error.hint) from error.__cause__
    return rules


def file_of(rule: Rule) -> tuple[Path, str] | None:
    """The file and the name by which a rule was taken from it; None for a rule that is not from a user's file."""
    module = sys.modules.get(getattr(rule.judge, "__module__", None) or "")
    if module is None or not module.__name__.startswith(_MODULES):
        return None
    for name, thing in vars(module).items():
        if thing is rule.judge or (isinstance(thing, Rule) and thing.judge is rule.judge):
            return Path(str(module.__file__)), name
    return None


def _run(path: Path) -> ModuleType:
    """The file as a module, run once for each state that the user saves it in."""
    if path.suffix != ".py":
        raise UsageError(f"{path} is not a file of Python", "a user's rule is named FILE.py:NAME")
    content, place = small_file(path), path.resolve()
    digest = hashlib.sha256(os.fsencode(place) + b"\0" + content).hexdigest()
    module = ModuleType(f"{_MODULES}{digest[:16]}")
    if module.__name__ in sys.modules:
        return sys.modules[module.__name__]
    module.__file__ = str(place)
    try:
        code = compile(content, str(place), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _broken(path, error) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _broken(path, SyntaxError(str(error) or "it is nested too deeply")) from error
    sys.modules[module.__name__] = module  # dataclasses and the like look there
    try:
        with _neighbours_are_found(place.parent):
            exec(code, vars(module))  # noqa: S102  (the user asked for it)
    except BaseException as error:
        del sys.modules[module.__name__]
        if isinstance(error, Exception | SystemExit):
            raise _broken(path, error) from error
        raise
    return module


@contextmanager
def _neighbours_are_found(folder: Path) -> Iterator[None]:
    """Let a file import those beside it, as a script may; after all others, so that none hides a library."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _broken(path: Path, error: BaseException) -> UsageError:
    """What went wrong while the file was compiled or run, and where."""
    if isinstance(error, SyntaxError):  # of this file or of one that it imports
        where = path.with_name(Path(error.filename or path.name).name)
        line = f", line {error.lineno}" if error.lineno else ""
        return UsageError(f"{where}{line}: it is not Python: {error.msg}", "mend that line")
    number = line_of(error, path.resolve())
    line = f", line {number}" if number else ""
    said = error.text if isinstance(error, CantilenaError) else f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = error.hint if isinstance(error, CantilenaError) and error.hint else "mend it; the file must run by itself"
    return UsageError(f"{path}{line}: {said}", hint)


def line_of(error: BaseException, place: Path) -> int | None:
    """The innermost line of a file that an error passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(place)]
    return lines[-1] if lines else None


def _marked(module: ModuleType, path: Path) -> tuple[Rule, ...]:
    rules = tuple(thing for thing in vars(module).values() if isinstance(thing, Rule) and _is_own(thing.judge, module))
    if not rules:
        offered = ", ".join(f"{path}:{name}" for name in _offered(module)) or "it holds no function either"
        raise UsageError(f"{path} holds no rule that is marked with @rule", f"name a function: {offered}")
    return rules


def _named(module: ModuleType, path: Path, name: str) -> Rule:
    thing = vars(module).get(name)
    if thing is None:  # a rule may also be called by the name that @rule gave it
        thing = next((one for one in vars(module).values() if isinstance(one, Rule) and one.name == name), None)
    if isinstance(thing, Rule):
        return thing
    if inspect.isfunction(thing):
        return Rule.from_function(thing, name=name, source=_place(path, thing))
    if name in vars(module):
        kind = "a class" if inspect.isclass(thing) else f"of type {type(thing).__name__}"
        raise UsageError(f"{path}: '{name}' is {kind}, not a function or a rule", _CONTRACT.replace("NAME", name))
    raise UsageError(f"{path} holds no '{name}'", near_names(name, _offered(module), "it holds"))


def _offered(module: ModuleType) -> list[str]:
    """The names of the functions and rules that a file defines itself."""
    return [
        name
        for name, thing in vars(module).items()
        if (isinstance(thing, Rule) and _is_own(thing.judge, module))
        or (inspect.isfunction(thing) and _is_own(thing, module) and not name.startswith("_"))
    ]


def _is_own(judge: RuleFunction, module: ModuleType) -> bool:
    return getattr(judge, "__module__", None) == module.__name__


def _place(path: Path, judge: RuleFunction) -> str:
    """Where a function stands, as a person finds it."""
    code = getattr(judge, "__code__", None)
    if code is None or code.co_filename != str(path.resolve()):
        return str(path)
    return f"{path}, line {code.co_firstlineno}"


def _check_signature(rule: Rule, path: Path) -> None:
    place, example = _place(path, rule.judge), _CONTRACT.replace("NAME", rule.name)
    if not re.fullmatch(r"[\w-]+", rule.name):
        raise UsageError(f"{place}: '{rule.name}' is no name for a rule", "use letters, digits, - and _")
    taken = inspect.signature(rule.judge).parameters.values()
    positional = [one for one in taken if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(positional) > 2 and positional[2].default is not inspect.Parameter.empty:
        raise UsageError(
            f"{place}: the parameter '{positional[2].name}' of '{rule.name}' stands before a *, where it cannot be set",
            f"put a * before it: `def {rule.name}(line, context, *, {positional[2].name}={positional[2].default!r}):`",
        )
    if len(positional) != 2:
        raise UsageError(f"{place}: '{rule.name}' does not take a line and a context", example)
    for one in taken:
        if one.kind is one.KEYWORD_ONLY and one.default is one.empty:
            raise UsageError(f"{place}: the parameter '{one.name}' of '{rule.name}' has no default", example)
    for name, value in rule.parameters.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"{place}: the parameter '{name}' of '{rule.name}' is {value!r}", "give it a number")
