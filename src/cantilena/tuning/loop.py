"""The tuning loop: a trained bundle in, a tuned bundle out."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cantilena.model import Bars, Bundle, Network, choose_device
from cantilena.runs import derived_seed, options_record, progress
from cantilena.theory import RULE_SETS, Context
from cantilena.tuning.checkpoint import TuningCheckpoint
from cantilena.tuning.history import TuningHistory
from cantilena.tuning.learner import Learner
from cantilena.tuning.options import TuningOptions
from cantilena.tuning.q_learning import QLearning
from cantilena.tuning.reward import MusicReward
from cantilena.tuning.rloo import Rloo

LEARNERS: dict[str, type[Learner]] = {"rloo": Rloo, "q": QLearning}
"""The algorithms by name."""

_CHECKPOINT_EVERY = 20.0
"""Seconds between checkpoints."""


@dataclass(frozen=True)
class Tuned:
    """What tuning gives.

    Args:
        bundle: the tuned model with its prior beside it.
        history: rewards and distances, update by update.
        steps: environment steps taken.
        seconds: how long sampling, scoring and learning took, a resumed run's earlier part not counted.
        steps_per_second: environment steps a second of this part.
    """

    bundle: Bundle
    history: TuningHistory
    steps: int
    seconds: float
    steps_per_second: float


def tune(bundle: Bundle, options: TuningOptions, *, folder: Path | None = None, resume: bool = False) -> Tuned:
    """Tune a trained model on rules of music theory.

    Args:
        bundle: the trained model; where it was tuned before, its prior is what stays the yardstick.
        options: how to tune.
        folder: where checkpoints and `metrics.jsonl` go; nowhere if None.
        resume: go on from the folder's checkpoint, to the identical result.

    Raises:
        UsageError: rules or weights that do not exist.
    """
    device = choose_device(options.device)
    network = bundle.network().to(device).eval()
    prior = copy.deepcopy(network).requires_grad_(False)
    learner = LEARNERS[options.algorithm](
        network,
        prior,
        music_reward(bundle, options),
        options,
        _bars(bundle, options),
        torch.Generator(device).manual_seed(derived_seed(options.seed, "tune")),
    )
    history = TuningHistory()
    checkpoint = TuningCheckpoint(folder) if folder is not None else None
    first = checkpoint.restore(learner, history) if checkpoint is not None and resume else 0
    if history.c:
        learner.reward = replace(learner.reward, c=next_c(history.c[-1], history.kl[-1], options))
    seconds = _learn(learner, options, history, first, checkpoint)
    if folder is not None:
        history.write(folder / "metrics.jsonl")
    taken = (options.updates - first) * options.melodies * options.steps
    return Tuned(
        bundle=_tuned_bundle(bundle, network, learner.policy, options),
        history=history,
        steps=options.updates * options.melodies * options.steps,
        seconds=seconds,
        steps_per_second=taken / seconds if seconds > 0 else 0.0,
    )


def music_reward(bundle: Bundle, options: TuningOptions) -> MusicReward:
    """The reward that the options name, for the bundle's encoding."""
    rules = RULE_SETS[options.rules].with_weights(**options.rule_weights)
    return MusicReward(bundle.encoding, rules, Context(), options.reward_c, options.clip)


def next_c(c: float, kl: float, options: TuningOptions) -> float:
    """What c is at the next update: a tenth of the KL's relative excess over the target higher, never below its start.

    The controller of Ziegler et al. 2019 (arXiv 1909.08593, section 2.2), one-sided: the error is clipped to 20 %.

    Args:
        c: of this update.
        kl: measured in this update, nats a step.
        options: with the target and the c to start from.

    Example:
        >>> options = TuningOptions(c=3.0, target_kl=0.5)
        >>> round(next_c(3.0, 0.6, options), 3), next_c(3.0, 0.1, options)
        (3.06, 3.0)
    """
    if options.target_kl is None:
        return c
    error = min(max(kl / options.target_kl - 1.0, -0.2), 0.2)
    return max(c * (1.0 + 0.1 * error), options.reward_c)


def _learn(
    learner: Learner,
    options: TuningOptions,
    history: TuningHistory,
    first: int,
    checkpoint: TuningCheckpoint | None,
) -> float:
    """Run the updates from `first` on; gives the seconds that learning took."""
    started = saved = time.perf_counter()
    batch = options.melodies * options.steps
    with progress(f"Tuning ({options.algorithm})", total=options.updates, unit="updates") as bar:
        bar.advance(first)
        for number in range(first, options.updates):
            share = number / options.updates
            for group in learner.optimizer.param_groups:
                group["lr"] = options.learning_rate * (0.55 + 0.45 * math.cos(math.pi * share))
            update = learner.update(share)
            history.add((number + 1) * batch, update, learner.reward.c)
            learner.reward = replace(learner.reward, c=next_c(learner.reward.c, update.kl, options))
            bar.advance(1, f"reward {update.reward:.1f} a melody, KL {update.kl:.2f} a step")
            if checkpoint is not None and time.perf_counter() - saved > _CHECKPOINT_EVERY:
                checkpoint.save(learner, history, number + 1)
                saved = time.perf_counter()
    return time.perf_counter() - started


def _bars(bundle: Bundle, options: TuningOptions) -> Bars | None:
    return Bars.common_time(options.melodies) if bundle.encoding.tells_time else None


def _tuned_bundle(bundle: Bundle, network: Network, policy: str, options: TuningOptions) -> Bundle:
    provenance: dict[str, Any] = {**bundle.provenance, "tuning": options_record(options)}
    return replace(
        bundle,
        weights=network.numpy_weights(),
        prior_weights=bundle.prior_weights if bundle.prior_weights is not None else bundle.weights,
        policy=policy,
        provenance=provenance,
    )
