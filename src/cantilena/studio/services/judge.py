"""Verdicts for the page, remembered, so that a slider which changes a weight is answered at once.

A weight only multiplies what a rule says. So each melody is judged once by the rules of the catalogue, whose
weights are 1, and what was said is multiplied by the weights that are asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from cantilena.metrics import MelodyRewards
from cantilena.metrics import melody_rewards as judge_melody
from cantilena.music import Melody
from cantilena.rules import RULE_SETS, RuleSet
from cantilena.studio.schemas.responses import MelodyVerdict, NoteVerdict, RuleVerdict

_REMEMBERED = 512
"""Melodies whose verdicts are kept; one of 8 bars takes about 50 kB."""


class RememberingJudge:
    """Judges melodies, and remembers what was said."""

    def __init__(self) -> None:
        self._said: OrderedDict[tuple[str, Melody], MelodyRewards] = OrderedDict()
        self._lock = threading.Lock()

    def verdict(self, melody: Melody, rules: RuleSet) -> MelodyVerdict | None:
        """What rules say of a melody; None where it has no note.

        Args:
            melody: the melody.
            rules: of one of the sets, with weights, perhaps fewer.

        Raises:
            UsageError: it is too long.
        """
        if not melody.sounding:
            return None
        judged = self._judged(_plain(melody), RULE_SETS[rules.name])
        weights = {rule.name: rule.weight for rule in rules.rules}
        notes = []
        for note in judged.notes:
            values = {name: _digits(value * weights[name]) for name, value in note.values.items() if weights.get(name)}
            if note.note < 0 and not values:
                continue
            when = {name: note.when[name] for name in values}
            notes.append(
                NoteVerdict(
                    note=note.note, place=note.place, values=values, when=when, total=_digits(sum(values.values()))
                )
            )
        of_rules = [
            _of_rule(rule.name, rule.weight, rule.description, judged.given(rule.name), judged.taken(rule.name))
            for rule in rules.rules
        ]
        return MelodyVerdict(total=_digits(sum(one.total for one in of_rules)), rules=of_rules, notes=notes)

    def _judged(self, melody: Melody, rules: RuleSet) -> MelodyRewards:
        key = (rules.name, melody)
        with self._lock:
            if key in self._said:
                self._said.move_to_end(key)
                return self._said[key]
        judged = judge_melody(melody, rules)
        with self._lock:
            self._said[key] = judged
            while len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        return judged


def warm_up() -> None:
    """Let every rule speak once: they are compiled when they first do, or read from where that was kept."""
    tune = Melody.from_pitches([(60, 12), (64, 12), (67, 24), (65, 24), (None, 24), (64, 12), (62, 12), (60, 48)])
    for rules in RULE_SETS.values():
        judge_melody(tune, rules)


def _plain(melody: Melody) -> Melody:
    """What rules hear of a melody: two that differ in title or tempo alone are judged once."""
    return Melody(melody.notes, key=melody.key, meter=melody.meter, pickup=melody.pickup, length=melody.length)


def _of_rule(name: str, weight: float, says: str, given: float, taken: float) -> RuleVerdict:
    given, taken = given * weight, taken * weight
    if weight < 0:
        given, taken = taken, given
    return RuleVerdict(
        name=name, weight=weight, says=says, given=_digits(given), taken=_digits(taken), total=_digits(given + taken)
    )


def _digits(value: float) -> float:
    """Eight digits: no noise of the last bits."""
    return float(f"{value:.8g}") + 0.0
