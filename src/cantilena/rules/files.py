"""Rules by name and in files: resolves what `--rules` names, reads files of rules and writes them.

A file of rules is TOML:

    rules = ["rl-tuner", "my_rules.py:no_tritones"]     # as on the command line; paths relative to this file
    [weights]
    tonic = 2.0                                         # a rule that is not named keeps its own
    [parameters.leap]
    patience = 4

`set = "rl-tuner"` puts that set at the head of `rules`; `name` names the whole, which else has the name of the file. A
file that names Python runs it.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.rules.catalogue import RULE_SETS
from cantilena.rules.rule import Rule, RuleSet
from cantilena.rules.user import file_of, load_user_rules
from cantilena.runtime.files import read_small_file

_KEYS = ("set", "rules", "name", "weights", "parameters")
_TYPES: dict[type, str] = {str: "text", list: "list", dict: "table"}
_HOW = "name a set, SET:RULE, FILE.toml or FILE.py:NAME; join several with +"


def load_rules(text: str) -> RuleSet:
    """Load the rules that a user names.

    Args:
        text: the name of a set; `SET:RULE`; a file of rules `FILE.toml`; a user's own rule `FILE.py:NAME`, or
            `FILE.py` for all that it marks with `@rule`; or several of these, separated by `+` or commas.

    Returns:
        The set; for a built-in set, that very object.

    Raises:
        UsageError: a name or file does not exist, a file cannot be used, or two rules have the same name.

    Examples:
        >>> load_rules("rl-tuner").names[:2]
        ('key', 'tonic')
        >>> load_rules("paper:tonic + rl-tuner:leap").names
        ('tonic', 'leap')
    """
    parts = [part.strip() for part in _split(text)]
    if not all(parts):
        raise UsageError(f"'{text}' names no rules" if not text.strip() else f"'{text}' has an empty part", _HOW)
    return _merge([_load_part(part, Path(), allow_toml=True) for part in parts], parts)


def read_rules(path: Path) -> RuleSet:
    r"""Read a file of rules, TOML under 1 MB, with its weights and parameters.

    Raises:
        UsageError: the file is invalid; the text says which file and what in it.

    Examples:
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
            f"{path} is not TOML: {error}", "correct that line; docs/rules.md shows a file of rules"
        ) from error
    try:
        return _from_table(content, path)
    except UsageError as error:
        raise UsageError(f"{path}: {error.text}", error.hint) from error


def rules_toml(rules: RuleSet, folder: Path | None = None) -> str:
    """Write rules as a file of rules with every weight and every parameter.

    Args:
        rules: the rules.
        folder: where the file will be; paths of users' own rules are relative to it. The current folder if None.

    Returns:
        TOML for `load_rules`. A rule that was made in Python and is in no file becomes a comment.

    Examples:
        >>> print(rules_toml(RULE_SETS["paper"].only("tonic").with_weights(tonic=2)), end="")
        name = "paper"
        rules = [
            "paper:tonic",
        ]
        <BLANKLINE>
        [weights]
        tonic = 2.0
        <BLANKLINE>
        [parameters.tonic]
        reward = 3.0
    """
    lines = [f"name = {_toml_text(rules.name)}", "rules = ["]
    for rule in rules.rules:
        name = qualified_name(rule, folder)
        lines.append(
            f"    {_toml_text(name)},"
            if name
            else f"    # {_toml_text(rule.name)} was made in Python: no file contains it"
        )
    lines += ["]", "", "[weights]", *(f"{_toml_key(rule.name)} = {_toml_number(rule.weight)}" for rule in rules.rules)]
    for rule in rules.rules:
        if rule.parameters:
            lines += ["", f"[parameters.{_toml_key(rule.name)}]"]
            lines += [f"{_toml_key(name)} = {_toml_number(value)}" for name, value in rule.parameters.items()]
    return "\n".join([*lines, ""])


def qualified_name(rule: Rule, folder: Path | None = None) -> str:
    """The name of a rule in a file in a folder: `rl-tuner:leap`, `my_rules.py:no_tritones`, or "".

    Examples:
        >>> qualified_name(RULE_SETS["rl-tuner"]["leap"])
        'rl-tuner:leap'
    """
    if rule.rule_set:
        return f"{rule.rule_set}:{rule.name}"
    if found := file_of(rule):
        path, name = found
        return f"{os.path.relpath(path, folder or Path.cwd())}:{name}"
    return ""


def _split(text: str) -> Sequence[str]:
    """The parts of a text; a file whose own name has a + or a comma is a part if it is named alone."""
    path, _ = _file_and_name(text.strip())
    try:
        if path.is_file():
            return [text]
    except (OSError, ValueError):  # too long for a file name, or a null byte in it
        pass
    return re.split(r"[+,]", text)


