"""What the process does that tunes a model: one order in, lines of progress out, a bundle at the end.

It is a process of its own: torch and its threads stay out of the studio, and it can be ended at any moment. It ends by
itself when the studio does, whose end of the pipe then closes.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cantilena.errors import CantilenaError

if TYPE_CHECKING:
    from cantilena.models import Bundle
    from cantilena.rl import TuningOptions, TuningState

_MELODIES, _STEPS = 96, 64
"""Melodies of an update, and their steps: four bars of 4/4, so that an update takes about a second."""

_C = 1.5
"""Half of what `rloo` takes by itself: in a minute the rules shall be heard, and the melodies stay varied."""

_LEAST, _MOST = 8, 300
"""Updates of a tuning: fewer change nothing that can be heard, more gain little."""

_TRIED = 2
"""Updates that are timed to find how many fit into the time."""

_LOOKS = 12
"""How often a tuning is looked at."""

_MELODIES_LOOKED_AT = 64


@dataclass(frozen=True)
class Order:
    """What is to be tuned, and how.

    Args:
        bundle: the file of the model.
        out: the file of the tuned one.
        rules: what `TuningOptions.rules` takes.
        weights: by rule.
        seconds: about how long learning may take.
        updates: so many in place of that; 0 for none.
        seed: of the tuning.
    """

    bundle: str
    out: str
    rules: str
    weights: Mapping[str, float]
    seconds: float
    updates: int
    seed: int


def main() -> None:
    """Read an order from stdin, tell on stdout, end when stdin closes."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not mix with what is told
    order = Order(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(10)  # the page comes first

    def tell(**facts: Any) -> None:  # noqa: ANN401  (JSON values)
        told.write(json.dumps(facts) + "\n")
        told.flush()

    try:
        obey(order, tell)
        tell(done=True)
    except CantilenaError as error:
        tell(error=error.text, hint=error.hint)
    except MemoryError:
        tell(error="there is not enough memory to tune this model", hint="close other programs, and try again")


def obey(order: Order, tell: Callable[..., None]) -> None:
    """Tune a model as ordered, and write it.

    Args:
        order: what to do.
        tell: is told `updates` (how many there will be), and after each `update`, `reward`, `kl` and `diversity`.

    Raises:
        CantilenaError: it cannot be tuned so.
    """
    from cantilena.models import Bundle, use_threads
    from cantilena.rl import tune

    use_threads(max((os.cpu_count() or 2) - 1, 1))
    bundle = untuned(Bundle.load(Path(order.bundle)))
    options = options_of(order)
    if not order.updates:
        options = replace(options, updates=_that_fit(bundle, options, order.seconds))
    every = max(options.updates // _LOOKS, 1)
    options = replace(options, watch=replace(options.watch, look=every))
    tell(updates=options.updates)

    def after_update(course: TuningState) -> None:
        history = course.history
        look = course.checks[-1] if course.checks else None
        tell(
            update=course.updates,
            reward=_finite(sum(values[-1] for values in history.terms.values())),
            kl=_finite(history.kl[-1]),
            diversity=_finite(look.distinct_4) if look is not None else None,
        )

    tuned = tune(bundle, options, after_update=after_update)
    tuned.bundle.save(Path(order.out))


def untuned(bundle: Bundle) -> Bundle:
    """The model as it was before it was tuned; itself where it was not."""
    if bundle.prior_weights is None:
        return bundle
    provenance = {name: value for name, value in bundle.provenance.items() if name != "tuning"}
    return replace(bundle, weights=bundle.prior_weights, prior_weights=None, policy="likelihood", provenance=provenance)


def options_of(order: Order) -> TuningOptions:
    """How an order is tuned: quickly, not far from the model, and watched."""
    from cantilena.rl import TuningOptions, WatchOptions
    from cantilena.rules import load_rules

    return TuningOptions(
        algorithm="rloo",
        rules=order.rules,
        weights=tuple(f"{name}={value:g}" for name, value in order.weights.items()),
        c=_C * load_rules(order.rules).scale,
        target_kl=0.3,
        clip=40.0,
        updates=order.updates or _MOST,
        melodies=_MELODIES,
        steps=_STEPS,
        seed=order.seed,
        device="cpu",
        watch=WatchOptions(watched=_MELODIES_LOOKED_AT),
    )


def _that_fit(bundle: Bundle, options: TuningOptions, seconds: float) -> int:
    """How many updates take about so many seconds here, by the time of a few."""
    from cantilena.rl import tune

    ends: list[float] = []

    def after_update(_: TuningState) -> None:
        ends.append(time.perf_counter())

    tune(bundle, replace(options, updates=1 + _TRIED, watch=replace(options.watch, look=0)), after_update=after_update)
    an_update = (ends[-1] - ends[0]) / _TRIED  # the first compiles
    return min(max(int(seconds / an_update), _LEAST), _MOST)


def _finite(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def _end_with_parent() -> None:
    """End at once when the studio's end of the pipe closes, however the studio ended."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
