"""The card of a model: what it is, what it learned from, how good it is, what it is not for; a page of Markdown.

What a model is for and what it cannot do, said of each model by what it is and what was measured.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cantilena.data import Corpus
from cantilena.metrics.registry import CANTILENA_PREFIX
from cantilena.models import Bundle, NGramOptions, VaeOptions
from cantilena.music import Pitch
from cantilena.reporting.tables import table_of_systems
from cantilena.runtime import write_text
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.cards.numbers import HUMAN, CardNumbers, measure_for_card
from cantilena.workflows.cards.recipe import made_again, made_in_words, network_in_words
from cantilena.workflows.cards.sources import Source, licence_tags, plain, shares_alike, sources_of


def limits_of(bundle: Bundle, numbers: CardNumbers | None = None) -> list[str]:
    """Intended use and limits, a sentence or two each.

    Args:
        bundle: the model.
        numbers: what was measured of it.

    Example:
        >>> from cantilena.models import find_bundle
        >>> any("no chords" in limit for limit in limits_of(Bundle.load(find_bundle("tunes"))))
        True
    """
    return [
        "For ideas that a musician goes on with, for teaching what rules do, and for research on models of melody. Not "
        "for judging people's music.",
        *_of_its_tokens(bundle),
        "It knows the styles of its corpus and no others, and carries their habits along.",
        *_of_its_tuning(bundle, numbers),
        "It may repeat what it learned: `cantilena compose` says where a melody copies more of its corpus than "
        "people's do of one another, for corpora that are at hand.",
        "Nobody has been asked yet whether its melodies sound human. No number here stands for that.",
    ]


def _of_its_tokens(bundle: Bundle) -> Iterator[str]:
    encoding = bundle.encoding
    if isinstance(encoding, GridEncoding):
        yield (
            "One voice: no chords, no loudness, no articulation. Nothing falls between the steps of the grid, so there "
            "are no triplets, and no note leaves its range; compositions are transposed to other keys afterwards."
        )
    else:
        yield (
            "Notes and chords in order, and no time: rhythm, rests, voices and loudness are not modelled, and each "
            "event sounds for an eighth. A chord in normal order has lost its octaves."
        )
    if bundle.provenance.get("plain_keys"):
        yield "It thinks in C major and A minor: a melody that changes its key is beyond it."
    yield "It does not know where its melody will end, and was not taught to end one."


def _of_its_tuning(bundle: Bundle, numbers: CardNumbers | None) -> Iterator[str]:
    if bundle.prior_weights is None and "tuning" not in bundle.provenance:
        return
    lost = _what_it_cost(numbers) if numbers is not None else ""
    yield (
        f"It was tuned to keep rules, which are not taste, and which people do not maximise.{lost} Melodies much "
        "longer than those it was tuned on were never judged."
    )


def _what_it_cost(numbers: CardNumbers) -> str:
    """How far it is from people, in the numbers that tell of collapse."""
    people, name = numbers.systems.get(HUMAN), next(name for name in numbers.systems if name != HUMAN)
    ours = numbers.systems[name]
    told = [(words, _value(people, key), _value(ours, key)) for key, words in _DIVERSITY.items()]
    parts = [
        f"{words} {mine:.2f} beside people's {theirs:.2f}" for words, theirs, mine in told if None not in (theirs, mine)
    ]
    return f" Its variety: {', '.join(parts)}." if parts else ""


_DIVERSITY = {"different_melodies": "different melodies", "distinct_4": "distinct-4", "vendi": "Vendi score"}


def _value(system: Mapping[str, Any] | None, metric: str) -> float | None:
    found = (system or {}).get("metrics", {}).get(metric) or {}
    value = found.get("value")
    return None if value is None else float(value)


NATS = "nats_per_step"
"""The metric of a card's front matter that a list of models shows."""

_SHOWN = (
    "excessively_repeated", "not_in_key", "starts_on_tonic", "ends_on_tonic", "leaps_resolved", "unique_max",
    "unique_min", "in_motif", "in_repeated_motif", "different_melodies", "distinct_4", "self_bleu_4", "vendi",
    "entropy_per_step", "kl_per_step", "log_likelihood_per_step",
)  # fmt: skip
"""The metrics of a card; reports have all."""

_SHOWN_OF_OURS = ("opening", "cadence", "leap_recovery", "climax", "motif_return")


def write_card(bundle: Bundle, name: str, corpus: Corpus, sisters: Mapping[str, Bundle], path: Path) -> Path:
    """Measure a model and write its card.

    Args:
        bundle: the model, as its file holds it.
        name: of it.
        corpus: what it learned from.
        sisters: models by name to stand beside it.
        path: of the card; the bundle's file, whose digest the card tells, lies beside it as `.safetensors`.

    Raises:
        CorpusError: a part of the corpus holds no melody that the model can say.
        UsageError: a sister speaks another encoding.
        InputError: the disk said no.
    """
    numbers = measure_for_card(bundle, name, corpus, sisters)
    weights = path.with_name(f"{path.name.removesuffix('.md')}.safetensors")
    digest = sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""
    write_text(path, card_markdown(bundle, name, numbers, digest=digest))
    return path


