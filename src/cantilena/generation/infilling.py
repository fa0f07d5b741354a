"""Bars that are to be written anew: where they lie, and what stands around them.

A note belongs to the bar in which it begins. So notes that begin outside the bars stay as they are: one that is held
into them sounds to its end, and new music begins after it. Notes that begin inside go, whole; where the last of them
was held over the last barline, what the new music sounds last is held in its place, as long.

New music for a gap that fits what comes after it too.

What a model draws after the past alone knows nothing of the future: it may run into it by a leap, in the wrong
harmony. What is wanted is a draw from p(gap | past, future), and by Bayes' rule

    p(gap | past, future)  is proportional to  p(gap | past) p(future | past, gap).

So many candidates are drawn from p(gap | past), each is weighted by the probability of the future after it, and one is
drawn by these weights: sampling-importance resampling (D. B. Rubin, "Using the SIR algorithm to simulate posterior
distributions", Bayesian Statistics 3, 1988), exact as the candidates become many. With a temperature both factors are
those of the tempered model, whose every step is p^(1/T), normalised. The draw by weights adds Gumbel noise to their
logarithms and takes the largest.

Melodies with some bars composed anew, one after the other: each is there before the next is begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.options import BarRange, ComposeOptions, SamplingOptions
from cantilena.generation.placement import Placement
from cantilena.generation.sampling import log_likelihood, sample
from cantilena.models import Bars, SequenceModel, log_probs_in_bars, log_softmax, numpy_of, tells_a_bound
from cantilena.music import Melody, Note, find_key
from cantilena.rules import RuleSet, load_rules
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer


LOOK_AHEAD = 256
"""Steps of what follows that new music is fitted to: sixteen bars of 4/4."""


@dataclass(frozen=True)
class Gap:
    """Bars of a melody that are to be written anew.

    Args:
        bars: which.
        start: ticks from the melody's start to the first of them.
        end: ticks to the end of the last.
    """

    bars: BarRange
    start: int
    end: int

    @classmethod
    def of(cls, melody: Melody, bars: BarRange) -> Gap:
        """Where bars lie in a melody; the last bar is whole, except where it completes a pickup.

        Raises:
            UsageError: bars that the melody has not, or a melody without a note.

        Example:
            >>> tune = Melody.of([(60, 96), (62, 96), (64, 96)])
            >>> Gap.of(tune, BarRange(2, 3)).start, Gap.of(tune, BarRange(2, 3)).end
            (96, 288)
        """
        if not melody.sounding:
            raise UsageError("the melody holds no note", "give one that sounds, or compose anew")
        bar = melody.meter.ticks_per_bar
        pickup = melody.pickup % bar
        count = melody.bars - bool(pickup)
        if bars.last > count:
            has = f"it has {count} bar{'s' * (count != 1)}" + (" after a pickup, bar 0" if pickup else "")
            raise UsageError(f"bars {bars} of a melody that ends before", has)
        if bars.first == 0 and not pickup:
            raise UsageError(f"bars {bars} of a melody without a pickup", "its first bar is bar 1")
        start, end = (pickup + (number - 1) * bar for number in (bars.first, bars.last + 1))
        if pickup and bars.last == count and melody.length - (end - bar) == bar - pickup:
            end = melody.length
        return cls(bars, max(start, 0), end)

    def filled(self, melody: Melody, notes: tuple[Note, ...], semitones: int) -> tuple[Note, ...]:
        """The melody's own notes outside the gap, and new ones inside, moved by some semitones."""
        kept = [note for note in melody.notes if not self.start <= note.onset < self.end]
        new = [replace(note, pitches=tuple(pitch + semitones for pitch in note.pitches)) for note in notes]
        return (*kept, *new)


