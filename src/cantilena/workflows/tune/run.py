"""`tune`: one model tuned, and what that changed.

What each rule gave the melodies of a model before and after tuning: the only number that a rule of one's own has.

Metrics count the events of the rules that they know. A user's rule they do not know; what it gives a melody, whole and
with its weight, tells whether tuning brought what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import bootstrap_ratio, human_band
from cantilena.metrics.registry import CANTILENA_PREFIX
from cantilena.models import Bundle, SequenceModel
from cantilena.music import Key, Meter
from cantilena.reporting import RewardHistory, table_text
from cantilena.reporting.figures import png_bytes, reward_history, watch_history
from cantilena.reporting.text import signed
from cantilena.rl import CRITIC, MusicReward, Tuned, TuningOptions, tune
from cantilena.rules import Context
from cantilena.runtime import generator, options_record, run_folder, write_bytes, write_json
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import model_system
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.tune.inputs import open_tunable


def rewards_by_rule(
    tokens: NDArray[np.int64], reward: MusicReward, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Mean reward a melody by rule, neither clipped nor divided by c, with 95 % intervals by melody.

    Args:
        tokens: `(melodies, steps)`.
        reward: the rules, and the key and meter that they ask for.
        rng: for the resampling of the intervals.
    """
    melodies = np.arange(len(tokens))
    means = {
        name: bootstrap_ratio(term.sum(axis=1), np.ones(len(tokens)), melodies, rng)
        for name, term in reward.terms(tokens).items()
    }
    return {
        name: {side: round(float(getattr(found, side)), 4) for side in ("value", "low", "high")}
        for name, found in means.items()
    }


