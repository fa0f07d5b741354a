"""Musical features of melodies, n-gram counts and keys, all invariant under transposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.form import bar_returns, ends_on_strong_tonic, phrase_end_lengthening, scalar_run_share
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
    strong_places,
    syncopated_share,
    tones,
)

_MAX_INTERVAL, _MAX_GAP = 24, 63
_PAIRS = (2 * _MAX_INTERVAL + 1) * (_MAX_GAP + 1)
"""Number of pairs of an interval of up to two octaves and a gap of up to 63 steps, both clipped. Four fit 47 bits."""

_OCTAVE = 12
_GAP_BINS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17])
"""Lower edges of the bins of gaps between notes: 1 .. 8, 9-11, 12, 13-15, 16, more."""
_RETURN_BARS = (1, 2, 4, 8)
_LEAP = 5
_CHORD_SIZES = np.array([classes.bit_count() for classes in range(2**12)])


GROUPS = {
    "ends": ("ends",),
    "form": ("returns", "phrases", "variety", "drift"),
    "rhythm": ("density", "waits", "places", "meter"),
    "pitch": ("intervals", "motion", "runs"),
    "key": ("degrees", "mode"),
    "register": ("range",),
}
"""What the sets of `musical_features` describe: each belongs to one group."""


def musical_features(line: Line, steps_per_bar: int = 16) -> dict[str, NDArray[np.float64]]:
    """Features of each melody in sets, each `(melodies, features)`; 0 where a feature is undefined.

    - `ends`, of the last note: whether it is the tonic, on a strong beat and long (`metrics.form`), the tonic, the
      third or the fifth, on a strong beat, and approached by step; its time to the end in mean gaps.
    - `returns`: similarity to 1, 2, 4 and 8 bars before, by direction (`rules`) and note for note.
    - `phrases`: lengthening of the last notes of phrases, bars that return, exactly and transposed (`metrics.form`).
    - `variety`: share of different pairs, triples and fours of (interval, gap), entropy of the pairs in bits a note.
    - `drift`: second half minus first half, in notes a step and in mean pitch.
    - `density`: notes a step; entropy of gaps in bits a note.
    - `waits`, `places`: distributions of the gaps between notes, and of the notes over positions in the bar.
    - `meter`: notes on downbeats, syncopations, rests at the end of phrases, silence, notes cut short by a rest.
    - `intervals`: distribution of the intervals within an octave.
    - `motion`: repeated notes, turns, steps, leaps and their recovery, mean, standard deviation and entropy of
      intervals.
    - `runs`: share of pairs of intervals that go on by step in one direction.
    - `degrees`: distribution of the sounding time over the degrees of the melody's key.
    - `mode`: fit of the key; its mode.
    - `range`: different pitches, range, relative height of the mean pitch, share of chords.

    Args:
        line: the melodies.
        steps_per_bar: steps in a bar.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> features = musical_features(GridEncoding().line(np.array([[14, 16, 18, 1]])), steps_per_bar=4)
        >>> features["range"][0].round(2).tolist(), features["places"][0].round(2).tolist()
        ([3.0, 4.0, 0.5, 0.0], [0.33, 0.33, 0.33, 0.0])
    """
    notes, context = Notes.from_line(line), Context(steps_per_bar=steps_per_bar)
    keys = find_keys(notes)
    interval_entropy, gap_entropy, pair_entropy = _entropies(line, notes, context)
    waits = np.searchsorted(_GAP_BINS, notes.gap, side="right") - 1
    sets = {
        "ends": _ends(line, notes, keys, context),
        "returns": _returns(line, context),
        "phrases": np.stack(
            [
                phrase_end_lengthening(line, context),
                *(bar_returns(line, context, transposed=transposed) for transposed in (False, True)),
            ],
            axis=1,
        ),
        "variety": np.column_stack([_variety(notes), pair_entropy]),
        "drift": _drift(line, notes),
        "density": np.stack([_ratio(notes.counts(), lengths(line)), gap_entropy], axis=1),
        "waits": _distribution(notes, waits, len(_GAP_BINS), ~notes.is_last),
        "places": _distribution(notes, notes.step % steps_per_bar, steps_per_bar, np.ones(len(notes), np.bool_)),
        "meter": _meter(line, notes, context),
        "intervals": _distribution(notes, np.clip(notes.interval, -_OCTAVE, _OCTAVE) + _OCTAVE, 25, ~notes.is_first),
        "motion": np.column_stack([_motion(line, notes, context), interval_entropy]),
        "runs": scalar_run_share(line)[:, None],
        "degrees": keys.degrees,
        "mode": np.stack([keys.fit, keys.minor.astype(np.float64)], axis=1),
        "range": _range(line, notes, context),
    }
    return {name: np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) for name, values in sets.items()}


def grouped_features(line: Line, steps_per_bar: int = 16) -> dict[str, NDArray[np.float64]]:
    """`musical_features` by `GROUPS`, each `(melodies, features)`.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> groups = grouped_features(GridEncoding().line(np.array([[14, 16, 18, 1]])))
        >>> {name: values.shape[1] for name, values in groups.items()}
        {'ends': 6, 'form': 18, 'rhythm': 36, 'pitch': 38, 'key': 14, 'register': 4}
    """
    sets = musical_features(line, steps_per_bar)
    return {group: np.concatenate([sets[name] for name in names], axis=1) for group, names in GROUPS.items()}


def trivial_features(line: Line) -> NDArray[np.float64]:
    """Length, range and number of notes of each melody, `(melodies, 3)`, which should not suffice to tell sets apart.

    The length is that from the first onset to the end of the last note.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> trivial_features(GridEncoding().line(np.array([[1, 14, 21, 0], [1, 1, 1, 1]]))).tolist()
        [[2.0, 7.0, 2.0], [0.0, 0.0, 0.0]]
    """
    notes = Notes.from_line(line)
    start, end = np.full(line.melodies, line.steps), np.zeros(line.melodies, dtype=np.int64)
    np.minimum.at(start, notes.melody, notes.step)
    np.maximum.at(end, notes.melody, notes.step + notes.sounding)
    span = np.nan_to_num(ambitus(line, Context()))
    return np.stack([np.maximum(end - start, 0), span, notes.counts()], axis=1).astype(np.float64)


def chord_sizes(line: Line, notes: Notes) -> NDArray[np.int64]:
    """`(notes,)`: number of different pitch classes that begin with each note, including its own."""
    sizes: NDArray[np.int64] = _CHORD_SIZES[line.pitch_classes[notes.melody, notes.step] & 0xFFF]
    return sizes


@dataclass(frozen=True)
class Standardizer:
    """Standardisation of features, clipped so that a single outlier has little influence.

    Args:
        mean: `(features,)`.
        scale: `(features,)`: inverse standard deviations, 0 for constant features.
        limit: in standard deviations.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    limit: float

    @classmethod
    def fit(cls, values: NDArray[np.float64], limit: float = 5.0) -> Standardizer:
        """Measure `(examples, features)`."""
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        return cls(mean, np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-9), limit)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise `(examples, features)`."""
        return np.clip((values - self.mean) * self.scale, -self.limit, self.limit)


def ngram_ids(notes: Notes, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The n-grams of (interval, gap) pairs as integers, and the melody of each: both `(n-grams,)`.

    As in `metrics.ngrams`, but with the same integer in every set of melodies. n is at most 5.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> ids, melody = ngram_ids(Notes.from_line(GridEncoding().line(np.array([[14, 16, 18, 20]]))), 2)
        >>> melody.tolist(), len(set(ids.tolist()))
        ([0, 0], 1)
    """
    within = ~notes.is_first[1:]
    interval = np.clip(notes.interval[1:], -_MAX_INTERVAL, _MAX_INTERVAL) + _MAX_INTERVAL
    pair = (interval * (_MAX_GAP + 1) + np.minimum(notes.gap[:-1], _MAX_GAP))[within]
    melody = notes.melody[1:][within]
    ids = pair
    for ahead in range(1, n):
        ids = ids[:-1] * _PAIRS + pair[ahead:]
    inside = melody[: len(ids)] == melody[n - 1 :]
    return ids[inside], melody[: len(ids)][inside]


