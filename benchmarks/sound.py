"""Speed of synthesising a piano note by blocks, compared with one wave after the other, and of rendering melodies.

    python benchmarks/sound.py

Both run in this process on the same notes, in turn, and their samples are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from cantilena.io.sound.files import wav_bytes
from cantilena.io.sound.names import InstrumentName
from cantilena.io.sound.piano import string
from cantilena.io.sound.render import _ringing_note, render, render_note
from cantilena.io.sound.synthesis import RATE, Sines, synthesize
from cantilena.music import Melody

PITCHES = range(48, 84, 5)
SECONDS = 2
REPEATS = 5


def naive_sum(sines: Sines, samples: int, rate: int) -> NDArray[np.float64]:
    """Compute a sine and an exponential for each wave at each sample."""
    t = np.arange(samples) / rate
    total = np.zeros(samples)
    for frequency, decay, amplitude, phase in zip(
        sines.frequency, sines.decay, sines.amplitude, sines.phase, strict=True
    ):
        total += amplitude * np.exp(-decay * t) * np.sin(2 * np.pi * frequency * t + phase)
    return total


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Run all measurements and print them."""
    notes, samples = [string(pitch, 80) for pitch in PITCHES], SECONDS * RATE
    error = max(float(np.abs(naive_sum(note, samples, RATE) - synthesize(note, samples, RATE)).max()) for note in notes)
    naive, blocks = [], []
    for _ in range(REPEATS):
        naive.append(seconds_of(lambda: [naive_sum(note, samples, RATE) for note in notes]) / len(notes))
        blocks.append(seconds_of(lambda: [synthesize(note, samples, RATE) for note in notes]) / len(notes))
    print(f"a note of {SECONDS} s, {np.mean([len(note.decay) for note in notes]):.0f} waves:")
    print(f"  one wave after the other  {1e3 * median(naive):7.1f} ms")
    print(f"  by blocks                 {1e3 * median(blocks):7.1f} ms")
    print(f"  ratio                     {median(n / b for n, b in zip(naive, blocks, strict=True)):7.1f}")
    print(f"  greatest difference       {error:.1e}")

    rng = np.random.default_rng(0)
    melody = Melody.from_pitches([(int(pitch), 15) for pitch in rng.integers(55, 80, 96)])
    first = seconds_of(lambda: render(melody))
    again = median(seconds_of(lambda: render(melody)) for _ in range(REPEATS))
    file = median(seconds_of(lambda: wav_bytes(melody)) for _ in range(REPEATS))
    print(f"a melody of {melody.seconds:.0f} s and {len(melody.notes)} notes:")
    print(f"  first                     {1e3 * first:7.1f} ms")
    print(f"  with its notes cached     {1e3 * again:7.1f} ms")
    print(f"  as the bytes of a file    {1e3 * file:7.1f} ms")

    print("16 bars by each instrument, no note cached: times faster than it sounds")
    for name in get_args(InstrumentName):
        render_note(60, instrument=name)
        _ringing_note.cache_clear()
        seconds = seconds_of(partial(render, melody, instrument=name))
        print(f"  {name:25} {melody.seconds / seconds:7.1f}")


if __name__ == "__main__":
    main()
