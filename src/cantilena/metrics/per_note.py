"""What rules say of one melody, note by note: not how often it keeps them, but where.

Does a rule hear bars? It is tried on melodies at random, in bars of four steps and of three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.io.engraving.spelling import spelled
from cantilena.music import HOLD, OFF, ON, Key, Line, Melody, Meter, find_key
from cantilena.rules import Context, Rule, RuleSet
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding

_BARS = (Meter(4, 4), Meter(3, 4))


def hears_bars(rule: Rule) -> bool:
    """Whether a rule says something else of the same notes in other bars.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> [rule.name for rule in RULE_SETS["rl-tuner"].rules if hears_bars(rule)]
        []
    """
    line = _wandering()
    one, other = (rule.rewards(line, Context(meter=meter, steps_per_bar=meter.numerator)) for meter in _BARS)
    return not np.array_equal(one, other)


@lru_cache
def _wandering() -> Line:
    """Melodies in steps of C major that begin anywhere, end anywhere, and often come back after 32 steps."""
    rng, shape = generator(0, "bars"), (96, 128)
    event = rng.choice([OFF, HOLD, ON], shape, p=[0.1, 0.3, 0.6])
    degree = np.clip(35 + np.cumsum(rng.integers(-2, 3, shape), axis=1), 7, 63)
    degree[::2], event[::2] = np.tile(degree[::2, :32], 4), np.tile(event[::2, :32], 4)
    pitch = degree // 7 * 12 + np.array(Key().pitch_classes)[degree % 7]
    return Line.of(event, np.where(event == ON, pitch, -1))


MOST_STEPS = 20_000
"""Sixteenths of the longest melody that is judged: some rules take time with the square of it."""

GRID = GridEncoding(low=0, high=127)
"""Sixteenths at the melody's own pitch: nothing is folded."""

AS_IT_BEGINS, WHILE_HELD, IN_THE_REST = "as it begins", "while it is held", "in the rest after it"
AT_THE_END, BEFORE_ALL = "at the end of the melody", "before the first note"


@dataclass(frozen=True)
class NoteRewards:
    """A note, and what the rules say from its beginning to the next note's.

    Args:
        note: its index in the melody's `sounding`; -1 for the silence before the first note.
        name: as it is spelled in the score, `F♯4`; or `rest`.
        bar: number of the bar, 1 for the first whole one, 0 for a pickup.
        beat: written beats from the barline, 1 for the first.
        first: the step at which it begins, counted from the start of its melody's first bar.
        steps: how many steps until the next note begins or the melody ends.
        values: weight times value by rule, summed over these steps; rules that say nothing are left out.
        when: by rule, when it speaks.
    """

    note: int
    name: str
    bar: int
    beat: float
    first: int
    steps: int
    values: Mapping[str, float]
    when: Mapping[str, str]

    @property
    def total(self) -> float:
        """What all rules give it together."""
        return sum(self.values.values())

    @property
    def place(self) -> str:
        """Bar and beat as `3.2½`."""
        whole, part = divmod(self.beat, 1)
        return f"{self.bar}.{int(whole)}{_FRACTIONS.get(round(part, 3), f'{part:.2f}'[1:])}"


_FRACTIONS = {0.0: "", 0.125: "⅛", 0.25: "¼", 0.375: "⅜", 0.5: "½", 0.625: "⅝", 0.75: "¾", 0.875: "⅞"}


