"""The model card of a bundle: Markdown with the front matter that the Hugging Face hub reads.

The text is `template.md`; what a bundle records may come from strangers and passes the filters `sanitize` and `value`.
The front matter is written as JSON, which YAML contains, so that cards need no `huggingface_hub`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cantilena.data import Corpus
from cantilena.metrics.registry import CANTILENA_PREFIX
from cantilena.models import Bundle
from cantilena.music import Key, Pitch
from cantilena.reporting.tables import table_of_systems
from cantilena.runtime import write_text
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.workflows.cards.numbers import HUMAN, CardNumbers, measure_for_card
from cantilena.workflows.cards.recipe import (
    Record,
    describe_model,
    model_kind,
    process_count,
    record_of,
    reproduction_commands,
)
from cantilena.workflows.cards.sources import is_share_alike, licence_tags, sanitize, sources_of

_SHOWN = (
    "excessively_repeated", "not_in_key", "starts_on_tonic", "ends_on_tonic", "leaps_resolved", "unique_max",
    "unique_min", "in_motif", "in_repeated_motif", "different_melodies", "distinct_4", "self_bleu_4", "vendi",
    "entropy_per_step", "kl_per_step", "log_likelihood_per_step",
    *(CANTILENA_PREFIX + name for name in ("opening", "cadence", "leap_recovery", "climax", "motif_return")),
)  # fmt: skip
"""The metrics of a card; reports have all."""

_NATS = {"nats_per_step": "nats per step", "nats_per_note": "nats per note"}
"""The metrics of the front matter."""

_VARIETY = {"different_melodies": "different melodies", "distinct_4": "distinct-4", "vendi": "Vendi score"}

_INDEX = "model-index"


def write_card(bundle: Bundle, name: str, corpus: Corpus, sisters: Mapping[str, Bundle], path: Path) -> Path:
    """Measure a model as `measure_for_card` does, and write its card with the SHA-256 of the bundle beside it.

    Raises:
        CorpusError: a part of the corpus has no melody for the model.
        UsageError: a sister has another encoding.
        InputError: the file cannot be written.
    """
    numbers = measure_for_card(bundle, name, corpus, sisters)
    weights = path.with_name(f"{path.name.removesuffix('.md')}.safetensors")
    digest = sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""
    write_text(path, card_markdown(bundle, name, numbers, digest=digest))
    return path


def card_markdown(
    bundle: Bundle, name: str, numbers: CardNumbers | None = None, *, digest: str = "", address: str = ""
) -> str:
    """The card of a model, with its measurements if there are any.

    Args:
        bundle: the model.
        name: of the model.
        numbers: its measurements.
        digest: SHA-256 of the bundle's file.
        address: of the model in commands, by default its name.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> card = card_markdown(Bundle.load(find_bundle("tunes")), "tunes")
        >>> card.splitlines()[:3]
        ['---', 'license: other', 'license_name: public-domain-scores']
    """
    name, encoding = sanitize(name, 80), bundle.encoding
    grid = notes = None
    if isinstance(encoding, NotesEncoding):
        notes = {
            "tokens": len(encoding.parts),
            "durations": len(encoding.durations),
            "low": Pitch(encoding.low).name,
            "high": Pitch(encoding.high).name,
            "chords": bool(encoding.chords),
        }
    elif isinstance(encoding, GridEncoding):
        step = {4: "sixteenth"}.get(encoding.steps_per_quarter, f"{encoding.steps_per_quarter}th of a quarter note")
        grid = {"step": step, "low": Pitch(encoding.low).name, "high": Pitch(encoding.high).name}
    modes = getattr(bundle.options, "modes", ()) or ("major", "minor")
    plain = bool(bundle.provenance.get("plain_keys"))
    keys = [Key(0, mode).plain.name for mode in modes if plain]  # type: ignore[arg-type]
    card: str = _template().render(
        bundle=bundle,
        name=name,
        address=shlex.quote(sanitize(address or name).replace("'", "")),
        numbers=numbers,
        digest=digest,
        grid=grid,
        notes=notes,
        keys=keys,
        kind=model_kind(bundle),
        tuned=_is_tuned(bundle),
        front_matter=_front_matter(bundle, name, numbers),
        **{part: record_of(bundle, part) for part in ("imported", "training", "stored", "tuning")},
    )
    return card


def licence_text(bundle: Bundle, name: str) -> str:
    """The licence of a model's weights, for a file beside them."""
    sources = "\n".join(source.text() for source in sources_of(bundle)) or "Unknown training data."
    rows = [f"The weights of {sanitize(name, 80)}, a model of music made with Cantilena, were trained on:", sources]
    if bundle.licence:
        rows.append(f"Licence of the weights: {sanitize(bundle.licence)}.")
    if is_share_alike(bundle):
        rows.append("They may be distributed, changed or not, only under the same licence and with its attribution.")
    rows.append("Apache-2.0, the licence of Cantilena's code, does not cover these weights.")
    return "\n\n".join(rows) + "\n"


