"""What a model expects next: the probability of each pitch at each step of a melody, and of its notes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.generation.composer import Composer
from cantilena.generation.composition import Composition
from cantilena.generation.options import ComposeOptions, SamplingOptions
from cantilena.generation.placement import Placement
from cantilena.generation.primer import primer_of
from cantilena.models import MelodyVae, log_probs_with_bars, to_numpy
from cantilena.music import Melody
from cantilena.tokenizers import token_pitches

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
    """

    low: int
    ticks_per_step: int
    off: Floats
    hold: Floats
    pitches: Floats

    @property
    def high(self) -> int:
        """The highest pitch."""
        return self.low + int(self.pitches.shape[1]) - 1

    def after(self, steps: int) -> NextNotes:
        """The same from a later step on."""
        return replace(self, off=self.off[steps:], hold=self.hold[steps:], pitches=self.pitches[steps:])

    def of(self, melody: Melody) -> list[float]:
        """The probability of each note of a melody that begins at the first step; 0 if it is out of range."""
        probabilities = []
        for note in melody.sounding:
            row, column = note.onset // self.ticks_per_step, note.top - self.low
            inside = row < len(self.pitches) and 0 <= column < self.pitches.shape[1]
            probabilities.append(float(self.pitches[row, column]) if inside else 0.0)
        return probabilities


def next_notes(composer: Composer, melody: Melody, *, style: str = "", temperature: float = 1.0) -> NextNotes:
    """What a model expects at each step of a melody; a VAE, given the codes of the melody.

    Args:
        composer: the model.
        melody: as the encoding represents it.
        style: as for `Composer.compose`.
        temperature: above 1 flattens the probabilities, below 1 sharpens them.

    Raises:
        UsageError: the temperature or the style is invalid.

    Examples:
        >>> from cantilena.generation import load
        >>> expected = next_notes(load("tunes"), Melody.from_pitches([(60, 12), (62, 12), (64, 24)]))
        >>> expected.pitches.shape[0], bool(expected.off[-1] + expected.hold[-1] + expected.pitches[-1].sum() > 0.999)
        (9, True)
    """
    sampling = SamplingOptions(temperature)
    options = ComposeOptions(style=style, key=melody.key or "", meter=str(melody.meter))
    placement = composer.place(options, melody)
    tokens = np.append(placement.primer, 0)[None, :]
    return _expected(composer, placement, tokens, sampling.temperature)[0]


def note_probabilities(
    composer: Composer, compositions: list[Composition], options: ComposeOptions
) -> list[list[float | None]]:
    """The probability of each sounding note of the results of one call of `compose_many`; None for those of the primer.

    Examples:
        >>> from cantilena.generation import load
        >>> composer, options = load("tunes"), ComposeOptions(bars=2)
        >>> tunes = composer.compose_many(2, options, seed=1)
        >>> [len(chances) == len(tune.sounding) for chances, tune in
        ...  zip(note_probabilities(composer, tunes, options), tunes)]
        [True, True]
    """
    placement = composer.place(options, primer_of(options))
    index = {name: token for token, name in enumerate(composer.encoding.vocabulary)}
    rows = np.array([[index[name] for name in one.tokens] for one in compositions], dtype=np.int64)
    before = np.tile(placement.primer, (len(rows), 1))
    tokens = np.concatenate([before, rows, np.zeros((len(rows), 1), dtype=np.int64)], axis=1)
    expected = _expected(composer, placement, tokens, 1.0)
    if not placement.with_primer:
        after = [one.after(len(placement.primer)) for one in expected]
        return [[*one.of(composition)] for composition, one in zip(compositions, after, strict=True)]
    lead = len(placement.primer) * placement.ticks_per_step
    return [
        [None if note.onset < lead else p for note, p in zip(composition.sounding, one.of(composition), strict=True)]
        for composition, one in zip(compositions, expected, strict=True)
    ]


def _expected(
    composer: Composer, placement: Placement, tokens: NDArray[np.int64], temperature: float
) -> list[NextNotes]:
    """What is expected at each of `(melodies, steps)` tokens, given those before it."""
    encoding, bars, model = composer.encoding, placement.bars(len(tokens)), composer.model
    if isinstance(model, MelodyVae):
        model = model.decoder_of(tokens, bars)
    log_probs = np.asarray(to_numpy(log_probs_with_bars(model, tokens, bars)), dtype=np.float64)
    with np.errstate(over="ignore"):  # a tiny temperature leaves only the most probable
        chances = np.exp((log_probs - log_probs.max(axis=-1, keepdims=True)) / temperature)
    chances /= chances.sum(axis=-1, keepdims=True)
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
