"""Sampling whole melodies from a sequence model, many at once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.constraints import Constraints, fewest
from cantilena.generation.options import SamplingOptions
from cantilena.models import (
    Bars,
    MelodyVae,
    SequenceModel,
    Sequences,
    log_probs_with_bars,
    log_softmax,
    start_with_bars,
    to_numpy,
)
from cantilena.runtime import progress
from cantilena.tokenizers import END, Encoding, NotesEncoding

Floats = NDArray[np.float64]

_EIGHTH_OF_BEAT, _SIXTH_OF_BEAT = 3, 4
"""Ticks of the parts of a quarter note on which composed notes end."""

ENDINGS = 8
"""Endings that are tried of melodies with forms, where nothing else is said."""
_BARS_OF_ENDING = 1

_TICKS_PER_EVENT = 3
"""Ticks of the notes of a melody for which `token_budget` is enough, on average: thirty-second notes."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Sampled melodies.

    Args:
        tokens: `(melodies, steps)` int64, the new tokens alone; melodies of notes are padded with `END`.
        log_likelihood: `(melodies,)`, nats of the new tokens, of notes up to the first `END`, under the model itself
            (temperature 1, nothing cut off); with constraints, under its probabilities normalised over the tokens that
            they leave.
        broken: `(melodies,)`: how often a constraint was broken because no token kept all; None without constraints.
    """

    tokens: NDArray[np.int64]
    log_likelihood: Floats
    broken: NDArray[np.int64] | None = None

    def __getitem__(self, rows: NDArray[np.integer]) -> Samples:
        """Some of the melodies, by their numbers."""
        broken = None if self.broken is None else self.broken[rows]
        return Samples(self.tokens[rows], self.log_likelihood[rows], broken)


def sample(
    model: SequenceModel,
    uniforms: Floats,
    *,
    options: SamplingOptions | None = None,
    primer: NDArray[np.int64] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    bars: Bars | None = None,
    constraints: Constraints | None = None,
    encoding: Encoding | None = None,
    end: int | None = None,
    guide: Guide | None = None,
    endings: int = ENDINGS,
) -> Samples:
    """Sample melodies step by step.

    Args:
        model: any sequence model.
        uniforms: `(melodies, steps)` numbers in [0, 1): the randomness, one number a token. Equal rows give equal
            melodies, whatever else is in the batch. Of notes, `token_budget` tokens are enough for a length.
        options: temperature and cut-offs.
        primer: `(primer steps,)` tokens that come before, the same for all.
        allowed: `(vocabulary,)`: which tokens may be drawn; or `(steps, vocabulary)`: which at each new step.
        bars: of the melodies, from the first step of the primer on.
        constraints: rules to keep; their `steps` are those of primer and new tokens together.
        encoding: of the tokens; needed if they are those of notes, of which then only those are drawn that may come
            next. Drawing ends when all melodies have ended.
        end: the tick at which melodies of notes end, 0 if they go on as long as there are numbers; by default the
            length that `bars` tell the model, or the model decides.
        guide: which tokens forms or locks leave melodies of notes, at the state after the primer.
        endings: candidates for the end of each melody with a form; see `Drawing`.

    Raises:
        UsageError: no token is allowed, the constraints are for shorter melodies, or the numbers are too few to reach
            the end.
    """
    drawing = Drawing(
        model,
        uniforms,
        options=options,
        primer=primer,
        allowed=allowed,
        bars=bars,
        constraints=constraints,
        encoding=encoding,
        end=end,
        guide=guide,
        endings=endings,
    )
    # Of notes it is not known how many tokens there will be.
    total = None if isinstance(encoding, NotesEncoding) else uniforms.shape[1]
    with progress("Composing by rules", total=total, unit="tokens", quiet=constraints is None) as bar:
        while not drawing.is_done:
            drawing.advance()
            bar.advance()
    return drawing.samples


def draw(model: SequenceModel, uniforms: Floats, **arguments: Any) -> Iterator[Samples]:  # noqa: ANN401
    """As `sample`, yielding what has been drawn after each step: views of arrays that the next step changes."""
    drawing = Drawing(model, uniforms, **arguments)
    while not drawing.is_done:
        drawing.advance()
        yield drawing.samples


class Guide(Protocol):
    """Which tokens are left to melodies of notes, step by step."""

    def restrict(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`: of the allowed tokens those that are left."""
        ...

    def append(self, tokens: NDArray[np.integer]) -> None:
        """Go on after `(melodies,)` tokens."""

    def take(self, rows: NDArray[np.integer]) -> None:
        """Go on with the melodies of these rows."""

    def endings(self, bars: int) -> NDArray[np.int64]:
        """`(melodies, 2)` ticks: where so many last bars begin and end, of which several are to be tried."""
        ...