def _file_and_name(part: str) -> tuple[Path, str]:
    match = re.fullmatch(r"(.+\.py):([^:/+,]*)", part)
    return (Path(match[1]), match[2]) if match else (Path(part), "")


def _load_part(part: str, folder: Path, *, allow_toml: bool) -> RuleSet:
    """The rules that one part names; paths are relative to a folder."""
    path, name = _file_and_name(part)
    if path.suffix == ".py":
        if part.endswith(":"):
            raise UsageError(f"'{part}' names no rule", "write FILE.py:NAME, or FILE.py for all its rules")
        return RuleSet(name or path.stem, load_user_rules(folder / path, name))
    if path.suffix == ".toml" and allow_toml:
        return read_rules(folder / path)
    if path.suffix or "/" in part or "\\" in part:
        raise UsageError(f"'{part}' is not a file of rules", "name FILE.py:NAME or, but for a file of rules, FILE.toml")
    set_name, colon, rule_name = part.partition(":")
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


def _merge(sets: Sequence[RuleSet], parts: Sequence[str], name: str = "") -> RuleSet:
    """Merge sets into one; the error for two rules of one name says where both are from."""
    if len(sets) == 1 and name in ("", sets[0].name):
        return sets[0]
    owner: dict[str, str] = {}
    for rules, part in zip(sets, parts, strict=True):
        for rule in rules.names:
            if rule in owner:
                both = f"'{owner[rule]}' and '{part}'" if owner[rule] != part else f"'{part}', which is named twice,"
                raise UsageError(f"{both} have a rule '{rule}'", "name single rules of one of them, as SET:RULE")
            owner[rule] = part
    merged = tuple(rule for rules in sets for rule in rules.rules)
    # The scale is that of the part with most rules; of equal ones, the larger, which keeps closer to the model.
    scale = max(sets, key=lambda rules: (len(rules.rules), rules.scale)).scale
    return RuleSet(name or "+".join(rules.name for rules in sets), merged, scale)


def _from_table(content: Mapping[str, Any], path: Path) -> RuleSet:
    for key in content:
        if key not in _KEYS:
            raise UsageError(f"there is no key '{key}' in a file of rules", unknown_name_hint(key, _KEYS, "the keys"))
    name = _value(content, "name", str, path.stem)
    parts = [_value(content, "set", str, "")] if "set" in content else []
    parts += _value(content, "rules", list, [])
    if not parts:
        raise UsageError("it names no rules", 'begin with rules = ["rl-tuner"]')
    for part in parts:
        if not isinstance(part, str) or not part.strip():
            raise UsageError(f"{part!r} in 'rules' is not the name of a rule", 'write rules = ["rl-tuner"]')
    rules = _merge([_load_part(part.strip(), path.parent, allow_toml=False) for part in parts], parts, name)
    rules = _with_parameters(rules, _value(content, "parameters", dict, {}))
    return _with_weights(rules, _value(content, "weights", dict, {}))


def _value(content: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:  # noqa: ANN401  (any TOML value)
    value = content.get(key, default)
    if not isinstance(value, kind):
        examples = {"rules": '["rl-tuner"]', "set": '"rl-tuner"', "name": '"mine"'}
        how = f"write {key} = {examples[key]}" if key in examples else f"write a table: [{key}]"
        raise UsageError(f"'{key}' is not a {_TYPES[kind]}", how)
    return value


def _with_weights(rules: RuleSet, weights: Mapping[str, Any]) -> RuleSet:
    for name, weight in weights.items():
        if name not in rules.names:
            raise UsageError(
                f"[weights] names '{name}', which is no rule", unknown_name_hint(name, rules.names, "its rules")
            )
        if not _is_number(weight):
            raise UsageError(f"the weight of '{name}' is {weight!r}", "give a finite number; 1.0 changes nothing")
    return rules.with_weights(**weights)


def _with_parameters(rules: RuleSet, parameters: Mapping[str, Any]) -> RuleSet:
    changed = {rule.name: rule for rule in rules.rules}
    for name, values in parameters.items():
        if name not in changed:
            hint = unknown_name_hint(name, rules.names, "its rules")
            raise UsageError(f"[parameters] names '{name}', which is no rule", hint)
        if not isinstance(values, dict):
            raise UsageError(f"the parameters of '{name}' are not a table", f"write a table: [parameters.{name}]")
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
    annotation = inspect.signature(rule.function).parameters[name].annotation
    if annotation in (int, "int") and not isinstance(value, int):
        raise UsageError(f"the parameter '{name}' of '{rule.name}' is {value!r}", "give a whole number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and math.isfinite(value)


def _toml_text(value: str) -> str:
    """A TOML string; JSON has the same syntax within the basic multilingual plane."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(name: str) -> str:
    return name if name.isascii() and name.replace("-", "_").isidentifier() else _toml_text(name)


def _toml_number(value: float) -> str:
    return repr(value) if isinstance(value, bool | int | float) else repr(float(value))
