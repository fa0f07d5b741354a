"""Compare sets of melodies: rules, diversity, distance to the data and originality, with tested differences.

Every metric has an interval, and the reference, human melodies, is measured in the same way as the systems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from cantilena.metrics import (
    Copies,
    Difference,
    Features,
    RuleCounts,
    Side,
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
from cantilena.metrics.registry import HARMONY, get_metric, in_order
from cantilena.runtime import generator, progress
from cantilena.workflows.evaluate.copying import TrainingMelodies
from cantilena.workflows.evaluate.counts import (
    EVERY_COUNTER,
    Entry,
    distinct_metrics,
    entry,
    rates,
    rounded,
    set_numbers,
    undefined,
)
from cantilena.workflows.evaluate.likelihood import ReferenceModel
from cantilena.workflows.evaluate.matching import mismatch
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.systems import HUMAN
from cantilena.workflows.evaluate.verdicts import (
    MIN_MELODIES,
    Verdict,
    length_verdict,
    matching_verdict,
    pair_verdicts,
    system_verdicts,
)

_MAX_OVERLAP = 400
"""Maximum number of melodies of each set whose features are compared."""

_MAX_PAIRED = 4
"""More systems than this are tested against the reference only, not against each other."""


@dataclass(frozen=True)
class EvalResults:
    """The results of a comparison.

    Args:
        systems: as in results.json, the reference first.
        differences: of pairs of systems, corrected within each pair.
        counts: by system, what was counted in each melody.
        copies: by system, the longest copied run of each melody.
        copy_limit: the longest run in notes that counts as borrowing, not as copying, if it is known.
    """

    systems: Mapping[str, Mapping[str, Any]]
    differences: Sequence[Difference]
    verdicts: Sequence[Verdict]
    counts: Mapping[str, RuleCounts]
    copies: Mapping[str, Copies]
    copy_limit: int | None

    def joined(self, other: EvalResults) -> EvalResults:
        """These results and those of other systems that were measured beside the same reference."""
        return replace(
            self,
            systems={**self.systems, **{name: row for name, row in other.systems.items() if name not in self.systems}},
            differences=[*self.differences, *other.differences],
            verdicts=[*self.verdicts, *other.verdicts],
            counts={**other.counts, **self.counts},
            copies={**other.copies, **self.copies},
        )


@dataclass(frozen=True)
class Evaluator:
    """Measures systems beside a reference.

    Args:
        reference: human melodies.
        training: the corpus in which copies are searched.
        reference_model: the model whose log-likelihood of the melodies is measured, if any.
        seed: of all resampling.
    """

    reference: MelodySet
    training: TrainingMelodies
    reference_model: ReferenceModel | None
    seed: int

    def evaluate(self, systems: Sequence[MelodySet]) -> EvalResults:
        """Measure the reference and the systems, and test their differences.

        The chords of human melodies count only beside those of a system.
        """
        over_chords = [any(melody.has_chords for melody in one.melodies) for one in (self.reference, *systems)]
        if over_chords[0] and not any(over_chords[1:]):
            return replace(self, reference=self.reference.without_chords()).evaluate(systems)
        sets = [self.reference, *systems]
        counts: dict[str, RuleCounts] = {}
        metrics: dict[str, dict[str, Entry]] = {}
        with progress("Measuring", total=3 * len(sets), unit="steps") as bar:
            copies = {one.name: self.training.copies(one, include_own_piece=one is not self.reference) for one in sets}
            enough = len(self.reference) >= MIN_MELODIES
            limit = copy_length_quantile(copies[HUMAN]) if enough else None
            for one in sets:
                counts[one.name], metrics[one.name] = self._rates(one, copies[one.name], limit)
                bar.advance(note=one.name)
            _explain_missing_chords(metrics)
            for name, numbers in self._diversity(sets).items():
                metrics[name] |= numbers
                bar.advance(note=name)
            for one in sets:
                metrics[one.name] |= self._overlaps(one)
                bar.advance(note=one.name)
        rows = {one.name: {"melodies": len(one), "metrics": metrics[one.name]} for one in sets}
        pairs = [(self.reference, one) for one in systems]
        pairs += combinations(systems, 2) if len(systems) <= _MAX_PAIRED else ()
        tested = {(first.name, second.name): self._differences(first, second, counts) for first, second in pairs}
        verdicts = [
            verdict for one in systems for verdict in self._verdicts(one, rows, tested[HUMAN, one.name], copies)
        ]
        large = {one.name for one in systems if len(one) >= MIN_MELODIES}
        for (first, second), differences in tested.items():
            verdicts += pair_verdicts(first, second, differences) if {first, second} <= large else []
        return EvalResults(rows, [one for some in tested.values() for one in some], verdicts, counts, copies, limit)

    def _rates(self, one: MelodySet, copies: Copies, limit: int | None) -> tuple[RuleCounts, dict[str, Entry]]:
        """Metrics that are counted melody by melody."""
        others = [one.model_counts]
        if self.reference_model is not None:
            others.append(self.reference_model.counts(one.melodies))
        others.append(originality_counts(one.line, self.training.index, copies, limit))
        rng = generator(self.seed, "intervals", one.name)
        counts, entries = rates(one.line, one.contexts, one.pieces, rng, EVERY_COUNTER, *others)
        return counts, _missing(one) | entries

    def _diversity(self, sets: Sequence[MelodySet]) -> dict[str, dict[str, Entry]]:
        """Metrics of whole sets, which depend on size: over equally many melodies or notes of all large sets."""
        lines = {one.name: one.line for one in sets}
        large = [one.name for one in sets if len(one) >= MIN_MELODIES] or list(lines)[:1]
        same_count, same_notes = (
            lines | dict(zip(large, match(*(lines[name] for name in large), rng=self._rng("alike")), strict=True))
            for match in (matched_size, matched_notes)
        )
        return {
            name: set_numbers(same_notes[name], self._rng("diversity", name), same_count=same_count[name])
            for name in lines
        }

    def _overlaps(self, one: MelodySet) -> dict[str, Entry]:
        """How much the feature distances to the reference overlap with those within the reference.

        Overlaps rise with the number of melodies, so every set is compared at half the size of the reference. The
        reference itself is split into halves by piece: its overlap is the ceiling.
        """
        rng, reference = self._rng("overlap", one.name), self.reference
        data, pieces = self._reference_features, reference.pieces
        if one is reference:
            rows, other_rows = halves_by_piece(pieces, rng)
            generated, generated_pieces = _rows_of(data, other_rows), pieces[other_rows]
            data, pieces = _rows_of(data, rows), pieces[rows]
        else:
            generated, generated_pieces = melody_features(one.line, one.contexts), one.pieces
        most = max(min(len(reference) // 2, _MAX_OVERLAP), 1)
        result = overlaps(data, generated, rng, pieces=pieces, generated_pieces=generated_pieces, most=most)
        ceiling = {"ceiling": True} if one is reference else {}
        return {
            name: entry(overlap.area, overlap.reason)
            | {"kl": rounded(overlap.kl), "melodies": overlap.melodies, **ceiling}
            for name, overlap in result.items()
        }

    @cached_property
    def _reference_features(self) -> Features:
        return melody_features(self.reference.line, self.reference.contexts)

    def _differences(self, first: MelodySet, second: MelodySet, counts: Mapping[str, RuleCounts]) -> list[Difference]:
        """All metrics of a pair, each once, tested and corrected together."""
        rng = self._rng("differences", first.name, second.name)
        names = distinct_metrics(counts[first.name], counts[second.name])
        sides = [Side(one.name, counts[one.name].select(names), one.pieces) for one in (first, second)]
        rate_tests = rate_differences(sides[0], sides[1], rng)
        both, lines = (first.name, second.name), (first.line, second.line)
        set_tests = set_differences(both, lines, rng, pieces=(first.pieces, second.pieces))
        return corrected([*rate_tests, *set_tests])

    def _verdicts(
        self,
        one: MelodySet,
        rows: Mapping[str, Mapping[str, Any]],
        differences: Sequence[Difference],
        copies: Mapping[str, Copies],
    ) -> list[Verdict]:
        own = copies[one.name]
        longest = self.training.locate(one, own, int(np.argmax(own.notes)))
        verdicts = system_verdicts(
            one.name,
            rows[one.name],
            rows[HUMAN],
            differences,
            kinds=len(np.unique(melody_numbers(one.line))),
            longest_copy=longest.text if longest is not None else "",
        )
        lengths = length_verdict(one.name, one.median_length, self.reference.median_length)
        return [*verdicts, *lengths, *matching_verdict(one.name, mismatch(one, self.reference))]

    def _rng(self, *labels: str) -> np.random.Generator:
        return generator(self.seed, *labels)


def _explain_missing_chords(metrics: Mapping[str, dict[str, Entry]]) -> None:
    """Add the metrics of harmony that some systems have to the others, with the reason; none where none has any."""
    of_harmony = {name for entries in metrics.values() for name in entries if get_metric(name).group == HARMONY}
    for entries in metrics.values():
        for name in in_order(of_harmony - set(entries)):
            entries[name] = undefined("its melodies have no chords")


def _rows_of(features: Features, rows: Any) -> Features:  # noqa: ANN401  (whatever numpy takes as an index)
    return {name: values[rows] for name, values in features.items()}


def _missing(one: MelodySet) -> dict[str, Entry]:
    """Metrics that some systems do not have, with the reasons."""
    drawn = "no distribution is known, only its melodies"
    untuned = "it was not tuned" if "entropy_per_step" in one.model_counts.names else drawn
    return {
        "kl_per_step": undefined(untuned),
        "entropy_per_step": undefined(drawn),
        "log_likelihood_per_step": undefined("no model was named to tell it: --reference BUNDLE"),
        "copied_beyond_people": undefined("too few of people's melodies are at hand to tell what they borrow"),
    }