@dataclass(frozen=True)
class NgramVocabulary:
    """The n-grams that are counted.

    Args:
        ids: by n, `(n-grams,)`, ascending.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes = Notes.from_line(GridEncoding().line(np.array([[14, 16, 18, 20], [14, 16, 14, 16]])))
        >>> NgramVocabulary.fit(notes, {1: 2}).counts(notes).tolist()
        [[0.0, 3.0], [1.0, 2.0]]
    """

    ids: dict[int, NDArray[np.int64]]

    @classmethod
    def fit(cls, notes: Notes, sizes: dict[int, int]) -> NgramVocabulary:
        """The n-grams that occur in most melodies; `sizes` limits their number by n."""
        vocabulary = {}
        for n, size in sizes.items():
            ids, melody = ngram_ids(notes, n)
            kinds, kind = np.unique(ids, return_inverse=True)
            once = np.unique(melody * max(len(kinds), 1) + kind) % max(len(kinds), 1)
            melodies = np.bincount(once, minlength=len(kinds))
            vocabulary[n] = np.sort(kinds[np.lexsort((kinds, -melodies))[:size]])
        return cls(vocabulary)

    def counts(self, notes: Notes) -> NDArray[np.float32]:
        """How often each n-gram occurs in each melody, `(melodies, n-grams)`."""
        melodies = notes.shape[0]
        columns = [np.zeros((melodies, 0), np.float32)]
        for n, known in self.ids.items():
            if size := len(known):
                ids, melody = ngram_ids(notes, n)
                column = np.minimum(np.searchsorted(known, ids), size - 1)
                hit = known[column] == ids
                counts = np.bincount(melody[hit] * size + column[hit], minlength=melodies * size)
                columns.append(counts.reshape(melodies, size).astype(np.float32))
        return np.concatenate(columns, axis=1)


