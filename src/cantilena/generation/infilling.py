"""Bars that are to be written anew: where they lie, and what stands around them.

A note belongs to the bar in which it begins. So notes that begin outside the bars stay as they are: one that is held
into them sounds to its end, and new music begins after it. Notes that begin inside go, whole; where the last of them
was held over the last barline, what the new music sounds last is held in its place, as long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.bar_range import BarRange
from cantilena.music import Melody, Note
from cantilena.tokenizers import Encoding

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
