"""Rewards note by note: what each rule gives to each note of one melody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.io.engraving.spelling import spell_pitch
from cantilena.music import HOLD, OFF, ON, Key, Line, Melody, Meter, find_key
from cantilena.rules import Context, Rule, RuleSet
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding

MOST_STEPS = 20_000
"""The longest melody in sixteenths: some rules take quadratic time."""

GRID = GridEncoding(low=0, high=127)
"""Sixteenths over the whole range: nothing is folded."""

AS_IT_BEGINS, WHILE_HELD, IN_THE_REST = "as it begins", "while it is held", "in the rest after it"
AT_THE_END, BEFORE_ALL = "at the end of the melody", "before the first note"

_FRACTIONS = {0.0: "", 0.125: "⅛", 0.25: "¼", 0.375: "⅜", 0.5: "½", 0.625: "⅝", 0.75: "¾", 0.875: "⅞"}


@dataclass(frozen=True)
class NoteRewards:
    """A note, and the rewards from its beginning to the next note's.

    Args:
        note: its index in the melody's `sounding`; -1 for the silence before the first note.
        name: as it is spelled in the score, `F♯4`; or `rest`.
        bar: the number of the bar, 1 for the first whole one, 0 for a pickup.
        beat: written beats from the barline, 1 for the first.
        first: the step at which it begins, counted from the start of the melody's first bar.
        steps: the number of steps until the next note begins or the melody ends.
        values: weighted rewards by rule, summed over these steps; rules without any are left out.
        when: by rule, at which of these steps it rewards.
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
        """The sum over all rules."""
        return sum(self.values.values())

    @property
    def place(self) -> str:
        """Bar and beat as `3.2½`."""
        whole, part = divmod(self.beat, 1)
        return f"{self.bar}.{int(whole)}{_FRACTIONS.get(round(part, 3), f'{part:.2f}'[1:])}"


@dataclass(frozen=True)
class MelodyRewards:
    """A melody on the grid, and the rewards of each rule at each step.

    Args:
        melody: the melody as it was evaluated.
        rules: the rules.
        context: its key and bars.
        rewards: weighted rewards by rule, `(steps,)` each, from the start of the melody's first bar: a pickup is the
            end of a whole bar.
        notes: the same note by note.
        rounded: the number of notes that moved to the grid.
        dropped: the number of notes that the grid cannot represent.
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
        """The sum of a rule's positive rewards."""
        return float(np.maximum(self.rewards[rule], 0.0).sum())

    def taken(self, rule: str) -> float:
        """The sum of a rule's penalties, 0 or less."""
        return float(np.minimum(self.rewards[rule], 0.0).sum())

    def to_json(self) -> dict[str, Any]:
        """As JSON values: rules, notes, and every step."""
        return {
            "title": self.melody.title,
            "key": self.context.key.name,
            "meter": str(self.context.meter),
            "bars": self.melody.bars,
            "steps_per_bar": self.context.steps_per_bar,
            "rounded": self.rounded,
            "dropped": self.dropped,
            "set": self.rules.name,
            "total": _digits(self.total),
            "rules": [
                {
                    "name": rule.name,
                    "description": rule.description,
                    "source": rule.source,
                    "weight": rule.weight,
                    "parameters": dict(rule.parameters),
                    "sum": _digits(float(self.rewards[rule.name].sum())),
                    "given": _digits(self.given(rule.name)),
                    "taken": _digits(self.taken(rule.name)),
                    "steps": [_digits(value) for value in self.rewards[rule.name].tolist()],
                }
                for rule in self.rules.rules
            ],
            "notes": [
                {
                    "note": one.name,
                    "pitch": self.melody.sounding[one.note].top if one.note >= 0 else None,
                    "bar": one.bar,
                    "beat": _digits(one.beat),
                    "step": one.first,
                    "steps": one.steps,
                    "sum": _digits(one.total),
                    "values": {name: _digits(value) for name, value in one.values.items()},
                    "when": dict(one.when),
                }
                for one in self.notes
            ],
        }


