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
    chords           if they are known: the chord that sounds, its bass, the next chord and the time to it; after the
                     duration of a note also the chord where it ends
    repeats          for the longest earlier match of the last notes (by duration and interval, by duration, by
                     interval): its length and what followed it, an interval as the pitch to which it leads
    conditions       as `features.py`

All times are in ticks. Repeats and their lengths are those of `NoteMatches`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.models.chords import BASS_IDS, CHORD_IDS, chords_at
from cantilena.models.conditions import UNKNOWN, condition_columns, condition_sizes
from cantilena.models.network.features import MATCH_BINS, Features, checked_bars
from cantilena.models.network.note_history import (
    BEYOND,
    DURATION,
    END,
    INTERVAL,
    KINDS,
    ONSET,
    PITCH,
    Ints,
    NoteHistory,
    NoteMatches,
)
from cantilena.models.network.options import NetworkOptions
from cantilena.models.protocol import Bars
from cantilena.tokenizers import MAX_DURATION, check_tokens

MAX_INTERVAL = 14
"""Semitones up and down with a row of their own; wider intervals share the last."""
INTERVALS = 2 * MAX_INTERVAL + 2
"""Ids of intervals; the last is that of none."""
NO_INTERVAL = INTERVALS - 1
NO_NOTE = INTERVALS
"""In place of an interval: there is no note."""

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

_TIME_BINS = np.searchsorted(_TIME_STARTS, np.arange(_TIME_STARTS[-1] + 1), side="right").astype(np.int64) - 1
"""By ticks; the last is that of all longer times."""
_TIMES_LEFT = np.array([NO_TIME, *_TIME_BINS])
"""By ticks + 1; 0 stands for an unknown time."""
_TIMES_TO_ONSET = np.array([*_TIME_BINS[np.minimum(np.arange(MAX_DURATION + 1), _TIME_STARTS[-1])], NO_TIME - TIMES])
"""By ticks; at an onset `TIMES` is added. The last is that of note 0, which begins wherever there is no note."""

_INTERVALS, _DURATIONS, _PLACE, _LENGTH, _SPAN, _LOOK_BACK = 2, 5, 8, 13, 15, 18
"""The first columns of groups."""


def time_bins(ticks: NDArray[np.integer]) -> Ints:
    """The bin of each time, 0 to `TIMES - 2`.

    Examples:
        >>> time_bins(np.array([0, 6, 11, 24, 9999])).tolist()
        [0, 3, 4, 7, 21]
    """
    return _TIME_BINS.take(ticks, mode="clip")


@dataclass(frozen=True, slots=True)
class RunningStats:
    """Running statistics of some melodies, `(melodies, queries)` each: at one time, or before each note."""

    clock: Ints
    """The tick at which the last note ends."""
    long_end: Ints
    """The end of the last rest, or of the last note as long as half a bar; 0 for none."""
    lowest: Ints
    """The lowest pitch; above all pitches for none."""
    highest: Ints
    """The highest pitch; -1 for none."""

    def take_rows(self, rows: NDArray[np.integer]) -> RunningStats:
        """That of the melodies with these numbers."""
        return RunningStats(self.clock[rows], self.long_end[rows], self.lowest[rows], self.highest[rows])


@dataclass(frozen=True, slots=True)
class Places:
    """What stands where the melodies look back to; the last place is that of the plan if any is told.

    Args:
        notes: `(melodies, queries, places, 5)` as `NoteHistory` has them.
        begins: `(melodies, queries, places)`: whether the note begins there.
    """

    notes: Ints
    begins: NDArray[np.bool_]

    def take_rows(self, rows: NDArray[np.integer]) -> Places:
        """Those of the melodies with these numbers."""
        return Places(self.notes[rows], self.begins[rows])


