"""What comes before and after bars that are rewritten, in tokens (`infilling.py`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.options import BarRange
from cantilena.generation.placement import without_end
from cantilena.generation.sampling import token_budget
from cantilena.music import Melody, Note
from cantilena.tokenizers import END, Encoding, NotesEncoding

MAX_FUTURE = 256
"""Steps of the future that candidates are weighted by: sixteen bars of 4/4."""


@dataclass(frozen=True)
class InfillSpan:
    """Bars of a melody to rewrite.

    Args:
        bars: which.
        start: ticks from the start of the melody to the first of them.
        end: ticks to the end of the last.
    """

    bars: BarRange
    start: int
    end: int

    @classmethod
    def from_bars(cls, melody: Melody, bars: BarRange) -> InfillSpan:
        """The span of some bars; the last bar is whole, unless it completes a pickup.

        Raises:
            UsageError: the melody does not have these bars, or no note.

        Examples:
            >>> tune = Melody.from_pitches([(60, 96), (62, 96), (64, 96)])
            >>> span = InfillSpan.from_bars(tune, BarRange(2, 3))
            >>> span.start, span.end
            (96, 288)
        """
        if not melody.sounding:
            raise UsageError("the melody holds no note", "give one with notes, or compose a new one")
        bar = melody.meter.ticks_per_bar
        pickup = melody.pickup % bar
        count = melody.bars - bool(pickup)
        if bars.last > count:
            has = f"it has {count} bar{'s' * (count != 1)}" + (" after a pickup, bar 0" if pickup else "")
            raise UsageError(f"the melody ends before the end of bars {bars}", has)
        if bars.first == 0 and not pickup:
            raise UsageError(f"the melody has no pickup, bar 0, of bars {bars}", "its first bar is bar 1")
        start, end = (pickup + (number - 1) * bar for number in (bars.first, bars.last + 1))
        if pickup and bars.last == count and melody.length - (end - bar) == bar - pickup:
            end = melody.length
        return cls(bars, max(start, 0), end)

    def filled(self, melody: Melody, notes: tuple[Note, ...]) -> tuple[Note, ...]:
        """The notes of the melody outside the span, and new ones inside."""
        return (*(note for note in melody.notes if not self.start <= note.onset < self.end), *notes)


@dataclass(frozen=True)
class InfillContext:
    """A span in tokens: what comes before and after it, and where new notes may be.

    Args:
        past: `(past steps,)` tokens before the new ones.
        steps: number of new tokens, of notes at most.
        future: `(future steps,)` tokens after them, if the new ones end in silence.
        future_after_sound: the same if they end in sound: the note is held or ended first; of notes from `held_until`.
        rhythm: onset and duration of each new note or chord, if the encoding is not timed; else empty.
        origin: the tick at which the new tokens begin.
        held_until: the tick until which the last new note is held if it sounds.
        end: the tick at which the span ends.
        begins_anew: whether the first new token may not hold what sounded before.
        length: ticks of the whole melody, if tokens are notes; else 0.
        future_after_rest: the future from its first note on, if tokens are notes: a last rest goes on until then.
        silent_until: the tick of that note.
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
    length: int = 0
    future_after_rest: NDArray[np.int64] | None = None
    silent_until: int = 0

    @classmethod
    def from_melody(cls, melody: Melody, span: InfillSpan, encoding: Encoding) -> InfillContext:
        """The context of a span of a melody, which is in the key of the model.

        Raises:
            UsageError: no new note can begin in the span.
        """
        before = [note for note in melody.notes if note.onset < span.start]
        inside = [note for note in melody.sounding if span.start <= note.onset < span.end]
        after = [replace(note, onset=note.onset - span.end) for note in melody.notes if note.onset >= span.end]
        future = encoding.encode(_part(melody, after, max(melody.length - span.end, 0)))[:MAX_FUTURE]
        if not encoding.has_rhythm:
            if not inside:
                raise UsageError(
                    f"no note begins in bars {span.bars}", "this model has no rhythm, and only replaces notes"
                )
            past = encoding.encode(_part(melody, before, span.start))
            rhythm = tuple((note.onset, note.duration) for note in inside)
            return cls(past, len(inside), future, future, rhythm, span.start, span.end, span.end, begins_anew=False)
        step = encoding.ticks_per_step
        sounds_until = max((note.end for note in before if note.pitches), default=0)
        held_until = max((note.end for note in inside), default=span.end)
        held_until = max(min(held_until, *(note.onset + span.end for note in after), 2**62), span.end)
        if isinstance(encoding, NotesEncoding):
            origin = max(sounds_until, span.start)
            _check_room(span, span.end - origin - step // 2)
            length = max(melody.length, span.end)
            silent_until = min((note.onset + span.end for note in after if note.pitches), default=length)

            def future_from(tick: int) -> NDArray[np.int64]:
                shifted = [replace(note, onset=note.onset + span.end - tick) for note in after if note.pitches]
                return encoding.encode(_part(melody, shifted, length - tick))[: MAX_FUTURE // 6 * 6]  # whole notes

            return cls(
                encoding.encode(_part(melody, [note for note in before if note.pitches], origin)),
                token_budget(encoding, span.end - origin),
                future_from(span.end),
                future_from(held_until),
                (),
                origin,
                held_until,
                span.end,
                begins_anew=False,
                length=length,
                future_after_rest=future_from(silent_until),
                silent_until=silent_until,
            )
        kept = -(-max(sounds_until - span.start, 0) // step)
        steps = -(-(span.end - span.start) // step) - kept
        _check_room(span, steps)
        origin = span.start + kept * step
        past = encoding.encode(_part(melody, before, origin))
        return cls(
            past,
            steps,
            future,
            _end_note(future, (held_until - span.end + step // 2) // step, encoding),
            (),
            origin,
            held_until,
            span.end,
            begins_anew=bool(ends_sounding(past[None, :], encoding)[0]),
        )

    def whole(self, new: NDArray[np.int64], encoding: Encoding) -> NDArray[np.int64]:
        """`(candidates, past + new + future)` tokens for `(candidates, new)`; of notes padded with `END`."""
        if isinstance(encoding, NotesEncoding):
            return self.notes_with_future(new, encoding).tokens
        past = np.tile(self.past, (len(new), 1))
        sounds = ends_sounding(np.concatenate([past, new], axis=1), encoding)
        future = np.where(sounds[:, None], self.future_after_sound, self.future)
        return np.concatenate([past, new, future], axis=1)

    def notes_with_future(self, new: NDArray[np.int64], encoding: NotesEncoding) -> NotesWithFuture:
        """The whole melodies of `(candidates, new)` tokens of notes, whose last note may go on in the future."""
        period, ticks = len(encoding.parts), {ticks: token for token, ticks in enumerate(encoding.durations, 1)}
        assert self.future_after_rest is not None
        rows, lasts, drawn = [], [], []
        for candidate in new:
            tokens = without_end(candidate, encoding).copy()
            last = len(tokens) - period
            if tokens[last + 1] == encoding.rest:
                until, future = self.silent_until, self.future_after_rest
            else:
                until, future = self.held_until, self.future_after_sound
            drawn.append(int(tokens[last]))
            longer = ticks.get(encoding.durations[tokens[last] - 1] + until - self.end)
            if longer is None:  # it has no token: as if it ended with the span
                future = self.future
            else:
                tokens[last] = longer
            rows.append(np.concatenate([self.past, tokens, future]))
            lasts.append(len(self.past) + last)
        padded = np.full((len(rows), max(map(len, rows))), END, dtype=np.int64)
        for row, tokens in zip(padded, rows, strict=True):
            row[: len(tokens)] = tokens
        return NotesWithFuture(padded, np.array(lasts), np.array(drawn), np.array([len(row) for row in rows]))

    def line_steps(self, encoding: Encoding) -> int:
        """Steps of the line of the whole melody."""
        if isinstance(encoding, NotesEncoding):
            return -(-self.length // encoding.ticks_per_step)
        return len(self.past) + self.steps + len(self.future)

    def notes(self, new: NDArray[np.int64], encoding: Encoding) -> tuple[Note, ...]:
        """The notes of `(new,)` tokens in the melody, in the key of the model."""
        melody = encoding.decode(new)
        notes = melody.notes
        if self.rhythm:
            return tuple(Note(note.pitches, *place) for note, place in zip(notes, self.rhythm, strict=True))
        placed = []
        for note in notes:
            held = note.end == melody.length and note.pitches
            end = self.held_until if held else min(note.end + self.origin, self.end)
            placed.append(Note(note.pitches, note.onset + self.origin, end - note.onset - self.origin))
        return tuple(placed)


@dataclass(frozen=True)
class NotesWithFuture:
    """Melodies of notes with the notes drawn for a span in them.

    Args:
        tokens: `(candidates, tokens)`, padded with `END`.
        last: `(candidates,)`, the place of the last new note.
        drawn: `(candidates,)`, the duration that was drawn for it; in `tokens` it may be longer.
        lengths: `(candidates,)`, tokens without the padding.
    """

    tokens: NDArray[np.int64]
    last: NDArray[np.int64]
    drawn: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __getitem__(self, rows: slice) -> NotesWithFuture:
        """Some candidates."""
        return NotesWithFuture(self.tokens[rows], self.last[rows], self.drawn[rows], self.lengths[rows])

    def log_future(self, log_probs: NDArray[np.float64], encoding: NotesEncoding) -> NDArray[np.float64]:
        """`(candidates,)` nats of the future, from tempered `(candidates, tokens, vocabulary)` nats.

        If the last new note was drawn shorter than it is, the ratio of the probabilities of its durations is added.
        """
        places, rows = np.arange(self.tokens.shape[1]), np.arange(len(self.tokens))
        chosen = np.take_along_axis(log_probs, self.tokens[..., None], axis=-1)[..., 0]
        is_future = (places >= self.last[:, None] + len(encoding.parts)) & (places < self.lengths[:, None])
        nats = np.where(is_future, chosen, 0.0).sum(axis=1)
        return np.asarray(nats + chosen[rows, self.last] - log_probs[rows, self.last, self.drawn])

    def log_fitting(
        self, log_probs: NDArray[np.float64], context: InfillContext, encoding: NotesEncoding
    ) -> NDArray[np.float64]:
        """`(candidates,)` nats of durations that end within the span, the only ones that were drawn."""
        durations, (first, after) = np.array(encoding.durations), encoding.parts[0]
        left, nats = context.end - encoding.ticks(self.tokens), np.zeros(len(self.tokens))
        for place in range(len(context.past), int(self.last.max()) + 1, len(encoding.parts)):
            fits = durations[None, :] <= left[:, [place]]
            fitting = np.logaddexp.reduce(np.where(fits, log_probs[:, place, first:after], -np.inf), axis=1)
            nats += np.where(place <= self.last, fitting, 0.0)
        return nats


def ends_sounding(tokens: NDArray[np.int64], encoding: Encoding) -> NDArray[np.bool_]:
    """`(melodies,)`: whether a note sounds at the end of `(melodies, steps)` tokens.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> ends_sounding(np.array([[14, 1, 1], [14, 0, 1], [1, 1, 1]]), GridEncoding()).tolist()
        [True, False, False]
    """
    if not encoding.is_timed:
        return np.full(len(tokens), tokens.shape[1] > 0)
    hold, off = (encoding.vocabulary.index(name) for name in ("hold", "off"))
    events = tokens != hold
    last = np.where(events, np.arange(tokens.shape[1]), -1).max(axis=1, initial=-1)
    return np.array([place >= 0 and row[place] != off for row, place in zip(tokens, last, strict=True)], dtype=bool)


def _check_room(span: InfillSpan, room: int) -> None:
    """Raise UsageError if nothing can begin in a span."""
    if room < 1:
        raise UsageError(
            f"a note that begins before bars {span.bars} is held through them", "begin with the bar of that note"
        )


def _part(melody: Melody, notes: list[Note], length: int) -> Melody:
    return Melody(tuple(notes), key=melody.key, meter=melody.meter, tempo=melody.tempo, length=length)


def _end_note(future: NDArray[np.int64], step: int, encoding: Encoding) -> NDArray[np.int64]:
    """The future with a note off at a step, unless something else begins there."""
    hold, off = (encoding.vocabulary.index(name) for name in ("hold", "off"))
    ended = future.copy()
    if step < len(ended) and ended[step] == hold:
        ended[step] = off
    return ended
