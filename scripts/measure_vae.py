"""Compare a VAE with the LSTM and the n-gram on the same held-out windows, and write the tables of docs/vae.md.

    python scripts/measure_vae.py [MODEL] [--codes 64] [--draw]

MODEL is a VAE of the tunes, by default `tunes-vae`. The baselines are the network of `tunes` without conditions, and
n-grams of the same training pieces. A window is scored alone, as the VAE scores it, and as part of its whole piece,
whose past a VAE of windows does not see. With --draw an interpolation between two melodies is drawn too.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from cantilena.data import load_builtin
from cantilena.generation import Composer, Composition, load, read_melody_or_notes
from cantilena.models import (
    Bundle,
    MelodyVae,
    NGram,
    Sequences,
    Windows,
    bound,
    find_bundle,
    likelihood,
    reconstruction,
)
from cantilena.runtime import generator
from cantilena.workflows.data import EncodedCorpus, encode_on_grid
from document_tables import between

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIRST = "G4/8 A4/8 B4 D5 B4 G4/2 A4 B4 C5/8 B4/8 A4 B4/2 G4/2"
LAST = "E5 D5/8 C5/8 A4/2 C5 A4/8 G4/8 E4/2 G4/8 A4/8 C5 D5 E5 C5/1"
AMOUNTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
VARIED = 40


def bounds(vae: MelodyVae, material: EncodedCorpus, codes: int) -> list[str]:
    """The table of nats per step: rows of Markdown."""
    whole = {name: getattr(material, name).sequences.without_conditions() for name in ("train", "valid", "test")}
    cut = {name: Windows.from_sequences(pieces, vae.options.bars).sequences for name, pieces in whole.items()}
    result, size = bound(vae, cut["test"], codes, generator(1, "measure", "bound")), len(material.encoding.vocabulary)
    lstm = Bundle.load(find_bundle("tunes")).model()
    ngrams = [NGram.fit(some["train"].tokens, size).tune(some["valid"].tokens) for some in (cut, whole)]
    alone, in_piece = (likelihood(one, some["test"]) for one, some in zip(ngrams, (cut, whole), strict=True))
    without_copies = NGram.fit(cut["train"].tokens, size).plain()
    rows = [
        ("VAE, ELBO (at most)", result.per_step(result.elbo), None),
        (f"VAE, importance-weighted by {codes} codes (at most)", result.per_step(result.weighted), None),
        ("LSTM `tunes`", likelihood(lstm, cut["test"]).nats_per_step, likelihood(lstm, whole["test"]).nats_per_step),
        ("n-gram with copies", alone.nats_per_step, in_piece.nats_per_step),
        ("n-gram without copies", likelihood(without_copies, cut["test"]).nats_per_step, None),
    ]
    kl = result.divergence.mean()
    return [
        f"| {len(cut['test']):,} test windows, {cut['test'].steps:,} steps | a window alone | in its piece |",
        "|---|---|---|",
        *(f"| {name} | {one:.3f} | {f'{other:.3f}' if other is not None else '–'} |" for name, one, other in rows),
        "",
        f"Codes carry {kl:.1f} nats per window; {result.active:.0%} of their dimensions are active.",
    ]


def some_of(windows: Sequences, rows: NDArray[np.int64]) -> Sequences:
    """Some of the windows."""
    return Sequences(tuple(windows.tokens[row] for row in rows), windows.bars[rows])


def reconstructions(vae: MelodyVae, material: EncodedCorpus) -> list[str]:
    """The table of exact reconstructions, by the length of a window in bars."""
    parts = {}
    for name, words in (("train", "2,000 training windows"), ("valid", "validation"), ("test", "test")):
        windows = Windows.from_sequences(
            getattr(material, name).sequences.without_conditions(), vae.options.bars
        ).sequences
        rows = np.arange(len(windows))
        if name == "train":
            rows = generator(1, "measure", "train").choice(len(windows), 2000, replace=False)
        parts[words] = some_of(windows, rows)
    bars = -(-(windows.lengths - windows.bars.pickup) // windows.bars.steps_per_bar)
    for count, words in ((1, "1 bar"), (2, "2 bars")):
        parts[f"of these, of {words}"] = some_of(windows, np.flatnonzero(bars == count))
    prior = copy.copy(vae)  # the same decoder without a code: what is reconstructed by chance
    nothing = np.zeros((1, vae.options.latent), dtype=np.float32)
    prior.posterior = lambda tokens, *_: (nothing.repeat(len(tokens), axis=0),) * 2  # type: ignore[method-assign]
    rows_of = [(vae, words, some) for words, some in parts.items()] + [(prior, "test, from the code 0", windows)]
    lines = ["| reconstructed exactly | windows | steps | bars | whole windows |", "|---|---|---|---|---|"]
    for model, words, some in rows_of:
        if len(some):
            back = reconstruction(model, some)
            lines.append(f"| {words} | {len(some):,} | {back.steps:.1%} | {back.bars:.1%} | {back.windows:.1%} |")
    return lines


def distances(composer: Composer, material: EncodedCorpus) -> list[str]:
    """The table of the edit distance of variations from their melody, per step."""
    rng = generator(1, "measure", "vary")
    melodies = [material.test.melodies[row] for row in rng.choice(len(material.test), VARIED, replace=False)]
    melodies = [melody.until(8 * melody.meter.ticks_per_bar) for melody in melodies]
    cells = []
    for amount in AMOUNTS:
        edits = [
            edit_distance(composer.vary(melody, amount)[0], composer.vary(melody, 0.0)[0]) / max(melody.length // 6, 1)
            for melody in melodies
            if melody.sounding
        ]
        cells.append(f"{np.mean(edits):.2f}")
    return [
        f"| amount | {' | '.join(f'{amount:g}' for amount in AMOUNTS)} |",
        "|---" * (len(AMOUNTS) + 1) + "|",
        f"| edits per step, mean of {VARIED} test melodies | {' | '.join(cells)} |",
    ]


def edit_distance(melody: Composition, other: Composition) -> int:
    """Levenshtein's distance between the tokens of two melodies."""
    row, tokens = np.arange(len(other.tokens) + 1), np.array(other.tokens)
    steps = np.arange(len(tokens) + 1)
    for number, token in enumerate(melody.tokens, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (tokens != token))
        row = np.minimum.accumulate(np.concatenate([[number], changed]) - steps) + steps
    return int(row[-1])


