"""Change one thing of the default network at a time, and write what it was worth into docs/models.md.

    python scripts/ablate_model.py [--study NAME] [--piano-midi DIR] [--only CHANGE ...] [--corpora CORPUS ...]
        [--seed N ...] [--tell]

`experiments/NAME.toml` lists the changes: `ablations` of networks of the grid, `note_ablations` of networks of notes.
Each network is measured on a held-out part of the corpus, without conditions, in nats a step, beside the unchanged
network of the same seed, with a 95 % interval from a bootstrap over works. Each result is written to
experiments/NAME.json at once, and the likelihoods of the unchanged network to `runs/NAME`, so that an interrupted study
can be resumed: remove both where the preset changes. `--tell` only writes the table.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.models import Likelihood
from cantilena.runtime import log, read_json, write_json
from cantilena.workflows import EncodedCorpus, corpus_facts
from cantilena.workflows.runs import make_options
from cantilena.workflows.train.config import encode_corpus, load_corpus
from cantilena.workflows.train.options import CorpusOptions
from compare_models import DOCUMENT, Row, measured, model_of, result, study_arguments, table, wanted_corpora, works_of
from document_tables import between

CHECKOUT = Path(__file__).resolve().parents[1]
EXPERIMENTS, WORK = CHECKOUT / "experiments", CHECKOUT / "runs"
STUDIES = ("ablations", "note_ablations")
UNCHANGED = "as it is"


def main(words: Sequence[str] | None = None) -> None:
    """Train and measure what is missing, and write the table."""
    parser = study_arguments(__doc__ or "", "changes")
    parser.add_argument("--study", choices=STUDIES, default=STUDIES[0], help="the study in experiments/")
    arguments = parser.parse_args(words)
    configs = tomllib.loads((EXPERIMENTS / f"{arguments.study}.toml").read_text(encoding="utf-8"))
    results = EXPERIMENTS / f"{arguments.study}.json"
    rows: list[Row] = read_json(results)["rows"] if results.exists() else []
    for corpus, reading in wanted_corpora(configs["corpora"], arguments):
        for row in _tried(corpus, reading, configs, _missing(corpus, configs, rows, arguments), WORK / arguments.study):
            rows.append(row)
            write_json(results, {"rows": rows})
    text = DOCUMENT.read_text(encoding="utf-8")
    written = table(rows, "change", [UNCHANGED, *configs["changes"]], list(configs["corpora"]), _cell)
    DOCUMENT.write_text(between(text, arguments.study, written), encoding="utf-8")


def _tried(
    corpus: str,
    reading: Mapping[str, Any],
    configs: Mapping[str, Any],
    changes: Sequence[tuple[str, int, Mapping[str, Any]]],
    work: Path,
) -> Iterator[Row]:
    """Train and measure each change on a corpus."""
    if not changes:
        return
    options, part = make_options(CorpusOptions, reading), configs.get("part", "test")
    read = load_corpus(options)
    data, facts = encode_corpus(read, options), corpus_facts(read)
    works = works_of(read, data, part)
    for name, seed, change in changes:
        log(f"{corpus}: {name}, seed {seed}")
        flags = {**reading, "blend": False, **configs.get("network", {}), "seed": seed}
        path = work / f"{corpus.replace(', ', '-').replace(' ', '-')}-{seed}.npz"
        base = unchanged(flags, data, facts, part, path)
        row: Row = {part: round(base.nats_per_step, 4), "gain": [0.0, 0.0, 0.0]}
        if name != UNCHANGED:
            row = result({**flags, **change}, data, facts, base, works, part)
        yield {"corpus": corpus, "change": name, "seed": seed, **row}


def unchanged(
    flags: Mapping[str, Any], data: EncodedCorpus, corpus: Mapping[str, str], part: str, path: Path
) -> Likelihood:
    """The likelihood of each held-out piece under the unchanged network; kept in a file, so that it is trained once."""
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            return Likelihood(kept["nats"], kept["steps"], kept["notes"])
    model, _ = model_of(flags, data, corpus)
    found = measured(model, data, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, nats=found.nats, steps=found.steps, notes=found.notes)
    return found


def _missing(
    corpus: str, configs: Mapping[str, Any], rows: Sequence[Row], arguments: argparse.Namespace
) -> list[tuple[str, int, Mapping[str, Any]]]:
    """The changes that have no row on a corpus: their names, seeds and flags."""
    done = {(row["corpus"], row["change"], row["seed"]) for row in rows}
    changes: dict[str, dict[str, Any]] = {UNCHANGED: {}, **configs["changes"]}
    return [
        (name, seed, {flag: value for flag, value in change.items() if flag != "corpora"})
        for seed in arguments.seed or configs["seeds"]
        for name, change in changes.items()
        if (not arguments.only or name in arguments.only)
        and corpus in change.get("corpora", configs["corpora"])
        and (corpus, name, seed) not in done
    ]


def _cell(seeds: list[Row]) -> str:
    """Nats a step on the held-out part, and the gain by the change: means over seeds, the widest interval of one."""
    if not seeds:
        return "–"
    nats = np.mean([row["test"] if "test" in row else row["valid"] for row in seeds])
    gain = np.mean([row["gain"] for row in seeds], axis=0)
    if seeds[0]["change"] == UNCHANGED:
        return f"**{nats:.3f}**"
    low, high = min(row["gain"][1] for row in seeds), max(row["gain"][2] for row in seeds)
    return f"{nats:.3f}: {gain[0]:+.3f} <small>({low:+.3f} to {high:+.3f})</small>".replace("-", "−")


if __name__ == "__main__":
    main()
