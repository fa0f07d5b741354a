"""Change one thing of the default network at a time, and write what it was worth into docs/models.md.

    python scripts/ablate_model.py [--piano-midi DIR] [--only CHANGE ...] [--corpora CORPUS ...] [--seed N ...] [--tell]

`experiments/ablations.toml` lists the changes. Each network is measured on the corpus's held-out part, without
conditions, in nats a step, beside the unchanged network of the same seed, with a 95 % interval from a bootstrap over
works. Each result is written to experiments/ablations.json at once, and the likelihoods of the unchanged network to
`runs/ablations`, so that an interrupted study can be resumed: remove both where the preset changes. `--tell` only
writes the table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
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
CONFIGS, RESULTS = CHECKOUT / "experiments" / "ablations.toml", CHECKOUT / "experiments" / "ablations.json"
WORK = CHECKOUT / "runs" / "ablations"
UNCHANGED = "as it is"


def main(words: Sequence[str] | None = None) -> None:
    """Train and measure what is missing, and write the table."""
    arguments = study_arguments(__doc__ or "", "changes", words)
    configs = tomllib.loads(CONFIGS.read_text(encoding="utf-8"))
    rows: list[Row] = read_json(RESULTS)["rows"] if RESULTS.exists() else []
    for corpus, reading in wanted_corpora(configs["corpora"], arguments):
        if missing := _missing(corpus, configs, rows, arguments.only, arguments.seed):
            _try(corpus, reading, missing, rows)
    text = DOCUMENT.read_text(encoding="utf-8")
    written = table(rows, "change", [UNCHANGED, *configs["changes"]], list(configs["corpora"]), _cell)
    DOCUMENT.write_text(between(text, "ablations", written), encoding="utf-8")


def _try(
    corpus: str, reading: Mapping[str, Any], changes: Sequence[tuple[str, int, Mapping[str, Any]]], rows: list[Row]
) -> None:
    """Train and measure each change on a corpus, and write its row at once."""
    options = make_options(CorpusOptions, reading)
    read = load_corpus(options)
    data, facts = encode_corpus(read, options), corpus_facts(read)
    works = works_of(read, data)
    for name, seed, change in changes:
        log(f"{corpus}: {name}, seed {seed}")
        flags = {**reading, "blend": False, "seed": seed}
        base = unchanged(flags, data, facts, WORK / f"{corpus.replace(', ', '-').replace(' ', '-')}-{seed}.npz")
        if name == UNCHANGED:
            row: Row = {"test": round(base.nats_per_step, 4), "gain": [0.0, 0.0, 0.0]}
        else:
            row = result({**flags, **change}, data, facts, base, works)
        rows.append({"corpus": corpus, "change": name, "seed": seed, **row})
        write_json(RESULTS, {"rows": rows})


def unchanged(flags: Mapping[str, Any], data: EncodedCorpus, corpus: Mapping[str, str], path: Path) -> Likelihood:
    """The likelihood of each test piece under the unchanged network; kept in a file, so that it is trained once."""
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            return Likelihood(kept["nats"], kept["steps"], kept["notes"])
    model, _ = model_of(flags, data, corpus)
    test = measured(model, data, "test")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, nats=test.nats, steps=test.steps, notes=test.notes)
    return test


def _missing(
    corpus: str, configs: Mapping[str, Any], rows: Sequence[Row], only: Sequence[str], seeds: Sequence[int] | None
) -> list[tuple[str, int, Mapping[str, Any]]]:
    """The changes that have no row on a corpus: their names, seeds and flags."""
    done = {(row["corpus"], row["change"], row["seed"]) for row in rows}
    changes: dict[str, dict[str, Any]] = {UNCHANGED: {}, **configs["changes"]}
    return [
        (name, seed, {flag: value for flag, value in change.items() if flag != "corpora"})
        for seed in seeds or configs["seeds"]
        for name, change in changes.items()
        if (not only or name in only)
        and corpus in change.get("corpora", configs["corpora"])
        and (corpus, name, seed) not in done
    ]


def _cell(seeds: list[Row]) -> str:
    """Nats a step on the test part, and the gain by the change: means over seeds, the widest interval of one."""
    if not seeds:
        return "–"
    test, gain = (np.mean([row[name] for row in seeds], axis=0) for name in ("test", "gain"))
    if seeds[0]["change"] == UNCHANGED:
        return f"**{test:.3f}**"
    low, high = min(row["gain"][1] for row in seeds), max(row["gain"][2] for row in seeds)
    return f"{test:.3f}: {gain[0]:+.3f} <small>({low:+.3f} to {high:+.3f})</small>".replace("-", "−")


if __name__ == "__main__":
    main()
