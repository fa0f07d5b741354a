"""What a melody is like in some hundred numbers: what the faster listeners hear.

None of them changes when a melody is transposed; each is a number of the melody alone, and 0 where it cannot be told.

The phrases that melodies say, as counts: n-grams of (interval, wait) pairs that are the same in any key.

A pair is the steps from a note to the next and the interval between them, as in `evaluation.ngrams`; here its number is
the same in every set of melodies, so that what was learned from one is found in another.

The key that each melody itself is in, found by its notes: pitches are heard above its tonic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import KEY_PROFILES, Line
from cantilena.rules import (
    Context,
    Notes,
    ambitus,
    breathing,
    downbeat_share,
    leap_recoveries,
    lengths,
    rhythm_entropy,
    silent_share,
    similarity_after,
    stepwise_share,
    syncopated_share,
    tones,
)

_WIDEST = 24
_LONGEST = 63
_PAIRS = (2 * _WIDEST + 1) * (_LONGEST + 1)
"""Different pairs: intervals to two octaves, waits to 63 steps, those beyond counting as the last. Four fit 47 bits."""


def said(notes: Notes, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every n pairs in a row as one number, and the melody that says them: both `(n-grams,)`.

    Args:
        notes: of the melodies.
        n: 1 to 5.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> number, melody = said(Notes.from_line(GridEncoding().line(np.array([[14, 16, 18, 20]]))), 2)
        >>> melody.tolist(), len(set(number.tolist()))
        ([0, 0], 1)
    """
    within = ~notes.is_first[1:]
    interval = np.clip(notes.interval[1:], -_WIDEST, _WIDEST) + _WIDEST
    pair = (interval * (_LONGEST + 1) + np.minimum(notes.gap[:-1], _LONGEST))[within]
    melody = notes.melody[1:][within]
    number = pair
    for ahead in range(1, n):
        number = number[:-1] * _PAIRS + pair[ahead:]
    inside = melody[: len(number)] == melody[n - 1 :]
    return number[inside], melody[: len(number)][inside]