@dataclass(frozen=True, slots=True)
class MelodyKeys:
    """The key of each of many melodies.

    Args:
        tonic: `(melodies,)`: pitch class; 0 for silence.
        minor: `(melodies,)`: whether the mode is minor.
        fit: `(melodies,)`: Pearson correlation with the profile of the key; 0 for silence and for a flat distribution.
        degrees: `(melodies, 12)`: distribution of the sounding time over the semitones above the tonic.
    """

    tonic: NDArray[np.int64]
    minor: NDArray[np.bool_]
    fit: NDArray[np.float64]
    degrees: NDArray[np.float64]


def find_keys(notes: Notes, profile: str = "krumhansl-kessler") -> MelodyKeys:
    """Find the key of each melody from its top pitches, as `music.find_key` does (Krumhansl 1990, chapter 4).

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[16, 19, 23, 1, 27, 16, 1, 1]]))  # D F A C# D
        >>> keys = find_keys(Notes.from_line(line))
        >>> keys.tonic.tolist(), keys.minor.tolist()
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
    defined = spread > 1e-9
    fits = centred @ keys.T
    best = np.where(defined, fits.argmax(axis=1), 0) if melodies else np.zeros(0, dtype=np.int64)
    fit = np.zeros(melodies)
    np.divide(fits[np.arange(melodies), best], spread, out=fit, where=defined)
    tonic = (best % 12).astype(np.int64)
    total = np.maximum(sounding.sum(axis=1, keepdims=True), 1)
    degree = (np.arange(12) + tonic[:, None]) % 12
    return MelodyKeys(tonic, best >= 12, fit, np.take_along_axis(sounding / total, degree, axis=1))


def _ends(line: Line, notes: Notes, keys: MelodyKeys, context: Context) -> NDArray[np.float64]:
    """Features of the last note of each melody, `(melodies, 6)`."""
    last = notes.select(notes.is_last)
    degree = (last.pitch - keys.tonic[last.melody]) % _OCTAVE
    by_step = np.isin(np.abs(notes.interval[notes.is_last]), (1, 2))
    values = np.zeros((line.melodies, 6))
    in_c = Line.from_events(
        line.event, np.where(line.pitch >= 0, line.pitch + _OCTAVE - keys.tonic[:, None], -1), length=line.length
    )
    values[:, 0] = ends_on_strong_tonic(in_c, context)
    values[last.melody, 1:] = np.stack(
        [
            degree == 0,
            np.isin(degree, (3, 4, 7)),
            strong_places(context)[last.step % context.steps_per_bar],
            by_step,
            _ratio(last.gap * notes.counts()[last.melody], notes.sums(notes.gap)[last.melody]),
        ],
        axis=1,
    )
    return values


def _range(line: Line, notes: Notes, context: Context) -> NDArray[np.float64]:
    count, span = notes.counts(), np.nan_to_num(ambitus(line, context))
    different = np.bincount(np.unique(notes.melody * 128 + notes.pitch) // 128, minlength=line.melodies)
    lowest = np.full(line.melodies, 127)
    np.minimum.at(lowest, notes.melody, notes.pitch)
    height = _ratio(notes.sums(notes.pitch) - count * lowest, count * span)
    chords = _ratio(notes.sums(chord_sizes(line, notes) > 1), count)
    return np.stack([different, span, height, chords], axis=1)


def _motion(line: Line, notes: Notes, context: Context) -> NDArray[np.float64]:
    moves = np.maximum(notes.counts() - 1, 0)
    size = np.abs(notes.interval).astype(np.float64)
    without_repeats = notes.without_repeats()
    turned = ~without_repeats.is_first & (without_repeats.interval * np.roll(without_repeats.interval, 1) < 0)
    outcome = leap_recoveries(line)
    leaps = (outcome > 0).sum(axis=1)
    mean = _ratio(notes.sums(size), moves)
    deviation = np.sqrt(np.maximum(_ratio(notes.sums(size**2), moves) - mean**2, 0.0))
    return np.stack(
        [
            _ratio(notes.sums(~notes.is_first & (notes.interval == 0)), moves),
            _ratio(without_repeats.sums(turned), without_repeats.counts()),
            stepwise_share(line, context),
            _ratio(notes.sums(size >= _LEAP), moves),
            *(_ratio((outcome == which).sum(axis=1), leaps) for which in (1, 2, 3, 4)),
            mean,
            deviation,
            _ratio(_longest_repetition(notes), notes.counts()),
        ],
        axis=1,
    )


def _longest_repetition(notes: Notes) -> NDArray[np.int64]:
    """The longest run of one pitch in each melody, `(melodies,)`."""
    index = np.arange(len(notes))
    begins = np.maximum.accumulate(np.where(notes.is_first | (notes.interval != 0), index, 0))
    longest = np.zeros(notes.shape[0], dtype=np.int64)
    np.maximum.at(longest, notes.melody, index - begins + 1)
    return longest


def _entropies(line: Line, notes: Notes, context: Context) -> list[NDArray[np.float64]]:
    inner = notes.select(~notes.is_first)
    interval = (np.clip(notes.interval, -_OCTAVE, _OCTAVE) + _OCTAVE)[~notes.is_first]
    gap = np.roll(notes.gap, 1)[~notes.is_first]  # since the note before
    return [
        _entropy(inner, interval),
        rhythm_entropy(line, context),
        _entropy(inner, interval * (line.steps + 1) + gap),
    ]


def _entropy(notes: Notes, kind: NDArray[np.int64]) -> NDArray[np.float64]:
    """Entropy of the distribution of kinds of notes in each melody, bits a note, `(melodies,)`."""
    kinds = int(kind.max(initial=0)) + 1
    cells, counts = np.unique(notes.melody * kinds + kind, return_counts=True)
    melody = cells // kinds
    share = counts / notes.counts()[melody] if len(cells) else np.zeros(0)
    bits = np.bincount(melody, weights=-share * np.log2(share), minlength=notes.shape[0])
    return bits.astype(np.float64)


def _variety(notes: Notes) -> NDArray[np.float64]:
    shares = []
    for n in (1, 2, 4):
        ids, melody = ngram_ids(notes, n)
        kinds, kind = np.unique(ids, return_inverse=True)
        pairs = np.unique(melody * max(len(kinds), 1) + kind)
        different = np.bincount(pairs // max(len(kinds), 1), minlength=notes.shape[0])
        shares.append(_ratio(different, np.bincount(melody, minlength=notes.shape[0])))
    return np.stack(shares, axis=1)


def _returns(line: Line, context: Context) -> NDArray[np.float64]:
    similar = [similarity_after(line, context, bars=bars) for bars in _RETURN_BARS]
    begins = tones(line)
    exact = []
    for bars in _RETURN_BARS:
        lag = bars * context.steps_per_bar
        if lag >= line.steps:
            exact.append(np.zeros(line.melodies))
            continue
        now, then = begins[:, lag:], begins[:, :-lag]
        same = now & then & (line.pitch[:, lag:] == line.pitch[:, :-lag])
        exact.append(_ratio(same.sum(axis=1), (now | then).sum(axis=1)))
    return np.stack([*similar, *exact, np.max(exact, axis=0)], axis=1)


def _meter(line: Line, notes: Notes, context: Context) -> NDArray[np.float64]:
    cut_short = ~notes.is_last & (notes.sounding < notes.gap)
    return np.stack(
        [
            downbeat_share(line, context),
            syncopated_share(line, context),
            breathing(line, context),
            silent_share(line, context),
            _ratio(notes.sums(cut_short), notes.counts()),
        ],
        axis=1,
    )


def _drift(line: Line, notes: Notes) -> NDArray[np.float64]:
    late = notes.step >= lengths(line)[notes.melody] // 2
    more = _ratio(notes.sums(np.where(late, 1, -1)), lengths(line))
    after, before = (_ratio(notes.sums(notes.pitch * part), notes.sums(part)) for part in (late, ~late))
    return np.stack([more, np.where((after > 0) & (before > 0), after - before, 0.0)], axis=1)


def _distribution(notes: Notes, kind: NDArray[np.int64], kinds: int, which: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distribution of some of the notes over kinds in each melody, `(melodies, kinds)`."""
    counts = np.bincount(notes.melody[which] * kinds + kind[which], minlength=notes.shape[0] * kinds)
    counts = counts.reshape(notes.shape[0], kinds)
    return _ratio(counts, np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape))


def _ratio(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> NDArray[np.float64]:
    """Element-wise ratio, 0 where the denominator is 0."""
    ratios = np.zeros(np.shape(numerator))
    np.divide(numerator, denominator, out=ratios, where=np.asarray(denominator) > 0, casting="unsafe")
    return ratios
