"""Environment steps per second of tuning: batches of whole melodies against one melody at a time.

    python benchmarks/tuning.py [--width 128] [--seconds 20] [--algorithms rloo ppo q]

Both use the same network (an LSTM on the grid) and rules; sampling, scoring and updates are included. Each runs on
one thread, and seconds are those of its CPU time, which other processes hardly affect. The baseline
follows the schedule of the published RL Tuner: one melody, one step at a time, each reward computed from the melody so
far, and every 5 steps an update on 32 transitions from the replay buffer, with a soft target.

Of `rloo` it also prints the shares of an update, without and with a critic, and what share of the rate of matrix
products alone (of the same shapes, in the same process) it reaches. Counted are the products of five forward passes:
sampling, prior, policy, and its gradient, which costs two. Fewer are made: what sampling computed is not computed
again, and the input of the first layer is looked up.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cantilena.discriminators import HumanMelodies
from cantilena.models import Bars, Network, NetworkOptions
from cantilena.rl import (
    LEARNERS,
    CriticOptions,
    CriticReward,
    Learner,
    MusicReward,
    TuningOptions,
    TuningTask,
    td_target,
)
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import GridEncoding
from products import products

STEPS = 32


ALGORITHMS = [name for name in LEARNERS if name != "mpo"]
"""Those that tune networks of steps."""


def learner_of(options: TuningOptions, width: int) -> Learner:
    """Return one of our learners after its first update, which compiles the rules."""
    network, prior = _networks(width)
    reward = _reward(options)
    critic = CriticReward(_melodies(), reward, options) if options.critic.critic else None
    task = TuningTask(network, prior, reward, options, Bars.common_time(1), _generator(), critic)
    learner = LEARNERS[options.algorithm](task)
    learner.prepare()
    learner.update(0.0)
    return learner


def whole_melodies(learner: Learner, seconds: float) -> float:
    """Return steps per second of one of our learners."""
    updates, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        learner.update(0.5)
        updates += 1
    return updates * learner.options.melodies * learner.options.steps / (time.process_time() - started)


def shares(learner: Any, seconds: float) -> dict[str, float]:
    """Return the share of each part of an update."""
    spent = dict.fromkeys(("sampling", "rules", "critic", "prior", "policy"), 0.0)

    def timed(compute: Callable[..., Any], part: Callable[..., str]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            began = time.process_time()
            result = compute(*args)
            spent[part(*args)] += time.process_time() - began
            return result

        return call

    learner.sample = timed(learner.sample, lambda: "sampling")
    if learner.critic is not None:
        learner.critic.score_and_train = timed(learner.critic.score_and_train, lambda _: "critic")
    for name in ("score", "scaled_reward", "places"):
        setattr(learner, name, timed(getattr(learner, name), lambda *_: "rules"))
    learner.log_probs = timed(learner.log_probs, lambda model, _: "prior" if model is learner.prior else "policy")
    learner.gradient_step = timed(learner.gradient_step, lambda _: "policy")
    started = time.process_time()
    while time.process_time() - started < seconds:
        learner.update(0.5)
    whole = time.process_time() - started
    spent["rules"] -= spent["critic"]  # which is called by `score`
    return {part: time_ / whole for part, time_ in spent.items()}


def rate_of_products(width: int, options: TuningOptions) -> float:
    """Return multiplications and additions a second of products of the shapes of a layer alone, the best of five."""
    rows = products(width, width, torch.float32, options.melodies, options.steps)
    best = [float("inf")] * len(rows)
    for _ in range(5):
        for number, row in enumerate(rows):
            for product in row:
                began = time.process_time()
                product()
                best[number] = min(best[number], time.process_time() - began)
    return len(rows) * 2 * options.melodies * options.steps * 4 * width * width / sum(best)


def products_of_step(width: int) -> int:
    """Return multiplications and additions of a step: of five forward passes."""
    return 5 * 2 * width * (4 * width + 4 * width + len(GridEncoding().vocabulary))


def one_melody_at_a_time(width: int, seconds: float) -> float:
    """Return steps per second of the published schedule."""
    options = TuningOptions(algorithm="q")
    network, prior = _networks(width)
    target, reward, generator = copy.deepcopy(network), _reward(options), _generator()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    bars = Bars.common_time(1)
    replay: list[tuple[tuple[int, ...], float]] = []
    reward.terms(np.full((1, STEPS), 14))  # compiles the rules
    done, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        log_probs, state = network.start(1, bars=bars)
        prior_log_probs, prior_state = prior.start(1, bars=bars)
        melody: list[int] = []
        for _ in range(STEPS):
            token = int(torch.multinomial(log_probs[0].exp(), 1, generator=generator))
            melody.append(token)
            terms = reward.terms(np.array([melody]))
            music = float(reward.scaled(terms)[0, -1])
            replay.append((tuple(melody), float(prior_log_probs[0, token]) + music))
            log_probs, state = network.step(np.array([token]), state)
            prior_log_probs, prior_state = prior.step(np.array([token]), prior_state)
            done += 1
            if done % 5 == 0 and len(replay) >= 32:
                _update(network, target, optimizer, replay, generator)
    return done / (time.process_time() - started)


def _update(
    network: Network,
    target: Network,
    optimizer: torch.optim.Optimizer,
    replay: list[tuple[tuple[int, ...], float]],
    generator: torch.Generator,
) -> None:
    batch = [replay[i] for i in torch.randint(len(replay), (32,), generator=generator).tolist()]
    tokens = torch.zeros(32, STEPS + 1, dtype=torch.int64)
    last = torch.tensor([len(melody) - 1 for melody, _ in batch])
    for row, (melody, _) in enumerate(batch):
        tokens[row, : len(melody)] = torch.tensor(melody)
    rewards = torch.tensor([value for _, value in batch])
    rows = torch.arange(32)
    values = network.scores(tokens, bars=Bars.common_time(32))
    with torch.no_grad():
        following = target.scores(tokens, bars=Bars.common_time(32))[rows, last + 1]
    loss = (values[rows, last, tokens[rows, last]] - td_target("q", rewards, following, None, 0.5)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), network.parameters(), strict=True):
            slow.lerp_(fast, 0.01)


def _networks(width: int) -> tuple[Network, Network]:
    torch.manual_seed(1)
    network = Network(NetworkOptions(width=width, embedding=width), len(GridEncoding().vocabulary))
    return network, copy.deepcopy(network).requires_grad_(False)


def _reward(options: TuningOptions) -> MusicReward:
    return MusicReward(GridEncoding(), RULE_SETS["rl-tuner"], Context(), options.c_for(), options.clip)


def _melodies() -> HumanMelodies:
    """Random walks in the place of human melodies."""
    tokens = 20 + np.random.default_rng(1).integers(-2, 3, (400, STEPS)).cumsum(axis=1) % 12
    return HumanMelodies(GridEncoding().line(tokens), np.arange(400), np.zeros(400, dtype=np.int64))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--algorithms", nargs="*", default=ALGORITHMS, choices=ALGORITHMS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    baseline = one_melody_at_a_time(given.width, given.seconds)
    print(f"one melody at a time, published schedule: {baseline:9.0f} steps/s", flush=True)
    for algorithm in given.algorithms:
        learner = learner_of(TuningOptions(algorithm=algorithm), given.width)
        speed = whole_melodies(learner, given.seconds)
        print(f"{algorithm:41} {speed:9.0f} steps/s, {speed / baseline:.0f} times", flush=True)
        if algorithm == "rloo":
            rate = rate_of_products(given.width, learner.options)
            share = speed * products_of_step(given.width) / rate
            print(f"  {share:.0%} of {rate / 1e9:.0f} billion operations a second, the rate of products alone")
            with_critic = learner_of(TuningOptions(critic=CriticOptions(critic=True)), given.width)
            for words, one in (("of an update", learner), ("of one with a critic", with_critic)):
                parts = shares(one, given.seconds).items()
                print(f"  {words}: " + ", ".join(f"{part} {value:.0%}" for part, value in parts if value), flush=True)


if __name__ == "__main__":
    main()
