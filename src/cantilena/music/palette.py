"""The chords that a key offers: its own, those of the parallel mode, and dominants of its other degrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.music.chord import CHORD_TONES, Chord
from cantilena.music.key import Key

Origin = Literal["diatonic", "borrowed", "applied dominant"]
"""Where a chord of a palette comes from."""

_TRIADS = ("maj", "min", "dim", "aug")


@dataclass(frozen=True, slots=True)
class PaletteChord:
    """A chord that a key offers.

    Args:
        chord: the chord.
        origin: `diatonic`; `borrowed` from the parallel key; or `applied dominant`, the dominant seventh of a degree.
    """

    chord: Chord
    origin: Origin

    def roman(self, key: Key) -> str:
        """The Roman numeral in a key, of an applied dominant with the degree that it leads to.

        Examples:
            >>> key = Key.parse("C major")
            >>> [one.roman(key) for one in chord_palette(key) if one.origin == "applied dominant"]
            ['V7/ii', 'V7/iii', 'V7/IV', 'V7/V', 'V7/vi']
        """
        if self.origin != "applied dominant" or self.chord.root is None:
            return self.chord.roman(key)
        led_to = (self.chord.root + 5) % 12
        return f"V7/{next(triad for triad in _triads(key) if triad.root == led_to).roman(key)}"


def chord_palette(key: Key) -> list[PaletteChord]:
    """The chords that a key offers: triads of its scale, its dominant seventh, borrowed triads, applied dominants.

    Keys with a minor third get the dominant with the raised leading tone too. Borrowed triads are those of the
    parallel minor of a key with a major third, else those of the parallel major. Applied dominants lead to the
    diatonic major and minor triads other than the tonic.

    Args:
        key: the key.

    Examples:
        >>> palette = chord_palette(Key.parse("C major"))
        >>> [one.chord.symbol(Key.parse("C major")) for one in palette if one.origin == "diatonic"]
        ['C', 'Dm', 'Em', 'F', 'G', 'Am', 'Bdim', 'G7']
        >>> [one.chord.roman(Key.parse("C major")) for one in palette if one.origin == "borrowed"]
        ['i', 'ii°', 'bIII', 'iv', 'v', 'bVI', 'bVII']
    """
    own = _triads(key)
    dominant = (key.tonic + 7) % 12
    diatonic = [*own, *([Chord(dominant)] if key.is_minor else []), Chord(dominant, "7")]
    parallel = Key(key.tonic, "major" if key.is_minor else "minor")
    applied = [
        Chord((chord.root + 7) % 12, "7")
        for chord in own[1:]
        if chord.root is not None and chord.quality in ("maj", "min")
    ]
    palette: list[PaletteChord] = []
    origins: tuple[tuple[Origin, list[Chord]], ...] = (
        ("diatonic", diatonic),
        ("borrowed", _triads(parallel)),
        ("applied dominant", applied),
    )
    for origin, chords in origins:
        known = {one.chord for one in palette}
        palette += [PaletteChord(chord, origin) for chord in dict.fromkeys(chords) if chord not in known]
    return palette


def _triads(key: Key) -> list[Chord]:
    """The triads of a scale, from the tonic upwards."""
    scale = sorted((pitch_class - key.tonic) % 12 for pitch_class in key.pitch_classes)
    triads = []
    for step in range(7):
        third, fifth = (((scale[(step + up) % 7] - scale[step]) % 12) for up in (2, 4))
        quality = next(name for name in _TRIADS if CHORD_TONES[name] == (0, third, fifth))
        triads.append(Chord((key.tonic + scale[step]) % 12, quality))
    return triads
