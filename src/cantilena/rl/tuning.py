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
from cantilena.models import Bundle, SequenceModel, choose_device, limit_threads
from cantilena.music import Key, Meter
from cantilena.rl.algorithms.g import GLearning
from cantilena.rl.algorithms.mpo import Mpo
from cantilena.rl.algorithms.ppo import Ppo
from cantilena.rl.algorithms.q_learning import DoubleQLearning, PsiLearning, QLearning
from cantilena.rl.algorithms.reference_mode import ReferenceLearner, check_steppable
from cantilena.rl.algorithms.rejection import Rejection
from cantilena.rl.algorithms.rloo import Rloo
from cantilena.rl.critic_reward import CRITIC, CriticData, CriticReward
from cantilena.rl.history import TuningHistory
from cantilena.rl.learner import Learner, TuningTask, recurrent_gradients
from cantilena.rl.loop import TuningCheckpoint, TuningState, make_monitor, next_c, run_updates
from cantilena.rl.note_reward import MATCHING, PeoplesNotes
from cantilena.rl.options import NO_RULES, NOTES_LEARNING_RATE, TuningOptions
from cantilena.rl.reward import MusicReward
from cantilena.rl.watch import DiversityCheck
from cantilena.rules import Context, RuleSet, load_rules
from cantilena.runtime import derived_seed, options_record
from cantilena.tokenizers import Encoding, NotesEncoding

LEARNERS: dict[str, Callable[[TuningTask], Learner]] = {
    "rloo": Rloo,
    "ppo": Ppo,
    "q": QLearning,
    "double-q": DoubleQLearning,
    "psi": PsiLearning,
    "g": GLearning,
    "rejection": Rejection,
    "mpo": Mpo,
}
"""The algorithms by name."""

_CHECKPOINT_EVERY = 20.0
"""Seconds between checkpoints."""


@dataclass(frozen=True)
class TuningResult:
    """The result of a tuning.

    Args:
        policy: how probabilities follow from the model's scores: `likelihood softmax-q psi g`.
        history: rewards and distances, update by update.
        checks: the diversity checks.
        kept: the update whose weights were kept.
        stopped: whether failed checks stopped it early.
        steps: number of steps of the sampled melodies.
        seconds: duration of sampling, scoring and learning, without the earlier part of a resumed run.
        steps_per_second: environment steps a second.
    """

    policy: str
    history: TuningHistory
    checks: Sequence[DiversityCheck]
    kept: int
    stopped: bool
    steps: int
    seconds: float
    steps_per_second: float


@dataclass(frozen=True)
class TunedModel(TuningResult):
    """The result of tuning a bundle.

    Args:
        bundle: the tuned model with its prior.
    """

    bundle: Bundle


def tune(
    bundle: Bundle,
    options: TuningOptions,
    *,
    human: NDArray[np.int64] | None = None,
    critic_data: CriticData | None = None,
    people: PeoplesNotes | None = None,
    folder: Path | None = None,
    resume: bool = False,
    after_update: Callable[[TuningState], None] | None = None,
) -> TunedModel:
    """Tune a trained model on rules of music theory.

    Args:
        bundle: the trained model; if it was tuned before, its prior remains the prior.
        options: of the tuning.
        human: `(excerpts, tokens)` tokens of human melodies, each as long as `steps`, for the diversity checks; None
            compares with the untuned model's.
        critic_data: human melodies for the critic; needed with a critic of steps only.
        people: human melodies of notes; needed by `mpo` only.
        folder: for checkpoints and `metrics.jsonl`; None writes nothing.
        resume: continue from the checkpoint in the folder, to the identical result.
        after_update: called with the progress after each update; must not change it.

    Raises:
        UsageError: rules, weights or a key do not exist; the model or the device does not fit the options; a critic
            or `mpo` without human melodies.
        RunError: the loss became NaN or infinite.
    """
    check_tunable(bundle, options)
    network = bundle.network()
    if network.options.durations:  # what notes mean stays as it was learned, and bundles store it once
        for table in (network.table, network.parts, network.direct):
            table.requires_grad_(requires_grad=False)
    reward = music_reward(bundle, options, over_chords=people is not None and people.has_chords)
    result = tune_module(
        network,
        bundle.encoding,
        options,
        prior=None if bundle.prior_weights is None else replace(bundle, weights=bundle.prior_weights).network(),
        reward=reward,
        normalized_key=bool(bundle.provenance.get("plain_keys")),
        human=human,
        critic_data=critic_data,
        people=people,
        folder=folder,
        resume=resume,
        after_update=after_update,
    )
    record = {**options_record(options), "c": reward.c, "rules_used": reward.rules.names, "kept_update": result.kept}
    if options.algorithm == "mpo":  # which makes a model of no single key and meter
        record = {name: value for name, value in record.items() if name not in ("key", "meter")}
    tuned = replace(
        bundle,
        weights=network.numpy_weights(),
        prior_weights=bundle.prior_weights if bundle.prior_weights is not None else bundle.weights,
        policy=result.policy,
        provenance={**bundle.provenance, "tuning": record},
    )
    return TunedModel(**vars(result), bundle=tuned)


