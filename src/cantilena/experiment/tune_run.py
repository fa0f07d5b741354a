"""`tune`: one model tuned, and what that changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.experiment.fresh import clear_earlier
from cantilena.experiment.measure import Sample, measure
from cantilena.experiment.systems import model_system
from cantilena.model import Bundle, find_bundle
from cantilena.runs import generator, options_record, run_folder
from cantilena.tuning import TuningOptions, tune

MODEL = "model.safetensors"
_COUNTED = 1000


@dataclass(frozen=True)
class TuneRun:
    """A finished tuning.

    Args:
        bundle: where the tuned model lies.
        steps: environment steps.
        steps_per_second: environment steps a second, sampling, scoring and learning counted.
        c: the weight of the rules was 1 / c.
        clip: no rule counted more than this at a step while learning.
        metrics: of 1,000 melodies by the tuned model.
    """

    bundle: Path
    steps: int
    steps_per_second: float
    c: float
    clip: float
    metrics: Mapping[str, Mapping[str, Any]]

    def answer(self) -> dict[str, Any]:
        """What `tune --json` prints."""
        return {
            "bundle": str(self.bundle),
            "steps": self.steps,
            "steps_per_second": self.steps_per_second,
            "c": self.c,
            "clip": self.clip,
            "kl_per_step": self.metrics["kl_per_step"]["value"],
            "metrics": dict(self.metrics),
        }

    def text(self) -> str:
        """The same for a terminal."""
        rows = [f"{self.steps:,} steps at {self.steps_per_second:,.0f} a second: {self.bundle}"]
        for name, entry in self.metrics.items():
            value = "–" if entry["value"] is None else f"{entry['value']:.4g}"
            rows.append(f"  {name:<28} {value}")
        return "\n".join(rows)


def run_tuning(
    name: str, options: TuningOptions, folder: Path, *, resume: bool = False, force: bool = False
) -> TuneRun:
    """Tune a model as asked and count what it composes then.

    Args:
        name: a bundle, by path or by the name of one that ships with the package.
        options: how to tune.
        folder: of the run.
        resume: go on with an interrupted run, to the identical model.
        force: start anew in a folder that holds another run.

    Raises:
        BundleError: there is no such model.
        RunError: the folder is taken.
    """
    path = find_bundle(name)
    untuned = Bundle.load(path)
    # A model that has changed under its name is another: a run of the one is not resumed with the other.
    asked = {"bundle": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **options_record(options)}
    with run_folder(folder, asked, resume=resume, force=force) as run:
        clear_earlier(run, MODEL, "checkpoint.safetensors", "metrics.jsonl")
        tuned = tune(untuned, options, folder=folder, resume=run.resumed)
        tuned.bundle.save(folder / MODEL)
        system = model_system("tuned", "", tuned.bundle.model(), tuned.bundle.encoding, options.seed)
        metrics = measure(
            Sample(system.draw(_COUNTED, options.steps, "count")),
            tuned.bundle.encoding,
            generator(options.seed, "intervals"),
            model=system.model,
            reference=tuned.bundle.prior(),
        )
        done = TuneRun(folder / MODEL, tuned.steps, tuned.steps_per_second, options.reward_c, options.clip, metrics)
        run.finish(**done.answer() | {"bundle": MODEL})
        return done
