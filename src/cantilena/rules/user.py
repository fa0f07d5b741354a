"""Users' own rules: functions in a Python file that the user names, `my_rules.py:no_tritones`.

Loading a rule runs its file, as the user asked. Errors name the file and the line. Each rule is checked on small lines
before it is used (`checks.py`).
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

from cantilena.errors import CantilenaError, UsageError, unknown_name_hint
from cantilena.rules.checks import check_rule
from cantilena.rules.rule import Rule, RuleFunction
from cantilena.runtime.files import read_small_file

_MODULES = "cantilena_user_rules_"
"""Prefix of the names of modules made from users' files."""


def load_user_rules(path: Path, name: str = "") -> tuple[Rule, ...]:
    """Run a user's file and take one rule from it, or all that are marked with `@rule`.

    Args:
        path: a Python file, under 1 MB.
        name: of a function `NAME(line, context, *, parameters)` or of a rule made by `@rule`; all of these if empty.

    Returns:
        The rules, each checked on small lines.

    Raises:
        UsageError: the file cannot be read or run, has no such rule, or the rule breaks the contract.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "my_rules.py"
        >>> _ = path.write_text("def loud(line, context, *, reward=1.0): return reward * (line.event == 2)")
        >>> (rule,) = load_user_rules(path, "loud")
        >>> rule.name, dict(rule.parameters)
        ('loud', {'reward': 1.0})
    """
    module = _run(path)
    rules = (_named_rule(module, path, name),) if name else _marked_rules(module, path)
    for rule in rules:
        _check_signature(rule, path)
        try:
            check_rule(rule)
        except UsageError as error:
            raise UsageError(f"{_location(path, rule.function)}: {error.text}", error.hint) from error.__cause__
    return rules


def file_of(rule: Rule) -> tuple[Path, str] | None:
    """The file that a rule was loaded from and its name there; None for a rule that is not from a user's file."""
    module = sys.modules.get(getattr(rule.function, "__module__", None) or "")
    if module is None or not module.__name__.startswith(_MODULES):
        return None
    for name, value in vars(module).items():
        if value is rule.function or (isinstance(value, Rule) and value.function is rule.function):
            return Path(str(module.__file__)), name
    return None


def _run(path: Path) -> ModuleType:
    """Run the file as a module, once for each content."""
    if path.suffix != ".py":
        raise UsageError(f"{path} is not a Python file", "name a rule as FILE.py:NAME")
    content, place = read_small_file(path), path.resolve()
    digest = hashlib.sha256(os.fsencode(place) + b"\0" + content).hexdigest()
    module = ModuleType(f"{_MODULES}{digest[:16]}")
    if module.__name__ in sys.modules:
        return sys.modules[module.__name__]
    module.__file__ = str(place)
    try:
        code = compile(content, str(place), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _run_error(path, error) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _run_error(path, SyntaxError(str(error) or "it is nested too deeply")) from error
    sys.modules[module.__name__] = module  # dataclasses look the module up there
    try:
        with _importable(place.parent):
            exec(code, vars(module))  # noqa: S102  (the user asked for it)
    except BaseException as error:
        del sys.modules[module.__name__]
        if isinstance(error, Exception | SystemExit):
            raise _run_error(path, error) from error
        raise
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a file import its neighbours, as a script can; last on the path, so that they shadow no library."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _run_error(path: Path, error: BaseException) -> UsageError:
    """The error for a file that could not be compiled or run, with its line."""
    if isinstance(error, SyntaxError):  # of this file or of one that it imports
        where = path.with_name(Path(error.filename or path.name).name)
        line = f", line {error.lineno}" if error.lineno else ""
        return UsageError(f"{where}{line}: the syntax is invalid: {error.msg}", "correct that line")
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path.resolve())
    ]
    line = f", line {lines[-1]}" if lines else ""
    text = error.text if isinstance(error, CantilenaError) else f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = error.hint if isinstance(error, CantilenaError) and error.hint else "correct it; the file must run by itself"
    return UsageError(f"{path}{line}: {text}", hint)


def _marked_rules(module: ModuleType, path: Path) -> tuple[Rule, ...]:
    rules = tuple(
        value for value in vars(module).values() if isinstance(value, Rule) and _is_own(value.function, module)
    )
    if not rules:
        available = ", ".join(f"{path}:{name}" for name in _available(module)) or "it defines no function either"
        raise UsageError(f"{path} marks no rule with @rule", f"name a function: {available}")
    return rules


def _named_rule(module: ModuleType, path: Path, name: str) -> Rule:
    value = vars(module).get(name)
    if value is None:  # also find a rule by the name given to @rule
        value = next((one for one in vars(module).values() if isinstance(one, Rule) and one.name == name), None)
    if isinstance(value, Rule):
        return value
    if inspect.isfunction(value):
        return Rule.from_function(value, name=name, source=_location(path, value))
    if name in vars(module):
        kind = "a class" if inspect.isclass(value) else f"of type {type(value).__name__}"
        raise UsageError(f"{path}: '{name}' is {kind}, not a function or a rule", _expected(name))
    raise UsageError(f"{path} has no '{name}'", unknown_name_hint(name, _available(module), "it has"))


def _available(module: ModuleType) -> list[str]:
    """The names of the functions and rules that a file defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if (isinstance(value, Rule) and _is_own(value.function, module))
        or (inspect.isfunction(value) and _is_own(value, module) and not name.startswith("_"))
    ]


def _is_own(function: RuleFunction, module: ModuleType) -> bool:
    return getattr(function, "__module__", None) == module.__name__


def _location(path: Path, function: RuleFunction) -> str:
    """The file and line where a function is defined."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_filename != str(path.resolve()):
        return str(path)
    return f"{path}, line {code.co_firstlineno}"


def _expected(name: str) -> str:
    return f"write `def {name}(line, context, *, penalty=-1.0):`"


def _check_signature(rule: Rule, path: Path) -> None:
    place = _location(path, rule.function)
    if not re.fullmatch(r"[\w-]+", rule.name):
        raise UsageError(f"{place}: '{rule.name}' is not a valid name for a rule", "use letters, digits, - and _")
    parameters = inspect.signature(rule.function).parameters.values()
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(positional) > 2 and positional[2].default is not inspect.Parameter.empty:
        raise UsageError(
            f"{place}: the parameter '{positional[2].name}' of '{rule.name}' is not keyword-only",
            f"put a * before it: `def {rule.name}(line, context, *, {positional[2].name}={positional[2].default!r}):`",
        )
    if len(positional) != 2:
        raise UsageError(f"{place}: '{rule.name}' does not take a line and a context", _expected(rule.name))
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and one.default is one.empty:
            raise UsageError(
                f"{place}: the parameter '{one.name}' of '{rule.name}' has no default", _expected(rule.name)
            )
    for name, value in rule.parameters.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(
                f"{place}: the default of the parameter '{name}' of '{rule.name}' is {value!r}", "give a finite number"
            )