@dataclass(frozen=True)
class Surroundings:
    """A gap as a model meets it, in tokens.

    Args:
        past: `(past steps,)` tokens before the new ones.
        steps: how many new tokens.
        future: `(future steps,)` tokens after them, where the new ones end in silence.
        future_after_sound: the same where they end in sound: a note is held or ended first.
        rhythm: the place of each new note or chord (onset, duration), where tokens tell no time; else empty.
        origin: the tick at which the new tokens begin.
        held_until: the tick to which a note that sounds last is held.
        end: the tick at which the gap ends.
        begins_anew: whether the first new token may not hold what sounded before.
    """

    past: NDArray[np.int64]
    steps: int
    future: NDArray[np.int64]
    future_after_sound: NDArray[np.int64]
    rhythm: tuple[tuple[int, int], ...]
    origin: int
    held_until: int
    end: int
    begins_anew: bool

    @classmethod
    def of(cls, melody: Melody, gap: Gap, encoding: Encoding) -> Surroundings:
        """What stands around a gap.

        Args:
            melody: in the model's key.
            gap: the bars.
            encoding: of the model.

        Raises:
            UsageError: no room for a new note.
        """
        before = [note for note in melody.notes if note.onset < gap.start]
        inside = [note for note in melody.sounding if gap.start <= note.onset < gap.end]
        after = [replace(note, onset=note.onset - gap.end) for note in melody.notes if note.onset >= gap.end]
        future = encoding.encode(_only(melody, after, max(melody.length - gap.end, 0)))[:LOOK_AHEAD]
        if not encoding.tells_time:
            if not inside:
                raise UsageError(
                    f"no note begins in bars {gap.bars}", "this model knows no rhythm, and can only replace notes"
                )
            past = encoding.encode(_only(melody, before, gap.start))
            rhythm = tuple((note.onset, note.duration) for note in inside)
            return cls(past, len(inside), future, future, rhythm, gap.start, gap.end, gap.end, begins_anew=False)
        step = encoding.step_ticks
        sounds_until = max((note.end for note in before if note.pitches), default=0)
        kept = -(-max(sounds_until - gap.start, 0) // step)
        steps = -(-(gap.end - gap.start) // step) - kept
        if steps < 1:
            raise UsageError(
                f"a note that begins before bars {gap.bars} is held through them", "begin with the bar of that note"
            )
        origin = gap.start + kept * step
        past = encoding.encode(_only(melody, before, origin))
        held_until = max((note.end for note in inside), default=gap.end)
        held_until = max(min(held_until, *(note.onset + gap.end for note in after), 2**62), gap.end)
        return cls(
            past,
            steps,
            future,
            _ended(future, (held_until - gap.end + step // 2) // step, encoding),
            (),
            origin,
            held_until,
            gap.end,
            begins_anew=bool(sounds_on(past[None, :], encoding)[0]),
        )

    def whole(self, new: NDArray[np.int64], encoding: Encoding) -> NDArray[np.int64]:
        """`(candidates, past + new + future)` tokens for `(candidates, new)`."""
        past = np.tile(self.past, (len(new), 1))
        sounds = sounds_on(np.concatenate([past, new], axis=1), encoding)
        future = np.where(sounds[:, None], self.future_after_sound, self.future)
        return np.concatenate([past, new, future], axis=1)

    def notes(self, new: NDArray[np.int64], encoding: Encoding) -> tuple[Note, ...]:
        """The notes that `(new,)` tokens say, in the gap and in the model's key."""
        said = encoding.decode(new).notes
        if self.rhythm:
            return tuple(Note(note.pitches, *place) for note, place in zip(said, self.rhythm, strict=True))
        moved = [replace(note, onset=note.onset + self.origin) for note in said]
        end = self.origin + len(new) * encoding.step_ticks
        return tuple(
            replace(note, duration=(self.held_until if note.end == end and note.pitches else min(note.end, self.end))
                    - note.onset)
            for note in moved
        )  # fmt: skip


def sounds_on(tokens: NDArray[np.int64], encoding: Encoding) -> NDArray[np.bool_]:
    """Whether a note sounds at the end of `(melodies, steps)` tokens, `(melodies,)`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> sounds_on(np.array([[14, 1, 1], [14, 0, 1], [1, 1, 1]]), GridEncoding()).tolist()
        [True, False, False]
    """
    if not encoding.tells_time:
        return np.full(len(tokens), tokens.shape[1] > 0)
    hold, off = (encoding.vocabulary.index(name) for name in ("hold", "off"))
    says = tokens != hold
    places = np.where(says, np.arange(tokens.shape[1]), -1).max(axis=1, initial=-1)
    return np.array([place >= 0 and row[place] != off for row, place in zip(tokens, places, strict=True)], dtype=bool)


def _only(melody: Melody, notes: list[Note], length: int) -> Melody:
    return Melody(tuple(notes), key=melody.key, meter=melody.meter, tempo=melody.tempo, length=length)


def _ended(future: NDArray[np.int64], step: int, encoding: Encoding) -> NDArray[np.int64]:
    """What follows, with a note off where nothing else ends the note that sounds."""
    hold, off = (encoding.vocabulary.index(name) for name in ("hold", "off"))
    ended = future.copy()
    if step < len(ended) and ended[step] == hold:
        ended[step] = off
    return ended


CANDIDATES = 64
"""How many candidates are drawn for one gap."""

_CELLS = 100_000
"""Steps that are judged in one call: bounds the memory."""


@dataclass(frozen=True)
class Filling:
    """What fills a gap.

    Args:
        tokens: `(steps,)`.
        log_likelihood: nats of the tokens after the past, under the untuned model.
        policy_log_likelihood: the same under the model that drew them, of what rules left.
        broken: how often a rule was broken; None without rules.
    """

    tokens: NDArray[np.int64]
    log_likelihood: float
    policy_log_likelihood: float
    broken: int | None


@dataclass(frozen=True)
class Candidates:
    """What might fill a gap.

    Args:
        tokens: `(candidates, steps)`.
        log_likelihood: `(candidates,)` nats of the new tokens after the past.
        log_future: `(candidates,)` nats of what follows after the past and the candidate, under the tempered model.
        broken: `(candidates,)` how often a rule was broken; None without rules.
    """

    tokens: NDArray[np.int64]
    log_likelihood: NDArray[np.float64]
    log_future: NDArray[np.float64]
    broken: NDArray[np.int64] | None

    def chosen(self, rng: np.random.Generator, *, greedy: bool = False) -> int:
        """One of them, drawn by the probability of what follows; greedy: the most probable whole.

        Example:
            >>> two = Candidates(np.zeros((2, 1), dtype=int), np.zeros(2), np.array([-90.0, -1.0]), None)
            >>> two.chosen(np.random.default_rng(1))
            1
        """
        noise = self.log_likelihood if greedy else rng.gumbel(size=len(self.tokens))
        return int(np.argmax(np.nan_to_num(self.log_future + noise, neginf=-1e300)))


def fill(
    around: Surroundings,
    rng: np.random.Generator,
    *,
    model: SequenceModel,
    prior: SequenceModel,
    encoding: Encoding,
    bars: Bars,
    sampling: SamplingOptions,
    allowed: NDArray[np.bool_] | None = None,
    constraints: Constraints | None = None,
) -> Filling:
    """Draw candidates and choose one; arguments as of `candidates_for`, and the model before tuning."""
    drawn = candidates_for(
        model, around, rng, encoding=encoding, bars=bars, sampling=sampling, allowed=allowed, constraints=constraints
    )
    chosen = drawn.chosen(rng, greedy=sampling.greedy)
    tokens = drawn.tokens[chosen]
    untuned = log_likelihood(prior, tokens[None], primer=around.past, bars=bars[:1])[0]
    broken = None if drawn.broken is None else int(drawn.broken[chosen])
    return Filling(tokens, float(untuned), float(drawn.log_likelihood[chosen]), broken)


def candidates_for(
    model: SequenceModel,
    around: Surroundings,
    rng: np.random.Generator,
    *,
    encoding: Encoding,
    bars: Bars,
    sampling: SamplingOptions,
    allowed: NDArray[np.bool_] | None = None,
    constraints: Constraints | None = None,
) -> Candidates:
    """Draw candidates for a gap after its past, and weigh what follows after each.

    Args:
        model: what draws and weighs.
        around: the gap.
        rng: the randomness.
        encoding: what the tokens mean.
        bars: where the first token lies, one row a candidate.
        sampling: temperature and cut-offs; the candidates of a greedy draw are drawn at its temperature.
        allowed: `(vocabulary,)`: which tokens may be drawn.
        constraints: rules to keep.
    """
    drawn = sample(
        model,
        rng.random((len(bars.pickup), around.steps)),
        options=replace(sampling, greedy=False),
        primer=around.past,
        allowed=_allowed(around, encoding, allowed),
        bars=bars,
        constraints=constraints,
    )
    whole = around.whole(drawn.tokens, encoding)
    future = np.zeros(len(whole))
    at_once = max(_CELLS // max(whole.shape[1], 1), 1) if len(around.future) else len(whole)
    for first in range(0, len(whole) if len(around.future) else 0, at_once):
        rows = slice(first, first + at_once)
        future[rows] = _log_future(model, whole[rows], bars[rows], len(around.future), sampling.temperature)
    return Candidates(drawn.tokens, drawn.log_likelihood, future, drawn.broken)


def _log_future(
    model: SequenceModel, whole: NDArray[np.int64], bars: Bars, steps: int, temperature: float
) -> NDArray[np.float64]:
    """Nats of the last steps of each row, at a temperature."""
    log_probs = np.asarray(numpy_of(log_probs_in_bars(model, whole, bars))[:, -steps:], dtype=np.float64)
    tempered = log_softmax(log_probs / temperature)
    chosen: NDArray[np.float64] = np.take_along_axis(tempered, whole[:, -steps:, None], axis=-1)[..., 0].sum(axis=1)
    return chosen


def _allowed(around: Surroundings, encoding: Encoding, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """`(steps, vocabulary)`: what may come at each step; the first ends what sounded before."""
    if not around.begins_anew:
        return allowed
    size = len(encoding.vocabulary)
    each = np.tile(np.ones(size, dtype=bool) if allowed is None else allowed, (around.steps, 1))
    each[0, encoding.vocabulary.index("hold")] = False
    return each


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
