"""Which rules there are, and what each says: in words, in numbers, and in a few bars."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.io import score_with_timemap
from cantilena.reporting.rule_page import SCORE_STYLE, looks_of, says_of
from cantilena.rules import RULE_SETS, Rule, load_rules
from cantilena.rules.export import place_of
from cantilena.runtime import write_text
from cantilena.workflows.rules.examples import RuleExample, example_of


@dataclass(frozen=True)
class ListedRule:
    """One row of the list.

    Args:
        rules: the name of its set.
        rule: the rule.
    """

    rules: str
    rule: Rule

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "set": self.rules,
            "name": self.rule.name,
            "weight": self.rule.weight,
            "description": self.rule.description,
            "source": self.rule.source,
        }


def list_rules() -> list[ListedRule]:
    """Every rule of every set of the catalogue, in order."""
    return [ListedRule(name, rule) for name, rules in RULE_SETS.items() for rule in rules.rules]


def listed_text(rows: Sequence[ListedRule]) -> str:
    """The list for a terminal: each set above its rules."""
    width = max(len(row.rule.name) for row in rows)
    where = max(len(short_source(row.rule.source)) for row in rows)
    lines: list[str] = []
    for row in rows:
        if not lines or row.rules != rows[rows.index(row) - 1].rules:
            count = sum(other.rules == row.rules for other in rows)
            lines += [""] * bool(lines) + [f"{row.rules}: {count} rules"]
        source = short_source(row.rule.source)
        lines.append(f"  {row.rule.name:<{width}}  x {row.rule.weight:<4g} {source:<{where}}  {says_of(row.rule)}")
    return "\n".join([*lines, "", "`cantilena rules explain NAME` says more of one, with an example."])


def short_source(source: str) -> str:
    """The authors of a source and the year where one is given, else its beginning.

    Example:
        >>> short_source("N. Jaques, S. Gu, R. E. Turner, D. Eck, Tuning Recurrent Neural Networks, 2017")
        'Jaques et al. 2017'
        >>> short_source("H. Qiu, C. Wang, Classic Monophonic Melody Generation"), short_source("my_rules.py, line 4")
        ('Qiu, Wang', 'my_rules.py, line 4')
    """
    authors = []
    for part in source.split(", "):
        found = re.fullmatch(r"(?:[A-Z]\. ?)+((?:van |von |de )?[A-Z][\w'’-]+)", part)
        if found is None:
            break
        authors.append(found[1])
    if not authors:
        clause = re.split(r"[:;]", source)[0]
        return clause if len(clause) <= 28 else clause[:27].rstrip() + "…"
    year = re.search(r"(?<=, )(?:1[5-9]|20)\d\d\b", source)
    named = f"{authors[0]} et al." if len(authors) > 2 else ", ".join(authors)
    return f"{named} {year[0]}" if year else named


@dataclass(frozen=True)
class ExplainedRule:
    """What a rule says.

    Args:
        name: how the user may name it: `rl-tuner:leap`, `my_rules.py:no_tritones`.
        rule: the rule.
        example: a few bars in which it speaks, None where no prepared bars make it speak.
    """

    name: str
    rule: Rule
    example: RuleExample | None

    @property
    def details(self) -> list[str]:
        """What its author says beyond the first line, in paragraphs."""
        paragraphs = _paragraphs(self.rule.judge)[1:]
        feature = getattr(self.rule, "feature", None)  # what a rule with a band measures
        if feature is not None:
            measured = _paragraphs(getattr(feature, "func", feature))
            paragraphs += [f"It measures, and penalises on the last step where people do otherwise: {measured[0]}"]
            paragraphs += measured[1:]
        return paragraphs

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        example = None
        if self.example is not None:
            judged = self.example.judged.to_json()
            steps = judged["rules"][0]["steps"]
            example = {"title": self.example.title, "tokens": self.example.tokens, "steps": steps}
            example |= {name: judged[name] for name in ("key", "meter", "steps_per_bar", "total")}
        return {
            "name": self.name,
            "description": self.rule.description,
            "details": self.details,
            "source": self.rule.source,
            "weight": self.rule.weight,
            "parameters": dict(self.rule.parameters),
            "example": example,
        }

    def text(self) -> str:
        """The same for a terminal."""
        lines = [self.name, "", f"  {says_of(self.rule)}"]
        for paragraph in self.details:
            lines += ["", f"  {paragraph}"]
        lines += ["", f"  weight      {self.rule.weight:g}"]
        for index, (name, value) in enumerate(self.rule.parameters.items()):
            label = "parameters" if index == 0 else ""
            lines.append(f"  {label:<11} {name} = {_parameter(self.rule, name, value)}")
        lines.append(f"  source      {self.rule.source or 'none is given'}")
        if self.example is None:
            lines += ["", "  None of the prepared examples makes it speak."]
        else:
            judged = self.example.judged
            lines += ["", f"  Example: {self.example.title} ({judged.context.key.name}, {judged.context.meter}; in"]
            lines[-1] += " sixteenths: - goes on, r rests)"
            lines += [f"    {line}" for line in self.example.lines()]
        return "\n".join(lines)


def explain_rules(name: str) -> list[ExplainedRule]:
    """What is meant by a name: a rule of any set, `SET:RULE`, a set, a user's own, a file of rules.

    Args:
        name: as `load_rules` takes it, or the bare name of a rule.

    Returns:
        The rules of that name; several where several sets have one.

    Raises:
        UsageError: nothing is called so.

    Example:
        >>> [explained.name for explained in explain_rules("leap")]
        ['rl-tuner:leap']
    """
    named = [rules[name] for rules in RULE_SETS.values() if name in rules.names]
    if not named and name not in RULE_SETS and re.fullmatch(r"[\w-]+", name):
        known = [*RULE_SETS, *dict.fromkeys(row.rule.name for row in list_rules())]
        hint = unknown_name_hint(name, known, "there are")
        raise UsageError(f"there is no rule or set '{name}'", f"{hint}; a rule of your own is FILE.py:NAME")
    rules = named or load_rules(name).rules
    return [ExplainedRule(place_of(rule) or rule.name, rule, example_of(rule)) for rule in rules]


def draw_example(explained: Sequence[ExplainedRule], out: Path, *, force: bool = False) -> None:
    """Engrave the example of a rule, with what it gives under the notes.

    Args:
        explained: what `explain_rules` gave, one rule.
        out: the SVG to write.
        force: replace a file that is there.

    Raises:
        UsageError: not one rule, no example, or another suffix.
        RunError: the file is there, and `force` is off.
    """
    if out.suffix.lower() != ".svg":
        raise UsageError(f"{out} is not the name of an SVG file", "name a file that ends in .svg")
    if len(explained) != 1:
        names = ", ".join(one.name for one in explained)
        raise UsageError(f"{len(explained)} rules are meant, but one example can be drawn", f"choose one of {names}")
    ((one),) = explained
    if one.example is None:
        raise UsageError(f"no prepared example makes the rule '{one.name}' speak", "score a melody of your own")
    judged = one.example.judged
    melody = replace(judged.melody, title=f"{one.name}: {one.example.title}", source=says_of(one.rule))
    svg = score_with_timemap(melody, annotations=looks_of(judged.notes), style=SCORE_STYLE).svg
    write_text(out, svg, overwrite=force)


def _paragraphs(judge: object) -> list[str]:
    """What a docstring says before its sections, unwrapped, without the shapes of arrays."""
    text = re.sub(r",?\s`\([\w, ]*\)`", "", inspect.getdoc(judge) or "")
    said = re.split(r"^(?:Args|Returns|Raises|Example|Examples|Note|Notes):\s*$", text, maxsplit=1, flags=re.MULTILINE)
    return [" ".join(paragraph.split()) for paragraph in said[0].split("\n\n") if paragraph.strip()]


def _parameter(rule: Rule, name: str, value: float) -> str:
    """A parameter's value; of a band, whose bounds are people's own unless they are given, that."""
    is_peoples_own = getattr(rule, "feature", None) is not None and name in ("low", "high", "spread") and value < 0
    return "people's own" if is_peoples_own else f"{value:g}"
