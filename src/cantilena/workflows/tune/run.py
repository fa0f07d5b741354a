"""`tune`: a tuned model, and what tuning changed in its melodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from cantilena.metrics import bootstrap_ratio, human_band
from cantilena.metrics.registry import CANTILENA_PREFIX
from cantilena.models import Bundle, SequenceModel
from cantilena.music import Key, Meter
from cantilena.reporting import RewardHistory, table_text
from cantilena.reporting.figures import png_bytes, reward_history, watch_history
from cantilena.reporting.text import signed
from cantilena.rl import CRITIC, MATCHING, MusicReward, TunedModel, TuningOptions, TuningResult
from cantilena.rl import tune as tune_bundle
from cantilena.rl import tune_module as tune_torch_module
from cantilena.rules import Context
from cantilena.runtime import generator, one_blas_thread, options_record, run_folder, write_bytes, write_json
from cantilena.tokenizers import Encoding
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import model_system
from cantilena.workflows.runs import TrainedModel, clear_earlier_run, folder_or_temporary, make_options
from cantilena.workflows.tune.inputs import load_tuning_inputs

MODEL = "model.safetensors"
_PICTURES = ("rewards.png", "looks.png")
COUNTED = 1000
"""Melodies of each model that are measured."""


def tune(
    bundle: Bundle | Path | str,
    *,
    rules: str | None = None,
    seed: int = 1,
    out: Path | str | None = None,
    against: str = "",
    resume: bool = False,
    force: bool = False,
    **options: Any,  # noqa: ANN401  (the fields of `TuningOptions`)
) -> TrainedModel:
    """Tune a trained model on rules of music theory with reinforcement learning.

    Args:
        bundle: a trained model, its file or run folder, or the name of one that ships with the package.
        rules: a rule set, a file of rules, or several joined by `+`; None for `rl-tuner`, or none for `mpo`.
        seed: the same seed, machine and versions give the same model.
        out: the folder of the run; None saves nothing.
        against: a corpus of human melodies to compare with; if empty, the one that the model was trained on.
        resume: resume an interrupted run, to the identical model.
        force: start over in a folder that holds another run.
        **options: the flags of `cantilena tune` (`TuningOptions` and its groups), such as `updates=50` or `look=0`.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        RunError: the folder holds another run, or the tuning diverged.
        UsageError: an unknown option, or a value that makes no sense.

    Examples:
        >>> tuned = tune("tunes", updates=1, melodies=8, steps=32, look=0, against="chorales")
        >>> tuned.bundle.policy, sorted(tuned.report["systems"])
        ('likelihood', ['human', 'tuned', 'untuned'])
    """
    chosen = make_options(TuningOptions, {"rules": rules, "seed": seed, **options})
    model = bundle if isinstance(bundle, Bundle) else str(bundle)
    with folder_or_temporary(out) as folder:
        result = run_tuning(model, chosen, folder, against=against, resume=resume, force=force)
    return result if out is not None else replace(result, path=None)


def tune_module(
    module: nn.Module,
    encoding: Encoding,
    *,
    rules: str | None = None,
    seed: int = 1,
    **options: Any,  # noqa: ANN401  (the fields of `TuningOptions`)
) -> TuningResult:
    """Tune your own torch module, a `SequenceModel`, in place.

    `cantilena.rl.tune_module` also takes another prior, another reward and a folder for checkpoints.

    Args:
        module: with `vocabulary_size`, `start`, `step`, and `log_probs` with gradients.
        encoding: of its tokens.
        rules: as for `tune`.
        seed: as for `tune`.
        **options: as for `tune`.

    Raises:
        UsageError: an unknown option, or the module is no `SequenceModel` of the encoding.
    """
    return tune_torch_module(module, encoding, make_options(TuningOptions, {"rules": rules, "seed": seed, **options}))


@one_blas_thread()
def run_tuning(
    model: Bundle | str,
    options: TuningOptions,
    folder: Path,
    *,
    against: str = "",
    resume: bool = False,
    force: bool = False,
) -> TrainedModel:
    """Tune a model in a run folder, and measure melodies of before and after.

    Args:
        model: a bundle, its path, or the name of one that ships with the package.
        options: of the tuning.
        folder: of the run.
        against: the corpus of human melodies; if empty, the one that the model was trained on.
        resume: resume an interrupted run, to the identical model.
        force: start over in a folder that holds another run.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        RunError: the folder holds another run, or the tuning diverged.
        UsageError: what cannot be tuned so.
    """
    inputs = load_tuning_inputs(model, options, against)
    untuned, reward, human = inputs.bundle, inputs.reward, inputs.human
    name = "" if isinstance(model, Bundle) else model
    record = {"bundle": name, **inputs.digests, "against": against, **options_record(options)}
    with run_folder(folder, record, resume=resume, force=force) as run:
        clear_earlier_run(run, MODEL, "checkpoint.safetensors", "metrics.jsonl", "results.json", *_PICTURES)
        tuned = tune_bundle(
            untuned,
            options,
            human=human.tokens if human is not None else None,
            critic_data=inputs.critic_data,
            people=inputs.people,
            folder=folder,
            resume=run.resumed,
        )
        tuned.bundle.save(folder / MODEL)
        systems, meter, key = {}, reward.context.meter, reward.context.key
        if human is not None:
            sample = Sample(human.tokens, human.piece, human.contexts)
            systems["human"] = _measured(sample, untuned, None, options, "human", None)
        for side, sampled in (("untuned", tuned.bundle.prior()), ("tuned", tuned.bundle.model())):
            system = model_system(side, "", sampled, untuned.encoding, options.seed, meter=meter, key=key)
            drawn = Sample(system.draw(COUNTED, options.steps, "count"), contexts=reward.context)
            systems[side] = _measured(drawn, tuned.bundle, sampled, options, side, key)
            rng = generator(options.seed, "rewards", side)
            systems[side]["rewards"] = rewards_by_rule(drawn.tokens, reward, rng)
        _add_bands(systems, reward.context, options.steps)
        critic = _critic_report(tuned)
        write_json(folder / "results.json", {"systems": systems, **({"critic": critic} if critic is not None else {})})
        _draw(folder, tuned)
        metrics = systems["tuned"]["metrics"]
        kept = [look.passed for look in tuned.checks if look.update == tuned.kept]
        report = {
            "steps": tuned.steps,
            "steps_per_second": tuned.steps_per_second,
            "c": reward.c,
            "clip": None if options.reference_mode else options.clip,  # the reference clips nothing
            "kl_per_step": metrics["kl_per_step"]["value"],
            "metrics": dict(metrics),
            "systems": systems,
            "kept_update": tuned.kept,
            "stopped": tuned.stopped,
            "inside_the_gate": all(kept) if kept else None,  # None if diversity was not checked
            "looks": [look.to_json() for look in tuned.checks],
            "critic": critic,
        }
        run.finish(**report | {"bundle": MODEL})
        path = folder / MODEL
        return TrainedModel(tuned.bundle, path, tuned.seconds, report, _text(path, report))


def rewards_by_rule(
    tokens: NDArray[np.int64], reward: MusicReward, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Mean reward of a melody by rule, neither clipped nor divided by c, with 95 % intervals by melody.

    It is the only number that a user's own rule has; metrics count the events of built-in rules alone.
    """
    melodies = np.arange(len(tokens))
    means = {
        name: bootstrap_ratio(term.sum(axis=1), np.ones(len(tokens)), melodies, rng)
        for name, term in reward.terms(tokens).items()
    }
    return {
        name: {side: round(float(getattr(mean, side)), 4) for side in ("value", "low", "high")}
        for name, mean in means.items()
    }


