"""`tune --frontier`: reward against KL divergence and diversity, for tuning and its alternatives.

A KL penalty acts much like early stopping, so one tuned model shows little. Here `rloo` is tuned at several c, every
other algorithm at its own, rejection fine-tuning is measured on its way, and critics teach alone and with the rules.
Beside them stand the alternatives to reinforcement learning: the best of n melodies of the untuned model, the rules as
hard constraints, and a VAE of the same corpus. Nothing is stopped early: collapse is to be seen.

Each point also has the AUC of classifiers that tell its melodies from human ones in its meter and mode, of pieces that
no model and no reward learned from (`discriminators/two_sample_test.py`): they read other features than critics do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators import TwoSampleOptions, classifier_two_sample_test
from cantilena.discriminators.two_sample_test import FAST
from cantilena.errors import CorpusError, UsageError
from cantilena.generation import Constraints, sample
from cantilena.metrics import bootstrap_ratio
from cantilena.models import Bundle, SequenceModel, VaeOptions, log_probs_with_bars, shipped_bundles, to_numpy
from cantilena.reporting import table_markdown
from cantilena.reporting.data import HUMAN
from cantilena.reporting.figures import frontier_panels, png_bytes
from cantilena.rl import CriticData, MusicReward, TuningOptions, tune
from cantilena.rl.options import NO_RULES
from cantilena.rl.reward import padded_together
from cantilena.rules import Context
from cantilena.runtime import (
    generator,
    log,
    options_record,
    progress,
    read_json,
    run_folder,
    write_bytes,
    write_json,
    write_text,
)
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows.data import Excerpts
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import model_system, sample_whole
from cantilena.workflows.learned_corpus import shipped_corpus
from cantilena.workflows.runs import clear_earlier_run
from cantilena.workflows.tune.inputs import TuningInputs, critic_data, load_tuning_inputs

COUNTED = 1000
"""Melodies of each point."""
STRENGTHS = (0.5, 1.0, 2.0, 4.0)
"""The c of `rloo`, as multiples of the one that was given."""
OTHERS = ("ppo", "q", "double-q", "psi", "g")
GROUPS = (4, 16, 64, 256)
"""The n of the best of n."""
PARTS = (0.25, 0.5, 1.0)
"""Shares of the updates after which rejection fine-tuning is measured."""
_POOL = COUNTED * max(GROUPS)
"""Melodies that the best of n are chosen from: enough for as many of each n, since diversity falls as a set grows."""
_AT_ONCE = 2048
"""Melodies in a batch of the pool."""
_SHOWN = ("kl_per_step", "different_melodies", "distinct_4")
_TESTED = TwoSampleOptions(families=FAST, groups=False, permutations=99, resamples=200)

Row = dict[str, Any]


@dataclass(frozen=True)
class Frontier:
    """A finished frontier.

    Args:
        folder: of the run.
        systems: as in `results.json`: each with `curve`, its line in the picture, and `auc`, but for human melodies.
    """

    folder: Path
    systems: Mapping[str, Row]

    def text(self) -> str:
        """A table for a terminal."""
        width = max(map(len, self.systems)) + 2
        rows = [" " * width + f"{'reward':>10}{'KL':>8}{'different':>11}{'distinct-4':>12}{'AUC':>7}"]
        for name, row in self.systems.items():
            values = (row["metrics"][metric]["value"] for metric in _SHOWN)
            auc = row.get("auc", {}).get("value")
            kl, different, distinct, heard = ("–" if one is None else f"{one:.3f}" for one in (*values, auc))
            rows.append(f"{name:<{width}}{row['reward']:>10.1f}{kl:>8}{different:>11}{distinct:>12}{heard:>7}")
        rows.append(f"All numbers: {self.folder / 'table.md'}; the picture: {self.folder / 'frontier.png'}")
        return "\n".join(rows)


def run_frontier(
    name: str, options: TuningOptions, folder: Path, *, against: str = "", resume: bool = False, force: bool = False
) -> Frontier:
    """Measure tuning at several strengths and its alternatives, and draw reward against KL against diversity.

    Args:
        name: a bundle, by path or by the name of one that ships with the package.
        options: of the tunings; c is the middle of the range, the algorithm is not used, and no run is stopped early.
        folder: gets `results.json`, `frontier.png`, `table.md` and a file for each point; `run.json` has the seconds.
        against: the corpus of human melodies; if empty, the one that the model was trained on.
        resume: resume an interrupted run; finished points are kept.
        force: start over in a folder that holds another run.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        UsageError: what cannot be tuned so.
        RunError: the folder holds another run.
    """
    if options.rules.strip() == NO_RULES:
        raise UsageError(
            "a frontier needs rules, got --rules none", "name --rules: a critic alone is one of its points"
        )
    rules_alone = replace(
        options,
        watch=replace(options.watch, look=0),
        target_kl=None,
        reference_mode=False,
        critic=replace(options.critic, critic=False),
    )
    inputs = load_tuning_inputs(name, replace(rules_alone, algorithm="rloo"), against)
    data = _critic_data(inputs, options, against)
    record = {"frontier": name, **inputs.digests, "against": against, **options_record(options)}
    with run_folder(folder, record, resume=resume, force=force) as run:
        clear_earlier_run(run, "points/*.json", "results.json", "table.md", "frontier.png")
        points = _Points(inputs.bundle, rules_alone, inputs.reward, data, inputs.human)
        systems: dict[str, Row] = {}
        for point, make in {**_human(points, inputs), **_untuned(points), **_tuned(points)}.items():
            path = folder / "points" / f"{point.replace(' ', '-')}.json"
            if not path.exists():
                log(point)
                write_json(path, make())
            systems[point] = read_json(path)
        # The same seed gives the same results; how long they took is a fact of the run.
        seconds = {point: row.pop("seconds") for point, row in systems.items() if "seconds" in row}
        write_json(folder / "results.json", {"systems": systems})
        write_text(folder / "table.md", table_markdown({"systems": systems}))
        write_bytes(folder / "frontier.png", png_bytes(frontier_panels(systems)))
        run.finish(seconds=seconds)
        return Frontier(folder, systems)


def _critic_data(inputs: TuningInputs, options: TuningOptions, against: str) -> CriticData | None:
    """Human melodies for critics; None if there are too few, which is an error if a critic was asked for."""
    try:
        return critic_data(inputs.bundle, inputs.reward.context, options.steps, against)
    except (UsageError, CorpusError) as error:
        if options.critic.critic:
            raise
        log(f"No critic on this frontier: {error.text}")
        return None


Makers = Mapping[str, Callable[[], Row]]
"""Points by name, each made when it is called."""


def _human(points: _Points, inputs: TuningInputs) -> Makers:
    human = inputs.human
    if human is None:
        return {}
    return {HUMAN: partial(points.row, Sample(human.tokens, human.piece, human.contexts), HUMAN, None)}


def _untuned(points: _Points) -> Makers:
    """The model as it is, a VAE of its corpus, its best of n, and its melodies under constraints (not of notes)."""
    prior, vae = points.bundle.prior(), shipped_vae_of(points.bundle)
    makers: dict[str, Callable[[], Row]] = {"lstm": partial(points.drawn, "lstm", prior, prior)}
    if vae is not None:
        makers["vae"] = partial(points.drawn, "vae", vae.model(), None)
    makers |= {f"best of {n}": partial(points.best_of, n) for n in GROUPS}
    if isinstance(points.bundle.encoding, NotesEncoding):
        return makers
    return makers | {"constrained": points.constrained}


def _tuned(points: _Points) -> Makers:
    """`rloo` at several c, the other algorithms at their own, critics, and rejection on its way."""
    options, makers = points.options, {}

    def add(name: str, curve: str, **changes: Any) -> None:  # noqa: ANN401  (fields of the options)
        makers[name] = partial(points.tuned, curve, replace(options, **changes))

    middle = replace(options, algorithm="rloo").c_for(points.reward.rules.scale)
    for strength in STRENGTHS:
        add(f"rloo c {middle * strength:g}", "rloo", algorithm="rloo", c=middle * strength)
    for algorithm in OTHERS:
        add(algorithm, algorithm, algorithm=algorithm, c=middle if algorithm == "ppo" else None)
    if points.critic_data is not None:
        critic = {"algorithm": "rloo", "c": middle, "critic": replace(options.critic, critic=True)}
        add("critic", "critic", rules=NO_RULES, weights=(), **critic)
        add("rules + critic", "rules + critic", **critic)
    for part in PARTS:
        updates = max(round(options.updates * part), 1)
        add(f"rejection {updates}", "rejection", algorithm="rejection", updates=updates)
    return makers


@dataclass(frozen=True)
class _Points:
    """Makes the points of a frontier.

    Args:
        bundle: the untuned model.
        options: of the tunings: rules alone, without early stopping.
        reward: by which all points are measured.
        critic_data: human melodies for critics; None for no critic.
        human: held-out human melodies; None if there is no corpus.
    """

    bundle: Bundle
    options: TuningOptions
    reward: MusicReward
    critic_data: CriticData | None = None
    human: Excerpts | None = None

    def row(self, melodies: Sample, curve: str, model: SequenceModel | None) -> Row:
        """The numbers of a point."""
        metrics = measure(
            melodies,
            self.bundle.encoding,
            generator(self.options.seed, "intervals", curve),
            model=model,
            reference=self.bundle.prior(),
            matched_size=COUNTED,
            meter=self.reward.context.meter,
            key=None if model is None else self.reward.context.key,
            thorough=True,
        )
        mean = round(float(self.rewards(melodies).mean()), 4)
        row = {"melodies": len(melodies.tokens), "curve": curve, "reward": mean, "metrics": metrics}
        return row if curve == HUMAN else row | {"auc": self.auc(melodies)}

    def auc(self, melodies: Sample) -> Row:
        """The AUC of the strongest classifier that tells the melodies from human ones in the meter and mode.

        There is none, but a reason, if a control fails, as where range and length alone tell them.
        """
        if self.human is None:
            return {"value": None, "reason": "there is no corpus of human melodies"}
        context, encoding = self.reward.context, self.bundle.encoding
        like = [one.meter == context.meter and one.key.mode == context.key.mode for one in self.human.contexts]
        options = replace(_TESTED, seed=self.options.seed, steps_per_bar=context.steps_per_bar)
        lines = encoding.line(self.human.tokens[like]), encoding.line(melodies.tokens)
        result = classifier_two_sample_test(lines[0], self.human.piece[like], lines[1], options, quiet=True)
        return {"value": None, "reason": result.refused} if result.best is None else result.best.to_json()["auc"]

    def rewards(self, melodies: Sample) -> NDArray[np.float64]:
        """`(melodies,)`: the clipped reward of each melody, in its own key and meter."""
        given = melodies.contexts
        contexts = [given] * len(melodies.tokens) if given is None or isinstance(given, Context) else given
        rewards = np.zeros(len(melodies.tokens))
        for context in dict.fromkeys(contexts):
            rows = np.array([one == context for one in contexts])
            reward = self.reward if context is None else replace(self.reward, context=context)
            rewards[rows] = reward.clipped(reward.terms(melodies.tokens[rows])).sum(1)
        return rewards

    def drawn(self, name: str, model: SequenceModel, known: SequenceModel | None, curve: str = "") -> Row:
        """Melodies of a model; `known` is the same where it gives probabilities, else None."""
        context, encoding = self.reward.context, self.bundle.encoding
        system = model_system(name, "", model, encoding, self.options.seed, meter=context.meter, key=context.key)
        tokens = system.draw(COUNTED, self.options.steps, "count")
        return self.row(Sample(tokens, contexts=context), curve or name, known)

    def tuned(self, curve: str, options: TuningOptions) -> Row:
        """Melodies of the model after a tuning."""
        result = tune(self.bundle, options, critic_data=self.critic_data)
        model = result.bundle.model()
        row = self.drawn("tuned", model, model, curve)
        return {**row, "c": result.history.c[-1], "seconds": round(result.seconds, 1)}

    def best_of(self, n: int) -> Row:
        """The best of n, at the distance that is known."""
        row = self.row(Sample(self._best[n], contexts=self.reward.context), "best of n", None)
        distance = divergence_of_best(n, self.options.steps)
        reason = "a bound, exact where no two rewards are equal"
        row["metrics"]["kl_per_step"] = {"value": distance, "low": None, "high": None, "reason": reason}
        return row

    @cached_property
    def _best(self) -> dict[int, NDArray[np.int64]]:
        return best_of_n(self.bundle, self.reward, self.options, pool=_POOL, sizes=GROUPS, most=COUNTED)

    def constrained(self) -> Row:
        """Melodies under the rules as hard constraints."""
        tokens, kl = sample_constrained(self.bundle, self.reward, self.options, COUNTED)
        row = self.row(Sample(tokens, contexts=self.reward.context), "constrained", None)
        row["metrics"]["kl_per_step"] = dict(kl)
        return row


def best_of_n(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, *, pool: int, sizes: tuple[int, ...], most: int
) -> dict[int, NDArray[np.int64]]:
    """For each n, the best melodies of groups of n, drawn from the untuned model; `(melodies, tokens)` tokens."""
    drawn, rewards, prior = [], [], bundle.prior()
    with progress("Drawing melodies to choose from", total=pool, unit="melodies") as bar:
        for first in range(0, pool, _AT_ONCE):
            count = min(_AT_ONCE, pool - first)
            rng, context = generator(options.seed, "rivals", f"pool {first}"), reward.context
            tokens = sample_whole(
                prior, bundle.encoding, rng, count, options.steps, meter=context.meter, key=context.key
            )
            drawn.append(tokens.astype(np.int32))  # there may be a quarter of a million
            rewards.append(reward.scaled(reward.terms(tokens)).sum(1))
            bar.advance(count)
    tokens, total = padded_together(drawn), np.concatenate(rewards)
    best = {}
    for n in sizes:
        groups = min(pool // n, most)
        places = np.arange(groups * n).reshape(groups, n)
        best[n] = tokens[places[np.arange(groups), total[places].argmax(axis=1)]].astype(np.int64)
    return best


def divergence_of_best(n: int, steps: int) -> float:
    """The KL divergence of the best of n from what they were drawn from, at most, nats a step.

    It is log n - (n - 1) / n nats a melody at most, and exactly that where no two rewards are equal (Stiennon et al.
    2020, arXiv 2009.01325).

    Examples:
        >>> divergence_of_best(1, 32), round(divergence_of_best(1024, 32), 3)
        (0.0, 0.185)
    """
    return (math.log(n) - (n - 1) / n) / steps


def sample_constrained(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, melodies: int
) -> tuple[NDArray[np.int64], dict[str, float]]:
    """Melodies of the untuned model under the rules as hard masks, and their distance from it.

    Args:
        bundle: whose prior is sampled.
        reward: its rules are the constraints.
        options: steps, meter and seed.
        melodies: how many.

    Returns:
        `(melodies, steps)` tokens, and the KL divergence a step as `value`, `low` and `high`: the mean of log pi - log
        p over the melodies, pi being p renormalised over the tokens that were allowed.
    """
    masks = Constraints(reward.rules.rules, bundle.encoding, reward.context, options.steps)
    uniforms = generator(options.seed, "constrained").random((melodies, options.steps))
    bars = reward.bars(melodies)
    samples = sample(bundle.prior(), uniforms, bars=bars, constraints=masks)
    log_p = np.asarray(to_numpy(log_probs_with_bars(bundle.prior(), samples.tokens, bars)), dtype=np.float64)
    further = samples.log_likelihood - np.take_along_axis(log_p, samples.tokens[..., None], axis=-1).sum((1, 2))
    steps = np.full(melodies, float(options.steps))
    interval = bootstrap_ratio(further, steps, None, generator(options.seed, "constrained", "interval"))
    bounds = {"value": interval.value, "low": interval.low, "high": interval.high}
    # Six digits, as everywhere in results: the last bits of a sum do not make two runs differ.
    return samples.tokens, {name: round(value, 6) for name, value in bounds.items()}


def shipped_vae_of(bundle: Bundle) -> Bundle | None:
    """The VAE that ships and was trained on the corpus of a bundle, in the same tokens and keys; None without one.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> grid, notes = (Bundle.load(find_bundle(name)) for name in ("tunes+rl-tuner", "tunes"))
        >>> shipped_vae_of(grid) is not None, shipped_vae_of(notes) is not None
        (True, False)
    """
    corpus = shipped_corpus(bundle)
    for path in shipped_bundles().values() if corpus else ():
        other = Bundle.load(path)
        alike = dict(other.encoding_description) == dict(bundle.encoding_description)
        alike &= other.provenance.get("plain_keys") == bundle.provenance.get("plain_keys")
        if isinstance(other.options, VaeOptions) and alike and shipped_corpus(other) == corpus:
            return other
    return None
