"""The input of a network whose tokens are notes (`NotesEncoding`), as rows of one embedding table.

Before each token a network is told

    the last notes   token, sounding pitch, the last three intervals and durations, time since a long note or a rest,
                     the distance to the lowest and the highest note so far
    its place        position in the bar, on the beat, bar length, number of the bar; bars and time left if the length
                     is known; after the duration of a note also the place where it ends
    look-back        for each of some numbers of bars: the pitch at that time, the time to the next onset, the pitch to
                     which the interval there leads from the last note, for how many notes the melody has repeated it
                     (exactly, in rhythm alone), and whether the duration just chosen repeats it too
    plan             if the form is known: how the bar returns, how far back, the bars left of the phrase, the cadence;
                     the note at the place to which the bar returns, as for look-back; whether the last note agreed
    repeats          for the longest earlier match of the last notes (by duration and interval, by duration, by
                     interval): its length and what followed it, an interval as the pitch to which it leads
    conditions       as `features.py`

All times are in ticks. Repeats and their lengths are those of `TokenHistory`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.models.conditions import condition_columns, condition_sizes
from cantilena.models.network.features import MATCH_BINS, Features, TokenHistory, checked_bars
from cantilena.models.network.options import NetworkOptions
from cantilena.models.protocol import Bars
from cantilena.tokenizers import check_tokens

Ints = NDArray[np.int64]

MAX_INTERVAL = 14
"""Semitones up and down with a row of their own; wider intervals share the last."""
INTERVALS = 2 * MAX_INTERVAL + 2
"""Ids of intervals; the last is that of none."""
NO_INTERVAL = INTERVALS - 1

PLACES = 192
"""Ticks of a bar with a row of their own, two bars of 4/4; later ones share the last."""
BEATS = 24
"""Ticks of a quarter note."""
BAR_NUMBERS = 34
"""Numbers of bars with a row of their own; 0 stands for unknown."""
RUNS = 13
"""Notes of repetition with a row of their own, 0 among them."""
LAGS, PHRASES = 66, 18
"""Bars back to what returns, and bars to the end of a phrase, with a row of their own; 0 stands for none."""
SPAN = 26
"""Semitones from the lowest or to the highest note with a row of their own."""

_TIME_STARTS = np.array([0, 1, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60, 72, 84, 96, 120, 144, 168, 192, 288, 384, 768])
TIMES = len(_TIME_STARTS) + 1
"""Bins of times in ticks; the last is that of none."""
NO_TIME = TIMES - 1

BEYOND = 2**40
"""Ticks before the start of any melody."""

KINDS = 3
"""Matches by duration and interval, by duration, by interval."""


def time_bins(ticks: NDArray[np.integer]) -> Ints:
    """The bin of each time, 0 to `TIMES - 2`.

    Examples:
        >>> time_bins(np.array([0, 6, 11, 24, 9999])).tolist()
        [0, 3, 4, 7, 21]
    """
    return np.asarray(np.searchsorted(_TIME_STARTS, np.maximum(ticks, 0), side="right") - 1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class NoteHistory:
    """The notes of some melodies so far; immutable.

    Args:
        onset: `(melodies, notes)` ticks.
        duration: the same.
        pitch: the same: the number of the pitch from the lowest on, -1 for a rest.
        sounding: the same: the pitch of the last note that is not a rest, up to and including this one; -1 for none.
    """

    onset: Ints
    duration: Ints
    pitch: Ints
    sounding: Ints

    @classmethod
    def of(cls, duration: Ints, pitch: Ints) -> NoteHistory:
        """All notes at once."""
        onset = np.cumsum(duration, axis=1) - duration
        place = np.where(pitch >= 0, np.arange(pitch.shape[1])[None, :], -1)
        last = np.maximum.accumulate(place, axis=1) if place.size else place
        sounding = np.where(last >= 0, np.take_along_axis(pitch, np.maximum(last, 0), axis=1), -1)
        return cls(onset, duration, pitch, sounding)

    @property
    def clock(self) -> Ints:
        """`(melodies,)`: the tick at which the last note ends."""
        if not self.onset.shape[1]:
            return np.zeros(len(self.onset), dtype=np.int64)
        return np.asarray(self.onset[:, -1] + self.duration[:, -1])

    def append(self, duration: Ints, pitch: Ints) -> NoteHistory:
        """The history after one more note of each melody."""
        before = self.sounding[:, -1] if self.sounding.shape[1] else np.full(len(pitch), -1)
        new = (self.clock, duration, pitch, np.where(pitch >= 0, pitch, before))
        old = (self.onset, self.duration, self.pitch, self.sounding)
        return NoteHistory(*(np.concatenate([a, b[:, None]], axis=1) for a, b in zip(old, new, strict=True)))

    def at(self, ticks: Ints) -> Ints:
        """`(melodies, queries)`: the number of the note that lasts over each tick, -1 before the start.

        Args:
            ticks: `(melodies, queries)`, each before the end of the last note.
        """
        melodies, notes = self.onset.shape
        if not notes:
            return np.full(ticks.shape, -1)
        far = int(max(self.onset.max(), ticks.max(initial=0))) + 2
        rows = np.arange(melodies)[:, None]
        flat = (self.onset + rows * far).ravel()
        found = np.searchsorted(flat, np.maximum(ticks, 0) + rows * far, side="right") - 1 - rows * notes
        return np.where(ticks < 0, -1, found)

    def take(self, values: Ints, notes: Ints, missing: int) -> Ints:
        """The values of some notes by their numbers, `missing` for -1."""
        if not values.shape[1]:
            return np.full(notes.shape, missing)
        rows = np.arange(len(values))[:, None]
        return np.where(notes < 0, missing, values[rows, np.maximum(notes, 0)])


@dataclass(frozen=True, slots=True)
class NoteState:
    """What the features of the next token need from those before; immutable."""

    bars: Bars
    notes: NoteHistory
    matches: TokenHistory
    """`(kinds x melodies, notes)`: of all melodies by one kind, then by the next."""
    runs: Ints
    """`(melodies, look-backs, 2)`: notes for which the melody has repeated that many bars ago: exactly, in rhythm."""
    base: Ints
    """`(melodies, columns)` rows before the first token of the next note."""
    event: tuple[Ints, ...] = ()
    """`(melodies,)` tokens of the note that is being made."""


class NoteFeatures:
    """Converts the tokens of notes to rows of two tables, and to the tokens that may come next.

    The first `columns` of a row are those of the table that a network reads before each note; the next
    `part_columns` are those of the table of what the note's earlier tokens say, which its head reads before each token;
    the last two are the first token that may come next, and the one after the last.

    Args:
        options: which features there are, and the durations and pitches of the tokens.
        vocabulary_size: number of tokens; the start symbol is one more.
    """

    def __init__(self, options: NetworkOptions, vocabulary_size: int) -> None:
        self.options, self.vocabulary_size, self.start = options, vocabulary_size, vocabulary_size
        self._ticks = np.array([0, *options.durations, 0], dtype=np.int64)  # by token; the last for none
        self._no_duration = len(self._ticks) - 1
        first = 1 + len(options.durations)
        self._parts = [(1, first), (first, first + options.pitches + 1)]
        if vocabulary_size > self._parts[-1][1]:
            self._parts.append((self._parts[-1][1], vocabulary_size))
        self._pitches = options.pitches
        durations, pitches = len(self._ticks), options.pitches + 2  # a rest, none
        sizes = [vocabulary_size + 1, pitches, *[INTERVALS] * 3, *[durations] * 3]
        sizes += [PLACES, BEATS, PLACES, BAR_NUMBERS, 8, BAR_NUMBERS, TIMES, TIMES, SPAN, SPAN]
        sizes += [pitches, TIMES * 2, pitches, RUNS, RUNS] * len(options.look_back)
        sizes += [MATCH_BINS, durations, pitches, MATCH_BINS, durations, MATCH_BINS, pitches]
        repeats = len(sizes) - 7
        self._plan = len(sizes)  # the first column of the plan
        sizes += [4, LAGS, PHRASES, 4, pitches, TIMES * 2, pitches, 3] * options.plan
        groups = {"melody": (1, 8), "place": (8, 13), "length": (13, 15), "span": (15, 18)}
        groups["repeats"] = (repeats, self._plan)
        self._left_out = [column for name in options.without for column in range(*groups[name])]
        part_groups = {"place": [1, 2], "length": [3, 4], "repeats": [5 + len(options.look_back)]}
        self._parts_left_out = [column for name in options.without for column in part_groups.get(name, ())]
        self._condition_sizes = condition_sizes(options.conditions, options.styles, len(options.modes))
        self._conditions = condition_columns(options.conditions)
        sizes += self._condition_sizes
        part_sizes = [
            vocabulary_size + 1,
            PLACES + 1,
            BEATS + 1,
            TIMES,
            3,
            *[3] * (len(options.look_back) + 1 + options.plan),
        ]
        self.columns, self.part_columns = len(sizes), len(part_sizes)
        self.rows, self.part_rows = sum(sizes), sum(part_sizes)
        self.period = len(self._parts)
        """Tokens of a note."""
        starts = [np.cumsum([0, *some])[:-1] for some in (sizes, part_sizes)]
        self.offsets: Ints = np.concatenate([*starts, [0, 0]]).astype(np.int64)
        """The first row of each column in its table."""

    def encode(self, tokens: NDArray[np.integer], bars: Bars | None = None) -> Ints:
        """`(melodies, tokens, all columns)` rows for `(melodies, tokens)` tokens: entry t is given those before t.

        Raises:
            UsageError: tokens or condition ids are invalid.
        """
        tokens = check_tokens(tokens, self.vocabulary_size, 2)
        melodies, steps = tokens.shape
        bars = self._checked(bars, melodies)
        count = len(self._parts)
        events = -(-steps // count)
        padded = np.zeros((melodies, events * count), dtype=np.int64)
        padded[:, :steps] = tokens
        event = padded.reshape(melodies, events, count)
        duration = self._ticks[np.minimum(event[:, :, 0], self._no_duration)]
        notes = NoteHistory.of(duration, self._pitch_of(event[:, :, 1]))
        at = np.arange(events)[None, :]
        runs = np.zeros((melodies, events + 1, len(self.options.look_back), 2), dtype=np.int64)
        same = self._repetition(notes, bars, np.arange(events))
        broken = np.maximum.accumulate(np.where(same, -1, np.arange(events)[None, :, None, None]), axis=1)
        runs[:, 1:] = np.minimum(np.arange(events)[None, :, None, None] - broken, RUNS - 1)
        codes = self._codes(notes, np.arange(events))
        history = TokenHistory.empty(KINDS * melodies)
        followed = np.empty((melodies, events, 2 * KINDS), dtype=np.int64)
        for number in range(events):
            followed[:, number] = _followed(history)
            history = history.append(codes[:, number].T.ravel(), self.options.max_context)
        ended = np.concatenate([np.zeros((melodies, 1), bool), event[:, :, 0] == 0], axis=1)
        previous = np.concatenate([np.full((melodies, 1), self.start), event[:, :, -1]], axis=1)
        base = self._base(notes, bars, at, previous[:, :events], runs[:, :events], followed)
        rows = np.empty((melodies, events, count, len(self.offsets)), dtype=np.int64)
        for part in range(count):
            bounds = self._bounds(bars, notes.onset, part, ended[:, 1 : events + 1] if part else ended[:, :events])
            chosen = None if part == 0 else event[:, :, 0]
            rows[:, :, part] = self._rows(
                base, bars, notes.onset, chosen, event[:, :, part - 1] if part else None, bounds
            )
        return rows.reshape(melodies, events * count, -1)[:, :steps] + self.offsets

    def first(self, melodies: int, bars: Bars | None = None) -> tuple[Ints, NoteState]:
        """`(melodies, all columns)` rows of the first token, and the state."""
        bars = self._checked(bars, melodies)
        none = np.zeros((melodies, 0), dtype=np.int64)
        state = NoteState(
            bars,
            NoteHistory(none, none, none, none),
            TokenHistory.empty(KINDS * melodies),
            np.zeros((melodies, len(self.options.look_back), 2), dtype=np.int64),
            none,
        )
        return self._begin(state, np.full(melodies, self.start), np.zeros(melodies, dtype=bool))

    def next(self, tokens: NDArray[np.integer], state: NoteState) -> tuple[Ints, NoteState]:
        """`(melodies, all columns)` rows of the next token after `(melodies,)` tokens, and the new state."""
        tokens = check_tokens(tokens, self.vocabulary_size, 1)
        event = (*state.event, tokens)
        ended = event[0] == 0
        if len(event) < len(self._parts):
            clock = state.notes.clock[:, None]
            bounds = self._bounds(state.bars, clock, len(event), ended[:, None])
            rows = self._rows(state.base[:, None], state.bars, clock, event[0][:, None], tokens[:, None], bounds)
            return rows[:, 0] + self.offsets, replace(state, event=event)
        duration = self._ticks[np.minimum(event[0], self._no_duration)]
        notes = state.notes.append(duration, self._pitch_of(event[1]))
        last = np.array([notes.onset.shape[1] - 1])
        same = self._repetition(notes, state.bars, last)[:, 0]
        codes = self._codes(notes, last)[:, 0]
        matches = state.matches.append(codes.T.ravel(), self.options.max_context)
        runs = np.where(same, np.minimum(state.runs + 1, RUNS - 1), 0)
        return self._begin(NoteState(state.bars, notes, matches, runs, state.base), tokens, ended)

    def _begin(self, state: NoteState, previous: Ints, ended: NDArray[np.bool_]) -> tuple[Ints, NoteState]:
        """The rows before a note."""
        at = np.array([[state.notes.onset.shape[1]]])
        followed = _followed(state.matches)[:, None]
        base = self._base(state.notes, state.bars, at, previous[:, None], state.runs[:, None], followed)
        clock = state.notes.clock[:, None]
        rows = self._rows(base, state.bars, clock, None, None, self._bounds(state.bars, clock, 0, ended[:, None]))
        return rows[:, 0] + self.offsets, replace(state, base=base[:, 0], event=())

    def _base(self, notes: NoteHistory, bars: Bars, at: Ints, previous: Ints, runs: Ints, followed: Ints) -> Ints:
        """`(melodies, queries, base columns)`: what is known before the notes with the numbers `at`, `(1, queries)`."""
        melodies = len(bars.pickup)
        shape = (melodies, at.shape[1])
        take = notes.take

        def last(values: Ints, back: int, missing: int) -> Ints:
            return take(values, np.broadcast_to(np.maximum(at - back, -1), shape), missing)

        clock = last(notes.onset, 1, 0) + last(notes.duration, 1, 0)
        sounding = last(notes.sounding, 1, -1)
        columns = [previous, np.where(sounding < 0, self._pitches + 1, sounding)]
        columns += [self._interval(notes, np.broadcast_to(at - back, shape)) for back in (1, 2, 3)]
        columns += [
            np.where(at - back < 0, self._no_duration, self._duration_id(last(notes.duration, back, 0)))
            for back in (1, 2, 3)
        ]
        per_bar, pickup = bars.steps_per_bar[:, None], bars.pickup[:, None]
        place = (clock - pickup) % per_bar
        number = np.maximum((clock - pickup) // per_bar, -1) + 1  # 0 in a pickup
        left = np.where(bars.length[:, None] > 0, bars.length[:, None] - clock, -1)
        known = left >= 0
        columns += [
            np.minimum(place, PLACES - 1),
            place % BEATS,
            np.broadcast_to(np.minimum(per_bar, PLACES) - 1, shape),
            np.minimum(number, BAR_NUMBERS - 1),
            number % 8,
            np.where(known, np.minimum(1 + (left + per_bar - 1) // per_bar, BAR_NUMBERS - 1), 0),
            np.where(known, time_bins(left), NO_TIME),
            self._since_long(notes, bars, at, clock),
            *self._span(notes, at, sounding),
        ]
        for index, count in enumerate(self.options.look_back):
            columns += self._look_back(notes, clock, per_bar * count, sounding)
            columns += [runs[:, :, index, 0], runs[:, :, index, 1]]
        both, by_rhythm, by_interval = (followed[:, :, kind] for kind in range(KINDS))
        lengths = [followed[:, :, KINDS + kind] for kind in range(KINDS)]
        nothing = [code < 0 for code in (both, by_rhythm, by_interval)]
        columns += [
            lengths[0],
            np.where(nothing[0], self._no_duration, both // INTERVALS),
            np.where(nothing[0], self._pitches + 1, self._moved(sounding, both % INTERVALS)),
            lengths[1],
            np.where(nothing[1], self._no_duration, by_rhythm // 2),
            lengths[2],
            np.where(nothing[2], self._pitches + 1, self._moved(sounding, by_interval)),
        ]
        if self.options.plan:
            columns += self._plan_columns(notes, bars, at, clock, sounding)
        columns += [np.broadcast_to(bars.condition_ids[:, [kind]], shape) for kind in self._conditions]
        base = np.stack(columns, axis=2)
        base[:, :, self._left_out] = 0
        return base

    def _rows(
        self, base: Ints, bars: Bars, clock: Ints, duration: Ints | None, previous: Ints | None, bounds: list[Ints]
    ) -> Ints:
        """`(melodies, queries, all columns)` rows of one part, offsets not added.

        `duration` and `previous` are the tokens of the note's duration and of the part before; None before both.
        """
        looks = len(self.options.look_back)
        of_part = np.empty((*clock.shape, self.part_columns), dtype=np.int64)
        if duration is None or previous is None:
            of_part[:] = [self.start, PLACES, BEATS, NO_TIME, 2, *[2] * (looks + 1 + self.options.plan)]
        else:
            end = clock + self._ticks[np.minimum(duration, self._no_duration)]
            per_bar, length = bars.steps_per_bar[:, None], bars.length[:, None]
            place = (end - bars.pickup[:, None]) % per_bar
            of_part[:, :, 0] = previous
            of_part[:, :, 1] = np.minimum(place, PLACES - 1)
            of_part[:, :, 2] = place % BEATS
            of_part[:, :, 3] = np.where(length > 0, time_bins(length - end), NO_TIME)
            of_part[:, :, 4] = np.where(length > 0, end >= length, 2)
            # The times to the next onset, `TIMES` higher if a note begins there, stand in the columns of look-back.
            begins = base[:, :, _LOOK_BACK + 1 : _LOOK_BACK + 5 * looks : 5] - TIMES
            of_part[:, :, 5 : 5 + looks] = begins == time_bins(end - clock)[:, :, None]
            of_part[:, :, 5 + looks] = base[:, :, _LOOK_BACK + 5 * looks + 1] == duration
            if self.options.plan:
                of_part[:, :, 6 + looks] = base[:, :, self._plan + 5] - TIMES == time_bins(end - clock)
        of_part[:, :, self._parts_left_out] = 0
        return np.concatenate([base, of_part, np.stack(bounds, axis=2)], axis=2)

    def _bounds(self, bars: Bars, clock: Ints, part: int, ended: NDArray[np.bool_]) -> list[Ints]:
        """The first token that may come next and the one after the last, `(melodies, queries)` each."""
        first, after = (np.full(clock.shape, bound) for bound in self._parts[part])
        if part == 0:
            length = bars.length[:, None]
            left = length - clock
            fitting = 1 + np.searchsorted(self._ticks[1:-1], left, side="right")
            full = (length > 0) & (left <= 0)
            first = np.where(length > 0, 1, 0)  # without a length the melody may end here
            after = np.where(length > 0, fitting, after)
            ended = ended | full
        return [np.where(ended, 0, first), np.where(ended, 1, after)]

    def _plan_columns(self, notes: NoteHistory, bars: Bars, at: Ints, clock: Ints, sounding: Ints) -> list[Ints]:
        """What the form says of the bar, the note to which it returns, and whether the last note was as planned."""
        kind, lag, left, cadence = self._planned(bars, clock)
        back = lag * bars.steps_per_bar[:, None]
        there = self._look_back(notes, clock, np.where(lag > 0, back, BEYOND), sounding)
        last = np.broadcast_to(at - 1, clock.shape)
        onset = notes.take(notes.onset, last, 0)
        lag_then = self._planned(bars, onset)[1]
        other = notes.at(np.where(lag_then > 0, onset - lag_then * bars.steps_per_bar[:, None], -1))
        agreed = notes.take(notes.duration, other, -1) == notes.take(notes.duration, last, -2)
        agreed &= notes.take(notes.pitch, other, -2) == notes.take(notes.pitch, last, -3)
        return [
            kind,
            np.minimum(lag, LAGS - 1),
            np.minimum(left, PHRASES - 1),
            cadence,
            *there,
            np.where(other < 0, 2, agreed),
        ]

    def _planned(self, bars: Bars, clock: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """The columns of `plan_rows` at some ticks; what comes before bar 1 is a part of it."""
        if not bars.plan.shape[1]:
            none = np.zeros(clock.shape, dtype=np.int64)
            return none, none, none, none
        bar = (clock - bars.plan_origin[:, None]) // bars.steps_per_bar[:, None]
        bar = np.clip(bar, 0, bars.plan.shape[1] - 1)
        rows = np.take_along_axis(bars.plan, bar[:, :, None], axis=1)
        return rows[:, :, 0], rows[:, :, 1], rows[:, :, 2], rows[:, :, 3]

    def _look_back(self, notes: NoteHistory, clock: Ints, lag: Ints, sounding: Ints) -> list[Ints]:
        """Pitch, time to the next onset, and the pitch that the interval there leads to from here, `lag` ago."""
        then = clock - lag
        index = notes.at(then)
        onset, duration = notes.take(notes.onset, index, 0), notes.take(notes.duration, index, 0)
        pitch = notes.take(notes.pitch, index, self._pitches + 1)
        pitch = np.where(pitch < 0, self._pitches, pitch)  # a rest
        until = time_bins(onset + duration - then) + np.where(onset == then, TIMES, 0)
        until = np.where(index < 0, NO_TIME, until)
        before = notes.take(notes.sounding, np.maximum(index - 1, -1), -1)
        there = notes.take(notes.pitch, index, -1)
        unknown = (there < 0) | (before < 0) | (onset != then)
        moved = self._moved(sounding, np.where(unknown, NO_INTERVAL, _interval_ids(there - before)))
        return [pitch, until, np.where(there < 0, pitch, moved)]

    def _repetition(self, notes: NoteHistory, bars: Bars, at: Ints) -> NDArray[np.bool_]:
        """`(melodies, queries, look-backs, 2)`: whether notes repeat those of so many bars ago: exactly, in rhythm."""
        onset, duration, pitch = (values[:, at] for values in (notes.onset, notes.duration, notes.pitch))
        found = np.empty((*onset.shape, len(self.options.look_back), 2), dtype=bool)
        for index, count in enumerate(self.options.look_back):
            then = onset - bars.steps_per_bar[:, None] * count
            other = notes.at(then)
            rhythm = (other >= 0) & (notes.take(notes.onset, other, -1) == then)
            rhythm &= notes.take(notes.duration, other, -1) == duration
            then_pitch = notes.take(notes.pitch, other, -2)
            found[:, :, index, 0] = rhythm & (then_pitch == pitch)
            found[:, :, index, 1] = rhythm & ((then_pitch < 0) == (pitch < 0))
        return found

    def _codes(self, notes: NoteHistory, at: Ints) -> Ints:
        """`(melodies, queries, kinds)`: what must be equal of two notes to match."""
        queries = np.broadcast_to(at[None, :], (len(notes.onset), len(at)))
        interval = self._interval(notes, queries)
        duration = self._duration_id(notes.duration[:, at])
        rest = notes.pitch[:, at] < 0
        return np.stack([duration * INTERVALS + interval, duration * 2 + rest, interval], axis=2)

    def _interval(self, notes: NoteHistory, at: Ints) -> Ints:
        """The id of the interval from the note that sounded before to each note."""
        pitch, before = notes.take(notes.pitch, at, -1), notes.take(notes.sounding, np.maximum(at - 1, -1), -1)
        return np.where((pitch < 0) | (before < 0), NO_INTERVAL, _interval_ids(pitch - before))

    def _since_long(self, notes: NoteHistory, bars: Bars, at: Ints, clock: Ints) -> Ints:
        """The bin of the time since the end of the last rest, or of a note as long as half a bar."""
        long = (notes.pitch < 0) | (2 * notes.duration >= bars.steps_per_bar[:, None])
        ends = np.where(long, notes.onset + notes.duration, 0)
        ends = np.maximum.accumulate(ends, axis=1) if ends.size else ends
        return time_bins(clock - notes.take(ends, np.broadcast_to(at - 1, clock.shape), 0))

    def _span(self, notes: NoteHistory, at: Ints, sounding: Ints) -> list[Ints]:
        """Semitones from the lowest note so far to the last one, and from the last to the highest."""
        rests = notes.pitch < 0
        low = np.where(rests, 999, notes.pitch)
        high = np.where(rests, -1, notes.pitch)
        if low.size:
            low, high = np.minimum.accumulate(low, axis=1), np.maximum.accumulate(high, axis=1)
        index = np.broadcast_to(at - 1, sounding.shape)
        lowest, highest = notes.take(low, index, 0), notes.take(high, index, 0)
        none = sounding < 0
        return [np.where(none, 0, np.clip(span, 0, SPAN - 1)) for span in (sounding - lowest, highest - sounding)]

    def _moved(self, sounding: Ints, interval: Ints) -> Ints:
        """The pitch to which each interval leads; the number of a rest if there is none."""
        pitch = sounding + interval - MAX_INTERVAL
        known = (interval != NO_INTERVAL) & (sounding >= 0) & (pitch >= 0) & (pitch < self._pitches)
        return np.where(known, pitch, self._pitches)

    def _duration_id(self, ticks: Ints) -> Ints:
        """The token of each duration; 0 ticks, those of `end`, have 0."""
        return np.asarray(np.searchsorted(self._ticks[:-1], ticks), dtype=np.int64)

    def _pitch_of(self, tokens: Ints) -> Ints:
        """The number of the pitch of each token, -1 for a rest or `end`."""
        pitch = tokens - self._parts[1][0]
        return np.where((pitch < 0) | (pitch >= self._pitches), -1, pitch)

    def _checked(self, bars: Bars | None, melodies: int) -> Bars:
        return checked_bars(bars, melodies, self.options, self._condition_sizes, ticks_per_count=1)


_LOOK_BACK = 18
"""Number of columns before those of look-back."""


def _followed(history: TokenHistory) -> Ints:
    """`(melodies, 2 kinds)`: the code that followed the longest match, -1 for none, and the bin of its length."""
    found = history.continuations(1, missing=-1)
    return np.concatenate([values.reshape(KINDS, -1).T for values in found], axis=1)


def _interval_ids(semitones: Ints) -> Ints:
    return np.clip(semitones, -MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL


def features_of(options: NetworkOptions, vocabulary_size: int) -> Features | NoteFeatures:
    """The input of a network: of notes if its options name their durations, else of steps."""
    return (NoteFeatures if options.durations else Features)(options, vocabulary_size)
