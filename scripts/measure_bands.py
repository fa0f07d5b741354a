"""Measure the bands and the motif model of the rules in the built-in corpus, and those of harmony where chords are.

    python scripts/measure_bands.py [FOLDER]
    python scripts/measure_bands.py --chords lieder.arrow chorales.arrow [--note TEXT] [FOLDER]

The first writes `motif_model.toml` and `bands.toml` into FOLDER (by default that of `cantilena.rules`) and leaves the
bands of harmony as they are. The second writes these alone, from the leads with chord symbols of corpora, by name or
as files. Every melody is transposed to C major or A minor and cut from its first barline on into excerpts of 2, 4, 8,
16 and 32 bars that do not overlap.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cantilena.data import load_builtin, open_corpus
from cantilena.models import LEAD
from cantilena.music import ChordTrack, Key, Line, Melody, Meter, find_key
from cantilena.rules import RULE_SETS, Bands, Context, MotifModel, measure_bands
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.data import role_of_source

RULES = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "rules"
BARS = (2, 4, 8, 16, 32)
GRID = GridEncoding(low=0, high=127)  # no note is folded
OVER_CHORDS = "# Over chords: "  # begins the part of bands.toml with the bands of harmony


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
    step = GRID.ticks_per_step
    for length in bars:
        grouped: dict[tuple[Meter, Key], list[tuple[np.ndarray, ChordTrack]]] = {}
        for melody, tokens in rows:
            steps = length * (melody.meter.ticks_per_bar // step)
            key, pickup = (melody.key or Key()).plain, melody.pickup // step
            for start in range(0, len(tokens) - steps + 1, steps):
                chords = melody.chords.between((pickup + start) * step, (pickup + start + steps) * step)
                grouped.setdefault((melody.meter, key), []).append((tokens[start : start + steps], chords))
        for (meter, key), cut in grouped.items():
            line = GRID.line(np.stack([tokens for tokens, _ in cut])).with_chords([chords for _, chords in cut], step)
            yield line, Context(key, meter, meter.ticks_per_bar // step)


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
    """Measure and write both files; the bands of harmony stay."""
    corpus = load_builtin("tunes")
    rows = corpus_rows([melody for split in ("train", "valid", "test") for melody in corpus.melodies(split)])
    header = f"# Measured by scripts/measure_bands.py on {len(rows)} melodies of the built-in corpus.\n"
    model = MotifModel.measured(whole_lines(rows))
    (folder / "motif_model.toml").write_text(
        header + "# Surprisals in hundredths of a bit: see MotifModel.\n" + model.to_toml(), encoding="utf-8"
    )
    bands: Bands = measure_bands(RULE_SETS["cantilena"].without_chords(), excerpts(rows))
    text = header + "# By meter: [bars, 10th percentile, 90th percentile, standard deviation].\n\n" + bands.to_toml()
    write_bands(folder, text, "".join((folder / "bands.toml").read_text(encoding="utf-8").partition(OVER_CHORDS)[1:]))
    for name in ("motif_model.toml", "bands.toml"):
        print(f"{name}: {(folder / name).stat().st_size:,} bytes")


def main_over_chords(folder: Path, names: Sequence[str], note: str = "") -> None:
    """Measure the bands of harmony, and replace those in the file."""
    melodies = [
        melody
        for name in names
        for melody in open_corpus(name)
        if role_of_source(melody.source) == LEAD and any(chord.root is not None for _, chord in melody.chords)
    ]
    rows, rules = corpus_rows(melodies), RULE_SETS["cantilena"]
    rules = replace(rules, rules=tuple(rule for rule in rules.rules if rule.needs_chords))
    where = ", ".join(Path(name).stem for name in names)
    header = f"{OVER_CHORDS}{len(rows)} melodies with chords of {where}{f'; {note}' if note else ''}.\n\n"
    before = (folder / "bands.toml").read_text(encoding="utf-8").partition(OVER_CHORDS)[0]
    write_bands(folder, before, header + measure_bands(rules, excerpts(rows)).to_toml())
    print(f"{len(rows)} melodies with chords of {where}")


def write_bands(folder: Path, *parts: str) -> None:
    """Write the parts of bands.toml, those of all melodies and those over chords."""
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    (folder / "bands.toml").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=RULES)
    parser.add_argument("--chords", nargs="+", metavar="CORPUS", help="corpora whose melodies have chords")
    parser.add_argument("--note", default="", help="a remark on these corpora for the file")
    given = parser.parse_args()
    if given.chords:
        main_over_chords(given.folder, given.chords, given.note)
    else:
        main(given.folder)