def draw(composer: Composer, path: Path) -> None:
    """Draw five piano rolls of an interpolation."""
    mpl.rcParams["svg.hashsalt"] = "cantilena"
    made = composer.interpolate(read_melody_or_notes(FIRST), read_melody_or_notes(LAST), 5)
    figure, axes = plt.subplots(5, 1, figsize=(8, 7.2), sharex=True, sharey=True, constrained_layout=True)
    for number, (axis, melody) in enumerate(zip(axes, made, strict=True)):
        colour = "#2f6fb0" if number in (0, len(made) - 1) else "#c2562d"
        for note in melody.sounding:
            axis.barh(note.top, note.duration / 24, left=note.onset / 24, height=0.85, color=colour)
        for bar in range(0, 21, 4):
            axis.axvline(bar, color="#a8a49c", linewidth=0.8, zorder=0)
        axis.set_title(f"{number + 1} of 5, {melody.key.name if melody.key else ''}", loc="left", fontsize=9)
        axis.set_yticks([60, 67, 72, 79], ["C4", "G4", "C5", "G5"], fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("quarter notes")
    axes[-1].set_xlim(0, max(melody.length for melody in made) / 24)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", nargs="?", default="tunes-vae", help="a VAE of the tunes")
    parser.add_argument("--codes", type=int, default=64, help="codes sampled for each window")
    parser.add_argument("--draw", action="store_true", help="draw the picture, too")
    parser.add_argument("--only-draw", action="store_true", help="draw the picture and measure nothing")
    options = parser.parse_args()
    composer = load(options.model)
    vae = composer.model
    if not isinstance(vae, MelodyVae):
        raise SystemExit(f"error: {options.model} is not a VAE\nhint: give one, such as tunes-vae")
    if options.draw or options.only_draw:
        draw(composer, DOCS / "pictures" / "vae.png")
    if options.only_draw:
        return
    material = encode_on_grid(load_builtin("tunes"))
    tables = {
        "back": reconstructions(vae, material),
        "amounts": distances(composer, material),
        "bounds": bounds(vae, material, options.codes),
    }
    document = DOCS / "vae.md"
    text = document.read_text(encoding="utf-8")
    for name, rows in tables.items():
        print("\n".join(rows))
        text = between(text, name, "\n".join(rows))
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
