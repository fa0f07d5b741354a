"""The space of codes for the page: ways between two melodies, and melodies varied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cantilena.errors import UsageError
from cantilena.generation import Composition, interpolations, next_notes, variations
from cantilena.music import Melody
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import MelodyShape, constraining
from cantilena.studio.schemas.requests import Drawing, InterpolateRequest, VaryRequest
from cantilena.studio.schemas.responses import Candidate
from cantilena.studio.services.compose import NewNotes, candidate
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.judge import RememberingJudge
from cantilena.studio.services.models import Composers, ShownModel


def interpolate(
    asked: InterpolateRequest, composers: Composers, judge: RememberingJudge, deadline: Deadline
) -> Iterator[NewNotes | Candidate]:
    """Go from one melody to another: of each candidate first its notes, then all of it.

    Args:
        asked: the request.
        composers: the models.
        judge: who judges what was composed.
        deadline: when it must be done.

    Raises:
        UsageError: a model that is no VAE, melodies of two meters, or something else that makes no sense.
        UnknownError: there is no such model.
        LateError: the deadline has passed.
    """
    shown, first, last = composers.shown(asked.model), asked.first.melody(), asked.last.melody()
    _check_size([first, last], asked.steps)
    made = interpolations(
        shown.composer,
        first,
        last,
        steps=asked.steps,
        key=asked.key,
        range=asked.range,
        constrain=constraining(asked.constrain) or "",
    )
    drawing = Drawing(model=asked.model, rules=asked.rules)
    yield from _told(drawing, shown, made, {0, asked.steps - 1}, judge, deadline)


def vary(
    asked: VaryRequest, composers: Composers, judge: RememberingJudge, deadline: Deadline
) -> Iterator[NewNotes | Candidate]:
    """Vary a melody; arguments and errors as of `interpolate`."""
    shown, melody = composers.shown(asked.model), asked.melody.melody()
    _check_size([melody], asked.count)
    made = variations(
        shown.composer,
        melody,
        amount=asked.amount,
        melodies=asked.count,
        sampling=asked.sampling(),
        seed=asked.seed,
        range=asked.range,
        constrain=constraining(asked.constrain) or "",
    )
    given = set(range(asked.count)) if asked.amount == 0 else set()
    yield from _told(asked, shown, made, given, judge, deadline)


def _told(
    asked: Drawing,
    shown: ShownModel,
    made: Sequence[Composition],
    given: set[int],
    judge: RememberingJudge,
    deadline: Deadline,
) -> Iterator[NewNotes | Candidate]:
    rules = asked.rules.rules()
    for place, one in enumerate(made):
        deadline.check()
        own: list[float | None] = [None] * len(one.sounding)
        chances = own if place in given else [*next_notes(shown.composer, one).of(one)]
        yield NewNotes(place + 1, MelodyShape.of(one).notes, one.length)
        yield candidate(asked, shown, one, place + 1, chances, rules, judge)


def _check_size(melodies: Sequence[Melody], count: int) -> None:
    """Refuse what takes longer than a request may."""
    bars = max(melody.bars for melody in melodies)
    if bars * count > LIMITS.drawn_bars:
        raise UsageError(
            f"{bars} bars times {count} melodies are more than {LIMITS.drawn_bars}", "ask for fewer, or shorter ones"
        )
