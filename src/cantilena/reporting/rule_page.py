"""A page with the rewards of rules for a melody: the score with coloured notes, one file that works offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from cantilena.io import NoteAnnotation, score_with_timemap
from cantilena.metrics import MelodyRewards, NoteRewards
from cantilena.reporting.templates import read_template, render
from cantilena.reporting.text import counted, sentence, signed, signed_short
from cantilena.rules import Rule

MOST_BARS = 200
"""The most bars of the score; the table of rules counts the rest too."""

GAIN, LOSS = "gain", "loss"
"""The classes of notes that are rewarded and penalised."""

SCORE_STYLE = (
    ".gain { color: #00736a; } .loss { color: #c03000; } .words { font-family: sans-serif; }"
    " @media (prefers-color-scheme: dark) { .gain { color: #4fd1b5; } .loss { color: #ff9068; } }"
)
"""Blue-green and orange-red, which differ for the colour-blind too; the signs under the notes are the same."""

_WIDTHS = {"wide": 860, "narrow": 400}


def rule_page(scored: MelodyRewards, title: str) -> str:
    """Render the page as a self-contained HTML document, the same for the same melody and rules.

    Raises:
        UsageError: the melody cannot be engraved.
    """
    notes = [one for one in scored.notes if one.bar <= MOST_BARS]
    active = [rule for rule in scored.rules.rules if scored.rewards[rule.name].any()]
    return render(
        "rules.html",
        css=read_template("report.css") + SCORE_STYLE + read_template("rules.css"),
        script=read_template("rules.js"),
        title=title,
        facts=_facts(scored),
        summary=summary(scored),
        total=signed(scored.total),
        active=[_rule_row(scored, rule) for rule in active],
        inactive=[rule.name for rule in scored.rules.rules if rule not in active],
        scores=[(name, Markup(_score(scored, notes, width))) for name, width in _WIDTHS.items()],  # noqa: S704
        is_cut=scored.melody.bars > MOST_BARS,
        most_bars=MOST_BARS,
        notes=[_note_row(one, index) for index, one in enumerate(notes)],
        payload=_payload(active, notes),
    )


def note_looks(notes: Sequence[NoteRewards], rule: str = "") -> dict[int, NoteAnnotation]:
    """The appearance of notes for one rule, or for the sum of all if none is named; leaves room for any number."""
    annotations = {}
    for one in notes:
        if one.note < 0:
            continue
        applies = rule in one.values if rule else bool(one.values)
        value = one.values.get(rule, 0.0) if rule else one.total
        widest = max(map(signed_short, (one.total, *one.values.values())), key=len) if one.values else ""
        annotations[one.note] = NoteAnnotation(signed_short(value) if applies else "", kind_of(value), widest)
    return annotations


def kind_of(value: float) -> str:
    """The class of a note with that value.

    Examples:
        >>> kind_of(3.0), kind_of(-0.5), kind_of(0.0)
        ('gain', 'loss', '')
    """
    return GAIN if value > 0 else LOSS if value < 0 else ""


def summary(scored: MelodyRewards) -> str:
    """The total in a sentence or two.

    Examples:
        >>> from cantilena.metrics.per_note import melody_rewards
        >>> from cantilena.music import Key, Melody
        >>> from cantilena.rules import RULE_SETS
        >>> tune = Melody.from_pitches([(60, 12), (61, 12), (60, 24)])
        >>> print(summary(melody_rewards(tune, RULE_SETS["paper"], Key())))
        The 3 rules of paper give this melody +5: +6 in rewards, −1 in penalties. The largest reward is from tonic (+6),
        the largest penalty from key (−1).
    """
    names = list(scored.rewards)
    given, taken = ({name: of(name) for name in names} for of in (scored.given, scored.taken))
    who = f"The {len(names)} rules of {scored.rules.name} give" if len(names) > 1 else f"The rule {names[0]} gives"
    first = (
        f"{who} this melody {signed(scored.total)}: {signed(sum(given.values()))} in rewards, "
        f"{signed(sum(taken.values()))} in penalties."
    )
    best, worst = max(names, key=lambda name: given[name]), min(names, key=lambda name: taken[name])
    most = [f"the largest reward is from {best} ({signed(given[best])})"] if given[best] > 0 else []
    if taken[worst] < 0:
        most.append(f"the largest penalty {'' if most else 'is '}from {worst} ({signed(taken[worst])})")
    if len(names) == 1 or not most:
        return first
    return f"{first} {sentence(', '.join(most))}"


def describe(rule: Rule) -> str:
    """The description of a rule, with the value of each parameter that it names.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> describe(RULE_SETS["rl-tuner"]["tonic"])
        'The tonic in octave 4 on the first step and again 4 steps before the end, held there, then at rest.'
    """
    description = rule.description
    for name, value in rule.parameters.items():
        description = description.replace(f"`{name}`", f"{value:g}")
    return description.replace("`", "") or "A rule without a description."


def _facts(scored: MelodyRewards) -> str:
    key = scored.context.key.name
    name = key[0] + key[1:].replace("b ", "♭ ").replace("#", "♯")
    bars, notes = counted(scored.melody.bars, "bar"), counted(len(scored.melody.sounding), "note")
    return " · ".join([name, str(scored.context.meter), bars, notes])


def _rule_row(scored: MelodyRewards, rule: Rule) -> dict[str, Any]:
    """A rule for the buttons and the table."""
    given, taken, total = scored.given(rule.name), scored.taken(rule.name), float(scored.rewards[rule.name].sum())
    return {
        "name": rule.name,
        "description": describe(rule),
        "sum": signed(total),
        "kind": kind_of(total),
        "given": signed(given) if given else "",
        "taken": signed(taken) if taken else "",
        "weight": f"{rule.weight:g}",
    }


def _score(scored: MelodyRewards, notes: Sequence[NoteRewards], width: int) -> str:
    melody = scored.melody
    if melody.bars > MOST_BARS:
        starts = list(melody.bar_starts())
        melody = melody.until(starts[min(MOST_BARS + (notes[0].bar == 0), len(starts) - 1)])
    return score_with_timemap(melody, width=width, heading=False, annotations=note_looks(notes)).svg


def _note_row(note: NoteRewards, index: int) -> dict[str, Any]:
    values = [
        {"rule": rule, "value": signed(value), "kind": kind_of(value), "when": note.when[rule]}
        for rule, value in note.values.items()
    ]
    total = {"total": signed(note.total), "kind": kind_of(note.total)}
    return {"index": index, "place": note.place, "name": note.name, "values": values, **total}


def _payload(active: Sequence[Rule], notes: Sequence[NoteRewards]) -> dict[str, Any]:
    """The data of the page's script: rules by number, and each note's values, short and in full."""
    number = {rule.name: index for index, rule in enumerate(active)}
    return {
        "rules": [{"name": rule.name, "description": describe(rule)} for rule in active],
        "notes": [
            {
                "note": one.note,
                "name": one.name,
                "bar": one.bar,
                "place": one.place,
                "total": [kind_of(one.total), signed_short(one.total), signed(one.total)],
                "values": [
                    [number[rule], kind_of(value), signed_short(value), signed(value), one.when[rule]]
                    for rule, value in one.values.items()
                ],
            }
            for one in notes
        ],
    }