def rewards_text(systems: Mapping[str, Mapping[str, Any]], sides: Sequence[str]) -> str:
    """The same for a terminal: a row a rule, a column a system; empty if there is no rule.

    Examples:
        >>> row = {"rewards": {"key": {"value": -1.5, "low": -2.0, "high": -1.0}}}
        >>> print(rewards_text({"untuned": row, "tuned": row}, ("untuned", "tuned")))
        Reward a melody, by rule    untuned     tuned
          key                         −1.5      −1.5
    """
    rules = list(systems[sides[0]]["rewards"])
    if not rules:
        return ""
    width = max(25, *(len(rule) + 4 for rule in rules))
    head = "Reward a melody, by rule".ljust(width) + "".join(f"{side:>10}" for side in sides)
    rows = [
        f"  {rule}".ljust(width) + "".join(f"{signed(systems[side]['rewards'][rule]['value']):>10}" for side in sides)
        for rule in rules
    ]
    return "\n".join([head, *rows])


def _measured(
    sample: Sample, bundle: Bundle, model: SequenceModel | None, options: TuningOptions, side: str, key: Key | None
) -> dict[str, Any]:
    """A row of results.json."""
    metrics = measure(
        sample,
        bundle.encoding,
        generator(options.seed, "intervals", side),
        model=model,
        reference=bundle.prior(),
        matched_size=COUNTED,
        meter=Meter.parse(options.meter),
        key=key,
        thorough=True,
    )
    return {"melodies": len(sample.tokens), "metrics": metrics}