def tune_module(
    module: nn.Module,
    encoding: Encoding,
    options: TuningOptions,
    *,
    prior: nn.Module | None = None,
    reward: MusicReward | None = None,
    normalized_key: bool = False,
    human: NDArray[np.int64] | None = None,
    critic_data: CriticData | None = None,
    people: PeoplesNotes | None = None,
    folder: Path | None = None,
    resume: bool = False,
    after_update: Callable[[TuningState], None] | None = None,
) -> TuningResult:
    """Tune any torch module that is a `SequenceModel`, in place.

    Its `log_probs` must have a gradient. Value-based algorithms also need its raw scores (`ScoreModel`).

    `prior` is another such module, which is not changed, by default the module as it is now. `reward` is by default
    that of the options. With `normalized_key` the module knows each mode without accidentals only. The other arguments
    are those of `tune`.

    Raises:
        UsageError: rules, weights or a key do not exist; the module is no `SequenceModel`.
    """
    if not isinstance(module, SequenceModel):
        raise UsageError(
            f"{type(module).__name__} is no SequenceModel", "give it vocabulary_size, start, step, log_probs"
        )
    if module.vocabulary_size != len(encoding.vocabulary):
        raise UsageError(
            f"the model has {module.vocabulary_size} tokens, but the encoding {len(encoding.vocabulary)}",
            "give the encoding that the model was trained with",
        )
    device = _device(options)
    nn.Module.eval(module.to(device))
    frozen = nn.Module.eval(copy.deepcopy(module if prior is None else prior)).to(device).requires_grad_(False)
    music = reward or reward_for(encoding, options, Key.parse(options.key) if options.key else Key())
    also_keys = [Key.parse(name).plain if normalized_key else Key.parse(name) for name in options.also_keys]
    options = replace(options, c=music.c)
    if isinstance(encoding, NotesEncoding) and options.learning_rate is None:
        options = replace(options, learning_rate=min(options.step_size, NOTES_LEARNING_RATE))
    critic = None
    if options.critic.critic and options.algorithm != "mpo":
        if critic_data is None:
            raise UsageError("a critic needs human melodies, but none were given", "name some with --against CORPUS")
        critic = CriticReward(critic_data.reward, music, options, device)
    task = TuningTask(
        module,
        cast("SequenceModel", frozen),
        music,
        options,
        music.bars(melodies=1, steps=options.steps),
        torch.Generator(device).manual_seed(derived_seed(options.seed, "tune")),
        critic,
        tuple(replace(music.context, key=key) for key in also_keys),
        people,
    )
    width = max((weight.shape[-1] for weight in module.parameters() if weight.ndim > 1), default=1)
    with limit_threads(width, options.melodies):
        return _run(task, human, critic_data, folder, resume=resume, after_update=after_update)


