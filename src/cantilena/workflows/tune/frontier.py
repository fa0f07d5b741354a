"""The frontier of tuning: how much of the rules can be had for how much distance from what was learned, and by what.

A KL penalty acts much like stopping early, so one tuned model shows little. Here `rloo` is tuned at several c, every
other algorithm at its own, rejection fine-tuning is followed on its way, critics teach the model alone and with the
rules, the untuned model is asked for the best of n and for melodies under hard constraints, and a VAE of the same
corpus for melodies of its own: all on the same axes of reward, KL divergence and diversity, with people's melodies
beside them. Nothing is stopped or held back here: what collapses is to be seen collapsing.

The honest rivals of reinforcement learning: the best of many melodies, and rules as hard constraints.

Best of n draws n melodies from the untuned model and keeps the one with the highest reward. Its distance from the model
is known: at most log n - (n - 1) / n nats a melody (Stiennon et al. 2020, arXiv 2009.01325), and that where no two
rewards are equal. A VAE of the same melodies, whose codes are drawn from the prior, is another rival: its distance
nobody knows, since a VAE has no probabilities but bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.generation import Constraints, sample
from cantilena.metrics import bootstrap_ratio
from cantilena.models import Bundle, SequenceModel, VaeOptions, log_probs_with_bars, to_numpy, shipped_bundles
from cantilena.reporting import table_markdown
from cantilena.reporting.figures import frontier_panels, png_bytes
from cantilena.rl import CriticData, MusicReward, TuningOptions, tune
from cantilena.rl.options import NO_RULES
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
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import model_system
from cantilena.workflows.learned_corpus import shipped_corpus
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.tune.inputs import Tunable, critic_data, open_tunable

_AT_ONCE = 2048
"""Melodies drawn at once."""


def best_of_many(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, *, pool: int, sizes: tuple[int, ...], most: int
) -> dict[int, NDArray[np.int64]]:
    """For each n, the best melodies of groups of n, drawn from the untuned model; `(melodies, steps)` tokens.

    Args:
        bundle: whose prior is drawn from.
        reward: what is best.
        options: steps, meter and seed.
        pool: how many melodies are drawn in all; each n cuts the same pool into groups.
        sizes: the n.
        most: no more melodies than this are kept of each n.
    """
    drawn, earned = [], []
    with progress("Drawing melodies to choose from", total=pool, unit="melodies") as bar:
        for first in range(0, pool, _AT_ONCE):
            tokens = _drawn(bundle, reward, options, min(_AT_ONCE, pool - first), f"pool {first}")
            drawn.append(tokens.astype(np.int32))  # there may be a quarter of a million
            earned.append(reward.scaled(reward.terms(tokens)).sum(1))
            bar.advance(len(tokens))
    tokens, total = np.concatenate(drawn), np.concatenate(earned)
    best = {}
    for n in sizes:
        groups = min(pool // n, most)
        places = np.arange(groups * n).reshape(groups, n)
        best[n] = tokens[places[np.arange(groups), total[places].argmax(axis=1)]].astype(np.int64)
    return best


def divergence_of_best(n: int, steps: int) -> float:
    """The KL divergence of the best of n from what they were drawn from, at most, nats a step.

    Example:
        >>> divergence_of_best(1, 32), round(divergence_of_best(1024, 32), 3)
        (0.0, 0.185)
    """
    return (math.log(n) - (n - 1) / n) / steps


def constrained(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, melodies: int
) -> tuple[NDArray[np.int64], dict[str, float]]:
    """Melodies of the untuned model under the rules as hard masks, and their distance from it.

    Args:
        bundle: whose prior is drawn from.
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


def _drawn(
    bundle: Bundle, reward: MusicReward, options: TuningOptions, melodies: int, purpose: str
) -> NDArray[np.int64]:
    uniforms = generator(options.seed, "rivals", purpose).random((melodies, options.steps))
    return sample(bundle.prior(), uniforms, bars=reward.bars(melodies)).tokens


def vae_beside(bundle: Bundle) -> Bundle | None:
    """The VAE that ships and learned the corpus of a bundle in the same tokens and keys; None where there is none.

    Example:
        >>> from cantilena.models import find_bundle
        >>> tunes, classical = (Bundle.load(find_bundle(name)) for name in ("tunes", "classical"))
        >>> vae_beside(tunes) is not None, vae_beside(classical) is not None
        (True, False)
    """
    learned = shipped_corpus(bundle)
    for path in shipped_bundles().values() if learned else ():
        other = Bundle.load(path)
        alike = dict(other.encoding_description) == dict(bundle.encoding_description)
        alike &= other.provenance.get("plain_keys") == bundle.provenance.get("plain_keys")
        if isinstance(other.options, VaeOptions) and alike and shipped_corpus(other) == learned:
            return other
    return None


