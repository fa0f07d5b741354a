"""What `train` learns from: the corpus that is asked for, as tokens, with held-out folders where they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cantilena.data import SPLITS, Corpus, ReadOptions, Split, open_corpus, read_folder
from cantilena.errors import UsageError
from cantilena.music import Melody, parse_pitch_range
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.data import Material, material_of
from cantilena.workflows.style_labels import style_labels
from cantilena.workflows.train.bundling import corpus_facts
from cantilena.workflows.train.options import TrainRequest


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
    return material_of(melodies, request.encoding, plain_keys=request.plain_keys, grid=grid, styles=labels)
