"""What network `train` makes, and how it learns: the preset, what is asked otherwise, and what the corpus needs.

What `train` learns from: the corpus that is asked for, as tokens, with held-out folders where they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from cantilena.data import SPLITS, Corpus, ReadOptions, Split, open_corpus, read_folder
from cantilena.errors import UsageError
from cantilena.models import NetworkOptions
from cantilena.music import Melody, parse_pitch_range
from cantilena.runtime import record_name
from cantilena.tokenizers import GridEncoding
from cantilena.training import TRANSFORMER_RATE, TrainingOptions, preset
from cantilena.workflows.data import Material, material_of, style_labels
from cantilena.workflows.train.bundling import corpus_facts
from cantilena.workflows.train.options import OF_A_NETWORK, TrainRequest

PAPER_BATCH = 64
"""Windows that the literal input learns from at once, as in the paper."""

_ASKED = (*OF_A_NETWORK, "seed", "device")
_OF_NETWORK = {field.name: record_name(field) for field in fields(NetworkOptions) if record_name(field) in _ASKED}
_OF_TRAINING = tuple(field.name for field in fields(TrainingOptions) if field.name in _ASKED)


def shape_and_training(request: TrainRequest) -> tuple[NetworkOptions, TrainingOptions]:
    """The preset's network and training with what was asked otherwise."""
    network, training = preset(request.preset)
    asked = {name: getattr(request, name) for name in _ASKED if getattr(request, name) is not None}
    if request.input == "paper":  # which hears nothing but its window
        network, training = replace(network, repeat_features=0), replace(training, batch=PAPER_BATCH)
    network = replace(network, **{name: asked[flag] for name, flag in _OF_NETWORK.items() if flag in asked})
    if network.core == "transformer":
        training = replace(training, learning_rate=min(training.learning_rate, TRANSFORMER_RATE))
    training = replace(training, **{name: asked[name] for name in _OF_TRAINING if name in asked})
    if request.encoding == "grid" and not request.normalized_key and request.transpose is None:
        training = replace(training, transpose=6)
    return network, training


def fitted(
    request: TrainRequest, network: NetworkOptions, training: TrainingOptions, material: Material
) -> tuple[NetworkOptions, TrainingOptions]:
    """The network and its training once the corpus is known: what it can be told, and how much it needs to forget.

    Notes and chords without time lie in no bar, so nothing is told of bars there.
    """
    if not material.encoding.is_timed:
        network = replace(
            network,
            bar_position=bool(request.bar_position),
            look_back=() if request.look_back is None else network.look_back,
        )
    if network.input == "features":
        network = replace(network, conditions=request.known, styles=tuple(material.styles))
    if request.dropout is None and request.preset == "quick":
        network = replace(network, dropout=dropout_for(material.train.sequences.steps))
    return network, training


def dropout_for(steps: int) -> float:
    """How much the quick preset leaves out while it learns from so many steps: the fewer there are, the more.

    Found on the validation parts of the built-in corpora and of piano pieces.

    Example:
        >>> dropout_for(30_000), dropout_for(1_000_000)
        (0.4, 0.1)
    """
    return next(share for most, share in ((100_000, 0.4), (600_000, 0.2), (steps, 0.1)) if steps <= most)


def may_blend(request: TrainRequest, network: NetworkOptions) -> bool:
    """Whether a network is to be held beside an n-gram: where it is asked for, and by itself in the quick preset.

    The paper's own network and its literal input stay what they are.
    """
    if request.blend is not None:
        return request.blend
    return request.preset == "quick" and network.input == "features"


def read_material(request: TrainRequest) -> tuple[Material, dict[str, str]]:
    """The corpus as tokens, and whose it is; held-out folders, where they are given, stand in for its own parts."""
    corpus = read_corpus_of(request)
    return material_for(corpus, request), corpus_facts(corpus)


def read_corpus_of(request: TrainRequest) -> Corpus:
    """The corpus that is asked for."""
    if request.seconds is not None and not Path(request.corpus).is_dir():
        raise UsageError(
            f"--seconds with {request.corpus}, which was read already",
            "give the folder of its scores, or read that with `cantilena corpus read --seconds`",
        )
    return open_corpus(request.corpus, _reading(request))


def _reading(request: TrainRequest) -> ReadOptions:
    return ReadOptions(voice="melody" if request.encoding == "grid" else "all", seconds=request.seconds)


def material_for(corpus: Corpus, request: TrainRequest) -> Material:
    """A corpus as tokens; held-out folders, where they are given, stand in for its own parts."""
    low, high = parse_pitch_range(request.range)
    grid = GridEncoding(int(low), int(high))
    melodies: dict[Split, Sequence[Melody]] = {split: corpus.melodies(split) for split in SPLITS}
    if request.valid and request.test:
        melodies["train"] = corpus.melodies()
    held_out: dict[Split, Path | None] = {"valid": request.valid, "test": request.test}
    for split, folder in held_out.items():
        if folder is not None:
            melodies[split] = read_folder(folder, replace(_reading(request), seconds=None), as_is=True).melodies()
    labels = style_labels(corpus, request.styles)
    return material_of(melodies, request.encoding, normalized_key=request.normalized_key, grid=grid, styles=labels)
