"""Composing for the page: a request in, candidates out, each with its probabilities and its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cantilena.errors import UsageError
from cantilena.generation import Composition, Sketch, drawn_notes, typed_notes
from cantilena.music import Key, Melody, Meter, find_key
from cantilena.rules import RuleSet
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import MelodyShape, NoteShape, constraining
from cantilena.studio.schemas.requests import ComposeRequest, Drawing
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
    options, rules = asked.options(), asked.rules.rules()
    _check_length(asked, idea)
    composed: tuple[Composition, ...] = ()
    constraints = constraining(asked.constrain)
    sketches = shown.composer.stream(
        asked.count, options, asked.sampling(), seed=asked.seed, idea=idea, rules=constraints, every=_EVERY
    )
    for sketch in sketches:
        deadline.check()
        yield from _new_notes(sketch)
        composed = sketch.compositions
    chances = drawn_notes(shown.composer, list(composed), options, idea)
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


def _new_notes(sketch: Sketch) -> Iterator[NewNotes]:
    for number, notes in enumerate(sketch.notes, start=1):
        new = [NoteShape.of(note) for note in notes if note.pitches]
        if new:
            yield NewNotes(number, new, sketch.length)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
