"""Harmonising: melodies with chords that a model of harmony finds for them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cantilena.io import write
from cantilena.models.harmony.harmoniser import Harmoniser
from cantilena.models.harmony.options import Every, Style
from cantilena.music import Melody, find_key
from cantilena.runtime import generator


@dataclass(frozen=True)
class HarmonisedMelody(Melody):
    """A melody with chords that were found for it.

    Args:
        log_likelihood: nats of the chords, among all sequences of chords for the melody.
    """

    log_likelihood: float = field(default=0.0, compare=False)

    def chords_json(self) -> list[dict[str, Any]]:
        """The chords as JSON, with Roman numerals in the key of the melody."""
        return self.chords.to_json(self.length, self.key)

    def save(self, path: str | Path, *, expressive: bool = False) -> None:
        """Write a .mid, .musicxml, .svg, .wav or .abc file with the chords, played with expression if `expressive`."""
        write(self, Path(path), expressive=expressive)


def harmonise(
    melody: Melody | str, n: int = 1, *, style: Style = "lied", every: Every = "beat", seed: int = 1
) -> list[HarmonisedMelody]:
    """Find chords for a melody, the most probable first.

    Args:
        melody: a melody, notes such as "C4 D4 E4/2", or the name of a file.
        n: how many, 1 to 100; the first does not depend on it.
        style: `chorale` or `lied`: whose harmony is imitated.
        every: `beat`, `half-bar` or `bar`: where chords may change.
        seed: the same seed gives the same chords.

    Raises:
        UsageError: the melody has no notes or too many bars, or an option is invalid.
        InputError: a file cannot be read.

    Examples:
        >>> best = harmonise("C4 E4 G4/2 F4 D4 C4/2", style="chorale", every="half-bar")[0]
        >>> str(best.chords[0][1]), str(best.chords[-1][1])
        ('C', 'C')
    """
    if isinstance(melody, str):
        from cantilena.generation.primer import read_melody_or_notes  # imports the readers of scores

        melody = read_melody_or_notes(melody)
    found = Harmoniser.shipped().harmonise(melody, n, style=style, every=every, rng=generator(seed, "harmonise"))
    given = {one.name: getattr(melody, one.name) for one in fields(Melody)}
    given["key"] = melody.key or find_key(melody)
    return [HarmonisedMelody(**{**given, "chords": one.chords}, log_likelihood=one.log_likelihood) for one in found]
