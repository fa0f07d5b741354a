"""How fast the environment steps: one melody, and many at once.

Run: python benchmarks/environment.py [--steps 32] [--seconds 2]

Prints steps a second of processor time on one thread, with random actions and resets, for each rule set: what an agent
waits for, beside its own thinking.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from cantilena.envs import MelodyEnv, MelodyVectorEnv


def one_by_one(rules: str, steps: int, seconds: float) -> float:
    """Steps a second of `MelodyEnv`."""
    env = MelodyEnv("tunes", rules, steps=steps)
    actions = np.random.default_rng(1).integers(env.episodes.vocabulary_size, size=steps)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.process_time()
        env.reset()
        for action in actions:
            env.step(action)
        best = max(best, steps / (time.process_time() - started))
    return best


def at_once(rules: str, melodies: int, steps: int, seconds: float) -> float:
    """Steps a second of `MelodyVectorEnv`."""
    envs = MelodyVectorEnv(melodies, "tunes", rules, steps=steps)
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
        print(f"{rules:9} one melody    {one_by_one(rules, options.steps, options.seconds):9,.0f} steps a second")
        for melodies in (8, 64, 512):
            speed = at_once(rules, melodies, options.steps, options.seconds)
            print(f"{rules:9} {melodies:3} melodies  {speed:9,.0f} steps a second")


if __name__ == "__main__":
    main()
