"""Environment steps per second of tuning: batches of whole melodies against one melody at a time.

    python benchmarks/tuning.py

Both use the same network (LSTM 128 on the grid) and rules; sampling, scoring and updates are included. The baseline
follows the schedule of the published RL Tuner: one melody, one step at a time, each reward computed from the melody so
far, and every 5 steps an update on 32 transitions from the replay buffer, with a soft target.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import torch

from cantilena.models import Bars, Network, NetworkOptions, limit_threads
from cantilena.rl import LEARNERS, MusicReward, TuningOptions, TuningTask, td_target
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import GridEncoding

STEPS, SECONDS = 32, 20.0


def whole_melodies(options: TuningOptions) -> float:
    """Return steps per second of one of our learners."""
    network, prior = _networks()
    learner = LEARNERS[options.algorithm](
        TuningTask(network, prior, _reward(options), options, Bars.common_time(1), _generator())
    )
    learner.update(0.0)  # compiles the rules
    updates, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        learner.update(0.5)
        updates += 1
    return updates * options.melodies * options.steps / (time.perf_counter() - started)


def one_melody_at_a_time() -> float:
    """Return steps per second of the published schedule."""
    options = TuningOptions(algorithm="q")
    network, prior = _networks()
    target, reward, generator = copy.deepcopy(network), _reward(options), _generator()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    bars = Bars.common_time(1)
    replay: list[tuple[tuple[int, ...], float]] = []
    reward.terms(np.full((1, STEPS), 14))  # compiles the rules
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
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
    return done / (time.perf_counter() - started)


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


def _networks() -> tuple[Network, Network]:
    torch.manual_seed(1)
    network = Network(NetworkOptions(), len(GridEncoding().vocabulary))
    return network, copy.deepcopy(network).requires_grad_(False)


def _reward(options: TuningOptions) -> MusicReward:
    return MusicReward(GridEncoding(), RULE_SETS["rl-tuner"], Context(), options.c_for(), options.clip)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


if __name__ == "__main__":
    with limit_threads(NetworkOptions().width, rows=32):  # a second thread would slow down a single melody
        baseline = one_melody_at_a_time()
    print(f"one melody at a time, published schedule: {baseline:9.0f} steps/s")
    for algorithm in ("rloo", "ppo", "q", "double-q", "psi", "g", "rejection"):
        speed = whole_melodies(TuningOptions(algorithm=algorithm))
        print(f"{algorithm:41} {speed:9.0f} steps/s, {speed / baseline:.0f} times")
