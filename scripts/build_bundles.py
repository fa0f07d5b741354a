"""Train and tune the bundles that ship with the package: `make bundles [PIANO_MIDI=DIR]`.

    python scripts/build_bundles.py [--also CORPUS ...] [--piano-midi DIR] [--work FOLDER] [NAME ...]

`tunes` and its tuned variants learn from the built-in corpus and from OpenScore's songs and quartets, which
`cantilena corpus read --chords inferred` read (`--also`). `classical` and `piano` need the pieces of piano-midi.de,
a folder a composer. `workflows/cards/shipped.py` says how each is trained and tuned. The work is kept in FOLDER
(`runs/bundles`), so that an interrupted run can be resumed. Matrices are stored as 8-bit integers where that costs
less than .002 nats a step, else as 16-bit floats. Each bundle gets its card beside it, `<name>.md`, as measured on the
file that ships.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from cantilena.data import Corpus, load_builtin
from cantilena.models import Bundle, likelihood
from cantilena.workflows import (
    Recipe,
    classical_recipe,
    corpus_excerpts,
    corpus_facts,
    piano_recipe,
    tunes_grid_recipe,
    tunes_recipe,
    write_card,
)
from cantilena.workflows.reproduce.run import trained_model, tuned_model
from cantilena.workflows.train.config import load_encoded
from cantilena.workflows.train.options import VaeTraining
from cantilena.workflows.train.vae import learn_vae
from cantilena.workflows.tune.inputs import peoples_notes

VAE = "tunes-vae"
_MOST_LOST = 0.002
"""Nats a step that weights in 8 bits may cost."""
SHIPPED = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "models" / "shipped"


def build(recipe: Recipe, folder: Path) -> None:
    """Train a model and tune its variants, and write their bundles into the package."""
    facts = corpus_facts(recipe.corpus, recipe.also) | (
        {"attribution": recipe.attribution} if recipe.attribution else {}
    )
    trained = trained_model(recipe.name, folder, recipe.material, recipe.network_shape, recipe.training, corpus=facts)
    made = {recipe.name: trained.bundle} if recipe.ships else {}
    encoding, normalized_key = trained.bundle.encoding, recipe.material.normalized_key
    for name, tuning in recipe.tunings.items():
        people = None  # of one meter and few keys, models of notes are compared with themselves before
        if recipe.encoding == "grid":
            people = corpus_excerpts(recipe.corpus, encoding, tuning.steps, normalized_key=normalized_key).tokens
        notes = peoples_notes(trained.bundle, recipe.corpus) if tuning.algorithm == "mpo" else None
        made[name] = tuned_model(name, folder, trained.bundle, tuning, people, notes).bundle
    for name, bundle in made.items():
        path = SHIPPED / f"{name}.safetensors"
        store(bundle, path, recipe)
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    stored = {name: Bundle.load(SHIPPED / f"{name}.safetensors") for name in made}
    for name, bundle in stored.items():
        sisters = {other: one for other, one in stored.items() if (name == recipe.name) != (other == recipe.name)}
        print(write_card(bundle, name, recipe.corpus, sisters, SHIPPED / f"{name}.md").name)


def further_corpus(path: Path, leave_out: Path | None) -> Corpus:
    """A corpus of OpenScore, which is CC0; the scores that an index names are its test part."""
    corpus = Corpus.load(path)
    lines = leave_out.read_text(encoding="utf-8").splitlines() if leave_out is not None else []
    held_out = tuple(line.partition("\t")[2] for line in lines)
    splits = [
        "test" if held_out and source.partition("#")[0].endswith(held_out) else split.replace("test", "train")
        for source, split in zip(corpus.column("source"), corpus.column("split"), strict=True)
    ]
    at = corpus.table.column_names.index("split")
    table = corpus.table.set_column(at, "split", pa.array(splits, corpus.table.column("split").type))
    return Corpus(table, replace(corpus.manifest, licence="CC0 1.0"))


def build_vae(folder: Path) -> None:
    """Train the VAE of the tunes, and write its bundle and card into the package."""
    options = VaeTraining("tunes", budget=9_000_000)
    data, facts = load_encoded(options)
    folder = folder / "work" / VAE
    folder.mkdir(parents=True, exist_ok=True)
    path = SHIPPED / f"{VAE}.safetensors"
    learn_vae(options, data, facts, folder=folder, resume=True)[1].save(path, half=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes")
    beside = {"tunes": Bundle.load(SHIPPED / "tunes.safetensors")}
    print(write_card(Bundle.load(path), VAE, load_builtin("tunes"), beside, SHIPPED / f"{VAE}.md").name)


def store(bundle: Bundle, path: Path, recipe: Recipe) -> None:
    """Write a bundle in few bytes: matrices as 8-bit integers if that costs little, as it records, else as halves."""
    bundle.save(path, int8=True)
    parts = {"valid": recipe.material.valid.sequences, "test": recipe.material.test.sequences}
    exact, small = bundle.model(), Bundle.load(path).model()
    costs = {
        name: round(likelihood(small, pieces).nats_per_step - likelihood(exact, pieces).nats_per_step, 6)
        for name, pieces in parts.items()
    }
    if max(costs.values()) > _MOST_LOST:
        bundle.save(path, half=True)
        return
    provenance = {**bundle.provenance, "stored": {"matrices": "int8", "costs_nats_per_step": costs}}
    replace(bundle, provenance=provenance).save(path, int8=True)


def main() -> None:
    """Build the bundles that are named, or all for which there is a corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="tunes, tunes-grid, classical, piano, tunes-vae; all if left out"
    )
    parser.add_argument("--piano-midi", type=Path, help="the pieces of piano-midi.de, a folder a composer")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further corpora with chords, CC0")
    parser.add_argument("--leave-out", type=Path, help="an index of scores that are not learned from")
    parser.add_argument("--work", type=Path, default=Path("runs/bundles"), help="where the work is kept")
    arguments = parser.parse_args()
    also = tuple(further_corpus(path, arguments.leave_out) for path in arguments.also)
    recipes: dict[str, Callable[[], Recipe]] = {"tunes": lambda: tunes_recipe(*also), "tunes-grid": tunes_grid_recipe}
    if arguments.piano_midi is not None:
        recipes["classical"] = lambda: classical_recipe(arguments.piano_midi, *also)
        recipes["piano"] = lambda: piano_recipe(arguments.piano_midi)
    builders: dict[str, Callable[[], None]] = {
        name: lambda recipe=recipe: build(recipe(), arguments.work)  # type: ignore[misc]
        for name, recipe in recipes.items()
    }
    builders[VAE] = lambda: build_vae(arguments.work)
    unknown = [name for name in arguments.names if name not in builders]
    if unknown:
        parser.error(f"{unknown[0]} is no model, or needs --piano-midi")
    for name in arguments.names or builders:
        builders[name]()


if __name__ == "__main__":
    main()
