"""Train and tune the bundles that ship with the package: `make bundles`.

    python scripts/build_bundles.py [FOLDER]

`tunes` learns the built-in corpus as `cantilena reproduce --preset quick` does. `tunes+rl` is tuned from it on the
rules of `cantilena` over eight bars, `tunes+rl-tuner` on RL Tuner's over two, as in the experiment. The work is kept in
FOLDER (`runs/bundles`), so that an interrupted run goes on. Weights are stored as 16-bit floats.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cantilena.corpus import load_builtin
from cantilena.experiment import (
    ReproduceOptions,
    corpus_excerpts,
    corpus_facts,
    grid_material,
    musical_tuning,
    plan,
    trained_model,
    tuned_model,
)

SHIPPED = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "model" / "bundles"


def main(folder: Path) -> None:
    """Make all bundles."""
    corpus = load_builtin("tunes")
    what = plan(ReproduceOptions(preset="quick"))
    trained = trained_model(
        "lstm", folder, grid_material(corpus), what.network, what.training, corpus=corpus_facts(corpus)
    )
    made = {"tunes": trained.bundle}
    for name, tuning in (("tunes+rl", musical_tuning()), ("tunes+rl-tuner", what.tuning)):
        people = corpus_excerpts(corpus, trained.bundle.encoding, tuning.steps, plain_keys=True)
        made[name] = tuned_model(name, folder, trained.bundle, tuning, people.tokens).bundle
    for name, bundle in made.items():
        path = SHIPPED / f"{name}.safetensors"
        bundle.save(path, half=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/bundles"))