def card_markdown(
    bundle: Bundle, name: str, numbers: CardNumbers | None = None, *, digest: str = "", address: str = ""
) -> str:
    """The card of a model as Markdown, with the front matter that the Hugging Face hub reads.

    Args:
        bundle: the model.
        name: of it.
        numbers: what was measured; the card says so where nothing was.
        digest: SHA-256 of the bundle's file.
        address: what to call it when composing; its name where it ships with the package.

    Example:
        >>> from cantilena.models import find_bundle
        >>> card = card_markdown(Bundle.load(find_bundle("tunes")), "tunes")
        >>> card.splitlines()[:3]
        ['---', 'license: other', 'license_name: public-domain-scores']
    """
    name = plain(name, 80)
    sources = sources_of(bundle)
    parts = [
        _front_matter(bundle, name, sources, numbers),
        f"# {name}\n\n{_what(bundle)}",
        _use(address or name),
        f"## What it learned from\n\n{_learned(bundle, sources, numbers)}",
        f"## How it was made\n\n{_made(bundle, name, digest)}",
        f"## How good it is\n\n{_measured(numbers)}",
    ]
    if numbers is not None:
        parts.append(f"## What it sounds like\n\n{_heard(bundle, numbers)}")
    parts.append("## Intended use and limits\n\n" + "\n".join(f"- {limit}" for limit in limits_of(bundle, numbers)))
    return "\n\n".join(parts) + "\n"


def licence_text(bundle: Bundle, name: str) -> str:
    """What may be done with a model, for whoever finds its file without its card.

    Args:
        bundle: the model.
        name: of it.
    """
    sources = sources_of(bundle)
    told = "\n".join(source.text() for source in sources) or "Nothing is known about what it learned from."
    licences = [source.licence for source in sources]
    rows = [f"The weights of {plain(name, 80)}, a model of music made with Cantilena, come from:", told]
    if bundle.licence:
        rows.append(f"Licence of the weights: {plain(bundle.licence)}.")
    if shares_alike([bundle.licence, *licences]):
        rows.append("They may be passed on, changed or not, under the same licence alone, and with its attribution.")
    rows.append("Apache-2.0, the licence of Cantilena's code, does not cover these weights.")
    return "\n\n".join(rows) + "\n"


def held_out_nats(card: str) -> float | None:
    r"""Nats a step on the held-out test pieces, from a card's front matter; None where it tells none.

    Example:
        >>> held_out_nats("---\nlicense: mit\n---\n# A card") is None
        True
    """
    for line in card.partition("\n---\n")[0].splitlines():
        if line.startswith(_INDEX):
            found = json.loads(line.removeprefix(_INDEX))[0]["results"][0]["metrics"]
            return next((float(one["value"]) for one in found if one["type"] == NATS), None)
    return None


_INDEX = "model-index: "


def _front_matter(bundle: Bundle, name: str, sources: tuple[Source, ...], numbers: CardNumbers | None) -> str:
    """YAML in which every value is JSON, which YAML contains."""
    tuned = "tuning" in bundle.provenance or bundle.prior_weights is not None
    network = {NGramOptions: "n-gram", VaeOptions: "vae"}.get(type(bundle.options)) or bundle.network_options().core
    tags = ["music", "melody", "symbolic-music", "midi", network, *(["reinforcement-learning"] if tuned else [])]
    licence = licence_tags([source.licence for source in sources] or [bundle.licence])
    lines = [f"{key}: {value}" for key, value in licence.items()]
    lines += ["library_name: cantilena", "pipeline_tag: other", f"tags: {json.dumps(tags)}"]
    own = numbers.held_out[0].nats.get("test") if numbers is not None else None
    if own:
        metrics = [{"type": kind, "name": words, "value": own[kind]} for kind, words in _NATS.items() if own[kind]]
        learned = " and ".join(source.name for source in sources) or "its corpus"
        result = {
            "task": {"type": "other", "name": "prediction of the next token"},
            "dataset": {"type": "cantilena-corpus", "name": f"{learned}, held-out pieces"},
            "metrics": metrics,
        }
        lines.append(_INDEX + json.dumps([{"name": name, "results": [result]}], allow_nan=False))
    return "\n".join(["---", *lines, "---"])


_NATS = {NATS: "nats a step", "nats_per_note": "nats a note"}


