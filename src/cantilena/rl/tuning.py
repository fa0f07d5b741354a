"""Tuning: a trained model in, a tuned one out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cantilena.errors import UsageError
from cantilena.models import Bundle, SequenceModel, choose_device
from cantilena.music import Key, Meter
from cantilena.rl.algorithms.double_q import DoubleQLearning
from cantilena.rl.algorithms.g import GLearning
from cantilena.rl.algorithms.ppo import Ppo
from cantilena.rl.algorithms.psi import PsiLearning
from cantilena.rl.algorithms.q import QLearning
from cantilena.rl.algorithms.reference_mode import ReferenceLearner, refuse_without_steps
from cantilena.rl.algorithms.rejection import Rejection
from cantilena.rl.algorithms.rloo import Rloo
from cantilena.rl.critic_reward import CRITIC, CriticPeople, CriticReward
from cantilena.rl.history import TuningHistory
from cantilena.rl.learner import Learner, TuningTask, recurrent_gradients
from cantilena.rl.loop import Course, TuningCheckpoint, follow, next_c, watch_for
from cantilena.rl.options import NO_RULES, TuningOptions
from cantilena.rl.reward import MusicReward
from cantilena.rl.rollout import sample_melodies
from cantilena.rl.watch import Look
from cantilena.rules import Context, RuleSet, load_rules
from cantilena.runtime import derived_seed, options_record
from cantilena.tokenizers import Encoding

LEARNERS: dict[str, Callable[[TuningTask], Learner]] = {
    "rloo": Rloo,
    "ppo": Ppo,
    "q": QLearning,
    "double-q": DoubleQLearning,
    "psi": PsiLearning,
    "g": GLearning,
    "rejection": Rejection,
}
"""The algorithms by name."""

_CHECKPOINT_EVERY = 20.0
"""Seconds between checkpoints."""


@dataclass(frozen=True)
class Tuning:
    """How a tuning went.

    Args:
        policy: how the model's scores become probabilities now: `likelihood softmax-q psi g`.
        history: rewards and distances, update by update.
        looks: what the watch saw.
        kept: the update whose weights were kept.
        stopped: whether the gate ended it before its time.
        steps: environment steps taken.
        seconds: how long sampling, scoring and learning took, a resumed run's earlier part not counted.
        steps_per_second: environment steps a second of this part.
    """

    policy: str
    history: TuningHistory
    looks: Sequence[Look]
    kept: int
    stopped: bool
    steps: int
    seconds: float
    steps_per_second: float


@dataclass(frozen=True)
class Tuned(Tuning):
    """A tuned bundle, and how the tuning went.

    Args:
        bundle: the tuned model with its prior beside it.
    """

    bundle: Bundle


def tune(
    bundle: Bundle,
    options: TuningOptions,
    *,
    people: NDArray[np.int64] | None = None,
    critic_people: CriticPeople | None = None,
    folder: Path | None = None,
    resume: bool = False,
    after_update: Callable[[Course], None] | None = None,
) -> Tuned:
    """Tune a trained model on rules of music theory.

    Args:
        bundle: the trained model; where it was tuned before, its prior is what stays the yardstick.
        options: how to tune.
        people: `(excerpts, steps)` tokens of people's melodies, to watch diversity by; the untuned model's where None.
        critic_people: people's melodies for the listeners that reward and that stop; needed with a critic alone.
        folder: where checkpoints and `metrics.jsonl` go; nowhere if None.
        resume: go on from the folder's checkpoint, to the identical result.
        after_update: is told how far the tuning has come after each update, with what was looked at; it draws and
            changes nothing.

    Raises:
        UsageError: rules, weights or a key that do not exist; a model or a device that cannot be tuned so; a critic
            without people's melodies.
        RunError: the tuning came apart.
    """
    check_tunable(bundle, options)
    network = bundle.network()
    reward = music_reward(bundle, options)
    done = tune_module(
        network,
        bundle.encoding,
        options,
        prior=None if bundle.prior_weights is None else replace(bundle, weights=bundle.prior_weights).network(),
        reward=reward,
        people=people,
        critic_people=critic_people,
        folder=folder,
        resume=resume,
        after_update=after_update,
    )
    record = {**options_record(options), "c": reward.c, "rules_used": reward.rules.names, "kept_update": done.kept}
    tuned = replace(
        bundle,
        weights=network.numpy_weights(),
        prior_weights=bundle.prior_weights if bundle.prior_weights is not None else bundle.weights,
        policy=done.policy,
        provenance={**bundle.provenance, "tuning": record},
    )
    return Tuned(**{name: getattr(done, name) for name in Tuning.__dataclass_fields__}, bundle=tuned)


def tune_module(
    module: nn.Module,
    encoding: Encoding,
    options: TuningOptions,
    *,
    prior: nn.Module | None = None,
    reward: MusicReward | None = None,
    people: NDArray[np.int64] | None = None,
    critic_people: CriticPeople | None = None,
    folder: Path | None = None,
    resume: bool = False,
    after_update: Callable[[Course], None] | None = None,
) -> Tuning:
    """Tune any torch module that is a `SequenceModel`, in place.

    Its `log_probs` must carry a gradient. Learners of values also ask for its raw scores (`ScoreModel`).

    Args:
        module: what is tuned.
        encoding: what its tokens mean.
        options: how to tune.
        prior: what it is to stay near: another such module, which is not changed; the module as it is now where None.
        reward: what melodies earn; by the options' rules where None.
        people: as for `tune`.
        critic_people: as for `tune`.
        folder: as for `tune`.
        resume: as for `tune`.
        after_update: as for `tune`.

    Raises:
        UsageError: rules, weights or a key that do not exist; a module that is no `SequenceModel`.
    """
    if not isinstance(module, SequenceModel):
        raise UsageError(
            f"{type(module).__name__} is no SequenceModel", "give it vocabulary_size, start, step, log_probs"
        )
    if module.vocabulary_size != len(encoding.vocabulary):
        raise UsageError(
            f"the model has {module.vocabulary_size} tokens and the encoding {len(encoding.vocabulary)}",
            "give the encoding that the model was trained with",
        )
    device = choose_device(options.device)
    nn.Module.eval(module.to(device))
    frozen = nn.Module.eval(copy.deepcopy(module if prior is None else prior)).to(device).requires_grad_(False)
    music = reward or reward_for(encoding, options, Key.parse(options.key) if options.key else Key())
    options = replace(options, c=music.c)
    task = TuningTask(
        module,
        cast("SequenceModel", frozen),
        music,
        options,
        music.bars(melodies=1),
        torch.Generator(device).manual_seed(derived_seed(options.seed, "tune")),
        _critic(music, options, critic_people, device),
    )
    learner = ReferenceLearner(task) if options.reference_mode else LEARNERS[options.algorithm](task)
    watch = watch_for(learner, options, people, critic_people) if options.watch.look else None
    checkpoint = TuningCheckpoint(folder) if folder is not None else None
    course = checkpoint.restore(learner) if checkpoint is not None and resume else Course()
    if learner.critic is not None and not course.updates:
        learner.critic.begin(lambda melodies: _untuned(learner, options, melodies))
    if course.history.c:
        last = course.history
        learner.reward = replace(learner.reward, c=next_c(last.c[-1], last.kl[-1], options))
    first = course.updates
    with recurrent_gradients(module):
        seconds = follow(course, learner, options, watch, keep=_keeper(checkpoint, learner, course, after_update))
    if folder is not None:
        course.history.write(folder / "metrics.jsonl")
    batch = options.melodies * options.steps
    return Tuning(
        policy=learner.policy,
        history=course.history,
        looks=course.looks,
        kept=course.best_update or course.updates,
        stopped=course.stopped,
        steps=course.updates * batch,
        seconds=seconds,
        steps_per_second=(course.updates - first) * batch / seconds if seconds > 0 else 0.0,
    )


def check_tunable(bundle: Bundle, options: TuningOptions) -> None:
    """Refuse what cannot be tuned as asked, before anything is written or computed.

    Args:
        bundle: the trained model.
        options: how it shall be tuned.

    Raises:
        UsageError: a model or a device that cannot be tuned so.
    """
    shape = bundle.network_options()
    choose_device(options.device)
    if options.reference_mode:
        refuse_without_steps(shape)
    if bundle.policy == "g" and options.algorithm != "g":
        raise UsageError(
            "this model was tuned by g: its network holds only what is added to the model before tuning",
            "tune it with --algorithm g, or tune the model that it was made from",
        )


def music_reward(bundle: Bundle, options: TuningOptions) -> MusicReward:
    """The reward that the options name, for the bundle's encoding and in the key that it thinks in.

    A model that knows C major and A minor alone is tuned there, whatever key is asked for.
    """
    key = Key.parse(options.key) if options.key else Key()
    return reward_for(bundle.encoding, options, key.plain if bundle.provenance.get("plain_keys") else key)


def reward_for(encoding: Encoding, options: TuningOptions, key: Key) -> MusicReward:
    """The reward that the options name, in a key.

    Raises:
        UsageError: rules, weights or a meter that do not exist.
    """
    meter = Meter.parse(options.meter)
    named = RuleSet(NO_RULES, ()) if options.rules.strip() == NO_RULES else load_rules(options.rules)
    rules = named.with_weights(**options.rule_weights)
    if options.critic.critic and CRITIC in rules.names:
        raise UsageError(f"a rule is called '{CRITIC}', as the critic is", "give the rule another name")
    context = Context(key, meter, max(meter.ticks_per_bar // encoding.ticks_per_step, 1), timed=encoding.is_timed)
    return MusicReward(encoding, rules, context, options.c_for(rules.scale), options.clip)


def _critic(
    music: MusicReward, options: TuningOptions, people: CriticPeople | None, device: torch.device
) -> CriticReward | None:
    if not options.critic.critic:
        return None
    if people is None:
        raise UsageError("a critic needs people's melodies, and none are at hand", "name some with --against CORPUS")
    return CriticReward(people.rewarding, music, options, device)


def _untuned(learner: Learner, options: TuningOptions, melodies: int) -> torch.Tensor:
    """`(melodies, steps)` tokens of the model before tuning, with randomness of their own."""
    own = torch.Generator(learner.generator.device).manual_seed(derived_seed(options.seed, "critic"))
    return sample_melodies(learner.prior, melodies, options.steps, own, bars=learner.bars_for(melodies))


def _keeper(
    checkpoint: TuningCheckpoint | None,
    learner: Learner,
    course: Course,
    after_update: Callable[[Course], None] | None,
) -> Callable[[], None]:
    """Writes a checkpoint when it is time to, and tells how far the tuning has come."""
    saved = time.perf_counter()

    def keep() -> None:
        nonlocal saved
        if checkpoint is not None and time.perf_counter() - saved > _CHECKPOINT_EVERY:
            checkpoint.save(learner, course)
            saved = time.perf_counter()
        if after_update is not None:
            after_update(course)

    return keep
