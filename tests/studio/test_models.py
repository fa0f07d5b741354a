"""Models are found by name only; damaged ones are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cantilena.models import Bundle, find_bundle
from cantilena.server import NotFoundError
from cantilena.studio.services.models import ModelRegistry, TunedModels
from cantilena.studio.services.tuning_worker import untuned

from .conftest import make_client

NAME = "made-0123456789ab"


def test_names_lead_to_no_other_file(tmp_path: Path) -> None:
    models = TunedModels(tmp_path)
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "secret.safetensors").write_text("")
    (tmp_path / f"{NAME}.json").write_text("[]")
    (tmp_path / f"{NAME}.safetensors").write_text("")
    for name in ("secret", "../secret", "", f"{NAME}\n", NAME.upper(), f"{NAME}.json"):
        assert models.path(name) is None
        assert models.facts(name) is None
        with pytest.raises(NotFoundError):
            models.delete(name)
    assert models.names() == [NAME]
    assert models.facts(NAME) == {"title": NAME, "untuned": "", "rules": {}}
    models.delete(NAME)
    assert models.names() == []
    assert (tmp_path / "secret.json").exists()


def test_incomplete_models_are_removed(tmp_path: Path) -> None:
    models = TunedModels(tmp_path)
    for name in (f"{NAME}.safetensors", f".{NAME}.safetensors.abcd.draft"):
        (tmp_path / name).write_bytes(b"incomplete")
    complete = models.new_name()
    models.new_file(complete).write_bytes(b"complete")
    models.finish(complete, {"title": "Complete"})
    assert models.names() == [complete]
    models.clean_up()
    assert {path.name for path in tmp_path.iterdir()} == {f"{complete}.safetensors", f"{complete}.json"}


def test_a_damaged_model_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / f"{NAME}.safetensors").write_bytes(b"nonsense")
    (folder / f"{NAME}.json").write_text("{}")
    with make_client(tmp_path) as client:
        assert not any(model["made_here"] for model in client.get("/api/models").json()["models"])
        answer = client.post("/api/compose", json={"model": NAME})
        assert answer.status_code == 422
        assert str(tmp_path) not in answer.text
        for name, status in ((NAME, 200), (NAME, 404), ("tunes", 404)):
            assert client.delete(f"/api/models/{name}").status_code == status


def test_listing_reads_each_file_once_and_keeps_few_composers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.studio.services.models._CACHE_SIZE", 2)
    models = ModelRegistry(TunedModels(tmp_path))
    listed = models.infos()
    assert [info.name for info in listed] == models.names()
    monkeypatch.setattr(Bundle, "load", None)
    assert models.infos() == listed
    assert len(models._cache) == 2


def test_a_model_has_no_plain_one_of_another_encoding_beside_it(tmp_path: Path) -> None:
    tuned = TunedModels(tmp_path)
    on_the_grid = Bundle.load(find_bundle("tunes+rl-tuner"))
    of_notes = Bundle.load(find_bundle("tunes+rl"))
    for bundle, plain, expected in ((on_the_grid, "tunes", None), (of_notes, "tunes", "tunes"), (of_notes, "", None)):
        name = tuned.new_name()
        bundle.save(tuned.new_file(name))
        tuned.finish(name, {"title": "Made by an earlier version", "untuned": plain})
        assert ModelRegistry(tuned).get(name).info.untuned == expected


def test_a_tuned_model_has_its_untuned_weights() -> None:
    tuned, plain = (Bundle.load(find_bundle(name)) for name in ("tunes+rl", "tunes"))
    before = untuned(tuned)
    assert before.prior_weights is None
    assert "tuning" not in before.provenance
    assert before.policy == "likelihood"
    assert set(before.weights) == set(plain.weights)
    assert untuned(plain) is plain
