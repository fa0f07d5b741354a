"""Measure the bands and the motif model of the rules in the built-in corpus.

    python scripts/measure_bands.py [FOLDER]

Writes `motif_model.toml` and `bands.toml` into FOLDER (by default that of `cantilena.rules`). Every melody is
transposed to C major or A minor and cut from its first barline on into excerpts of 2, 4, 8, 16 and 32 bars that do
not overlap.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cantilena.data import load_builtin
from cantilena.music import Key, Line, Melody, Meter, find_key
from cantilena.rules import RULE_SETS, Bands, Context, MotifModel, measure_bands
from cantilena.tokenizers import GridEncoding

RULES = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "rules"
BARS = (2, 4, 8, 16, 32)
GRID = GridEncoding(low=0, high=127)  # no note is folded


def corpus_rows(melodies: Sequence[Melody]) -> list[tuple[Melody, np.ndarray]]:
    """Each melody in C major or A minor, and its tokens from the first barline on."""
    rows = []
    for melody in melodies:
        key = melody.key or find_key(melody)
        if key is None:
            continue
        moved = melody.transposed(key.interval_to(key.plain))
        pickup = moved.pickup // GRID.ticks_per_step
        rows.append((moved, GRID.encode(moved)[pickup:]))
    return rows


def excerpts(rows: Sequence[tuple[Melody, np.ndarray]], bars: Sequence[int] = BARS) -> Iterator[tuple[Line, Context]]:
    """Excerpts that do not overlap, grouped by meter, mode and number of bars."""
    for length in bars:
        grouped: dict[tuple[Meter, Key], list[np.ndarray]] = {}
        for melody, tokens in rows:
            steps_per_bar = melody.meter.ticks_per_bar // GRID.ticks_per_step
            steps = length * steps_per_bar
            key = (melody.key or Key()).plain
            for start in range(0, len(tokens) - steps + 1, steps):
                grouped.setdefault((melody.meter, key), []).append(tokens[start : start + steps])
        for (meter, key), cut in grouped.items():
            yield GRID.line(np.stack(cut)), Context(key, meter, meter.ticks_per_bar // GRID.ticks_per_step)


def whole_lines(rows: Sequence[tuple[Melody, np.ndarray]]) -> Iterator[tuple[Line, Context]]:
    """Whole melodies as lines, grouped by mode and similar length."""
    by_length = sorted(rows, key=lambda row: len(row[1]))
    for first in range(0, len(by_length), 64):
        for key in (Key(0, "major"), Key(9, "minor")):
            some = [tokens for melody, tokens in by_length[first : first + 64] if (melody.key or Key()).plain == key]
            if some:
                lengths = np.array([len(tokens) for tokens in some])
                padded = np.ones((len(some), int(lengths.max())), dtype=np.int64)
                for row, tokens in enumerate(some):
                    padded[row, : len(tokens)] = tokens
                yield GRID.line(padded, length=lengths), Context(key)


def main(folder: Path) -> None:
    """Measure and write both files."""
    corpus = load_builtin("tunes")
    rows = corpus_rows([melody for split in ("train", "valid", "test") for melody in corpus.melodies(split)])
    header = f"# Measured by scripts/measure_bands.py on {len(rows)} melodies of the built-in corpus.\n"
    model = MotifModel.measured(whole_lines(rows))
    (folder / "motif_model.toml").write_text(
        header + "# Surprisals in hundredths of a bit: see MotifModel.\n" + model.to_toml(), encoding="utf-8"
    )
    bands: Bands = measure_bands(RULE_SETS["cantilena"], excerpts(rows))
    (folder / "bands.toml").write_text(
        header + "# By meter: [bars, 10th percentile, 90th percentile, standard deviation].\n\n" + bands.to_toml(),
        encoding="utf-8",
    )
    for name in ("motif_model.toml", "bands.toml"):
        print(f"{name}: {(folder / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RULES)
