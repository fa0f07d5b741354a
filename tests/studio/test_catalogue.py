"""The API lists models, rules and limits."""

from __future__ import annotations

from fastapi.testclient import TestClient

from cantilena.rules import RULE_SETS
from cantilena.studio import LIMITS


def test_models_are_listed_with_the_default_first(client: TestClient) -> None:
    models = client.get("/api/models").json()["models"]
    by_name = {model["name"]: model for model in models}
    assert models[0]["name"] == "tunes"
    assert [model["name"] for model in models if model["default"]] == ["tunes"]
    assert by_name["tunes+rl"]["untuned"] == "tunes"
    assert by_name["tunes+rl"]["tuned"]
    assert not by_name["tunes"]["tuned"]
    assert (by_name["tunes"]["low"], by_name["tunes"]["high"]) == (48, 83)
    assert [model["name"] for model in models if model["has_codes"]] == ["tunes-vae"]
    assert not any(model["made_here"] for model in models)
    for model in models:  # one that was tuned before the plain model of its name was made anew has none beside it
        plain = by_name[model["name"].partition("+")[0]]
        is_beside = model["tuned"] and plain["encoding"] == model["encoding"]
        assert model["untuned"] == (plain["name"] if is_beside else None)


def test_rule_sets_are_listed(client: TestClient) -> None:
    answer = client.get("/api/rules").json()
    sets = {rule_set["name"]: [rule["name"] for rule in rule_set["rules"]] for rule_set in answer["sets"]}
    assert sets == {name: list(RULE_SETS[name].names) for name in ("cantilena", "rl-tuner", "paper")}
    assert answer["default"] in sets


def test_limits_are_listed(client: TestClient) -> None:
    about = client.get("/api/about").json()
    assert about["limits"]["bars"] == LIMITS.bars
    assert about["trouble"] is None
