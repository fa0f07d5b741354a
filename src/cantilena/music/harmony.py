"""The chords of notes: a hidden Markov model over half-beats.

A chord is hidden and emits the notes that sound; it changes more readily at a barline than within a beat, to a chord
that is common in the local key and after the chord before. The likeliest sequence is found by Viterbi's algorithm.
`docs/harmony.md` has the formula.

Sources: templates of chord tones, B. Pardo and W. P. Birmingham, Algorithms for Chordal Analysis, Computer Music
Journal 26(2), 2002; the hidden Markov model in a key, C. Raphael and J. Stoddard, Functional Harmonic Analysis Using
Probabilistic Models, Computer Music Journal 28(3), 2004; changes by the strength of beats, D. Temperley, The Cognition
of Basic Musical Structures, MIT Press 2001, chapter 6.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.music.chord import CHORD_TONES, Chord
from cantilena.music.chord_track import ChordTrack
from cantilena.music.key import Key
from cantilena.music.key_profiles import KEY_PROFILES
from cantilena.music.meter import TICKS_PER_QUARTER, Meter
from cantilena.runtime import compiled

Every = Literal["half-beat", "beat", "half-bar", "bar"]
"""Where chords may change; half-beats are thirds of a beat in compound meters."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

QUALITIES = ("maj", "min", "dim", "aug", "7", "maj7", "min7", "m7b5", "dim7")
"""The qualities of chords that are told apart; suspensions count as notes outside a chord."""

MOST_SLICES = 50_000
"""The longest music whose chords are inferred, in half-beats."""

_STATES = 12 * len(QUALITIES)
_NO_NOTE = 128  # above every pitch
_SHORTEST = TICKS_PER_QUARTER // 2  # ticks of a slice, where beats are shorter than eighths

# Chosen on every third song of those that scripts/check_chords.py reads, by the share of time with the right root.
_SHARPNESS = 1.7
_COMPRESSION = 0.5
_BASS_WEIGHT = 0.5
_BASS_SLACK, _BASS_DECAY = 2, 8.0  # semitones above the lowest note of the bar up to which a note is a bass; fading
_KEY_CHANGE = 4.0  # nats that a change of the local key costs
_KEY_WEIGHT = 0.25  # nats a bar in favour of the key of the piece
_CHANGES = (0.6, 0.25, 0.1, 0.06)  # probability of a change at a barline, half-bar, beat and half-beat

# A melody alone implies little: triads of the key and its dominant seventh, which last for beats and bars.
_MELODY_CHANGES = (0.8, 0.4, 0.1, 0.0)
_MELODY_FOREIGN = 2.5  # nats that a chord with a tone outside the key costs, and any but a triad or dominant seventh
_MELODY_FLAT = 0.5  # by which notes count less than in several parts


@dataclass(frozen=True)
class ChordModel:
    """What is learned from music: `scripts/learn_chords.py` writes it, from Bach's chorales.

    Args:
        tones: `(qualities, 12)`, log probability of each interval above the root, by time that it sounds.
        bass: `(qualities, 12)`, log probability of the bass above the root.
        degrees: `(2, 12 qualities)`, log probability in major and in minor that a change leads to a chord, by semitones
            of its root above the tonic, and by quality.
        motions: `(12, qualities, qualities)`, log factor of that probability by semitones from the root before, and by
            the qualities before and after.
    """

    tones: Floats
    bass: Floats
    degrees: Floats
    motions: Floats

    @cached_property
    def transitions(self) -> Floats:
        """`(2, states, states)`, log probability of the next chord, relative to the tonic, given that it changes."""
        count = len(QUALITIES)
        semitones = (np.arange(12)[None, :] - np.arange(12)[:, None]) % 12
        factor = self.motions[semitones].transpose(0, 2, 1, 3).reshape(_STATES, _STATES)
        logs: Floats = self.degrees[:, None, :] + factor[None]
        assert logs.shape == (2, 12 * count, 12 * count)
        logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
        return logs

    def to_json(self) -> dict[str, object]:
        """The tables as lists, three decimals each."""
        return {name: np.round(getattr(self, name), 3).tolist() for name in ("tones", "bass", "degrees", "motions")}

    @classmethod
    def from_json(cls, tables: dict[str, list[float]]) -> ChordModel:
        """The model of what `to_json` gave."""
        return cls(**{name: np.array(table, dtype=np.float64) for name, table in tables.items()})


