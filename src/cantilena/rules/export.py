"""Rules written down whole, so that a run can say what it used and anybody can use it again."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cantilena.rules.catalogue import RULE_SETS
from cantilena.rules.rule import Rule, RuleSet
from cantilena.rules.user import file_of


def rules_toml(rules: RuleSet, folder: Path | None = None) -> str:
    """A file of rules that gives these again: every weight and every parameter stands in it.

    Args:
        rules: the rules.
        folder: where the file shall lie, to which the paths of users' own rules are relative; here if None.

    Returns:
        TOML for `load_rules`. A rule that was made in Python and is in no file is told in a comment.

    Example:
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
    lines = [f"name = {_text(rules.name)}", "rules = ["]
    for rule in rules.rules:
        place = place_of(rule, folder)
        lines.append(
            f"    {_text(place)}," if place else f"    # {_text(rule.name)} was made in Python: no file holds it"
        )
    lines += ["]", "", "[weights]", *(f"{_key(rule.name)} = {_number(rule.weight)}" for rule in rules.rules)]
    for rule in rules.rules:
        if rule.parameters:
            lines += ["", f"[parameters.{_key(rule.name)}]"]
            lines += [f"{_key(name)} = {_number(value)}" for name, value in rule.parameters.items()]
    return "\n".join([*lines, ""])


def place_of(rule: Rule, folder: Path | None = None) -> str:
    """How a rule is named in a file that lies in a folder: `rl-tuner:leap`, `my_rules.py:no_tritones`, or "".

    Example:
        >>> place_of(RULE_SETS["rl-tuner"]["leap"])
        'rl-tuner:leap'
    """
    for rules in RULE_SETS.values():
        if any(one.name == rule.name and one.judge is rule.judge for one in rules.rules):
            return f"{rules.name}:{rule.name}"
    if found := file_of(rule):
        path, name = found
        return f"{os.path.relpath(path, folder or Path.cwd())}:{name}"
    return ""


def _text(value: str) -> str:
    """A string of TOML: JSON's are, where nothing lies beyond the first 65,536 characters."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("-", "_").isidentifier() else _text(name)


def _number(value: float) -> str:
    return repr(value) if isinstance(value, bool | int | float) else repr(float(value))