def rewards_text(systems: Mapping[str, Mapping[str, Any]], sides: Sequence[str]) -> str:
    """The same for a terminal: a row a rule, a column a system; empty where no rule rewards.

    Args:
        systems: as in `results.json`, each with `rewards`.
        sides: the columns.

    Example:
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


MODEL = "model.safetensors"
_PICTURES = ("rewards.png", "looks.png")
COUNTED = 1000
"""Melodies of each side that are counted."""


@dataclass(frozen=True)
class TuneRun:
    """A finished tuning.

    Args:
        bundle: where the tuned model lies.
        tuned: how the tuning went.
        c: the weight of the rules was 1 / c to begin with.
        clip: no rule counted more than this at a step while learning; None where nothing was clipped.
        systems: `results.json`: people's melodies where they are at hand, the untuned and the tuned model's.
    """

    bundle: Path
    tuned: Tuned
    c: float
    clip: float | None
    systems: Mapping[str, Mapping[str, Any]]

    @property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """Of 1,000 melodies by the tuned model."""
        metrics: Mapping[str, Mapping[str, Any]] = self.systems["tuned"]["metrics"]
        return metrics

    @property
    def critic(self) -> dict[str, Any] | None:
        """What the critic gave and how well it told, update by update, beside the rules; None without one."""
        history = self.tuned.history
        if CRITIC not in history.terms:
            return None
        rules = [term for name, term in history.terms.items() if name != CRITIC]
        return {
            "reward": list(history.terms[CRITIC]),
            "rules_reward": [sum(values) for values in zip(*rules, strict=True)] if rules else [],
            "accuracy": list(history.accuracy),
            "stopping_listener": [{"update": look.update, **look.told} for look in self.tuned.looks if look.told],
        }

    def answer(self) -> dict[str, Any]:
        """What `tune --json` prints; `inside_the_gate` is null where nobody looked."""
        kept = [look.inside for look in self.tuned.looks if look.update == self.tuned.kept]
        return {
            "bundle": str(self.bundle),
            "steps": self.tuned.steps,
            "steps_per_second": self.tuned.steps_per_second,
            "c": self.c,
            "clip": self.clip,
            "kl_per_step": self.metrics["kl_per_step"]["value"],
            "metrics": dict(self.metrics),
            "systems": dict(self.systems),
            "kept_update": self.tuned.kept,
            "stopped": self.tuned.stopped,
            "inside_the_gate": all(kept) if kept else None,
            "looks": [look.as_json() for look in self.tuned.looks],
            "critic": self.critic,
        }

    def text(self) -> str:
        """The same for a terminal."""
        head = f"{self.tuned.steps:,} steps at {self.tuned.steps_per_second:,.0f} a second: {self.bundle}"
        critic = _critic_in_words(self.critic) if self.critic is not None else ""
        parts = (head, table_text({"systems": self.systems}), rewards_text(self.systems, ("untuned", "tuned")), critic)
        return "\n".join(part for part in parts if part)


def run_tuning(
    name: str, options: TuningOptions, folder: Path, *, against: str = "", resume: bool = False, force: bool = False
) -> TuneRun:
    """Tune a model as asked and count what it composes then.

    Args:
        name: a bundle, by path or by the name of one that ships with the package.
        options: how to tune.
        folder: of the run.
        against: the corpus whose melodies diversity is held beside; the one that the model learned where empty.
        resume: go on with an interrupted run, to the identical model.
        force: start anew in a folder that holds another run.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        UsageError: what cannot be tuned so.
        RunError: the folder is taken, or the tuning came apart.
    """
    tunable = open_tunable(name, options, against)
    untuned, reward, people = tunable.bundle, tunable.reward, tunable.people
    asked = {"bundle": name, **tunable.digests, "against": against, **options_record(options)}
    with run_folder(folder, asked, resume=resume, force=force) as run:
        clear_earlier(run, MODEL, "checkpoint.safetensors", "metrics.jsonl", "results.json", *_PICTURES)
        tuned = tune(
            untuned,
            options,
            people=people.tokens if people is not None else None,
            critic_people=tunable.critic_people,
            folder=folder,
            resume=run.resumed,
        )
        tuned.bundle.save(folder / MODEL)
        systems, meter, key = {}, reward.context.meter, reward.context.key
        if people is not None:
            sample = Sample(people.tokens, people.piece, people.contexts)
            systems["human"] = _counted(sample, untuned, None, options, "human", None)
        for side, model in (("untuned", tuned.bundle.prior()), ("tuned", tuned.bundle.model())):
            system = model_system(side, "", model, untuned.encoding, options.seed, meter=meter, key=key)
            drawn = Sample(system.draw(COUNTED, options.steps, "count"), contexts=reward.context)
            systems[side] = _counted(drawn, tuned.bundle, model, options, side, key)
            rng = generator(options.seed, "rewards", side)
            systems[side]["rewards"] = rewards_by_rule(drawn.tokens, reward, rng)
        _tell_bands(systems, reward.context, options.steps)
        done = TuneRun(folder / MODEL, tuned, reward.c, None if options.reference_mode else options.clip, systems)
        critic = done.critic
        write_json(folder / "results.json", {"systems": systems, **({"critic": critic} if critic is not None else {})})
        _draw(folder, tuned)
        run.finish(**done.answer() | {"bundle": MODEL})
        return done


def _critic_in_words(critic: Mapping[str, Any]) -> str:
    """How well the discriminators told at the start and at the end, and the listener that stops a run at last."""
    accuracy, looks = critic["accuracy"], critic["stopping_listener"]
    told = f"The discriminators told {accuracy[0]:.0%} right at first and {accuracy[-1]:.0%} at last"
    if not looks:
        return f"{told}."
    last = looks[-1]
    heard = f"AUC {last['auc']:.2f} ({last['low']:.2f} to {last['high']:.2f})"
    return f"{told}; another listener, on other people's pieces: {heard} after update {last['update']}."


def _counted(
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


def _tell_bands(systems: Mapping[str, Mapping[str, Any]], context: Context, steps: int) -> None:
    """Put beside each metric that people keep within a band where that band lies, in melodies as long."""
    for system in systems.values():
        for name, entry in system["metrics"].items():
            band = human_band(name, context, steps) if name.startswith(CANTILENA_PREFIX) else None
            if band is not None:
                entry["band"] = [band.low, band.high]


def _draw(folder: Path, tuned: Tuned) -> None:
    """The course of the tuning as pictures."""
    history = tuned.history
    rewards = RewardHistory(
        "tuned", history.environment_steps, history.terms, history.log_p, history.kl, accuracy=history.accuracy
    )
    write_bytes(folder / _PICTURES[0], png_bytes(reward_history(rewards)))
    if tuned.looks:
        write_bytes(folder / _PICTURES[1], png_bytes(watch_history([look.as_json() for look in tuned.looks])))