@lru_cache(maxsize=1)
def chord_model() -> ChordModel:
    """The model that ships with the package."""
    text = resources.files("cantilena.music").joinpath("harmony.json").read_text(encoding="utf-8")
    return ChordModel.from_json(json.loads(text))


@dataclass(frozen=True)
class ChordPath:
    """The likeliest chords of some notes, slice by slice.

    Args:
        edges: `(slices + 1,)`, ticks at which slices begin, and the end of the last one.
        levels: `(slices,)`, 0 at a barline, 1 at a half-bar, 2 at a beat, 3 within one.
        states: `(slices,)`, index of the chord: root x qualities + quality.
        keys: `(slices,)`, the local key: tonic, + 12 in minor.
        weights: `(slices, 12)`, how much each pitch class sounds, in lengths of the slice.
        lowest: `(slices,)`, the lowest pitch, 128 where nothing sounds.
    """

    edges: Ints
    levels: Ints
    states: Ints
    keys: Ints
    weights: Floats
    lowest: Ints


def infer_chords(
    pitch: Ints,
    onset: Ints,
    duration: Ints,
    meter: Meter,
    *,
    pickup: int = 0,
    length: int = 0,
    key: Key | None = None,
    bar_starts: Sequence[int] = (),
    every: Every = "half-beat",
    melody_only: bool = False,
) -> ChordTrack:
    """Infer the chords that notes imply.

    A chord has as its bass the chord tone that is lowest for longest; a diminished seventh has as its root the leading
    tone of the chord after it, if it has one, or of the key. Where nothing sounds the chord is taken to last,
    for a bar or more it is N.C.

    Args:
        pitch: `(notes,)`, MIDI numbers of all parts.
        onset: `(notes,)`, ticks, in any order.
        duration: `(notes,)`, ticks.
        meter: the time signature.
        pickup: ticks before the first barline.
        length: ticks of the piece, at least the end of the last note.
        key: the key of the piece if it is known; local keys are found in any case.
        bar_starts: ticks at which bars begin, ascending, where meter and pickup do not tell; the first at 0.
        every: the metrical positions at which chords may change.
        melody_only: whether the notes are a melody, of which few chords are heard: simple ones are preferred then.

    Returns:
        The chords; none if there are no notes.

    Raises:
        UsageError: `every` is unknown, or the music has more than `MOST_SLICES` half-beats.

    Examples:
        >>> import numpy as np
        >>> pitch = np.array([48, 64, 67, 72, 43, 62, 65, 71, 48, 64, 67, 72])
        >>> onset = np.repeat([0, 96, 192], 4)
        >>> track = infer_chords(pitch, onset, np.full(12, 96), Meter(4, 4))
        >>> [(tick, str(chord)) for tick, chord in track]
        [(0, 'C'), (96, 'G7'), (192, 'C')]
    """
    path = chord_path(
        pitch, onset, duration, meter, pickup=pickup, length=length, key=key, bar_starts=bar_starts, every=every,
        melody_only=melody_only,
    )  # fmt: skip
    if path is None:
        return ChordTrack()
    basses = _basses(path, np.zeros(len(path.states)) if melody_only else _bass_weights(path.levels, path.lowest))
    changes: dict[int, Chord] = {}
    for tick, state, bass in zip(path.edges[:-1].tolist(), path.states.tolist(), basses, strict=True):
        root, quality = divmod(state, len(QUALITIES))
        changes[tick] = Chord(root, QUALITIES[quality], bass)
    for tick in _silent(path, meter.ticks_per_bar):
        changes[tick] = Chord(None)
    return _with_leading_tones(ChordTrack(tuple(changes.items())).merged(), path)


