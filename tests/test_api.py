"""The public API: what `import cantilena` offers, in Python what the commands do."""

from __future__ import annotations

import re
from base64 import b64decode
from functools import partial
from pathlib import Path

import pytest
from torch import nn

import cantilena
from cantilena.metrics import overlaps

TINY = {"width": 8, "embedding": 8, "epochs": 1, "batch": 8, "device": "cpu", "blend": False, "precision": "float32"}


@pytest.fixture(scope="module")
def trained() -> cantilena.TrainedModel:
    return cantilena.train("chorales", **TINY)


@pytest.mark.e2e
def test_a_model_is_trained_tuned_and_evaluated_without_a_folder(
    trained: cantilena.TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 30)
    monkeypatch.setattr("cantilena.workflows.evaluate.compare.overlaps", partial(overlaps, draws=20))
    assert trained.path is None
    assert trained.bundle.encoding == cantilena.GridEncoding()
    assert trained.test["nats_per_step"] > 0
    tuned = cantilena.tune(trained.bundle, rules="paper", updates=1, melodies=8, steps=16, look=0, device="cpu")
    melody = cantilena.load(tuned.bundle).compose(bars=2, seed=1)
    assert melody == cantilena.load(tuned.bundle).compose(bars=2, seed=1)
    evaluation = cantilena.evaluate(
        {"tuned": tuned.bundle, "one": [melody] * 8}, against="chorales", melodies=8, steps=32
    )
    systems = evaluation.to_dict()["systems"]
    assert list(systems) == ["human", "tuned", "one"]
    assert systems["one"]["metrics"]["different_melodies"]["value"] == 1 / 8
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "wrong", "near"),
    [
        (lambda **options: cantilena.train("ryan", **options), "widht", "width"),
        (lambda **options: cantilena.tune("tunes", **options), "update", "updates"),
        (lambda **options: cantilena.tune_module(nn.Identity(), cantilena.GridEncoding(), **options), "step", "steps"),
        (lambda **options: cantilena.evaluate({"one": "tunes"}, **options), "melody", "melodies"),
        (lambda **options: cantilena.load("tunes").compose(**options), "temprature", "temperature"),
    ],
)
def test_a_wrong_option_is_refused_with_the_nearest(call: object, wrong: str, near: str) -> None:
    with pytest.raises(cantilena.CantilenaError) as refused:
        call(**{wrong: 1})  # type: ignore[operator]
    assert wrong in refused.value.text
    assert f"did you mean {near}?" in refused.value.hint


def test_a_composition_shows_its_score_and_a_player_in_a_notebook() -> None:
    page = cantilena.load("tunes").compose(bars=2, seed=1)._repr_html_()
    assert page.count("<svg") == 1
    sound = re.search(r'src="data:audio/flac;base64,([^"]+)"', page)
    assert sound
    assert b64decode(sound.group(1)).startswith(b"fLaC")
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_an_evaluation_names_its_systems() -> None:
    with pytest.raises(cantilena.CantilenaError, match="ngrm"):
        cantilena.evaluate({"ngrm": "ngrm"}, against="chorales")
