"""Rewriting for the page: some bars of a melody composed anew, the rest as it was."""

from __future__ import annotations

from collections.abc import Iterator

from cantilena.errors import UsageError
from cantilena.generation import Composition, next_notes
from cantilena.music import Melody
from cantilena.studio.answers import Candidate
from cantilena.studio.bench import Deadline
from cantilena.studio.composers import Composers, ShownModel
from cantilena.studio.composing import NewNotes, candidate
from cantilena.studio.judging import Judge
from cantilena.studio.requests import RewriteRequest
from cantilena.studio.shapes import MelodyShape, constraining


def rewrite(
    asked: RewriteRequest, composers: Composers, judge: Judge, deadline: Deadline
) -> Iterator[NewNotes | Candidate]:
    """Compose bars anew: of each candidate first its new notes, then all of it.

    Args:
        asked: the request.
        composers: the models.
        judge: who judges what was composed.
        deadline: when it must be done.

    Raises:
        UsageError: bars that the melody has not, or something else that makes no sense.
        UnknownError: there is no such model.
        LateError: the deadline has passed.
    """
    shown, melody, rules = composers.shown(asked.model), asked.melody.melody(), asked.rules.rules()
    if asked.last < asked.first:
        raise UsageError(f"bars {asked.first} to {asked.last}", "name the first bar before the last")
    start, end = ticks_of_bars(melody, asked.first, asked.last)
    rewritten = shown.composer.rewrite(
        melody,
        asked.first,
        asked.last,
        melodies=asked.count,
        sampling=asked.sampling(),
        seed=asked.seed,
        range=asked.range,
        constrain=constraining(asked.constrain) or "",
    )
    for number, one in enumerate(rewritten, start=1):
        deadline.check()
        new = [note for note in MelodyShape.of(one).notes if start <= note.onset < end]
        yield NewNotes(number, new, one.length)
        yield candidate(asked, shown, one, number, _chances(shown, one, start, end), rules, judge)


def ticks_of_bars(melody: Melody, first: int, last: int) -> tuple[int, int]:
    """Where bars begin and end; bar 0 is a pickup.

    Example:
        >>> ticks_of_bars(Melody.of([(60, 480)]), 2, 3)
        (96, 288)
    """
    bar = melody.meter.ticks_per_bar
    lead = melody.pickup % bar
    return (lead + (first - 1) * bar if first else 0), lead + last * bar


def _chances(shown: ShownModel, one: Composition, start: int, end: int) -> list[float | None]:
    """How probable each new note is after those before it; None for those that stay."""
    chances = next_notes(shown.composer, one).of(one)
    return [chance if start <= note.onset < end else None for note, chance in zip(one.sounding, chances, strict=True)]
