"""Do models that a critic teaches compose melodies that classifiers tell less well from human ones? Three seeds.

    python scripts/critic_experiment.py [FOLDER]

The shipped `tunes` (its network alone) is tuned on the rules of RL Tuner, by a critic, and by both, at one target KL.
1,000 melodies of each model are measured, and a classifier two-sample test, trained on none of the pieces that
rewarded, compares them with held-out human melodies in the same meter and mode. FOLDER (`runs/critic-experiment`) keeps
a file for each row, so that an interrupted run can be resumed, and `results.json`; the table goes into
`docs/critic.md`, the figure into `docs/pictures/critic.png`. About forty minutes on two cores.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from cantilena.data import load_builtin
from cantilena.discriminators import HumanMelodies, StoppingClassifier, TwoSampleOptions, classifier_two_sample_test
from cantilena.models import Bundle, find_bundle
from cantilena.reporting.figures import png_bytes
from cantilena.reporting.figures.style import CYCLE, INK, STYLE, Figure
from cantilena.rl import CriticOptions, TuningOptions, WatchOptions, music_reward, tune
from cantilena.runtime import generator, read_json, write_bytes, write_json, write_text
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import model_system
from cantilena.workflows.tune.inputs import critic_data, peoples_melodies
from document_tables import between

COUNTED, SEEDS = 1000, (1, 2, 3)
RULES = TuningOptions(
    rules="rl-tuner",
    target_kl=0.3,
    updates=60,
    melodies=256,
    steps=32,
    learning_rate=0.001,
    device="cpu",
    watch=WatchOptions(look=0),
)
HEARING = CriticOptions(critic=True)
WAYS: dict[str, TuningOptions | None] = {
    "untuned": None,
    "rules": RULES,
    "rules, nearer": replace(RULES, target_kl=0.08),
    "critic": replace(RULES, rules="none", critic=HEARING),
    "rules + critic": replace(RULES, critic=HEARING),
    "rules + critic, further": replace(RULES, c=1.0, target_kl=0.2, critic=HEARING),
}
"""Those nearer and further let rules with and without a critic be compared at about one KL."""
JUDGES = ("logistic", "boosting")
"""The families of classifiers that judge: those that take seconds; the strongest counts."""
METRICS = {
    "kl_per_step": "KL, nats a step",
    "distinct_4": "distinct-4",
    "vendi": "Vendi score",
    "not_in_key": "not in key",
    "excessively_repeated": "repeated",
    "starts_on_tonic": "starts on tonic",
    "leaps_resolved": "leaps resolved",
    "unique_max": "unique highest",
    "unique_min": "unique lowest",
    "in_motif": "in motif",
}
PAGE = Path(__file__).resolve().parents[1] / "docs" / "critic.md"


def main(folder: Path) -> None:
    """Tune fifteen times, measure and judge, write, draw."""
    jobs = [(folder, way, seed) for seed in SEEDS for way in reversed(WAYS)]  # the slowest first
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        made = dict(pool.map(_row, jobs))
    rows = {"people": _people(folder), **{f"{way}, seed {seed}": made[way, seed] for way in WAYS for seed in SEEDS}}
    write_json(folder / "results.json", {"systems": rows})
    write_bytes(PAGE.parent / "pictures" / "critic.png", png_bytes(picture(rows)))
    write_text(PAGE, between(PAGE.read_text(encoding="utf-8"), "critic", table(rows)))
    print(table(rows))


def _bundle() -> Bundle:
    return Bundle.load(find_bundle("tunes")).without_ngram()


def _held_out(bundle: Bundle) -> HumanMelodies:
    context = music_reward(bundle, RULES).context
    return peoples_melodies(load_builtin("tunes"), "test", bundle.encoding, context, RULES.steps, normalized_key=True)


def _row(job: tuple[Path, str, int]) -> tuple[tuple[str, int], dict[str, Any]]:
    """One model, tuned, measured and judged; read if it was made before."""
    folder, way, seed = job
    row, second = (folder / kind / f"{way.replace(' ', '-')}-{seed}.json" for kind in ("rows", "second"))
    torch.set_num_threads(1)
    if not row.exists():
        write_json(row, _made(folder, way, seed))
        print(f"{way}, seed {seed}", file=sys.stderr, flush=True)
    if not second.exists():
        write_json(second, _second(folder, way, seed))
    return (way, seed), {**read_json(row), "second": read_json(second)}


def _second(folder: Path, way: str, seed: int) -> dict[str, float]:
    """A second opinion, never withheld because it has no controls: the one that stops runs, on the judge's pieces."""
    bundle = _bundle()
    listener = StoppingClassifier(_held_out(bundle), music_reward(bundle, RULES).context.steps_per_bar)
    score = listener.evaluate(
        bundle.encoding.line(_drawn(folder, way, seed, bundle)), generator(seed, "second opinion", way)
    )
    return {"value": score.auc.value, "low": score.auc.low, "high": score.auc.high}


def _drawn(folder: Path, way: str, seed: int, bundle: Bundle) -> np.ndarray:
    path = folder / "models" / f"{way.replace(' ', '-')}-{seed}.safetensors"
    tuned, context = bundle if WAYS[way] is None else Bundle.load(path), music_reward(bundle, RULES).context
    system = model_system(way, "", tuned.model(), bundle.encoding, seed, meter=context.meter, key=context.key)
    return system.draw(COUNTED, RULES.steps, "count")


