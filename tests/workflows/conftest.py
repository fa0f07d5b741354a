"""A folder of little tunes, small enough to learn in a second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import cantilena
from cantilena.data import ReadOptions, read_folder
from cantilena.io import write
from cantilena.metrics import overlaps
from cantilena.music import Melody


def write_tunes(folder: Path, count: int, *, seed: int = 1, bars: int = 4) -> Path:
    """Write tunes in C major in quarters and eighths, each of its own."""
    rng = np.random.default_rng(seed)
    scale = (60, 62, 64, 65, 67, 69, 71, 72)
    for number in range(count):
        pairs: list[tuple[int | tuple[int, ...] | None, int]] = []
        for _ in range(bars * 2):
            first, second = scale[rng.integers(8)], scale[rng.integers(8)]
            pairs += [(first, 24), (second, 12), (scale[rng.integers(8)], 12)]
        write(Melody.from_pitches([*pairs, (60, 24)]), folder / f"tune{number:02}.mid")
    return folder


@pytest.fixture(scope="session")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tunes(tmp_path_factory.mktemp("scores"), 24)


@pytest.fixture(scope="session")
def corpus_file(tunes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tunes, read once."""
    path = tmp_path_factory.mktemp("corpus") / "tunes.arrow"
    read_folder(tunes, ReadOptions(jobs=1), quiet=True).save(path)
    return path


@pytest.fixture(scope="session")
def trained(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a network of eight cells, hardly trained on the tunes, in the folder of its run."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    cantilena.train(corpus_file, width=8, epochs=2, batch=8, device="cpu", precision="float32", out=folder)
    return folder / "model.safetensors"


@pytest.fixture(autouse=True)
def _few_melodies_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty melodies a side go the way that a thousand would."""
    monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 30)
    monkeypatch.setattr("cantilena.workflows.tune.frontier.COUNTED", 30)


@pytest.fixture(scope="module", autouse=True)
def _little_work() -> Iterator[None]:
    """Intervals of overlaps from 20 subsamples go the way that those from 200 would, and one process reads as two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cantilena.workflows.evaluate.compare.overlaps", partial(overlaps, draws=20))
        patch.setattr("cantilena.runtime.workers.cpu_count", lambda: 1)
        yield


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tuning; they take as long as a small tuning."""
    monkeypatch.setattr("cantilena.workflows.tune.run._draw", lambda *_: None)
