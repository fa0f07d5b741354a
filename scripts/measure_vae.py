"""Hold a VAE beside the LSTM and the n-gram on the same held-out windows, and write the tables of docs/vae.md.

    python scripts/measure_vae.py [MODEL] [--codes 64] [--draw]

MODEL is a VAE of the tunes, `tunes-vae` if left out. The rivals are the network of `tunes`, which is told nothing
beforehand, and n-grams of the same training pieces. A window is scored alone, as the VAE scores it, and as part of
its whole piece, whose past a VAE of windows never hears. With --draw a way between two melodies is drawn too.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

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
from cantilena.music import Melody
from cantilena.runtime import generator
from cantilena.workflows.data import EncodedCorpus, encode_on_grid
from told_documents import between

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIRST = "G4/8 A4/8 B4 D5 B4 G4/2 A4 B4 C5/8 B4/8 A4 B4/2 G4/2"
LAST = "E5 D5/8 C5/8 A4/2 C5 A4/8 G4/8 E4/2 G4/8 A4/8 C5 D5 E5 C5/1"
AMOUNTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
VARIED = 40


def bounds(vae: MelodyVae, material: EncodedCorpus, codes: int) -> list[str]:
    """The table of nats a step: rows of Markdown."""
    cut = {
        name: Windows.of(getattr(material, name).sequences.untold(), vae.options.bars).sequences
        for name in ("train", "valid", "test")
    }
    whole = {name: getattr(material, name).sequences.untold() for name in ("train", "valid", "test")}
    found = bound(vae, cut["test"], codes, generator(1, "measure", "bound"))
    size = len(material.encoding.vocabulary)
    lstm = Bundle.load(find_bundle("tunes")).model()
    rows = [
        ("VAE, ELBO (at most)", found.per_step(found.elbo), None),
        (f"VAE, importance-weighted by {codes} codes (at most)", found.per_step(found.weighted), None),
        ("LSTM `tunes`", likelihood(lstm, cut["test"]).nats_per_step, likelihood(lstm, whole["test"]).nats_per_step),
    ]
    ngrams = [NGram.fit(some["train"].tokens, size).tune(some["valid"].tokens) for some in (cut, whole)]
    alone, past = (likelihood(one, some["test"]) for one, some in zip(ngrams, (cut, whole), strict=True))
    rows.append(("n-gram with copies", alone.nats_per_step, past.nats_per_step))
    order_0 = NGram.fit(cut["train"].tokens, size).plain()
    rows.append(("n-gram without copies", likelihood(order_0, cut["test"]).nats_per_step, None))
    text = [
        f"| {len(cut['test']):,} test windows, {cut['test'].steps:,} steps | a window alone | in its piece |",
        "|---|---|---|",
        *(f"| {name} | {one:.3f} | {f'{other:.3f}' if other is not None else '–'} |" for name, one, other in rows),
    ]
    kl = found.divergence.mean()
    print(f"KL {kl:.1f} nats a window, {found.active:.0%} active")
    text += ["", f"Codes say {kl:.1f} nats a window; {found.active:.0%} of their numbers are active."]
    return text


def comes_back(vae: MelodyVae, material: EncodedCorpus) -> list[str]:
    """The table of what comes back from the codes, by the length of a window in bars."""
    rows = [
        "| comes back exactly | windows | steps | bars | windows whole |",
        "|---|---|---|---|---|",
    ]
    for name, words in (("train", "2,000 windows that it learned"), ("valid", "validation"), ("test", "test")):
        windows = Windows.of(getattr(material, name).sequences.untold(), vae.options.bars).sequences
        if name == "train":
            chosen = generator(1, "measure", "train").choice(len(windows), 2000, replace=False)
            windows = Sequences(tuple(windows.tokens[row] for row in chosen), windows.bars[chosen])
        parts = [(words, np.arange(len(windows)))]
        if name == "test":
            bars = -(-(windows.lengths - windows.bars.pickup) // windows.bars.steps_per_bar)
            parts += [
                (f"of these, of {words}", np.flatnonzero(bars == n)) for n, words in ((1, "1 bar"), (2, "2 bars"))
            ]
        for label, rows_of in parts:
            some = Sequences(tuple(windows.tokens[row] for row in rows_of), windows.bars[rows_of])
            if len(some):
                back = reconstruction(vae, some)
                cells = f"{back.steps:.1%} | {back.bars:.1%} | {back.windows:.1%}"
                rows.append(f"| {label} | {len(some):,} | {cells} |")
    forgetful = copy.copy(vae)  # the same writer, which is told nothing: what comes back by chance
    nothing = np.zeros((1, vae.options.latent), dtype=np.float32)
    forgetful.posterior = lambda tokens, *_: (nothing.repeat(len(tokens), axis=0),) * 2  # type: ignore[method-assign]
    back = reconstruction(forgetful, windows)
    cells = f"{back.steps:.1%} | {back.bars:.1%} | {back.windows:.1%}"
    rows.append(f"| test, from the code 0 | {len(windows):,} | {cells} |")
    return rows


def distances(composer: Composer, material: EncodedCorpus) -> list[str]:
    """The table of how far variations are from their melody: edits of tokens over its steps."""
    rng = generator(1, "measure", "vary")
    melodies = [material.test.melodies[row] for row in rng.choice(len(material.test), VARIED, replace=False)]
    melodies = [melody.until(8 * melody.meter.ticks_per_bar) for melody in melodies]
    cells = []
    for amount in AMOUNTS:
        edits = [
            edited(composer.vary(melody, amount)[0], composer.vary(melody, 0.0)[0]) / max(melody.length // 6, 1)
            for melody in melodies
            if melody.sounding
        ]
        cells.append(f"{np.mean(edits):.2f}")
    heads = " | ".join(f"{amount:g}" for amount in AMOUNTS)
    return [
        f"| amount | {heads} |",
        "|---" * (len(AMOUNTS) + 1) + "|",
        f"| edits a step, mean of {VARIED} test melodies | {' | '.join(cells)} |",
    ]


def edited(melody: Composition, other: Composition) -> int:
    """Levenshtein's distance between the tokens of two melodies."""
    row = np.arange(len(other.tokens) + 1)
    theirs = np.array(other.tokens)
    for number, token in enumerate(melody.tokens, 1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (theirs != token))
        steps = np.arange(len(theirs) + 1)
        row = np.minimum.accumulate(np.concatenate([[number], changed]) - steps) + steps
    return int(row[-1])


