"""The notes encoding: for each note its duration, its pitch or a rest, and with chords what lies below the top note.

A melody is a sequence of events, one after the other from start to end. An event is 2 tokens, or 3 with chords:

    duration    of the note or rest, written as a part of a whole note: `1/4`, `3/16`, `1/12` (a triplet eighth)
    pitch       `C4`, of a chord its top note, or `rest`
    chord       the pitch classes below the top note, as semitones below it: `5.9` (a fourth and a major sixth), or `-`

so that a model predicts p(duration | past) p(pitch | past, duration). The token `end` stands after the last event, and
nothing but `end` follows it. The tokens of a part of an event are consecutive numbers; durations ascend.

Chords have the detail of the paper's section VII, whose normal order knows no octaves either: notes below the top note
lie in the nearest octave when they are decoded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, OFF, ON, TICKS_PER_QUARTER, Key, Line, Melody, Meter, Note, Pitch, Tempo
from cantilena.tokenizers.protocol import Fit, Tokens, check_pitch_range, check_tokens, fold_pitch

END = 0
"""The token after the last event."""

COMMON_DURATIONS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 72, 96)
"""Ticks of the durations of every vocabulary; with a tick among them every length can be written."""

MAX_DURATION = 8 * 4 * TICKS_PER_QUARTER
"""Ticks of the longest duration: eight whole notes."""

_RARE = 3
"""Durations found less often than this have no token."""


@dataclass(frozen=True)
class NotesEncoding:
    """Two tokens a note: its duration and its pitch; a third for what lies below the top note of a chord.

    Args:
        durations: in ticks, ascending, from 1 tick on.
        low: the lowest pitch, MIDI number.
        high: the highest pitch; the range must hold an octave, so that any note can be folded into it.
        chords: for each token of the third part the semitones below the top note, 1 to 11, ascending; the first is
            `()`, a single note. None at all: only top notes are written, and an event is two tokens.

    Raises:
        UsageError: durations, range or chords are invalid.

    Examples:
        >>> tune = Melody.from_pitches([(60, 24), (64, 8), (None, 16), (67, 48)])
        >>> notes = NotesEncoding()
        >>> [notes.vocabulary[token] for token in notes.encode(tune)]
        ['1/4', 'C4', '1/12', 'E4', '1/6', 'rest', '1/2', 'G4']
        >>> notes.decode(notes.encode(tune)) == tune
        True
    """

    durations: tuple[int, ...] = COMMON_DURATIONS
    low: int = 48
    high: int = 83
    chords: tuple[tuple[int, ...], ...] = ()
    name: ClassVar[str] = "notes"
    is_timed: ClassVar[bool] = False
    has_rhythm: ClassVar[bool] = True
    ticks_per_step: ClassVar[int] = 6
    ticks_per_count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "durations", tuple(self.durations))
        object.__setattr__(self, "chords", tuple(tuple(chord) for chord in self.chords))
        check_pitch_range(self.low, self.high)
        if list(self.durations) != sorted(set(self.durations)) or self.durations[:1] != (1,):
            raise UsageError(
                f"durations of {self.durations[:6]} ticks are not ascending from 1", "give each once, 1 first"
            )
        if self.durations[-1] > MAX_DURATION:
            raise UsageError(f"a duration of {self.durations[-1]} ticks is too long", f"give {MAX_DURATION} at most")
        if self.chords and (self.chords[0] or len(set(self.chords)) < len(self.chords)):
            raise UsageError("the chords do not begin with a single note, or one occurs twice", "give () first")
        if any(list(chord) != sorted(set(chord) & set(range(1, 12))) for chord in self.chords):
            raise UsageError("a chord has other notes than 1 to 11 semitones below its top", "give them ascending")
        if any(chord[-1] > self.low for chord in self.chords if chord):
            raise UsageError(f"below the lowest pitch {self.low} chords have no room", "give 11 or more as low")

    @classmethod
    def learned_from(
        cls, melodies: Iterable[Melody], *, low: int = 48, high: int = 83, chords: bool = False
    ) -> NotesEncoding:
        """Build the vocabulary from the durations, and with `chords` the chords, of some melodies.

        It holds `COMMON_DURATIONS` and those found at least three times, up to `MAX_DURATION`, and the chords found at
        least three times.
        """
        durations: Counter[int] = Counter()
        found: Counter[tuple[int, ...]] = Counter()
        for melody in melodies:
            for duration, note in _events(melody):
                durations[duration] += 1
                if chords and note is not None and len(note.pitches) > 1:
                    found[_below(note.pitches)] += 1
        kept = {ticks for ticks, count in durations.items() if count >= _RARE and ticks <= MAX_DURATION}
        shapes = sorted(
            (chord for chord, count in found.items() if chord and chord[-1] <= low and count >= _RARE),
            key=lambda chord: (len(chord), chord),
        )
        return cls(tuple(sorted(kept | set(COMMON_DURATIONS))), low, high, ((), *shapes) if chords else ())

    @cached_property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """The first token and the one after the last of each part of an event: duration, pitch and perhaps chord.

        Examples:
            >>> NotesEncoding().parts
            ((1, 17), (17, 54))
        """
        pitch = 1 + len(self.durations)
        chord = pitch + self.high - self.low + 2
        return ((1, pitch), (pitch, chord), (chord, chord + len(self.chords)))[: 3 if self.chords else 2]

    @cached_property
    def rest(self) -> int:
        """The token of a rest, the last of the pitches."""
        return self.parts[1][1] - 1

    @cached_property
    def allowed(self) -> Tokens:
        """`(vocabulary + 1, 2)`: the tokens that may follow each token, as `allowed_after`; a rest has no chord."""
        table = np.empty((self.parts[-1][1] + 1, 2), dtype=np.int64)
        table[:] = 0, self.parts[0][1]  # the next note, or the end
        table[END] = END, END + 1
        for (first, after), following in pairwise(self.parts):
            table[first:after] = following
        if self.chords:
            table[self.rest, 1] = table[self.rest, 0] + 1
        return table

    @cached_property
    def token_pitches(self) -> tuple[tuple[int, ...], ...]:
        """The pitch of each token of the second part, as `(pitch,)`; none for other tokens."""
        pitches = ((pitch,) for pitch in range(self.low, self.high + 1))
        first = self.parts[1][0]
        return (*[()] * first, *pitches, *[()] * (len(self.vocabulary) - self.rest))

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """`end`, the durations, the pitches, `rest`, and perhaps the chords."""
        durations = (str(Fraction(ticks, 4 * TICKS_PER_QUARTER)) for ticks in self.durations)
        wholes = (name if "/" in name else f"{name}/1" for name in durations)
        chords = (".".join(map(str, chord)) or "-" for chord in self.chords)
        return ("end", *wholes, *(Pitch(pitch).name for pitch in range(self.low, self.high + 1)), "rest", *chords)

    def description(self) -> dict[str, Any]:
        """The JSON values from which `encoding_from` builds this encoding again."""
        return {
            "name": self.name, "durations": list(self.durations), "low": self.low, "high": self.high,
            "chords": [list(chord) for chord in self.chords],
        }  # fmt: skip

    def fit(self, melody: Melody) -> Fit:
        """The melody with durations, pitches and chords that have a token.

        A note ends at the latest where the next begins; of notes with one onset the highest stays. A duration without
        a token becomes the longest below it, and a rest fills the gap: onsets never move. Notes outside the range are
        folded by octaves. Of a chord without a token, and without `chords` of any, the top note stays; other chords
        are moved to the octaves nearest to their top. Each change counts once a note.
        """
        if self._fits(melody):
            return Fit(melody)
        rounded = folded = kept = 0
        for duration, note in _events(melody):
            if note is None:
                continue
            rounded += duration not in self._duration_token or duration != note.duration
            top = self.fold(note.top)
            fitted = {top, *(top - below for below in self._chord(note))}
            folded += not fitted <= set(note.pitches)
            kept += len(fitted)
        dropped = sum(len(note.pitches) for note in melody.notes) - kept
        if not (rounded or folded or dropped):
            return Fit(melody)
        notes = self.decode(self.encode(melody)).notes
        return Fit(replace(melody, notes=notes), folded=folded, rounded=rounded, dropped=dropped)

    def _fits(self, melody: Melody) -> bool:
        """Whether the melody is monophonic, in the range, and has no other durations than the vocabulary."""
        end, durations, low, high = 0, self._duration_token, self.low, self.high
        for note in melody.notes:
            pitches, onset, duration = note.pitches, note.onset, note.duration
            if not pitches:
                continue
            if onset < end or len(pitches) > 1 or duration not in durations or not low <= pitches[0] <= high:
                return False
            end = onset + duration
        return True

    def fold(self, pitch: int) -> int:
        """Move a pitch into the range by as few octaves as possible.

        Examples:
            >>> NotesEncoding().fold(40), NotesEncoding().fold(90)
            (52, 78)
        """
        return fold_pitch(pitch, self.low, self.high)

    def encode(self, melody: Melody) -> Tokens:
        """`(2 or 3 events,)` tokens of the fitted melody, from its start to its length, without `end`."""
        tokens: list[int] = []
        silence = (self.rest, *(first for first, _ in self.parts[2:]))  # and no chord
        lowest, known = self.parts[1][0] - self.low, self._duration_token
        for left, note in _events(melody):
            if note is not None:
                kept = left if left in known else self._longest(left)
                tokens += (known[kept], lowest + self.fold(note.pitches[-1]))
                if self.chords:
                    tokens.append(self.parts[2][0] + self._chord_index[self._chord(note)])
                left -= kept
            while left:
                kept = left if left in known else self._longest(left)
                tokens += (known[kept], *silence)
                left -= kept
        return np.array(tokens, dtype=np.int64)

    def decode(
        self,
        tokens: Sequence[int] | Tokens,
        *,
        key: Key | None = None,
        meter: Meter | None = None,
        tempo: Tempo | None = None,
    ) -> Melody:
        """The melody of `(2 or 3 events,)` tokens, up to the first `end`.

        A rest after a rest becomes a written rest, so that `encode` restores it. An event that is not complete is left
        out.

        Raises:
            UsageError: a token is not of the part that stands at its place.
        """
        events = self._split(check_tokens(tokens, len(self.vocabulary), 1)[None, :])
        notes: list[Note] = []
        tick, silent = 0, False
        for token, pitch, chord in zip(*(part[0].tolist() for part in events), strict=True):
            if token == END:
                break
            duration = self.durations[token - 1]
            if pitch != self.rest:
                top = pitch - self.parts[1][0] + self.low
                below = self.chords[chord - self.parts[2][0]] if self.chords else ()
                notes.append(Note((top, *(top - semitones for semitones in below)), tick, duration))
            elif silent:
                notes.append(Note((), tick, duration))
            silent = pitch == self.rest
            tick += duration
        return Melody(tuple(notes), key=key, meter=meter or Meter(), tempo=tempo or Tempo(), length=tick)

    def ticks(self, tokens: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """`(melodies, tokens)`: the tick at which the event of each token begins, for `(melodies, tokens)` tokens.

        Examples:
            >>> NotesEncoding().ticks(np.array([[11, 17, 8, 17, 0, 0]])).tolist()
            [[0, 0, 24, 24, 36, 36]]
        """
        count = len(self.parts)
        duration = self._split(check_tokens(tokens, len(self.vocabulary), 2))[0]
        ends = np.cumsum(np.array([0, *self.durations])[duration], axis=1)
        onset = np.concatenate([np.zeros((len(tokens), 1), dtype=np.int64), ends], axis=1)
        return np.repeat(onset, count, axis=1)[:, : tokens.shape[1]]

    def line(self, tokens: NDArray[np.integer[Any]], length: NDArray[np.integer[Any]] | None = None) -> Line:
        """The line of `(melodies, tokens)` tokens in sixteenths, onsets and ends at the nearest; padded with `end`.

        Of notes that begin in one sixteenth the last stays, and a note keeps at least one sixteenth if no other begins
        there. `length`, `(melodies,)` sixteenths, cuts the melodies.
        """
        duration, pitch, chord = self._split(check_tokens(tokens, len(self.vocabulary), 2))
        ticks = np.array([0, *self.durations])[duration]
        ends = np.cumsum(ticks, axis=1)
        onset, total = ends - ticks, ends[:, -1] if ends.shape[1] else np.zeros(len(ticks), dtype=np.int64)
        lengths = -(-total // self.ticks_per_step)
        event = np.full((len(ticks), int(lengths.max(initial=0))), HOLD)
        top, classes = np.full(event.shape, -1), np.zeros(event.shape, dtype=np.int64)
        sounds = (duration != END) & (pitch != self.rest)
        last = np.maximum(lengths - 1, 0)[:, None]
        place = np.minimum((onset + self.ticks_per_step // 2) // self.ticks_per_step, last)
        # A note keeps at least one sixteenth, unless another begins there.
        rows, events = np.nonzero((duration[:, 1:] != END) & ~sounds[:, 1:] & sounds[:, :-1])
        off = np.maximum(place[rows, events + 1], place[rows, events] + 1)
        following = np.where(sounds, place, last + 1)
        following = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1] if following.size else following
        kept = off < following[rows, events + 1]
        event[rows[kept], off[kept]] = OFF
        rows, events = np.nonzero(sounds)
        pitches = pitch[rows, events] - self.parts[1][0] + self.low
        event[rows, place[rows, events]] = ON
        top[rows, place[rows, events]] = pitches
        classes[rows, place[rows, events]] = self._classes(pitches, chord[rows, events])
        return Line.from_events(event, top, classes, lengths if length is None else np.minimum(length, lengths))

    def _split(self, tokens: Tokens) -> tuple[Tokens, Tokens, Tokens]:
        """`(melodies, events)` tokens of durations, pitches and chords; of chords 0 if there are none.

        Raises:
            UsageError: a token is not of the part that stands at its place.
        """
        count = len(self.parts)
        whole = tokens[:, : tokens.shape[1] // count * count]
        split = [whole[:, part::count] for part in range(count)]
        ended = np.logical_or.accumulate(split[0] == END, axis=1) if whole.shape[1] else split[0] == END
        for part, (first, after) in zip(split, self.parts, strict=True):
            wrong = np.where(ended, part != END, (part < first) | (part >= after))
            if wrong.any():
                row, event = np.argwhere(wrong)[0]
                names = ("a duration", "a pitch", "a chord")
                wanted = "'end'" if ended[row, event] else names[self.parts.index((first, after))]
                raise UsageError(
                    f"the token '{self.vocabulary[part[row, event]]}' stands where {wanted} is expected",
                    f"give {' '.join(name.split()[-1] for name in names[:count])} of each note, and 'end' at the end",
                )
        return split[0], split[1], split[2] if self.chords else np.zeros_like(split[0])

    def _classes(self, top: NDArray[np.int64], chord: NDArray[np.int64]) -> NDArray[np.int64]:
        """12 bits a note: the pitch classes of chords by their top notes and tokens."""
        bits = 1 << (top % 12)
        if not self.chords:
            return bits
        shapes = np.array([sum(1 << (12 - below) for below in shape) for shape in self.chords])
        below = shapes[chord - self.parts[2][0]]
        turned = below << (top % 12)
        return np.asarray(bits | (turned & 0xFFF) | (turned >> 12), dtype=np.int64)

    def _longest(self, ticks: int) -> int:
        """The longest duration of the vocabulary up to so many ticks."""
        return self.durations[bisect_right(self.durations, ticks) - 1]

    def _chord(self, note: Note) -> tuple[int, ...]:
        """What lies below the top note, as a chord of the vocabulary; `()` if it has none."""
        if not self.chords or len(note.pitches) < 2:
            return ()
        below = _below(note.pitches)
        return below if below in self._chord_index else ()

    @cached_property
    def _duration_token(self) -> dict[int, int]:
        return {ticks: number for number, ticks in enumerate(self.durations, 1)}

    @cached_property
    def _chord_index(self) -> dict[tuple[int, ...], int]:
        return {chord: number for number, chord in enumerate(self.chords)}


def _below(pitches: tuple[int, ...]) -> tuple[int, ...]:
    """The pitch classes below the top of a chord, as semitones below it."""
    return tuple(sorted({(pitches[-1] - pitch) % 12 for pitch in pitches} - {0}))


def _events(melody: Melody) -> Iterator[tuple[int, Note | None]]:
    """Duration in ticks and note of each event, None for silence: one after the other, from start to length."""
    heads: list[Note] = []
    for note in melody.notes:  # which are sorted by onset, then by pitch
        if heads and heads[-1].onset == note.onset:
            heads[-1] = max(heads[-1], note, key=_top)
        else:
            heads.append(note)
    tick, last = 0, len(heads) - 1
    for number, note in enumerate(heads):
        onset = note.onset
        if onset > tick:
            yield onset - tick, None
        tick = onset + note.duration
        following = heads[number + 1].onset if number < last else tick
        tick = min(tick, following)
        yield tick - onset, note if note.pitches else None
    if melody.length > tick:
        yield melody.length - tick, None


def _top(note: Note) -> tuple[int, int]:
    """Of notes with one onset the highest stays, and of these the longest."""
    return note.top, note.duration
