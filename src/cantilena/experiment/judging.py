"""Sets of melodies judged side by side: rules, diversity, distance to the data, originality; differences tested.

Every number comes with its interval, and people's melodies go through the same counts as everybody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from cantilena.evaluation import (
    Copies,
    Difference,
    RuleCounts,
    Side,
    bootstrap_ratios,
    borrowed_at_most,
    corrected,
    equal_numbers,
    equal_sets,
    melody_numbers,
    originality_counts,
    rate_differences,
    set_differences,
)
from cantilena.experiment.contestants import PEOPLE
from cantilena.experiment.copying import LearnedTunes
from cantilena.experiment.entries import Entry, rate_entries, undefined
from cantilena.experiment.melody_sets import MelodySet
from cantilena.experiment.overlaps import ceiling_entries, overlap_entries
from cantilena.experiment.reference import Reference
from cantilena.experiment.rule_counts import EVERY_COUNTER, rule_counts
from cantilena.experiment.set_numbers import set_numbers
from cantilena.experiment.verdicts import FEW, Verdict, of_pair, verdicts
from cantilena.music import Line
from cantilena.runs import generator, progress

_PAIRS = 4
"""Of more systems than this, each is tested against people only, not against every other."""


@dataclass(frozen=True)
class Judged:
    """What was found.

    Args:
        systems: as results.json has them.
        differences: of pairs of systems, corrected within each pair.
        verdicts: what follows, in sentences.
        counts: of each system, what was counted in each of its melodies.
        copies: of each system, the longest copied run of each melody.
        bound: the longest run that is no more than people borrow, notes; None where nobody knows.
    """

    systems: Mapping[str, Mapping[str, Any]]
    differences: Sequence[Difference]
    verdicts: Sequence[Verdict]
    counts: Mapping[str, RuleCounts]
    copies: Mapping[str, Copies] = field(default_factory=dict)
    bound: int | None = None


@dataclass(frozen=True)
class Judge:
    """What all sets are held beside.

    Args:
        learned: the corpus that copies are looked for in; None to look for none.
        reference: the model that tells likelihoods; None for none.
        seed: of all resampling.
    """

    learned: LearnedTunes | None
    reference: Reference | None
    seed: int

    def judge(self, people: MelodySet | None, systems: Sequence[MelodySet]) -> Judged:
        """Judge systems, and people's melodies beside them.

        Args:
            people: people's melodies; None where only the systems are compared.
            systems: the others.
        """
        sets = ([people] if people is not None else []) + list(systems)
        with progress("Judging", total=3 * len(sets), unit="steps") as bar:
            copies = {}
            if self.learned is not None:
                copies = {one.name: self.learned.copies(one, own_too=one is not people) for one in sets}
            bound = borrowed_at_most(copies[people.name]) if people is not None and copies else None
            counts = {}
            for one in sets:
                counts[one.name] = self._counts(one, copies.get(one.name), bound)
                bar.advance(note=one.name)
            metrics = {one.name: self._rates(one, counts[one.name]) for one in sets}
            for name, numbers in self._diversity(sets).items():
                metrics[name] |= numbers
                bar.advance(note=name)
            for one in sets:
                if people is not None:
                    metrics[one.name] |= self._overlaps(people, one)
                bar.advance(note=one.name)
        return replace(self._concluded(people, systems, metrics, counts, copies), bound=bound)

    def _counts(self, one: MelodySet, copies: Copies | None, bound: int | None) -> RuleCounts:
        """All that is counted melody by melody."""
        parts = [rule_counts(one.line, one.contexts, EVERY_COUNTER), one.own]
        if self.reference is not None:
            parts.append(self.reference.counts(one.tunes))
        if copies is not None and self.learned is not None:
            parts.append(originality_counts(one.line, self.learned.index, copies, bound))
        return RuleCounts.joined(parts)

    def _rates(self, one: MelodySet, counts: RuleCounts) -> dict[str, Entry]:
        rng = generator(self.seed, "intervals", one.name)
        entries = rate_entries(bootstrap_ratios(counts.counted, counts.out_of, one.pieces, rng))
        return _why_missing(one) | entries

    def _diversity(self, sets: Sequence[MelodySet]) -> dict[str, dict[str, Entry]]:
        """Numbers of sets, of as many melodies or notes of all that are large enough; of small ones as they are."""
        lines = {one.name: one.line for one in sets}
        large = [one.name for one in sets if len(one) >= FEW] or list(lines)[:1]
        equal: list[dict[str, Line]] = []
        for make in (equal_numbers, equal_sets):
            rng = generator(self.seed, "alike")
            equal.append(lines | dict(zip(large, make(*(lines[name] for name in large), rng=rng), strict=True)))
        as_many, as_long = equal
        return {
            name: set_numbers(as_long[name], generator(self.seed, "diversity", name), as_many=as_many[name])
            for name in lines
        }

    def _overlaps(self, people: MelodySet, one: MelodySet) -> dict[str, Entry]:
        rng = generator(self.seed, "overlap", one.name)
        return ceiling_entries(people, rng) if one is people else overlap_entries(people, one, rng)

    def _concluded(
        self,
        people: MelodySet | None,
        systems: Sequence[MelodySet],
        metrics: Mapping[str, dict[str, Entry]],
        counts: Mapping[str, RuleCounts],
        copies: Mapping[str, Copies],
    ) -> Judged:
        sets = ([people] if people is not None else []) + list(systems)
        rows = {one.name: {"melodies": len(one), "metrics": metrics[one.name]} for one in sets}
        tested: dict[tuple[str, str], list[Difference]] = {}
        pairs = [(people, one) for one in systems] if people is not None else []
        pairs += list(combinations(systems, 2)) if len(systems) <= _PAIRS else []
        for first, second in pairs:
            tested[first.name, second.name] = self._differences(first, second, counts)
        said: list[Verdict] = []
        for one in systems:
            from_people = tested.get((PEOPLE, one.name), []) if people is not None else []
            said += verdicts(
                one.name,
                rows[one.name],
                rows.get(PEOPLE) if people is not None else None,
                from_people,
                kinds=len(np.unique(melody_numbers(one.line))),
                longest_copy=self._longest(one, copies),
            )
        for (first_name, second_name), differences in tested.items():
            if people is None or first_name != people.name:
                said += of_pair(first_name, second_name, differences)
        every = [one for differences in tested.values() for one in differences]
        return Judged(rows, every, said, counts, copies)

    def _differences(self, first: MelodySet, second: MelodySet, counts: Mapping[str, RuleCounts]) -> list[Difference]:
        """All numbers of a pair, tested and corrected together."""
        rng = generator(self.seed, "differences", first.name, second.name)
        sides = [Side(one.name, counts[one.name], one.pieces) for one in (first, second)]
        rates = rate_differences(sides[0], sides[1], rng)
        names, lines = (first.name, second.name), (first.line, second.line)
        sets = set_differences(names, lines, rng, pieces=(first.pieces, second.pieces))
        return corrected([*rates, *sets])

    def _longest(self, one: MelodySet, copies: Mapping[str, Copies]) -> str:
        """Where the longest copied run of all is from, in words."""
        found = copies.get(one.name)
        if self.learned is None or found is None or not len(found.notes):
            return ""
        place = self.learned.place(one, found, int(np.argmax(found.notes)))
        return place.text if place is not None else ""


def _why_missing(one: MelodySet) -> dict[str, Entry]:
    """Numbers that only models have, for those that are none."""
    named = "no model was named to tell it: --reference BUNDLE"
    drawn = "no distribution is known, only its melodies"
    untuned = "it was not tuned" if "entropy_per_step" in one.own.names else drawn
    return {
        "kl_per_step": undefined(untuned),
        "entropy_per_step": undefined(drawn),
        "log_likelihood_per_step": undefined(named),
    }
