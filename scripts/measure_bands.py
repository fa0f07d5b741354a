"""Measure people's level: the bands and shares of the rules, and the motif model, in the built-in corpus.

    python scripts/measure_bands.py [FOLDER]
    python scripts/measure_bands.py --motifs [FOLDER]
    python scripts/measure_bands.py --chords lieder.arrow chorales [--note TEXT] [FOLDER]

The first writes `bands.toml` into FOLDER (by default that of `cantilena.rules`) and leaves the bands of harmony as they
are; the last writes these alone, from the melodies with chord symbols of corpora, by name or as files. Both measure the
leads of the training part: tuning and evaluation compare with leads, and held-out melodies measure the result. The
second writes `motif_model.toml`, from all melodies.

Every melody is transposed to C major or A minor, or to the mode's own key without accidentals, and cut from its first
barline on into excerpts of 2, 4, 8, 16 and 32 bars that do not overlap. How people open is measured at the beginnings
of melodies alone, how they close at their ends.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np

from cantilena.data import SPLITS, Corpus, load_builtin, open_corpus
from cantilena.models import LEAD
from cantilena.music import ChordTrack, Key, Line, Melody, Meter, find_key
from cantilena.rules import RULE_SETS, Bands, Context, MotifModel, events_of, measure_bands
from cantilena.workflows.data import role_of
from cantilena.workflows.evaluate.melody_sets import GRID, line_of

RULES = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "rules"
BARS = (2, 4, 8, 16, 32)
OVER_CHORDS = "# Over chords: "  # begins the part of bands.toml with the bands of harmony

Place = Literal["anywhere", "start", "end"]

PLACES: dict[str, Place] = {"opening": "start", "cadence": "end"}
"""Where in melodies the events of a rule are measured, if not anywhere."""

Row = tuple[Melody, np.ndarray, str]
"""A melody, its tokens from the first barline on, and its style."""


def corpus_rows(melodies: Iterable[Melody], styles: Iterable[str] = repeat("")) -> list[Row]:
    """Each melody in the key without accidentals, its tokens from the first barline on, and its style."""
    rows = []
    for melody, style in zip(melodies, styles, strict=False):
        key = melody.key or find_key(melody)
        if key is None:
            continue
        moved = melody.transposed(key.interval_to(key.plain))
        pickup = moved.pickup // GRID.ticks_per_step
        rows.append((moved, GRID.encode(moved)[pickup:], style))
    return rows


def training_leads(corpus: Corpus) -> list[Row]:
    """The leads of the training part; their style is the collection, or the corpus if it is a user's."""
    part, own = corpus.split("train"), {"scores": corpus.manifest.name}
    leads = [
        (melody, own.get(style, style))
        for melody, style in zip(part.melodies(), part.column("collection"), strict=True)
        if role_of(melody) == LEAD
    ]
    return corpus_rows([melody for melody, _ in leads], [style for _, style in leads])