def _run(
    task: TuningTask,
    human: NDArray[np.int64] | None,
    critic_data: CriticData | None,
    folder: Path | None,
    *,
    resume: bool,
    after_update: Callable[[TuningState], None] | None,
) -> TuningResult:
    """Run all updates; arguments as of `tune`."""
    options = task.options
    learner = ReferenceLearner(task) if options.reference_mode else LEARNERS[options.algorithm](task)
    monitor = make_monitor(learner, options, human, critic_data) if options.watch.look else None
    checkpoint = TuningCheckpoint(folder) if folder is not None else None
    state = checkpoint.restore(learner) if checkpoint is not None and resume else TuningState()
    if not state.updates:
        learner.prepare()
    if state.history.c:
        c = next_c(state.history.c[-1], state.history.kl[-1], options)
        learner.reward = replace(learner.reward, c=c)
    saved, earlier_steps = time.perf_counter(), state.history.steps

    def save_and_report() -> None:
        nonlocal saved
        if checkpoint is not None and time.perf_counter() - saved > _CHECKPOINT_EVERY:
            checkpoint.save(learner, state)
            saved = time.perf_counter()
        if after_update is not None:
            after_update(state)

    with recurrent_gradients(task.model):
        seconds = run_updates(state, learner, options, monitor, after_update=save_and_report)
    if folder is not None:
        state.history.write(folder / "metrics.jsonl")
    return TuningResult(
        policy=learner.policy,
        history=state.history,
        checks=state.checks,
        kept=state.best_update or state.updates,
        stopped=state.stopped,
        steps=state.history.steps,
        seconds=seconds,
        steps_per_second=(state.history.steps - earlier_steps) / seconds if seconds > 0 else 0.0,
    )


def check_tunable(bundle: Bundle, options: TuningOptions) -> None:
    """Check that a model can be tuned with the options, before anything is written or computed.

    Raises:
        UsageError: the model or the device does not fit the options.
    """
    shape = bundle.network_options()
    _device(options)
    if options.algorithm == "mpo" and (not isinstance(bundle.encoding, NotesEncoding) or bundle.encoding.chords):
        raise UsageError(
            f"mpo tunes models of single notes, and this model is of {'chords' if shape.durations else 'steps'}",
            "choose another --algorithm, or a model that was trained with --encoding notes, such as tunes",
        )
    if options.reference_mode:
        check_steppable(shape)
    if bundle.policy == "g" and options.algorithm != "g":
        raise UsageError(
            "this model was tuned by g: its network has only what is added to the untuned model",
            "tune it with --algorithm g, or tune the untuned model",
        )


def _device(options: TuningOptions) -> torch.device:
    """The device of the options; `mpo` composes on the CPU.

    Raises:
        UsageError: there is no such device, or the algorithm does not run on it.
    """
    if options.algorithm != "mpo":
        return choose_device(options.device)
    if options.device not in ("auto", "cpu"):
        raise UsageError(f"mpo runs on the CPU only, not on {options.device}", "leave out --device")
    return torch.device("cpu")


def music_reward(bundle: Bundle, options: TuningOptions, *, over_chords: bool = False) -> MusicReward:
    """The reward of the options for a bundle's encoding, in the key of the options.

    With `over_chords` it has the rules that need chords. For a model that only knows C major and A minor, the one of
    these with the same mode is used.
    """
    key = Key.parse(options.key) if options.key else Key()
    key = key.plain if bundle.provenance.get("plain_keys") else key
    return reward_for(bundle.encoding, options, key, over_chords=over_chords)


def reward_for(encoding: Encoding, options: TuningOptions, key: Key, *, over_chords: bool = False) -> MusicReward:
    """The reward of the options in a key; with `over_chords` it has the rules that need chords.

    Raises:
        UsageError: rules, weights or a meter do not exist.
    """
    meter = Meter.parse(options.meter)
    named = RuleSet(NO_RULES, ()) if options.rules.strip() == NO_RULES else load_rules(options.rules)
    rules = named.with_weights(**options.rule_weights)
    reserved = {CRITIC: options.critic.critic, MATCHING: options.algorithm == "mpo"}
    for name in rules.names:
        if reserved.get(name):
            raise UsageError(f"a rule has the name '{name}', which is reserved for the {name}", "rename the rule")
    context = Context(key, meter, max(meter.ticks_per_bar // encoding.ticks_per_step, 1), timed=encoding.has_rhythm)
    return MusicReward(encoding, rules, context, options.c_for(rules.scale), options.clip, over_chords)
