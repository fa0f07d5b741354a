"""How commands end: 0 done, 1 could not, 2 wrong usage; with --json what is wrong is one object of two sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cantilena.cli import main

WRONG = [
    "humm",
    "--json compose",
    "corpus",
    "corpus hum",
    "compose --loud",
    "compose -n many",
    "compose -n 0",
    "compose --bars 8 --seconds 4",
    "compose --key H",
    "compose --temperature 0",
    "compose --of scores/001.mid",
    "compose tunes --vary C4",
    "compose --steps 3",
    "corpus read",
    "corpus read scores",
    "corpus show melodies.arrow -n 0 --out page.html",
    "train --out made",
    "train --corpus melodies.arrow --model choir --out made",
    "train --corpus melodies.arrow --width 0 --out made",
    "train --corpus melodies.arrow --latent 4 --out made",
    "tune tunes --rules jazz --out made",
    "tune tunes --algorithm rloo --reference-mode --out made",
    "evaluate",
    "evaluate scores --force",
    "chords scores/001.mid --every minute",
    "rules explain leep",
    "rules score scores/001.mid --rules jazz",
    "listen create --arm human=scores --out study.zip",
    "listen serve",
]
COULD_NOT = [
    "compose missing.safetensors --out made",
    "compose melodies.arrow --out made",
    "compose tunes -n 1 --bars 1 --out scores",
    "corpus read nowhere --out made.arrow",
    "corpus read scores --out melodies.arrow",
    "corpus show nowhere --out page.html",
    "train --corpus nowhere --out made",
    "train --corpus melodies.arrow --out runs/network",
    "tune nowhere --out made",
    "evaluate nowhere",
    "chords nowhere.mid",
    "rules score nowhere.mid",
    "models show nowhere",
    "export nowhere --out made.onnx",
    "import nowhere.npz --out made.safetensors",
    "listen analyse nowhere.zip answers",
    "sweep --corpus nowhere --out made",
    "reproduce --corpus nowhere --out made",
]
DONE = ["--help", "--version", "-V", "help compose", "compose --help", "corpus --help", "rules list", "models list"]


@pytest.mark.parametrize(
    ("line", "status"), [*((line, 2) for line in WRONG), *((line, 1) for line in COULD_NOT)], ids=lambda what: str(what)
)
def test_what_cannot_be_ends_with_its_status_and_two_sentences(
    line: str, status: int, before: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = {path: path.stat().st_mtime_ns for path in before.rglob("*") if path.is_file() and path.name != ".lock"}
    assert main([*line.split(), "--json"]) == status
    out, err = capsys.readouterr()
    if line == "corpus":  # a group alone shows what is in it
        return
    said = json.loads(out)
    assert set(said) == {"error", "hint"}
    assert said["error"]
    assert said["hint"]
    assert err.splitlines()[-2:] == [f"error: {said['error']}", f"hint: {said['hint']}"]
    assert "Traceback" not in err
    assert main(line.split()) == status
    err = capsys.readouterr().err
    assert [row.partition(":")[0] for row in err.splitlines()[-2:]] == ["error", "hint"]
    now = {path: path.stat().st_mtime_ns for path in before.rglob("*") if path.is_file() and path.name != ".lock"}
    assert now == there


@pytest.mark.parametrize("line", DONE)
def test_what_is_done_ends_with_0(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 0
    assert capsys.readouterr().out
