"""Composing for the page: a request in, candidates out, each with its probabilities and its verdict.

Rewriting for the page: some bars of a melody composed anew, the rest as it was.

The space of codes for the page: ways between two melodies, and melodies varied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cantilena.errors import UsageError
from cantilena.generation import (
    BarRange,
    Composition,
    InfillSpan,
    StreamChunk,
    next_notes,
    note_probabilities,
    typed_notes,
)
from cantilena.music import Key, Melody, Meter, find_key
from cantilena.rules import RuleSet
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import MelodyShape, NoteShape, constraining
from cantilena.studio.schemas.requests import ComposeRequest, Drawing, InterpolateRequest, RewriteRequest, VaryRequest
from cantilena.studio.schemas.responses import Candidate
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.judge import RememberingJudge
from cantilena.studio.services.models import Composers, ShownModel

_EVERY = 4
"""Steps between two looks at what is drawn: a quarter note of sixteenths."""


@dataclass(frozen=True)
class NewNotes:
    """Notes of a candidate that have just been drawn.

    Args:
        number: of the candidate, from 1.
        notes: those that are new.
        length: ticks that the candidate lasts so far.
    """

    number: int
    notes: list[NoteShape]
    length: int


def primer_of(text: str, key: str = "") -> Melody | None:
    """A typed primer as a melody, in the key that it is to be heard in or the one that is found; None without notes.

    Raises:
        UsageError: a word that is no note.
    """
    melody = typed_notes(text)
    if not melody.sounding:
        return None
    return replace(melody, key=Key.parse(key) if key else find_key(melody))


def compose(
    asked: ComposeRequest, composers: Composers, judge: RememberingJudge, deadline: Deadline
) -> Iterator[NewNotes | Candidate]:
    """Compose what was asked: notes while they are drawn, then the candidates.

    Args:
        asked: the request.
        composers: the models.
        judge: who judges what was composed.
        deadline: when it must be done.

    Raises:
        UsageError: something that makes no sense.
        UnknownError: there is no such model.
        LateError: the deadline has passed.
    """
    shown = composers.shown(asked.model)
    idea = asked.idea.melody() if asked.idea is not None else primer_of(asked.primer, asked.key)
    if idea is not None and not idea.sounding:
        idea = None
    rules = asked.rules.rules()
    _check_length(asked, idea)
    composed: tuple[Composition, ...] = ()
    options = asked.options().replace(
        primer=idea or "", constrain=constraining(asked.constrain) or "", sampling=asked.sampling()
    )
    sketches = shown.composer.stream(asked.count, options, seed=asked.seed, every=_EVERY)
    for sketch in sketches:
        deadline.check()
        yield from _new_notes(sketch)
        composed = sketch.compositions
    chances = note_probabilities(shown.composer, list(composed), options)
    for number, (one, probable) in enumerate(zip(composed, chances, strict=True), start=1):
        deadline.check()
        yield candidate(asked, shown, one, number, probable, rules, judge)


def _check_length(asked: ComposeRequest, idea: Melody | None) -> None:
    """Refuse what would be longer than a melody that can be sent back."""
    if idea is None:
        return
    bar = Meter.parse(asked.meter).ticks_per_bar if asked.meter else idea.meter.ticks_per_bar
    if len(idea.sounding) > LIMITS.notes or idea.length + asked.bars * bar > LIMITS.bars * bar + idea.pickup % bar:
        raise UsageError(f"primer and new music are longer than {LIMITS.bars} bars", "go on from a shorter primer")


def candidate(
    asked: Drawing,
    shown: ShownModel,
    one: Composition,
    number: int,
    chances: Sequence[float | None],
    rules: RuleSet,
    judge: RememberingJudge,
) -> Candidate:
    """What was composed as the page shows it.

    Args:
        asked: the request.
        shown: the model.
        one: what it composed.
        number: which of the candidates it is, from 1.
        chances: how probable each sounding note was; None for those that were not drawn.
        rules: who judges.
        judge: remembers what was judged.
    """
    drawn = [place for place, chance in enumerate(chances) if chance is not None]
    return Candidate(
        melody=MelodyShape.of(one),
        primer_notes=drawn[0] if drawn else len(chances),
        model=shown.name,
        seed=asked.seed,
        number=number,
        tokens=list(one.tokens),
        log_likelihood=_finite(one.log_likelihood),
        policy_log_likelihood=_finite(one.policy_log_likelihood),
        rules_broken=one.rules_broken,
        probabilities=[None if chance is None else round(chance, 6) for chance in chances],
        verdict=judge.verdict(one, rules),
    )


def _new_notes(sketch: StreamChunk) -> Iterator[NewNotes]:
    for number, notes in enumerate(sketch.notes, start=1):
        new = [NoteShape.of(note) for note in notes if note.pitches]
        if new:
            yield NewNotes(number, new, sketch.length)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
    gap = InfillSpan.from_bars(melody, BarRange(asked.first, asked.last))
    rewritten = shown.composer.iter_rewrites(
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


def _chances(shown: ShownModel, one: Composition, gap: InfillSpan) -> list[float | None]:
    """How probable each new note is after those before it; None for those that stay."""
    chances = next_notes(shown.composer, one).of(one)
    notes = zip(one.sounding, chances, strict=True)
    return [chance if gap.start <= note.onset < gap.end else None for note, chance in notes]


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
    made = shown.composer.interpolate(
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
    made = shown.composer.vary(
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