def _made(folder: Path, way: str, seed: int) -> dict[str, Any]:
    bundle, options, path = _bundle(), WAYS[way], folder / "models" / f"{way.replace(' ', '-')}-{seed}.safetensors"
    context = music_reward(bundle, RULES).context
    course: dict[str, Any] = {}
    if options is not None and not path.exists():
        data = critic_data(bundle, context, options.steps) if options.critic.critic else None
        done = tune(bundle, replace(options, seed=seed), critic_data=data)
        course = {"kl": done.history.kl, "accuracy": done.history.accuracy, "terms": done.history.terms}
        course |= {"c": done.history.c, "seconds": done.seconds}
        write_json(path.with_suffix(".json"), course)
        done.bundle.save(path)
    elif options is not None:
        course = read_json(path.with_suffix(".json"))
    tuned = bundle if options is None else Bundle.load(path)
    tokens = _drawn(folder, way, seed, bundle)
    metrics = measure(
        Sample(tokens, contexts=context),
        bundle.encoding,
        generator(seed, "intervals", way),
        model=tuned.model(),
        reference=bundle.model(),
        matched_size=COUNTED,
        meter=context.meter,
        key=context.key,
        thorough=True,
    )
    people = _held_out(bundle)
    test_options = TwoSampleOptions(families=JUDGES, resamples=300, permutations=300, seed=seed)
    judged = classifier_two_sample_test(
        people.line, people.piece, bundle.encoding.line(tokens), test_options, quiet=True
    )
    return {"metrics": metrics, "listener": judged.to_json(), "course": course}


def _people(folder: Path) -> dict[str, Any]:
    """The same numbers of held-out human melodies."""
    row = folder / "rows" / "people.json"
    if not row.exists():
        bundle = _bundle()
        people, context = _held_out(bundle), music_reward(bundle, RULES).context
        corpus = load_builtin("tunes")
        tokens = peoples_tokens(people, bundle)
        sample = Sample(tokens, np.unique(people.piece, return_inverse=True)[1], context)
        rng = generator(1, "intervals", "people", len(corpus))
        counted = measure(
            sample, bundle.encoding, rng, model=None, reference=bundle.model(), matched_size=COUNTED, thorough=True
        )
        write_json(row, {"metrics": counted, "listener": {}, "course": {}})
    return dict(read_json(row))


def peoples_tokens(people: HumanMelodies, bundle: Bundle) -> np.ndarray:
    """Lines of the grid as tokens again: 0 a rest, 1 a hold, then the pitches from the lowest on."""
    low = int(bundle.encoding.line(np.array([[2]])).pitch[0, 0])
    return np.where(people.line.pitch >= 0, people.line.pitch.astype(np.int64) - low + 2, people.line.event)


def told(row: Mapping[str, Any]) -> dict[str, float] | None:
    """The AUC of the strongest classifier, with its interval; None if the test was refused."""
    headline = row["listener"].get("headline")
    return row["listener"]["families"][headline]["auc"] if headline else None


def table(rows: Mapping[str, Any]) -> str:
    """A Markdown table."""
    head = ["", "judge", "length, range, notes", "second opinion", *METRICS.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        refused = "refused" if row["listener"].get("refused") else "–"
        trivial = row["listener"].get("controls", {}).get("trivial", {}).get("auc")
        cells = [name, _area(told(row)) or refused, _area(trivial) or "–", _area(row.get("second")) or "–"]
        for metric in METRICS:
            value = row["metrics"].get(metric, {}).get("value")
            share = metric not in ("kl_per_step", "distinct_4", "vendi")
            cells.append("–" if value is None else f"{100 * value:.1f} %" if share else f"{value:.3g}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _area(auc: Mapping[str, float] | None) -> str:
    return f"{auc['value']:.2f}<br><small>{auc['low']:.2f} to {auc['high']:.2f}</small>" if auc else ""


def picture(rows: Mapping[str, Any]) -> Figure:
    """AUC of the judge against diversity and distance, and the accuracy of the discriminators during tuning."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 3.6))
        beside, distance, course = figure.subplots(1, 3)
        for number, way in enumerate(WAYS):
            for seed in SEEDS:
                row = rows[f"{way}, seed {seed}"]
                auc, label = row["second"], way if seed == SEEDS[0] else None
                arms = [[auc["value"] - auc["low"]], [auc["high"] - auc["value"]]]
                for axes, metric in ((beside, "distinct_4"), (distance, "kl_per_step")):
                    across = row["metrics"][metric]["value"]
                    axes.errorbar(across, auc["value"], yerr=arms, fmt="o", color=CYCLE[number], label=label)
                if row["course"].get("accuracy"):
                    course.plot(row["course"]["accuracy"], color=CYCLE[number], linewidth=1.0, label=label)
        people = rows["people"]["metrics"]["distinct_4"]["value"]
        beside.axvline(people, color=INK, linewidth=0.8, linestyle=":", label="people")
        beside.set(xlabel="distinct-4", ylabel="told from people's, second opinion (AUC)")
        distance.set(xlabel="KL, nats a step")
        course.set(xlabel="updates", ylabel="told right by those that reward", ylim=(0.4, 1.0))
        for axes in (beside, course):
            axes.legend(fontsize=8)
        course.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/critic-experiment"))
