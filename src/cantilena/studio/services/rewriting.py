"""Rewriting for the page: some bars of a melody composed anew, the rest as it was."""

from __future__ import annotations

from collections.abc import Iterator

from cantilena.generation import BarRange, Composition, Gap, next_notes, rewritings
from cantilena.studio.schemas.melody import MelodyShape, constraining
from cantilena.studio.schemas.requests import RewriteRequest
from cantilena.studio.schemas.responses import Candidate
from cantilena.studio.services.compose import NewNotes, candidate
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.judge import RememberingJudge
from cantilena.studio.services.models import Composers, ShownModel


def rewrite(
    asked: RewriteRequest, composers: Composers, judge: RememberingJudge, deadline: Deadline
) -> Iterator[NewNotes | Candidate]:
    """Compose bars anew: of each candidate first its new notes, then all of it, before the next one is begun.

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
    gap = Gap.of(melody, BarRange(asked.first, asked.last))
    rewritten = rewritings(
        shown.composer,
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
        new = [note for note in MelodyShape.of(one).notes if gap.start <= note.onset < gap.end]
        yield NewNotes(number, new, one.length)
        yield candidate(asked, shown, one, number, _chances(shown, one, gap), rules, judge)


def _chances(shown: ShownModel, one: Composition, gap: Gap) -> list[float | None]:
    """How probable each new note is after those before it; None for those that stay."""
    chances = next_notes(shown.composer, one).of(one)
    notes = zip(one.sounding, chances, strict=True)
    return [chance if gap.start <= note.onset < gap.end else None for note, chance in notes]