class Drawing:
    """Melodies that are being drawn, one token of each at a time; arguments and errors as of `sample`.

    A form asks for a last note that a melody may not have been heading for. So at the last bar of a melody with a form
    (or of what it returns to literally) several endings are drawn, and the melody goes on with one of them, drawn in
    proportion to the probability that the tokens left by the form had together in it. In the limit of many endings that
    is a draw from the model, given that the ending obeys (D. B. Rubin, Using the SIR Algorithm to Simulate Posterior
    Distributions, 1988).

    Attributes:
        tokens: `(melodies, steps)`: those of the primer and the new ones, of which `drawn` are there.
        drawn: number of new tokens so far.
        log_mass: `(melodies,)` nats: the probability, in logarithm and at the temperature, that all tokens so far had
            been among those that could be drawn, if any could.
        is_done: whether nothing is left to draw.
    """

    def __init__(
        self,
        model: SequenceModel,
        uniforms: Floats,
        *,
        options: SamplingOptions | None = None,
        primer: NDArray[np.int64] | None = None,
        allowed: NDArray[np.bool_] | None = None,
        bars: Bars | None = None,
        constraints: Constraints | None = None,
        encoding: Encoding | None = None,
        end: int | None = None,
        guide: Guide | None = None,
        endings: int = ENDINGS,
    ) -> None:
        melodies, steps = uniforms.shape
        before = np.zeros(0, dtype=np.int64) if primer is None else primer
        if allowed is not None and not allowed.any(axis=-1).all():
            raise UsageError("no note of the model lies in that range", "give a wider --range")
        if isinstance(model, MelodyVae):
            model = model.prior_decoder(uniforms, before, bars)
        self._notes: NoteChoices | None = None
        if isinstance(encoding, NotesEncoding):
            ends = bars.length if end is None and bars is not None else np.full(melodies, end or 0)
            steps -= steps % len(encoding.parts)
            pickups = np.zeros(melodies, dtype=np.int64) if bars is None else bars.pickup
            self._notes = NoteChoices(encoding, allowed, before, ends, steps, pickups, may_end=end is None)
        self._model, self._uniforms, self._options = model, uniforms, options or SamplingOptions()
        self._allowed, self._constraints, self._guide = allowed, constraints, guide
        self._bars, self._before, self._steps = bars, len(before), steps
        looks_ahead = guide is not None and constraints is None and not self._options.greedy
        self._endings = endings if looks_ahead else 1
        self._ends = (
            guide.endings(_BARS_OF_ENDING)
            if guide is not None and looks_ahead
            else np.zeros((melodies, 2), dtype=np.int64)
        )
        self._decided: dict[int, list[int]] = {}
        self._scores: Any = None
        self._state: Any = None
        self.tokens = np.concatenate([np.tile(before, (melodies, 1)), np.zeros((melodies, steps), np.int64)], axis=1)
        self._log_likelihood, self._broken = np.zeros(melodies), np.zeros(melodies, dtype=np.int64)
        self.drawn, self.log_mass, self.is_done = 0, np.zeros(melodies), steps == 0
        self._replay()

    @property
    def samples(self) -> Samples:
        """What has been drawn."""
        tokens = self.tokens[:, self._before : self._before + self.drawn]
        return Samples(tokens, self._log_likelihood, None if self._constraints is None else self._broken)

    @property
    def clock(self) -> NDArray[np.int64]:
        """`(melodies,)`: the length of each melody with its primer: ticks if tokens are those of notes, else steps."""
        return np.full(len(self.tokens), self._before + self.drawn) if self._notes is None else self._notes.clock

    def advance(self) -> None:
        """Draw one more token of each melody."""
        step = self._before + self.drawn
        log_probs = np.asarray(to_numpy(self._scores), dtype=np.float64)
        allowed, notes = self._allowed, self._notes
        among = allowed if allowed is None or allowed.ndim == 1 else allowed[self.drawn]
        candidates = among = among if notes is None else notes.allowed()
        if self._guide is not None and candidates is not None:
            candidates = among = self._guide.restrict(candidates)
        if self._constraints is not None:
            counts = self._constraints.broken(self.tokens[:, :step], among)
            candidates = fewest(counts)
            self._broken += counts.min(axis=1)
        if candidates is not None:
            self.log_mass += _log_mass(log_probs / self._options.temperature, candidates)
        if self._constraints is not None:
            log_probs = log_softmax(_mask(log_probs, candidates))
        chosen = choose(log_probs, self._uniforms[:, self.drawn], self._options, candidates)
        for row, tokens in self._decided.items():
            if tokens:
                chosen[row] = tokens.pop(0)
        self.tokens[:, step] = chosen
        nats = log_probs[np.arange(len(chosen)), chosen]
        self._log_likelihood += nats if notes is None else np.where(notes.ended, 0.0, nats)
        self.drawn += 1
        self.is_done = self.drawn == self._steps
        if self._guide is not None:
            self._guide.append(chosen)
        if notes is not None:
            notes.append(chosen)
            self.is_done |= bool(notes.ended.all())
        if not self.is_done:
            self._scores, self._state = self._model.step(chosen, self._state)
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Decide how the melodies end that have come to their ending."""
        if self._endings < 2 or self._notes is None or not self._notes.begins:
            return
        first, last = self._ends.T
        due = np.flatnonzero((self.clock >= first) & (self.clock < last))
        rows = np.array([row for row in due.tolist() if row not in self._decided], dtype=np.int64)
        if not len(rows):
            return
        trials = copy.copy(self)
        trials._endings, trials._decided = 1, {}
        trials._notes, trials._guide = copy.copy(self._notes), copy.copy(self._guide)
        each = np.repeat(rows, self._endings)
        try:
            trials.take(each)
        except TypeError:  # a state that cannot be copied
            self._endings = 1
            return
        # What a melody becomes depends on its own numbers alone.
        rngs = [np.random.default_rng(int(self._uniforms[row, self.drawn] * 2**53)) for row in rows]
        chances, steps = [rng.random() for rng in rngs], self._uniforms.shape[1]
        trials._uniforms = np.concatenate([rng.random((steps, self._endings)).T for rng in rngs])
        trials.log_mass = np.zeros(len(each))
        reached, mass = np.zeros(len(each), dtype=np.int64), np.zeros(len(each))
        while not trials.is_done and not reached.all():
            trials.advance()
            new = (reached == 0) & (trials.clock >= last[each])
            reached[new], mass[new] = trials.drawn, trials.log_mass[new]
        for row, chance, own in zip(rows.tolist(), chances, np.arange(len(each)).reshape(len(rows), -1), strict=True):
            shares = np.cumsum(np.exp(mass[own] - mass[own].max()))
            best = own[int(np.searchsorted(shares, chance * shares[-1], side="right"))]
            self._decided[row] = trials.tokens[best, self._before + self.drawn : self._before + reached[best]].tolist()

    def take(self, rows: NDArray[np.integer]) -> None:
        """Go on with the melodies of these rows; one that is taken twice is drawn on in two ways.

        Raises:
            TypeError: there are more rows than now, and the model does not say what its state is made of.
        """
        self.tokens, self.log_mass = self.tokens[rows], self.log_mass[rows]
        self._log_likelihood, self._broken, self._ends = (
            self._log_likelihood[rows],
            self._broken[rows],
            self._ends[rows],
        )
        for part in (self._notes, self._guide):
            if part is not None:
                part.take(rows)
        if self.is_done:
            return
        try:
            self._state, self._scores = _taken(self._state, rows), self._scores[rows]
        except TypeError:
            if len(rows) != len(self._uniforms):
                raise
            self._replay()

    def _replay(self) -> None:
        """The scores and the state of the model after the tokens that are there."""
        self._scores, self._state = start_with_bars(self._model, len(self.tokens), self._bars)
        for step in range(self._before + self.drawn):
            self._scores, self._state = self._model.step(self.tokens[:, step], self._state)


def _taken(state: Any, rows: NDArray[np.integer]) -> Any:  # noqa: ANN401  (each model has its own)
    """Some rows of the state of a model.

    Raises:
        TypeError: the model does not say what its state is made of.
    """
    if isinstance(state, tuple):
        return tuple(_taken(part, rows) for part in state)
    if state is None:
        return None
    if not hasattr(state, "take_rows"):
        raise TypeError("an opaque state")
    return state.take_rows(rows)


class NoteChoices:
    """Which tokens may come next in melodies of notes: those of the part that is due.

    If a melody has a length, durations are those that lead to it exactly with the tokens that are left; then comes
    `END`. If one of them ends on a part of the beat, eighths or sixths of it, no other is drawn: after a triplet that
    is not complete a model would go on beside the beat, which nobody reads or hears as meant.

    Args:
        encoding: of the tokens.
        allowed: `(vocabulary,)`; if pitches are left out, notes of chords lie no lower than the lowest that is not.
        before: `(primer tokens,)`.
        ends: `(melodies,)` ticks at which melodies end; 0 if none is given.
        steps: how many new tokens may be drawn.
        pickups: `(melodies,)` ticks before the first barline.
        may_end: whether the model may end a melody for which none is given.

    Raises:
        UsageError: so few tokens do not lead to the length.
    """

    def __init__(
        self,
        encoding: NotesEncoding,
        allowed: NDArray[np.bool_] | None,
        before: NDArray[np.int64],
        ends: NDArray[np.int64],
        steps: int,
        pickups: NDArray[np.int64],
        *,
        may_end: bool,
    ) -> None:
        self._encoding, self._period = encoding, len(encoding.parts)
        self._durations = np.array(encoding.durations)
        start = encoding.decode(before).length
        self._left = np.where(ends > 0, ends - start, 0)
        self._has_end = ends > 0
        self.clock, self._coming = np.full(len(ends), start), np.zeros(len(ends), dtype=np.int64)
        self._pickups = pickups
        self.ended = self._has_end & (self._left <= 0)
        self._events = steps // self._period
        self._part, self._token = 0, np.zeros(len(ends), dtype=np.int64)
        most = int(_fewest_events(encoding, self._left).max(initial=0))
        if most > self._events:
            needed = most * self._period
            raise UsageError(f"{steps} tokens cannot be {self._left.max()} ticks long", f"draw {needed} or more tokens")
        size = len(encoding.vocabulary)
        whole = np.ones(size, dtype=np.bool_) if allowed is None else allowed
        self._may_end = may_end
        self._of_part = np.zeros((self._period, size), dtype=np.bool_)
        for part, (first, after) in enumerate(encoding.parts):
            self._of_part[part, first:after] = whole[first:after]
        first = encoding.parts[1][0]
        known = [token - first for token in np.flatnonzero(self._of_part[1]) if token != encoding.rest]
        self._lowest = 0 if allowed is None else encoding.low + min(known, default=0)
        self._deepest = np.array([chord[-1] if chord else 0 for chord in encoding.chords], dtype=np.int64)

    @property
    def begins(self) -> bool:
        """Whether the next tokens are the first of their notes."""
        return self._part == 0

    def allowed(self) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`."""
        chosen = np.tile(self._of_part[self._part], (len(self.ended), 1))
        first, after = self._encoding.parts[self._part]
        if self._part == 0:
            left = self._left[:, None] - self._durations[None, :]
            reaches = (left >= 0) & (_fewest_events(self._encoding, left) < self._events)
            chosen[:, first:after] &= reaches | ~self._has_end[:, None]
            since = self.clock[:, None] + self._durations - self._pickups[:, None]
            on_beat = chosen[:, first:after] & ((since % _EIGHTH_OF_BEAT == 0) | (since % _SIXTH_OF_BEAT == 0))
            kept = on_beat.any(axis=1)
            chosen[kept, first:after] = on_beat[kept]
            chosen[:, END] = ~self._has_end & self._may_end
        elif self._part == 2:
            top = self._token - self._encoding.parts[1][0] + self._encoding.low
            fits = top[:, None] - self._deepest[None, :] >= self._lowest
            fits[self._token == self._encoding.rest] = False
            fits[:, 0] = True  # a rest has no chord, and a single note always fits
            chosen[:, first:after] &= fits
        chosen[self.ended] = False
        chosen[self.ended, END] = True
        return chosen

    def after(self, tokens: NDArray[np.int64]) -> NoteChoices:
        """The choices after `(melodies,)` tokens that may be tried; these stay where they are."""
        tried = copy.copy(self)
        tried.ended = self.ended.copy()
        tried.append(tokens)
        return tried

    def append(self, tokens: NDArray[np.int64]) -> None:
        """Go on after `(melodies,)` tokens; a melody has ended when nothing but `END` can follow."""
        if self._part == 0:
            self.ended |= tokens == END
            ticks = np.where(self.ended, 0, self._durations[np.maximum(tokens, 1) - 1])
            self._left, self._coming = self._left - ticks, ticks
        self._token = tokens
        self._part += 1
        if self._part == self._period:
            self._part = 0
            self._events -= 1
            self.clock = self.clock + self._coming
            self.ended |= self._has_end & (self._left <= 0)

    def take(self, rows: NDArray[np.integer]) -> None:
        """Go on with the melodies of these rows."""
        for name in ("_left", "_has_end", "ended", "clock", "_coming", "_token", "_pickups"):
            setattr(self, name, getattr(self, name)[rows])


