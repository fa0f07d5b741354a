"""The models that ship with the package: what each learns from, how, and how its sister is tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from cantilena.data import Corpus, Manifest, ReadOptions, load_builtin, read_folder
from cantilena.models import NetworkOptions
from cantilena.rl import TuningOptions
from cantilena.training import TrainingOptions, preset
from cantilena.workflows.data import Material, events_material, grid_material
from cantilena.workflows.reproduce.options import ReproduceOptions
from cantilena.workflows.reproduce.presets import musical_tuning, plan
from cantilena.workflows.style_labels import style_labels

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
    material: Material
    network: NetworkOptions
    training: TrainingOptions
    tunings: dict[str, TuningOptions] = field(default_factory=dict)
    attribution: str = ""
    small: bool = False


def tunes_recipe() -> Recipe:
    """`tunes`: the built-in corpus, told of mode, meter and collection; tuned on our rules, and on RL Tuner's."""
    corpus = load_builtin("tunes")
    material = grid_material(corpus, style_labels(corpus, "collection"))
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
    material = grid_material(corpus, style_labels(corpus, "collection"))
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
        events_material(corpus),
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
