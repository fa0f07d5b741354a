"""Train the models of experiments/models.toml on each of its corpora, and write the table of docs/models.md.

    python scripts/compare_models.py [--piano-midi DIR] [--only MODEL ...] [--seed N ...] [--tell]

Each model is measured on the corpus's own held-out part, without conditions, in nats a step, and beside the n-gram with
copy, with a 95 % interval from a bootstrap over works. Each result is written to experiments/models.json at once, so
that an interrupted comparison can be resumed. `--tell` only writes the table.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, Split
from cantilena.metrics import bootstrap_ratio
from cantilena.models import Likelihood, SequenceModel
from cantilena.runtime import generator, log, read_json, write_json
from cantilena.workflows import EncodedCorpus, corpus_facts
from cantilena.workflows.data import likelihood_of
from cantilena.workflows.runs import make_options
from cantilena.workflows.train.blend import choose_blend, fit_ngram
from cantilena.workflows.train.config import encode_corpus, load_corpus, network_for, shape_and_training
from cantilena.workflows.train.options import CorpusOptions, NetworkTraining, NGramTraining
from cantilena.workflows.train.run import learn_network
from document_tables import between

CHECKOUT = Path(__file__).resolve().parents[1]
CONFIGS, RESULTS = CHECKOUT / "experiments" / "models.toml", CHECKOUT / "experiments" / "models.json"
DOCUMENT = CHECKOUT / "docs" / "models.md"
PIANO = "PIANO_MIDI"
RIVAL = "n-gram with copy"
Row = dict[str, Any]


def main(words: Sequence[str] | None = None) -> None:
    """Train and measure what is missing, and write the table."""
    arguments = study_arguments(__doc__ or "", "models").parse_args(words)
    configs = tomllib.loads(CONFIGS.read_text(encoding="utf-8"))
    rows: list[Row] = read_json(RESULTS)["rows"] if RESULTS.exists() else []
    for corpus, reading in wanted_corpora(configs["corpora"], arguments):
        missing = _missing(corpus, configs, rows, arguments.only, arguments.seed)
        if not missing:
            continue
        options = make_options(CorpusOptions, reading)
        read = load_corpus(options)
        data, facts = encode_corpus(read, options), corpus_facts(read)
        rival, works = measured(fit_ngram(data), data, "test"), works_of(read, data, "test")
        for model, seed in missing:
            log(f"{corpus}: {model}, seed {seed}")
            flags = {**reading, **configs["models"][model], "seed": seed}
            rows.append({"corpus": corpus, "model": model, "seed": seed, **result(flags, data, facts, rival, works)})
            write_json(RESULTS, {"rows": rows})
    text = DOCUMENT.read_text(encoding="utf-8")
    written = table(rows, "model", list(configs["models"]), list(configs["corpora"]), _cell)
    DOCUMENT.write_text(between(text, "models", written), encoding="utf-8")


def study_arguments(doc: str, what: str) -> argparse.ArgumentParser:
    """The arguments of a study of trained models.

    Args:
        doc: docstring of the script.
        what: the things that it varies, such as `models`.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--piano-midi", type=Path, help="the pieces of piano-midi.de, a folder a composer")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"only these {what}")
    parser.add_argument("--corpora", nargs="+", default=[], metavar="CORPUS", help="only these corpora")
    parser.add_argument("--seed", nargs="+", type=int, help="only these seeds")
    parser.add_argument("--tell", action="store_true", help="train nothing")
    return parser


