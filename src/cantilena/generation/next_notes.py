"""What a model expects next: the probability of each pitch at each step of a melody, and of its notes.

On the grid each step has its distribution. A model of notes chooses a duration, then a pitch: at a step at which a note
or rest begins, pitches (and `off`, for a rest) have their probabilities given its duration. At a step inside it, `hold`
is the probability that it lasts beyond the begin of this step if it lasted until there, from the distribution of its
duration, and pitches and `off` share the rest as they do where the next note of the melody begins. After the melody the
most probable duration is taken as given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.chords import told_chords
from cantilena.generation.composer import Composer
from cantilena.generation.composition import Composition, Conditioning
from cantilena.generation.form import with_forms
from cantilena.generation.options import ComposeOptions, SamplingOptions
from cantilena.generation.placement import Placement
from cantilena.generation.primer import primer_of
from cantilena.models import Bars, MelodyVae, log_probs_with_bars, to_numpy
from cantilena.music import Melody
from cantilena.tokenizers import END, NotesEncoding, Tokens, token_pitches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NextNotes:
    """Probabilities of what comes next in one melody, at its own pitch.

    Args:
        low: the lowest pitch of the model, transposed to the melody.
        ticks_per_step: ticks a step.
        off: `(steps + 1,)`, that the note that sounds ends.
        hold: `(steps + 1,)`, that sound or silence continues.
        pitches: `(steps + 1, pitches)`, that each pitch from `low` on begins; of a chord its top note. Row t is given
            the steps before t; the last row is what may come after the melody.
        by_onset: of a model of notes, `(pitches,)` for each tick at which one begins: of several that begin in one step
            `pitches` has the last.
    """

    low: int
    ticks_per_step: int
    off: Floats
    hold: Floats
    pitches: Floats
    by_onset: Mapping[int, Floats] = field(default_factory=dict)

    @property
    def high(self) -> int:
        """The highest pitch."""
        return self.low + int(self.pitches.shape[1]) - 1

    def after(self, ticks: int) -> NextNotes:
        """The same from a later tick on."""
        steps = ticks // self.ticks_per_step
        later = {onset - ticks: row for onset, row in self.by_onset.items() if onset >= ticks}
        return replace(self, off=self.off[steps:], hold=self.hold[steps:], pitches=self.pitches[steps:], by_onset=later)

    def until_last(self, other: NextNotes) -> NextNotes:
        """The same with the last row of another one."""
        off, hold, pitches = (
            np.concatenate([mine[:-1], its[-1:]])
            for mine, its in ((self.off, other.off), (self.hold, other.hold), (self.pitches, other.pitches))
        )
        return replace(self, off=off, hold=hold, pitches=pitches)

    def of(self, melody: Melody) -> list[float]:
        """The probability of each note of a melody that begins at the first step; 0 if it is out of range.

        Of a model of notes it is that of the pitch (of a chord its top note), given the duration.
        """
        probabilities = []
        for note in melody.sounding:
            row, column = note.onset // self.ticks_per_step, note.top - self.low
            inside = row < len(self.pitches) and 0 <= column < self.pitches.shape[1]
            chances = self.by_onset.get(note.onset, self.pitches[row]) if inside else ()
            probabilities.append(float(chances[column]) if inside else 0.0)
        return probabilities


def next_notes(
    composer: Composer,
    melody: Melody,
    *,
    style: str = "",
    temperature: float = 1.0,
    conditioning: Conditioning | None = None,
) -> NextNotes:
    """What a model expects at each step of a melody; a VAE, given the codes of the melody.

    Args:
        composer: the model.
        melody: as the encoding represents it.
        style: as for `Composer.compose`.
        temperature: above 1 flattens the probabilities, below 1 sharpens them.
        conditioning: of a composition, what the model was told of it: then its notes have the probabilities with which
            they were drawn. By default a model is told the style and what the melody shows, not how long it will be;
            nor is it for what comes after the melody.

    Raises:
        UsageError: the temperature, the style or the conditioning is invalid.

    Examples:
        >>> from cantilena.generation import load
        >>> expected = next_notes(load("tunes"), Melody.from_pitches([(60, 12), (62, 12), (64, 24)]))
        >>> expected.pitches.shape[0], bool(expected.off[-1] + expected.hold[-1] + expected.pitches[-1].sum() > 0.999)
        (9, True)
    """
    sampling = SamplingOptions(temperature)
    options = ComposeOptions(style=style, key=melody.key or "", meter=str(melody.meter))
    placement = composer.place(options, melody)
    if conditioning is None:
        conditioning = placement.conditioning()
    elif conditioning.style > len(composer.styles):
        raise UsageError(f"the model has no style {conditioning.style}", f"it has {len(composer.styles)}")
    else:
        placement = placement.conditioned(melody, conditioning)

    def expected(given: Conditioning) -> NextNotes:
        bars = _bars(placement, [given], [placement.pickup])
        if isinstance(composer.encoding, NotesEncoding):
            return _of_notes(composer, placement, [placement.primer], bars, sampling.temperature)[0]
        tokens = np.append(placement.primer, 0)[None, :]
        return _expected(composer, placement, tokens, bars, sampling.temperature)[0]

    found = expected(conditioning)
    if 0 < conditioning.length <= melody.length:  # a model that is told so expects nothing after the melody
        return found.until_last(expected(replace(conditioning, length=0, form=None)))
    return found


def note_probabilities(
    composer: Composer, compositions: list[Composition], options: ComposeOptions
) -> list[list[float | None]]:
    """The probability of each sounding note of the results of one call of `compose_many`; None for those of the primer.

    Of a model of notes it is that of the pitch, given the duration.

    Examples:
        >>> from cantilena.generation import load
        >>> composer, options = load("tunes"), ComposeOptions(bars=2)
        >>> tunes = composer.compose_many(2, options, seed=1)
        >>> [len(chances) == len(tune.sounding) for chances, tune in
        ...  zip(note_probabilities(composer, tunes, options), tunes)]
        [True, True]
    """
    placement = composer.place(options, primer_of(options))
    given = [one.conditioning or placement.conditioning() for one in compositions]
    is_whole = placement.with_primer or not len(placement.primer)
    bars = _bars(placement, given, [one.pickup if is_whole else placement.pickup for one in compositions])
    index = {name: token for token, name in enumerate(composer.encoding.vocabulary)}
    rows = [np.array([index[name] for name in one.tokens], dtype=np.int64) for one in compositions]
    melodies = [np.concatenate([placement.primer, row]) for row in rows]
    lead = placement.primer_ticks
    if isinstance(composer.encoding, NotesEncoding):
        expected = _of_notes(composer, placement, melodies, bars, 1.0)
    else:
        tokens = np.concatenate([np.stack(melodies), np.zeros((len(rows), 1), dtype=np.int64)], axis=1)
        expected = _expected(composer, placement, tokens, bars, 1.0)
    if not placement.with_primer:
        after = [one.after(lead) for one in expected]
        return [[*one.of(composition)] for composition, one in zip(compositions, after, strict=True)]
    return [
        [None if note.onset < lead else p for note, p in zip(composition.sounding, one.of(composition), strict=True)]
        for composition, one in zip(compositions, expected, strict=True)
    ]


def _bars(placement: Placement, given: Sequence[Conditioning], pickups: Sequence[int]) -> Bars:
    """The bars of melodies of one length, with the forms and chords that the model was told."""
    bars = placement.bars(len(given), given[0].length)
    if any(one.chords for one in given):
        bars = told_chords(bars, [one.chords for one in given], placement.semitones)
    forms = [one.form for one in given if one.form is not None]
    return with_forms(bars, forms, pickups) if len(forms) == len(given) else bars


def _expected(
    composer: Composer, placement: Placement, tokens: NDArray[np.int64], bars: Bars, temperature: float
) -> list[NextNotes]:
    """What is expected at each of `(melodies, steps)` tokens, given those before it."""
    encoding, model = composer.encoding, composer.model
    if isinstance(model, MelodyVae):
        model = model.decoder_of(tokens, bars)
    log_probs = np.asarray(to_numpy(log_probs_with_bars(model, tokens, bars)), dtype=np.float64)
    chances = _tempered(log_probs, temperature)
    tops = np.array([pitches[-1] if pitches else -1 for pitches in token_pitches(encoding)], dtype=np.int64)
    struck = np.flatnonzero(tops >= 0)
    low, high = int(tops[struck].min()), int(tops[struck].max())
    to_pitch = np.zeros((len(tops), high - low + 1))
    to_pitch[struck, tops[struck] - low] = 1.0
    silent = [token for token in np.flatnonzero(tops < 0) if encoding.vocabulary[token] != "hold"]
    held = [token for token in np.flatnonzero(tops < 0) if encoding.vocabulary[token] == "hold"]
    pitches, off, hold = chances @ to_pitch, chances[..., silent].sum(axis=-1), chances[..., held].sum(axis=-1)
    return [
        NextNotes(low + placement.semitones, encoding.ticks_per_step, off[row], hold[row], pitches[row])
        for row in range(len(tokens))
    ]


def _of_notes(
    composer: Composer, placement: Placement, melodies: list[Tokens], bars: Bars, temperature: float
) -> list[NextNotes]:
    """What a model of notes expects in melodies of `(tokens,)` each, and after them."""
    encoding = composer.encoding
    assert isinstance(encoding, NotesEncoding)
    period, sizes = len(encoding.parts), [len(tokens) for tokens in melodies]
    tokens = np.full((len(melodies), max(sizes) + period), END, dtype=np.int64)
    for row, melody in zip(tokens, melodies, strict=True):
        row[: len(melody)] = melody
    first, after = encoding.parts[0]

    def chances() -> Floats:
        nats = np.asarray(to_numpy(log_probs_with_bars(composer.model, tokens, bars)), dtype=np.float64)
        nats[:, ::period, END] = -np.inf  # given that another note or rest begins
        return _tempered(nats, temperature)

    # A first pass finds the most probable duration after each melody, for the second.
    rows = np.arange(len(melodies))
    tokens[rows, sizes] = first + chances()[rows, sizes, first:after].argmax(axis=1)
    for part, (_, after_part) in enumerate(encoding.parts[1:], start=1):
        tokens[rows, np.array(sizes) + part] = after_part - 1  # any: what is read comes before it
    found = chances()
    onsets = encoding.ticks(tokens)
    return [
        _of_melody(
            encoding,
            placement.semitones,
            onsets[row, : size + 1 : period],
            found[row, : size + 1 : period, first:after],
            found[row, 1 : size + 2 : period, slice(*encoding.parts[1])],
        )
        for row, size in enumerate(sizes)
    ]


def _of_melody(
    encoding: NotesEncoding, semitones: int, onsets: NDArray[np.int64], durations: Floats, pitches: Floats
) -> NextNotes:
    """What is expected in one melody of notes.

    Args:
        encoding: of the tokens.
        semitones: from the pitches of the tokens to those of the melody.
        onsets: `(notes + 1,)` ticks of notes and rests, and of what comes after them.
        durations: `(notes + 1, durations)`, the probability of each.
        pitches: `(notes + 1, pitches + 1)`, the same of each pitch and of a rest, given the duration.
    """
    step, ticks = encoding.ticks_per_step, np.array(encoding.durations)
    steps = -(-int(onsets[-1]) // step)
    begins = np.append(onsets[:-1] // step, steps)
    hold, begun = np.zeros(steps + 1), np.zeros((steps + 1, pitches.shape[1]))
    for note, (onset, inside, until) in enumerate(zip(onsets, begins + 1, begins[1:], strict=False)):
        ends = (onset + ticks) // step
        lasts = np.array([durations[note, ends >= row].sum() for row in range(inside, until + 1)])
        hold[inside:until] = lasts[1:] / np.maximum(lasts[:-1], np.finfo(float).tiny)
        begun[inside:until] = pitches[note + 1]
    begun[begins] = pitches  # of several in one step the last
    begun *= np.maximum(1.0 - hold, 0.0)[:, None]  # a sum of probabilities may round to more than 1
    by_onset = {int(onset): row[:-1] for onset, row in zip(onsets, pitches, strict=True)}
    return NextNotes(encoding.low + semitones, step, begun[:, -1], hold, begun[:, :-1], by_onset)


def _tempered(log_probs: Floats, temperature: float) -> Floats:
    """Probabilities at a temperature."""
    with np.errstate(over="ignore"):  # a tiny temperature leaves only the most probable
        chances = np.exp((log_probs - log_probs.max(axis=-1, keepdims=True)) / temperature)
    return np.asarray(chances / chances.sum(axis=-1, keepdims=True))