def chord_path(
    pitch: Ints,
    onset: Ints,
    duration: Ints,
    meter: Meter,
    *,
    pickup: int = 0,
    length: int = 0,
    key: Key | None = None,
    bar_starts: Sequence[int] = (),
    every: Every = "half-beat",
    melody_only: bool = False,
    model: ChordModel | None = None,
) -> ChordPath | None:
    """Return the likeliest chords slice by slice, None without notes; arguments and errors as `infer_chords`.

    Args:
        pitch: `(notes,)`, MIDI numbers.
        onset: `(notes,)`, ticks.
        duration: `(notes,)`, ticks.
        meter: the time signature.
        pickup: ticks before the first barline.
        length: ticks of the piece.
        key: the key of the piece.
        bar_starts: ticks at which bars begin.
        every: where chords may change.
        melody_only: whether the notes are a melody.
        model: the tables; None takes those of the package.
    """
    if every not in get_args(Every):
        raise UsageError(
            f"chords cannot change every '{every}'", unknown_name_hint(every, get_args(Every), "the steps")
        )
    if not len(pitch):
        return None
    model = model or chord_model()
    end = max(length, int((onset + duration).max()))
    starts = [start for start in bar_starts if start < end] or _bar_starts(meter, pickup, end)
    edges, levels = _slices(meter, starts, end)
    weights, lowest = np.zeros((len(levels), 12)), np.full(len(levels), _NO_NOTE)
    struck, starts_at, ends_at = (np.asarray(values, dtype=np.int64) for values in (pitch, onset, onset + duration))
    _profile(struck, starts_at, ends_at, edges, weights, lowest)
    keys = _local_keys(weights, np.cumsum(levels == 0), key, is_fixed=melody_only)
    emission = _emission(model, weights, levels, lowest, has_bass=not melody_only)
    transitions, first = model.transitions, model.degrees
    change = np.array(_MELODY_CHANGES if melody_only else _CHANGES)
    change[get_args(Every)[::-1].index(every) + 1 :] = 0.0
    if melody_only:
        emission = _MELODY_FLAT * emission
        transitions = transitions - _MELODY_FOREIGN * _foreign()[:, None, :]
        first = first - _MELODY_FOREIGN * _foreign()
    mode, tonic = divmod(int(keys[0]), 12)
    emission[0] += np.roll(first[mode], tonic * len(QUALITIES))
    with np.errstate(divide="ignore"):
        states = _viterbi(emission, levels, keys, transitions, np.log1p(-change), np.log(change))
    return ChordPath(edges, levels, states, keys, weights, lowest)


def _bar_starts(meter: Meter, pickup: int, end: int) -> list[int]:
    if (end - pickup % meter.ticks_per_bar) // meter.ticks_per_bar > MOST_SLICES:
        raise _too_long(end)
    return list(meter.bar_starts(end, pickup))


def _slices(meter: Meter, starts: Sequence[int], end: int) -> tuple[Ints, Ints]:
    """The edges of slices and their metrical levels; an incomplete first bar is filled from its end."""
    beat = meter.ticks_per_beat
    parts = 3 if beat * meter.denominator != 4 * TICKS_PER_QUARTER else 2
    unit = beat // parts
    while unit < _SHORTEST and meter.ticks_per_bar % (2 * unit) == 0:
        unit *= 2
    if end > MOST_SLICES * max(unit, 1):
        raise _too_long(end)
    edges: list[int] = []
    levels: list[int] = []
    for number, (start, after) in enumerate(zip(starts, [*starts[1:], max(end, starts[-1] + 1)], strict=True)):
        length = after - start
        whole = meter.ticks_per_bar if number in (0, len(starts) - 1) and length < meter.ticks_per_bar else length
        missing = whole - length if number == 0 else 0
        half = whole // 2 if whole % beat == 0 and whole // beat % 2 == 0 else whole
        for place in range(0, length, unit) if not missing else range(-missing % unit, length, unit):
            inside = place + missing
            edges.append(start + place)
            levels.append(0 if not inside else 1 if inside % half == 0 else 2 if inside % beat == 0 else 3)
    if not edges or edges[0]:
        edges, levels = [0, *edges], [3, *levels]
    return np.array([*edges, end]), np.array(levels)


