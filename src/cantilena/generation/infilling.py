"""Infilling: rewriting bars of a melody so that they fit what comes before and after.

A note belongs to the bar in which it begins. Notes that begin outside the span do not change: one that is held into it
sounds to its end, and new music begins after it. Notes that begin inside are replaced, whole; if the last of them was
held beyond the span, the last new note is held as long. On the grid a note that is held into the span ends at the next
sixteenth; a model of notes is exact to the tick.

What a model draws after the past alone ignores the future, and may meet it with a leap or in the wrong harmony. Wanted
is a draw from p(span | past, future), and by Bayes' rule

    p(span | past, future)  is proportional to  p(span | past) p(future | past, span).

So candidates are drawn from p(span | past), weighted by the probability of the future, and one is drawn by these
weights: sampling-importance resampling (D. B. Rubin, "Using the SIR algorithm to simulate posterior distributions",
Bayesian Statistics 3, 1988), exact in the limit of many candidates. With a temperature both factors are those of the
tempered model, whose every step is p^(1/T), normalised. The weighted draw adds Gumbel noise to the logarithms and takes
the largest.

The candidates of a model of notes end where the span does: the model, which is told the length of the whole melody,
chooses among the durations that fit, and the weight has as factors the probabilities of these, so that it stays that of
Bayes' rule. If the last note is held, or a last rest goes on, beyond the span, another factor is the ratio of the
probabilities of its two durations; their effect on its pitch is neglected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.chords import told_chords
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.form import with_forms
from cantilena.generation.infill_context import InfillContext, InfillSpan
from cantilena.generation.locks import Lock, LockedPart, LockGuide, Locks, check_locks, with_locked_durations
from cantilena.generation.options import ComposeOptions, SamplingOptions, check_count
from cantilena.generation.placement import without_end
from cantilena.generation.sampling import Drawing, Samples, log_likelihood
from cantilena.models import (
    Bars,
    SequenceModel,
    log_probs_with_bars,
    log_softmax,
    only_bounds_likelihood,
    to_numpy,
)
from cantilena.music import Cadence, Form, Key, Melody, cadence_of, find_key
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding, NotesEncoding

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer

CANDIDATES = 64
"""Candidates drawn for one rewrite."""

_MOST_GAPS = 32
"""Gaps between locked notes that are rewritten at most, one after the other."""

_MAX_CELLS = 100_000
"""Steps that are weighted at once: bounds the memory."""


def iter_rewrites(
    composer: Composer,
    melody: Melody,
    options: ComposeOptions,
    *,
    melodies: int,
    seed: int,
    locks: Sequence[Lock] = (),
) -> Iterator[Composition]:
    """As `Composer.iter_rewrites`; `options.bars` are the bars to rewrite."""
    span = InfillSpan.from_bars(melody, options.bars_to_rewrite())
    return iter_span_rewrites(composer, melody, span, options, melodies=melodies, seed=seed, locks=locks)


def iter_span_rewrites(
    composer: Composer,
    melody: Melody,
    span: InfillSpan,
    options: ComposeOptions,
    *,
    melodies: int,
    seed: int,
    form: Form | None = None,
    cadence: Cadence | None = None,
    candidates: int = CANDIDATES,
    locks: Sequence[Lock] = (),
) -> Iterator[Composition]:
    """As `iter_rewrites`, of any span.

    Args:
        composer: the model.
        melody: the melody; notes that begin outside the span stay.
        span: what to rewrite.
        options: as for `Composer.rewrite`.
        melodies: how many, 1 to 10000.
        seed: the same seed gives the same melodies.
        form: of the melody, which a model that has learned forms is told; None for none.
        cadence: which the span ends with, if one of the candidates does; None for any.
        candidates: how many are drawn for each melody.
        locks: what is kept of notes in the span.

    Raises:
        UsageError: the model is a VAE, no new note can begin in the span, or an option is invalid.
    """
    check_count(melodies)
    if only_bounds_likelihood(composer.model):
        raise UsageError(
            "a VAE knows no probabilities of what follows, and cannot fit bars between others",
            "vary the melody with it (compose --vary), or name a network",
        )
    keyed = melody if melody.key else replace(melody, key=find_key(melody))
    placement = composer.place(replace(options, bars=None), keyed)
    encoding = composer.encoding
    before = keyed.transposed(-placement.semitones)
    check_locks(locks, encoding)
    held = Locks.of(before, locks)
    gaps = [InfillSpan(span.bars, *gap) for gap in held.gaps(span.start, span.end)]
    if locks:  # a note fits, or one can be replaced
        gaps = [gap for gap in gaps if gap.end - gap.start >= encoding.ticks_per_step]
        gaps = [
            gap
            for gap in gaps
            if encoding.has_rhythm or any(gap.start <= note.onset < gap.end for note in before.sounding)
        ]
    if not gaps:
        raise UsageError(f"every note of bars {span.bars} is locked", "unlock some of them, or choose other bars")
    if len(gaps) > _MOST_GAPS:
        raise UsageError(
            f"the locks divide bars {span.bars} into {len(gaps)} gaps",
            f"leave {_MOST_GAPS} at most, such as whole bars",
        )
    contexts = [InfillContext.from_melody(before, gap, encoding) for gap in gaps]
    steps, length = max(context.line_steps(encoding) for context in contexts), contexts[0].length
    constraints = Constraints.from_rules(options.constrain, encoding, placement.context(), steps)
    bars = placement.bars(candidates, length)
    told = form if composer.forms is not None else None
    if told is not None:
        bars = with_forms(bars, [told] * candidates, [placement.pickup] * candidates)
    if melody.chords and composer.has_harmony:
        bars = told_chords(bars, [melody.chords] * candidates, placement.semitones)

    def rewrite(gap: InfillSpan, context: InfillContext, before: Melody, rng: np.random.Generator) -> _Rewritten:
        """Rewrite a gap of a melody that is in the key of the model."""
        locked = held.between(gap.start, gap.end)
        drawn = draw_candidates(
            composer.model,
            context,
            rng,
            encoding=encoding,
            bars=bars,
            sampling=options.sampling,
            allowed=placement.allowed,
            constraints=constraints,
            locked=locked,
        )
        if cadence is not None and gap.end == span.end:
            drawn = drawn.among(_ends_with(cadence, drawn, context, encoding, placement.model_key))
        row = drawn.chosen(rng, greedy=options.sampling.greedy)
        tokens = without_end(drawn.tokens[row], encoding)
        notes = with_locked_durations(context.notes(tokens, encoding), locked.parts)
        nats = log_likelihood(composer.prior, tokens[None], primer=context.past, bars=bars[:1])
        broken = None if drawn.broken is None else int(drawn.broken[row])
        whole = replace(before, notes=gap.filled(before, notes))
        return _Rewritten(whole, tokens, float(nats[0]), float(drawn.log_likelihood[row]), broken)

    def rewrites() -> Iterator[Composition]:
        for number in range(melodies):
            rng = generator(seed, "rewrite", number)
            done = [rewrite(gaps[0], contexts[0], before, rng)]
            for gap in gaps[1:]:  # whose past has changed
                whole = done[-1].melody
                done.append(rewrite(gap, InfillContext.from_melody(whole, gap, encoding), whole, rng))
            yield Composition(
                notes=done[-1].melody.transposed(placement.semitones).notes,
                key=placement.key,
                meter=melody.meter,
                tempo=melody.tempo,
                pickup=melody.pickup,
                length=max(melody.length, span.end),
                title=melody.title or f"{composer.name or 'Composition'} {number + 1}",
                source=f"bars {span.bars} composed by Cantilena",
                tokens=tuple(encoding.vocabulary[token] for one in done for token in one.tokens),
                log_likelihood=sum(one.log_likelihood for one in done),
                policy_log_likelihood=sum(one.policy_log_likelihood for one in done),
                rules_broken=None if done[0].broken is None else sum(one.broken or 0 for one in done),
                chords=melody.chords,
                form=form,
                conditioning=placement.conditioning(length, told, melody.chords),
            )

    return rewrites()


@dataclass(frozen=True)
class _Rewritten:
    """A melody in the key of the model after a gap was rewritten, and what `Composition` says of the new tokens."""

    melody: Melody
    tokens: NDArray[np.int64]
    log_likelihood: float
    policy_log_likelihood: float
    broken: int | None


@dataclass(frozen=True)
class Candidates:
    """Candidates for a span.

    Args:
        tokens: `(candidates, steps)`.
        log_likelihood: `(candidates,)` nats of the new tokens after the past.
        log_future: `(candidates,)` nats of the future after past and candidate, under the tempered model.
        broken: `(candidates,)` how often a constraint was broken; None without constraints.
        log_fitting: `(candidates,)` nats of the durations that fit into the span, if tokens are notes.
    """

    tokens: NDArray[np.int64]
    log_likelihood: NDArray[np.float64]
    log_future: NDArray[np.float64]
    broken: NDArray[np.int64] | None
    log_fitting: NDArray[np.float64] | None = None

    def among(self, fits: NDArray[np.bool_]) -> Candidates:
        """The same, of which only those that fit are chosen; all of them if none does.

        Examples:
            >>> two = Candidates(np.zeros((2, 1), dtype=int), np.zeros(2), np.array([-90.0, -1.0]), None)
            >>> two.among(np.array([True, False])).chosen(np.random.default_rng(1))
            0
        """
        return replace(self, log_future=np.where(fits, self.log_future, -np.inf)) if fits.any() else self

    def chosen(self, rng: np.random.Generator, *, greedy: bool = False) -> int:
        """Draw one by the probability of the future, or take the most probable whole if greedy.

        Examples:
            >>> two = Candidates(np.zeros((2, 1), dtype=int), np.zeros(2), np.array([-90.0, -1.0]), None)
            >>> two.chosen(np.random.default_rng(1))
            1
        """
        noise = self.log_likelihood if greedy else rng.gumbel(size=len(self.tokens))
        if self.log_fitting is not None and not greedy:
            noise = noise + self.log_fitting
        return int(np.argmax(np.nan_to_num(self.log_future + noise, neginf=-1e300)))


def draw_candidates(
    model: SequenceModel,
    context: InfillContext,
    rng: np.random.Generator,
    *,
    encoding: Encoding,
    bars: Bars,
    sampling: SamplingOptions,
    allowed: NDArray[np.bool_] | None = None,
    constraints: Constraints | None = None,
    locked: LockedPart | None = None,
) -> Candidates:
    """Draw candidates after the past of a span, and compute the probability of the future after each.

    There are as many as `bars` has rows; `sample` has the other arguments, of which `greedy` has no effect here. Notes
    that are `locked` keep their rhythm, and perhaps their contour.
    """
    if context.begins_anew:  # the first token must not hold the note before
        each = np.ones(len(encoding.vocabulary), dtype=bool) if allowed is None else allowed
        allowed = np.tile(each, (context.steps, 1))
        allowed[0, encoding.vocabulary.index("hold")] = False
    steps, guide = context.steps, None
    if locked is not None and locked.parts and isinstance(encoding, NotesEncoding):
        guide = LockGuide(encoding, locked, context.origin, context.end, len(bars.pickup), allowed)
        steps += 2 * len(locked.parts) * len(encoding.parts)
    drawing = Drawing(
        model,
        rng.random((len(bars.pickup), steps)),
        options=replace(sampling, greedy=False),
        primer=context.past,
        allowed=allowed,
        bars=bars,
        constraints=constraints,
        encoding=encoding,
        end=context.end if isinstance(encoding, NotesEncoding) else None,
        guide=guide,
    )
    while not drawing.is_done:
        drawing.advance()
    drawn = drawing.samples
    if isinstance(encoding, NotesEncoding):
        weighted = _weighted_notes(model, context, drawn, encoding, bars, sampling.temperature)
        # What the locks leave has its own probability, that of durations that fit among it.
        return weighted if guide is None else replace(weighted, log_fitting=drawing.log_mass)
    whole, steps = context.whole(drawn.tokens, encoding), len(context.future)
    log_future = np.zeros(len(whole))
    at_once = max(_MAX_CELLS // max(whole.shape[1], 1), 1)
    for first in range(0, len(whole) if steps else 0, at_once):
        rows = slice(first, first + at_once)
        log_probs = to_numpy(log_probs_with_bars(model, whole[rows], bars[rows]))[:, -steps:]
        tempered = log_softmax(np.asarray(log_probs, dtype=np.float64) / sampling.temperature)
        log_future[rows] = np.take_along_axis(tempered, whole[rows, -steps:, None], axis=-1)[..., 0].sum(axis=1)
    return Candidates(drawn.tokens, drawn.log_likelihood, log_future, drawn.broken)


def _ends_with(
    cadence: Cadence, candidates: Candidates, context: InfillContext, encoding: Encoding, key: Key
) -> NDArray[np.bool_]:
    """`(candidates,)`: whether the last note makes a cadence in the key of the model."""
    lasts = (
        [note for note in context.notes(without_end(row, encoding), encoding) if note.pitches][-1:]
        for row in candidates.tokens
    )
    return np.array([bool(last) and cadence_of(last[0].top, key) == cadence for last in lasts], dtype=np.bool_)


def _weighted_notes(
    model: SequenceModel,
    context: InfillContext,
    drawn: Samples,
    encoding: NotesEncoding,
    bars: Bars,
    temperature: float,
) -> Candidates:
    """The candidates of a model of notes that were drawn."""
    melodies = context.notes_with_future(drawn.tokens, encoding)
    log_future, log_fitting = np.zeros(len(drawn.tokens)), np.zeros(len(drawn.tokens))
    at_once = max(_MAX_CELLS // melodies.tokens.shape[1], 1)
    for first in range(0, len(log_future), at_once):
        rows = slice(first, first + at_once)
        log_probs = to_numpy(log_probs_with_bars(model, melodies.tokens[rows], bars[rows]))
        tempered = log_softmax(np.asarray(log_probs, dtype=np.float64) / temperature)
        log_future[rows] = melodies[rows].log_future(tempered, encoding)
        log_fitting[rows] = melodies[rows].log_fitting(tempered, context, encoding)
    return Candidates(drawn.tokens, drawn.log_likelihood, log_future, drawn.broken, log_fitting)