COUNTED = 1000
"""Melodies of each point."""
STRENGTHS = (0.5, 1.0, 2.0, 4.0)
"""The c of `rloo`, as multiples of the one that was asked for."""
OTHERS = ("ppo", "q", "double-q", "psi", "g")
GROUPS = (4, 16, 64, 256)
"""The n of the best of n."""
_POOL = COUNTED * max(GROUPS)
"""Melodies that the best of n are chosen from: enough for as many of each n, since diversity falls as a set grows."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Frontier:
    """A finished sweep.

    Args:
        folder: where it lies.
        systems: `results.json`: each with `curve`, the line that it belongs to in the picture.
    """

    folder: Path
    systems: Mapping[str, Row]

    def text(self) -> str:
        """What a terminal shows."""
        width = max(map(len, self.systems)) + 2
        rows = [" " * width + f"{'reward':>10}{'KL':>8}{'different':>11}{'distinct-4':>12}"]
        for name, row in self.systems.items():
            kl, different, distinct = (_shown(row["metrics"][metric]["value"]) for metric in _SHOWN)
            rows.append(f"{name:<{width}}{row['reward']:>10.1f}{kl:>8}{different:>11}{distinct:>12}")
        return "\n".join(
            [*rows, f"All numbers: {self.folder / 'table.md'}; the picture: {self.folder / 'frontier.png'}"]
        )


_SHOWN = ("kl_per_step", "different_melodies", "distinct_4")


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@dataclass(frozen=True)
class _Sweep:
    """What all points share."""

    bundle: Bundle
    options: TuningOptions
    reward: MusicReward
    folder: Path
    critic_data: CriticData | None = None

    def made(self, name: str, make: Callable[[], Row]) -> Row:
        """A point, read where it was made already."""
        path = self.folder / "points" / f"{name.replace(' ', '-')}.json"
        if not path.exists():
            log(name)
            write_json(path, make())
        row: Row = read_json(path)
        return row

    def row(self, sample: Sample, curve: str, model: SequenceModel | None, kl: Mapping[str, Any] | None = None) -> Row:
        """The numbers of a point."""
        metrics = measure(
            sample,
            self.bundle.encoding,
            generator(self.options.seed, "intervals", curve),
            model=model,
            reference=self.bundle.prior(),
            matched_size=COUNTED,
            meter=self.reward.context.meter,
            key=None if model is None else self.reward.context.key,
            thorough=True,
        )
        if kl is not None:
            metrics["kl_per_step"] = dict(kl)
        return {
            "melodies": len(sample.tokens),
            "curve": curve,
            "reward": round(float(self.earned(sample).mean()), 4),
            "metrics": metrics,
        }

    def earned(self, sample: Sample) -> NDArray[np.float64]:
        """`(melodies,)`: what the rules give each melody, as the learner counts it, in its own key and meter."""
        given = sample.contexts
        contexts = [given] * len(sample.tokens) if given is None or isinstance(given, Context) else given
        earned = np.zeros(len(sample.tokens))
        for context in dict.fromkeys(contexts):
            rows = np.array([one == context for one in contexts])
            reward = self.reward if context is None else replace(self.reward, context=context)
            earned[rows] = reward.clipped(reward.terms(sample.tokens[rows])).sum(1)
        return earned

    def tuned(self, curve: str, options: TuningOptions) -> Row:
        """The point that a tuning ends at."""
        done = tune(self.bundle, options, critic_data=self.critic_data)
        model = done.bundle.model()
        where = self.reward.context
        drawn = model_system("tuned", "", model, self.bundle.encoding, options.seed, meter=where.meter, key=where.key)
        sample = Sample(drawn.draw(COUNTED, options.steps, "count"), contexts=self.reward.context)
        row = self.row(sample, curve, model)
        return {**row, "c": done.history.c[-1], "seconds": round(done.seconds, 1)}


def run_frontier(
    name: str, options: TuningOptions, folder: Path, *, against: str = "", resume: bool = False, force: bool = False
) -> Frontier:
    """Sweep c and the rivals, and draw reward against KL against diversity.

    Args:
        name: a bundle, by path or by the name of one that ships with the package.
        options: how to tune; its c is the middle of the sweep, its algorithm is not read, no run is stopped early.
        folder: of the sweep: `results.json`, `frontier.png`, `table.md`, a file a point; `run.json` has the seconds.
        against: the corpus whose melodies stand beside; the one that the model learned where empty.
        resume: go on with an interrupted sweep; the points that are there are kept.
        force: start anew in a folder that holds another run.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        UsageError: what cannot be tuned so.
        RunError: the folder is taken.
    """
    if options.rules.strip() == NO_RULES:
        raise UsageError("a frontier without rules", "name --rules: a critic alone is one of its rows")
    silent = replace(options.critic, critic=False)
    unwatched = replace(
        options, watch=replace(options.watch, look=0), target_kl=None, reference_mode=False, critic=silent
    )
    tunable = open_tunable(name, replace(unwatched, algorithm="rloo"), against)
    human = tunable.human
    listened = _listened(tunable, options, against)
    asked = {"frontier": name, **tunable.digests, "against": against, **options_record(options)}
    with run_folder(folder, asked, resume=resume, force=force) as run:
        clear_earlier(run, "points/*.json", "results.json", "table.md", "frontier.png")
        sweep = _Sweep(tunable.bundle, unwatched, tunable.reward, folder, listened)
        systems: dict[str, Row] = {}
        if human is not None:
            sample = Sample(human.tokens, human.piece, human.contexts)
            systems["human"] = sweep.made("human", lambda: sweep.row(sample, "human", None))
        systems |= _untuned(sweep) | _tuned(sweep)
        # The same seed gives the same results; how long they took is a fact of the run.
        seconds = {name: row.pop("seconds") for name, row in systems.items() if "seconds" in row}
        write_json(folder / "results.json", {"systems": systems})
        write_text(folder / "table.md", table_markdown({"systems": systems}))
        write_bytes(folder / "frontier.png", png_bytes(frontier_panels(systems)))
        run.finish(seconds=seconds)
        return Frontier(folder, systems)


def _listened(tunable: Tunable, options: TuningOptions, against: str) -> CriticData | None:
    """People's melodies for critics; None where there are too few, which is an error if a critic was asked for."""
    try:
        return critic_data(tunable.bundle, tunable.reward.context, options.steps, against)
    except (UsageError, CorpusError) as error:
        if options.critic.critic:
            raise
        log(f"No critic is on this frontier: {error.text}")
        return None