def _too_long(end: int) -> UsageError:
    return UsageError(
        f"music of {end:,} ticks is too long for its chords",
        f"give up to {MOST_SLICES:,} half-beats; cut it into pieces",
    )


@compiled
def _profile(pitch: Ints, onset: Ints, end: Ints, edges: Ints, weights: Floats, lowest: Ints) -> None:
    """Add to each slice the share of it for which each pitch class sounds, once for each note; and the lowest pitch."""
    count = len(lowest)
    for note in range(len(pitch)):
        low, high = 0, count
        while low < high:  # the first slice that ends after the onset
            middle = (low + high) // 2
            if edges[middle + 1] <= onset[note]:
                low = middle + 1
            else:
                high = middle
        while low < count and edges[low] < end[note]:
            overlap = min(end[note], edges[low + 1]) - max(onset[note], edges[low])
            weights[low, pitch[note] % 12] += overlap / (edges[low + 1] - edges[low])
            lowest[low] = min(lowest[low], pitch[note])
            low += 1


def _local_keys(weights: Floats, bar_of: Ints, key: Key | None, *, is_fixed: bool) -> Ints:
    """The key of each slice, constant in a bar: the likeliest path, in which each change costs the same.

    The likelihood of a bar is that of Temperley's profile (1999), taken as probabilities of its pitch classes.
    """
    profiles = np.array(KEY_PROFILES["temperley"])
    profiles = np.log(profiles / profiles.sum(axis=1, keepdims=True))
    rotated = np.array([np.roll(profile, tonic) for profile in profiles for tonic in range(12)])
    bars = bar_of - bar_of[0]
    sounding = np.zeros((int(bars[-1]) + 1, 12))
    np.add.at(sounding, bars, weights)
    likelihood = sounding @ rotated.T
    if is_fixed:
        known = None if key is None else key.tonic + 12 * key.is_minor
        return np.full(len(bars), int(likelihood.sum(axis=0).argmax()) if known is None else known)
    if key is not None:
        likelihood[:, key.tonic + 12 * key.is_minor] += _KEY_WEIGHT
    score, back = likelihood[0], np.zeros(likelihood.shape, dtype=np.int64)
    for bar in range(1, len(likelihood)):
        best = int(score.argmax())
        moves = score[best] - _KEY_CHANGE > score
        back[bar] = np.where(moves, best, np.arange(24))
        score = np.where(moves, score[best] - _KEY_CHANGE, score) + likelihood[bar]
    path = np.empty(len(likelihood), dtype=np.int64)
    path[-1] = score.argmax()
    for bar in range(len(likelihood) - 1, 0, -1):
        path[bar - 1] = back[bar, path[bar]]
    return np.asarray(path[bars])


def _emission(model: ChordModel, weights: Floats, levels: Ints, lowest: Ints, *, has_bass: bool) -> Floats:
    """`(slices, states)`, log likelihood of the notes by chord, up to what is the same for all."""
    heard = _SHARPNESS * weights**_COMPRESSION
    emission = np.empty((len(weights), 12, len(QUALITIES)))
    bass = _bass_weights(levels, lowest) if has_bass else np.zeros(len(weights))
    for root in range(12):
        emission[:, root] = np.roll(heard, -root, axis=1) @ (model.tones + np.log(12)).T
        emission[:, root] += bass[:, None] * model.bass[:, (lowest - root) % 12].T
    return emission.reshape(len(weights), _STATES)


def _bass_weights(levels: Ints, lowest: Ints) -> Floats:
    """How much the lowest note of each slice counts as a bass: less if the bar has much lower ones."""
    bars = np.cumsum(levels == 0)
    bars -= bars[0]
    deepest = np.full(int(bars[-1]) + 1, _NO_NOTE)
    np.minimum.at(deepest, bars, lowest)
    above = np.maximum(lowest - deepest[bars] - _BASS_SLACK, 0)
    return np.asarray(np.where(lowest < _NO_NOTE, _BASS_WEIGHT * np.exp(-above / _BASS_DECAY), 0.0))


