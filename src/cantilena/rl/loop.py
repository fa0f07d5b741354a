"""The tuning loop: updates, adaptive c, diversity checks and checkpoints."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cantilena.discriminators import StoppingClassifier
from cantilena.errors import RunError
from cantilena.models import to_numpy
from cantilena.rl.critic_reward import CriticData
from cantilena.rl.history import TuningHistory
from cantilena.rl.learner import Learner
from cantilena.rl.options import TuningOptions
from cantilena.rl.reward import padded_together
from cantilena.rl.rollout import entropy, kl_divergence
from cantilena.rl.watch import DiversityCheck, DiversityMonitor
from cantilena.rules import lengths
from cantilena.runtime import derived_seed, generator, log, progress
from cantilena.training.checkpointing import (
    CHECKPOINT,
    add_prefixes,
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    remove_drafts,
    save_checkpoint,
    with_prefix,
)

_MAX_C = 1e6
"""Upper bound of c if the target KL cannot be held; the rules have no weight then."""

_BATCH = 256
"""Melodies scored at once in a check, to limit memory."""


@dataclass
class TuningState:
    """The progress of a tuning.

    Args:
        history: rewards and distances, update by update.
        updates: number of updates.
        checks: the diversity checks.
        best: the weights of the best check that passed, by name; None without one.
        best_reward: the reward of that check; with a critic, including the stopping classifier's log odds.
        best_update: the update of that check.
        stopped: whether failed checks stopped the tuning early.
    """

    history: TuningHistory = field(default_factory=TuningHistory)
    updates: int = 0
    checks: list[DiversityCheck] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_reward: float = float("-inf")
    best_update: int = 0
    stopped: bool = False


def run_updates(
    state: TuningState,
    learner: Learner,
    options: TuningOptions,
    monitor: DiversityMonitor | None,
    *,
    after_update: Callable[[], None] = lambda: None,
) -> float:
    """Run the remaining updates, in place; return the seconds of learning, without the checks.

    Raises:
        RunError: the loss became NaN or infinite.
    """
    started, checking = time.perf_counter(), 0.0
    batch = options.melodies * options.steps
    with progress(f"Tuning ({options.algorithm})", total=options.updates, unit="updates") as bar:
        bar.advance(state.updates)
        while state.updates < options.updates and not state.stopped:
            fraction = state.updates / options.updates
            for group in learner.optimizer.param_groups:
                group["lr"] = learner.learning_rate(fraction)
            learner.turn_to(state.updates)
            stats = learner.update(fraction)
            state.updates += 1
            if not math.isfinite(stats.loss):
                raise RunError(
                    f"the loss became {stats.loss} at update {state.updates}",
                    "give a smaller --learning-rate, a larger --c, or smaller --weights",
                )
            steps = state.history.steps + (batch if stats.steps is None else stats.steps)
            state.history.add(steps, stats, learner.reward.c, learner.accuracy)
            learner.reward = replace(learner.reward, c=next_c(learner.reward.c, stats.kl, options))
            bar.advance(1, f"reward {stats.reward:.1f} a melody, KL {stats.kl:.2f} a step")
            every = options.watch.look
            if monitor is not None and every and (state.updates % every == 0 or state.updates == options.updates):
                began = time.perf_counter()
                _check(state, learner, options, monitor)
                checking += time.perf_counter() - began
            after_update()
    _restore_best(state, learner)
    return time.perf_counter() - started - checking


def next_c(c: float, kl: float, options: TuningOptions) -> float:
    """The value of c for the next update: raised by a tenth of the relative excess of the KL, never below its start.

    The controller of Ziegler et al. 2019 (arXiv 1909.08593, section 2.2), one-sided, with the error clipped to 20 %.

    Examples:
        >>> options = TuningOptions(c=3.0, target_kl=0.5)
        >>> round(next_c(3.0, 0.6, options), 3), next_c(3.0, 0.1, options)
        (3.06, 3.0)
    """
    if options.target_kl is None:
        return c
    error = min(max(kl / options.target_kl - 1.0, -0.2), 0.2)
    return min(max(c * (1.0 + 0.1 * error), options.c_for()), _MAX_C)


def make_monitor(
    learner: Learner,
    options: TuningOptions,
    human: NDArray[np.int64] | None,
    critic_data: CriticData | None = None,
) -> DiversityMonitor:
    """The melodies that those of a tuning are compared with, made before its first update.

    These are the untuned model's and human ones, `(excerpts, tokens)`, or with a critic those of its classifier.
    """
    prior = _sample(learner, options, update=0, from_prior=True)
    line_of = learner.reward.encoding.line
    human_line = None if human is None else line_of(human if learner.end is not None else human[:, : options.steps])
    if human_line is not None and human_line.steps < options.steps:
        human_line = None
    untuned = line_of(prior.tokens)
    if learner.critic is None or critic_data is None:
        return DiversityMonitor(human_line, untuned, prior.entropy)
    # Everything that stops the run, diversity included, uses pieces that evaluate nothing afterwards.
    classifier = StoppingClassifier(critic_data.stopping, learner.reward.context.steps_per_bar)
    before = classifier.evaluate(untuned, generator(options.seed, "listen", 0))
    return DiversityMonitor(critic_data.stopping.line, untuned, prior.entropy, classifier, before)


def _check(state: TuningState, learner: Learner, options: TuningOptions, monitor: DiversityMonitor) -> None:
    """Check new melodies, and keep the weights if they passed and are the best so far."""
    drawn = _sample(learner, options, update=state.updates)
    line = learner.reward.encoding.line(drawn.tokens)
    reward, critic = drawn.reward / max(len(lengths(line)), 1), learner.critic
    check = monitor.check(
        line,
        generator(options.seed, "look", state.updates),
        update=state.updates,
        reward=reward,
        kl=drawn.kl,
        entropy=drawn.entropy,
        critic=None if critic is None else drawn.critic,
        earlier=state.checks,
    )
    known = {alarm.partition(" ")[0] for earlier in state.checks for alarm in earlier.alarms}
    for alarm in check.alarms:
        if alarm.partition(" ")[0] not in known:
            log(f"Update {check.update}: {alarm}")
    state.checks.append(check)
    score = check.classifier_score
    value = reward if critic is None or score is None else reward + critic.points_per_nat * score["log_odds"]
    if check.passed and (learner.keeps_latest or value > state.best_reward):
        state.best_reward, state.best_update = value, check.update
        state.best = copy.deepcopy({name: tensor.detach() for name, tensor in learner.kept_weights().items()})
    if options.watch.stop and len(state.checks) > 1 and not any(last.passed for last in state.checks[-2:]):
        state.stopped = state.updates < options.updates


def _restore_best(state: TuningState, learner: Learner) -> None:
    """Give the model the best weights that passed a check; without one, those that are kept."""
    if state.best is None:
        learner.model.load_state_dict(learner.kept_weights())
        if state.checks:
            log("No diversity check passed: the last weights are kept; raise --c or lower the weights")
        return
    learner.model.load_state_dict(state.best)
    if state.stopped or not state.checks[-1].passed:
        reason = "Stopped early at" if state.stopped else "The last diversity check failed at"
        log(f"{reason} update {state.updates}; the weights of update {state.best_update}, which passed, are kept")


@dataclass(frozen=True)
class _Drawn:
    """Melodies to check, in all contexts of the rules.

    Args:
        tokens: `(melodies, tokens)`.
        kl: from the prior, nats a step.
        entropy: nats a step.
        reward: of the rules, the sum of all melodies; 0 of the prior.
        critic: the mean of the critic's; 0 of the prior, and without one.
    """

    tokens: NDArray[np.int64]
    kl: float
    entropy: float
    reward: float
    critic: float


@torch.no_grad()
def _sample(learner: Learner, options: TuningOptions, *, update: int, from_prior: bool = False) -> _Drawn:
    """Sample the policy (or the prior)."""
    rng = torch.Generator(learner.generator.device).manual_seed(derived_seed(options.seed, "look", update))
    model = learner.prior if from_prior else learner.policy_model()
    count, contexts = options.watch.watched, len(learner.contexts)
    kl = total_entropy = reward = points = 0.0
    samples = []
    for number in range(contexts):
        learner.turn_to(number)
        parts, left = [], count * (number + 1) // contexts - count * number // contexts
        while left:
            size = min(_BATCH, left)
            left -= size
            tokens = learner.draw(model, size, rng)
            log_policy, log_prior = learner.log_probs(model, tokens), learner.log_probs(learner.prior, tokens)
            share = tokens.shape[1] / options.steps  # tokens a step; padding adds nothing
            kl += float(kl_divergence(log_policy, log_prior).mean(1).sum()) * share
            total_entropy += float(entropy(log_policy).mean(1).sum()) * share
            parts.append(to_numpy(tokens))
        samples += [padded_together(parts)] if parts else []
        if parts and not from_prior:
            reward += float(sum(term.sum() for term in learner.reward.terms(samples[-1]).values()))
            if learner.critic is not None:
                score = learner.critic.score(torch.from_numpy(samples[-1])).sum(1).mean()
                points += float(score) * (len(samples[-1]) / count)
    return _Drawn(padded_together(samples), kl / count, total_entropy / count, reward, points)


class TuningCheckpoint:
    """The checkpoint of a run: networks, optimizer, random state, replay buffer, best weights and progress."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CHECKPOINT

    def save(self, learner: Learner, state: TuningState) -> None:
        """Write everything that the next update depends on."""
        tensors = add_prefixes({
            "network.": learner.model.state_dict(),
            "learner.": learner.state(),
            "optimizer.": optimizer_tensors(learner.optimizer),
            "best.": state.best or {},
            "critic.": learner.critic.state() if learner.critic is not None else {},
            "generator": {"": learner.generator.get_state()},
        })  # fmt: skip
        record = {
            "updates": state.updates,
            "history": state.history.to_json(),
            "looks": [check.to_json() for check in state.checks],
            "best_reward": state.best_reward if state.best is not None else "-inf",
            "best_update": state.best_update,
            "stopped": state.stopped,
        }
        remove_drafts(self.path)
        save_checkpoint(self.path, tensors, record)

    def restore(self, learner: Learner) -> TuningState:
        """Restore the learner and return the progress; that of a new run if there is no checkpoint.

        Raises:
            RunError: the checkpoint is damaged or of another run.
        """
        remove_drafts(self.path)
        checkpoint = load_checkpoint(self.path)
        if checkpoint is None:
            return TuningState()
        tensors, record = checkpoint
        try:
            learner.model.load_state_dict(with_prefix("network.", tensors))
            learner.restore(with_prefix("learner.", tensors))
            load_optimizer(learner.optimizer, with_prefix("optimizer.", tensors))
            if learner.critic is not None:
                learner.critic.restore(with_prefix("critic.", tensors))
            learner.generator.set_state(tensors["generator"])
            return TuningState(
                history=TuningHistory(**record["history"]),
                updates=int(record["updates"]),
                checks=[DiversityCheck.from_json(check) for check in record["looks"]],
                best=with_prefix("best.", tensors) or None,
                best_reward=float(record["best_reward"]),
                best_update=int(record["best_update"]),
                stopped=bool(record["stopped"]),
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(f"{self.path} belongs to another run", "start again with --force") from error
