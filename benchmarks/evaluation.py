"""Speed of confidence intervals and permutation tests, against direct implementations.

    python benchmarks/evaluation.py [--melodies 1000] [--steps 240] [--metrics 60] [--plain 10]

Melodies are sampled from the bundle `tunes`. Prints seconds of CPU time on one thread, after a first call that compiles
the loops. The direct implementation computes a set metric again for each half of the set, and draws new samples for
each metric. It runs for a few draws (--plain), extrapolated to all, and is also a check: the same draws must give the
same bounds.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from cantilena.generation import sample
from cantilena.metrics import (
    Interval,
    RuleCounts,
    Side,
    bootstrap_ratios,
    different_melodies,
    different_melodies_interval,
    distinct_interval,
    distinct_n,
    rate_differences,
    self_bleu,
    self_bleu_interval,
    set_differences,
    subsample_interval,
    vendi_interval,
    vendi_score,
)
from cantilena.models import Bundle, bars_for_encoding, find_bundle
from cantilena.music import Line
from cantilena.runtime import generator

DRAWS = 200
RESAMPLES = 1000
PERMUTATIONS = 1999

Fast = Callable[[Line, np.random.Generator, int], Interval]
Plain = Callable[[Line], float]

NUMBERS: dict[str, tuple[Fast, Plain]] = {
    "different": (lambda line, rng, draws: different_melodies_interval(line, rng, draws=draws), different_melodies),
    "distinct-4": (
        lambda line, rng, draws: distinct_interval(line, 4, rng, draws=draws),
        lambda line: distinct_n(line, 4),
    ),
    "self-BLEU": (lambda line, rng, draws: self_bleu_interval(line, rng, draws=draws), self_bleu),
    "Vendi": (
        lambda line, rng, draws: vendi_interval(line, rng, draws=draws),
        lambda line: math.log(vendi_score(line)),
    ),
}
"""Metrics of a set: our implementation with its interval, and the metric that the direct one computes."""


def seconds(job: Callable[[], object]) -> float:
    """Return the CPU time of a job."""
    began = time.process_time()
    job()
    return time.process_time() - began


def sample_melodies(bundle: Bundle, melodies: int, steps: int, name: str) -> Line:
    """Sample melodies from a bundle."""
    uniforms = generator(1, "benchmark", name).random((melodies, steps))
    return bundle.encoding.line(
        sample(bundle.model(), uniforms, bars=bars_for_encoding(None, melodies, bundle.encoding)).tokens
    )


def random_counts(melodies: int, metrics: int, name: str) -> RuleCounts:
    """Return random counts of events of many metrics in each melody."""
    rng = generator(1, "benchmark counts", name)
    out_of = np.full(melodies, 240)
    return RuleCounts.from_pairs(
        {f"metric {k}": (rng.binomial(out_of, rng.random(melodies)), out_of) for k in range(metrics)}
    )


def plain_bootstrap(counted: NDArray[np.float64], out_of: NDArray[np.float64], rng: np.random.Generator) -> list[float]:
    """Return the rate of each bootstrap resample of the melodies."""
    rates = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(counted), len(counted))
        rates.append(counted[drawn].sum() / out_of[drawn].sum())
    return rates


def plain_permutations(
    counted: NDArray[np.float64], out_of: NDArray[np.float64], rng: np.random.Generator
) -> list[float]:
    """Return the difference of the rates of two halves, in standard errors, for each permutation."""
    distances = []
    for _ in range(PERMUTATIONS):
        order = rng.permutation(len(counted))
        rates, variances = [], []
        for part in np.array_split(order, 2):
            rate = counted[part].sum() / out_of[part].sum()
            left = counted[part] - rate * out_of[part]
            rates.append(rate)
            variances.append(len(part) / (len(part) - 1) * (left**2).sum() / out_of[part].sum() ** 2)
        distances.append(abs(rates[1] - rates[0]) / math.sqrt(sum(variances)))
    return distances


def print_row(name: str, fast: float, plain: float) -> None:
    """Print a row of the table."""
    print(f"{name:<24} {fast:9.3f} s {plain:9.2f} s {plain / fast:8.1f}")


def intervals_of_sets(line: Line, few: int) -> float:
    """Measure, check and print the metrics of a set, and return the seconds of all."""
    total = 0.0
    for name, (fast, plain) in NUMBERS.items():
        log = name == "Vendi"
        interval = fast(line, np.random.default_rng(1), few)
        began = time.process_time()
        within = (0.0, math.inf) if log else (0.0, 1.0)
        expected = subsample_interval(plain, line, np.random.default_rng(1), draws=few, within=within)
        plain_time = (time.process_time() - began) * DRAWS / few
        bounds = [math.log(bound) if log else bound for bound in (interval.low, interval.high)]
        assert np.allclose(bounds, (expected.low, expected.high), atol=1e-9), (interval, expected)
        began = time.process_time()
        fast(line, np.random.default_rng(1), DRAWS)
        fast_time = time.process_time() - began
        total += fast_time * (4 if name == "distinct-4" else 1)
        print_row(name, fast_time, plain_time)
    return total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--melodies", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--metrics", type=int, default=60)
    parser.add_argument("--plain", type=int, default=10, help="draws of the direct implementation")
    options = parser.parse_args()

    bundle = Bundle.load(find_bundle("tunes"))
    lines = [sample_melodies(bundle, options.melodies, options.steps, name) for name in "ab"]
    counts = [random_counts(options.melodies, options.metrics, name) for name in "ab"]
    sides = [Side(name, one) for name, one in zip("ab", counts, strict=True)]
    first = seconds(lambda: [fast(lines[0][:50], np.random.default_rng(1), 2) for fast, _ in NUMBERS.values()])

    print(f"first call               {first:9.3f} s")
    print(f"{'':<24} {'fast':>11} {'plain':>11} {'ratio':>8}")
    total = intervals_of_sets(lines[0], options.plain)

    rng, some = np.random.default_rng(1), list(counts[0].names)[:3]
    plain = seconds(lambda: [plain_bootstrap(counts[0].counted[name], counts[0].out_of[name], rng) for name in some])
    fast = seconds(lambda: bootstrap_ratios(counts[0].counted, counts[0].out_of, None, rng))
    print_row(f"bootstrap of {options.metrics} rates", fast, plain * options.metrics / len(some))

    counted = {name: np.concatenate([one.counted[name] for one in counts]) for name in some}
    out_of = {name: np.concatenate([one.out_of[name] for one in counts]) for name in some}
    plain = seconds(lambda: [plain_permutations(counted[name], out_of[name], rng) for name in some])
    fast = seconds(lambda: rate_differences(sides[0], sides[1], rng, permutations=PERMUTATIONS))
    print_row(f"permutations of {options.metrics} rates", fast, plain * options.metrics / len(some))

    fast = seconds(lambda: set_differences(("a", "b"), (lines[0], lines[1]), rng, permutations=PERMUTATIONS))
    print(f"{'permutations of two sets':<24} {fast:9.3f} s")
    print(f"all metrics of a set     {total:9.3f} s (distinct-1 to 3 counted like distinct-4)")


if __name__ == "__main__":
    main()
