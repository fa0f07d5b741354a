"""Tune a model in a worker process: PyTorch stays out of the server, and a tuning can be killed at any time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cantilena.errors import RunError

if TYPE_CHECKING:
    from cantilena.models import Bundle
    from cantilena.rl import TuningOptions, TuningState

_MELODIES, _STEPS = 96, 64
"""Melodies per update, and tokens of each: four bars of 4/4 on the grid, or 32 notes, so that an update takes about a
second."""

_C = 1.5
"""Half of the default for `rloo`: a minute of tuning must be audible, and the melodies must stay varied."""

_MIN_UPDATES, _MAX_UPDATES = 8, 300
"""Fewer updates change nothing audible, more gain little."""

_TIMED_UPDATES = 2
"""Updates that are timed to find how many fit into the given time."""

_CHECKS = 12
"""How often the diversity of the melodies is measured."""

_CHECKED_MELODIES = 64


@dataclass(frozen=True)
class TuningTask:
    """Which model to tune, and how."""

    bundle: str
    """The file of the model."""

    out: str
    """The file of the tuned model."""

    rules: str
    """As for `TuningOptions.rules`."""

    weights: Mapping[str, float]
    """Weights by rule; the others keep their own."""

    seconds: float
    """About how long to train."""

    updates: int
    """The number of updates, instead of `seconds`; 0 if not given."""

    seed: int


def tune_in_worker(task: TuningTask, send: Callable[[dict[str, Any]], None]) -> None:
    """Tune a model in a worker process; arguments as of `tune_model`."""
    os.nice(10)  # requests of the page come first
    try:
        tune_model(task, send)
    except MemoryError:
        raise RunError("there is not enough memory to tune this model", "close other programs, and try again") from None


def tune_model(task: TuningTask, report: Callable[[dict[str, Any]], None]) -> None:
    """Tune a model, and write its bundle.

    Args:
        task: what to do.
        report: called with `updates`, the total number, and then with `update`, `reward`, `kl` and `diversity` after
            each update.

    Raises:
        CantilenaError: the model cannot be tuned like this.
    """
    from cantilena.models import Bundle, use_threads
    from cantilena.rl import tune

    use_threads(max((os.cpu_count() or 2) - 1, 1))
    bundle = untuned(Bundle.load(Path(task.bundle)))
    options = tuning_options(task)
    if not task.updates:
        options = replace(options, updates=_updates_in(task.seconds, bundle, options))
    options = replace(options, watch=replace(options.watch, look=max(options.updates // _CHECKS, 1)))
    report({"updates": options.updates})

    def after_update(course: TuningState) -> None:
        history = course.history
        check = course.checks[-1] if course.checks else None
        report(
            {
                "update": course.updates,
                "reward": _finite(sum(values[-1] for values in history.terms.values())),
                "kl": _finite(history.kl[-1]),
                "diversity": _finite(check.distinct_4) if check is not None else None,
            }
        )

    tune(bundle, options, after_update=after_update).bundle.save(Path(task.out))


def untuned(bundle: Bundle) -> Bundle:
    """Return the model as it was before tuning; itself if it was not tuned."""
    if bundle.prior_weights is None:
        return bundle
    provenance = {name: value for name, value in bundle.provenance.items() if name != "tuning"}
    return replace(bundle, weights=bundle.prior_weights, prior_weights=None, policy="likelihood", provenance=provenance)


def tuning_options(task: TuningTask) -> TuningOptions:
    """Return the options of a short tuning that stays near the model and measures diversity."""
    from cantilena.rl import TuningOptions, WatchOptions
    from cantilena.rules import load_rules

    return TuningOptions(
        algorithm="rloo",
        rules=task.rules,
        weights=tuple(f"{name}={value:g}" for name, value in task.weights.items()),
        c=_C * load_rules(task.rules).scale,
        target_kl=0.3,
        clip=40.0,
        updates=task.updates or _MAX_UPDATES,
        melodies=_MELODIES,
        steps=_STEPS,
        seed=task.seed,
        device="cpu",
        watch=WatchOptions(watched=_CHECKED_MELODIES),
    )


def _updates_in(seconds: float, bundle: Bundle, options: TuningOptions) -> int:
    """Return how many updates take about that many seconds here, by timing a few."""
    from cantilena.rl import tune

    ends: list[float] = []

    def after_update(_: TuningState) -> None:
        ends.append(time.perf_counter())

    options = replace(options, updates=1 + _TIMED_UPDATES, watch=replace(options.watch, look=0))
    tune(bundle, options, after_update=after_update)
    seconds_per_update = (ends[-1] - ends[0]) / _TIMED_UPDATES  # the first update compiles the rules
    return min(max(int(seconds / seconds_per_update), _MIN_UPDATES), _MAX_UPDATES)


def _finite(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