def draw(composer: Composer, path: Path) -> None:
    """Five piano rolls of a way from one melody to another."""
    mpl.rcParams["svg.hashsalt"] = "cantilena"
    first, last = read_melody_or_notes(FIRST), read_melody_or_notes(LAST)
    made: Sequence[Melody] = composer.interpolate(first, last, 5)
    figure, axes = plt.subplots(5, 1, figsize=(8, 7.2), sharex=True, sharey=True, constrained_layout=True)
    for number, (axis, melody) in enumerate(zip(axes, made, strict=True)):
        end = number in (0, len(made) - 1)
        for note in melody.sounding:
            colour = "#2f6fb0" if end else "#c2562d"
            axis.barh(note.top, note.duration / 24, left=note.onset / 24, height=0.85, color=colour)
        for bar in range(0, 21, 4):
            axis.axvline(bar, color="#a8a49c", linewidth=0.8, zorder=0)
        key = melody.key.name if melody.key else ""
        axis.set_title(f"{number + 1} of 5, {key}", loc="left", fontsize=9)
        axis.set_yticks([60, 67, 72, 79], ["C4", "G4", "C5", "G5"], fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("quarter notes")
    axes[-1].set_xlim(0, max(melody.length for melody in made) / 24)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", nargs="?", default="tunes-vae", help="a VAE of the tunes")
    parser.add_argument("--codes", type=int, default=64, help="codes drawn for each window")
    parser.add_argument("--draw", action="store_true", help="draw the picture too")
    parser.add_argument("--only-draw", action="store_true", help="draw the picture and measure nothing")
    asked = parser.parse_args()
    composer = load(asked.model)
    vae = composer.model
    if not isinstance(vae, MelodyVae):
        raise SystemExit(f"error: {asked.model} is no VAE\nhint: name one, such as tunes-vae")
    if asked.draw or asked.only_draw:
        draw(composer, DOCS / "pictures" / "vae.png")
    if asked.only_draw:
        return
    material = encode_on_grid(load_builtin("tunes"))
    tables = [comes_back(vae, material), distances(composer, material), bounds(vae, material, asked.codes)]
    document = DOCS / "vae.md"
    text = document.read_text(encoding="utf-8")
    for name, rows in zip(("back", "amounts", "bounds"), tables, strict=True):
        print("\n".join(rows))
        text = between(text, name, "\n".join(rows))
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
