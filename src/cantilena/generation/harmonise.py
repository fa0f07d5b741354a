"""Harmonising: melodies with chords that a model of harmony finds for them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cantilena.io import write
from cantilena.models.harmony.harmoniser import Harmoniser
from cantilena.models.harmony.options import Every, Style
from cantilena.music import Every as Position
from cantilena.music import Melody, find_key
from cantilena.runtime import generator

if TYPE_CHECKING:
    from cantilena.data import ReadLimits, ScoreChords


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


def score_chords(path: Path | str, limits: ReadLimits | None = None, position: Position = "half-beat") -> ScoreChords:
    """The chords of a score: as written, as its parts imply, or found for a melody alone.

    Args:
        path: a file, or one tune of a book, as for `cantilena.data.read_melody`.
        limits: what reading may take.
        position: where chords may change that are not written; over a melody alone at beats at most.

    Raises:
        ScoreError: it cannot be read, has no notes, or is too long.
        UsageError: what follows the name of a book names no tune.
    """
    from cantilena.data import ReadLimits, read_chords, read_melody  # imports the readers of scores

    limits = limits or ReadLimits()
    found = read_chords(path, limits, position)
    if found.source != "melody":
        return found
    melody = replace(read_melody(path, limits.read_options()), key=found.key)
    track = harmonise(melody, every="beat" if position == "half-beat" else position)[0].chords
    return replace(found, track=track)
