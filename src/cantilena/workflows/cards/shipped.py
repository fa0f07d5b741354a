"""`cantilena models`: the bundles that ship with the package, and the card of any bundle.

The models that ship with the package: what each learns from, how, and how its sister is tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from cantilena.data import Corpus, Manifest, ReadOptions, load_builtin, read_folder
from cantilena.errors import BundleError
from cantilena.models import Bundle, NetworkOptions, VaeOptions, find_bundle, shipped_bundles
from cantilena.rl import TuningOptions
from cantilena.training import TrainingOptions, preset
from cantilena.workflows.cards.card import card_markdown, held_out_nats
from cantilena.workflows.cards.recipe import network_in_words
from cantilena.workflows.cards.sources import plain, sources_of
from cantilena.workflows.data import EncodedCorpus, encode_as_events, encode_on_grid, style_labels
from cantilena.workflows.reproduce.options import ReproduceOptions, musical_tuning, plan


@dataclass(frozen=True)
class ShippedModel:
    """A bundle that ships with the package, in a line.

    Args:
        name: how it is asked for.
        what: its network, what it learned, what it was tuned on.
        size: bytes of its file.
        licence: of its weights.
        nats_per_step: on the held-out pieces of its corpus, as its card has it; None where it has no card.
        bound: whether it needs so many at most: a VAE tells no more.
    """

    name: str
    what: str
    size: int
    licence: str
    nats_per_step: float | None
    bound: bool = False

    def to_json(self) -> dict[str, Any]:
        """As `models list --json` prints it."""
        told: dict[str, Any] = {
            "name": self.name,
            "what": self.what,
            "bytes": self.size,
            "licence": self.licence,
            "test_nats_per_step": self.nats_per_step,
            **({"bound": True} if self.bound else {}),
        }
        return told if self.nats_per_step is not None else {**told, "reason": "its card tells no likelihood"}


def shipped_models() -> list[ShippedModel]:
    """All bundles that ship with the package, by name.

    Raises:
        BundleError: one is damaged.

    Example:
        >>> next(model.what for model in shipped_models() if model.name == "tunes")
        'an LSTM, 1 layer of 128 cells, with 2 echoes, learned tunes'
    """
    models = []
    for name, path in shipped_bundles().items():
        bundle, card = Bundle.load(path), card_file(path)
        models.append(
            ShippedModel(
                name,
                _in_a_line(bundle),
                path.stat().st_size,
                bundle.licence,
                held_out_nats(card.read_text(encoding="utf-8")) if card is not None else None,
                isinstance(bundle.options, VaeOptions),
            )
        )
    return models


def listed_models(models: Sequence[ShippedModel]) -> str:
    """The same for a terminal, a line each."""
    width = max((len(model.name) for model in models), default=0)
    rows = []
    for one in models:
        most = "at most " if one.bound else ""
        nats = f"{most}{one.nats_per_step:.3f} nats a step" if one.nats_per_step is not None else "not measured"
        rows.append(f"{one.name:<{width}}  {one.size / 1e6:5.1f} MB  {nats}  {one.what}; {one.licence or 'no licence'}")
    return "\n".join(rows)


@dataclass(frozen=True)
class ShownModel:
    """A bundle with its card.

    Args:
        path: of its file.
        bundle: what it holds.
        name: of the model.
        card: Markdown.
    """

    path: Path
    bundle: Bundle
    name: str
    card: str

    def to_json(self) -> dict[str, Any]:
        """As `models show --json` prints it."""
        return {
            "name": self.name,
            "bundle": str(self.path),
            "bytes": self.path.stat().st_size,
            "what": _in_a_line(self.bundle),
            "encoding": self.bundle.encoding.name,
            "vocabulary": len(self.bundle.encoding.vocabulary),
            "policy": self.bundle.policy,
            "licence": self.bundle.licence,
            "sources": [{"name": one.name, "licence": one.licence} for one in sources_of(self.bundle)],
            "card": self.card,
        }


def show_model(name_or_path: str) -> ShownModel:
    """A bundle with its card: as it ships, or made from what the file says of itself.

    Args:
        name_or_path: a name that ships, a file, a run's folder, or `hf://USER/NAME`.

    Raises:
        BundleError: there is none, or it is damaged.
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
    """The card that ships beside a bundle; None where it does not ship, or has none."""
    card = path.with_name(f"{path.stem}.md")
    return card if path in shipped_bundles().values() and card.is_file() else None


def licence_of_weights() -> str:
    """The file LICENSE-weights, which tells which weights that ship are under which licence.

    Raises:
        BundleError: it is missing.
    """
    path = next(iter(shipped_bundles().values()), Path()).with_name("LICENSE-weights")
    if not path.is_file():
        raise BundleError("LICENSE-weights is missing beside the bundles", "install cantilena anew")
    return path.read_text(encoding="utf-8")


