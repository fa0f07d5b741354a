"""Every answer to `--json` has the keys that it had; others may join them. Values are looked at elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import doctor
from cantilena.data import load_builtin
from cantilena.listening import wilson

NET = "--width 8 --embedding 8 --epochs 1 --batch 8 --device cpu --precision float32"
LINES = {
    "chords": "chords scores/001.mid",
    "compose": "compose tunes -n 2 --bars 2 --out made",
    "compose from a tuned model": "compose tunes+rl -n 1 --bars 1 --no-copy-check --constrain rl-tuner:key --out made",
    "compose events": "compose piano -n 1 --events 8 --out made",
    "compose from an n-gram": "compose runs/ngram -n 1 --bars 1 --out made",
    "compose --of": "compose runs/network --of scores/001.mid --bars 2-3 -n 1 --no-copy-check --out made",
    "compose --interpolate": "compose --interpolate scores/001.mid scores/002.mid --steps 2 --out made",
    "compose --vary": "compose --vary scores/001.mid -n 1 --out made",
    "corpus list": "corpus list",
    "corpus read": "corpus read scores --jobs 1 --out made.arrow",
    "corpus show": "corpus show melodies.arrow -n 1 --out made.html",
    "corpus cluster": "corpus cluster melodies.arrow --clusters 2",
    "corpus cluster --out": "corpus cluster melodies.arrow --clusters 2 --out made",
    "doctor": "doctor",
    "evaluate": "evaluate scores runs/network --against melodies.arrow --melodies 20 --steps 32 --heard 1",
    "evaluate --listener": "evaluate scores --listener --against melodies.arrow --melodies 20 --steps 32 --jobs 1",
    "evaluate --likelihood": "evaluate runs/network runs/vae --likelihood --test scores",
    "export": "export runs/network --out made.onnx",
    "import": "import note_rnn.npz --out made.safetensors",
    "listen analyse": "listen analyse study.zip study.answers.sqlite",
    "listen create": "listen create --arm human=scores --arm other=others --clips 3 --trials 6 --listeners 4"
    " --shortest 3 --longest 6 --accept pace register silence length loudness --out made.zip",
    "listen create --power": "listen create --arm human=a --arm lstm=b --power --studies 10",
    "listen rehearse": "listen rehearse study.zip --share human=0.7 --share lstm=0.3 --out made",
    "models list": "models list",
    "models show": "models show runs/tuned",
    "rules explain": "rules explain rl-tuner:leap",
    "rules explain a set": "rules explain paper",
    "rules list": "rules list",
    "rules score": "rules score scores/001.mid --rules rl-tuner",
    "rules score --out": "rules score scores/001.mid --rules cantilena --out made",
    "sweep": f"sweep --corpus melodies.arrow {NET} --trials 1 --out made",
    "train": f"train --corpus melodies.arrow {NET} --blend --order 2 --out made",
    "train --model ngram": "train --model ngram --order 2 --corpus melodies.arrow --out made",
    "train --model vae": "train --model vae --corpus melodies.arrow --epochs 1 --width 8 --device cpu --out made",
    "tune": "tune runs/network --updates 2 --melodies 8 --steps 16 --look 1 --watched 16 --device cpu --out made",
}
"""By names, lines that are run where the files of an earlier version lie. What takes minutes is not among them."""


def keys_of(value: Any) -> Any:
    """An answer without its values: what all entries of a list have between them stands for each."""
    if isinstance(value, dict):
        return {key: keys_of(entry) for key, entry in value.items()}
    if isinstance(value, list):
        found: Any = None
        for entry in value:
            found = merged(found, keys_of(entry))
        return [found]
    return None


def merged(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: merged(first.get(key), second.get(key)) for key in {**first, **second}}
    return second if first is None else first


def missing(stored: Any, now: Any, where: str = "") -> list[str]:
    """What is stored and not there now. What is null now, or has no reason to be, depends on the melodies drawn."""
    if stored is None or now is None:
        return []
    if type(stored) is not type(now):
        return [where]
    if isinstance(stored, list):
        return missing(stored[0], now[0], f"{where}/0")
    gone = [f"{where}/{key}" for key in stored if key not in now and key != "reason"]
    return gone + [lost for key in stored if key in now for lost in missing(stored[key], now[key], f"{where}/{key}")]


def other_scores(before: Path, shell: Any) -> None:
    shell.text("compose", "tunes+rl", "-n", "20", "--bars", "4", "--no-copy-check", "--out", "others")


def note_rnn(path: Path) -> None:
    """The variables of a Note RNN of 4 cells."""
    rng = np.random.default_rng(1)
    cell = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell"
    shapes = {f"{cell}/kernel": (42, 16), f"{cell}/bias": (16,), "fully_connected/weights": (4, 38)}
    shapes["fully_connected/biases"] = (38,)
    np.savez(path, **{name: rng.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()})


@pytest.fixture
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the keys do not depend on: all checks of the doctor, simulated studies, all that a model has learned."""
    few = list(doctor.checks())[:3]
    monkeypatch.setattr(doctor, "checks", lambda: iter(few))
    monkeypatch.setattr("cantilena.listening.planning.power.estimate_power", lambda *_, **__: wilson(9, 10))
    monkeypatch.setattr("cantilena.listening.study.matching.load_builtin", lambda _: load_builtin("chorales"))


WAITS = {"sweep", "listen create", "evaluate --listener", "doctor"}
"""What takes seconds."""


@pytest.mark.usefixtures("_little_work")
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.e2e if name in WAITS else ()) for name in LINES])
def test_an_answer_has_the_keys_that_it_had(name: str, shell: Any, stored: Any, before: Path) -> None:
    if "others" in LINES[name]:
        other_scores(before, shell)
    note_rnn(before / "note_rnn.npz")
    now = keys_of(shell.json(LINES[name]))
    kept = stored("answers.json", now, name)
    assert missing(kept, now) == []
