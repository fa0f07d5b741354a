"""Check that a device trains, tunes and composes as the CPU does, and measure how fast it is.

    python scripts/check_device.py [--device cpu|cuda|auto] [--seconds 15] [--out device.json]

Both start from the same weights and data, in float32 without dropout. Training compares losses and weights after some
epochs, tuning rewards, distances and weights after updates on melodies that are given, composing the tokens that the
same random numbers draw and the log probabilities of fixed melodies. The limits (`LIMITS`) leave room for rounding: an
optimizer step amplifies it, and a token drawn otherwise changes those after it.

It prints the checks and the throughput, each measured for the given seconds, as Markdown and writes them as JSON. The
exit status is 1 if a check fails. It takes under six minutes; on the CPU the checks compare it with itself.
"""

from __future__ import annotations

import argparse
import copy
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cantilena.generation import sample
from cantilena.models import Bars, Network, NetworkOptions, Sequences, choose_device, limit_threads
from cantilena.music import Key
from cantilena.rl import LEARNERS, Learner, TuningOptions, TuningTask
from cantilena.rl.learner import recurrent_gradients
from cantilena.rl.tuning import reward_for
from cantilena.runtime import write_json
from cantilena.tokenizers import GridEncoding
from cantilena.training import TrainingOptions, train

GRID = GridEncoding()
VOCABULARY = len(GRID.vocabulary)
LIMITS = {
    "training: loss, nats a step": 1e-4,
    "training: weights, relative": 1e-3,
    "tuning: reward of the rules, points": 1e-6,
    "tuning: KL divergence, nats a step": 1e-4,
    "tuning: weights, relative": 1e-3,
    "composing: log probabilities, nats": 1e-4,
    "composing: tokens drawn otherwise": 0.01,
}
"""By check: the largest difference from the CPU that passes."""


@dataclass(frozen=True)
class Size:
    """How much is computed.

    Args:
        width: of the LSTM.
        melodies: at once.
        steps: of a melody.
        repeats: epochs, or updates.
    """

    width: int
    melodies: int
    steps: int
    repeats: int


PARITY = Size(width=64, melodies=64, steps=32, repeats=5)
THROUGHPUT = (Size(width=128, melodies=512, steps=32, repeats=0), Size(width=512, melodies=512, steps=32, repeats=0))


def main(words: Sequence[str] | None = None) -> int:
    """Check, measure, print and write; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement of throughput")
    parser.add_argument("--out", type=Path, default=Path("device.json"))
    given = parser.parse_args(words)
    device = choose_device(given.device)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        differences = parity(device, PARITY)
    failed = [name for name, value in differences.items() if not value <= LIMITS[name]]
    rates = {f"{size.width}": throughput(device, size, given.seconds) for size in THROUGHPUT}
    report = {
        "device": device_name(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "parity": {name: {"difference": value, "limit": LIMITS[name]} for name, value in differences.items()},
        "parity_size": asdict(PARITY),
        "steps_per_second": rates,
        "failed": failed,
    }
    print(table(report), flush=True)
    write_json(given.out, report)
    return 1 if failed else 0


def device_name(device: torch.device) -> str:
    """The name of a device as its maker calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{device.type}: {next(names, platform.processor() or platform.machine())}"


def parity(device: torch.device, size: Size) -> dict[str, float]:
    """The differences of a device from the CPU, one for each of `LIMITS`."""
    cpu = torch.device("cpu")
    losses, trained = zip(*(training(place, size) for place in (cpu, device)), strict=True)
    stats, tuned = zip(*(tuning(place, size) for place in (cpu, device)), strict=True)
    log_probs, tokens = zip(*(composing(place, size) for place in (cpu, device)), strict=True)
    reward, kl = (np.abs(column).max() for column in (stats[1] - stats[0]).T)
    differences = (
        np.abs(losses[1] - losses[0]).max(),
        relative(*trained),
        reward,
        kl,
        relative(*tuned),
        np.abs(log_probs[1] - log_probs[0]).max(),
        (tokens[1] != tokens[0]).mean(),
    )
    return {name: float(value) for name, value in zip(LIMITS, differences, strict=True)}


def training(device: torch.device, size: Size) -> tuple[np.ndarray, Tensor]:
    """The losses of each epoch, and the weights at the end."""
    rng = np.random.default_rng(1)
    pieces, valid = (Sequences.from_tokens(melodies(rng, size)) for _ in range(2))
    options = TrainingOptions(
        epochs=size.repeats,
        batch=16,
        steps=16,
        warmup=5,
        precision="float32",
        device=str(device),
        condition_dropout=0.0,
    )
    result = train(pieces, valid, vocabulary_size=VOCABULARY, network=shape(size.width), training=options, quiet=True)
    losses = np.array([[epoch["train"], epoch["valid"]] for epoch in result.history])
    return losses, weights_of(result.network)


