"""Verdicts of the rules on melodies, cached so that changing a weight is answered at once.

A weight only multiplies what a rule gives. So each melody is judged once, by the rules of the catalogue, whose weights
are 1, and the values are multiplied by the weights of the request.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from cantilena.metrics import MelodyRewards
from cantilena.metrics import melody_rewards as judge_melody
from cantilena.music import Melody
from cantilena.rules import RULE_SETS, Rule, RuleSet
from cantilena.studio.schemas.responses import MelodyVerdict, NoteVerdict, RuleVerdict

_CACHE_SIZE = 512
"""Melodies whose verdicts are cached; one of 8 bars takes about 50 kB."""


class VerdictCache:
    """Judges melodies, each of them once."""

    def __init__(self) -> None:
        self._judged: OrderedDict[tuple[str, Melody], MelodyRewards] = OrderedDict()
        self._lock = threading.Lock()

    def verdict(self, melody: Melody, rules: RuleSet) -> MelodyVerdict | None:
        """Return what rules give to a melody; None if it has no notes.

        Args:
            melody: the melody.
            rules: rules of one of the catalogue's sets, with weights of their own.

        Raises:
            UsageError: the melody is too long.
        """
        if not melody.sounding:
            return None
        judged = self._judge(melody, RULE_SETS[rules.name])
        weights = {rule.name: rule.weight for rule in rules.rules}
        notes = []
        for note in judged.notes:
            values = {name: _rounded(value * weights[name]) for name, value in note.values.items() if weights.get(name)}
            if note.note >= 0 or values:
                when = {name: note.when[name] for name in values}
                total = _rounded(sum(values.values()))
                notes.append(NoteVerdict(note=note.note, place=note.place, values=values, when=when, total=total))
        by_rule = [_rule_verdict(rule, judged) for rule in rules.rules]
        return MelodyVerdict(total=_rounded(sum(rule.total for rule in by_rule)), rules=by_rule, notes=notes)

    def _judge(self, melody: Melody, rules: RuleSet) -> MelodyRewards:
        # Rules ignore title and tempo: melodies that differ in nothing else share a verdict.
        bare = Melody(melody.notes, key=melody.key, meter=melody.meter, pickup=melody.pickup, length=melody.length)
        key = (rules.name, bare)
        with self._lock:
            if key in self._judged:
                self._judged.move_to_end(key)
                return self._judged[key]
        judged = judge_melody(bare, rules)
        with self._lock:
            self._judged[key] = judged
            while len(self._judged) > _CACHE_SIZE:
                self._judged.popitem(last=False)
        return judged


def warm_up() -> None:
    """Compile every rule, or load it from the compiler's cache."""
    melody = Melody.from_pitches([(60, 12), (64, 12), (67, 24), (65, 24), (None, 24), (64, 12), (62, 12), (60, 48)])
    for rules in RULE_SETS.values():
        judge_melody(melody, rules)


def _rule_verdict(rule: Rule, judged: MelodyRewards) -> RuleVerdict:
    given, taken = judged.given(rule.name) * rule.weight, judged.taken(rule.name) * rule.weight
    if rule.weight < 0:
        given, taken = taken, given
    return RuleVerdict(
        name=rule.name,
        weight=rule.weight,
        says=rule.description,
        given=_rounded(given),
        taken=_rounded(taken),
        total=_rounded(given + taken),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.8g}") + 0.0  # turns -0.0 into 0.0