def _add_bands(systems: Mapping[str, Mapping[str, Any]], context: Context, steps: int) -> None:
    """Add to each metric the band in which human melodies of that length keep it, if they do."""
    for system in systems.values():
        for name, entry in system["metrics"].items():
            band = human_band(name, context, steps) if name.startswith(CANTILENA_PREFIX) else None
            if band is not None:
                entry["band"] = [band.low, band.high]


def _critic_report(tuned: TunedModel) -> dict[str, Any] | None:
    """Reward and accuracy of the critic, update by update, beside the rules; None without one."""
    history = tuned.history
    if CRITIC not in history.terms:
        return None
    rules = [term for name, term in history.terms.items() if name not in (CRITIC, MATCHING)]
    return {
        "reward": list(history.terms[CRITIC]),
        "rules_reward": [sum(values) for values in zip(*rules, strict=True)] if rules else [],
        "accuracy": list(history.accuracy),
        "stopping_listener": [
            {"update": look.update, **look.classifier_score} for look in tuned.checks if look.classifier_score
        ],
    }


def _text(path: Path, report: Mapping[str, Any]) -> str:
    """The report for a terminal."""
    systems = report["systems"]
    head = f"{report['steps']:,} steps at {report['steps_per_second']:,.0f} a second: {path}"
    critic = _critic_text(report["critic"]) if report["critic"] is not None else ""
    parts = (head, table_text({"systems": systems}), rewards_text(systems, ("untuned", "tuned")), critic)
    return "\n".join(part for part in parts if part)


def _critic_text(critic: Mapping[str, Any]) -> str:
    """The accuracy of the discriminators at the start and at the end, and the AUC of the classifier that stops runs."""
    accuracy, checks = critic["accuracy"], critic["stopping_listener"]
    text = f"Accuracy of the discriminators: {accuracy[0]:.0%} at first, {accuracy[-1]:.0%} at last"
    if not checks:
        return f"{text}."
    last = checks[-1]
    auc = f"AUC {last['auc']:.2f} ({last['low']:.2f} to {last['high']:.2f})"
    return f"{text}; of another classifier, on other human pieces: {auc} after update {last['update']}."


def _draw(folder: Path, tuned: TunedModel) -> None:
    """Draw rewards and diversity over the updates."""
    history = tuned.history
    rewards = RewardHistory(
        "tuned", history.environment_steps, history.terms, history.log_p, history.kl, accuracy=history.accuracy
    )
    write_bytes(folder / _PICTURES[0], png_bytes(reward_history(rewards)))
    if tuned.checks:
        write_bytes(folder / _PICTURES[1], png_bytes(watch_history([look.to_json() for look in tuned.checks])))