@dataclass(frozen=True)
class MelodyRewards:
    """A melody on the grid, and what each rule says at each step.

    Args:
        melody: the melody as it was judged.
        rules: who judged.
        context: its key and bars.
        rewards: weight times value by rule, `(steps,)` each, from the start of the melody's first bar: a pickup is
            the end of a whole bar.
        notes: the same note by note.
        rounded: notes that moved to the grid.
        dropped: notes that the grid cannot say.
    """

    melody: Melody
    rules: RuleSet
    context: Context
    rewards: Mapping[str, NDArray[np.float64]]
    notes: tuple[NoteRewards, ...]
    rounded: int = 0
    dropped: int = 0

    @property
    def total(self) -> float:
        """The sum over all rules and steps."""
        return float(sum(values.sum() for values in self.rewards.values()))

    def given(self, rule: str) -> float:
        """What a rule gave, its penalties left out."""
        return float(np.maximum(self.rewards[rule], 0.0).sum())

    def taken(self, rule: str) -> float:
        """What a rule took, as a number of 0 or less."""
        return float(np.minimum(self.rewards[rule], 0.0).sum())

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values: rules, notes, and every step."""
        return {
            "title": self.melody.title,
            "key": self.context.key.name,
            "meter": str(self.context.meter),
            "bars": self.melody.bars,
            "steps_per_bar": self.context.steps_per_bar,
            "rounded": self.rounded,
            "dropped": self.dropped,
            "set": self.rules.name,
            "total": _rounded(self.total),
            "rules": [
                {
                    "name": rule.name,
                    "description": rule.description,
                    "source": rule.source,
                    "weight": rule.weight,
                    "parameters": dict(rule.parameters),
                    "sum": _rounded(float(self.rewards[rule.name].sum())),
                    "given": _rounded(self.given(rule.name)),
                    "taken": _rounded(self.taken(rule.name)),
                    "steps": [_rounded(value) for value in self.rewards[rule.name].tolist()],
                }
                for rule in self.rules.rules
            ],
            "notes": [
                {
                    "note": one.name,
                    "pitch": self.melody.sounding[one.note].top if one.note >= 0 else None,
                    "bar": one.bar,
                    "beat": _rounded(one.beat),
                    "step": one.first,
                    "steps": one.steps,
                    "sum": _rounded(one.total),
                    "values": {name: _rounded(value) for name, value in one.values.items()},
                    "when": dict(one.when),
                }
                for one in self.notes
            ],
        }


def melody_rewards(melody: Melody, rules: RuleSet, key: Key | None = None) -> MelodyRewards:
    """Ask rules about a melody, in its own key and meter.

    Args:
        melody: the melody; chords give their top note, and time is rounded to sixteenths.
        rules: the rules, each with its weight.
        key: the key; the melody's own if None, else the one that is found, else C major.

    Raises:
        UsageError: no notes, or longer than 20,000 sixteenths.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> judged = melody_rewards(Melody.of([(60, 12), (61, 12), (60, 24)]), RULE_SETS["paper"], Key())
        >>> [(note.place, note.name, dict(note.values)) for note in judged.notes]
        [('1.1', 'C4', {'tonic': 3.0}), ('1.1½', 'D♭4', {'key': -1.0}), ('1.2', 'C4', {'tonic': 3.0})]
        >>> judged.total
        5.0
    """
    if not melody.sounding:
        raise UsageError("this melody has no notes", "name a file with notes in it")
    if melody.length > MOST_STEPS * GRID.step_ticks:
        raise UsageError(
            f"this melody lasts {melody.length // GRID.step_ticks:,} sixteenths, more than {MOST_STEPS:,}",
            "judge its beginning: --seconds 120",
        )
    fit = GRID.fit(melody)
    fitted = replace(fit.melody, key=key or melody.key or find_key(fit.melody) or Key())
    assert fitted.key is not None
    meter, step = fitted.meter, GRID.step_ticks
    context = Context(fitted.key, meter, max(meter.ticks_per_bar // step, 1))
    line = GRID.line(GRID.encode(fitted)[None, :])
    lead = (-(fitted.pickup // step)) % context.steps_per_bar
    rewards = {rule.name: rule.weight * _judged(rule, line, context, lead) + 0.0 for rule in rules.rules}
    notes = tuple(_notes(fitted, line, rewards, lead))
    return MelodyRewards(fitted, rules, context, rewards, notes, fit.rounded, fit.dropped)


def _judged(rule: Rule, line: Line, context: Context, lead: int) -> NDArray[np.float64]:
    """What a rule gives at each step, `(lead + steps,)`.

    A rule that hears bars hears a pickup as the end of a whole bar; for the others the first note is the beginning.
    """
    if lead and hears_bars(rule):
        event = np.pad(line.event, ((0, 0), (lead, 0)), constant_values=HOLD)
        pitch = np.pad(line.pitch, ((0, 0), (lead, 0)), constant_values=-1)
        given = rule.rewards(Line.of(event, pitch), context)
    else:
        given = np.pad(rule.rewards(line, context), ((0, 0), (lead, 0)))
    (values,) = given
    return np.asarray(values)


def _notes(melody: Melody, line: Line, rewards: Mapping[str, NDArray[np.float64]], lead: int) -> list[NoteRewards]:
    event = line.event[0]
    begins = np.flatnonzero(event == ON) + lead
    edges = [0, *begins.tolist(), len(event) + lead]
    judged = []
    for note, (first, end) in enumerate(pairwise(edges), start=-1):
        values = {name: float(given[first:end].sum()) for name, given in rewards.items()}
        spoken = {name: value for name, value in values.items() if np.any(rewards[name][first:end])}
        if note < 0 and not spoken:
            continue
        rest = next((step for step in range(first + 1, end) if event[step - lead] == OFF), end) if note >= 0 else first
        is_last = end == edges[-1]
        when = {name: _when(rewards[name][first:end], note, rest - first, is_last=is_last) for name in spoken}
        bar, beat = _place(melody, (first - lead) * GRID.step_ticks)
        judged.append(NoteRewards(note, _name(melody, note), bar, beat, first, end - first, spoken, when))
    return judged


def _name(melody: Melody, note: int) -> str:
    """A note as it is spelled in the score."""
    if note < 0:
        return "rest"
    following = melody.sounding[note + 1].top if note + 1 < len(melody.sounding) else None
    return spelled(melody.sounding[note].top, melody.key or Key(), following).name


def _when(given: NDArray[np.float64], note: int, rest: int, *, is_last: bool) -> str:
    """When a rule speaks while a note lasts and the silence after it."""
    if note < 0:
        return BEFORE_ALL
    spoken = np.flatnonzero(given)
    if is_last and spoken[0] == len(given) - 1:
        return AT_THE_END
    parts = [AS_IT_BEGINS] if (spoken == 0).any() else []
    parts += [WHILE_HELD] if ((spoken > 0) & (spoken < rest)).any() else []
    parts += [IN_THE_REST] if ((spoken > 0) & (spoken >= rest)).any() else []
    return " and ".join(parts)


def _place(melody: Melody, tick: int) -> tuple[int, float]:
    """Bar and written beat of a tick; a pickup is the end of bar 0."""
    bar = melody.meter.ticks_per_bar
    bars, within = divmod(tick - melody.pickup % bar, bar)
    return bars + 1, 1 + within / (bar / melody.meter.numerator)


def _rounded(value: float) -> float:
    """Ten digits: no noise of the last bits in a file."""
    return float(f"{value:.10g}")
