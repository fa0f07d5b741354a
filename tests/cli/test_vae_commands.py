"""Commands that train a VAE and play in its codes: what they write, what they answer, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import read_melody
from cantilena.io import write
from cantilena.models import Bundle, MelodyVae, VaeOptions, vae_shapes
from cantilena.music import Melody

SHAPE = VaeOptions(latent=4, encoder=6, width=8, embedding=6, reading=2, plan=3, hidden=8)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng, path = np.random.default_rng(1), tmp_path_factory.mktemp("models") / "vae.safetensors"
    weights = {name: rng.normal(0, 0.4, shape) for name, shape in vae_shapes(SHAPE, 38).items()}
    description = {"name": "grid", "low": 48, "high": 83, "steps_per_quarter": 4}
    Bundle(SHAPE, weights, description, provenance={"plain_keys": True}).save(path)
    return str(path)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("scores"), np.random.default_rng(1)
    for number in range(16):
        write(Melody.from_pitches([(int(pitch), 12) for pitch in rng.integers(60, 73, 40)]), folder / f"{number}.mid")
    return folder


def answered(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main([*map(str, words), "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.e2e
def test_a_way_is_written_like_any_melodies(vae: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, last = tmp_path / "first.mid", tmp_path / "last.mid"
    write(Melody.from_pitches([(60, 24), (64, 24), (67, 48), (100, 96)]), first)
    write(Melody.from_pitches([(62, 24), (66, 24), (69, 48)]), last)
    words = ("compose", vae, "--interpolate", first, last, "--steps", 4, "--out", tmp_path / "way")
    answer = answered(capsys, *words)
    assert len(answer["melodies"]) == 4
    for row, given in ((answer["melodies"][0], first), (answer["melodies"][-1], last)):
        assert {Path(row[kind]).exists() for kind in ("mid", "musicxml", "svg", "wav")} == {True}
        assert read_melody(Path(row["mid"])).notes == read_melody(given).notes
    assert answer["codes_lack"] == {
        "the first": {"folded": 1, "rounded": 0, "dropped": 0},
        "the last": {"folded": 0, "rounded": 0, "dropped": 0},
    }
    before = [Path(row["mid"]).read_bytes() for row in answer["melodies"]]
    again = answered(capsys, *words[:-1], tmp_path / "again")
    assert [Path(row["mid"]).read_bytes() for row in again["melodies"]] == before
    assert main([*map(str, words), "--force"]) == 0
    assert "notes of the first that its codes change: 1 moved by octaves" in capsys.readouterr().out


def test_variations_are_written_and_the_amount_0_is_the_melody(
    vae: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = "C4 E4 G4/2 F4 D4 C4/2"
    itself = answered(capsys, "compose", vae, "--vary", notes, "--amount", 0, "-n", 2, "--out", tmp_path / "0")
    assert [[note.name for note in read_melody(Path(row["mid"])).notes] for row in itself["melodies"]] == [
        ["C4", "E4", "G4", "F4", "D4", "C4"]
    ] * 2
    varied = answered(capsys, "compose", vae, "--vary", notes, "--amount", 0.8, "-n", 3, "--out", tmp_path / "8")
    assert len({tuple(row["tokens"]) for row in varied["melodies"]}) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--interpolate", "C4", "D4", "--steps", "1"], "steps is 1"),
        (["--interpolate", "C4", "D4", "--vary", "C4"], "--interpolate and --vary together"),
        (["--interpolate", "C4", "D4", "--bars", "8"], "--bars and --interpolate together"),
        (["--interpolate", "C4", "D4", "--temperature", "0.5"], "--temperature"),
        (["--interpolate", "C4", "H4"], "'H4' is not a note"),
        (["--interpolate", "C4"], "interpolate"),
        (["--vary", "C4", "--amount", "2"], "amount is 2"),
        (["--vary", "C4", "--key", "D minor"], "--key and --vary together"),
        (["--vary", "none.mid"], "there is no file none.mid"),
        (["--vary", ""], "the melody holds no note"),
        (["--amount", "0.5"], "--amount without --vary"),
        (["--steps", "3"], "--steps without --interpolate"),
    ],
)
def test_wrong_combinations_are_one_line_and_advice(
    vae: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["compose", vae, *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert said in error[0]
    assert len(error) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--interpolate", "C4", "D4"], ["--vary", "C4"]])
def test_a_network_has_no_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["compose", "tunes", *words, "--out", str(tmp_path / "out")]) == 2
    assert "tunes is no VAE" in capsys.readouterr().err


def test_without_a_name_the_vae_that_ships_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = answered(capsys, "compose", "--interpolate", "C4 E4", "E4 C4", "--no-copy-check", "--out", tmp_path / "way")
    assert len(made["melodies"]) == 5
    assert json.loads((tmp_path / "way" / "manifest.json").read_text())["model"] == "tunes-vae"


def test_a_vae_is_neither_tuned_nor_exported_nor_rewrites(
    vae: str, tmp_path: Path, scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (
        (["tune", vae, "--out", str(tmp_path / "tuned")], "is a VAE"),
        (["export", vae, "--out", str(tmp_path / "a.onnx")], "is a VAE"),
        (["compose", vae, "--of", str(scores / "1.mid"), "--bars", "1-2", "--out", str(tmp_path / "o")], "cannot fit"),
    ):
        assert main(words) == 2
        assert said in capsys.readouterr().err


def test_it_is_trained_resumed_and_measured(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = "--latent 5 --code-bars 1 --width 12".split()
    words = ("train", "--model", "vae", "--corpus", scores, "--epochs", 2, *shape)
    answer = answered(capsys, *words, "--out", tmp_path / "run")
    for part in ("valid", "test"):
        codes = answer["codes"][part]
        assert answer[part]["nats_per_step"] == pytest.approx(codes["weighted"], abs=1e-5)
        assert 0 < codes["weighted"] <= codes["elbo"]
        assert 0 <= codes["bars"] <= codes["steps"] <= 1
        assert 0 <= codes["active"] <= 1
    bundle = Bundle.load(tmp_path / "run" / "model.safetensors")
    assert isinstance(bundle.options, VaeOptions)
    assert (bundle.options.latent, bundle.options.bars, bundle.options.width) == (5, 1, 12)
    assert isinstance(bundle.model(), MelodyVae)
    assert main(["train", *map(str, words[1:]), "--out", str(tmp_path / "run")]) != 0  # a finished run stays
    capsys.readouterr()
    measured = answered(capsys, "evaluate", tmp_path / "run", "--likelihood", "--test", scores)
    assert measured["systems"]["run"]["bound"] is True
    shown = answered(capsys, "models", "show", tmp_path / "run")
    assert "--model vae" in shown["card"]
    assert "--latent 5" in shown["card"]
    assert "--code-bars 1" in shown["card"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--latent", "8"], "--latent with --model network"),
        (["--model", "ngram", "--free-bits", "1"], "--free-bits with --model ngram"),
        (["--model", "vae", "--echoes", "2"], "--echoes with --model vae"),
        (["--model", "vae", "--core", "gru", "--blend"], "--core and --blend with --model vae"),
        (["--model", "vae", "--encoding", "events"], "without time"),
        (["--model", "vae", "--preset", "paper"], "--preset with --model vae"),
        (["--model", "vae", "--latent", "0"], "latent of a VAE is 0"),
        (["--model", "vae", "--free-bits", "-1"], "free bits"),
        (["--model", "vae", "--kl-warmup", "2"], "KL warm-up"),
    ],
)
def test_training_flags_that_do_not_fit_are_refused(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["train", "--corpus", str(scores), *words, "--out", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