def held_out_nats(card: str) -> float | None:
    r"""Nats per step on the test pieces, from the front matter of a card; None if it was not measured.

    Examples:
        >>> held_out_nats("---\nlicense: mit\n---\n# A card") is None
        True
    """
    for line in card.partition("\n---\n")[0].splitlines():
        if line.startswith(f"{_INDEX}: "):
            metrics = json.loads(line.partition(": ")[2])[0]["results"][0]["metrics"]
            return next((float(one["value"]) for one in metrics if one["type"] == "nats_per_step"), None)
    return None


def _template() -> Any:  # noqa: ANN401  (jinja2.Template, which is untyped)
    # Markdown is not escaped: `sanitize` has taken from strangers' text what Markdown or HTML would read.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("cantilena.workflows.cards", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"sanitize": sanitize, "value": _value}
    environment.globals |= {
        "commands": reproduction_commands,
        "costs": _costs,
        "describe": describe_model,
        "processes": process_count,
        "rewards": _rewards,
        "share_alike": is_share_alike,
        "sources": sources_of,
        "table": _table,
        "variety": _variety,
    }
    return environment.get_template("template.md")


def _value(value: object) -> str:
    """A recorded value for a sentence; "?" if it is missing or neither a number nor text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else f"{value:,}"
    return sanitize(value, 80) or "?"


def _front_matter(bundle: Bundle, name: str, numbers: CardNumbers | None) -> dict[str, str]:
    """The values as JSON, but for the licence."""
    sources = sources_of(bundle)
    network = model_kind(bundle).tag or str(getattr(bundle.options, "core", ""))
    tags = ["music", "melody", "symbolic-music", "midi", network]
    tags += ["reinforcement-learning"] if _is_tuned(bundle) else []
    values = licence_tags([source.licence for source in sources] or [bundle.licence])
    values |= {"library_name": "cantilena", "pipeline_tag": "other", "tags": json.dumps(tags)}
    test = numbers.held_out[0].nats.get("test") if numbers is not None else None
    if test:
        corpus = sources[0].name if sources else "its corpus"  # further ones are learned from alone
        result = {
            "task": {"type": "other", "name": "prediction of the next token"},
            "dataset": {"type": "cantilena-corpus", "name": f"{corpus}, held-out pieces"},
            "metrics": [
                {"type": kind, "name": text, "value": test[kind]} for kind, text in _NATS.items() if test[kind]
            ],
        }
        values[_INDEX] = json.dumps([{"name": name, "results": [result]}], allow_nan=False)
    return values


def _is_tuned(bundle: Bundle) -> bool:
    return "tuning" in bundle.provenance or bundle.prior_weights is not None


def _costs(stored: Record) -> str:
    """What storing weights as integers costs on each split."""
    costs = stored.get("costs_nats_per_step")
    rows = costs.items() if isinstance(costs, Mapping) else ()
    return ", ".join(f"{sanitize(split, 20)} {cost:+.5f}" for split, cost in rows if isinstance(cost, float))


def _rewards(tuning: Record) -> str:
    """The rules with their weights, and the discriminators, that rewarded a tuning."""
    rules, weights, critic = f"the rules `{_value(tuning.get('rules'))}`", tuning.get("weights"), tuning.get("critic")
    if isinstance(weights, list | tuple) and weights:
        rules += f" with the weights {', '.join(filter(None, map(sanitize, weights)))}"
    if not isinstance(critic, Mapping) or critic.get("critic") is not True:
        return rules
    members, weight = (_value(critic.get(f"critic_{name}")) for name in ("members", "weight"))
    trained = f"{members} discriminators trained along with it to tell its melodies from human ones (weight {weight})"
    return trained if tuning.get("rules") == "none" else f"{rules} and {trained}"


def _table(numbers: CardNumbers) -> str:
    """Metrics down, systems across, as Markdown."""
    systems = {
        name: {"metrics": {metric: one for metric, one in system["metrics"].items() if metric in _SHOWN}}
        for name, system in numbers.systems.items()
    }
    table = table_of_systems({"systems": systems}, published=False)
    lines = [
        "| | " + " | ".join(column.name for column in table.columns) + " |",
        "|---" * (len(table.columns) + 1) + "|",
    ]
    for row in (row for _, rows in table.groups for row in rows):
        cells = (f"{cell.text} ({cell.interval})" if cell.interval else cell.text for cell in row.cells)
        label = f"{row.metric.label} {row.metric.sign}".rstrip()
        lines.append(f"| {label} | {' | '.join(cells)} |".replace("\u00a0", " "))
    return "\n".join(lines)


def _variety(numbers: CardNumbers) -> str:
    """The diversity of a tuned model beside that of human melodies."""
    name = next(name for name in numbers.systems if name != HUMAN)
    parts = []
    for metric, label in _VARIETY.items():
        own, human = (
            (numbers.systems.get(system, {}).get("metrics", {}).get(metric) or {}).get("value")
            for system in (name, HUMAN)
        )
        if own is not None and human is not None:
            parts.append(f"{label} {own:.2f} (human: {human:.2f})")
    return ", ".join(parts)