def excerpts(
    rows: Sequence[Row], bars: Sequence[int] = BARS, place: Place = "anywhere"
) -> Iterator[tuple[Line, Context]]:
    """Excerpts that do not overlap, grouped by meter, key, style and number of bars; one of a melody at its ends.

    Those at the end have the last bar of the melody, which may be incomplete.
    """
    step = GRID.ticks_per_step
    for length in bars:
        grouped: dict[tuple[Meter, Key, str], list[tuple[np.ndarray, ChordTrack]]] = {}
        for melody, tokens, style in rows:
            bar = melody.meter.ticks_per_bar // step
            steps, pickup = length * bar, melody.pickup // step
            starts = range(0, len(tokens) - steps + 1, steps)
            if place == "end":
                first = (-(-len(tokens) // bar) - length) * bar
                starts = range(max(first, 0), first + 1)
            for start in starts[: 1 if place == "start" else None]:
                chords = melody.chords.between((pickup + start) * step, (pickup + start + steps) * step)
                part = grouped.setdefault((melody.meter, (melody.key or Key()).plain, style), [])
                part.append((tokens[start : start + steps], chords))
        for (meter, key, style), cut in grouped.items():
            line = line_of([tokens for tokens, _ in cut]).with_chords([chords for _, chords in cut], step)
            yield line, Context(key, meter, meter.ticks_per_bar // step, style=style)


def whole_lines(rows: Sequence[Row]) -> Iterator[tuple[Line, Context]]:
    """Whole melodies as lines, grouped by mode and similar length."""
    by_length = sorted(rows, key=lambda row: len(row[1]))
    for first in range(0, len(by_length), 64):
        for key in (Key(0, "major"), Key(9, "minor")):
            some = [tokens for melody, tokens, _ in by_length[first : first + 64] if (melody.key or Key()).plain == key]
            if some:
                yield line_of(some), Context(key)


HEADER = """# Measured by scripts/measure_bands.py on {count} leads of the training part of the built-in corpus.
# By meter, mode and style (collection): [bars, 10th percentile, 90th percentile, standard deviation, mean, excerpts],
# of events, in tables shares.NAME: [bars, share of melodies, excerpts].

"""


def main(folder: Path) -> None:
    """Measure the bands and the shares, and write them; the bands of harmony stay."""
    rows, rules = training_leads(load_builtin("tunes")), RULE_SETS["cantilena"].without_chords()
    elsewhere = rules.only(*(name for name in rules.names if name not in PLACES))
    bands = measure_bands(elsewhere, excerpts(rows))
    for name, place in PLACES.items():
        bands = bands.merged(measure_bands(rules.only(name), excerpts(rows, place=place)))
    ordered = Bands(bands.table, {name: bands.shares[name] for name in events_of(rules)})
    harmony = "".join((folder / "bands.toml").read_text(encoding="utf-8").partition(OVER_CHORDS)[1:])
    write_bands(folder, HEADER.format(count=len(rows)) + ordered.to_toml(), harmony)


def main_motifs(folder: Path) -> None:
    """Measure the motif model of all melodies, and write it."""
    rows = corpus_rows([melody for split in SPLITS for melody in load_builtin("tunes").melodies(split)])
    header = f"# Measured by scripts/measure_bands.py on {len(rows)} melodies of the built-in corpus.\n"
    text = header + "# Surprisals in hundredths of a bit: see MotifModel.\n"
    (folder / "motif_model.toml").write_text(text + MotifModel.measured(whole_lines(rows)).to_toml(), encoding="utf-8")


def main_over_chords(folder: Path, names: Sequence[str], note: str = "") -> None:
    """Measure the bands of harmony, and replace those in the file."""
    rows = [row for name in names for row in training_leads(open_corpus(name)) if _has_chords(row[0])]
    rules = RULE_SETS["cantilena"]
    rules = replace(rules, rules=tuple(rule for rule in rules.rules if rule.needs_chords))
    where = ", ".join(Path(name).stem for name in names)
    header = (
        f"{OVER_CHORDS}{len(rows)} leads with chords of the training parts of {where}{f'; {note}' if note else ''}."
    )
    before = (folder / "bands.toml").read_text(encoding="utf-8").partition(OVER_CHORDS)[0]
    write_bands(folder, before, f"{header}\n\n{measure_bands(rules, excerpts(rows)).to_toml()}")


def _has_chords(melody: Melody) -> bool:
    return any(chord.root is not None for _, chord in melody.chords)


def write_bands(folder: Path, *parts: str) -> None:
    """Write the parts of bands.toml, those of all melodies and those over chords."""
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    (folder / "bands.toml").write_text(text + "\n", encoding="utf-8")
    print(f"bands.toml: {(folder / 'bands.toml').stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=RULES)
    parser.add_argument("--chords", nargs="+", metavar="CORPUS", help="corpora whose melodies have chords")
    parser.add_argument("--note", default="", help="a remark on these corpora for the file")
    parser.add_argument("--motifs", action="store_true", help="measure the motif model")
    given = parser.parse_args()
    if given.chords:
        main_over_chords(given.folder, given.chords, given.note)
    elif given.motifs:
        main_motifs(given.folder)
    else:
        main(given.folder)