def wanted_corpora(corpora: Mapping[str, Row], arguments: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    """The corpora that are there and wanted, and how they are read."""
    for corpus, reading in corpora.items() if not arguments.tell else ():
        if arguments.corpora and corpus not in arguments.corpora:
            continue
        if reading["corpus"] != PIANO:
            yield corpus, reading
        elif arguments.piano_midi is not None:
            yield corpus, {**reading, "corpus": str(arguments.piano_midi)}


def works_of(corpus: Corpus, data: EncodedCorpus, part: Split) -> NDArray[np.str_]:
    """The work of each piece of a part: voices of one chorale are not independent of each other."""
    held_out = corpus.split(part)
    works = dict(zip((melody.source for melody in held_out.melodies()), held_out.column("piece"), strict=True))
    return np.array([works[melody.source] for melody in getattr(data, part).melodies])


def result(
    flags: Mapping[str, Any],
    data: EncodedCorpus,
    corpus: Mapping[str, str],
    rival: Likelihood,
    works: NDArray[np.str_],
    part: Split = "test",
) -> Row:
    """One model, trained and measured on a part; beside `test` on `valid` too."""
    started = perf_counter()
    model, about = model_of(flags, data, corpus)
    seconds = perf_counter() - started
    found = {name: measured(model, data, name) for name in {"valid": ("valid",), "test": ("valid", "test")}[part]}
    judged = found[part]
    further = bootstrap_ratio(rival.nats - judged.nats, judged.steps.astype(np.float64), works, generator(1, "margin"))
    return {
        **{name: round(likelihood.nats_per_step, 4) for name, likelihood in found.items()},
        "gain": [round(number, 4) for number in (further.value, further.low, further.high)],
        "seconds": round(seconds),
        **about,
    }


def model_of(flags: Mapping[str, Any], data: EncodedCorpus, corpus: Mapping[str, str]) -> tuple[SequenceModel, Row]:
    """A model trained as the flags say, and facts about it."""
    flags = dict(flags)
    alone = flags.pop("alone", False)
    if flags.pop("model", "network") == "ngram":
        ngram = fit_ngram(data, make_options(NGramTraining, flags).ngram)
        return ngram.plain() if alone else ngram, {}
    options = make_options(NetworkTraining, {"conditions": "none", **flags})
    network, training = shape_and_training(options)
    network = network_for(network, options, data)
    trained, bundle = learn_network(network, training, data, corpus)
    weights = sum(values.size for values in bundle.weights.values())
    about: Row = {"epochs": trained.epochs, "weights": weights, "dropout": network.dropout}
    if not options.blend:
        return trained.network, about
    choice = choose_blend(trained.network, data, options.ngram, wanted=True)
    return choice.model, about | {"share": choice.to_dict()["share"]}


def measured(model: SequenceModel, data: EncodedCorpus, part: str) -> Likelihood:
    """How well a model predicts the held-out pieces of a part, without conditions."""
    return likelihood_of(model, getattr(data, part).sequences, data.encoding)


def _missing(
    corpus: str, configs: Mapping[str, Any], rows: Sequence[Row], only: Sequence[str], seeds: Sequence[int] | None
) -> list[tuple[str, int]]:
    """Models and seeds that have no result on a corpus; n-grams have one seed."""
    done = {(row["corpus"], row["model"], row["seed"]) for row in rows}
    wanted = [
        (model, seed)
        for seed in seeds or configs["seeds"]
        for model, flags in configs["models"].items()
        if (not only or model in only) and (flags.get("model") != "ngram" or seed == configs["seeds"][0])
    ]
    return [(model, seed) for model, seed in wanted if (corpus, model, seed) not in done]


def table(
    rows: Sequence[Row], kind: str, names: Sequence[str], corpora: Sequence[str], cell: Callable[[list[Row]], str]
) -> str:
    """A Markdown table: a row a name, a column a corpus that has any.

    Args:
        rows: what was measured.
        kind: the key of a row that holds its name.
        names: in order.
        corpora: in order.
        cell: formats the rows of one name on one corpus, one of each seed.
    """
    corpora = [corpus for corpus in corpora if any(row["corpus"] == corpus for row in rows)]
    lines = [f"| | {' | '.join(corpora)} |", "|---" * (len(corpora) + 1) + "|"]
    for name in names:
        cells = [cell([row for row in rows if (row["corpus"], row[kind]) == (corpus, name)]) for corpus in corpora]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(seeds: list[Row]) -> str:
    """Valid, test, and the gain on the rival: means over seeds, the widest interval of one."""
    if not seeds:
        return "–"
    valid, test, gain = (np.mean([row[name] for row in seeds], axis=0) for name in ("valid", "test", "gain"))
    cell = f"{valid:.3f}, **{test:.3f}**"
    if seeds[0]["model"] == RIVAL:
        return cell
    low, high = min(row["gain"][1] for row in seeds), max(row["gain"][2] for row in seeds)
    return f"{cell}<br><small>{gain[0]:+.3f} ({low:+.3f} to {high:+.3f})</small>".replace("-", "−")


if __name__ == "__main__":
    main()
