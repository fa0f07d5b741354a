"""The models that ship with the package: listed, shown with their cards, and the recipes that train them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from cantilena.data import SPLITS, Corpus, Manifest, ReadOptions, add_to_training, load_builtin, read_folder
from cantilena.errors import BundleError
from cantilena.models import Bundle, NetworkOptions, find_bundle, shipped_bundles
from cantilena.reporting.text import listed
from cantilena.rl import TuningOptions, WatchOptions
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.training import TrainingOptions, preset
from cantilena.workflows.cards.card import card_markdown, held_out_nats
from cantilena.workflows.cards.recipe import describe_model, model_kind, record_of
from cantilena.workflows.cards.sources import sanitize, sources_of
from cantilena.workflows.data import EncodedCorpus, StyleLabels, encode_splits, knows_chords, modes_of, style_labels
from cantilena.workflows.reproduce.options import ReproduceOptions, plan
from cantilena.workflows.train.config import HEAD_OF_NOTES, shape_of_notes

_PIANO_LICENCE = "CC BY-SA 3.0 DE"
"""The licence of piano-midi.de, and of weights that were trained on it."""

_PIANO_ATTRIBUTION = "Bernd Krueger, http://www.piano-midi.de"
"""The attribution that this licence requires, in the words of the files."""


@dataclass(frozen=True)
class ShippedModel:
    """A shipped bundle in one line, with the nats per step of its card, which a `bound` makes an upper bound."""

    name: str
    what: str
    size: int
    licence: str
    nats_per_step: float | None
    bound: bool = False

    def to_json(self) -> dict[str, Any]:
        """A row of `models list --json`."""
        row: dict[str, Any] = {"name": self.name, "what": self.what, "bytes": self.size, "licence": self.licence}
        row |= {"test_nats_per_step": self.nats_per_step} | ({"bound": True} if self.bound else {})
        return row if self.nats_per_step is not None else row | {"reason": "its card gives no likelihood"}


def shipped_models() -> list[ShippedModel]:
    """All bundles that ship with the package, by name.

    Raises:
        BundleError: one is damaged.

    Examples:
        >>> next(model.what for model in shipped_models() if model.name == "tunes")
        'an LSTM with 1 layer of 256 units, trained on tunes, openscore-lieder and openscore-quartets'
    """
    models = []
    for name, path in shipped_bundles().items():
        bundle, card = Bundle.load(path), card_file(path)
        nats = held_out_nats(card.read_text(encoding="utf-8")) if card is not None else None
        size, bound = path.stat().st_size, model_kind(bundle).only_bounds
        models.append(ShippedModel(name, _summary(bundle), size, bundle.licence, nats, bound))
    return models


def models_text(models: Sequence[ShippedModel]) -> str:
    """The same for a terminal, one line each."""
    width = max((len(model.name) for model in models), default=0)
    rows = []
    for one in models:
        most = "at most " if one.bound else ""
        nats = f"{most}{one.nats_per_step:.3f} nats per step" if one.nats_per_step is not None else "not measured"
        rows.append(f"{one.name:<{width}}  {one.size / 1e6:5.1f} MB  {nats}  {one.what}; {one.licence or 'no licence'}")
    return "\n".join(rows)


@dataclass(frozen=True)
class ShownModel:
    """A bundle with its card in Markdown."""

    path: Path
    bundle: Bundle
    name: str
    card: str

    def to_json(self) -> dict[str, Any]:
        """The answer of `models show --json`."""
        return {
            "name": self.name,
            "bundle": str(self.path),
            "bytes": self.path.stat().st_size,
            "what": _summary(self.bundle),
            "encoding": self.bundle.encoding.name,
            "vocabulary": len(self.bundle.encoding.vocabulary),
            "policy": self.bundle.policy,
            "licence": self.bundle.licence,
            "sources": [{"name": one.name, "licence": one.licence} for one in sources_of(self.bundle)],
            "card": self.card,
        }


def show_model(name_or_path: str) -> ShownModel:
    """A bundle, as `find_bundle` finds it, with its shipped card or one that is made from what the file records.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
    """
    path = find_bundle(name_or_path)
    bundle = Bundle.load(path)
    if (card := card_file(path)) is not None:
        return ShownModel(path, bundle, path.stem, card.read_text(encoding="utf-8"))
    name = path.parent.name if path.stem == "model" and path.parent.name else path.stem
    if name_or_path.startswith("hf://"):
        name = name_or_path.removeprefix("hf://").partition("@")[0].rpartition("/")[2]
    digest = sha256(path.read_bytes()).hexdigest()
    return ShownModel(path, bundle, name, card_markdown(bundle, name, digest=digest, address=name_or_path))


def card_file(path: Path) -> Path | None:
    """The card of a shipped bundle; None if the bundle does not ship or has no card."""
    card = path.with_name(f"{path.stem}.md")
    return card if path in shipped_bundles().values() and card.is_file() else None


def licence_of_weights() -> str:
    """The file LICENSE-weights, with the licences of all shipped weights."""
    path = next(iter(shipped_bundles().values()), Path()).with_name("LICENSE-weights")
    if not path.is_file():
        raise BundleError("LICENSE-weights is missing beside the bundles", "install cantilena again")
    return path.read_text(encoding="utf-8")


def _summary(bundle: Bundle) -> str:
    corpora = listed([source.name for source in sources_of(bundle)])
    rules = sanitize(record_of(bundle, "tuning").get("rules"), 60)
    parts = [describe_model(bundle), corpora and f"trained on {corpora}", rules and f"tuned on {rules}"]
    return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Recipe:
    """How a shipped model and its tuned sisters are made.

    Args:
        network: its shape; of notes `network_shape` adds what depends on the corpus.
        encoding: `grid` or `notes`.
        head_width: size of the head of a network of notes.
        tunings: tuning options by the name of the sister.
        styles: labels of the melodies.
        also: further corpora that only training learns from.
        grid: its range is also that of notes.
        chords: whether notes have the chords below them.
        attribution: that the licence of its corpus requires.
        ships: whether the untuned model ships too.
    """

    name: str
    corpus: Corpus
    network: NetworkOptions
    training: TrainingOptions
    tunings: dict[str, TuningOptions]
    encoding: str = "notes"
    head_width: int = HEAD_OF_NOTES
    styles: StyleLabels = field(default_factory=StyleLabels)
    also: tuple[Corpus, ...] = ()
    grid: GridEncoding = field(default_factory=GridEncoding)
    chords: bool = False
    attribution: str = ""
    ships: bool = True

    @cached_property
    def material(self) -> EncodedCorpus:
        """The corpus as tokens."""
        corpus = add_to_training(self.corpus, self.also)
        melodies = {split: corpus.melodies(split) for split in SPLITS}
        return encode_splits(
            melodies, self.encoding, normalized_key=True, grid=self.grid, styles=self.styles, chords=self.chords
        )

    @cached_property
    def network_shape(self) -> NetworkOptions:
        """The shape of the network for the corpus."""
        encoding = self.material.encoding
        if not isinstance(encoding, NotesEncoding):
            return self.network
        shape = shape_of_notes(self.network, encoding, head_width=self.head_width)
        shape = replace(shape, harmony=knows_chords(self.material.train))
        return replace(shape, modes=modes_of(self.material.train)) if "mode" in shape.conditions else shape


def tunes_recipe(*also: Corpus) -> Recipe:
    """`tunes`: the built-in corpus by the note, and others; its sister is tuned nearer to people's, and on rules."""
    tuning = TuningOptions(algorithm="mpo", rules="cantilena", c=4.0, steps=128, watch=WatchOptions(look=0))
    return _of_notes("tunes", load_builtin("tunes"), {"tunes+rl": tuning}, also)


