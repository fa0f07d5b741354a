"""Composing over the wire is composing: the same notes, the same numbers, streamed or not."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from cantilena.generation import ComposeOptions, load
from cantilena.metrics import judge as judge_melody
from cantilena.music import Key, Melody
from cantilena.rules import RULE_SETS
from cantilena.studio import LIMITS
from cantilena.studio.schemas.melody import MelodySchema

EVENTS = {"Accept": "text/event-stream"}


def compose(client: TestClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/compose", json=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["candidates"]
    return found


def events_of(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        if block.strip():
            name, data = block.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_it_composes_what_the_composer_composes(client: TestClient) -> None:
    asked = {"primer": "D4 E4 F4/8 G4/8 A4/2", "bars": 4, "key": "D minor", "seed": 5, "count": 3, "model": "tunes"}
    candidates = compose(client, **asked)
    ours = load("tunes").compose_many(3, ComposeOptions(bars=4, primer=str(asked["primer"]), key="D minor"), seed=5)
    for candidate, one in zip(candidates, ours, strict=True):
        assert candidate["melody"]["notes"] == [
            {"onset": note.onset, "duration": note.duration, "pitches": list(note.pitches)} for note in one.sounding
        ]
        assert candidate["tokens"] == list(one.tokens)
        assert candidate["log_likelihood"] == pytest.approx(one.log_likelihood)
        assert candidate["melody"]["key"] == "D minor"
        assert candidate["primer_notes"] == 5
    assert [candidate["number"] for candidate in candidates] == [1, 2, 3]


def test_the_probability_of_each_note_is_the_model_s(client: TestClient) -> None:
    (candidate,) = compose(client, model="tunes", bars=2, seed=3)
    composer = load("tunes")
    (tune,) = composer.compose_many(1, ComposeOptions(bars=2), seed=3)
    index = {name: token for token, name in enumerate(composer.encoding.vocabulary)}
    tokens = np.array([index[name] for name in tune.tokens])
    scores, state = composer.model.start(1)  # 4/4 from the first step: what the model takes where nothing is said
    told = [float(np.exp(scores[0][tokens[0]]))]
    for token, following in pairwise(tokens):
        scores, state = composer.model.step(np.array([token]), state)
        told.append(float(np.exp(scores[0][following])))
    struck = [told[note.onset // 6] for note in tune.sounding]
    # The composer tells the model its key and meter too, which moves the numbers a little.
    assert np.corrcoef(candidate["probabilities"], struck)[0, 1] > 0.8
    product = sum(math.log(chance) for chance in candidate["probabilities"])
    assert product > candidate["policy_log_likelihood"]  # rests and holds cost something too


def test_notes_of_the_primer_have_no_probability(client: TestClient) -> None:
    (with_it,) = compose(client, primer="C4 E4 G4 E4", bars=1, seed=2)
    assert with_it["probabilities"][:4] == [None] * 4
    assert all(0 < chance <= 1 for chance in with_it["probabilities"][4:])
    (without,) = compose(client, primer="C4 E4 G4 E4", bars=1, seed=2, with_primer=False)
    assert without["primer_notes"] == 0
    assert without["probabilities"] == with_it["probabilities"][4:]


def test_the_verdict_is_the_rules_own(client: TestClient) -> None:
    (candidate,) = compose(client, bars=4, seed=4, rules={"weights": {"key": 2, "range": 0}})
    tune = MelodySchema.model_validate(candidate["melody"]).to_melody()
    judged = judge_melody(tune, RULE_SETS["cantilena"].with_weights(key=2, range=0))
    assert candidate["verdict"]["total"] == pytest.approx(judged.total)
    by_name = {rule["name"]: rule for rule in candidate["verdict"]["rules"]}
    assert by_name["key"]["weight"] == 2
    assert by_name["range"]["total"] == 0
    for name, rule in by_name.items():
        assert rule["given"] == pytest.approx(judged.given(name))
        assert rule["taken"] == pytest.approx(judged.taken(name))


@pytest.mark.parametrize("more", [{}, {"count": 4, "seed": 9}, {"primer": "C4 r/4 E4", "meter": "3/4", "count": 2}])
def test_a_stream_tells_the_same_notes_and_the_same_candidates(client: TestClient, more: dict[str, Any]) -> None:
    asked = {"bars": 4, "model": "tunes+rl", **more}
    whole = compose(client, **asked)
    answer = client.post("/api/compose", json=asked, headers=EVENTS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    names = [name for name, _ in events]
    assert names == sorted(names, key=["notes", "candidate", "done"].index)
    assert names.count("done") == 1
    assert [event for name, event in events if name == "candidate"] == whole
    assert names.count("notes") > len(whole)
    for candidate in whole:
        told = [
            note
            for name, event in events
            if name == "notes" and event["number"] == candidate["number"]
            for note in event["notes"]
        ]
        assert told == candidate["melody"]["notes"]


def test_a_failure_in_a_stream_is_an_event(client: TestClient) -> None:
    answer = client.post("/api/compose", json={"primer": "C4 H9"}, headers=EVENTS)
    ((name, told),) = events_of(answer.text)
    assert name == "error"
    assert "H9" in told["error"]


def test_both_models_go_on_from_the_same_primer(client: TestClient) -> None:
    plain, tuned = (compose(client, model=name, primer="C4 D4 E4", seed=7)[0] for name in ("tunes", "tunes+rl"))
    begin_alike = [[(note["onset"], note["pitches"]) for note in one["melody"]["notes"][:3]] for one in (plain, tuned)]
    assert begin_alike[0] == begin_alike[1] == [(0, [60]), (24, [62]), (48, [64])]
    assert plain["melody"]["notes"] != tuned["melody"]["notes"]


def test_an_idea_is_a_primer_as_a_melody(client: TestClient, sent: Any) -> None:
    idea = sent((60, 24), (62, 24), (64, 48), key="E minor")
    assert compose(client, idea=idea, bars=1) == compose(client, primer="C4 D4 E4/2", bars=1)
    assert compose(client, idea=sent(), bars=1) == compose(client, bars=1)


@pytest.mark.parametrize(
    ("asked", "status", "word"),
    [
        ({"model": "nobody"}, 404, "no such model"),
        ({"model": "/etc/passwd"}, 404, "no such model"),
        ({"model": "hf://somebody/model"}, 404, "no such model"),
        ({"primer": "C4 Q5 E4"}, 422, "'Q5' is not a note"),
        ({"primer": "C4 " * 3000}, 422, "longer than 200 bars"),
        ({"key": "Z major"}, 422, ""),
        ({"meter": "4/0"}, 422, "meter"),
        ({"style": "nobody"}, 422, ""),
        ({"range": "C4-C4x"}, 422, ""),
        ({"bars": 0}, 422, "bars"),
        ({"bars": LIMITS.bars + 1}, 422, "bars"),
        ({"bars": 200, "count": 16}, 422, "more than"),
        ({"count": 17}, 422, "count"),
        ({"temperature": 0}, 422, "temperature"),
        ({"temperature": 1e9}, 422, "temperature"),
        ({"constrain": "/etc/passwd"}, 422, "no rule set"),
        ({"constrain": "my_rules.py:mine"}, 422, "no rule set"),
        ({"constrain": "paper:key,paper:key"}, 422, "twice"),
        ({"rules": {"weights": {"nothing": 1}}}, 422, "no rule 'nothing'"),
        ({"rules": {"set": "/etc/passwd"}}, 422, "set"),
        ({"nonsense": 1}, 422, "nonsense"),
        ({"tempo": "fast"}, 422, "tempo"),
        ({"idea": {"notes": [{"onset": -1, "duration": 1, "pitches": [60]}]}}, 422, "onset"),
        ({"idea": {"notes": [{"onset": 0, "duration": 24, "pitches": [128]}]}}, 422, "pitches"),
        ({"idea": {"notes": [{"onset": 0, "duration": 24 * 4 * 201, "pitches": [60]}]}}, 422, "longer than"),
    ],
)
def test_what_makes_no_sense_is_answered_with_a_sentence(
    client: TestClient, asked: dict[str, Any], status: int, word: str
) -> None:
    answer = client.post("/api/compose", json=asked)
    assert answer.status_code == status, answer.text[:300]
    assert set(answer.json()) == {"error", "hint"}
    assert word in answer.json()["error"]


def test_a_primer_never_names_a_file(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "C4"
    path.write_text("not a score")
    answer = client.post("/api/compose", json={"primer": str(path)})
    assert answer.status_code == 422
    assert "not a note" in answer.json()["error"]


def test_rules_constrain_each_note(client: TestClient) -> None:
    (candidate,) = compose(client, model="tunes", bars=4, seed=1, constrain="rl-tuner:key", temperature=2.0)
    assert candidate["rules_broken"] == 0
    scale = set(Key().pitch_classes)
    assert all(note["pitches"][0] % 12 in scale for note in candidate["melody"]["notes"])


def test_what_comes_next_is_told_step_by_step(client: TestClient, sent: Any, tune: Any) -> None:
    asked = {"model": "tunes", "melody": tune}
    told = client.post("/api/probabilities", json=asked).json()
    steps = tune["length"] // told["step_ticks"]
    assert len(told["pitches"]) == len(told["off"]) == len(told["hold"]) == steps + 1
    assert len(told["names"]) == told["high"] - told["low"] + 1 == len(told["pitches"][0])
    sums = np.array(told["off"]) + np.array(told["hold"]) + np.array(told["pitches"]).sum(axis=1)
    assert np.allclose(sums, 1.0, atol=1e-4)
    assert told["names"][60 - told["low"]] == "C4"
    flat = client.post("/api/probabilities", json={**asked, "temperature": 50}).json()
    assert max(flat["pitches"][-1]) < max(told["pitches"][-1])
    empty = client.post("/api/probabilities", json={"melody": sent()}).json()
    assert len(empty["pitches"]) == 1


def test_probabilities_of_a_composition_agree_with_what_was_drawn(client: TestClient) -> None:
    (candidate,) = compose(client, model="tunes", bars=4, seed=6, key="G major")
    told = client.post("/api/probabilities", json={"model": "tunes", "melody": candidate["melody"]}).json()
    again = [
        told["pitches"][note["onset"] // told["step_ticks"]][note["pitches"][0] - told["low"]]
        for note in candidate["melody"]["notes"]
    ]
    assert again == pytest.approx(candidate["probabilities"], abs=1e-4)


def test_sliders_are_answered_with_the_same_numbers_as_the_rules_give(client: TestClient, sent: Any, tune: Any) -> None:
    weights = {"key": -2.0, "cadence": 0.5, "motion": 0.0}
    answer = client.post("/api/judge", json={"melodies": [tune, sent()], "rules": {"weights": weights}}).json()
    first, nothing = answer["verdicts"]
    judged = judge_melody(MelodySchema.model_validate(tune).to_melody(), RULE_SETS["cantilena"].with_weights(**weights))
    assert first["total"] == pytest.approx(judged.total, abs=1e-6)
    ours = {note.note: note for note in judged.notes}
    for note in first["notes"]:
        expected = {name: value for name, value in ours[note["note"]].values.items() if weights.get(name, 1)}
        assert note["values"] == pytest.approx(expected)
        assert note["place"] == ours[note["note"]].place
    assert nothing == {"total": 0.0, "rules": [], "notes": []}
    only = client.post("/api/judge", json={"melodies": [tune], "rules": {"only": ["key"]}}).json()["verdicts"][0]
    assert [rule["name"] for rule in only["rules"]] == ["key"]


def test_models_and_rules_are_told(client: TestClient) -> None:
    models = client.get("/api/models").json()["models"]
    by_name = {model["name"]: model for model in models}
    assert models[0]["name"] == "tunes+rl"
    assert models[0]["default"]
    assert by_name["tunes+rl"]["untuned"] == "tunes"
    assert by_name["tunes+rl"]["tuned"]
    assert not by_name["tunes"]["tuned"]
    assert (by_name["tunes"]["low"], by_name["tunes"]["high"]) == (48, 83)
    assert not any(model["made_here"] for model in models)
    sets = {one["name"]: one for one in client.get("/api/rules").json()["sets"]}
    assert {name: [rule["name"] for rule in one["rules"]] for name, one in sets.items()} == {
        name: list(rules.names) for name, rules in RULE_SETS.items() if name in sets
    }
    assert client.get("/api/about").json()["limits"]["bars"] == LIMITS.bars


def test_melodies_survive_the_wire() -> None:
    tune = Melody.of([(60, 24), (None, 12), ((60, 64, 67), 12)], key=Key.parse("Bb minor"), title="ÿ", pickup=24)
    assert MelodySchema.from_melody(tune).to_melody() == tune
