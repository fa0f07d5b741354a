"""Speed of the rule sets: the nine rules of `rl-tuner` against plain Python, and the other sets.

    python benchmarks/rules.py [--melodies 512] [--steps 32] [--repeats 30]

Prints steps per second of CPU time on one thread for both and their ratio, and the time of the first call, which
compiles the loops unless they are cached. Tests compare the results of both. The other rule sets are measured with
lines of 128 steps, eight bars of sixteenths in 4/4.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules import RULE_SETS, RuleSet
from cantilena.tokenizers import GridEncoding

IN_KEY = {0, 1} | {pitch - 46 for pitch in range(48, 84) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)}
TONIC = 14


class PlainJudge:
    """Computes the rewards of one melody in C major, step by step."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.past: list[int] = []
        self.leap_direction = 0
        self.leap_origin = 0
        self.since_leap = 0

    def judge(self, event: int) -> dict[str, float]:
        """Add an event, and return its nine rewards."""
        rewards = {
            "key": -1.0 if event not in IN_KEY else 0.0,
            "tonic": self.tonic(event),
            "repetition": -100.0 if self.repeats(event) else 0.0,
            "autocorrelation": self.autocorrelation(event),
            "motif": self.motif(event),
            "repeated_motif": self.repeated_motif(event),
            "intervals": self.interval(event),
            "leap": self.leap(event),
            "extremes": self.extremes(event),
        }
        self.past.append(event)
        return rewards

    def last_tone(self) -> int | None:
        """Return the last class that is a pitch."""
        return next((event for event in reversed(self.past) if event > 1), None)

    def tonic(self, event: int) -> float:
        """Reward the tonic at the first step and four steps before the end, followed by holds or rests."""
        step, final = len(self.past), self.steps - 4
        if step in (0, final):
            return 3.0 if event == TONIC else 0.0
        if step == final + 1:
            return 3.0 if event == 1 else 0.0
        return 3.0 if step > final + 1 and event in (0, 1) else 0.0

    def repeats(self, event: int) -> bool:
        """Return whether there are too many equal events before another pitch."""
        same, special = 0, False
        for other in reversed(self.past):
            if other == event:
                same += 1
            elif other > 1:
                break
            else:
                special = True
        return (event == 0 and same > 1) or same > (6 if special else 4)

    def autocorrelation(self, event: int) -> float:
        """Penalise autocorrelation at lags 1, 2 and 3."""
        signal = np.array([*self.past, event], dtype=float)
        variance = signal.var()
        if variance == 0:
            return 0.0
        x = signal - signal.mean()
        penalty = 0.0
        for lag in (1, 2, 3):
            rho = (x[lag:] * x[: max(len(x) - lag, 0)]).sum() / len(x) / variance
            penalty += 3.0 * abs(rho) if abs(rho) > 0.15 else 0.0
        return -penalty

    def window(self, event: int) -> tuple[list[int], int]:
        """Return the last eight events and the number of their pitches."""
        events = [*self.past[-7:], event]
        return events, len({other for other in events if other > 1}) if len(events) == 8 else 0

    def motif(self, event: int) -> float:
        """Reward eight events with at least three pitches."""
        _, tones = self.window(event)
        return 3.0 + 0.3 * (tones - 3) if tones >= 3 else 0.0

    def repeated_motif(self, event: int) -> float:
        """Reward eight events that occurred before, without overlap."""
        events, tones = self.window(event)
        earlier = self.past[: len(self.past) - 7]
        occurred = any(earlier[i : i + 8] == events for i in range(len(earlier) - 7))
        return 4.0 + (tones - 3) if occurred and tones >= 3 else 0.0

    def interval(self, event: int) -> float:
        """Reward or penalise the interval from the last tone."""
        before = self.last_tone()
        if before is None:
            return 0.0
        degree = (before - TONIC) % 12
        if event == 0:
            return 0.75 if degree in (0, 7) else 0.25
        if event == 1:
            return 1.5 if degree in (0, 7) else 0.375
        size = abs(event - before)
        if size == 4:
            return 0.75 if degree in (0, 4) else 0.45
        if size == 7:
            return 0.5 if degree in (0, 7) else 0.1
        return -5.0 if size > 12 else {2: 0.4, 5: 0.35, 9: 0.25, 11: -1.5}.get(size, 0.0)

    def leap(self, event: int) -> float:
        """Reward a leap that is resolved, and penalise one that is doubled."""
        before = self.last_tone()
        if event < 2 or before is None or abs(event - before) < 7:
            self.since_leap += 1
            back = event > 1 and (event - self.leap_origin) * self.leap_direction <= 0
            if self.leap_direction and back:
                self.leap_direction = 0
                return 5.0
            return 0.0
        direction = 1 if event > before else -1
        waited, self.since_leap = self.since_leap, 0
        if self.leap_direction == direction:
            return -5.0
        if self.leap_direction:
            self.leap_direction = 0
            return 5.0 if waited > 6 else 0.0
        self.leap_direction, self.leap_origin = direction, before
        return 0.0

    def extremes(self, event: int) -> float:
        """At the last step, reward a unique highest and a unique lowest tone."""
        if len(self.past) + 1 != self.steps:
            return 0.0
        events = [*self.past, event]
        tones = [other for other in events if other > 1]
        highest = events.count(max(events)) == 1
        lowest = bool(tones) and events.count(min(tones)) == 1
        return 3.0 * highest + 3.0 * lowest


def plain_rewards(classes: list[int]) -> dict[str, list[float]]:
    """Return the nine rewards of a melody in RL Tuner's classes, by name of the rule."""
    judge = PlainJudge(len(classes))
    judged = [judge.judge(event) for event in classes]
    return {name: [step[name] for step in judged] for name in judged[0]}


def random_walks(melodies: int, steps: int) -> NDArray[np.int64]:
    """Return classes of random walks with holds and rests."""
    rng = np.random.default_rng(0)
    walk = np.clip(rng.integers(-4, 5, (melodies, steps)).cumsum(axis=1) + 20, 2, 37)
    classes: NDArray[np.int64] = np.where(rng.random(walk.shape) < 0.4, rng.integers(0, 2, walk.shape), walk)
    return classes


def steps_per_second(rules: RuleSet, line: Line, repeats: int) -> float:
    """Return the steps per second of CPU time of a rule set, the median over repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        rules.total(line)
        seconds.append(time.process_time() - began)
    return line.event.size / float(np.median(seconds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--melodies", type=int, default=512)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()

    classes = random_walks(options.melodies, options.steps)
    line, rules = GridEncoding().line(classes), RULE_SETS["rl-tuner"]

    began = time.perf_counter()
    rules.rewards(line)
    first = time.perf_counter() - began

    compiled = steps_per_second(rules, line, options.repeats)

    some = classes[: max(1, 4096 // options.steps)].tolist()
    began = time.process_time()
    for melody in some:
        plain_rewards(melody)
    plain = len(some) * options.steps / (time.process_time() - began)

    print(f"first call           {first:10.2f} s")
    print(f"compiled rules       {compiled:10,.0f} steps/s (median of {options.repeats}, lines of {classes.shape})")
    print(f"plain Python         {plain:10,.0f} steps/s ({len(some)} melodies)")
    print(f"ratio                {compiled / plain:10,.1f}")

    line = GridEncoding().line(random_walks(options.melodies, 128))
    for name, other in RULE_SETS.items():
        if other is not rules:
            other.total(line)
            speed = steps_per_second(other, line, options.repeats)
            print(f"{name:<20} {speed:10,.0f} steps/s (lines of {line.event.shape})")


if __name__ == "__main__":
    main()
