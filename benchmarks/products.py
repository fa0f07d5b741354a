"""Share of matrix products in a training step: the time of the products alone against that of the step.

    python benchmarks/products.py [--rounds 5] [--threads 1] [--steps 128] [--batch 64]

The step is that of `cantilena train`: objective, forward pass, backward pass, clipping, optimizer, dropout of 40 %. The
products are those of the recurrent layers in the same precision: for each layer one input product over all steps and
one recurrent product per step, and twice as many in the backward pass, for the inputs and for the weights (of the
weights' products, one per step or one over all steps, the faster is counted). The products of the head are not counted.
Both run in turns in this process, and the minimum of each is compared: CPU time on one thread, which other processes
hardly affect, or wall-clock time with more threads.
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
    """Return a function that makes one update on a batch of pieces with so many steps."""
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
    """Return the products of one layer; each row has alternatives."""

    def random(*shape: int) -> Tensor:
        return torch.randn(shape).to(precision) * 0.01

    w_input, w_recurrent, inputs = random(4 * width, below), random(4 * width, width), random(steps * batch, below)
    hidden, slopes = random(steps, batch, width), random(steps, batch, 4 * width)
    flat, before = slopes.view(-1, 4 * width), hidden.view(-1, width)
    return [
        [lambda: inputs @ w_input.t()],
        [lambda: [h @ w_recurrent.t() for h in hidden]],
        [lambda: flat @ w_input],
        [lambda: [slope @ w_recurrent for slope in slopes]],
        [lambda: flat.t() @ inputs],
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
    """Return the seconds of both, and the share."""

    def seconds(job: Job) -> float:
        began = clock()
        job()
        return clock() - began

    step = training_step(shape, precision, batch, steps)
    below = [shape.embedding, *[shape.width] * (shape.layers - 1)]
    rows = [row for size in below for row in products(size, shape.width, precision, batch, steps)]
    step_times: list[float] = []
    row_times: list[list[float]] = [[] for _ in rows]
    for round_ in range(rounds + 1):  # the first round warms up
        step_time = seconds(step)
        least = [min(seconds(product) for product in row) for row in rows]
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