def note_tuning(*also_keys: str, c: float = 2.0) -> TuningOptions:
    """How `classical` and `piano` are tuned: on the rules of `cantilena`, over eight bars of 4/4, in some keys.

    For `mpo` there are only 252 melodies of up to 24 bars of `classical`, and the notes of `piano` have chords below.
    With c = 2 `classical` keeps more of the rules and stays within .02 nats a step of the untuned model. Piano pieces
    break so many of the rules that `piano` needs a larger c to keep its variety.
    """
    return TuningOptions(
        rules="cantilena",
        also_keys=also_keys,
        c=c,
        target_kl=0.05,
        steps=128,
        melodies=128,
        updates=50,
        watch=WatchOptions(look=25, stop=False),
    )


def tunes_grid_recipe() -> Recipe:
    """`tunes+rl-tuner`: the built-in corpus on the grid, tuned on the rules of RL Tuner; untuned it does not ship."""
    rl_tuner = replace(plan(ReproduceOptions(preset="quick")).tuning, c=5.0)
    corpus = load_builtin("tunes")
    styles = style_labels(corpus, "collection")
    network, training = preset("quick")
    network = replace(network, conditions=("mode", "meter", "style"), styles=styles.names)
    training = replace(training, budget=6_000_000)
    tunings = {"tunes+rl-tuner": rl_tuner}
    return Recipe("tunes-grid", corpus, network, training, tunings, "grid", styles=styles, ships=False)


