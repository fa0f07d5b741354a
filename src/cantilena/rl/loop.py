"""The course of a tuning: update after update, watched, checkpointed, the best inside the gate kept.

Checkpoints of a tuning run: one safetensors file, replaced whole, so that a kill at any moment is harmless.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cantilena.discriminators import StoppingListener
from cantilena.errors import RunError
from cantilena.models import to_numpy
from cantilena.rl.critic_reward import CriticPeople
from cantilena.rl.history import TuningHistory
from cantilena.rl.learner import Learner
from cantilena.rl.options import TuningOptions
from cantilena.rl.rollout import divergence, entropy, sample_melodies
from cantilena.rl.watch import Look, Watch
from cantilena.rules import lengths
from cantilena.runtime import derived_seed, generator, progress, say, whole_file
from cantilena.training.checkpointing import load_optimizer, optimizer_tensors, sweep, under

_LARGEST_C = 1e6
"""Where c ends that rises for ever, because its target cannot be held; the rules weigh nothing then."""

_AT_ONCE = 256
"""Melodies that are judged at once in a look, to bound memory."""


@dataclass
class Course:
    """How far a tuning has come.

    Args:
        history: rewards and distances, update by update.
        updates: how many are done.
        looks: what was seen, look by look.
        best: the weights of the best look inside the gate, by name; None where there was none yet.
        best_reward: the reward of that look; with a critic, with what the listener that stops a run would give it.
        best_update: the update of that look.
        stopped: whether the gate ended the tuning before its time.
    """

    history: TuningHistory = field(default_factory=TuningHistory)
    updates: int = 0
    looks: list[Look] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_reward: float = float("-inf")
    best_update: int = 0
    stopped: bool = False


def follow(
    course: Course,
    learner: Learner,
    options: TuningOptions,
    watch: Watch | None,
    *,
    keep: Callable[[], None] = lambda: None,
) -> float:
    """Run the updates that are left; gives the seconds that learning took, looks not counted.

    Args:
        course: where the tuning stands; changed in place.
        learner: what learns; its model holds the weights that tuning ends with.
        options: how to tune.
        watch: what the melodies are held beside; None to look at nothing.
        keep: called after each update, where a checkpoint may be written.

    Raises:
        RunError: the loss is no number any more.
    """
    started, looking = time.perf_counter(), 0.0
    batch = options.melodies * options.steps
    with progress(f"Tuning ({options.algorithm})", total=options.updates, unit="updates") as bar:
        bar.advance(course.updates)
        while course.updates < options.updates and not course.stopped:
            share = course.updates / options.updates
            for group in learner.optimizer.param_groups:
                group["lr"] = learner.learning_rate(share)
            update = learner.update(share)
            course.updates += 1
            if not math.isfinite(update.loss):
                raise RunError(
                    f"the tuning came apart at update {course.updates}: its loss is {update.loss}",
                    "give a smaller --learning-rate, a larger --c, or smaller --weights",
                )
            accuracy = learner.critic.accuracy if learner.critic is not None else None
            course.history.add(course.updates * batch, update, learner.reward.c, accuracy)
            learner.reward = replace(learner.reward, c=next_c(learner.reward.c, update.kl, options))
            bar.advance(1, f"reward {update.reward:.1f} a melody, KL {update.kl:.2f} a step")
            if watch is not None and _is_time(course.updates, options):
                began = time.perf_counter()
                _look(course, learner, options, watch)
                looking += time.perf_counter() - began
            keep()
    if watch is not None and options.watch.look:
        _settle(course, learner)
    return time.perf_counter() - started - looking


def next_c(c: float, kl: float, options: TuningOptions) -> float:
    """What c is at the next update: a tenth of the KL's relative excess over the target higher, never below its start.

    The controller of Ziegler et al. 2019 (arXiv 1909.08593, section 2.2), one-sided: the error is clipped to 20 %.

    Args:
        c: of this update.
        kl: measured in this update, nats a step.
        options: with the target, and the c to start from.

    Example:
        >>> options = TuningOptions(c=3.0, target_kl=0.5)
        >>> round(next_c(3.0, 0.6, options), 3), next_c(3.0, 0.1, options)
        (3.06, 3.0)
    """
    if options.target_kl is None:
        return c
    error = min(max(kl / options.target_kl - 1.0, -0.2), 0.2)
    return min(max(c * (1.0 + 0.1 * error), options.c_for()), _LARGEST_C)


def watch_for(
    learner: Learner,
    options: TuningOptions,
    people: NDArray[np.int64] | None,
    critic_people: CriticPeople | None = None,
) -> Watch:
    """What a tuning is held beside: people's melodies where they are known, and the model as it is before tuning.

    Args:
        learner: before its first update.
        options: how to tune.
        people: `(excerpts, steps)` tokens of people's melodies, or None.
        critic_people: whom the listener that stops a run hears, in place of `people`; not read without a critic.
    """
    tokens, _, uncertain = _fresh(learner, options, update=0, prior_alone=True)
    line_of = learner.reward.encoding.line
    held = people[:, : options.steps] if people is not None and people.shape[1] >= options.steps else None
    beside, untuned = line_of(held) if held is not None else None, line_of(tokens)
    if learner.critic is None or critic_people is None:
        return Watch(beside, untuned, uncertain)
    # Everything that stops the run, diversity too, is held beside pieces that judge nothing afterwards.
    listener = StoppingListener(critic_people.stopping, learner.reward.context.steps_per_bar)
    before = listener.listen(untuned, generator(options.seed, "listen", 0))
    return Watch(critic_people.stopping.line, untuned, uncertain, listener, before)


def _is_time(updates: int, options: TuningOptions) -> bool:
    look = options.watch.look
    return look > 0 and (updates % look == 0 or updates == options.updates)


def _look(course: Course, learner: Learner, options: TuningOptions, watch: Watch) -> None:
    """Draw fresh melodies, hold them beside the others, keep the weights if they are the best so far."""
    tokens, distance, uncertain = _fresh(learner, options, update=course.updates)
    line = learner.reward.encoding.line(tokens)
    terms = learner.reward.terms(tokens)
    reward = float(sum(term.sum() for term in terms.values())) / max(len(lengths(line)), 1)
    critic = learner.critic
    earned = None if critic is None else float(critic.points_of(torch.from_numpy(tokens)).sum(1).mean())
    look = watch.look(
        line,
        generator(options.seed, "look", course.updates),
        update=course.updates,
        reward=reward,
        kl=distance,
        entropy=uncertain,
        critic=earned,
        earlier=course.looks,
    )
    known = {alarm.partition(" ")[0] for earlier in course.looks for alarm in earlier.alarms}
    for alarm in look.alarms:
        if alarm.partition(" ")[0] not in known:
            say(f"Update {look.update}: {alarm}")
    course.looks.append(look)
    worth = reward if critic is None or look.told is None else reward + critic.points * look.told["log_odds"]
    if look.inside and worth > course.best_reward:
        course.best_reward, course.best_update = worth, look.update
        course.best = copy.deepcopy({name: tensor.detach() for name, tensor in learner.model.state_dict().items()})
    if options.watch.stop and len(course.looks) > 1 and not any(look.inside for look in course.looks[-2:]):
        course.stopped = course.updates < options.updates


def _settle(course: Course, learner: Learner) -> None:
    """Give the model the best weights inside the gate, and say what was done."""
    if course.best is None:
        if course.looks:
            say("No look found the melodies inside the gate: the last weights are kept; raise --c or lower the weights")
        return
    if course.best_update != course.updates:
        learner.model.load_state_dict(course.best)
    if course.stopped or not course.looks[-1].inside:
        ended = "Tuning ended at" if course.stopped else "Melodies were outside the gate after"
        say(f"{ended} update {course.updates}; the weights of update {course.best_update}, inside the gate, are kept")


@torch.no_grad()
def _fresh(
    learner: Learner, options: TuningOptions, *, update: int, prior_alone: bool = False
) -> tuple[NDArray[np.int64], float, float]:
    """`(melodies, steps)` tokens of the policy (or the prior), their KL from the prior, and their entropy, a step."""
    count = options.watch.watched
    device = learner.generator.device
    own = torch.Generator(device).manual_seed(derived_seed(options.seed, "look", update))
    model = learner.prior if prior_alone else learner.composer()
    kl = uncertainty = 0.0
    drawn = []
    for first in range(0, count, _AT_ONCE):
        bars = learner.bars_for(min(_AT_ONCE, count - first))
        tokens = sample_melodies(model, min(_AT_ONCE, count - first), options.steps, own, bars=bars)
        log_policy, log_prior = learner.log_probs(model, tokens), learner.log_probs(learner.prior, tokens)
        kl += float(divergence(log_policy, log_prior).mean(1).sum())
        uncertainty += float(entropy(log_policy).mean(1).sum())
        drawn.append(to_numpy(tokens))
    return np.concatenate(drawn), kl / count, uncertainty / count


class TuningCheckpoint:
    """Where a run left off: networks, optimizer, randomness, replay memory, the best weights so far, history.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoint.safetensors"

    def save(self, learner: Learner, course: Course) -> None:
        """Write everything that the next update depends on."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "network.": learner.model.state_dict(),
            "learner.": learner.state(),
            "optimizer.": optimizer_tensors(learner.optimizer),
            "best.": course.best or {},
            "critic.": learner.critic.state() if learner.critic is not None else {},
            "generator": {"": learner.generator.get_state()},
        }
        tensors = {prefix + name: tensor for prefix, some in parts.items() for name, tensor in some.items()}
        # safetensors refuses tensors that share memory, and a resumed run must not depend on the layout of another.
        copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        sweep(self.path)
        with whole_file(self.path) as draft:
            # Not save_file: on a full disk it raises an error of its own, which is no OSError.
            draft.write_bytes(save(copies, metadata={"cantilena": json.dumps(_record(course))}))

    def restore(self, learner: Learner) -> Course:
        """Take everything back; gives the course so far, a new one where there is no checkpoint.

        Raises:
            RunError: the checkpoint is damaged or of another run.
        """
        sweep(self.path)
        if not self.path.exists():
            return Course()
        try:
            with safe_open(self.path, framework="pt") as file:
                record = json.loads((file.metadata() or {})["cantilena"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            learner.model.load_state_dict(under("network.", tensors))
            learner.restore(under("learner.", tensors))
            load_optimizer(learner.optimizer, under("optimizer.", tensors))
            if learner.critic is not None:
                learner.critic.restore(under("critic.", tensors))
            learner.generator.set_state(tensors["generator"])
            return Course(
                history=TuningHistory(**record["history"]),
                updates=int(record["updates"]),
                looks=[Look.from_json(look) for look in record["looks"]],
                best=under("best.", tensors) or None,
                best_reward=float(record["best_reward"]),
                best_update=int(record["best_update"]),
                stopped=bool(record["stopped"]),
            )
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise RunError(f"{self.path} is damaged or of another run", "start anew with --force") from error


def _record(course: Course) -> dict[str, Any]:
    return {
        "updates": course.updates,
        "history": course.history.as_json(),
        "looks": [look.as_json() for look in course.looks],
        "best_reward": course.best_reward if course.best is not None else "-inf",
        "best_update": course.best_update,
        "stopped": course.stopped,
    }
