"""Composing, rewriting, interpolating, varying, answering and judging: a request in, its results out, piece by piece.

A weight of a rule only multiplies what the rule gives. So each melody is judged once, by the rules of the catalogue,
whose weights are 1, and the values are multiplied by the weights of the request: a changed weight is answered at once.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from cantilena.errors import UsageError
from cantilena.generation import (
    BarRange,
    Composition,
    InfillSpan,
    StreamChunk,
    answer,
    names_chord_file,
    next_notes,
    note_probabilities,
    typed_notes,
)
from cantilena.metrics import MelodyRewards
from cantilena.metrics import melody_rewards as judge_melody
from cantilena.music import Key, Melody, Meter, Note, find_key
from cantilena.rules import RULE_SETS, Rule, RuleSet
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import ConditioningSchema, MelodySchema, NoteSchema, parse_constraints
from cantilena.studio.schemas.requests import (
    AnswerRequest,
    ComposeRequest,
    GenerationRequest,
    InterpolateRequest,
    RewriteRequest,
    RewriteSectionRequest,
    VaryRequest,
)
from cantilena.studio.schemas.responses import Answer, Candidate, MelodyVerdict, NoteVerdict, RuleVerdict
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.models import ModelRegistry, StudioModel

_TOKENS_PER_CHUNK = 4
"""Tokens that are sampled between two chunks of a stream: a quarter note of sixteenths, or two notes."""

_CACHE_SIZE = 512
"""Melodies whose verdicts are cached; one of 8 bars takes about 50 kB."""


@dataclass(frozen=True)
class NewNotes:
    """Notes of a candidate that have just been sampled."""

    number: int
    """The number of the candidate, from 1."""

    notes: list[NoteSchema]
    length: int
    """The length of the candidate so far, in ticks."""

    pickup: int
    """Ticks before its first barline."""


Events = Iterator[NewNotes | Candidate]
"""The new notes of candidates, and the candidates when they are complete."""


def parse_primer(text: str, key: str = "") -> Melody | None:
    """Parse a primer, in the given key or else an estimated one; None if it has no notes.

    Raises:
        UsageError: a word is not a note.
    """
    melody = typed_notes(text)
    if not melody.sounding:
        return None
    return replace(melody, key=Key.parse(key) if key else find_key(melody))


class ComposeService:
    """Generates candidates with the models of the studio.

    Each method raises UsageError for values that do not fit together or not to the model, NotFoundError for an unknown
    model, and UnavailableError when the deadline has passed.

    Args:
        models: the models.
        verdicts: judges the candidates.
    """

    def __init__(self, models: ModelRegistry, verdicts: VerdictCache) -> None:
        self.models = models
        self.verdicts = verdicts

    def compose(self, request: ComposeRequest, deadline: Deadline) -> Events:
        """Compose all candidates at once: first the notes of all, then the candidates."""
        run = self._run(request, deadline, request.seed)
        primer = request.idea.to_melody() if request.idea is not None else parse_primer(request.primer, request.key)
        if primer is not None and not primer.sounding:
            primer = None
        if primer is not None and primer.key is None and not request.key:
            primer = replace(primer, key=find_key(primer))
        if names_chord_file(request.chords):  # which a page must not read
            raise UsageError("chords that name a file", "send them as text, such as C | Am | F G7 | C")
        bars = _total_bars(request, primer)
        options = request.compose_options().replace(
            primer=primer or "",
            bars=bars,
            form=request.form_of(bars),
            constrain=parse_constraints(request.constrain) or "",
            sampling=request.sampling_options(),
        )
        chunks = run.model.composer.stream(request.count, options, seed=request.seed, every=_TOKENS_PER_CHUNK)
        compositions: tuple[Composition, ...] = ()
        for chunk in chunks:
            deadline.check()
            yield from _new_notes(chunk)
            compositions = chunk.compositions
        probabilities = note_probabilities(run.model.composer, list(compositions), options)
        for number, (composition, row) in enumerate(zip(compositions, probabilities, strict=True), start=1):
            deadline.check()
            yield run.candidate(number, composition, row)

    def rewrite(self, request: RewriteRequest, deadline: Deadline) -> Events:
        """Compose some bars anew; each candidate is complete before the next one is begun."""
        run, melody = self._run(request, deadline, request.seed), request.melody.to_melody()
        span, locks = InfillSpan.from_bars(melody, BarRange(request.first, request.last)), request.to_locks()
        compositions = run.model.composer.iter_rewrites(
            melody,
            request.first,
            request.last,
            melodies=request.count,
            sampling=request.sampling_options(),
            seed=request.seed,
            locks=locks,
            range=request.range,
            constrain=parse_constraints(request.constrain) or "",
        )
        kept = {melody.sounding[number] for lock in locks if lock.kind == "notes" for number in lock.notes}
        yield from run.candidates(compositions, new=range(span.start, span.end), kept=kept)

    def rewrite_section(self, request: RewriteSectionRequest, deadline: Deadline) -> Events:
        """Compose a section and its returns anew; each candidate is complete before the next one is begun."""
        run, melody, form = self._run(request, deadline, request.seed), request.melody.to_melody(), request.to_form()
        compositions = run.model.composer.iter_section_rewrites(
            melody,
            form,
            request.section,
            melodies=request.count,
            sampling=request.sampling_options(),
            seed=request.seed,
            range=request.range,
            constrain=parse_constraints(request.constrain) or "",
        )
        label, bar = form.sections[request.section - 1].label, melody.meter.ticks_per_bar
        bars = [range((one.first - 1) * bar, one.last * bar) for one in form.sections if one.label == label]
        yield from run.candidates(compositions, new=frozenset(chain(*bars)))

    def interpolate(self, request: InterpolateRequest, deadline: Deadline) -> Events:
        """Interpolate between two melodies with a VAE."""
        run = self._run(request, deadline, seed=1)
        first, last = request.first.to_melody(), request.last.to_melody()
        _check_size([first, last], request.steps)
        compositions = run.model.composer.interpolate(
            first,
            last,
            steps=request.steps,
            key=request.key,
            range=request.range,
            constrain=parse_constraints(request.constrain) or "",
        )
        yield from run.candidates(compositions, given={1, request.steps})

    def vary(self, request: VaryRequest, deadline: Deadline) -> Events:
        """Vary a melody with a VAE."""
        run, melody = self._run(request, deadline, request.seed), request.melody.to_melody()
        _check_size([melody], request.count)
        compositions = run.model.composer.vary(
            melody,
            amount=request.amount,
            melodies=request.count,
            sampling=request.sampling_options(),
            seed=request.seed,
            range=request.range,
            constrain=parse_constraints(request.constrain) or "",
        )
        yield from run.candidates(compositions, given=range(1, request.count + 1) if request.amount == 0 else ())

    def answer(self, request: AnswerRequest, deadline: Deadline) -> Answer:
        """Answer a call, without the probabilities and the verdict of a candidate: somebody waits for the beat."""
        deadline.check()
        started = time.monotonic()
        model = self.models.get(request.model)
        response = answer(
            model.composer,
            request.to_melody(),
            reply=request.reply,
            range=request.range,
            style=request.style,
            temperature=request.temperature,
            seed=request.seed,
        )
        return Answer(
            call=MelodySchema.from_melody(response.call),
            notes=[NoteSchema.from_note(note) for note in response.notes],
            melody=MelodySchema.from_melody(response.melody),
            model=model.info.name,
            seed=request.seed,
            seconds=round(time.monotonic() - started, 4),
        )

    def _run(self, request: GenerationRequest, deadline: Deadline, seed: int) -> _Run:
        return _Run(self.models.get(request.model), request.rules.to_rule_set(), self.verdicts, deadline, seed)


@dataclass(frozen=True)
class _Run:
    """What makes candidates of compositions."""

    model: StudioModel
    rules: RuleSet
    verdicts: VerdictCache
    deadline: Deadline
    seed: int

    def candidates(
        self,
        compositions: Iterable[Composition],
        *,
        new: Container[int] | None = None,
        kept: Container[Note] = (),
        given: Container[int] = (),
    ) -> Events:
        """Yield the new notes of each composition, then the candidate.

        Args:
            compositions: the compositions.
            new: onsets of the notes that were sampled; all if None.
            kept: notes that were not sampled, wherever they are.
            given: numbers of the candidates that the request itself contains, from 1.
        """
        for number, composition in enumerate(compositions, start=1):
            self.deadline.check()
            notes = composition.sounding
            is_new = [(new is None or note.onset in new) and note not in kept for note in notes]
            sent = [NoteSchema.from_note(note) for note, is_sampled in zip(notes, is_new, strict=True) if is_sampled]
            yield NewNotes(number, sent, composition.length, composition.pickup)
            probabilities: list[float | None] = [None] * len(notes)
            if number not in given:
                expected = next_notes(self.model.composer, composition, conditioning=composition.conditioning)
                chances = zip(expected.of(composition), is_new, strict=True)
                probabilities = [p if is_sampled else None for p, is_sampled in chances]
            yield self.candidate(number, composition, probabilities)

    def candidate(self, number: int, composition: Composition, probabilities: Sequence[float | None]) -> Candidate:
        """Return a composition with its probabilities, None for notes that were not sampled, and its verdict."""
        sampled = [index for index, probability in enumerate(probabilities) if probability is not None]
        return Candidate(
            melody=MelodySchema.from_melody(composition),
            primer_notes=sampled[0] if sampled else len(probabilities),
            model=self.model.info.name,
            seed=self.seed,
            number=number,
            tokens=list(composition.tokens),
            log_likelihood=_finite(composition.log_likelihood),
            policy_log_likelihood=_finite(composition.policy_log_likelihood),
            rules_broken=composition.rules_broken,
            probabilities=[None if probability is None else round(probability, 6) for probability in probabilities],
            conditioning=ConditioningSchema.from_conditioning(composition.conditioning),
            verdict=self.verdicts.verdict(composition, self.rules),
        )


def _new_notes(chunk: StreamChunk) -> Iterator[NewNotes]:
    for number, (notes, pickup) in enumerate(zip(chunk.notes, chunk.pickups, strict=True), start=1):
        new = [NoteSchema.from_note(note) for note in notes if note.pitches]
        if new:
            yield NewNotes(number, new, chunk.length, pickup)


def _total_bars(request: ComposeRequest, primer: Melody | None) -> int:
    """The number of bars of primer and new music together; a primer fills the bars that it begins, but for its pickup.

    Raises:
        UsageError: the composition would be too long to be sent in another request.
    """
    whole = request.whole_bars()
    if primer is None or whole is not None:
        if primer is not None and len(primer.sounding) > LIMITS.notes:
            raise UsageError(f"the primer has more than {LIMITS.notes} notes", "give a shorter primer")
        return whole or request.bars
    bar = Meter.parse(request.meter).ticks_per_bar if request.meter else primer.meter.ticks_per_bar
    is_too_long = primer.length + request.bars * bar > LIMITS.bars * bar + primer.pickup % bar
    if is_too_long or len(primer.sounding) > LIMITS.notes:
        raise UsageError(f"primer and new music are longer than {LIMITS.bars} bars", "give a shorter primer")
    return request.bars - (-(primer.length - primer.pickup % bar) // bar)


def _check_size(melodies: Sequence[Melody], count: int) -> None:
    """Reject a request that would take too long."""
    bars = max(melody.bars for melody in melodies)
    if bars * count > LIMITS.drawn_bars:
        raise UsageError(
            f"{bars} bars times {count} melodies are more than {LIMITS.drawn_bars}", "ask for fewer or shorter ones"
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
        by_rule = [_rule_verdict(rule, judged) for rule in rules.rules if rule.name in judged.rewards]
        return MelodyVerdict(total=_rounded(sum(rule.total for rule in by_rule)), rules=by_rule, notes=notes)

    def _judge(self, melody: Melody, rules: RuleSet) -> MelodyRewards:
        # Rules ignore title and tempo: melodies that differ in nothing else share a verdict.
        bare = Melody(
            melody.notes,
            key=melody.key,
            meter=melody.meter,
            pickup=melody.pickup,
            length=melody.length,
            chords=melody.chords,
        )
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