def classical_recipe(piano_midi: Path, *also: Corpus) -> Recipe:
    """`classical`: melodies of piano-midi.de, a folder per composer, of chorales and of quartets, and others."""
    piano = read_folder(piano_midi, ReadOptions(chords="inferred"))
    corpus = _joined([load_builtin("chorales"), load_builtin("quartets"), piano], "classical", _PIANO_LICENCE)
    recipe = _of_notes("classical", corpus, {"classical+rl": note_tuning("A minor")}, also)
    network = replace(recipe.network, width=192, embedding=128)  # fewer weights for a smaller corpus
    return replace(recipe, network=network, head_width=256, attribution=_PIANO_ATTRIBUTION)


def piano_recipe(piano_midi: Path) -> Recipe:
    """`piano`: notes and chords of whole piano pieces with their durations."""
    corpus = _joined([read_folder(piano_midi, ReadOptions(voice="all"))], "piano", _PIANO_LICENCE)
    recipe = _of_notes("piano", corpus, {"piano+rl": note_tuning("A minor", c=4.0)})
    network = replace(recipe.network, width=160, embedding=96, look_back=(1, 2, 4, 8))
    return replace(
        recipe,
        network=network,
        training=replace(recipe.training, steps=256),
        head_width=128,
        grid=GridEncoding(21, 108),
        chords=True,
        attribution=_PIANO_ATTRIBUTION,
    )


def _of_notes(name: str, corpus: Corpus, tunings: dict[str, TuningOptions], also: tuple[Corpus, ...] = ()) -> Recipe:
    """A network of notes that is told conditions, form and chords; collections are the styles."""
    styles = style_labels(add_to_training(corpus, also), "collection", [one.manifest.name for one in also])
    network, training = preset("quick", "notes")
    conditions = ("mode", "meter", "style", "role", "register")
    network = replace(network, conditions=conditions, styles=styles.names)
    training = replace(training, epochs=8 if also else 12)
    return Recipe(name, corpus, network, training, tunings, styles=styles, also=also)


def _joined(corpora: Sequence[Corpus], name: str, licence: str) -> Corpus:
    """Several corpora as one with the strictest of their licences; each melody keeps its source."""
    manifest = Manifest(
        name,
        licence=licence,
        description=", ".join(f"{corpus.manifest.name} ({len(corpus):,} melodies)" for corpus in corpora),
        read=sum(corpus.manifest.read for corpus in corpora),
        skipped=tuple(row for corpus in corpora for row in corpus.manifest.skipped),
    )
    return Corpus(pa.concat_tables([corpus.table for corpus in corpora]), manifest)
