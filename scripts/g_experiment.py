"""Does the published G-learning come from a gradient that ran into its reward network? Three seeds, with and without.

    python scripts/g_experiment.py [FOLDER]

A Note RNN (LSTM 100, whose only input is the last token, as published) learns the built-in corpus and is tuned by
G-learning in the reference mode, once with the gradient of the target stopped before the reward network and once
without. 1,000 melodies of each policy are measured. FOLDER (`runs/g-experiment`) keeps the models and `results.json`;
the figure is `docs/pictures/g-learning.png`. About twenty minutes on two cores.
"""

from __future__ import annotations

import copy
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cantilena.data import load_builtin
from cantilena.models import Bars, Bundle, NetworkOptions
from cantilena.reporting.figures import metric_panels, png_bytes
from cantilena.rl import MusicReward, ReferenceLearner, TuningOptions, TuningTask, WatchOptions, sample_melodies
from cantilena.rules import RULE_SETS, Context
from cantilena.runtime import derived_seed, generator, read_json, write_bytes, write_json
from cantilena.tokenizers import GridEncoding
from cantilena.training import preset
from cantilena.workflows import encode_on_grid
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.reproduce.run import trained_model

STEPS, MELODIES, COUNTED, SEEDS = 32, 50, 1000, (1, 2, 3)
UPDATES = 100
"""Batches of 50 melodies: 160,000 environment steps, 32,000 gradient updates."""

NOTE_RNN = NetworkOptions(width=100, embedding=100, bar_position=False, look_back=(), dropout=0.0)
METRICS = ("not_in_key", "autocorrelation_1", "autocorrelation_2", "in_motif", "distinct_4", "kl_per_step")


def main(folder: Path) -> None:
    """Train, tune six times, count, draw."""
    data = encode_on_grid(load_builtin("tunes"))
    training = replace(preset("quick")[1], seed=1)
    trained = trained_model("note-rnn", folder, data, NOTE_RNN, training, corpus={"name": "tunes"})
    jobs = [(folder, stopped, seed) for stopped in (True, False) for seed in SEEDS]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rows = dict(pool.map(_tuned, jobs))
    untuned = _counted(trained.bundle, _drawn(trained.bundle.network(), 1), trained.bundle.model(), 1)
    systems = {"note rnn": untuned, **rows}
    write_json(folder / "results.json", {"systems": systems})
    picture = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "g-learning.png"
    write_bytes(picture, png_bytes(metric_panels(systems, METRICS)))
    for name, row in systems.items():
        print(f"{name:24}", {metric: row["metrics"][metric]["value"] for metric in METRICS})


def _tuned(job: tuple[Path, bool, int]) -> tuple[str, dict[str, Any]]:
    """The name and the row of one tuning; read if it was made before."""
    folder, stopped, seed = job
    name = f"G {'stopped' if stopped else 'as published'}, seed {seed}"
    row = folder / "rows" / f"{name}.json"
    if row.exists():
        return name, read_json(row)
    torch.set_num_threads(1)
    bundle = Bundle.load(folder / "models" / "note-rnn.safetensors")
    options = TuningOptions(
        algorithm="g",
        reference_mode=True,
        updates=UPDATES,
        melodies=MELODIES,
        steps=STEPS,
        seed=seed,
        device="cpu",
        watch=WatchOptions(look=0),
    )
    network = bundle.network()
    reward = MusicReward(GridEncoding(), RULE_SETS["rl-tuner"], Context(), options.c_for(), options.clip)
    own = torch.Generator().manual_seed(derived_seed(seed, "tune"))
    prior = copy.deepcopy(network).requires_grad_(False)
    learner = ReferenceLearner(
        TuningTask(network, prior, reward, options, Bars.common_time(1), own), stop_gradient=stopped
    )
    for update in range(UPDATES):
        learner.update(update / UPDATES)
        if update % 25 == 24:
            print(f"{name}: {update + 1} of {UPDATES}", file=sys.stderr, flush=True)
    counted = _counted(bundle, _drawn(learner.policy_model(), seed), learner.policy_model(), seed)
    write_json(row, counted)
    return name, counted


def _drawn(model: Any, seed: int) -> np.ndarray:  # noqa: ANN401  (any sequence model)
    own = torch.Generator().manual_seed(derived_seed(seed, "count"))
    return sample_melodies(model, COUNTED, STEPS, own, bars=Bars.common_time(COUNTED)).numpy()


def _counted(bundle: Bundle, tokens: np.ndarray, model: Any, seed: int) -> dict[str, Any]:  # noqa: ANN401
    rng = generator(seed, "intervals")
    with torch.no_grad():
        metrics = measure(Sample(tokens), bundle.encoding, rng, model=model, reference=bundle.prior())
    return {"melodies": len(tokens), "metrics": metrics}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/g-experiment"))