def _what(bundle: Bundle) -> str:
    encoding = bundle.encoding
    if isinstance(encoding, GridEncoding):
        part = {4: "sixteenth"}.get(encoding.steps_per_quarter, f"{encoding.steps_per_quarter}th of a quarter note")
        said = (
            f"It says one token a {part}: a note from {Pitch(encoding.low).name} to {Pitch(encoding.high).name}, hold "
            f"or off ({len(encoding.vocabulary)} tokens)."
        )
    else:
        said = f"It says one token a note or chord, in order and without time ({len(encoding.vocabulary)} tokens)."
    keys = " All that it learned was moved to C major or A minor." if bundle.provenance.get("plain_keys") else ""
    made = "before and after tuning " if bundle.prior_weights is not None else ""
    size = sum(weight.size for weight in bundle.weights.values())
    return (
        f"A model of melodies: {network_in_words(bundle)}, {size:,} numbers. {said}{keys} The file holds all {made}"
        "that [Cantilena](https://github.com/cantilena-music/cantilena) needs to compose with it; nothing in it is "
        "executed."
    )


def _use(address: str) -> str:
    named = shlex.quote(plain(address).replace("'", ""))
    return f"```sh\npip install cantilena\ncantilena compose {named} -n 4 --bars 8 --out idea\n```"


def _learned(bundle: Bundle, sources: tuple[Source, ...], numbers: CardNumbers | None) -> str:
    rows = [source.text() for source in sources] or ["- The file does not say what it learned from."]
    if numbers is not None:
        many = {name: f"{count:,}" for name, count in numbers.corpus.items()}
        rows.append(
            f"\n{many['melodies']} melodies of {many['pieces']} pieces, {many['notes']} notes; split by piece: "
            f"{many['train']} melodies to learn from, {many['valid']} that stopped training, {many['test']} to "
            "measure on."
        )
    if bundle.licence:
        rows.append(f"\nLicence of the weights: {plain(bundle.licence)}.")
    if shares_alike([bundle.licence, *(source.licence for source in sources)]):
        rows.append(
            "The weights are passed on under that licence too, with its attribution (see LICENSE-weights); Apache-2.0, "
            "the licence of the code, does not cover them."
        )
    return "\n".join(rows)


def _made(bundle: Bundle, name: str, digest: str) -> str:
    rows = made_in_words(bundle) or ["The file does not say how it was made."]
    again = made_again(bundle, name)
    if again:
        rows.append("\nTo make it again:\n\n```sh\n" + "\n".join(again) + "\n```")
    if digest:
        rows.append(f"\nSHA-256 of the file: `{digest}`")
    return "\n".join(rows)


def _measured(numbers: CardNumbers | None) -> str:
    if numbers is None:
        return (
            "Not measured here: `cantilena evaluate` holds its melodies beside people's, and with `--likelihood --test "
            "FOLDER` tells how well it predicts pieces that it has not seen."
        )
    rows = ["| held-out pieces, nats a step (a note) | validation | test |", "|---|---|---|"]
    for row in numbers.held_out:
        cells = (_nats(row.nats[split]) if row.nats else "–" for split in ("valid", "test"))
        rows.append(f"| {row.name} | {' | '.join(cells)} |" + (f" {row.reason}" if row.reason else ""))
    counts = ", ".join(f"{_called(one)} {system['melodies']:,}" for one, system in numbers.systems.items())
    rows.append(
        f"\nLess is better. The n-gram's copies were tuned on the validation pieces.\n\nMelodies of {numbers.steps} "
        f"tokens ({counts}), drawn at temperature 1, with 95 % intervals; ↓ and ↑ say what the rule asks for, and "
        "people do not maximise rules. Numbers of a set are taken of as many melodies.\n"
    )
    return "\n".join([*rows, *_table(numbers)])


def _table(numbers: CardNumbers) -> Iterator[str]:
    kept = [*_SHOWN, *(CANTILENA_PREFIX + metric for metric in _SHOWN_OF_OURS)]
    systems = {
        _called(name): {"metrics": {metric: one for metric, one in system["metrics"].items() if metric in kept}}
        for name, system in numbers.systems.items()
    }
    table = table_of_systems({"systems": systems}, published=False)
    yield "| | " + " | ".join(column.name for column in table.columns) + " |"
    yield "|---" * (len(table.columns) + 1) + "|"
    for _, rows in table.groups:
        for row in rows:
            cells = (f"{cell.text}{f' ({cell.interval})' if cell.interval else ''}" for cell in row.cells)
            line = f"| {row.metric.label} {row.metric.sign}".rstrip() + f" | {' | '.join(cells)} |"
            yield line.replace("\u00a0", " ")


def _called(name: str) -> str:
    return "people" if name == HUMAN else name


def _nats(found: Mapping[str, Any]) -> str:
    note = found["nats_per_note"]
    return f"{found['nats_per_step']:.4f}" + (f" ({note:.3f})" if note is not None else "")


def _heard(bundle: Bundle, numbers: CardNumbers) -> str:
    abc = isinstance(bundle.encoding, GridEncoding)
    how = "in ABC notation" if abc else "as the names of their notes and chords (pitch classes of a chord by dots)"
    texts = "\n\n".join(numbers.samples)
    return f"The first {len(numbers.samples)} that were drawn with seed 1, none chosen, {how}:\n\n```\n{texts}\n```"
