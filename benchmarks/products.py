"""How much of a training step is multiplying: the step against its matrix products run alone.

    python benchmarks/products.py [--rounds 5] [--threads 1] [--steps 128] [--batch 64]

The step is the product's own: lesson, forward, backward, clipping, optimizer, dropout of 40 %. The products alone are
those of the recurrent layers in the same type: for each layer one input product over all steps and one recurrent
product a step, and in the backward pass the same again twice, for what lies below and for the weights (of the weights'
two ways, a product a step or one over all steps, the faster is counted). The head's products, which the step does too,
are left out. Both sides run in turn in this process; the least time of each is compared: processor time on one thread,
which other processes disturb little, or time on the clock with more threads.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cantilena.models import Network, NetworkOptions, Sequences, autocast
from cantilena.training import preset
from cantilena.training.loop import TrainState
from cantilena.training.objectives import BatchPosition, TeacherForcing

Job = Callable[[], object]

VOCABULARY = 417
SHAPES = (
    ("3 x 1024", NetworkOptions(layers=3, width=1024, embedding=256, dropout=0.4, bar_position=False, look_back=())),
    ("1 x 128", NetworkOptions(layers=1, width=128, embedding=128, dropout=0.4, bar_position=False, look_back=())),
)


def training_step(shape: NetworkOptions, precision: torch.dtype, batch: int, steps: int) -> Callable[[], None]:
    """One update on a batch of pieces that have exactly so many steps."""
    rng = np.random.default_rng(1)
    pieces = Sequences.from_tokens([rng.integers(0, VOCABULARY, steps) for _ in range(batch)])
    _, options = preset("paper")
    network = Network(shape, VOCABULARY).train()
    course, lesson = TrainState(network, options), TeacherForcing(steps, pieces, batch, 1)
    (chosen,), position = lesson.epoch(0), BatchPosition()

    def step() -> None:
        for loss, predicted in lesson.losses(network, chosen, position, lambda: autocast(network.device, precision)):
            course.update(loss, predicted, 0.0)

    return step


def products(
    below: int, width: int, precision: torch.dtype, batch: int, steps: int
) -> list[list[Callable[[], object]]]:
    """The products of one layer, alternatives of one another in a row."""

    def random(*shape: int) -> Tensor:
        return torch.randn(shape).to(precision) * 0.01

    w_in, w_back, told = random(4 * width, below), random(4 * width, width), random(steps * batch, below)
    hidden, slopes = random(steps, batch, width), random(steps, batch, 4 * width)
    flat, before = slopes.view(-1, 4 * width), hidden.view(-1, width)
    return [
        [lambda: told @ w_in.t()],
        [lambda: [h @ w_back.t() for h in hidden]],
        [lambda: flat @ w_in],
        [lambda: [slope @ w_back for slope in slopes]],
        [lambda: flat.t() @ told],
        [lambda: flat.t() @ before, lambda: [slope.t() @ h for slope, h in zip(slopes, hidden, strict=True)]],
    ]


def compare(
    name: str,
    shape: NetworkOptions,
    precision: torch.dtype,
    batch: int,
    steps: int,
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, object]:
    """Seconds of both sides, and the share."""

    def seconds(job: Job) -> float:
        began = clock()
        job()
        return clock() - began

    step = training_step(shape, precision, batch, steps)
    below = [shape.embedding, *[shape.width] * (shape.layers - 1)]
    rows = [row for size in below for row in products(size, shape.width, precision, batch, steps)]
    step_times: list[float] = []
    row_times: list[list[float]] = [[] for _ in rows]
    for round_ in range(rounds + 1):  # the first is not counted
        step_time = seconds(step)
        least = [min(seconds(way) for way in row) for row in rows]
        if round_:
            step_times.append(step_time)
            for times, time_ in zip(row_times, least, strict=True):
                times.append(time_)
    alone, whole = sum(min(times) for times in row_times), min(step_times)
    return {
        "network": name,
        "type": str(precision).removeprefix("torch."),
        "batch": batch,
        "steps": steps,
        "products alone, s": round(alone, 4),
        "training step, s": round(whole, 4),
        "ratio": round(alone / whole, 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    print(f"products alone / training step, {options.threads} thread{'s' if options.threads > 1 else ''}")
    for name, shape in SHAPES:
        for precision in (torch.bfloat16, torch.float32):
            row = compare(name, shape, precision, options.batch, options.steps, options.rounds, clock)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