def token_budget(encoding: Encoding, ticks: int) -> int:
    """How many tokens are drawn at most for a length, rounded up; of notes many more than people need.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> token_budget(GridEncoding(), 96), token_budget(NotesEncoding(), 96)
        (16, 64)
    """
    if not isinstance(encoding, NotesEncoding):
        return -(-ticks // encoding.ticks_per_step)
    events = max(-(-ticks // _TICKS_PER_EVENT), int(_fewest_events(encoding, np.array(ticks))))
    return len(encoding.parts) * events


def _fewest_events(encoding: NotesEncoding, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many notes the longest durations that fit, one after the other, need for a time; of the same shape."""
    longest = encoding.durations[-1]
    events, left = np.divmod(np.maximum(ticks, 0), longest)
    return np.asarray(events + _events_below(encoding)[left], dtype=np.int64)


@lru_cache(maxsize=16)
def _events_below(encoding: NotesEncoding) -> NDArray[np.int64]:
    """The same for each time that is shorter than the longest duration."""
    left = np.arange(encoding.durations[-1])
    events = np.zeros(len(left), dtype=np.int64)
    for duration in reversed(encoding.durations):
        events += left // duration
        left %= duration
    return events


def log_likelihood(
    model: SequenceModel, tokens: NDArray[np.int64], *, primer: NDArray[np.int64], bars: Bars | None = None
) -> Floats:
    """`(melodies,)` nats of `(melodies, steps)` new tokens after a primer; arguments as of `sample`.

    Of a VAE it is the bound on the whole, less that on the primer.
    """
    whole = np.concatenate([np.tile(primer, (len(tokens), 1)), tokens], axis=1)
    if isinstance(model, MelodyVae):
        bars = Bars.common_time(len(whole)) if bars is None else bars
        nats = -model.nll_bound(Sequences(tuple(whole), bars))
        return nats + model.nll_bound(Sequences((primer,), bars[:1])) if len(primer) else nats
    log_probs = to_numpy(log_probs_with_bars(model, whole, bars))
    chosen = np.take_along_axis(log_probs, whole[..., None], axis=-1)[..., 0]
    return np.asarray(chosen[:, len(primer) :].sum(axis=1), dtype=np.float64)


def choose(
    log_probs: Floats, uniforms: Floats, options: SamplingOptions, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Draw one token a melody by inverting the cumulative distribution.

    Args:
        log_probs: `(melodies, vocabulary)`, nats.
        uniforms: `(melodies,)` in [0, 1).
        options: temperature and cut-offs.
        allowed: `(vocabulary,)`, or `(melodies, vocabulary)`.

    Examples:
        >>> half = np.log([[0.5, 0.5]])
        >>> choose(half, np.array([0.7]), SamplingOptions()).tolist()
        [1]
    """
    scores = _mask(log_probs, allowed)
    if options.greedy:
        return np.asarray(np.argmax(scores, axis=1), dtype=np.int64)
    probabilities = _cut(_softmax(scores / options.temperature), options)
    cumulated = np.cumsum(probabilities, axis=1)
    below = cumulated <= (uniforms * cumulated[:, -1])[:, None]
    return np.asarray(below.sum(axis=1), dtype=np.int64)


def _mask(log_probs: Floats, allowed: NDArray[np.bool_] | None) -> Floats:
    """Log probabilities, -inf for what is not allowed, not normalised."""
    scores: Floats = log_probs if allowed is None else np.where(allowed, log_probs, -np.inf)
    # If the model gives all allowed tokens the probability 0, they become equally probable.
    impossible = ~np.isfinite(scores).any(axis=1, keepdims=True)
    if not impossible.any():
        return scores
    everything = np.ones((), dtype=np.bool_) if allowed is None else allowed
    return np.where(impossible & everything, 0.0, scores)


def _log_mass(log_probs: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """`(melodies,)`: the logarithm of the probability that the allowed tokens have together; 0 where none has any."""
    whole, kept = (np.logaddexp.reduce(scores, axis=1) for scores in (log_probs, np.where(allowed, log_probs, -np.inf)))
    return np.where(np.isfinite(kept), kept - whole, 0.0)


def _softmax(scores: Floats) -> Floats:
    exponentials: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    normalised: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return normalised


def _cut(probabilities: Floats, options: SamplingOptions) -> Floats:
    """Zero what top-k and top-p (Holtzman et al. 2020, nucleus sampling) leave out; at least one token stays."""
    size = probabilities.shape[1]
    if not 0 < options.top_k < size and options.top_p == 1.0:
        return probabilities
    keep = np.ones_like(probabilities, dtype=bool)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")
    if 0 < options.top_k < size:
        keep &= ranks < options.top_k
    if options.top_p < 1.0:
        ordered = np.take_along_axis(probabilities, order, axis=1)
        before = np.cumsum(ordered, axis=1) - ordered
        keep &= np.take_along_axis(before < options.top_p, ranks, axis=1)
    return np.where(keep, probabilities, 0.0)
