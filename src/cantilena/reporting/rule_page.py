"""A page that shows what rules say of a melody: the score with coloured notes, one file that opens offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.io import NoteLook, score_with_timemap
from cantilena.metrics import MelodyRewards, NoteRewards
from cantilena.reporting.text import short, signed
from cantilena.rules import Rule

MOST_BARS = 200
"""Bars that a page draws; the table of what each rule gave counts the rest too."""

GAIN, LOSS = "gain", "loss"
"""The classes of notes that are rewarded and penalised."""

SCORE_STYLE = (
    ".gain { color: #00736a; } .loss { color: #c03000; } .words { font-family: sans-serif; }"
    " @media (prefers-color-scheme: dark) { .gain { color: #4fd1b5; } .loss { color: #ff9068; } }"
)
"""Blue-green and orange-red, which differ for the colour-blind too; the signs under the notes say the same."""

_WIDE, _NARROW = 860, 400


def rule_page(judged: MelodyRewards, title: str) -> str:
    """The page as HTML text.

    Args:
        judged: the melody and what the rules say of it.
        title: the heading of the page.

    Returns:
        A self-contained document, the same for the same melody and rules.

    Raises:
        UsageError: the melody cannot be engraved.
    """
    notes = [one for one in judged.notes if one.bar <= MOST_BARS]
    script = _template_text("rules.js")
    environment = Environment(
        loader=PackageLoader("cantilena.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("rules.html").render(
        title=title,
        version=__version__,
        css=Markup(_template_text("report.css") + SCORE_STYLE + _template_text("rules.css")),  # noqa: S704  (our own)
        script=Markup(script),  # noqa: S704  (our own file)
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        facts=_facts(judged),
        summary=summary(judged),
        total=signed(judged.total),
        speaking=_speaking(judged),
        silent=[rule.name for rule in judged.rules.rules if not judged.rewards[rule.name].any()],
        scores=[(name, Markup(_score(judged, notes, width))) for name, width in (("wide", _WIDE), ("narrow", _NARROW))],  # noqa: S704
        is_cut=judged.melody.bars > MOST_BARS,
        most_bars=MOST_BARS,
        notes=[_row(one, index) for index, one in enumerate(notes)],
        payload=_payload(judged, notes),
    )


def looks_of(notes: Sequence[NoteRewards], rule: str = "") -> dict[int, NoteLook]:
    """How notes look where one rule is shown, or all together; room is left for the number of any of them.

    Args:
        notes: the judged notes.
        rule: the name of one rule; their sum if empty.
    """
    looks = {}
    for one in notes:
        if one.note < 0:
            continue
        speaks = rule in one.values if rule else bool(one.values)
        value = one.values.get(rule, 0.0) if rule else one.total
        widest = max((short(number) for number in (one.total, *one.values.values())), key=len) if one.values else ""
        looks[one.note] = NoteLook(short(value) if speaks else "", kind_of(value), widest)
    return looks


def kind_of(value: float) -> str:
    """The class of a note with that value.

    Example:
        >>> kind_of(3.0), kind_of(-0.5), kind_of(0.0)
        ('gain', 'loss', '')
    """
    return GAIN if value > 0 else LOSS if value < 0 else ""


def summary(judged: MelodyRewards) -> str:
    """What came of it, in two sentences.

    Example:
        >>> from cantilena.metrics.per_note import melody_rewards
        >>> from cantilena.music import Key, Melody
        >>> from cantilena.rules import RULE_SETS
        >>> tune = Melody.of([(60, 12), (61, 12), (60, 24)])
        >>> print(summary(melody_rewards(tune, RULE_SETS["paper"], Key())))
        The 3 rules of paper give this melody +5 together: +6 for what they like, −1 for what they do not. Most is
        earned by tonic (+6), most is lost by key (−1).
    """
    names = list(judged.rewards)
    given, taken = ({name: of(name) for name in names} for of in (judged.given, judged.taken))
    who = f"The {len(names)} rules of {judged.rules.name} give" if len(names) > 1 else f"The rule {names[0]} gives"
    first = (
        f"{who} this melody {signed(judged.total)} together"
        if len(names) > 1
        else f"{who} this melody {signed(judged.total)}"
    )
    parts = [f"{signed(sum(given.values()))} for what they like", f"{signed(sum(taken.values()))} for what they do not"]
    if len(names) == 1:
        parts = [part.replace("they like", "it likes").replace("they do", "it does") for part in parts]
    best, worst = max(names, key=lambda name: given[name]), min(names, key=lambda name: taken[name])
    most = [f"most is earned by {best} ({signed(given[best])})"] if given[best] > 0 else []
    most += [f"most is lost by {worst} ({signed(taken[worst])})"] if taken[worst] < 0 else []
    if len(names) == 1 or not most:
        return f"{first}: {', '.join(parts)}."
    last = ", ".join(most)
    return f"{first}: {', '.join(parts)}. {last[0].upper()}{last[1:]}."


def says_of(rule: Rule) -> str:
    """What a rule says, with the value of each parameter that it names.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> says_of(RULE_SETS["rl-tuner"]["tonic"])
        'The tonic in octave 4 on the first step and again 4 steps before the end, held there, then at rest.'
    """
    says = rule.description
    for name, value in rule.parameters.items():
        says = says.replace(f"`{name}`", f"{value:g}")
    return says.replace("`", "") or "A rule without words."


def _facts(judged: MelodyRewards) -> str:
    bars = judged.melody.bars
    key = judged.context.key.name
    facts = [
        key[0] + key[1:].replace("b ", "♭ ").replace("#", "♯"),
        str(judged.context.meter),
        f"{bars:,} {'bar' if bars == 1 else 'bars'}",
    ]
    count = len(judged.melody.sounding)
    return " · ".join([*facts, f"{count:,} {'note' if count == 1 else 'notes'}"])


def _speaking(judged: MelodyRewards) -> list[dict[str, Any]]:
    """The rules that say something, for the buttons and the table."""
    rows = []
    for rule in judged.rules.rules:
        values = judged.rewards[rule.name]
        if values.any():
            rows.append(
                {
                    "name": rule.name,
                    "says": says_of(rule),
                    "sum": signed(float(values.sum())),
                    "kind": kind_of(float(values.sum())),
                    "given": signed(judged.given(rule.name)) if judged.given(rule.name) else "",
                    "taken": signed(judged.taken(rule.name)) if judged.taken(rule.name) else "",
                    "weight": f"{rule.weight:g}",
                }
            )
    return rows


def _score(judged: MelodyRewards, notes: Sequence[NoteRewards], width: int) -> str:
    melody = judged.melody
    if melody.bars > MOST_BARS:
        starts = list(melody.bar_starts())
        melody = melody.until(starts[min(MOST_BARS + (notes[0].bar == 0), len(starts) - 1)])
    return score_with_timemap(melody, width=width, heading=False, looks=looks_of(notes)).svg


def _row(note: NoteRewards, index: int) -> dict[str, Any]:
    values = [
        {"rule": rule, "value": signed(value), "kind": kind_of(value), "when": note.when[rule]}
        for rule, value in note.values.items()
    ]
    total = {"total": signed(note.total), "kind": kind_of(note.total)}
    return {"index": index, "place": note.place, "name": note.name, "values": values, **total}


def _payload(judged: MelodyRewards, notes: Sequence[NoteRewards]) -> dict[str, Any]:
    """What the page's script needs: rules by number, and each note's values, shown short and whole."""
    speaking = [rule for rule in judged.rules.rules if judged.rewards[rule.name].any()]
    number = {rule.name: index for index, rule in enumerate(speaking)}
    return {
        "rules": [{"name": rule.name, "says": says_of(rule)} for rule in speaking],
        "notes": [
            {
                "note": one.note,
                "name": one.name,
                "bar": one.bar,
                "place": one.place,
                "total": [kind_of(one.total), short(one.total), signed(one.total)],
                "values": [
                    [number[rule], kind_of(value), short(value), signed(value), one.when[rule]]
                    for rule, value in one.values.items()
                ],
            }
            for one in notes
        ],
    }


def _template_text(name: str) -> str:
    return (resources.files("cantilena.reporting") / "templates" / name).read_text(encoding="utf-8")
