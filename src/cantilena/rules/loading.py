"""Which rules are meant: a set by name, rules of a user's own, a file of weights and parameters, or several of these.

A file of rules is TOML:

    rules = ["rl-tuner", "my_rules.py:no_tritones"]     # as on the command line; paths relative to this file
    [weights]
    tonic = 2.0                                         # a rule that is not named keeps its own
    [parameters.leap]
    patience = 4

`set = "rl-tuner"` says the same as that set at the head of `rules`; `name` names the whole, else it is called as the
file. A file that names Python runs it.
"""

from __future__ import annotations

import inspect
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.rules.catalogue import RULE_SETS
from cantilena.rules.rule import Rule, RuleSet
from cantilena.rules.user import load_user_rules
from cantilena.runtime.files import read_small_file

_KEYS = ("set", "rules", "name", "weights", "parameters")
_HOW = "name a set, SET:RULE, FILE.toml or FILE.py:NAME; join several with +"


def load_rules(text: str) -> RuleSet:
    """The rules that a user names.

    Args:
        text: the name of a set; `SET:RULE`; a file of rules `FILE.toml`; a user's own rule `FILE.py:NAME`, or
            `FILE.py` for all that it marks with `@rule`; or several of these with `+` or commas between.

    Returns:
        The set; a set of the catalogue is that very set.

    Raises:
        UsageError: a name or file that is not there, a file that cannot be used, two rules of one name.

    Example:
        >>> load_rules("rl-tuner").names[:2]
        ('key', 'tonic')
        >>> load_rules("paper:tonic + rl-tuner:leap").names
        ('tonic', 'leap')
    """
    pieces = [piece.strip() for piece in _pieces(text)]
    if not all(pieces):
        raise UsageError(f"'{text}' names no rules" if not text.strip() else f"'{text}' has a gap", _HOW)
    return _joined([_piece(piece, Path(), allow_toml=True) for piece in pieces], pieces)


def _pieces(text: str) -> Sequence[str]:
    """The parts of a text; a file whose own name has a + or a comma is a part when it stands alone."""
    path, _ = _file_and_name(text.strip())
    try:
        if path.is_file():
            return [text]
    except (OSError, ValueError):  # too long for a file's name, or a zero byte in it
        pass
    return re.split(r"[+,]", text)


def _file_and_name(piece: str) -> tuple[Path, str]:
    found = re.fullmatch(r"(.+\.py):([^:/+,]*)", piece)
    return (Path(found[1]), found[2]) if found else (Path(piece), "")


def _piece(piece: str, folder: Path, *, allow_toml: bool) -> RuleSet:
    """The rules that one part names; files are looked for in a folder."""
    path, name = _file_and_name(piece)
    if path.suffix == ".py":
        if piece.endswith(":"):
            raise UsageError(f"'{piece}' names no rule", "write FILE.py:NAME, or FILE.py for all its rules")
        return RuleSet(name or path.stem, load_user_rules(folder / path, name))
    if path.suffix == ".toml" and allow_toml:
        return read_rules(folder / path)
    if path.suffix or "/" in piece or "\\" in piece:
        raise UsageError(f"'{piece}' is not a file of rules here", "rules are in FILE.py:NAME or in FILE.toml")
    set_name, colon, rule_name = piece.partition(":")
    if set_name not in RULE_SETS:
        raise UsageError(
            f"there is no rule set '{set_name}'", f"{unknown_name_hint(set_name, RULE_SETS, 'the sets')}; {_HOW}"
        )
    rules = RULE_SETS[set_name]
    if not colon:
        return rules
    if rule_name not in rules.names:
        hint = unknown_name_hint(rule_name, rules.names, "its rules")
        raise UsageError(f"the rule set '{set_name}' has no rule '{rule_name}'", hint)
    return RuleSet(rule_name, (rules[rule_name],), rules.scale)


def _joined(sets: Sequence[RuleSet], pieces: Sequence[str], name: str = "") -> RuleSet:
    """Several sets as one; two rules of one name are told with where they are from."""
    if len(sets) == 1 and name in ("", sets[0].name):
        return sets[0]
    owner: dict[str, str] = {}
    for rules, piece in zip(sets, pieces, strict=True):
        for rule in rules.names:
            if rule in owner:
                both = f"'{owner[rule]}' and '{piece}'" if owner[rule] != piece else f"'{piece}', which is named twice,"
                raise UsageError(f"{both} hold a rule '{rule}'", "name single rules of one of them, as SET:RULE")
            owner[rule] = piece
    joined = tuple(rule for rules in sets for rule in rules.rules)
    # The part that brings most rules says how large rewards are; of equals the one that stays nearer to the model.
    scale = max(sets, key=lambda rules: (len(rules.rules), rules.scale)).scale
    return RuleSet(name or "+".join(rules.name for rules in sets), joined, scale)


