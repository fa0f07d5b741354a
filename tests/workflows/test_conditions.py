"""What networks of notes are told of a corpus: roles, registers, and the modes that enough melodies have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest
from cantilena.errors import UsageError
from cantilena.models import CONDITIONS, Bundle, register_id
from cantilena.music import Key, Melody
from cantilena.workflows import TrainOptions, run_training
from cantilena.workflows.data import LEAST_OF_MODE, encode_pieces, encode_splits, modes_of
from cantilena.workflows.train.options import NetworkTraining

VOICES = {"soprano": ("lead", 72), "alto": ("inner", 65), "tenor": ("inner", 58), "bass": ("bass", 50)}
DORIAN = {"train": LEAST_OF_MODE, "valid": 2, "test": 2}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    entries = []
    for split, count in DORIAN.items():
        for number in range(count):
            for voice, (_, pitch) in VOICES.items():
                tune = [(pitch + (2, 0, 3, 5, 7)[(number + step) % 5], 24) for step in range(16)]
                key = Key.parse("D dorian" if voice == "soprano" else "D lydian" if number < 3 else "D major")
                melody = Melody.from_pitches(tune, key=key, source=f"hymns/{split}{number}.mxl#{voice}")
                entries.append(Entry(melody, piece=f"{split} {number}", split=split))  # type: ignore[arg-type]
    return Corpus.from_entries(entries, Manifest("hymns", licence="free"))


def test_pieces_of_notes_know_their_role_and_register(corpus: Corpus) -> None:
    melodies = corpus.melodies("test")[:4]
    data = encode_splits({split: corpus.melodies(split) for split in DORIAN}, "notes", normalized_key=False)
    ids = encode_pieces(data.encoding, melodies).sequences.bars.condition_ids
    assert ids[:, CONDITIONS.index("role")].tolist() == [1, 2, 2, 3]
    pitches = [np.mean([note.top for note in melody.sounding]) for melody in melodies]
    assert ids[:, CONDITIONS.index("register")].tolist() == [register_id(float(pitch)) for pitch in pitches]
    grid = encode_splits({split: corpus.melodies(split) for split in DORIAN}, "grid", normalized_key=False)
    assert not grid.test.sequences.bars.condition_ids[:, 4:].any()


def test_modes_of_few_melodies_are_not_learned(corpus: Corpus) -> None:
    data = encode_splits({split: corpus.melodies(split) for split in DORIAN}, "notes", normalized_key=True)
    assert modes_of(data.train) == ("major", "minor", "dorian")
    assert modes_of(data.valid) == ("major", "minor")


def test_a_mode_that_was_not_learned_is_said(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus.save(tmp_path / "hymns.arrow")
    small = {"width": 8, "embedding": 8, "head": 8, "epochs": 1, "blend": False}
    run_training(NetworkTraining(str(tmp_path / "hymns.arrow"), encoding="notes", **small), tmp_path / "run")  # type: ignore[arg-type]
    options = Bundle.load(tmp_path / "run" / "model.safetensors").options
    assert options.conditions == ("mode", "meter", "role", "register")  # type: ignore[union-attr]
    for mode, said in (("phrygian", True), ("dorian", False)):
        out = tmp_path / mode
        asked = ["compose", str(tmp_path / "run"), "--bars", "2", "--key", f"E {mode}", "--out", str(out)]
        assert main(asked) == 0
        printed = capsys.readouterr().out
        assert ("has learned major, minor, dorian: it does not know the tonic of phrygian" in printed) == said


def test_roles_are_of_notes_alone() -> None:
    with pytest.raises(UsageError, match="--conditions cannot be role"):
        TrainOptions("tunes", conditions="role")
    assert NetworkTraining("tunes", encoding="notes", conditions="role,mode").known == ("mode", "role")
