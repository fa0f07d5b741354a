"""Melodies as the codes of their windows, and what lies between two codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.options import ComposeOptions
from cantilena.generation.placement import Placement, tokens_within
from cantilena.models import Bars, MelodyVae
from cantilena.models.shipped import DEFAULT_VAE
from cantilena.music import Key, Melody, find_key, parse_pitch_range
from cantilena.tokenizers import Encoding

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer

Floats = NDArray[np.float32]

LONGEST = 4096
"""Steps of the longest melody that is taken into codes: 256 bars of 4/4."""

_PARALLEL = 1e-4
"""Codes whose directions differ by less, or by as little from opposite, are gone between in a straight line."""


@dataclass(frozen=True)
class CodedMelody:
    """A melody, and the codes of its windows.

    Args:
        melody: as it was given, its key found where it had none.
        placement: the same in the model's key: tokens, key, meter, pickup.
        codes: `(windows, latent)`: the means of q(z | x).
        folded: notes moved by octaves, for want of a token.
        rounded: notes moved in time to the grid.
        dropped: notes under the top of chords, or crushed on the grid: the codes know nothing of them.
    """

    melody: Melody
    placement: Placement
    codes: Floats
    folded: int
    rounded: int
    dropped: int

    @classmethod
    def of(cls, composer: Composer, melody: Melody, range_: str = "") -> CodedMelody:
        """The codes of a melody.

        Args:
            composer: has a VAE.
            melody: in any key and meter.
            range_: the lowest and highest new note.

        Raises:
            UsageError: another model, no notes, or too many.
        """
        vae = vae_of(composer)
        if not melody.sounding:
            raise UsageError("a melody without a note has no code", "give one with notes")
        step = composer.encoding.step_ticks
        if melody.length > LONGEST * step:
            raise UsageError(
                f"a melody of {melody.length // step} steps for a VAE",
                f"give {LONGEST} at the most, 256 bars of 4/4: cut it into parts",
            )
        idea = melody if melody.key else replace(melody, key=find_key(melody) or Key())
        placement, _ = composer.placed(ComposeOptions(range=range_), idea)
        if composer.plain_keys:
            placement = _as_learned(composer.encoding, placement, idea, range_)
        if not len(placement.primer):
            raise UsageError("a melody shorter than a step of the grid", "give one of a sixteenth or more")
        fit = composer.encoding.fit(idea.transposed(-placement.semitones))
        codes = vae.codes_of(placement.primer, placement.bars(composer.encoding, 1, 0))
        return cls(idea, placement, codes, fit.folded, fit.rounded, fit.dropped)

    @property
    def bars(self) -> int:
        """Whole and begun bars from the first barline on."""
        return max(-(-(len(self.placement.primer) - self.pickup) // self.steps_per_bar), 1)

    @property
    def steps_per_bar(self) -> int:
        """Steps in a bar."""
        return max(self.placement.meter.ticks_per_bar // self.placement.step_ticks, 1)

    @property
    def pickup(self) -> int:
        """Steps before the first barline."""
        return self.placement.pickup // self.placement.step_ticks

    def lost(self) -> dict[str, int]:
        """What the codes do not know: notes `folded`, `rounded` and `dropped`."""
        return {"folded": self.folded, "rounded": self.rounded, "dropped": self.dropped}


def _as_learned(encoding: Encoding, placement: Placement, idea: Melody, range_: str) -> Placement:
    """The same in the octave in which models of plain keys learn such a melody (`data/normalized_key.py`)."""
    from cantilena.data import semitones_to_plain  # which brings the readers of files

    pitches = [pitch for note in idea.sounding for pitch in note.pitches]
    struck = encoding.line(np.arange(len(encoding.vocabulary))[None, :]).pitch[0]
    low, high = int(struck[struck >= 0].min()), int(struck.max())
    moved = semitones_to_plain(pitches, idea.key, low=low, high=high)
    if not (min(pitches) + moved >= 0 and max(pitches) + moved <= 127):
        return placement
    within = parse_pitch_range(range_) if range_.strip() else None
    return replace(
        placement,
        primer=encoding.encode(idea.transposed(moved)),
        semitones=-moved,
        allowed=tokens_within(encoding, -moved, within),
    )


def vae_of(composer: Composer) -> MelodyVae:
    """The VAE that a composer has.

    Raises:
        UsageError: it has another model.
    """
    if not isinstance(composer.model, MelodyVae):
        raise UsageError(
            f"{composer.name or 'this model'} is no VAE, and only a VAE knows what lies between melodies",
            f"name one, such as {DEFAULT_VAE}, or train one: cantilena train --model vae",
        )
    return composer.model


def between(first: Floats, last: Floats, share: float) -> Floats:
    """The code a share of the way from one to another, along the sphere (White 2016, Sampling generative networks).

    Codes drawn from N(0, I) lie near a sphere around 0. A straight line leads through its inside, where next to no
    melody has its code; this way the directions turn evenly (spherical interpolation), and the length changes evenly.

    Args:
        first: `(windows, latent)`.
        last: the same.
        share: 0 to 1.

    Example:
        >>> halfway = between(np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]]), 0.5)
        >>> halfway.round(3).tolist()
        [[1.414, 1.414]]
    """
    lengths = [np.linalg.norm(code, axis=1, keepdims=True) for code in (first, last)]
    straight = (1.0 - share) * first + share * last
    cosine = (first * last).sum(axis=1, keepdims=True) / np.maximum(lengths[0] * lengths[1], 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    turns = (sine > _PARALLEL) & (lengths[0] > 1e-6) & (lengths[1] > 1e-6)
    safe = np.where(turns, sine, 1.0)
    directions = [code / np.maximum(length, 1e-6) for code, length in zip((first, last), lengths, strict=True)]
    turned = np.sin((1.0 - share) * angle) / safe * directions[0] + np.sin(share * angle) / safe * directions[1]
    found: Floats = np.where(turns, turned * ((1.0 - share) * lengths[0] + share * lengths[1]), straight)
    return found


def key_between(first: Key, last: Key, share: float) -> Key:
    """The key a share of the way from one to another along the circle of fifths, in the mode of the nearer.

    Args:
        first: at 0.
        last: at 1.
        share: 0 to 1.

    Example:
        >>> [key_between(Key.parse("C major"), Key.parse("A major"), share / 3).name for share in range(4)]
        ['C major', 'G major', 'D major', 'A major']
    """
    way = (last.fifths - first.fifths + 6) % 12 - 6
    nearer = first if share <= 0.5 else last
    fifths = first.fifths + round(share * way)
    return nearer.transposed(7 * (fifths - nearer.fifths))


def scale_of(vocabulary_pitches: NDArray[np.int64], key: Key, also: frozenset[int] = frozenset()) -> NDArray[np.bool_]:
    """`(vocabulary,)`: which tokens strike a note of a key, or none.

    Args:
        vocabulary_pitches: `(vocabulary,)`: what each token strikes, -1 for none.
        key: in which the model thinks.
        also: pitch classes that are welcome beside.
    """
    welcome = np.zeros(12, dtype=np.bool_)
    welcome[[*key.pitch_classes, *also]] = True
    kept: NDArray[np.bool_] = (vocabulary_pitches < 0) | welcome[vocabulary_pitches % 12]
    return kept


def same_bars(coded: CodedMelody, steps: int, pickup: int) -> tuple[Bars, int]:
    """Bars of one melody in the meter of another, and how many steps so many bars and a pickup are."""
    per_bar = coded.steps_per_bar
    bars = Bars(np.array([per_bar], dtype=np.int64), np.array([pickup], dtype=np.int64))
    return bars, pickup + steps * per_bar