def _in_a_line(bundle: Bundle) -> str:
    learned = " and ".join(source.name for source in sources_of(bundle))
    tuning = bundle.provenance.get("tuning")
    rules = plain(tuning.get("rules"), 60) if isinstance(tuning, Mapping) else ""
    parts = [network_in_words(bundle), *([f"learned {learned}"] if learned else [])]
    return ", ".join([*parts, *([f"tuned on {rules}"] if rules else [])])


PIANO_LICENCE = "CC BY-SA 3.0 DE"
"""Of weights that learned from piano-midi.de."""

PIANO_ATTRIBUTION = "Bernd Krueger, http://www.piano-midi.de"
"""What that licence asks for, as the pieces themselves say it."""

_TOLD = ("mode", "meter", "style")


@dataclass(frozen=True)
class Recipe:
    """How a model that ships is made, and its tuned sisters.

    Args:
        name: how it is called.
        corpus: what it learns from.
        material: the same as tokens.
        network: its shape.
        training: how it is trained.
        tunings: how each tuned sister is made, by its name.
        attribution: whom the licence of its corpus asks to name; "" for nobody.
        small: whether its large matrices are stored as whole numbers of 8 bits (`models/bundle/quantization.py`).
    """

    name: str
    corpus: Corpus
    material: EncodedCorpus
    network: NetworkOptions
    training: TrainingOptions
    tunings: dict[str, TuningOptions] = field(default_factory=dict)
    attribution: str = ""
    small: bool = False


def tunes_recipe() -> Recipe:
    """`tunes`: the built-in corpus, told of mode, meter and collection; tuned on our rules, and on RL Tuner's."""
    corpus = load_builtin("tunes")
    material = encode_on_grid(corpus, style_labels(corpus, "collection"))
    network, training = preset("quick")
    return Recipe(
        "tunes",
        corpus,
        material,
        replace(network, conditions=_TOLD, styles=tuple(material.styles)),
        replace(training, budget=6_000_000),
        {"tunes+rl": musical_tuning(), "tunes+rl-tuner": replace(plan(ReproduceOptions(preset="quick")).tuning, c=5.0)},
    )


def classical_recipe(piano_midi: Path) -> Recipe:
    """`classical`: melodies of piano pieces, Bach's chorales, first violins of quartets; told of the composer's folder.

    Args:
        piano_midi: the folder of pieces from piano-midi.de, a folder a composer.
    """
    piano = read_folder(piano_midi, ReadOptions())
    corpus = joined([load_builtin("chorales"), load_builtin("quartets"), piano], "classical", PIANO_LICENCE)
    material = encode_on_grid(corpus, style_labels(corpus, "collection"))
    network, training = preset("quick")
    return Recipe(
        "classical",
        corpus,
        material,
        replace(network, conditions=_TOLD, styles=tuple(material.styles), dropout=0.2),
        replace(training, budget=6_000_000),
        {"classical+rl": replace(musical_tuning(), c=1.5)},
        PIANO_ATTRIBUTION,
    )


def piano_recipe(piano_midi: Path) -> Recipe:
    """`piano`: notes and chords of whole piano pieces without time, as the paper's section VII reads them.

    Without time its network looks back by attention and copies, which gains more there than echoes do (docs/models.md).
    It is tuned in small steps: those of `rloo` led it .6 nats a step away within a dozen updates, for good.

    Args:
        piano_midi: the folder of pieces from piano-midi.de, a folder a composer.
    """
    piano = read_folder(piano_midi, ReadOptions(voice="all"))
    corpus = joined([piano], "piano", PIANO_LICENCE)
    network, training = preset("quick")
    return Recipe(
        "piano",
        corpus,
        encode_as_events(corpus),
        replace(
            network,
            embedding=64,
            dropout=0.2,
            bar_position=False,
            look_back=(),
            echoes=0,
            attention=32,
            copy_head=True,
        ),
        training,
        {"piano+rl": replace(plan(ReproduceOptions(preset="quick")).events_tuning, target_kl=0.25, learning_rate=3e-4)},
        PIANO_ATTRIBUTION,
        small=True,
    )


def joined(corpora: Sequence[Corpus], name: str, licence: str) -> Corpus:
    """Several corpora as one, each melody with its own source and licence.

    Args:
        corpora: their pieces are others.
        name: of the whole.
        licence: of the whole: the strictest of the parts'.
    """
    tables = [corpus.table for corpus in corpora]
    parts = ", ".join(f"{corpus.manifest.name} ({len(corpus):,} melodies)" for corpus in corpora)
    manifest = Manifest(
        name,
        licence=licence,
        description=f"{parts}",
        read=sum(corpus.manifest.read for corpus in corpora),
        skipped=tuple(row for corpus in corpora for row in corpus.manifest.skipped),
    )
    return Corpus(pa.concat_tables(tables), manifest)