@lru_cache(maxsize=1)
def _foreign() -> Floats:
    """`(2, states)`, 1 for chords that a melody rarely implies in major and in minor, 0 for the others."""
    foreign = np.ones((2, _STATES))
    for mode, scale in enumerate(({0, 2, 4, 5, 7, 9, 11}, {0, 2, 3, 5, 7, 8, 10})):
        for state in range(_STATES):
            root, quality = state // len(QUALITIES), QUALITIES[state % len(QUALITIES)]
            tones = {(root + tone) % 12 for tone in CHORD_TONES[quality]}
            is_dominant = root == 7 and quality in ("maj", "7")
            is_triad = quality in ("maj", "min") and tones <= scale and not (mode == 1 and root == 7)
            foreign[mode, state] = 0.0 if is_dominant or is_triad else 1.0
    return foreign


@compiled
def _viterbi(emission: Floats, levels: Ints, keys: Ints, transitions: Floats, stay: Floats, change: Floats) -> Ints:
    """The likeliest states; `transitions` are relative to the tonic of the key that a change leads into."""
    steps, states = emission.shape
    qualities = states // 12
    back = np.empty((steps, states), np.int16)
    score = emission[0].copy()
    relative, after = np.empty(states), np.empty(states)
    for step in range(1, steps):
        tonic = keys[step] % 12 * qualities
        table = transitions[keys[step] // 12]
        for state in range(states):
            relative[state] = score[(state + tonic) % states]
        can_change = change[levels[step]] > -1e300
        for to in range(states):
            here = (to + tonic) % states
            best, origin = score[here] + stay[levels[step]], here
            if can_change:
                for start in range(states):
                    value = relative[start] + table[start, to] + change[levels[step]]
                    if value > best and start != to:
                        best, origin = value, (start + tonic) % states
            after[here] = best + emission[step, here]
            back[step, here] = origin
        for state in range(states):
            score[state] = after[state]
    path = np.empty(steps, np.int64)
    path[steps - 1] = np.argmax(score)
    for step in range(steps - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path


def _basses(path: ChordPath, weights: Floats) -> list[int | None]:
    """The bass of the chord of each slice: of the chord tones that are lowest in its span, that of most weight."""
    begins = np.flatnonzero(np.diff(path.states, prepend=-1))
    basses: list[int | None] = []
    lengths = np.diff(path.edges)
    for start, end in zip(begins.tolist(), [*begins[1:].tolist(), len(path.states)], strict=True):
        root, quality = divmod(int(path.states[start]), len(QUALITIES))
        share = np.zeros(12)
        np.add.at(share, path.lowest[start:end] % 12, weights[start:end] * lengths[start:end])
        tones = [(root + tone) % 12 for tone in CHORD_TONES[QUALITIES[quality]]]
        bass = max(tones, key=lambda tone: share[tone])
        basses += [bass if share[bass] > 0 else None] * (end - start)
    return basses


def _with_leading_tones(track: ChordTrack, path: ChordPath) -> ChordTrack:
    """The chords, each diminished seventh on the leading tone of the chord after it, or else of the local key.

    Its four tones are equally far apart, so that its notes tell nothing of its root.
    """
    changes = list(track)
    for place, (tick, chord) in enumerate(changes):
        if chord.root is None or chord.quality != "dim7":
            continue
        after = changes[place + 1][1].root if place + 1 < len(changes) else None
        tonic = int(path.keys[np.searchsorted(path.edges, tick)]) % 12
        leading = [(goal - 1) % 12 for goal in (after, tonic) if goal is not None]
        root = next((tone for tone in leading if (tone - chord.root) % 3 == 0), chord.root)
        changes[place] = (tick, Chord(root, chord.quality, chord.bass))
    return ChordTrack(tuple(changes)).merged()


def _silent(path: ChordPath, bar: int) -> list[int]:
    """The ticks of slices in which nothing sounds for a bar or more."""
    silent = np.r_[False, path.lowest == _NO_NOTE, False]
    begins, ends = np.flatnonzero(silent[1:] & ~silent[:-1]), np.flatnonzero(~silent[1:] & silent[:-1])
    found: list[int] = []
    for start, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if path.edges[end] - path.edges[start] >= bar:
            found += path.edges[start:end].tolist()
    return found