@dataclass(frozen=True)
class Vocabulary:
    """N-grams that are counted.

    Args:
        numbers: by n, `(n-grams,)`, ascending.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes = Notes.from_line(GridEncoding().line(np.array([[14, 16, 18, 20], [14, 16, 14, 16]])))
        >>> Vocabulary.of(notes, {1: 2}).counts(notes).tolist()
        [[0.0, 3.0], [1.0, 2.0]]
    """

    numbers: dict[int, NDArray[np.int64]]

    @classmethod
    def of(cls, notes: Notes, size: dict[int, int]) -> Vocabulary:
        """The n-grams that most melodies say.

        Args:
            notes: of the melodies.
            size: by n, how many at most.
        """
        numbers = {}
        for n, most in size.items():
            number, melody = said(notes, n)
            kinds, kind = np.unique(number, return_inverse=True)
            each = np.unique(melody * max(len(kinds), 1) + kind) % max(len(kinds), 1)
            melodies = np.bincount(each, minlength=len(kinds))
            by_use = np.lexsort((kinds, -melodies))[:most]
            numbers[n] = np.sort(kinds[by_use])
        return cls(numbers)

    def counts(self, notes: Notes) -> NDArray[np.float32]:
        """How often each melody says each, `(melodies, n-grams)`."""
        columns = [self._counts(notes, n, known) for n, known in self.numbers.items()]
        return np.concatenate([np.zeros((notes.shape[0], 0), np.float32), *columns], axis=1)

    @staticmethod
    def _counts(notes: Notes, n: int, known: NDArray[np.int64]) -> NDArray[np.float32]:
        number, melody = said(notes, n)
        size = len(known)
        if not size:
            return np.zeros((notes.shape[0], 0), np.float32)
        place = np.minimum(np.searchsorted(known, number), size - 1)
        found = known[place] == number
        counts = np.bincount(melody[found] * size + place[found], minlength=notes.shape[0] * size)
        return counts.reshape(notes.shape[0], size).astype(np.float32)


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys of many melodies.

    Args:
        tonic: `(melodies,)`: pitch classes; 0 of silence.
        minor: `(melodies,)`: whether the mode is minor.
        fit: `(melodies,)`: Pearson's correlation with the key's profile; 0 of silence, and where all sounds equally.
        shares: `(melodies, 12)`: of the sounding time, by semitones above the tonic; 0 of silence.
    """

    tonic: NDArray[np.int64]
    minor: NDArray[np.bool_]
    fit: NDArray[np.float64]
    shares: NDArray[np.float64]


def own_keys(notes: Notes, profile: str = "krumhansl-kessler") -> OwnKeys:
    """Find the key of each melody, as `music.find_key` finds that of one (Krumhansl 1990, chapter 4).

    Args:
        notes: of the melodies; their top pitches are heard.
        profile: a name in `music.KEY_PROFILES`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> found = own_keys(Notes.from_line(GridEncoding().line(np.array([[16, 19, 23, 1, 27, 16, 1, 1]]))))  # D F A C# D
        >>> found.tonic.tolist(), found.minor.tolist()
        ([2], [True])
    """
    melodies = notes.shape[0]
    cell = notes.melody * 12 + notes.pitch % 12
    sounding = np.bincount(cell, weights=notes.sounding, minlength=12 * melodies).reshape(melodies, 12)
    centred = sounding - sounding.mean(axis=1, keepdims=True)
    keys = np.array([np.roll(mode, tonic) for mode in KEY_PROFILES[profile] for tonic in range(12)])
    keys -= keys.mean(axis=1, keepdims=True)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    spread = np.linalg.norm(centred, axis=1)
    told = spread > 1e-9
    fits = centred @ keys.T
    best = np.where(told, fits.argmax(axis=1), 0) if melodies else np.zeros(0, dtype=np.int64)
    fit = np.zeros(melodies)
    np.divide(fits[np.arange(melodies), best], spread, out=fit, where=told)
    tonic = (best % 12).astype(np.int64)
    total = np.maximum(sounding.sum(axis=1, keepdims=True), 1)
    above = (np.arange(12) + tonic[:, None]) % 12
    return OwnKeys(tonic, best >= 12, fit, np.take_along_axis(sounding / total, above, axis=1))


_OCTAVE = 12
_WAITS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17])
"""Where classes of steps from one note to the next begin: 1 .. 8, 9-11, 12, 13-15, 16, more."""
_AFTER = (1, 2, 4, 8)
"""Bars after which something may come back."""
_LEAP = 5
_SIZES = np.array([classes.bit_count() for classes in range(2**12)])


def musical_features(line: Line, steps_per_bar: int = 16) -> dict[str, NDArray[np.float64]]:
    """Numbers of each melody by what they tell, each `(melodies, numbers)`.

    - `size`: notes a step, different pitches, range, how high the mean lies in the range, notes that are chords.
    - `intervals`, `waits`, `degrees`, `places`: shares of the intervals from an octave down to an octave up, of the
      steps from note to note, of the sounding time by degree of the own key, of the notes by place in the bar.
    - `motion`: repeated notes, turns, steps, leaps and how they recover, mean and spread of intervals.
    - `surprise`: entropy of intervals, of waits and of both together, bits a note; how well the own key fits; its mode.
    - `variety`: different pairs, triples and fours of (interval, wait) over all.
    - `returns`: likeness to what sounded 1, 2, 4 and 8 bars before, by direction (`theory`) and note for note.
    - `meter`: notes on downbeats, syncopations, breath at the end of phrases, silence, notes cut short by a rest.
    - `drift`: the second half less the first in notes a step and in mean pitch.

    Args:
        line: the melodies.
        steps_per_bar: where bars begin.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> found = musical_features(GridEncoding().line(np.array([[14, 16, 18, 1]])), steps_per_bar=4)
        >>> found["size"][0].round(2).tolist(), found["places"][0].round(2).tolist()
        ([0.75, 3.0, 4.0, 0.5, 0.0], [0.33, 0.33, 0.33, 0.0])
    """
    notes, context = Notes.from_line(line), Context(steps_per_bar=steps_per_bar)
    keys = own_keys(notes)
    found = {
        "size": _sizes(line, notes, context),
        "intervals": _shares(notes, np.clip(notes.interval, -_OCTAVE, _OCTAVE) + _OCTAVE, 25, ~notes.is_first),
        "waits": _shares(notes, np.searchsorted(_WAITS, notes.gap, side="right") - 1, len(_WAITS), ~notes.is_last),
        "degrees": keys.shares,
        "places": _shares(notes, notes.step % steps_per_bar, steps_per_bar, np.ones(len(notes), np.bool_)),
        "motion": _motion(line, notes, context),
        "surprise": np.stack([*_entropies(line, notes, context), keys.fit, keys.minor.astype(np.float64)], axis=1),
        "variety": _variety(notes),
        "returns": _returns(line, context),
        "meter": _meter(line, notes, context),
        "drift": _drift(line, notes),
    }
    return {name: np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) for name, values in found.items()}


def trivial_features(line: Line) -> NDArray[np.float64]:
    """Length, range and number of notes of each melody, `(melodies, 3)`: what must not be enough to tell.

    Length is counted from where the first note begins to where the last one stops.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> trivial_features(GridEncoding().line(np.array([[1, 14, 21, 0], [1, 1, 1, 1]]))).tolist()
        [[2.0, 7.0, 2.0], [0.0, 0.0, 0.0]]
    """
    notes = Notes.from_line(line)
    first, last = np.full(line.melodies, line.steps), np.zeros(line.melodies, dtype=np.int64)
    np.minimum.at(first, notes.melody, notes.step)
    np.maximum.at(last, notes.melody, notes.step + notes.sounding)
    span = np.nan_to_num(ambitus(line, Context()))
    return np.stack([np.maximum(last - first, 0), span, notes.counts()], axis=1).astype(np.float64)


def chord_sizes(line: Line, notes: Notes) -> NDArray[np.int64]:
    """`(notes,)`: how many different pitch classes begin with each note of a line, itself included."""
    sizes: NDArray[np.int64] = _SIZES[line.pitch_classes[notes.melody, notes.step] & 0xFFF]
    return sizes


def _sizes(line: Line, notes: Notes, context: Context) -> NDArray[np.float64]:
    count, span = notes.counts(), np.nan_to_num(ambitus(line, context))
    different = np.bincount(np.unique(notes.melody * 128 + notes.pitch) // 128, minlength=line.melodies)
    lowest = np.full(line.melodies, 127)
    np.minimum.at(lowest, notes.melody, notes.pitch)
    height = _over(notes.sums(notes.pitch) - count * lowest, count * span)
    chords = _over(notes.sums(chord_sizes(line, notes) > 1), count)
    return np.stack([_over(count, lengths(line)), different, span, height, chords], axis=1)


def _motion(line: Line, notes: Notes, context: Context) -> NDArray[np.float64]:
    moves = np.maximum(notes.counts() - 1, 0)
    size = np.abs(notes.interval).astype(np.float64)
    without_repeats = notes.without_repeats()
    turned = ~without_repeats.is_first & (without_repeats.interval * np.roll(without_repeats.interval, 1) < 0)
    outcome = leap_recoveries(line)
    leapt = (outcome > 0).sum(axis=1)
    mean = _over(notes.sums(size), moves)
    spread = np.sqrt(np.maximum(_over(notes.sums(size**2), moves) - mean**2, 0.0))
    return np.stack(
        [
            _over(notes.sums(~notes.is_first & (notes.interval == 0)), moves),
            _over(without_repeats.sums(turned), without_repeats.counts()),
            stepwise_share(line, context),
            _over(notes.sums(size >= _LEAP), moves),
            *(_over((outcome == which).sum(axis=1), leapt) for which in (1, 2, 3, 4)),
            mean,
            spread,
            _over(_same_in_a_row(notes), notes.counts()),
        ],
        axis=1,
    )


def _same_in_a_row(notes: Notes) -> NDArray[np.int64]:
    """The longest run of one pitch in each melody, `(melodies,)`."""
    places = np.arange(len(notes))
    begins = np.maximum.accumulate(np.where(notes.is_first | (notes.interval != 0), places, 0))
    longest = np.zeros(notes.shape[0], dtype=np.int64)
    np.maximum.at(longest, notes.melody, places - begins + 1)
    return longest


def _entropies(line: Line, notes: Notes, context: Context) -> list[NDArray[np.float64]]:
    inner = notes.select(~notes.is_first)
    interval = (np.clip(notes.interval, -_OCTAVE, _OCTAVE) + _OCTAVE)[~notes.is_first]
    wait = np.roll(notes.gap, 1)[~notes.is_first]  # since the note before
    together = interval * (line.steps + 1) + wait
    return [_entropy(inner, interval), rhythm_entropy(line, context), _entropy(inner, together)]


def _entropy(notes: Notes, kind: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bits a note of what kinds of notes a melody has, `(melodies,)`; 0 without notes."""
    kinds = int(kind.max(initial=0)) + 1
    cells, counts = np.unique(notes.melody * kinds + kind, return_counts=True)
    melody = cells // kinds
    share = counts / notes.counts()[melody] if len(cells) else np.zeros(0)
    bits = np.bincount(melody, weights=-share * np.log2(share), minlength=notes.shape[0])
    return bits.astype(np.float64)


