"""Train and tune the bundles that ship with the package: `make bundles [PIANO_MIDI=DIR]`.

    python scripts/build_bundles.py [--piano-midi DIR] [--work FOLDER] [NAME ...]

`tunes` and its sisters learn from the built-in corpus. `classical` and `piano` need the pieces of piano-midi.de, a
folder a composer. What each learns and how it is tuned stands in `experiment/shipped.py`. The work is kept in FOLDER
(`runs/bundles`), so that an interrupted run goes on. Weights are stored as 16-bit floats.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from cantilena.experiment import (
    ShippedModel,
    classical_model,
    corpus_excerpts,
    corpus_facts,
    piano_model,
    trained_model,
    tuned_model,
    tunes_model,
)

SHIPPED = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "model" / "bundles"


def build(model: ShippedModel, folder: Path) -> None:
    """Train a model and tune its sisters, and write their bundles into the package."""
    facts = corpus_facts(model.corpus)
    trained = trained_model(model.name, folder, model.material, model.network, model.training, corpus=facts)
    made = {model.name: trained.bundle}
    encoding, plain_keys = trained.bundle.encoding, model.material.plain_keys
    for name, tuning in model.tunings.items():
        people = corpus_excerpts(model.corpus, encoding, tuning.steps, plain_keys=plain_keys)
        made[name] = tuned_model(name, folder, trained.bundle, tuning, people.tokens).bundle
    for name, bundle in made.items():
        path = SHIPPED / f"{name}.safetensors"
        bundle.save(path, half=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


def main() -> None:
    """Make the bundles that are named, or all for which the music is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="tunes, classical, piano; all if left out")
    parser.add_argument("--piano-midi", type=Path, help="the pieces of piano-midi.de, a folder a composer")
    parser.add_argument("--work", type=Path, default=Path("runs/bundles"), help="where the work is kept")
    asked = parser.parse_args()
    models: dict[str, Callable[[], ShippedModel]] = {"tunes": tunes_model}
    if asked.piano_midi is not None:
        models["classical"] = lambda: classical_model(asked.piano_midi)
        models["piano"] = lambda: piano_model(asked.piano_midi)
    unknown = [name for name in asked.names if name not in models]
    if unknown:
        parser.error(f"{unknown[0]} is no model, or needs --piano-midi")
    for name in asked.names or models:
        build(models[name](), asked.work)


if __name__ == "__main__":
    main()
