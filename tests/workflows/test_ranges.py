"""A grid of another range, from the corpus to the melody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import read_folder
from cantilena.generation import ComposeOptions, SamplingOptions, load
from cantilena.io import write
from cantilena.models import Bundle
from cantilena.music import Key, Melody
from cantilena.tokenizers import GridEncoding
from cantilena.workflows import TrainOptions
from cantilena.workflows.train.config import read_material

TINY = ["--width", "8", "--epochs", "2", "--batch", "8", "--device", "cpu", "--precision", "float32"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tunes in C that run from C3 to C6, three octaves and a note."""
    folder, rng = tmp_path_factory.mktemp("wide"), np.random.default_rng(4)
    scale = [48 + 12 * octave + step for octave in range(3) for step in (0, 2, 4, 5, 7, 9, 11)] + [84]
    for number in range(12):
        notes = [(scale[0], 24), (scale[-1], 24), *((scale[place], 12) for place in rng.integers(len(scale), size=30))]
        write(Melody.of(notes, key=Key()), folder / f"{number}.mid")
    path = folder / "wide.arrow"
    read_folder(folder, quiet=True).save(path)
    return path


@pytest.mark.parametrize(("text", "low", "high"), [("C3-C6", 48, 84), ("G2-G#7", 43, 104), ("C4-B4", 60, 71)])
def test_a_range_goes_from_training_to_composing(corpus: Path, tmp_path: Path, text: str, low: int, high: int) -> None:
    run, tuned, made = tmp_path / "run", tmp_path / "tuned", tmp_path / "made"
    assert main(["train", "--corpus", str(corpus), "--range", text, "--out", str(run), *TINY]) == 0
    bundle = Bundle.load(run / "model.safetensors")
    assert bundle.encoding == GridEncoding(low, high)
    words = ["--updates", "2", "--melodies", "8", "--steps", "16", "--device", "cpu"]
    assert main(["tune", str(run / "model.safetensors"), *words, "--out", str(tuned)]) == 0
    composer = load(tuned / "model.safetensors")
    tunes = composer.compose_many(20, ComposeOptions(bars=2, constrain="rl-tuner:key"), SamplingOptions(temperature=3))
    pitches = {note.top for tune in tunes for note in tune.sounding}
    assert low <= min(pitches) < low + 12
    assert high - 12 < max(pitches) <= high
    assert all(pitch % 12 in Key().pitch_classes for pitch in pitches)
    words = ["-n", "1", "--bars", "1", "--constrain", "rl-tuner", "--range", "C4-C5", "--json", "--out", str(made)]
    assert main(["compose", str(tuned / "model.safetensors"), *words]) == 0


def test_a_note_within_the_range_is_not_moved(corpus: Path) -> None:
    def folded(text: str) -> int:
        return read_material(TrainOptions(corpus=str(corpus), range=text))[0].folded

    assert folded("C3-C6") == 0
    assert folded("C3-B5") >= 12


@pytest.mark.parametrize(
    "words", [["--range", "C4-D4"], ["--range", "low"], ["--range", "C4-C6", "--encoding", "events"]]
)
def test_ranges_that_cannot_be(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", "--corpus", str(corpus), "--out", str(out), *TINY, "--json", "--range", *words]) == 2
    assert json.loads(capsys.readouterr().out)["hint"]
    assert not out.exists()
