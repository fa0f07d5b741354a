"""A search space, a range or some choices for each parameter, read from TOML; and the trials of a search as rows."""

from __future__ import annotations

import json
import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.reporting.text import csv_table
from cantilena.runtime.files import read_small_file
from cantilena.workflows.train.options import OVERRIDES, NetworkOverrides

Value = bool | int | float | str | tuple[int, ...]
"""A value of a parameter."""

_SHIPPED = Path(__file__).with_name("spaces")
_HOW = "docs/sweep.md shows such a file"
_KEYS = ("type", "low", "high", "log", "step", "choices")
_MOST_CHOICES = 64
_MOST_PARAMETERS = 32


class _Kind(NamedTuple):
    names: tuple[str, ...]
    words: str
    example: str


_KINDS: Mapping[type, _Kind] = {
    int: _Kind(("int",), "a whole number", "choices = [1, 2]"),
    float: _Kind(("float",), "a finite number", "choices = [0.1, 0.2]"),
    bool: _Kind(("bool",), "true or false", "choices = [false, true]"),
    str: _Kind(("choice", "str"), "a text", 'choices = ["lstm", "gru"]'),
    tuple: _Kind(("list",), "a list of whole numbers", "choices = [[1, 2], [1, 2, 4]]"),
}
"""For each type of parameter its names in a file, and how messages describe its values."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a search.

    Args:
        name: an option of `cantilena train`, with `_` for `-`.
        choices: its values; empty for a range.
        low: lowest value of a range.
        high: highest value.
        log: whether the range is sampled on a logarithmic scale.
        step: distance of whole numbers; 0 for a range of real numbers.

    Examples:
        >>> Parameter("width", low=64, high=128, step=32).holds(96), Parameter("echoes", choices=(0, 2)).holds(1)
        (True, False)
    """

    name: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: int = 0

    def holds(self, value: object) -> bool:
        """Whether a value is allowed."""
        if self.choices:
            return any(
                value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in self.choices
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return not self.step or (isinstance(value, int) and (value - int(self.low)) % self.step == 0)

    def ends(self) -> tuple[Value, ...]:
        """All choices, or the ends of the range."""
        return self.choices or (self.low, self.high)

    def record(self) -> dict[str, Any]:
        """As JSON values, with the keys of the file."""
        if self.choices:
            return {"choices": [json_value(value) for value in self.choices]}
        return {"low": self.low, "high": self.high, "log": self.log} | ({"step": self.step} if self.step else {})


def json_value(value: Value) -> Any:  # noqa: ANN401
    """A value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class SearchSpace:
    """All parameters of a search."""

    name: str
    parameters: tuple[Parameter, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {parameter.name: parameter.record() for parameter in self.parameters}


def load_space(text: str) -> SearchSpace:
    """Load a search space.

    Args:
        text: the name of a built-in space, or a file that ends in `.toml`.

    Raises:
        UsageError: there is no such space, or it is invalid; the text names the file and what is wrong in it.

    Examples:
        >>> [parameter.name for parameter in load_space("default").parameters][:3]
        ['learning_rate', 'batch', 'width']
    """
    if not text.strip():  # an unset shell variable
        raise UsageError("the search space has no name", f"name one that ships or a file; {_HOW}")
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return _read(Path(text), text)
    shipped = {path.stem: path for path in sorted(_SHIPPED.glob("*.toml"))}
    if text not in shipped:
        hint = f"{unknown_name_hint(text, shipped, 'those that ship')}; or name a file that ends in .toml"
        raise UsageError(f"there is no search space '{text}'", hint)
    return _read(shipped[text], text)


def _read(path: Path, name: str) -> SearchSpace:
    try:
        tables = tomllib.loads(read_small_file(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8", "save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
        raise UsageError(f"{path} is not TOML: {error}", f"correct that line; {_HOW}") from error
    try:
        return space_of(tables, name)
    except UsageError as error:
        raise UsageError(f"{path}: {error.text}", error.hint) from error


def kind_of(name: str) -> type:
    """The type of a parameter: `int`, `float`, `bool`, `str`, or `tuple` for a list of whole numbers.

    Examples:
        >>> kind_of("width"), kind_of("dropout"), kind_of("core"), kind_of("look_back")
        (<class 'int'>, <class 'float'>, <class 'str'>, <class 'tuple'>)
    """
    hint = next(part for part in get_args(get_type_hints(NetworkOverrides)[name]) if part is not types.NoneType)
    origin = get_origin(hint)
    kind: type = str if origin is Literal else origin or hint
    return kind


def space_of(tables: Mapping[str, Any], name: str) -> SearchSpace:
    """Check a space from the tables of a file.

    Args:
        tables: for each parameter `low`, `high`, `log`, `step`, or `choices`; a `type` is checked if it is given.
        name: of the space.

    Raises:
        UsageError: an unknown parameter, a wrong type, or an invalid range.

    Examples:
        >>> space_of({"learning_rate": {"low": 1e-3, "high": 2e-2, "log": True}}, "mine").record()
        {'learning_rate': {'low': 0.001, 'high': 0.02, 'log': True}}
    """
    if not tables:
        raise UsageError("it names no parameter", "begin with [learning_rate] low = 1e-3 high = 2e-2 log = true")
    if len(tables) > _MOST_PARAMETERS:
        raise UsageError(f"it names {len(tables)} parameters", f"search {_MOST_PARAMETERS} at most")
    return SearchSpace(name, tuple(_parameter(field, table) for field, table in tables.items()))


def _parameter(name: str, table: object) -> Parameter:
    if name not in OVERRIDES:
        raise UsageError(f"there is no parameter '{name}'", unknown_name_hint(name, OVERRIDES, "the parameters"))
    if not isinstance(table, dict):
        raise UsageError(f"'{name}' is no table", f"write [{name}] and below it low and high, or choices")
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"'{name}' has a key '{key}'", unknown_name_hint(key, _KEYS, "the keys"))
    kind = kind_of(name)
    if "type" in table and table["type"] not in _KINDS[kind].names:
        raise UsageError(
            f"the type of '{name}' is {table['type']!r}", f"it is {_KINDS[kind].names[0]}; type may be left out"
        )
    ranged = [key for key in ("low", "high", "log", "step") if key in table]
    if "choices" in table and ranged:
        raise UsageError(f"'{name}' has choices and {' and '.join(ranged)}", "give choices, or low and high")
    if "choices" in table:
        return Parameter(name, choices=_choices(name, kind, table["choices"]))
    if kind not in (int, float):
        raise UsageError(f"'{name}' has no choices, and is no number", f"write choices = [...] of {_KINDS[kind].words}")
    return _range(name, kind, table)


def _range(name: str, kind: type, table: Mapping[str, Any]) -> Parameter:
    for key in ("low", "high"):
        if key not in table:
            raise UsageError(f"'{name}' has no {key}", "give low and high, or choices")
    low, high = (_value(f"the {key} of '{name}'", kind, table[key]) for key in ("low", "high"))
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    log, step = table.get("log", False), table.get("step", 1 if kind is int else 0)
    if not isinstance(log, bool):
        raise UsageError(f"the log of '{name}' is {log!r}", "write log = true or false")
    if low >= high:
        raise UsageError(
            f"the low of '{name}' is {low:g}, the high {high:g}", "give the lower first; choices fix a value"
        )
    if log and low <= 0:
        raise UsageError(f"the low of '{name}' is {low:g}, with log", "give a low over 0, or leave out log")
    if "step" not in table:
        return Parameter(name, low=low, high=high, log=log, step=step)
    if kind is not int or log:
        raise UsageError(f"'{name}' has a step", "steps are for whole numbers without log; give choices instead")
    if not isinstance(step, int) or isinstance(step, bool) or not 1 <= step <= high - low or (high - low) % step:
        raise UsageError(f"the step of '{name}' is {step!r}", "give a whole number that leads from low to high")
    return Parameter(name, low=low, high=high, step=step)


def _choices(name: str, kind: type, listed: object) -> tuple[Value, ...]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_CHOICES:
        raise UsageError(
            f"the choices of '{name}' are no list of 1 to {_MOST_CHOICES}", f"write {_KINDS[kind].example}"
        )
    values = tuple(_value(f"a choice of '{name}'", kind, entry) for entry in listed)
    if len({json.dumps(value) for value in values}) < len(values):
        raise UsageError(f"the choices of '{name}' hold one twice", "give each once")
    return values


def _value(what: str, kind: type, value: object) -> Value:
    """Check the type of a value."""
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}…"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number and abs(value) < 1e15 and math.isfinite(value):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    if kind is int and number and isinstance(value, int) and abs(value) < 10**15:
        return value
    if kind in (bool, str) and isinstance(value, kind):
        return value
    if kind is tuple and isinstance(value, list):
        return tuple(int(str(_value(what, int, entry))) for entry in value)
    raise UsageError(f"{what} is {shown}", f"give {_KINDS[kind].words}")


State = Literal["finished", "pruned", "failed", "interrupted", "running"]


@dataclass(frozen=True)
class TrialRow:
    """One trial of a search.

    Args:
        number: from 0, in the order in which they began.
        state: `interrupted`: the search was stopped while it ran, and it was tried again under another number.
        parameters: what it tried.
        score: nats a step and a note on the validation pieces, if it finished.
        losses: validation loss after each epoch, nats a step.
        seconds: how long it took; None if unknown.
        reason: why it did not finish, or "".
    """

    number: int
    state: State
    parameters: Mapping[str, Value]
    score: Mapping[str, float | None] = field(default_factory=dict)
    losses: Sequence[float] = ()
    seconds: float | None = None
    reason: str = ""

    @property
    def valid(self) -> float:
        """Nats a step on the validation pieces; NaN unless it finished."""
        value = self.score.get("nats_per_step")
        return math.nan if value is None else value

    def record(self) -> dict[str, Any]:
        """As JSON values: a missing loss is null, with the reason beside it."""
        return {
            "number": self.number,
            "state": self.state,
            "parameters": {name: json_value(value) for name, value in self.parameters.items()},
            "valid": None if math.isnan(self.valid) else self.valid,
            **({"reason": self.reason or self.state} if self.state != "finished" else {}),
            "epochs": len(self.losses),
            "losses": list(self.losses),
            "seconds": self.seconds,
        }


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The finished trial with the least loss, the first of equals; None if none finished.

    Examples:
        >>> rows = [TrialRow(n, "finished", {}, {"nats_per_step": loss}) for n, loss in enumerate((2.0, 1.0, 1.0))]
        >>> best_of(rows).number
        1
    """
    finished = [row for row in rows if row.state == "finished"]
    return min(finished, key=lambda row: (row.valid, row.number), default=None)


def counts_of(rows: Sequence[TrialRow]) -> dict[str, int]:
    """How many trials ended, and how; interrupted ones were tried again and do not count.

    Examples:
        >>> counts_of([TrialRow(0, "interrupted", {}), TrialRow(1, "pruned", {})])
        {'trials': 1, 'finished': 0, 'pruned': 1, 'failed': 0}
    """
    counts = {state: sum(row.state == state for row in rows) for state in ("finished", "pruned", "failed")}
    return {"trials": sum(counts.values()), **counts}


def csv_text(rows: Sequence[TrialRow], space: SearchSpace) -> str:
    """The trials as CSV, a column for each parameter.

    Examples:
        >>> space = SearchSpace("mine", (Parameter("look_back", choices=((1, 2),)),))
        >>> row = TrialRow(0, "finished", {"look_back": (1, 2)}, {"nats_per_step": 0.5}, (0.6, 0.5), 2.0)
        >>> csv_text([row], space).splitlines()
        ['number,state,look_back,valid,epochs,seconds,reason', '0,finished,1 2,0.5,2,2.0,']
    """
    names = [parameter.name for parameter in space.parameters]
    cells = []
    for row in rows:
        values = [value_text(row.parameters[name]) if name in row.parameters else None for name in names]
        cells.append([row.number, row.state, *values, row.valid, len(row.losses), row.seconds, row.reason])
    return csv_table(["number", "state", *names, "valid", "epochs", "seconds", "reason"], cells)


def value_text(value: Value) -> str:
    """A value as a person writes it.

    Examples:
        >>> value_text((1, 2, 4)), value_text(0.00123456789), value_text(()), value_text(True)
        ('1 2 4', '0.00123456789', 'none', 'true')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
