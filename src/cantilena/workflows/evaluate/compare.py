"""Sets of melodies judged side by side: rules, diversity, distance to the data, originality; differences tested.

Every number comes with its interval, and people's melodies go through the same counts as everybody's.

Overlaps with people's melodies, and their ceiling: people's beside people's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from cantilena.metrics import (
    Copies,
    Difference,
    Overlap,
    RuleCounts,
    Side,
    bootstrap_ratios,
    copy_length_quantile,
    corrected,
    halves_by_piece,
    matched_notes,
    matched_size,
    melody_features,
    melody_numbers,
    originality_counts,
    overlaps,
    rate_differences,
    set_differences,
)
from cantilena.music import Line
from cantilena.runtime import generator, progress
from cantilena.workflows.evaluate.copying import LearnedTunes
from cantilena.workflows.evaluate.counts import (
    EVERY_COUNTER,
    Entry,
    distinct_metrics,
    entry,
    rate_entries,
    rounded,
    rule_counts,
    set_numbers,
    undefined,
)
from cantilena.workflows.evaluate.likelihood import Reference
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.systems import HUMAN
from cantilena.workflows.evaluate.verdicts import FEW, Verdict, of_length, of_pair, verdicts

MOST = 400
"""Melodies of each set that are compared at most."""


def overlap_entries(people: MelodySet, one: MelodySet, rng: np.random.Generator) -> dict[str, Entry]:
    """How much a set's distances to people's melodies are like those among people's, feature by feature.

    Overlaps rise with the number of melodies: as many are compared as the ceiling can have, half of people's.

    Args:
        people: people's melodies.
        one: the set.
        rng: which melodies are compared, and the intervals.
    """
    data, generated = (melody_features(each.line, each.contexts) for each in (people, one))
    found = overlaps(data, generated, rng, pieces=people.pieces, generated_pieces=one.pieces, most=_compared(people))
    return _entries(found)


def ceiling_entries(people: MelodySet, rng: np.random.Generator) -> dict[str, Entry]:
    """The same of one half of people's pieces beside the other: what a set of people's melodies reaches.

    Args:
        people: people's melodies.
        rng: which pieces fall in which half, and the intervals.
    """
    features = melody_features(people.line, people.contexts)
    halves = halves_by_piece(people.pieces, rng)
    data, others = ({name: values[rows] for name, values in features.items()} for rows in halves)
    ours, theirs = (people.pieces[rows] for rows in halves)
    entries = _entries(overlaps(data, others, rng, pieces=ours, generated_pieces=theirs, most=_compared(people)))
    return {name: one | {"ceiling": True} for name, one in entries.items()}


def _compared(people: MelodySet) -> int:
    return max(min(len(people) // 2, MOST), 1)


def _entries(found: Mapping[str, Overlap]) -> dict[str, Entry]:
    return {
        name: entry(one.area, one.reason) | {"kl": rounded(one.kl), "melodies": one.melodies}
        for name, one in found.items()
    }


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
    copies: Mapping[str, Copies]
    bound: int | None


@dataclass(frozen=True)
class Judge:
    """What all sets are held beside.

    Args:
        people: people's melodies.
        learned: the corpus that copies are looked for in.
        reference: the model that tells likelihoods; None for none.
        seed: of all resampling.
    """

    people: MelodySet
    learned: LearnedTunes
    reference: Reference | None
    seed: int

    def judge(self, systems: Sequence[MelodySet]) -> Judged:
        """Judge systems, and people's melodies beside them.

        Args:
            systems: all but people's.
        """
        sets = [self.people, *systems]
        with progress("Judging", total=3 * len(sets), unit="steps") as bar:
            copies = {one.name: self.learned.copies(one, own_too=one is not self.people) for one in sets}
            bound = copy_length_quantile(copies[HUMAN]) if len(self.people) >= FEW else None
            counts, metrics = {}, {}
            for one in sets:
                counts[one.name] = self._counts(one, copies[one.name], bound)
                metrics[one.name] = self._rates(one, counts[one.name])
                bar.advance(note=one.name)
            for name, numbers in self._diversity(sets).items():
                metrics[name] |= numbers
                bar.advance(note=name)
            for one in sets:
                metrics[one.name] |= self._overlaps(one)
                bar.advance(note=one.name)
        rows = {one.name: {"melodies": len(one), "metrics": metrics[one.name]} for one in sets}
        tested = self._tested(systems, counts)
        said = [verdict for one in systems for verdict in self._said(one, rows, tested, copies[one.name])]
        large = {one.name for one in systems if len(one) >= FEW}
        for (first, second), differences in tested.items():
            said += of_pair(first, second, differences) if {first, second} <= large else []
        return Judged(rows, [one for some in tested.values() for one in some], said, counts, copies, bound)

    def _counts(self, one: MelodySet, copies: Copies, bound: int | None) -> RuleCounts:
        """All that is counted melody by melody."""
        parts = [rule_counts(one.line, one.contexts, EVERY_COUNTER), one.own]
        if self.reference is not None:
            parts.append(self.reference.counts(one.tunes))
        parts.append(originality_counts(one.line, self.learned.index, copies, bound))
        return RuleCounts.merged(parts)

    def _rates(self, one: MelodySet, counts: RuleCounts) -> dict[str, Entry]:
        rng = generator(self.seed, "intervals", one.name)
        entries = rate_entries(bootstrap_ratios(counts.counted, counts.out_of, one.pieces, rng))
        return _why_missing(one) | entries

    def _diversity(self, sets: Sequence[MelodySet]) -> dict[str, dict[str, Entry]]:
        """Numbers of sets, of as many melodies or notes of all that are large enough; of small ones as they are."""
        lines = {one.name: one.line for one in sets}
        large = [one.name for one in sets if len(one) >= FEW] or list(lines)[:1]
        equal: list[dict[str, Line]] = []
        for make in (matched_size, matched_notes):
            rng = generator(self.seed, "alike")
            equal.append(lines | dict(zip(large, make(*(lines[name] for name in large), rng=rng), strict=True)))
        as_many, as_long = equal
        return {
            name: set_numbers(as_long[name], generator(self.seed, "diversity", name), as_many=as_many[name])
            for name in lines
        }

    def _overlaps(self, one: MelodySet) -> dict[str, Entry]:
        rng = generator(self.seed, "overlap", one.name)
        return ceiling_entries(one, rng) if one is self.people else overlap_entries(self.people, one, rng)

    def _tested(
        self, systems: Sequence[MelodySet], counts: Mapping[str, RuleCounts]
    ) -> dict[tuple[str, str], list[Difference]]:
        """The differences of each system from people, and of few systems from one another."""
        pairs = [(self.people, one) for one in systems]
        pairs += list(combinations(systems, 2)) if len(systems) <= _PAIRS else []
        return {(first.name, second.name): self._differences(first, second, counts) for first, second in pairs}

    def _differences(self, first: MelodySet, second: MelodySet, counts: Mapping[str, RuleCounts]) -> list[Difference]:
        """All numbers of a pair, each once, tested and corrected together."""
        rng = generator(self.seed, "differences", first.name, second.name)
        names = distinct_metrics(counts[first.name], counts[second.name])
        sides = [Side(one.name, counts[one.name].select(names), one.pieces) for one in (first, second)]
        rates = rate_differences(sides[0], sides[1], rng)
        both, lines = (first.name, second.name), (first.line, second.line)
        sets = set_differences(both, lines, rng, pieces=(first.pieces, second.pieces))
        return corrected([*rates, *sets])

    def _said(
        self,
        one: MelodySet,
        rows: Mapping[str, Mapping[str, Any]],
        tested: Mapping[tuple[str, str], list[Difference]],
        copies: Copies,
    ) -> list[Verdict]:
        place = self.learned.place(one, copies, int(np.argmax(copies.notes)))
        said = verdicts(
            one.name,
            rows[one.name],
            rows[HUMAN],
            tested[HUMAN, one.name],
            kinds=len(np.unique(melody_numbers(one.line))),
            longest_copy=place.text if place is not None else "",
        )
        shorter = of_length(one.name, one.typical_length, self.people.typical_length)
        return [*said, shorter] if shorter is not None else said


def _why_missing(one: MelodySet) -> dict[str, Entry]:
    """Numbers that only models have, for those that are none."""
    named = "no model was named to tell it: --reference BUNDLE"
    drawn = "no distribution is known, only its melodies"
    untuned = "it was not tuned" if "entropy_per_step" in one.own.names else drawn
    return {
        "kl_per_step": undefined(untuned),
        "entropy_per_step": undefined(drawn),
        "log_likelihood_per_step": undefined(named),
        "copied_beyond_people": undefined("too few of people's melodies are at hand to tell what they borrow"),
    }