def _untuned(sweep: _Sweep) -> dict[str, Row]:
    """The model as it is, its best of n, and its melodies under constraints."""
    options, bundle, context = sweep.options, sweep.bundle, sweep.reward.context
    prior = bundle.prior()

    def plain() -> Row:
        system = model_system("lstm", "", prior, bundle.encoding, options.seed, meter=context.meter, key=context.key)
        return sweep.row(Sample(system.draw(COUNTED, options.steps, "count"), contexts=context), "lstm", prior)

    def under_constraints() -> Row:
        tokens, kl = constrained(bundle, sweep.reward, options, COUNTED)
        return sweep.row(Sample(tokens, contexts=context), "constrained", None, kl)

    best: dict[int, NDArray[np.int64]] = {}

    def best_of(n: int) -> Row:
        if not best:  # drawn once, when the first of them is asked for
            best.update(best_of_many(bundle, sweep.reward, options, pool=_POOL, sizes=GROUPS, most=COUNTED))
        distance = divergence_of_best(n, options.steps)
        kl = {"value": distance, "low": None, "high": None, "reason": "a bound, exact where no two rewards are equal"}
        return sweep.row(Sample(best[n], contexts=context), "best of n", None, kl)

    vae = vae_beside(bundle)

    def of_codes(vae: Bundle) -> Row:
        system = model_system("vae", "", vae.model(), vae.encoding, options.seed, meter=context.meter, key=context.key)
        return sweep.row(Sample(system.draw(COUNTED, options.steps, "count"), contexts=context), "vae", None)

    rows = {"lstm": sweep.made("lstm", plain)}
    rows |= {} if vae is None else {"vae": sweep.made("vae", lambda: of_codes(vae))}
    rows |= {f"best of {n}": sweep.made(f"best of {n}", lambda n=n: best_of(n)) for n in GROUPS}  # type: ignore[misc]
    return rows | {"constrained": sweep.made("constrained", under_constraints)}


def _tuned(sweep: _Sweep) -> dict[str, Row]:
    """What learning reaches: `rloo` at several c, the other algorithms at their own, rejection on its way."""
    options, rows = sweep.options, {}
    middle = replace(options, algorithm="rloo").c_for(sweep.reward.rules.scale)
    for strength in STRENGTHS:
        name, c = f"rloo c {middle * strength:g}", middle * strength
        asked = replace(options, algorithm="rloo", c=c)
        rows[name] = sweep.made(name, lambda asked=asked: sweep.tuned("rloo", asked))  # type: ignore[misc]
    for algorithm in OTHERS:
        own = middle if algorithm == "ppo" else None
        asked = replace(options, algorithm=algorithm, c=own)  # type: ignore[arg-type]
        rows[algorithm] = sweep.made(algorithm, lambda name=algorithm, asked=asked: sweep.tuned(name, asked))  # type: ignore[misc]
    if sweep.critic_data is not None:
        hearing = replace(options.critic, critic=True)
        for name, rules, weights in (("critic", NO_RULES, ()), ("rules + critic", options.rules, options.weights)):
            asked = replace(options, algorithm="rloo", rules=rules, weights=weights, c=middle, critic=hearing)
            rows[name] = sweep.made(name, lambda name=name, asked=asked: sweep.tuned(name, asked))  # type: ignore[misc]
    for part in (0.25, 0.5, 1.0):
        updates = max(round(options.updates * part), 1)
        asked = replace(options, algorithm="rejection", updates=updates)
        name = f"rejection {updates}"
        rows[name] = sweep.made(name, lambda asked=asked: sweep.tuned("rejection", asked))  # type: ignore[misc]
    return rows
