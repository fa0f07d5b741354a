"""Melodies with some bars composed anew, one after the other: each is there before the next is begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING

from cantilena.errors import UsageError
from cantilena.generation.bar_range import BarRange
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.infilling import Gap, Surroundings
from cantilena.generation.options import ComposeOptions, SamplingOptions
from cantilena.generation.placement import Placement
from cantilena.generation.rewriting import CANDIDATES, Filling, fill
from cantilena.models import tells_a_bound
from cantilena.music import Melody, find_key
from cantilena.rules import RuleSet, load_rules
from cantilena.runtime import generator

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer


def rewritings(
    composer: Composer,
    melody: Melody,
    first: int,
    last: int,
    *,
    melodies: int = 1,
    sampling: SamplingOptions | None = None,
    seed: int = 1,
    range: str = "",  # noqa: A002  (the flag's name; the builtin is not needed here)
    constrain: str | RuleSet = "",
    style: str = "",
) -> Iterator[Composition]:
    """What `Composer.rewrite` writes, each melody as soon as it is written.

    Args:
        composer: what writes.
        melody: what is to be rewritten, in any key and meter.
        first: the first bar, counted from 1; a pickup is bar 0.
        last: the last bar, itself included.
        melodies: how many, 1..10000; melody k is the same however many are asked for.
        sampling: how tokens are drawn; greedy takes the most probable of 64 candidates.
        seed: the same seed gives the same melodies.
        range: of the new notes, such as `C4-A5`.
        constrain: rules that no new note may break while another keeps them.
        style: one of the composer's styles, by its name or a part of it.

    Raises:
        UsageError: bars that the melody has not, or where no new note can begin; at the call, before the first melody.

    Example:
        >>> from cantilena.generation import load
        >>> composer = load("tunes")
        >>> tune = composer.compose(bars=4, seed=1)
        >>> next(rewritings(composer, tune, 3, 4, melodies=9)) == composer.rewrite(tune, 3, 4)[0]
        True
    """
    if not 1 <= melodies <= 10_000:
        raise UsageError(f"{melodies} melodies", "give a number from 1 to 10000")
    if tells_a_bound(composer.model):
        raise UsageError(
            "a VAE knows no probabilities of what follows, and cannot fit bars between others",
            "vary the melody with it (compose --vary), or name a network",
        )
    gap = Gap.of(melody, BarRange(first, last))
    idea = melody if melody.key else replace(melody, key=find_key(melody))
    placement, number = composer.placed(ComposeOptions(range=range, style=style), idea)
    around = Surroundings.of(idea.transposed(-placement.semitones), gap, composer.encoding)
    bars = placement.bars(composer.encoding, CANDIDATES, number)
    rules = load_rules(constrain) if isinstance(constrain, str) and constrain.strip() else constrain
    steps = len(around.past) + around.steps + len(around.future)
    kept = None
    if isinstance(rules, RuleSet):
        kept = Constraints(rules.rules, composer.encoding, placement.context(), steps)

    def written() -> Iterator[Composition]:
        rewriting = _Rewriting(composer, melody, gap, around, placement)
        for row in islice(count(), melodies):
            filling = fill(
                around,
                generator(seed, "rewrite", row),
                model=composer.model,
                prior=composer.prior,
                encoding=composer.encoding,
                bars=bars,
                sampling=sampling or SamplingOptions(),
                allowed=placement.allowed,
                constraints=kept,
            )
            yield rewriting.filled(filling, row + 1)

    return written()


@dataclass(frozen=True)
class _Rewriting:
    """A melody with a gap, in notes and in tokens."""

    composer: Composer
    melody: Melody
    gap: Gap
    around: Surroundings
    placement: Placement

    def filled(self, filling: Filling, number: int) -> Composition:
        melody, encoding = self.melody, self.composer.encoding
        notes = self.around.notes(filling.tokens, encoding)
        return Composition(
            notes=self.gap.filled(melody, notes, self.placement.semitones),
            key=self.placement.key,
            meter=melody.meter,
            tempo=melody.tempo,
            pickup=melody.pickup,
            length=max(melody.length, self.gap.end),
            title=melody.title or f"{self.composer.name or 'Composition'} {number}",
            source=f"bars {self.gap.bars} composed by Cantilena",
            tokens=tuple(encoding.vocabulary[token] for token in filling.tokens),
            log_likelihood=filling.log_likelihood,
            policy_log_likelihood=filling.policy_log_likelihood,
            rules_broken=filling.broken,
        )
