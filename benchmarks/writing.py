"""Time of writing a melody of 32 bars with chords, compared with the same melody without them.

    python benchmarks/writing.py

Each file is written by `cantilena.write` in this process, in turn with and without chords; the median of several rounds
counts. Chords are a track in MIDI, symbols in MusicXML and SVG, and an accompaniment in sound.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from cantilena.io import PATTERNS, Pattern, write
from cantilena.music import Chord, ChordTrack, Key, Melody

BARS = 32
PROGRESSION = ("C", "Am7", "Dm7", "G7", "C/E", "F", "G7sus4", "C")
PITCHES = (72, 74, 76, 79, 77, 76, 74, 71)
SUFFIXES = (".mid", ".musicxml", ".svg", ".wav")
ROUNDS = 7


def seconds_of(melody: Melody, path: Path, pattern: Pattern) -> float:
    """Return the wall time of writing one file."""
    started = time.perf_counter()
    write(melody, path, accompaniment=pattern)
    return time.perf_counter() - started


def main() -> None:
    """Run all measurements and print them."""
    eighths = [(PITCHES[(3 * place + place // 8) % len(PITCHES)], 12) for place in range(8 * BARS)]
    plain = Melody.from_pitches(eighths, key=Key())
    changes = ((48 * half, Chord.parse(PROGRESSION[half % len(PROGRESSION)])) for half in range(2 * BARS))
    chorded = replace(plain, chords=ChordTrack(tuple(changes)))
    with tempfile.TemporaryDirectory() as folder:
        for pattern in [one for one in PATTERNS if one != "none"]:
            totals = [0.0, 0.0]
            print(f"{pattern}: ms without and with chords, ratio")
            for suffix in SUFFIXES:
                path = Path(folder) / f"tune{suffix}"
                rounds = [[seconds_of(one, path, pattern) for one in (plain, chorded)] for _ in range(ROUNDS + 1)]
                without, with_chords = (1e3 * median(times) for times in zip(*rounds[1:], strict=True))
                totals = [totals[0] + without, totals[1] + with_chords]
                print(f"  {suffix:10} {without:8.1f} {with_chords:8.1f} {with_chords / without:6.2f}")
            print(f"  {'all':10} {totals[0]:8.1f} {totals[1]:8.1f} {totals[1] / totals[0]:6.2f}")


if __name__ == "__main__":
    main()