def _variety(notes: Notes) -> NDArray[np.float64]:
    shares = []
    for n in (1, 2, 4):
        number, melody = said(notes, n)
        kinds, kind = np.unique(number, return_inverse=True)
        pairs = np.unique(melody * max(len(kinds), 1) + kind)
        different = np.bincount(pairs // max(len(kinds), 1), minlength=notes.shape[0])
        shares.append(_over(different, np.bincount(melody, minlength=notes.shape[0])))
    return np.stack(shares, axis=1)


def _returns(line: Line, context: Context) -> NDArray[np.float64]:
    columns = [similarity_after(line, context, bars=bars) for bars in _AFTER]
    exact = []
    for bars in _AFTER:
        lag = bars * context.steps_per_bar
        begins = tones(line)
        if lag >= line.steps:
            exact.append(np.zeros(line.melodies))
            continue
        now, then = begins[:, lag:], begins[:, :-lag]
        same = now & then & (line.pitch[:, lag:] == line.pitch[:, :-lag])
        exact.append(_over(same.sum(axis=1), (now | then).sum(axis=1)))
    return np.stack([*columns, *exact, np.max(exact, axis=0)], axis=1)


def _meter(line: Line, notes: Notes, context: Context) -> NDArray[np.float64]:
    cut_short = ~notes.is_last & (notes.sounding < notes.gap)
    return np.stack(
        [
            downbeat_share(line, context),
            syncopated_share(line, context),
            breathing(line, context),
            silent_share(line, context),
            _over(notes.sums(cut_short), notes.counts()),
        ],
        axis=1,
    )


def _drift(line: Line, notes: Notes) -> NDArray[np.float64]:
    late = notes.step >= lengths(line)[notes.melody] // 2
    more = _over(notes.sums(np.where(late, 1, -1)), lengths(line))
    after, before = (_over(notes.sums(notes.pitch * part), notes.sums(part)) for part in (late, ~late))
    return np.stack([more, np.where((after > 0) & (before > 0), after - before, 0.0)], axis=1)


def _shares(notes: Notes, kind: NDArray[np.int64], kinds: int, which: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much of some of the notes is of each kind, `(melodies, kinds)`."""
    counts = np.bincount(notes.melody[which] * kinds + kind[which], minlength=notes.shape[0] * kinds)
    counts = counts.reshape(notes.shape[0], kinds)
    return _over(counts, np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape))


def _over(counted: NDArray[np.generic], out_of: NDArray[np.generic]) -> NDArray[np.float64]:
    """One number over another, 0 over nothing."""
    shares = np.zeros(np.shape(counted))
    np.divide(counted, out_of, out=shares, where=np.asarray(out_of) > 0, casting="unsafe")
    return shares
