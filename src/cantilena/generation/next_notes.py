"""What a model expects next: the probability of each pitch at each step of a melody, and of the notes that came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.composer import Composer
from cantilena.generation.composition import Composition
from cantilena.generation.options import ComposeOptions
from cantilena.generation.placement import Placement
from cantilena.models import MelodyVae, log_probs_in_bars, numpy_of
from cantilena.music import Melody
from cantilena.tokenizers import Encoding

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NextNotes:
    """Probabilities of what comes next in one melody, at its own pitch.

    Args:
        low: the lowest pitch that the model knows, MIDI number, moved to where the melody lies.
        step_ticks: ticks a step.
        off: `(steps + 1,)`, that what sounds ends.
        hold: `(steps + 1,)`, that what is goes on.
        pitches: `(steps + 1, pitches)`, that each pitch from `low` on is struck; of a chord its top note. Row t is
            given the steps before t; the last row is what may come after the melody.
    """

    low: int
    step_ticks: int
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
        """The probability of each note of a melody that begins with the first step; 0 where it is out of range."""
        chances = []
        for note in melody.sounding:
            row, column = note.onset // self.step_ticks, note.top - self.low
            inside = row < len(self.pitches) and 0 <= column < self.pitches.shape[1]
            chances.append(float(self.pitches[row, column]) if inside else 0.0)
        return chances


def next_notes(composer: Composer, melody: Melody, *, style: str = "", temperature: float = 1.0) -> NextNotes:
    """What a model expects at each step of a melody; a VAE, given the melody's own codes.

    Args:
        composer: the model with its encoding.
        melody: what has sounded; as the model can say it.
        style: as for `Composer.compose`.
        temperature: above 1 flattens the probabilities, below 1 sharpens them.

    Raises:
        UsageError: a temperature that is none, a style that the model does not know.

    Example:
        >>> from cantilena.generation import load
        >>> expected = next_notes(load("tunes"), Melody.of([(60, 12), (62, 12), (64, 24)]))
        >>> expected.pitches.shape[0], bool(expected.off[-1] + expected.hold[-1] + expected.pitches[-1].sum() > 0.999)
        (9, True)
    """
    if not 0.0 < temperature <= 100.0:
        raise UsageError(f"temperature {temperature:g}", "give a number above 0, up to 100; 1 is the model's own")
    options = ComposeOptions(style=style, key=melody.key.name if melody.key else "", meter=str(melody.meter))
    placement, number = composer.placed(options, melody)
    tokens = np.append(placement.primer, 0)[None, :]
    return _of_tokens(composer, placement, tokens, number, temperature)[0]


def drawn_notes(
    composer: Composer, compositions: list[Composition], options: ComposeOptions, idea: Melody | None
) -> list[list[float | None]]:
    """How probable each sounding note of some compositions was under the model, None for those of the primer.

    Args:
        composer: what composed them.
        compositions: from one call of `compose_many`.
        options: of that call.
        idea: of that call.

    Example:
        >>> from cantilena.generation import load
        >>> composer, options = load("tunes"), ComposeOptions(bars=2)
        >>> tunes = composer.compose_many(2, options, seed=1)
        >>> [len(chances) == len(tune.sounding) for chances, tune in
        ...  zip(drawn_notes(composer, tunes, options, None), tunes)]
        [True, True]
    """
    placement, number = composer.placed(options, idea)
    index = {name: token for token, name in enumerate(composer.encoding.vocabulary)}
    rows = np.array([[index[name] for name in one.tokens] for one in compositions], dtype=np.int64)
    before = np.tile(placement.primer, (len(rows), 1))
    tokens = np.concatenate([before, rows, np.zeros((len(rows), 1), dtype=np.int64)], axis=1)
    lead = len(placement.primer) * placement.step_ticks
    expected = _of_tokens(composer, placement, tokens, number, 1.0)
    if placement.with_primer:
        return [
            [None if note.onset < lead else chance for note, chance in zip(one.sounding, chances.of(one), strict=True)]
            for one, chances in zip(compositions, expected, strict=True)
        ]
    after = [one.after(len(placement.primer)) for one in expected]
    return [[*chances.of(one)] for one, chances in zip(compositions, after, strict=True)]


def _of_tokens(
    composer: Composer, placement: Placement, tokens: NDArray[np.int64], style: int, temperature: float
) -> list[NextNotes]:
    """What is expected at each of `(melodies, steps)` tokens, given those before it."""
    encoding = composer.encoding
    bars = placement.bars(encoding, len(tokens), style)
    model = composer.model
    if isinstance(model, MelodyVae):
        model = model.remembering(tokens, bars)
    log_probs = np.asarray(numpy_of(log_probs_in_bars(model, tokens, bars)), dtype=np.float64)
    with np.errstate(over="ignore"):  # next to no temperature leaves the most probable alone
        chances = np.exp((log_probs - log_probs.max(axis=-1, keepdims=True)) / temperature)
    chances /= chances.sum(axis=-1, keepdims=True)
    tops = _tops(encoding)
    struck = np.flatnonzero(tops >= 0)
    low, high = int(tops[struck].min()), int(tops[struck].max())
    onto = np.zeros((len(tops), high - low + 1))
    onto[struck, tops[struck] - low] = 1.0
    silent = [token for token in np.flatnonzero(tops < 0) if encoding.vocabulary[token] != "hold"]
    held = [token for token in np.flatnonzero(tops < 0) if encoding.vocabulary[token] == "hold"]
    pitches, off, hold = chances @ onto, chances[..., silent].sum(axis=-1), chances[..., held].sum(axis=-1)
    return [
        NextNotes(low + placement.semitones, encoding.step_ticks, off[row], hold[row], pitches[row])
        for row in range(len(tokens))
    ]


@lru_cache(maxsize=16)
def _tops(encoding: Encoding) -> NDArray[np.int64]:
    """The pitch that each token strikes, of a chord its top note; -1 where it strikes none."""
    sounding = (encoding.decode(np.array([token])).sounding for token in range(len(encoding.vocabulary)))
    return np.array([notes[0].top if notes else -1 for notes in sounding], dtype=np.int64)