def tuning(device: torch.device, size: Size) -> tuple[np.ndarray, Tensor]:
    """The reward and the KL divergence of each update on given melodies, and the weights at the end."""
    learner, rng = learner_on(device, size), np.random.default_rng(2)
    stats = []
    with recurrent_gradients(learner.model):
        for _ in range(size.repeats):
            given = torch.from_numpy(melodies(rng, size)).to(device)
            learner.sample = lambda given=given: given  # type: ignore[assignment, method-assign, misc]
            result = learner.update(0.0)
            stats.append([sum(result.terms.values()), result.kl])
    return np.array(stats), weights_of(learner.model)


def composing(device: torch.device, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """The log probabilities of given melodies, and the tokens that given numbers draw."""
    network, rng = Network(shape(size.width), VOCABULARY, seed=1).to(device), np.random.default_rng(3)
    bars = Bars.common_time(size.melodies)
    with torch.no_grad():
        log_probs = network.log_probs(melodies(rng, size), bars=bars).cpu().numpy()
    return log_probs, sample(network, rng.random((size.melodies, size.steps)), bars=bars).tokens


def throughput(device: torch.device, size: Size, seconds: float) -> dict[str, float]:
    """Steps a second of training, tuning and composing; those of training and tuning include the optimizer."""
    rng, cells = np.random.default_rng(4), size.melodies * size.steps
    network = Network(shape(size.width), VOCABULARY, seed=1).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    given, bars = torch.from_numpy(melodies(rng, size)).to(device), Bars.common_time(size.melodies)
    learner, uniforms = learner_on(device, size), rng.random((size.melodies, size.steps))

    def learn() -> None:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network.scores(given, bars).flatten(0, 1), given.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    jobs: dict[str, Callable[[], object]] = {
        "training": learn,
        "tuning": lambda: learner.update(0.5),
        "composing": lambda: sample(network, uniforms, bars=bars),
    }
    with limit_threads(size.width, size.melodies), recurrent_gradients(network), recurrent_gradients(learner.model):
        return {name: cells * times_a_second(job, device, seconds) for name, job in jobs.items()}


def times_a_second(job: Callable[[], object], device: torch.device, seconds: float) -> float:
    """How often a job is done in a second, after a first time that compiles and allocates."""
    job()
    wait(device)
    done, began = 0, time.perf_counter()
    while not done or time.perf_counter() - began < seconds:
        job()
        wait(device)
        done += 1
    return done / (time.perf_counter() - began)


def wait(device: torch.device) -> None:
    """Wait until a device has computed what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def learner_on(device: torch.device, size: Size) -> Learner:
    """A learner of `rloo` with weights that do not depend on the device; the prior has others."""
    options = TuningOptions(melodies=size.melodies, steps=size.steps)
    policy, prior = (Network(shape(size.width), VOCABULARY, seed=seed).to(device) for seed in (1, 2))
    reward = reward_for(GRID, options, Key())
    bars, generator = reward.bars(1, size.steps), torch.Generator(device).manual_seed(1)
    return LEARNERS["rloo"](
        TuningTask(policy, copy.deepcopy(prior).requires_grad_(False), reward, options, bars, generator)
    )


def melodies(rng: np.random.Generator, size: Size) -> np.ndarray:
    """`(melodies, steps)` tokens: random, but one bar is repeated, so that there is something to learn."""
    bar = rng.integers(0, VOCABULARY, (size.melodies, 16))
    return np.tile(bar, (1, -(-size.steps // 16)))[:, : size.steps]


def shape(width: int) -> NetworkOptions:
    """An LSTM without dropout, whose random numbers would differ between devices."""
    return NetworkOptions(width=width, embedding=width, dropout=0.0)


def weights_of(module: nn.Module) -> Tensor:
    """All weights in one vector on the CPU."""
    return torch.cat([weight.detach().cpu().flatten() for weight in module.parameters()])


def relative(one: Tensor, other: Tensor) -> float:
    """The length of the difference over that of the first."""
    return float((other - one).norm() / one.norm())


def table(report: dict[str, object]) -> str:
    """The report as Markdown."""
    parity_rows: dict[str, dict[str, float]] = report["parity"]  # type: ignore[assignment]
    rates: dict[str, dict[str, float]] = report["steps_per_second"]  # type: ignore[assignment]
    failed: list[str] = report["failed"]  # type: ignore[assignment]
    checks = [
        f"| {name} | {row['difference']:.2g} | {row['limit']:g} | {'FAILS' if name in failed else 'passes'} |"
        for name, row in parity_rows.items()
    ]
    speeds = [
        " | ".join([f"| 1 x {width}", *(f"{rate:,.0f}" for rate in row.values())]) + " |"
        for width, row in rates.items()
    ]
    return "\n".join([
        f"# {report['device']}",
        "",
        f"torch {report['torch']}, float32.",
        "",
        "| difference from the CPU | | limit | |",
        "|---|---|---|---|",
        *checks,
        "",
        "| LSTM, steps a second | training | tuning | composing |",
        "|---|---|---|---|",
        *speeds,
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