def melody_rewards(melody: Melody, rules: RuleSet, key: Key | None = None) -> MelodyRewards:
    """Evaluate rules on a melody, in its own key and meter.

    Args:
        melody: the melody; for chords the top note counts, and time is rounded to sixteenths.
        rules: the rules with their weights; those that need chords are left out for a melody without chords.
        key: the key; if None, the melody's own, else the one estimated from its notes, else C major.

    Raises:
        UsageError: the melody has no notes, or is longer than 20,000 sixteenths.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> rewards = melody_rewards(Melody.from_pitches([(60, 12), (61, 12), (60, 24)]), RULE_SETS["paper"], Key())
        >>> [(note.place, note.name, dict(note.values)) for note in rewards.notes]
        [('1.1', 'C4', {'tonic': 3.0}), ('1.1½', 'D♭4', {'key': -1.0}), ('1.2', 'C4', {'tonic': 3.0})]
        >>> rewards.total
        5.0
    """
    if not melody.sounding:
        raise UsageError("the melody has no notes", "name a file with notes in it")
    if melody.length > MOST_STEPS * GRID.ticks_per_step:
        raise UsageError(
            f"the melody is {melody.length // GRID.ticks_per_step:,} sixteenths long, more than {MOST_STEPS:,}",
            "score its beginning: --seconds 120",
        )
    fit = GRID.fit(melody)
    fitted = replace(fit.melody, key=key or melody.key or find_key(fit.melody) or Key())
    assert fitted.key is not None
    meter, step = fitted.meter, GRID.ticks_per_step
    context = Context(fitted.key, meter, max(meter.ticks_per_bar // step, 1))
    line = GRID.line(GRID.encode(fitted)[None, :]).with_chords([fitted.chords], step)
    if line.chord is None and rules.without_chords().rules:
        rules = rules.without_chords()
    lead = (-(fitted.pickup // step)) % context.steps_per_bar
    rewards = {rule.name: rule.weight * _with_lead(rule, line, context, lead) + 0.0 for rule in rules.rules}
    notes = tuple(_by_note(fitted, line, rewards, lead))
    return MelodyRewards(fitted, rules, context, rewards, notes, fit.rounded, fit.dropped)


def _with_lead(rule: Rule, line: Line, context: Context, lead: int) -> NDArray[np.float64]:
    """The rewards of a rule at each step, `(lead + steps,)`, where a pickup is preceded by `lead` steps of its bar.

    Rules that depend on the meter see the whole bar; for the others the melody begins with its first note.
    """
    if lead and depends_on_meter(rule):
        fillings = {"event": HOLD, "pitch": -1, "pitch_classes": 0, "chord": 0, "chord_root": -1}
        if line.chord is None:
            fillings = {name: filling for name, filling in fillings.items() if "chord" not in name}
        padded = {
            name: np.pad(getattr(line, name), ((0, 0), (lead, 0)), constant_values=filling)
            for name, filling in fillings.items()
        }
        rewards = rule.rewards(Line(**padded, length=line.length + lead), context)
    else:
        rewards = np.pad(rule.rewards(line, context), ((0, 0), (lead, 0)))
    (values,) = rewards
    return np.asarray(values)


def depends_on_meter(rule: Rule) -> bool:
    """Whether a rule gives other rewards to random melodies in bars of three steps than in bars of four.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> [rule.name for rule in RULE_SETS["rl-tuner"].rules if depends_on_meter(rule)]
        []
    """
    line, meters = _random_melodies(), (Meter(4, 4), Meter(3, 4))
    one, other = (rule.rewards(line, Context(meter=meter, steps_per_bar=meter.numerator)) for meter in meters)
    return not np.array_equal(one, other)


@lru_cache
def _random_melodies() -> Line:
    """Melodies in steps of C major with arbitrary beginnings and ends, half of which repeat every 32 steps."""
    rng, shape = generator(0, "bars"), (96, 128)
    event = rng.choice([OFF, HOLD, ON], shape, p=[0.1, 0.3, 0.6])
    degree = np.clip(35 + np.cumsum(rng.integers(-2, 3, shape), axis=1), 7, 63)
    degree[::2], event[::2] = np.tile(degree[::2, :32], 4), np.tile(event[::2, :32], 4)
    pitch = degree // 7 * 12 + np.array(Key().pitch_classes)[degree % 7]
    chord = np.tile([0, 7], (96, 64))  # C and G
    return replace(
        Line.from_events(event, np.where(event == ON, pitch, -1)),
        chord=np.where(chord == 0, 0b10010001, 0b100010000100).astype(np.int16),
        chord_root=chord.astype(np.int8),
    )


def _by_note(melody: Melody, line: Line, rewards: Mapping[str, NDArray[np.float64]], lead: int) -> list[NoteRewards]:
    event = line.event[0]
    onsets = np.flatnonzero(event == ON) + lead
    edges = [0, *onsets.tolist(), len(event) + lead]
    notes = []
    for note, (first, end) in enumerate(pairwise(edges), start=-1):
        values = {name: float(steps[first:end].sum()) for name, steps in rewards.items() if np.any(steps[first:end])}
        if note < 0 and not values:
            continue
        rest = next((step for step in range(first + 1, end) if event[step - lead] == OFF), end) if note >= 0 else first
        is_last = end == edges[-1]
        when = {name: _when(rewards[name][first:end], note, rest - first, is_last=is_last) for name in values}
        bar, beat = _bar_and_beat(melody, (first - lead) * GRID.ticks_per_step)
        notes.append(NoteRewards(note, _name(melody, note), bar, beat, first, end - first, values, when))
    return notes


def _name(melody: Melody, note: int) -> str:
    """The name of a note as it is spelled in the score."""
    if note < 0:
        return "rest"
    following = melody.sounding[note + 1].top if note + 1 < len(melody.sounding) else None
    return spell_pitch(melody.sounding[note].top, melody.key or Key(), following).name


def _when(rewards: NDArray[np.float64], note: int, rest: int, *, is_last: bool) -> str:
    """When a rule rewards, while a note lasts and in the silence after it."""
    if note < 0:
        return BEFORE_ALL
    steps = np.flatnonzero(rewards)
    if is_last and steps[0] == len(rewards) - 1:
        return AT_THE_END
    parts = [AS_IT_BEGINS] if (steps == 0).any() else []
    parts += [WHILE_HELD] if ((steps > 0) & (steps < rest)).any() else []
    parts += [IN_THE_REST] if ((steps > 0) & (steps >= rest)).any() else []
    return " and ".join(parts)


def _bar_and_beat(melody: Melody, tick: int) -> tuple[int, float]:
    """Bar and written beat of a tick; a pickup is the end of bar 0."""
    bar = melody.meter.ticks_per_bar
    bars, within = divmod(tick - melody.pickup % bar, bar)
    return bars + 1, 1 + within / (bar / melody.meter.numerator)


def _digits(value: float) -> float:
    """Ten digits, without the noise of the last bits."""
    return float(f"{value:.10g}")