def read_rules(path: Path) -> RuleSet:
    r"""The rules of a file of rules, with its weights and parameters.

    Args:
        path: the file, TOML, under 1 MB.

    Raises:
        UsageError: it is no such file; the text says which file and what in it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.toml"
        >>> _ = path.write_text('set = "paper"\n[weights]\ntonic = 2\n[parameters.repetition]\nin_a_row = 3')
        >>> rules = read_rules(path)
        >>> rules.name, rules["tonic"].weight, rules["repetition"].parameters["in_a_row"]
        ('mine', 2.0, 3)
    """
    try:
        content = tomllib.loads(read_small_file(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8", "save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UsageError(
            f"{path} is not TOML: {error}", "mend that line; docs/rules.md shows a file of rules"
        ) from error
    try:
        return _from(content, path)
    except UsageError as error:
        raise UsageError(f"{path}: {error.text}", error.hint) from error


def _from(content: Mapping[str, Any], path: Path) -> RuleSet:
    for key in content:
        if key not in _KEYS:
            raise UsageError(f"there is no key '{key}' in a file of rules", unknown_name_hint(key, _KEYS, "the keys"))
    name = _typed(content, "name", str, path.stem)
    pieces = [_typed(content, "set", str, "")] if "set" in content else []
    pieces += _typed(content, "rules", list, [])
    if not pieces:
        raise UsageError("it names no rules", 'begin with rules = ["rl-tuner"]')
    for piece in pieces:
        if not isinstance(piece, str) or not piece.strip():
            raise UsageError(f"{piece!r} in 'rules' is not the name of a rule", 'write rules = ["rl-tuner"]')
    rules = _joined([_piece(piece.strip(), path.parent, allow_toml=False) for piece in pieces], pieces, name)
    rules = _with_parameters(rules, _typed(content, "parameters", dict, {}))
    return _with_weights(rules, _typed(content, "weights", dict, {}))


def _typed(content: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:  # noqa: ANN401  (any TOML value)
    value = content.get(key, default)
    if not isinstance(value, kind):
        examples = {"rules": '["rl-tuner"]', "set": '"rl-tuner"', "name": '"mine"'}
        how = f"write {key} = {examples[key]}" if key in examples else f"write a table: [{key}]"
        raise UsageError(f"'{key}' is not a {_KINDS[kind]}", how)
    return value


_KINDS: dict[type, str] = {str: "text", list: "list", dict: "table"}


def _with_weights(rules: RuleSet, weights: Mapping[str, Any]) -> RuleSet:
    for name, weight in weights.items():
        if name not in rules.names:
            raise UsageError(f"no rule '{name}' for the weight", unknown_name_hint(name, rules.names, "its rules"))
        if not _is_number(weight):
            raise UsageError(f"the weight of '{name}' is {weight!r}", "give a finite number; 1.0 is the value as it is")
    return rules.with_weights(**weights)


def _with_parameters(rules: RuleSet, parameters: Mapping[str, Any]) -> RuleSet:
    changed = {rule.name: rule for rule in rules.rules}
    for name, values in parameters.items():
        if name not in changed:
            raise UsageError(f"no rule '{name}' for the parameters", unknown_name_hint(name, rules.names, "its rules"))
        if not isinstance(values, dict):
            raise UsageError(f"the parameters of '{name}' are no table", f"write a table: [parameters.{name}]")
        for parameter, value in values.items():
            _check_parameter(changed[name], parameter, value)
        changed[name] = changed[name].with_parameters(**values)
    return replace(rules, rules=tuple(changed.values()))


def _check_parameter(rule: Rule, name: str, value: object) -> None:
    if name not in rule.parameters:
        hint = unknown_name_hint(name, rule.parameters, "its parameters")
        raise UsageError(f"the rule '{rule.name}' has no parameter '{name}'", hint)
    if not _is_number(value):
        raise UsageError(f"the parameter '{name}' of '{rule.name}' is {value!r}", "give a finite number")
    annotation = inspect.signature(rule.judge).parameters[name].annotation
    if annotation in (int, "int") and not isinstance(value, int):
        raise UsageError(f"the parameter '{name}' of '{rule.name}' is {value!r}", "give a whole number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and math.isfinite(value)
