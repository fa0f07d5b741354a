"""`rules list` and `rules explain`: the rules, each with its parameters, its source and an example."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.generation import read_primer
from cantilena.io import score_with_timemap
from cantilena.metrics import MelodyRewards, melody_rewards
from cantilena.metrics.per_note import GRID
from cantilena.music import ChordTrack, Key, Melody, Meter
from cantilena.reporting.rule_page import SCORE_STYLE, describe, note_looks
from cantilena.reporting.text import signed_ascii
from cantilena.rules import MORE_EXAMPLES, RULE_SETS, Example, Rule, RuleSet, load_rules, qualified_name
from cantilena.rules.bands import MEASURED, TwoSidedRule
from cantilena.runtime import write_text


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
        """As JSON values."""
        return {
            "set": self.rules,
            "name": self.rule.name,
            "weight": self.rule.weight,
            "description": self.rule.description,
            "source": self.rule.source,
        }


def list_rules() -> list[ListedRule]:
    """Every rule of every built-in set, in order."""
    return [ListedRule(name, rule) for name, rules in RULE_SETS.items() for rule in rules.rules]


def listed_text(rows: Sequence[ListedRule]) -> str:
    """The list for a terminal, with a heading for each set."""
    names, sources = (max(map(len, column)) for column in zip(*map(_columns, rows), strict=True))
    lines: list[str] = []
    for number, row in enumerate(rows):
        if not number or row.rules != rows[number - 1].rules:
            count = sum(other.rules == row.rules for other in rows)
            lines += [""] * bool(lines) + [f"{row.rules}: {count} rules"]
        name, source = _columns(row)
        lines.append(f"  {name:<{names}}  x {row.rule.weight:<4g} {source:<{sources}}  {describe(row.rule)}")
    return "\n".join([*lines, "", "`cantilena rules explain NAME` explains one, with an example."])


def _columns(row: ListedRule) -> tuple[str, str]:
    return row.rule.name, short_source(row.rule.source)


def short_source(source: str) -> str:
    """The authors and the year of a source, else its beginning.

    Examples:
        >>> short_source("N. Jaques, S. Gu, R. E. Turner, D. Eck, Tuning Recurrent Neural Networks, 2017")
        'Jaques et al. 2017'
        >>> short_source("H. Qiu, C. Wang, Classic Monophonic Melody Generation"), short_source("my_rules.py, line 4")
        ('Qiu, Wang', 'my_rules.py, line 4')
    """
    authors = []
    for part in source.split(", "):
        author = re.fullmatch(r"(?:[A-Z]\. ?)+((?:van |von |de )?[A-Z][\w'’-]+)", part)
        if author is None:
            break
        authors.append(author[1])
    if not authors:
        clause = re.split(r"[:;]", source)[0]
        return clause if len(clause) <= 28 else clause[:27].rstrip() + "…"
    year = re.search(r"(?<=, )(?:1[5-9]|20)\d\d\b", source)
    named = f"{authors[0]} et al." if len(authors) > 2 else ", ".join(authors)
    return f"{named} {year[0]}" if year else named


@dataclass(frozen=True)
class EvaluatedExample:
    """An example, and what a rule gives for it.

    Args:
        example: the bars.
        scored: the rewards.
    """

    example: Example
    scored: MelodyRewards

    @property
    def tokens(self) -> list[str]:
        """The steps by name: `C4`, `hold`, `off`."""
        return [GRID.vocabulary[token] for token in GRID.encode(self.scored.melody)]

    def lines(self) -> list[str]:
        """The steps of each bar above their rewards, for a terminal; bars without any are left out after the second."""
        (values,) = self.scored.rewards.values()
        cells = [{"hold": "-", "off": "r"}.get(name, name) for name in self.tokens]
        rewards = [signed_ascii(value) if value else "" for value in values.tolist()]
        width = 1 + max(map(len, (*cells, *rewards)))
        bar, lines = self.scored.context.steps_per_bar, []
        for start in range(0, len(cells), bar):
            notes, given = cells[start : start + bar], rewards[start : start + bar]
            if start < 2 * bar or any(given):
                lines.append("notes   " + "".join(cell.ljust(width) for cell in notes).rstrip())
            elif lines[-1] != "...":
                lines.append("...")
            if any(given):
                lines.append("reward  " + "".join(cell.ljust(width) for cell in given).rstrip())
        return lines


def example_of(rule: Rule) -> EvaluatedExample | None:
    r"""The example of a rule; for a rule without one, the bars for which its rewards are most varied.

    Most varied are many different numbers, rewards beside penalties, in few bars. None if they are 0 for all bars.

    Examples:
        >>> example = example_of(RULE_SETS["rl-tuner"]["repeated_motif"])
        >>> example.example.title
        'a motif, and its return'
        >>> print("\n".join(example.lines()))
        notes   C4 -  D4 -  E4 -  G4 -  C4 -  D4 -  E4 -  G4 -
        reward                                               +5
    """
    own = [rule.example] if rule.example else []
    best, best_score = None, 0.0
    for example in dict.fromkeys([*own, *_examples_of_rules(), *MORE_EXAMPLES]):
        scored = melody_rewards(example_melody(example), RuleSet(rule.name, (rule,)))
        values = np.unique(scored.rewards[rule.name])
        values = values[values != 0]
        if not len(values):
            continue
        if example in own:
            return EvaluatedExample(example, scored)
        score = 10 + min(len(values), 3) + (values[0] < 0 < values[-1]) - scored.melody.bars
        if best is None or score > best_score:
            best, best_score = EvaluatedExample(example, scored), score
    return best


def _examples_of_rules() -> list[Example]:
    return [row.rule.example for row in list_rules() if row.rule.example]


def example_melody(example: Example) -> Melody:
    """The bars of an example as a melody."""
    key, meter = Key.parse(example.key), Meter.parse(example.meter)
    chords = ChordTrack.parse(example.chords, meter) if example.chords else ChordTrack()
    return replace(read_primer(example.notes), key=key, meter=meter, title=example.title, chords=chords)


@dataclass(frozen=True)
class ExplainedRule:
    """A rule and its explanation.

    Args:
        name: as it is loaded: `rl-tuner:leap`.
        rule: the rule.
        example: bars for which it gives rewards; None where none are known.
    """

    name: str
    rule: Rule
    example: EvaluatedExample | None

    @property
    def details(self) -> list[str]:
        """The docstring after its first line, in paragraphs."""
        paragraphs = _paragraphs(self.rule.function)[1:]
        if isinstance(self.rule, TwoSidedRule):
            feature = _paragraphs(getattr(self.rule.feature, "func", self.rule.feature))
            paragraphs += [f"It penalises, on the last step, values outside the band of: {feature[0]}", *feature[1:]]
        return paragraphs

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        example = None
        if self.example is not None:
            scored = self.example.scored.to_json()
            steps = scored["rules"][0]["steps"]
            example = {"title": self.example.example.title, "tokens": self.example.tokens, "steps": steps}
            example |= {name: scored[name] for name in ("key", "meter", "steps_per_bar", "total")}
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
        lines = [self.name, "", f"  {describe(self.rule)}"]
        for paragraph in self.details:
            lines += ["", f"  {paragraph}"]
        lines += ["", f"  weight      {self.rule.weight:g}"]
        for index, (name, value) in enumerate(self.rule.parameters.items()):
            is_measured = isinstance(self.rule, TwoSidedRule) and value == MEASURED
            shown = "measured in the built-in corpus" if is_measured else f"{value:g}"
            lines.append(f"  {'' if index else 'parameters':<11} {name} = {shown}")
        lines.append(f"  source      {self.rule.source or 'not given'}")
        if self.example is None:
            return "\n".join([*lines, "", "  Its rewards are 0 for all prepared examples."])
        context, title = self.example.scored.context, self.example.example.title
        chords = f", over {self.example.example.chords}" if self.example.example.chords else ""
        facts = f"{context.key.name}, {context.meter}{chords}; in sixteenths: - is a hold, r a rest"
        lines += ["", f"  Example: {title} ({facts})"]
        return "\n".join([*lines, *(f"    {line}" for line in self.example.lines())])


def explain_rules(name: str) -> list[ExplainedRule]:
    """Explain a rule of any set, `SET:RULE`, a set, a user's own rule, or a file of rules.

    Args:
        name: as `load_rules` takes it, or the bare name of a rule.

    Returns:
        The rules of that name; several where several sets have one.

    Raises:
        UsageError: there is no such rule or set.

    Examples:
        >>> [explained.name for explained in explain_rules("leap")]
        ['rl-tuner:leap']
    """
    named = [rules[name] for rules in RULE_SETS.values() if name in rules.names]
    if not named and name not in RULE_SETS and re.fullmatch(r"[\w-]+", name):
        known = [*RULE_SETS, *dict.fromkeys(row.rule.name for row in list_rules())]
        hint = unknown_name_hint(name, known, "there are")
        raise UsageError(f"there is no rule or set '{name}'", f"{hint}; a rule of your own is FILE.py:NAME")
    rules = named or load_rules(name).rules
    return [ExplainedRule(qualified_name(rule) or rule.name, rule, example_of(rule)) for rule in rules]


def draw_example(explained: Sequence[ExplainedRule], out: Path, *, force: bool = False) -> None:
    """Engrave the example of a rule, with the rewards under the notes.

    Raises:
        UsageError: there is not exactly one rule, it has no example, or the suffix is another.
        RunError: the file exists, and `force` is off.
    """
    if out.suffix.lower() != ".svg":
        raise UsageError(f"{out} is not an SVG file", "name a file that ends in .svg")
    if len(explained) != 1:
        names = ", ".join(one.name for one in explained)
        raise UsageError(f"the name matches {len(explained)} rules, but one example can be drawn", f"choose {names}")
    ((one),) = explained
    if one.example is None:
        raise UsageError(f"the rule '{one.name}' gives no rewards for any prepared example", "score a melody instead")
    scored = one.example.scored
    melody = replace(scored.melody, title=f"{one.name}: {one.example.example.title}", source=describe(one.rule))
    svg = score_with_timemap(melody, annotations=note_looks(scored.notes), style=SCORE_STYLE).svg
    write_text(out, svg, overwrite=force)


def _paragraphs(function: object) -> list[str]:
    """The paragraphs of a docstring before its sections, unwrapped, without the shapes of arrays."""
    text = re.sub(r",?\s`\([\w, ]*\)`", "", inspect.getdoc(function) or "")
    prose = re.split(r"^(?:Args|Returns|Raises|Example|Examples|Note|Notes):\s*$", text, maxsplit=1, flags=re.MULTILINE)
    return [" ".join(paragraph.split()) for paragraph in prose[0].split("\n\n") if paragraph.strip()]
