"""Harmonising a melody: chords beat by beat from a linear-chain conditional random field.

For a melody x of T beats, chords y_1 .. y_T have

    log p(y | x) = sum_t u(y_t, x, t) + sum_t (P[y_t-1, y_t] + b[m_t] [y_t-1 != y_t]) - log Z(x)

with scores u of a network of one hidden layer on the melody around beat t, its place in the bar and in the phrase, P of
pairs of chords, and b of a change at a beat of the metrical class m_t (J. Lafferty, A. McCallum and F. Pereira,
Conditional Random Fields, ICML 2001). All is relative to the tonic. Unlike in a hidden Markov model, which explains the
notes of a beat by its chord alone (I. Simon, D. Morris and S. Basu, MySong, CHI 2008), notes to come and phrase ends
count. Where chords are to change less often, all changes elsewhere have probability 0.

The most probable sequence changes far less often than people's, since many ways to move share the probability that
staying has alone. The best chords are instead those whose expected agreement with people's is largest, by the
probabilities of chords at each beat (minimum Bayes risk); others are sampled, backwards from forward probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, UsageError
from cantilena.models.harmony.options import Every, Style
from cantilena.music import (
    MOST_BARS,
    Chord,
    ChordTrack,
    Key,
    Melody,
    Meter,
    find_form,
    find_key,
    form_bar_starts,
)

MOST_HARMONIES = 100

WINDOW = 4
"""Beats before and after that the network sees."""

_PLACES = 4
"""Metrical classes: the first beat of a bar, its middle, other beats, and beats of a pickup without a first one."""
_DISTANCES = (0, 1, 2, 3, 4, 8)
"""Least beats to the end of the phrase of each class."""
_LOCAL = 12 + 12 + 1 + _PLACES + len(_DISTANCES) + 2
FEATURES = _LOCAL * (2 * WINDOW + 1) + 1 + len(get_args(Style))
"""Numbers that the network reads at each beat."""

_SAMPLES = 256
"""Sequences of chords that are drawn to find several."""
_TEMPERATURE = 0.7
"""The temperature at which they are drawn."""
_AGREEMENT = (0.6, 0.25, 0.15)
"""What it counts for if a chord agrees in its root, in its quality too, and in its bass too."""
_DIFFERENT = 0.15
"""The share of beats in which harmonies of one melody differ at least, as long as there are any."""
_FILE = "harmoniser.safetensors"
_HINT = "the file is damaged or of another version: install cantilena again"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Beats:
    """The beats of a melody, as far as chords can change there.

    Args:
        ticks: `(beats + 1,)`: where each begins, and the end of the melody.
        classes: `(beats,)`: 0 for the first of a bar, 1 for its middle, 2 for others; bars of two beats have no middle.
        halves: `(beats,)`: whether a half of a bar begins.
        features: `(beats, FEATURES)` numbers that the network reads.
    """

    ticks: NDArray[np.int64]
    classes: NDArray[np.int64]
    halves: NDArray[np.bool_]
    features: NDArray[np.float32]

    @classmethod
    def of_melody(cls, melody: Melody, key: Key, style: Style) -> Beats:
        """The beats of a melody in a key.

        Raises:
            UsageError: it has more than `MOST_BARS` bars.
        """
        bar, beat = melody.meter.ticks_per_bar, beat_ticks(melody.meter)
        if melody.length > (MOST_BARS + 1) * bar:
            raise UsageError(f"the melody has {melody.bars:,} bars", f"give up to {MOST_BARS:,}")
        first = melody.pickup % beat - beat * bool(melody.pickup % beat)
        begins = np.arange(first, max(melody.length, 1), beat)
        place = (begins - melody.pickup) % bar
        half = bar // 2 if (bar // beat) % 2 == 0 and bar // beat > 2 else -1
        classes = np.where(place == 0, 0, np.where(place == half, 1, 2))
        ends = _phrase_ends(melody)
        local = np.zeros((len(begins), _LOCAL), dtype=np.float32)
        _sounding(local, melody, key, first, beat)
        local[np.arange(len(begins)), 25 + classes] = 1.0
        next_end = ends[np.minimum(np.searchsorted(ends, begins, side="right"), len(ends) - 1)]
        distance = np.maximum(next_end - begins - 1, 0) // beat
        local[np.arange(len(begins)), 25 + _PLACES + np.searchsorted(_DISTANCES, distance, side="right") - 1] = 1.0
        local[0, -2] = local[-1, -1] = 1.0
        padded = np.pad(local, ((WINDOW, WINDOW), (0, 0)))
        around = [padded[shift : shift + len(begins)] for shift in range(2 * WINDOW + 1)]
        about = np.zeros((len(begins), 1 + len(get_args(Style))), dtype=np.float32)
        about[:, 0], about[:, 1 + get_args(Style).index(style)] = key.is_minor, 1.0
        halves = place % (bar // 2 if (bar // beat) % 2 == 0 else bar) == 0
        return cls(np.append(np.maximum(begins, 0), melody.length), classes, halves, np.hstack([*around, about]))

    def may_change(self, every: Every) -> NDArray[np.bool_]:
        """`(beats,)`: where a chord may begin."""
        places = {"beat": self.classes >= 0, "half-bar": self.halves.copy(), "bar": self.classes == 0}
        allowed: NDArray[np.bool_] = places[every]
        allowed[0] = True
        return allowed


@dataclass(frozen=True)
class Harmony:
    """Chords for a melody.

    Args:
        chords: from its first tick on.
        log_likelihood: nats, among all sequences of chords for the melody.
    """

    chords: ChordTrack
    log_likelihood: float


@dataclass(frozen=True, eq=False)
class Harmoniser:
    """The conditional random field, its chords relative to the tonic.

    Args:
        labels: the chords, their roots counted from the tonic.
        weights: `hidden.weight` `(hidden, FEATURES)`, `hidden.bias`, `scores.weight` `(labels, hidden)`,
            `scores.bias`, `pairs` `(labels, labels)`, `change` `(3,)`.

    Examples:
        >>> tune = Melody.from_pitches([(60, 24), (64, 24), (67, 48), (65, 24), (62, 24), (60, 48)])
        >>> best = Harmoniser.shipped().harmonise(tune, style="chorale")[0]
        >>> best.chords[0], best.chords.at(190)
        ((0, Chord(root=0, quality='maj', bass=0)), Chord(root=0, quality='maj', bass=0))
    """

    labels: tuple[Chord, ...]
    weights: Mapping[str, NDArray[np.floating]]

    @classmethod
    def shipped(cls) -> Harmoniser:
        """The one that ships with the package."""
        return _shipped()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            BundleError: it is missing or damaged.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                names = str((file.metadata() or {}).get("labels", "")).split()
                weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            made = cls(tuple(Chord.parse(name) for name in names), weights)
        except (OSError, SafetensorError, UsageError, TypeError) as error:
            raise BundleError(f"{path.name} cannot be read as a model of harmony", _HINT) from error
        hidden, size = len(weights.get("hidden.bias", ())), len(names)
        shapes = {"hidden.weight": (hidden, FEATURES), "hidden.bias": (hidden,), "scores.weight": (size, hidden)}
        shapes |= {"scores.bias": (size,), "pairs": (size, size), "change": (3,)}
        if {name: value.shape for name, value in weights.items()} != shapes or not size:
            raise BundleError(f"{path.name} is no model of harmony", _HINT)
        return made

    def save(self, path: Path) -> None:
        """Write the weights in 16 bits and the chords."""
        from safetensors.numpy import save_file

        halves = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in self.weights.items()}
        save_file(halves, path, metadata={"labels": " ".join(map(str, self.labels))})

    def harmonise(
        self,
        melody: Melody,
        n: int = 1,
        *,
        style: Style = "lied",
        every: Every = "beat",
        rng: np.random.Generator | None = None,
    ) -> list[Harmony]:
        """Find chords for a melody, the best first; the others differ from those before them and are less probable.

        Args:
            melody: of whose chords the top notes count; its key is found if it has none.
            n: how many, 1 to `MOST_HARMONIES`.
            style: whose harmony is imitated.
            every: where chords may change.
            rng: the randomness of all but the first; a fixed one by default.

        Raises:
            UsageError: the melody has no notes or too many bars, or an option is invalid.
        """
        _check(melody, n, style, every)
        key = melody.key or find_key(melody) or Key()
        beats = Beats.of_melody(melody, key, style)
        chain = _Chain.build(self.scores(beats), self, beats.classes, beats.may_change(every))
        gains = chain.marginals() @ self.agreement
        found = _Chain(gains, [np.where(np.isneginf(pairs), pairs, 0.0) for pairs in chain.pairs]).best()
        paths = {tuple(found.tolist()): chain.log_likelihood(found)}
        if n > 1:
            drawn = chain.sharpened(_TEMPERATURE).sample(_SAMPLES, rng or np.random.default_rng(1))
            paths |= {path: chain.log_likelihood(path) for path in map(tuple, drawn.tolist()) if path not in paths}
        best, *others = paths
        agreed = {path: float(gains[np.arange(len(path)), path].sum()) for path in others}
        others.sort(key=lambda path: (paths[path] > paths[best], -agreed[path]))
        chosen = [best, *_different(others, best, n - 1)]
        return [
            Harmony(self._track(path, beats, key), paths[path])
            for path in sorted(chosen, key=lambda path: -paths[path])
        ]

    def scores(self, beats: Beats) -> Floats:
        """`(beats, labels)` scores u of each chord at each beat."""
        w = self.weights
        hidden = np.tanh(beats.features @ w["hidden.weight"].T + w["hidden.bias"])
        return np.asarray(hidden @ w["scores.weight"].T + w["scores.bias"], dtype=np.float64)

    def label_of(self, chord: Chord, key: Key) -> int:
        """The number of a chord in a key, or of the nearest that there is; -1 for N.C."""
        if chord.root is None:
            return -1
        own = chord.transposed(-key.tonic)
        for wanted in (own, Chord(own.root, own.quality), *(Chord(own.root, one) for one in _SIMPLER[own.quality])):
            if wanted in self._numbers:
                return self._numbers[wanted]
        return next((number for number, label in enumerate(self.labels) if label.root == own.root), 0)

    @cached_property
    def _numbers(self) -> dict[Chord, int]:
        return {label: number for number, label in enumerate(self.labels)}

    @cached_property
    def agreement(self) -> Floats:
        """`(labels, labels)`: what a chord counts for where another one is right."""
        about = [(label.root, label.quality, label.bass) for label in self.labels]
        gains = np.zeros((len(about), len(about)))
        for depth, weight in enumerate(_AGREEMENT, start=1):
            gains += weight * np.array([[one[:depth] == other[:depth] for one in about] for other in about])
        return gains

    def _track(self, path: Sequence[int], beats: Beats, key: Key) -> ChordTrack:
        chords = {int(tick): self.labels[label].transposed(key.tonic) for tick, label in zip(beats.ticks, path)}  # noqa: B905
        return ChordTrack(tuple(chords.items())).merged()


_SIMPLER = {
    "maj": (), "min": (), "dim": ("dim7", "m7b5"), "aug": ("maj",), "7": ("maj",), "maj7": ("maj",), "min7": ("min",),
    "m7b5": ("dim", "min"), "dim7": ("dim",), "sus2": ("maj",), "sus4": ("maj",), "7sus4": ("7", "maj"),
}  # fmt: skip
"""Qualities that stand for one that a model has not, the nearest first."""


@dataclass(frozen=True)
class _Chain:
    """A chain of beats: `(beats, labels)` scores, `(beats, labels, labels)` scores of pairs by the metrical class."""

    scores: Floats
    pairs: list[Floats]

    @classmethod
    def build(
        cls, scores: Floats, model: Harmoniser, classes: NDArray[np.int64], may_change: NDArray[np.bool_]
    ) -> _Chain:
        base = np.asarray(model.weights["pairs"], dtype=np.float64)
        other = ~np.eye(len(base), dtype=bool)
        free = [base + model.weights["change"][number] * other for number in range(3)]
        stay = np.where(other, -np.inf, base)
        return cls(scores, [free[c] if may else stay for c, may in zip(classes, may_change, strict=True)])

    def best(self) -> NDArray[np.int64]:
        """`(beats,)`: the most probable labels."""
        total, back = self.scores[0], []
        for scores, pairs in zip(self.scores[1:], self.pairs[1:], strict=True):
            ways = total[:, None] + pairs
            back.append(ways.argmax(axis=0))
            total = ways.max(axis=0) + scores
        path = [int(total.argmax())]
        for pointers in reversed(back):
            path.append(int(pointers[path[-1]]))
        return np.array(path[::-1])

    def sharpened(self, temperature: float) -> _Chain:
        """The chain at a temperature; below 1 probable sequences become more so."""
        return _Chain(self.scores / temperature, [pairs / temperature for pairs in self.pairs])

    def marginals(self) -> Floats:
        """`(beats, labels)`: the probability of each label at each beat."""
        backward = np.zeros_like(self.scores)
        for beat in range(len(self.scores) - 2, -1, -1):
            after = self.scores[beat + 1] + backward[beat + 1]
            highest = after.max()
            with np.errstate(divide="ignore"):
                backward[beat] = np.log(np.exp(self.pairs[beat + 1]) @ np.exp(after - highest)) + highest
        log_p = np.stack(self.forward) + backward
        chances = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    @cached_property
    def forward(self) -> list[Floats]:
        """`(labels,)` log sums over all sequences up to each beat."""
        sums = [self.scores[0]]
        for scores, pairs in zip(self.scores[1:], self.pairs[1:], strict=True):
            highest = sums[-1].max()
            with np.errstate(divide="ignore"):
                sums.append(np.log(np.exp(sums[-1] - highest) @ np.exp(pairs)) + highest + scores)
        return sums

    def log_likelihood(self, path: NDArray[np.int64] | Sequence[int]) -> float:
        """Log p of labels given the melody."""
        chosen = np.asarray(path)
        score = self.scores[np.arange(len(chosen)), chosen].sum()
        score += sum(pairs[a, b] for pairs, a, b in zip(self.pairs[1:], chosen[:-1], chosen[1:], strict=True))
        last = self.forward[-1]
        return float(score - last.max() - np.log(np.exp(last - last.max()).sum()))

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """`(count, beats)` labels drawn by their probability."""
        rows = _draw(np.tile(self.forward[-1], (count, 1)), rng)
        path = [rows]
        for sums, pairs in zip(reversed(self.forward[:-1]), reversed(self.pairs[1:]), strict=True):
            path.append(_draw(sums[None, :] + pairs[:, path[-1]].T, rng))
        return np.stack(path[::-1], axis=1)


def beat_ticks(meter: Meter) -> int:
    """Ticks of the beats at which chords change: quarters, dotted quarters of compound meters, or a short bar.

    Examples:
        >>> [beat_ticks(Meter.parse(name)) for name in ("4/4", "2/2", "6/8", "3/8", "5/8", "12/16")]
        [24, 24, 36, 36, 12, 18]
    """
    bar, beat = meter.ticks_per_bar, meter.ticks_per_beat
    if bar <= 36:
        return bar
    return 24 if beat in (12, 24, 48, 96) and bar % 24 == 0 else beat


def _sounding(local: NDArray[np.float32], melody: Melody, key: Key, first: int, beat: int) -> None:
    """Fill in, for each beat: the share of each scale degree, what begins with it, and the share of silence."""
    for note in melody.sounding:
        degree = (note.top - key.tonic) % 12
        for number in range((note.onset - first) // beat, (note.end - 1 - first) // beat + 1):
            begin = first + number * beat
            local[number, degree] += (min(note.end, begin + beat) - max(note.onset, begin)) / beat
            if note.onset <= begin:
                local[number, 12 + degree] = 1.0
    local[:, 24] = np.maximum(1.0 - local[:, :12].sum(axis=1), 0.0)


def _phrase_ends(melody: Melody) -> NDArray[np.int64]:
    """Ticks at which phrases end: as marked, else by the form; the end of the melody among them."""
    marked = [tick for tick in melody.phrase_ends if tick < melody.length]
    if not marked:
        bars = [*form_bar_starts(melody), melody.length]
        marked = [bars[min(end, len(bars) - 1)] for end in find_form(melody).phrase_ends]
    return np.unique([*marked, melody.length])


def _different(ordered: Sequence[tuple[int, ...]], first: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    """The first of some sequences that differ enough from those before; then any others."""
    chosen, rest = [first], []
    for path in ordered:
        nearest = min(float(np.mean(np.not_equal(path, other))) for other in chosen)
        if nearest >= _DIFFERENT and len(chosen) <= count:
            chosen.append(path)
        else:
            rest.append(path)
    return [*chosen[1:], *rest][:count]


def _draw(log_weights: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """`(rows,)`: an index of each row, drawn by its weights."""
    cumulated = np.cumsum(np.exp(log_weights - log_weights.max(axis=1, keepdims=True)), axis=1)
    drawn = rng.random(len(cumulated))[:, None] * cumulated[:, -1:]
    return np.asarray((cumulated <= drawn).sum(axis=1), dtype=np.int64)


def _check(melody: Melody, n: int, style: str, every: str) -> None:
    if not melody.sounding:
        raise UsageError("the melody has no notes", "give one that has")
    if not isinstance(n, int) or not 1 <= n <= MOST_HARMONIES:
        raise UsageError(f"{n} harmonies of a melody", f"give 1 to {MOST_HARMONIES}")
    if style not in get_args(Style):
        raise UsageError(f"there is no style '{style}' of harmony", f"choose one of {', '.join(get_args(Style))}")
    if every not in get_args(Every):
        raise UsageError(f"chords cannot change every '{every}'", f"choose one of {', '.join(get_args(Every))}")


@lru_cache(maxsize=1)
def _shipped() -> Harmoniser:
    return Harmoniser.load(Path(__file__).with_name(_FILE))
