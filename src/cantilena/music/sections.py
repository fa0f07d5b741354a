"""Finding the form of a melody: from its repeats as written, and from the bars that return.

The sections found explain the melody at the least cost, as in a minimum description length: a bar that is new costs
one, a return costs a share of the whole melody's bars and more the more it varies. So a melody of 32 bars is AABB in
sections of eight, whether or not those contain smaller returns of their own. The cuts of least cost are found by
dynamic programming over a self-similarity matrix of bars. A cost of repeats and of what they leave unexplained is that
of J. Paulus and A. Klapuri, Music structure analysis using a probabilistic fitness measure and a greedy search
algorithm, IEEE TASLP 17(6), 2009, for sound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music.form import MOST_BARS, MOST_SECTIONS, VARIED, Cadence, Form, FormSection, Return
from cantilena.music.key import Key
from cantilena.music.key_profiles import find_key
from cantilena.music.melody import Melody

BarReturn = Literal["new", "literal", "varied", "rhythm"]
"""How a bar returns: `rhythm` if its notes begin at the same places, with other pitches."""

LONGEST_PHRASE = 8
"""The most bars between two marks of phrase ends; scores that mark some phrases only are read without marks."""

_LETTERS = 26
# What explains a melody, in bars; chosen on the training part of the built-in corpus.
_RETURN_SHARE = 0.115  # a return costs this share of the melody,
_LEAST_RETURN, _MOST_RETURN = 1.0, 8.0  # within these bounds,
_CHANGE, _CHANGE_OF_VARIED = 3.0, 1.0  # and so much for each bar that it changes entirely, in either search
_NEW = 0.25  # the start of new bars
_OFF_FOUR = 0.1  # a boundary or a length off the multiples of four bars; twice that off those of two
_SHORTEST, _LONGEST = 2, 32  # bars of a return,
_MOST_LAGS = 64  # distances in bars at which returns are searched
_LONG, _SHORTEST_OF_LONG = 16, 4  # and the fewest in melodies of so many bars
_LONGEST_SINGLE, _LONGEST_RETURNING = 8, 16  # longer sections are divided, counted back from their end

Array = NDArray[np.float32]


def find_form(melody: Melody) -> Form:
    """Find the form of a melody as it is played.

    Repeats that are written are sections; where there are none, sections are found by the notes that bars have in
    common, at the same place with the same pitch (`VARIED`). Transposed bars do not return. Bars are counted back from
    the end, so that pickups belong to their phrase (`form_bar_starts`).

    Args:
        melody: the melody; to have it read by its notes alone, give `replace(melody, repeats=Repeats())`.

    Returns:
        The form of `melody.unfolded()`. The cadence of each section is that of its last note: `full` on the tonic,
        `half` on another tone of the dominant chord, `open` elsewhere and where no key is found. Phrases end where the
        score marks them, if no phrase is longer than `LONGEST_PHRASE` bars.

    Raises:
        UsageError: it has more than `MOST_BARS` bars.

    Examples:
        >>> a = [(60, 24), (62, 24), (64, 24), (65, 24)] * 3 + [(67, 96)]
        >>> b = [(69, 48), (67, 48)] * 3 + [(64, 96)]
        >>> str(find_form(Melody.from_pitches(a + a + b + a)))
        'A4A4B4A4'
    """
    played = melody.unfolded()
    bars = _bars_of(played)
    spans = _spans(melody, bars)
    similar = _Similarity.of_bars(bars)
    for scale in (1, 2, 4, 8, 16, 32, 64, 128):  # where there are more sections than letters, longer ones are found
        cuts = _found_cuts(similar, spans, scale)
        divided = _divided(cuts, _labels(cuts, spans, similar)[0], scale)
        labels, kinds = _labels(divided, spans, similar)
        if len(labels) <= MOST_SECTIONS and max(labels) < _LETTERS:
            return _form(played, bars, divided, labels, kinds)
    return _form(played, bars, [0, bars.count], [0], ["new"])


def written_form(melody: Melody) -> Form:
    """Return the form that the repeats and endings of a score say, whatever its notes.

    Args:
        melody: the melody, with `repeats`.

    Returns:
        The form of `melody.unfolded()`: a passage that is played again is a section and returns literally, or varied
        where another ending follows; all that is played once between them is a section each.

    Raises:
        UsageError: it has more than `MOST_BARS` bars, or more sections than a form.

    Examples:
        >>> from cantilena.music import Repeats, Section
        >>> repeats = Repeats((Section(0, 192), Section(192, 384)), (0, 0, 1))
        >>> str(written_form(Melody.from_pitches([(60, 96)] * 4, repeats=repeats)))
        'A2A2B2'
    """
    played = melody.unfolded()
    bars = _bars_of(played)
    spans = _spans(melody, bars)
    cuts = [0, *(span.end for span in spans)]
    labels, kinds = _labels(cuts, spans)
    if len(spans) > MOST_SECTIONS or max(labels) >= _LETTERS:
        raise UsageError(
            f"the score has {len(spans)} sections, {max(labels) + 1} of them different",
            f"a form has up to {MOST_SECTIONS}, of {_LETTERS} letters",
        )
    return _form(played, bars, cuts, labels, kinds)


def find_returns(melody: Melody) -> list[tuple[int, BarReturn]]:
    """Find the earlier bar that each bar returns to, whatever the sections.

    Args:
        melody: the melody, read by its notes as they are, without repeats; bars are those of `form_bar_starts`.

    Returns:
        For each bar how many bars back the bar lies that it resembles most, 0 if none does, and how: `literal` with
        the same notes, `varied` with `VARIED` of them, `rhythm` with the same places only. Among equals it is the one
        as far back as most others of the melody, then the nearest.

    Raises:
        UsageError: it has more than `MOST_BARS` bars.

    Examples:
        >>> notes = [(60, 48), (62, 48), (64, 96), (60, 48), (62, 48), (67, 96)]
        >>> find_returns(Melody.from_pitches(notes))
        [(0, 'new'), (0, 'new'), (2, 'literal'), (2, 'rhythm')]
    """
    bars = _bars_of(melody)
    share = _shares(bars, bars.offset * 128 + bars.pitch)
    rhythm = _shares(bars, bars.offset)
    rank = np.where(share >= 1, 3.0, np.where(share >= VARIED[0], 1 + share, rhythm >= 1))
    rank = np.tril(rank, -1)
    row, column = np.nonzero(rank >= 1 + VARIED[0])
    usual = np.bincount(row - column, minlength=bars.count) / (bars.count * bars.count + 1)
    kinds: tuple[BarReturn, ...] = ("new", "rhythm", "varied", "literal")
    returns: list[tuple[int, BarReturn]] = [(0, "new")]
    for bar in range(1, bars.count):
        # The nearest bar comes first, and is chosen among equals.
        ranks = rank[bar, bar - 1 :: -1] if bar > 1 else rank[bar, :1]
        best = ranks.max()
        kind = kinds[3 if best >= 3 else 2 if best > 1 else int(best)]
        lag = int(np.argmax(np.where(ranks == best, 1 + usual[1 : bar + 1], 0))) + 1
        returns.append((lag, kind) if kind != "new" else (0, "new"))
    return returns


def form_bar_starts(melody: Melody) -> list[int]:
    """Return the ticks at which the bars of a form begin, the first at 0: counted back from the end of the melody.

    If the last bar is shorter by the pickup, as usual, each bar of a form begins with a pickup. Where the bars cannot
    be so counted, as in a last bar that is filled less than half, they begin at the barlines. A beginning of less than
    half a bar, or the pickup, belongs to bar 1.

    Raises:
        UsageError: it has more than `MOST_BARS` bars.

    Examples:
        >>> tune = Melody.from_pitches([(67, 24)] + [(60, 96)] * 3 + [(60, 72)], pickup=24)
        >>> form_bar_starts(tune)
        [0, 96, 192, 288]
    """
    first, count = _bar_grid(melody)
    size = melody.meter.ticks_per_bar
    return [0, *(first + size * bar for bar in range(1, count))]


def form_origin(melody: Melody) -> int:
    """Return the tick at which bar 1 of a form would begin if it were a whole one; errors as of `form_bar_starts`.

    Examples:
        >>> form_origin(Melody.from_pitches([(67, 24)] + [(60, 96)] * 3, pickup=24))  # the last bar is a whole one
        24
    """
    return _bar_grid(melody)[0]


def _bar_grid(melody: Melody) -> tuple[int, int]:
    """The tick at which bar 1 would begin if it were a whole one, and the number of bars."""
    size = melody.meter.ticks_per_bar
    pickup, end = melody.pickup % size, melody.length % size
    short = (pickup - end) % size  # ticks that the last bar lacks
    phase = end if end == 0 or 2 * short <= size else pickup
    first = phase - size if 2 * phase >= size and phase != pickup else phase
    count = max((2 * (melody.length - first) + size) // (2 * size), 1)
    if count > MOST_BARS:
        raise UsageError(
            f"the melody has {count:,} bars, a form up to {MOST_BARS:,}", "take a part of it: Melody.between"
        )
    return first, count


@dataclass(frozen=True, slots=True)
class _Bars:
    """The notes of a melody by bars: arrays `(notes,)` of bar from 0, ticks from the start of that bar, and pitch."""

    first: int
    size: int
    count: int
    bar: NDArray[np.int64]
    offset: NDArray[np.int64]
    pitch: NDArray[np.int64]

    def nearest(self, tick: int) -> int:
        """The number of bars up to a tick, rounded."""
        return min(max((2 * (tick - self.first) + self.size) // (2 * self.size), 0), self.count)


def _bars_of(melody: Melody) -> _Bars:
    first, count = _bar_grid(melody)
    size = melody.meter.ticks_per_bar
    notes = [note for note in melody.notes if note.pitches]
    onset = np.array([note.onset for note in notes], dtype=np.int64)
    pitch = np.array([note.pitches[-1] for note in notes], dtype=np.int64)
    bar = np.clip((onset - first) // size, 0, count - 1)
    return _Bars(first, size, count, bar, onset - first - bar * size, pitch)


def _incidence(bars: _Bars, code: NDArray[np.int64]) -> Array:
    """Which bar has which codes, `(bars, codes)`."""
    known, index = np.unique(code, return_inverse=True)
    has = np.zeros((bars.count, len(known)), dtype=np.float32)
    has[bars.bar, index.reshape(-1)] = 1
    return has


def _shares(bars: _Bars, code: NDArray[np.int64]) -> Array:
    """The share of the codes of the fuller bar that both have, `(bars, bars)`; 0 where neither has any."""
    has = _incidence(bars, code)
    count = has.sum(axis=1)
    shares: Array = has @ has.T / np.maximum(np.maximum.outer(count, count), 1)
    return shares


@dataclass(frozen=True, slots=True)
class _Similarity:
    """Notes that bars have in common, added up along the diagonals.

    Args:
        common: `(lags, bars + 1)`: notes that the bars before this one share with those so many bars earlier.
        most: `(lags, bars + 1)`: notes of the fuller of both bars.
    """

    common: Array
    most: Array

    @classmethod
    def of_bars(cls, bars: _Bars) -> _Similarity:
        has = _incidence(bars, bars.offset * 128 + bars.pitch)
        count = has.sum(axis=1)
        common = has @ has.T
        bar, lag = np.arange(bars.count)[None], np.arange(bars.count)[:, None]
        earlier = np.maximum(bar - lag, 0)
        valid = bar >= lag
        sums = np.zeros((2, bars.count, bars.count + 1), dtype=np.float32)
        np.cumsum(common[bar, earlier] * valid, axis=1, out=sums[0, :, 1:])
        np.cumsum(np.maximum(count[bar], count[earlier]) * valid, axis=1, out=sums[1, :, 1:])
        return cls(sums[0], sums[1])

    @property
    def bars(self) -> int:
        return len(self.common)

    def lags(self, length: int) -> NDArray[np.int64]:
        """The lags at which any `length` bars are similar, ascending; longer passages have such a part, mostly.

        Of more than `_MOST_LAGS`, those at which most notes return.
        """
        if length >= self.bars:
            return np.zeros(0, dtype=np.int64)
        most = self.most[:, length:] - self.most[:, :-length]
        share = (self.common[:, length:] - self.common[:, :-length]) / np.maximum(most, 1)
        valid = np.arange(self.bars + 1 - length) >= np.arange(self.bars)[:, None]
        similar = ((share >= VARIED[0]) & valid).any(axis=1)
        similar[:length] = False
        found = np.flatnonzero(similar)
        if len(found) > _MOST_LAGS:
            found = np.sort(found[np.argsort(-self.common[found, -1], kind="stable")[:_MOST_LAGS]])
        return found

    def share(self, start: int, end: int, lag: int) -> float:
        """The share of notes that bars start..end - 1 have in common with those `lag` bars before."""
        most = float(self.most[lag, end] - self.most[lag, start])
        return float(self.common[lag, end] - self.common[lag, start]) / max(most, 1.0)


@dataclass(frozen=True, slots=True)
class _Span:
    """Bars from 0 between marks of repeat, as they are played.

    Args:
        start: the first bar.
        end: the bar after the last one.
        written: the sections of the score in them, if the first of these is played more than once.
    """

    start: int
    end: int
    written: tuple[int, ...] = ()


def _spans(melody: Melody, bars: _Bars) -> list[_Span]:
    """What is played between the marks of repeat of a score; the whole melody if there are none."""
    sections, order = melody.repeats.sections, melody.repeats.order
    if not order or order == tuple(range(len(sections))):
        return [_Span(0, bars.count)]
    followed, preceded = (
        Counter(before for before, _ in set(pairwise((*order, None)))),
        Counter(after for _, after in set(pairwise((None, *order)))),
    )
    starts, written, tick = [0], [[order[0]]], sections[order[0]].end - sections[order[0]].start
    for before, after in pairwise(order):
        always = followed[before] == preceded[after] == 1 and not sections[before].endings
        if not (always or sections[after].endings):
            starts.append(tick)
            written.append([after])
        else:
            written[-1].append(after)
        tick += sections[after].end - sections[after].start
    cuts = [0, *(bars.nearest(start) for start in starts[1:]), bars.count]
    times = Counter(names[0] for names in written)
    return [
        _Span(start, end, tuple(names) if times[names[0]] > 1 else ())
        for names, (start, end) in zip(written, pairwise(cuts), strict=True)
        if end > start
    ]


def _found_cuts(similar: _Similarity, spans: Sequence[_Span], scale: int) -> list[int]:
    """The bars at which sections begin or end, ascending.

    Literal returns come first; what is still new then may return varied. So a variation does not cut a section that
    returns literally.
    """
    shortest = (_SHORTEST if similar.bars < _LONG else _SHORTEST_OF_LONG) * scale
    cuts = _best_cuts(similar, spans, shortest, _CHANGE)
    labels, _ = _labels(cuts, spans, similar)
    times = Counter(labels)
    if max(times.values()) == 1:
        fixed = spans
    else:
        fixed = [
            _Span(start, end, (label,) if times[label] > 1 else ())
            for label, (start, end) in zip(labels, pairwise(cuts), strict=True)
        ]
    return sorted({*cuts, *_best_cuts(similar, fixed, shortest, _CHANGE_OF_VARIED)})


def _best_cuts(similar: _Similarity, spans: Sequence[_Span], shortest: int, change: float) -> list[int]:
    """The cuts at the least cost and the ends of spans, ascending; spans that are played again stay whole."""
    edges = {bar for span in spans for bar in (span.start, span.end)}
    if all(span.written or span.end - span.start < shortest for span in spans):
        return sorted(edges)
    segments = _segments(similar, spans, shortest, change)
    while True:
        cuts = _closed_cuts(segments, edges)
        narrow = any(end - start < shortest and not {start, end} <= edges for start, end in pairwise(cuts))
        returning = [(end - start, start, end) for start, end, lag in segments if lag]
        if not narrow or not returning:
            return cuts
        _, start, _ = min(returning)  # cuts that are too close to each other come from the shortest return
        segments = _without(segments, start, edges)


Segment = tuple[int, int, int]
"""Start, end and lag of bars that are new (lag 0) or return."""


def _without(segments: Sequence[Segment], start: int, edges: set[int]) -> list[Segment]:
    """The segments with new bars instead of the return from a bar on, joined with new ones beside it."""
    joined: list[Segment] = []
    for first, end, lag in segments:
        lag = 0 if first == start else lag
        if joined and not lag and not joined[-1][2] and first not in edges:
            joined[-1] = (joined[-1][0], end, 0)
        else:
            joined.append((first, end, lag))
    return joined


def _segments(similar: _Similarity, spans: Sequence[_Span], shortest: int, change: float) -> list[Segment]:
    """New bars and returns, one after the other, that explain the melody at the least cost."""
    count = similar.bars
    returns = _possible_returns(similar, spans, shortest, change)
    edges = {span.start for span in spans}
    infinite = float("inf")
    new, new_from = [infinite] * (count + 1), [0] * (count + 1)
    back, back_from = [infinite] * (count + 1), [(0, 0)] * (count + 1)
    back[0] = 0.0
    for bar in range(1, count + 1):
        going_on = new[bar - 1] if bar - 1 not in edges else infinite
        starting = min(back[bar - 1], new[bar - 1]) + _NEW
        new[bar] = min(going_on, starting) + 1
        new_from[bar] = new_from[bar - 1] if going_on <= starting else bar - 1
        for start, cost, lag in returns[bar]:
            total = min(new[start], back[start]) + cost
            if total < back[bar]:
                back[bar], back_from[bar] = total, (start, lag)
    segments: list[Segment] = []
    end = count
    while end:
        start, lag = (new_from[end], 0) if new[end] <= back[end] else back_from[end]
        segments.append((start, end, lag))
        end = start
    return segments[::-1]


def _possible_returns(
    similar: _Similarity, spans: Sequence[_Span], shortest: int, change: float
) -> list[list[tuple[int, float, int]]]:
    """For each bar, the returns that end before it: start, cost and lag."""
    count = similar.bars
    base = min(max(count * _RETURN_SHARE, _LEAST_RETURN), _MOST_RETURN)
    ends = np.zeros(count + 1, dtype=np.int64)  # the end of the span of a bar, if a return may begin there
    inside = np.zeros(count + 1, dtype=bool)  # where a section that is played again may not be cut
    for span in spans:
        inside[span.start + 1 : span.end] = bool(span.written)
        ends[span.start : span.end] = 0 if span.written else span.end
    returns: list[list[tuple[int, float, int]]] = [[] for _ in range(count + 1)]
    lags = similar.lags(shortest)
    lengths = np.arange(shortest, min(count // 2, _LONGEST) + 1)
    if not len(lags) or not len(lengths):
        return returns
    # All (lengths, lags, starts) at once; what returns lies before.
    length, lag, start = lengths[:, None, None], lags[:, None], np.arange(count)
    end, source = np.minimum(start + length, count), np.maximum(start - lag, 0)
    most = similar.most[lag, end] - similar.most[lag, start]
    share = (similar.common[lag, end] - similar.common[lag, start]) / np.maximum(most, 1)
    share *= (start >= lag) & (lag >= length) & (start + length <= ends[start])
    share *= ~(inside[source] | inside[np.minimum(source + length, count)])
    chosen = share.argmax(axis=1)
    best = np.take_along_axis(share, chosen[:, None], axis=1)[:, 0]
    off = [_off_four(bars) for bars in range(count + 1)]
    for row, first in np.argwhere(best >= VARIED[0]).tolist():
        size = shortest + row
        cost = base + change * (1 - float(best[row, first])) * size
        cost += _OFF_FOUR * (off[size] + off[count - first - size])
        returns[first + size].append((first, cost, int(lags[chosen[row, first]])))
    return returns


def _off_four(bars: int) -> int:
    return 2 if bars % 2 else 1 if bars % 4 else 0


def _closed_cuts(segments: Iterable[Segment], edges: set[int]) -> list[int]:
    """The cuts of segments and other edges, with those that a return and what it returns to cut in each other."""
    known = list(segments)
    cuts = edges.union(*((start, end) for start, end, _ in known))
    while True:
        more = set(cuts)
        for start, end, lag in known:
            if lag:
                more |= {cut - lag for cut in cuts if start <= cut <= end}
                more |= {cut + lag for cut in cuts if start - lag <= cut <= end - lag}
        if more == cuts:
            return sorted(cuts)
        cuts = more


def _labels(
    cuts: Sequence[int], spans: Sequence[_Span], similar: _Similarity | None = None
) -> tuple[list[int], list[Return]]:
    """The number of each section between cuts, and how it returns to the first of that number.

    A section that is written to be played again returns, whatever its notes; others do if those are similar enough.
    """
    firsts: list[tuple[int, int]] = []  # start and length of the first section of each number
    labels: list[int] = []
    kinds: list[Return] = []
    written: dict[tuple[int, int, int], tuple[int, tuple[int, ...]]] = {}
    for start, end in pairwise(cuts):
        span = next(one for one in spans if start < one.end)
        name = (span.written[0], start - span.start, end - start) if span.written else None
        if name in written:
            place, before = written[name]
            labels.append(labels[place])
            ending = span.end == end and before != span.written  # another ending follows
            kinds.append("varied" if ending or kinds[place] == "varied" else "literal")
            continue
        if name is not None:
            written[name] = len(labels), span.written
        shares = [
            similar.share(start, end, start - first) if similar and length == end - start else 0.0
            for first, length in firsts
        ]
        best = max(shares, default=0.0)
        if best >= VARIED[0]:
            labels.append(shares.index(best))
            kinds.append("literal" if best > VARIED[1] else "varied")
        else:
            labels.append(len(firsts))
            kinds.append("new")
            firsts.append((start, end - start))
    return labels, kinds


def _divided(cuts: Sequence[int], labels: Sequence[int], scale: int) -> list[int]:
    """The cuts with those of long sections, every eight bars counted back from the end of a section."""
    times = Counter(labels)
    size = _LONGEST_SINGLE * scale
    divided = {0}
    for label, (start, end) in zip(labels, pairwise(cuts), strict=True):
        longest = _LONGEST_SINGLE if times[label] == 1 else _LONGEST_RETURNING
        divided.add(end)
        if end - start > longest * scale:
            # The first part has half of the size or more.
            divided |= set(range(end - size, start + size // 2 - 1, -size))
    return sorted(divided)


def _form(melody: Melody, bars: _Bars, cuts: Sequence[int], labels: Sequence[int], kinds: Sequence[Return]) -> Form:
    key = melody.key or find_key(melody)
    sounding = melody.sounding
    onsets = [note.onset for note in sounding]
    sections = []
    for label, kind, (start, end) in zip(labels, kinds, pairwise(cuts), strict=True):
        last = bisect_left(onsets, bars.first + end * bars.size) if end < bars.count else len(onsets)
        from_tick = bars.first + start * bars.size if start else 0
        ends_on = sounding[last - 1].top if last and onsets[last - 1] >= from_tick else None
        sections.append(FormSection(chr(ord("A") + label), start + 1, end, kind, _cadence(ends_on, key)))
    return Form(tuple(sections), _marked_phrases(melody, bars, sections))


def _cadence(pitch: int | None, key: Key | None) -> Cadence:
    return "open" if pitch is None or key is None else cadence_of(pitch, key)


def cadence_of(pitch: int, key: Key) -> Cadence:
    """The cadence of a section that ends on a pitch.

    Examples:
        >>> [cadence_of(pitch, Key.parse("C major")) for pitch in (72, 67, 69)]
        ['full', 'half', 'open']
    """
    degree = (pitch - key.tonic) % 12
    if degree == 0:
        return "full"
    return "half" if degree in dominant_tones(key) else "open"


def dominant_tones(key: Key) -> set[int]:
    """The tones of the dominant chord, as semitones above the tonic, with the leading tone and the mode's own seventh.

    Examples:
        >>> sorted(dominant_tones(Key.parse("A minor")))
        [2, 7, 10, 11]
    """
    own = {(pitch_class - key.tonic) % 12 for pitch_class in key.pitch_classes}
    return ({7, 11} | own & {10}) | ({2} if 2 in own else {1})


def _marked_phrases(melody: Melody, bars: _Bars, sections: Sequence[FormSection]) -> tuple[int, ...]:
    """The last bars of phrases by the marks of a score; none if it marks some of them only."""
    if not melody.phrase_ends:
        return ()
    ends = {min(-((bars.first - tick) // bars.size), bars.count) for tick in melody.phrase_ends}
    marked = sorted({end for end in ends if end > 0} | {section.last for section in sections})
    longest = max(end - start for start, end in pairwise((0, *marked)))
    if longest > LONGEST_PHRASE or len(ends) * LONGEST_PHRASE < bars.count:
        return ()
    return tuple(marked)
