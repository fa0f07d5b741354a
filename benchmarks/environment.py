"""Speed of the environments: one melody, and many in parallel.

    python benchmarks/environment.py [--steps 32] [--seconds 2]

Prints steps per second of CPU time on one thread, with random actions and resets included, for each rule set.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from cantilena.envs import MelodyEnv, MelodyVectorEnv


def single(rules: str, steps: int, seconds: float) -> float:
    """Return steps per second of `MelodyEnv`."""
    env = MelodyEnv(rules=rules, steps=steps)
    actions = np.random.default_rng(1).integers(env.episodes.vocabulary_size, size=steps)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.process_time()
        env.reset()
        for action in actions:
            env.step(action)
        best = max(best, steps / (time.process_time() - started))
    return best


def vectorised(rules: str, melodies: int, steps: int, seconds: float) -> float:
    """Return steps per second of `MelodyVectorEnv`."""
    envs = MelodyVectorEnv(melodies, rules=rules, steps=steps)
    actions = np.random.default_rng(1).integers(envs.episodes.vocabulary_size, size=(steps, melodies))
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.process_time()
        envs.reset()
        for row in actions:
            envs.step(row)
        best = max(best, steps * melodies / (time.process_time() - started))
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    for rules in ("rl-tuner", "paper"):
        print(f"{rules:9} one melody    {single(rules, options.steps, options.seconds):9,.0f} steps per second")
        for melodies in (8, 64, 512):
            speed = vectorised(rules, melodies, options.steps, options.seconds)
            print(f"{rules:9} {melodies:3} melodies  {speed:9,.0f} steps per second")


if __name__ == "__main__":
    main()