@dataclass(frozen=True, slots=True)
class NoteState:
    """What the features of the next token need from those before; immutable."""

    bars: Bars
    notes: NoteHistory
    matches: NoteMatches
    stats: RunningStats
    places: Places
    """Where the next note looks back to."""
    ids: Ints
    """`(melodies, 1, all columns)` before the first token of the next note; see `NoteFeatures._rows`."""
    event: tuple[Ints, ...] = ()
    """`(melodies, 1)` tokens of the note that is being made."""

    def take_rows(self, rows: NDArray[np.integer]) -> NoteState:
        """The state of the melodies with `(k,)` numbers; a melody may come several times.

        Examples:
            >>> features = NoteFeatures(NetworkOptions(durations=(1, 24), pitches=12), vocabulary_size=16)
            >>> _, state = features.first(3)
            >>> len(features.next(np.array([2, 1]), state.take_rows(np.array([0, 0])))[0])
            2
        """
        return NoteState(
            self.bars[rows],
            self.notes.take_rows(rows),
            self.matches.take_rows(rows),
            self.stats.take_rows(rows),
            self.places.take_rows(rows),
            self.ids[rows],
            tuple(tokens[rows] for tokens in self.event),
        )


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
        self._no_duration = first = 1 + len(options.durations)
        self._rest, self._none = options.pitches, options.pitches + 1  # the ids of pitches after those of notes
        self._parts = [(1, first), (first, first + options.pitches + 1)]
        if vocabulary_size > self._parts[-1][1]:
            self._parts.append((self._parts[-1][1], vocabulary_size))
        self._look_back: Ints = np.array(options.look_back, dtype=np.int64)
        durations, pitches, looks = first + 1, options.pitches + 2, len(options.look_back)
        sizes = [vocabulary_size + 1, pitches, *[INTERVALS] * 3, *[durations] * 3]
        sizes += [PLACES, BEATS, PLACES, BAR_NUMBERS, 8, BAR_NUMBERS, TIMES, TIMES, SPAN, SPAN]
        sizes += [pitches, TIMES * 2, pitches, RUNS, RUNS] * looks
        self._repeats = len(sizes)  # the first column of repeats
        sizes += [MATCH_BINS, durations, pitches, MATCH_BINS, durations, MATCH_BINS, pitches]
        self._plan = len(sizes)  # the first column of the plan
        sizes += [4, LAGS, PHRASES, 4, pitches, TIMES * 2, pitches, 3] * options.plan
        self._chords = len(sizes)  # the first column of chords
        sizes += [CHORD_IDS, BASS_IDS, CHORD_IDS, TIMES] * options.harmony
        self._condition_sizes = condition_sizes(options.conditions, options.styles, len(options.modes))
        self._conditions = condition_columns(options.conditions)
        sizes += self._condition_sizes
        part_sizes = [vocabulary_size + 1, PLACES + 1, BEATS + 1, TIMES, 3, *[3] * (looks + 1 + options.plan)]
        part_sizes += [CHORD_IDS] * options.harmony
        self.columns, self.part_columns = len(sizes), len(part_sizes)
        self.rows, self.part_rows = sum(sizes), sum(part_sizes)
        self.period = len(self._parts)
        """Tokens of a note."""
        starts = [np.cumsum([0, *some])[:-1] for some in (sizes, part_sizes)]
        self.offsets: Ints = np.concatenate([*starts, [0, 0]]).astype(np.int64)
        """The first row of each column in its table."""
        self._last: Ints = np.array([*sizes, *part_sizes, vocabulary_size + 1, vocabulary_size + 1]) - 1
        """The last id of each column, which larger ones share; 0 of columns that are left out."""
        groups = {"melody": range(1, _PLACE), "place": range(_PLACE, _LENGTH), "length": range(_LENGTH, _SPAN)}
        groups |= {"span": range(_SPAN, _LOOK_BACK), "repeats": range(self._repeats, self._plan)}
        part_groups = {"place": (1, 2), "length": (3, 4), "repeats": (5 + looks,)}
        for name in options.without:
            self._last[list(groups[name])] = 0
            self._last[[self.columns + column for column in part_groups.get(name, ())]] = 0
        self._first = self._first_ids()
        self._nothing = (self._no_duration, self._none, NO_NOTE)  # note 0
        self._tabulate()

    def _first_ids(self) -> Ints:
        """`(all columns,)` ids before the first token, of melodies of which nothing is told."""
        ids = np.zeros(len(self.offsets), dtype=np.int64)
        ids[:_PLACE] = [self.start, self._none, *[NO_INTERVAL] * 3, *[self._no_duration] * 3]
        if self.options.plan:
            ids[self._plan + 4 : self._plan + 8] = [self._none, NO_TIME, self._none, 2]
        ids[self.columns : -2] = [self.start, PLACES, BEATS, NO_TIME, *[2] * (self.part_columns - 4)]
        if self.options.harmony:
            ids[self._chords + 3], ids[-3] = NO_TIME, UNKNOWN
        return ids

    def _tabulate(self) -> None:
        """Make tables by token, by pitch and by time."""
        tokens, pitches = np.arange(self.vocabulary_size), np.arange(self._none + 1)
        ticks = np.array([0, *self.options.durations], dtype=np.int64)
        self._duration_of = np.where(tokens < self._no_duration, tokens, 0)  # 0 for `end`
        self._ticks_of = ticks[self._duration_of]
        self._until_of = time_bins(self._ticks_of) + TIMES  # as `_TIMES_TO_ONSET` at an onset
        pitch = tokens - self._no_duration
        self._pitch_of = np.where((pitch >= 0) & (pitch < self._rest), pitch, self._rest)
        known = pitches < self._rest
        interval = np.clip(pitches[:, None] - pitches, -MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL
        self._interval = np.where(known[:, None] & known, interval, NO_INTERVAL)
        """By a pitch and that before."""
        moved = pitches[:, None] + np.arange(NO_NOTE + 1) - MAX_INTERVAL
        self._moved = np.where(known[:, None] & (moved >= 0) & (moved < self._rest), moved, self._rest)
        """By pitch and interval: the pitch to which it leads; a rest if there is none."""
        self._moved[:, NO_INTERVAL], self._moved[:, NO_NOTE] = self._rest, self._none
        fitting = 1 + np.searchsorted(ticks[1:], np.arange(1, MAX_DURATION + 1), side="right")
        begins = [[0, 1], *[[1, after] for after in fitting], [0, self._no_duration]]
        self._bounds_of = [np.array(bounds) for bounds in (begins, *[[[0, 1], part] for part in self._parts[1:]])]
        """Of the first part by the ticks left, the last where these are unknown; of others 0 at the end, else 1."""

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
        ticks, pitch = self._ticks_of[event[:, :, 0]], self._pitch_of[event[:, :, 1]]
        clock = np.cumsum(ticks, axis=1) - ticks
        last = _before(pitch, self._none)
        heard = np.maximum.accumulate(np.where(last == self._rest, 0, np.arange(events)), axis=1)
        sounding = np.take_along_axis(last, heard, axis=1)
        notes = self._notes(clock, event[:, :, 0], pitch, sounding)
        stats = RunningStats(
            clock,
            _before(np.maximum.accumulate(np.where(self._is_long(bars, notes), notes[..., END], 0), axis=1), 0),
            np.minimum.accumulate(sounding, axis=1),
            np.maximum.accumulate(np.where(sounding == self._none, -1, sounding), axis=1),
        )
        ids = np.tile(self._first_of(bars), (1, events, 1))
        ids[:, :, 0], ids[:, :, 1] = _before(event[:, :, -1], self.start), sounding
        interval, duration = notes[..., INTERVAL], notes[..., DURATION]
        for back in range(3):
            interval, duration = _before(interval, NO_INTERVAL), _before(duration, self._no_duration)
            ids[:, :, _INTERVALS + back], ids[:, :, _DURATIONS + back] = interval, duration
        history = NoteHistory.empty(melodies, self._nothing).append(notes)
        places = self._fill(ids, bars, history, stats, *self._followed(notes))
        exact, in_rhythm, agreed = self._repeated(places, notes)
        looks, number = self._looks(ids), np.arange(events)[:, None]
        for column, same in ((3, exact), (4, in_rhythm)):
            broken = np.maximum.accumulate(np.where(same, -1, number), axis=1)
            looks[:, 1:, :, column] = (number - broken)[:, :-1]
        if self._told(bars):
            ids[:, 1:, self._plan + 7 : self._plan + 8] = agreed[:, :-1]
        rows = np.empty((melodies, events, count, ids.shape[2]), dtype=np.int64)
        ended = event[:, :, 0] == 0
        for part in range(count):
            if part:
                self._fill_part(ids, bars, clock, event[:, :, 0], event[:, :, part - 1])
            ids[:, :, -2:] = self._bounds(bars, clock, part, ended if part else _before(ended, False))
            rows[:, :, part] = self._rows(ids)
        return rows.reshape(melodies, events * count, -1)[:, :steps]

    def first(self, melodies: int, bars: Bars | None = None) -> tuple[Ints, NoteState]:
        """`(melodies, all columns)` rows of the first token, and the state."""
        bars = self._checked(bars, melodies)
        zeros = np.zeros((melodies, 1), dtype=np.int64)
        stats = RunningStats(zeros, zeros, zeros + self._none, zeros - 1)
        notes, matches = NoteHistory.empty(melodies, self._nothing), NoteMatches.empty(melodies)
        return self._begin(self._first_of(bars), bars, notes, matches, stats, zeros > 0)

    def next(self, tokens: NDArray[np.integer], state: NoteState) -> tuple[Ints, NoteState]:
        """`(melodies, all columns)` rows of the next token after `(melodies,)` tokens, and the new state."""
        tokens = check_tokens(tokens, self.vocabulary_size, 1)[:, None]
        bars, stats, ids, event = state.bars, state.stats, state.ids.copy(), (*state.event, tokens)
        ended = event[0] == 0
        if len(event) < len(self._parts):
            self._fill_part(ids, bars, stats.clock, event[0], tokens)
            ids[:, :, -2:] = self._bounds(bars, stats.clock, len(event), ended)
            return self._rows(ids)[:, 0], replace(state, event=event)
        pitch, before = self._pitch_of[event[1]], state.ids[:, :, 1]
        note = self._notes(stats.clock, event[0], pitch, before)
        exact, in_rhythm, agreed = self._repeated(state.places, note)
        looks = self._looks(ids)
        looks[..., 3] = (looks[..., 3] + 1) * exact
        looks[..., 4] = (looks[..., 4] + 1) * in_rhythm
        if self._told(bars):
            ids[:, :, self._plan + 7 : self._plan + 8] = agreed
        rest = pitch == self._rest
        sounding = np.where(rest, before, pitch)
        ids[:, :, 0], ids[:, :, 1] = tokens, sounding
        for first, latest in ((_INTERVALS, INTERVAL), (_DURATIONS, DURATION)):
            ids[:, :, first + 1 : first + 3] = state.ids[:, :, first : first + 2]
            ids[:, :, first] = note[..., latest]
        end = note[..., END]
        stats = RunningStats(
            end,
            np.where(self._is_long(bars, note), end, stats.long_end),
            np.minimum(stats.lowest, sounding),
            np.maximum(stats.highest, np.where(rest, -1, pitch)),
        )
        matches = state.matches.append(self._codes(note)[:, 0], self.options.max_context)
        return self._begin(ids, bars, state.notes.append(note), matches, stats, ended)

    def _begin(
        self,
        ids: Ints,
        bars: Bars,
        notes: NoteHistory,
        matches: NoteMatches,
        stats: RunningStats,
        ended: NDArray[np.bool_],
    ) -> tuple[Ints, NoteState]:
        """The rows before a note, and the state; completes `ids`."""
        back, lengths = matches.longest()
        followed = notes.notes.shape[1] - 1 - back
        places = self._fill(ids, bars, notes, stats, followed[:, None], lengths[:, None])
        ids[:, :, -2:] = self._bounds(bars, stats.clock, 0, ended)
        return self._rows(ids)[:, 0], NoteState(bars, notes, matches, stats, places, ids)

    def _fill(
        self, ids: Ints, bars: Bars, notes: NoteHistory, stats: RunningStats, followed: Ints, lengths: Ints
    ) -> Places:
        """Fill in what is known before some notes, except for the last notes and what is counted from them.

        Args:
            ids: `(melodies, queries, all columns)`, with the pitch that sounds.
            bars: of the melodies.
            notes: those so far; later ones do not matter.
            stats: those before the notes.
            followed: `(melodies, queries, kinds)` numbers of the notes that followed the longest matches.
            lengths: the same: the bins of the lengths of these matches.
        """
        clock, per_bar, length, sounding = stats.clock, bars.steps_per_bar[:, None], bars.length[:, None], ids[:, :, 1]
        number, place = np.divmod(clock - bars.pickup[:, None], per_bar)
        number = np.maximum(number + 1, 0)  # 0 in a pickup
        left = np.where(length > 0, length - clock, -1)  # below 0 also after the end
        ids[:, :, _PLACE], ids[:, :, _PLACE + 1] = place, place % BEATS
        ids[:, :, _PLACE + 3], ids[:, :, _PLACE + 4] = number, number % 8
        ids[:, :, _LENGTH] = (1 - -left // per_bar) * (left >= 0)  # bars begun count
        ids[:, :, _LENGTH + 1] = _TIMES_LEFT.take(left + 1, mode="clip")
        ids[:, :, _SPAN] = time_bins(clock - stats.long_end)
        ids[:, :, _SPAN + 1], ids[:, :, _SPAN + 2] = sounding - stats.lowest, stats.highest - sounding

        if self._chords_told(bars):
            ids[:, :, self._chords : self._chords + 4] = chords_at(bars.chords, clock)
            to_change = ids[:, :, self._chords + 3]
            ids[:, :, self._chords + 3] = np.where(to_change < 0, NO_TIME, time_bins(np.maximum(to_change, 0)))
        counts, told = len(self._look_back), self._told(bars)
        lags = np.empty((*clock.shape, counts + told), dtype=np.int64)
        lags[:, :, :counts] = per_bar[:, :, None] * self._look_back
        if told:
            bar = (clock - bars.plan_origin[:, None]) // per_bar
            bar = np.minimum(np.maximum(bar, 0), bars.plan.shape[1] - 1)  # what comes before bar 1 is a part of it
            plan = bars.plan[np.arange(len(bar))[:, None], bar]
            ids[:, :, self._plan : self._plan + 4] = plan
            lags[:, :, counts] = np.where(plan[:, :, 1] > 0, plan[:, :, 1] * per_bar, BEYOND)
        then = np.maximum(clock[:, :, None] - lags, -1)
        there = notes.take(notes.at(then))
        places = Places(there, there[..., ONSET] == then)
        until = _TIMES_TO_ONSET.take(there[..., END] - then, mode="clip") + TIMES * places.begins
        moved = self._moved[sounding[:, :, None], np.where(places.begins, there[..., INTERVAL], NO_INTERVAL)]
        looks = self._looks(ids)
        for column, values in enumerate((there[..., PITCH], until, moved)):
            looks[..., column] = values[:, :, :counts]
            if told:
                ids[:, :, self._plan + 4 + column] = values[:, :, counts]

        after = notes.take(followed * (lengths > 0))
        moved, first = self._moved[sounding[:, :, None], after[..., INTERVAL]], self._repeats
        ids[:, :, first : first + 6 : 3], ids[:, :, first + 5] = lengths[:, :, :2], lengths[:, :, 2]
        ids[:, :, first + 1 : first + 7 : 3] = after[:, :, :2, DURATION]
        ids[:, :, first + 2], ids[:, :, first + 6] = moved[:, :, 0], moved[:, :, 2]
        return places

    def _fill_part(self, ids: Ints, bars: Bars, clock: Ints, duration: Ints, previous: Ints) -> None:
        """Fill in what the note's earlier tokens say: that of its duration, and the one before the next."""
        part, looks = ids[:, :, self.columns : -2], self._looks(ids)
        end, until = clock + self._ticks_of[duration], self._until_of[duration]
        left, told = bars.length[:, None] - end, bars.length[:, None] > 0
        place = (end - bars.pickup[:, None]) % bars.steps_per_bar[:, None]
        part[:, :, 0], part[:, :, 1], part[:, :, 2] = previous, np.minimum(place, PLACES - 1), place % BEATS
        part[:, :, 3], part[:, :, 4] = np.where(told, time_bins(left), NO_TIME), np.where(told, left <= 0, 2)
        last = 5 + looks.shape[2]
        part[:, :, 5:last] = looks[..., 1] == until[:, :, None]
        part[:, :, last] = ids[:, :, self._repeats + 1] == duration
        if self.options.plan:
            part[:, :, last + 1] = ids[:, :, self._plan + 5] == until
        if self._chords_told(bars):
            part[:, :, -1] = chords_at(bars.chords, end)[..., 0]

    def _bounds(self, bars: Bars, clock: Ints, part: int, ended: NDArray[np.bool_]) -> Ints:
        """`(melodies, queries, 2)`: the first token that may come next and the one after the last."""
        if part:
            return self._bounds_of[part].take(~ended, axis=0)
        length = bars.length[:, None]
        left = np.where(length > 0, np.minimum(length - clock, MAX_DURATION), MAX_DURATION + 1)
        return self._bounds_of[0].take(left * ~ended, axis=0, mode="clip")

    def _rows(self, ids: Ints) -> Ints:
        """The rows of ids, of which too large ones share the last row of their column, and negative ones the first."""
        rows = np.maximum(ids, 0)
        np.minimum(rows, self._last, out=rows)
        rows += self.offsets
        return rows

    def _notes(self, clock: Ints, duration: Ints, pitch: Ints, before: Ints) -> Ints:
        """`(melodies, queries, 5)` notes with these onsets, tokens of durations, pitches, and pitches that sounded."""
        notes = np.empty((*clock.shape, 5), dtype=np.int64)
        notes[..., ONSET], notes[..., END] = clock, clock + self._ticks_of[duration]
        notes[..., DURATION], notes[..., PITCH] = self._duration_of[duration], pitch
        notes[..., INTERVAL] = self._interval[pitch, before]
        return notes

    def _is_long(self, bars: Bars, notes: Ints) -> NDArray[np.bool_]:
        """`(melodies, queries)`: whether notes are rests, or as long as half a bar."""
        rest: NDArray[np.bool_] = notes[..., PITCH] == self._rest
        return rest | (2 * (notes[..., END] - notes[..., ONSET]) >= bars.steps_per_bar[:, None])

    def _followed(self, notes: Ints) -> tuple[Ints, Ints]:
        """Before each of `(melodies, notes, 5)` notes, what `NoteMatches.longest` says; as `_fill` takes it."""
        melodies, count = notes.shape[:2]
        followed, lengths = np.empty((2, melodies, count, KINDS), dtype=np.int64)
        codes, matches = self._codes(notes), NoteMatches.empty(melodies)
        for number in range(count):
            back, lengths[:, number] = matches.longest()
            followed[:, number] = number - back
            matches = matches.append(codes[:, number], self.options.max_context)
        return followed, lengths

    def _codes(self, notes: Ints) -> Ints:
        """`(melodies, queries, kinds)`: what must be equal of two notes to match."""
        codes = np.empty((*notes.shape[:2], KINDS), dtype=np.int64)
        codes[..., 0] = notes[..., DURATION] * INTERVALS + notes[..., INTERVAL]
        codes[..., 1] = notes[..., DURATION] * 2 + (notes[..., PITCH] == self._rest)
        codes[..., 2] = notes[..., INTERVAL]
        return codes

    def _repeated(self, places: Places, notes: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Ints]:
        """Whether notes repeat those of the places to which they looked back.

        Returns:
            `(melodies, queries, look-backs)` exactly, and in rhythm; `(melodies, queries, 1)` whether duration and
            pitch are those at the last place, wherever the note there began, 2 for none.
        """
        there, pitch, counts = places.notes[..., PITCH], notes[..., PITCH, None], len(self._look_back)
        same = places.notes[..., DURATION] == notes[..., DURATION, None]
        both = same & (there == pitch)
        in_rhythm = places.begins & same & ((there == self._rest) == (pitch == self._rest))
        exact = places.begins & both
        return exact[..., :counts], in_rhythm[..., :counts], np.where(there == self._none, 2, both)[..., -1:]

    def _told(self, bars: Bars) -> bool:
        """Whether plans are told."""
        return self.options.plan and bars.plan.shape[1] > 0

    def _chords_told(self, bars: Bars) -> bool:
        """Whether chords are told."""
        return self.options.harmony and bars.chords.shape[1] > 0

    def _looks(self, ids: Ints) -> Ints:
        """`(melodies, queries, look-backs, 5)`: a view of the columns of look-back."""
        counts = len(self._look_back)
        return ids[:, :, _LOOK_BACK : _LOOK_BACK + 5 * counts].reshape(*ids.shape[:2], counts, 5)

    def _first_of(self, bars: Bars) -> Ints:
        """`(melodies, 1, all columns)` ids before the first token; those that never change are there to stay."""
        ids = np.tile(self._first, (len(bars.pickup), 1, 1))
        ids[:, 0, _PLACE + 2] = bars.steps_per_bar - 1
        ids[:, 0, self.columns - len(self._conditions) : self.columns] = bars.condition_ids[:, self._conditions]
        return ids

    def _checked(self, bars: Bars | None, melodies: int) -> Bars:
        return checked_bars(bars, melodies, self.options, self._condition_sizes, ticks_per_count=1)


def _before(values: NDArray[Any], first: int) -> NDArray[Any]:
    """`(melodies, queries)`: the value before each of some values, `first` before the first."""
    shifted = np.empty_like(values)
    shifted[:, :1], shifted[:, 1:] = first, values[:, :-1]
    return shifted


def features_of(options: NetworkOptions, vocabulary_size: int) -> Features | NoteFeatures:
    """The input of a network: of notes if its options name their durations, else of steps."""
    return (NoteFeatures if options.durations else Features)(options, vocabulary_size)
