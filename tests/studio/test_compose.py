"""Composing over HTTP gives what the composer gives, in one piece or streamed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from cantilena.generation import ComposeOptions, Composer, Composition, load
from cantilena.metrics import melody_rewards as judge_melody
from cantilena.models import start_with_bars
from cantilena.music import Key
from cantilena.rules import RULE_SETS
from cantilena.studio import LIMITS
from cantilena.studio.schemas.melody import MelodySchema
from cantilena.studio.schemas.requests import RewriteRequest
from cantilena.studio.schemas.responses import Candidate
from cantilena.studio.services.compose import ComposeService, NewNotes, VerdictCache
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.models import ModelRegistry, TunedModels

from .conftest import Json, candidates, events, melody_json, notes_json, to_melody

BOTH = ["tunes+rl", "tunes+rl-tuner"]
"""The default model, which is of notes, and one on the grid of sixteenths."""


@pytest.fixture(scope="module")
def melodies(client: TestClient) -> list[Json]:
    """Two melodies of eight bars in G major."""
    found = candidates(client, "compose", model="tunes", bars=8, seed=3, key="G major", count=2)
    return [candidate["melody"] for candidate in found]


@pytest.fixture(scope="module")
def short(client: TestClient) -> list[Json]:
    """Two melodies of four bars in G major."""
    found = candidates(client, "compose", model="tunes", bars=4, seed=3, key="G major", count=2)
    return [candidate["melody"] for candidate in found]


# --- compose ---


def test_it_composes_what_the_composer_composes(client: TestClient) -> None:
    body = {"primer": "D4 E4 F4/8 G4/8 A4/2", "bars": 4, "key": "D minor", "seed": 5, "count": 3, "model": "tunes"}
    found = candidates(client, "compose", **body)
    ours = load("tunes").compose_many(3, ComposeOptions(bars=6, primer=str(body["primer"]), key="D minor"), seed=5)
    for candidate, composition in zip(found, ours, strict=True):
        assert candidate["melody"]["notes"] == notes_json(composition)
        assert candidate["tokens"] == list(composition.tokens)
        assert candidate["log_likelihood"] == pytest.approx(composition.log_likelihood)
        assert candidate["melody"]["key"] == "D minor"
        assert candidate["primer_notes"] == 5
    assert [candidate["number"] for candidate in found] == [1, 2, 3]


@pytest.mark.parametrize("model", BOTH)
def test_probabilities_are_those_of_the_model(client: TestClient, model: str) -> None:
    (candidate,) = candidates(client, "compose", model=model, bars=4, seed=3)
    composer = load(model)
    index = {name: token for token, name in enumerate(composer.encoding.vocabulary)}
    tokens = np.array([index[name] for name in candidate["tokens"]])
    told = composer.plan(range(1), ComposeOptions(bars=4), 3).arguments["bars"]  # meter, key, length, form ..
    scores, state = start_with_bars(composer.model, 1, told)
    by_token = [float(np.exp(scores[0][tokens[0]]))]
    for token, following in pairwise(tokens):
        scores, state = composer.model.step(np.array([token]), state)
        by_token.append(float(np.exp(scores[0][following])))
    if composer.encoding.name == "notes":  # a duration, then a pitch
        by_note = [by_token[place] for place in range(1, len(tokens), 2) if candidate["tokens"][place] != "rest"]
    else:
        by_note = [by_token[note["onset"] // 6] for note in candidate["melody"]["notes"]]
    assert candidate["probabilities"] == pytest.approx(by_note, rel=1e-3, abs=1e-6)
    product = sum(math.log(probability) for probability in candidate["probabilities"])
    assert product > candidate["policy_log_likelihood"]  # rests and durations have probabilities too


@pytest.mark.parametrize("model", BOTH)
def test_notes_of_the_primer_have_no_probability(client: TestClient, model: str) -> None:
    body = {"model": model, "primer": "C4 E4 G4 E4", "bars": 1, "seed": 2}
    (with_primer,) = candidates(client, "compose", **body)
    assert with_primer["probabilities"][:4] == [None] * 4
    assert all(0 < probability <= 1 for probability in with_primer["probabilities"][4:])
    (without,) = candidates(client, "compose", **body, with_primer=False)
    assert without["primer_notes"] == 0
    assert without["probabilities"] == with_primer["probabilities"][4:]


def test_the_verdict_is_that_of_the_rules(client: TestClient) -> None:
    (candidate,) = candidates(client, "compose", bars=4, seed=4, rules={"weights": {"key": 2, "range": 0}})
    judged = judge_melody(to_melody(candidate["melody"]), RULE_SETS["cantilena"].with_weights(key=2, range=0))
    assert candidate["verdict"]["total"] == pytest.approx(judged.total)
    by_name = {rule["name"]: rule for rule in candidate["verdict"]["rules"]}
    assert by_name["key"]["weight"] == 2
    assert by_name["range"]["total"] == 0
    for name, rule in by_name.items():
        assert rule["given"] == pytest.approx(judged.given(name))
        assert rule["taken"] == pytest.approx(judged.taken(name))


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("more", [{}, {"count": 16, "seed": 9}, {"primer": "C4 r/4 E4", "meter": "3/4", "count": 2}])
def test_a_stream_gives_the_same_notes_and_the_same_candidates(client: TestClient, more: Json, model: str) -> None:
    body = {"bars": 4, "model": model, **more}
    whole = candidates(client, "compose", **body)
    found = events(client, "compose", **body)
    names = [name for name, _ in found]
    assert names == sorted(names, key=["notes", "candidate", "done"].index)
    assert names.count("done") == 1
    assert [data for name, data in found if name == "candidate"] == whole
    assert names.count("notes") > len(whole)
    for candidate in whole:
        parts = [data for name, data in found if name == "notes" and data["number"] == candidate["number"]]
        assert [note for part in parts for note in part["notes"]] == candidate["melody"]["notes"]
        assert {part["pickup"] for part in parts} == {candidate["melody"]["pickup"]}
    if model == "tunes+rl" and len(whole) == 16:  # which has pickups of its own
        assert len({candidate["melody"]["pickup"] for candidate in whole}) > 1


def test_a_failure_in_a_stream_is_an_event(client: TestClient) -> None:
    ((name, data),) = events(client, "compose", primer="C4 H9")
    assert name == "error"
    assert "H9" in data["error"]


def test_both_models_continue_the_same_primer(client: TestClient) -> None:
    plain, tuned, on_the_grid = (
        candidates(client, "compose", model=name, primer="C4 D4 E4", seed=7)[0]["melody"]["notes"]
        for name in ("tunes", *BOTH)
    )
    openings = [[(note["onset"], note["pitches"]) for note in notes[:3]] for notes in (plain, tuned, on_the_grid)]
    assert openings == [[(0, [60]), (24, [62]), (48, [64])]] * 3
    assert plain != tuned != on_the_grid


def test_an_idea_is_a_primer_as_a_melody(client: TestClient) -> None:
    idea = melody_json((60, 24), (62, 24), (64, 48), key="E minor")
    assert candidates(client, "compose", idea=idea, bars=1) == candidates(
        client, "compose", primer="C4 D4 E4/2", bars=1
    )
    assert candidates(client, "compose", idea=melody_json(), bars=1) == candidates(client, "compose", bars=1)


@pytest.mark.parametrize("model", ["tunes", "tunes+rl-tuner"])
def test_constraints_hold_for_each_note(client: TestClient, model: str) -> None:
    body = {"model": model, "bars": 4, "seed": 1, "constrain": "rl-tuner:key", "temperature": 2.0}
    (candidate,) = candidates(client, "compose", **body)
    assert candidate["rules_broken"] == 0
    scale = set(Key().pitch_classes)
    assert all(note["pitches"][0] % 12 in scale for note in candidate["melody"]["notes"])


@pytest.mark.parametrize(
    ("body", "status", "error"),
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
        ({"constrain": "/etc/passwd"}, 422, "rule set"),
        ({"constrain": "my_rules.py:mine"}, 422, "rule set"),
        ({"constrain": "paper:key,paper:key"}, 422, "twice"),
        ({"rules": {"weights": {"nothing": 1}}}, 422, "'nothing'"),
        ({"rules": {"set": "/etc/passwd"}}, 422, "set"),
        ({"nonsense": 1}, 422, "nonsense"),
        ({"tempo": "fast"}, 422, "tempo"),
        ({"idea": {"notes": [{"onset": -1, "duration": 1, "pitches": [60]}]}}, 422, "onset"),
        ({"idea": {"notes": [{"onset": 0, "duration": 24, "pitches": [128]}]}}, 422, "pitches"),
        ({"idea": {"notes": [{"onset": 0, "duration": 24 * 4 * 201, "pitches": [60]}]}}, 422, "longer than"),
    ],
)
def test_invalid_requests_are_rejected(client: TestClient, body: Json, status: int, error: str) -> None:
    answer = client.post("/api/compose", json=body)
    assert answer.status_code == status, answer.text[:300]
    assert set(answer.json()) == {"error", "hint"}
    assert error in answer.json()["error"]


def test_a_primer_never_names_a_file(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "C4"
    path.write_text("not a score")
    answer = client.post("/api/compose", json={"primer": str(path)})
    assert answer.status_code == 422
    assert "not a note" in answer.json()["error"]


# --- rewrite ---


@pytest.mark.parametrize("model", BOTH)
def test_only_the_given_bars_are_rewritten(client: TestClient, melodies: list[Json], model: str) -> None:
    body = {"model": model, "melody": melodies[0], "first": 3, "last": 4, "seed": 1, "count": 3}
    found = candidates(client, "rewrite", **body)
    pickup = melodies[0]["pickup"]
    start, end = pickup + 2 * 96, pickup + 4 * 96
    kept = [note for note in melodies[0]["notes"] if not start <= note["onset"] < end]
    assert [candidate["number"] for candidate in found] == [1, 2, 3]
    for candidate in found:
        notes = candidate["melody"]["notes"]
        assert [note for note in notes if not start <= note["onset"] < end] == kept
        new = [start <= note["onset"] < end for note in notes]
        assert [probability is not None for probability in candidate["probabilities"]] == new
        assert candidate["primer_notes"] == sum(note["onset"] < start for note in notes)
        assert candidate["melody"]["key"] == "G major"
        assert candidate["verdict"]["rules"]
    assert any(candidate["melody"]["notes"] != melodies[0]["notes"] for candidate in found)


@pytest.mark.parametrize("model", ["tunes", "tunes+rl-tuner"])
def test_rewriting_is_that_of_the_composer(client: TestClient, melodies: list[Json], model: str) -> None:
    (candidate,) = candidates(client, "rewrite", model=model, melody=melodies[0], first=5, last=6, seed=9)
    (ours,) = load(model).rewrite(to_melody(melodies[0]), 5, 6, seed=9)
    assert candidate["melody"]["notes"] == notes_json(ours)


def test_locked_notes_stay_and_have_no_probability(client: TestClient, melodies: list[Json]) -> None:
    notes, whole, rhythm = melodies[0]["notes"], (5, 6), (8, 9, 10)
    locks = [{"kind": "notes", "notes": whole}, {"kind": "rhythm", "notes": rhythm}, {"kind": "contour", "notes": []}]
    (candidate,) = candidates(client, "rewrite", melody=melodies[0], first=1, last=8, locks=locks, seed=2)
    new = {note["onset"]: (number, note) for number, note in enumerate(candidate["melody"]["notes"])}
    for number in whole:
        at, note = new[notes[number]["onset"]]
        assert note == notes[number]
        assert candidate["probabilities"][at] is None
    for number in rhythm:
        assert new[notes[number]["onset"]][1]["duration"] == notes[number]["duration"]
    in_pickup = sum(note["onset"] < melodies[0]["pickup"] for note in notes)
    assert candidate["probabilities"].count(None) == 2 + in_pickup


@pytest.mark.parametrize("lock", [{"kind": "notes", "notes": [999]}, {"kind": "pitch", "notes": [1]}, {"notes": [1]}])
def test_locks_that_cannot_be_are_rejected(client: TestClient, melodies: list[Json], lock: Json) -> None:
    answer = client.post("/api/rewrite", json={"melody": melodies[0], "first": 1, "last": 2, "locks": [lock]})
    assert answer.status_code == 422
    assert answer.json()["error"]


@pytest.mark.parametrize(("first", "last"), [(9, 9), (4, 3), (1, 20), (0, 0)])
@pytest.mark.parametrize("model", BOTH)
def test_bars_that_do_not_exist_are_rejected(client: TestClient, first: int, last: int, model: str) -> None:
    melody = melody_json(*[(67, 24), (71, 24)] * 16)  # eight bars without a pickup
    assert candidates(client, "rewrite", model=model, melody=melody, first=1, last=8)
    answer = client.post("/api/rewrite", json={"model": model, "melody": melody, "first": first, "last": last})
    assert answer.status_code == 422
    assert answer.json()["error"]


@pytest.mark.parametrize(("first", "last", "start", "end"), [(0, 0, 0, 24), (0, 1, 0, 120), (1, 2, 24, 216)])
@pytest.mark.parametrize("model", BOTH)
def test_a_pickup_is_bar_0(client: TestClient, first: int, last: int, start: int, end: int, model: str) -> None:
    melody = melody_json((67, 24), (60, 96), (64, 96), pickup=24)
    (candidate,) = candidates(client, "rewrite", model=model, melody=melody, first=first, last=last, seed=1)
    new = [start <= note["onset"] < end for note in candidate["melody"]["notes"]]
    assert [probability is not None for probability in candidate["probabilities"]] == new
    kept = [note for note in melody["notes"] if not start <= note["onset"] < end]
    assert [note for note in candidate["melody"]["notes"] if not start <= note["onset"] < end] == kept


def test_an_empty_melody_cannot_be_rewritten(client: TestClient) -> None:
    assert client.post("/api/rewrite", json={"melody": melody_json(), "first": 1, "last": 1}).status_code == 422


def test_each_rewritten_candidate_is_sent_before_the_next_one_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    iter_rewrites = Composer.iter_rewrites

    def counted(*arguments: Any, **options: Any) -> Iterator[Composition]:
        for composition in iter_rewrites(*arguments, **options):
            begun.append(1)
            yield composition

    monkeypatch.setattr(Composer, "iter_rewrites", counted)
    melody = MelodySchema.model_validate(melody_json(*[(60, 24), (64, 24), (67, 24), (64, 24)] * 4))
    service = ComposeService(ModelRegistry(TunedModels(Path("nowhere"))), VerdictCache())
    request = RewriteRequest(melody=melody, first=2, last=3, count=3)
    found = [(type(item), len(begun)) for item in service.rewrite(request, Deadline(30))]
    assert found == [(kind, number) for number in (1, 2, 3) for kind in (NewNotes, Candidate)]


# --- interpolate and vary ---


def test_interpolation_begins_and_ends_with_the_given_melodies(client: TestClient, short: list[Json]) -> None:
    found = candidates(client, "interpolate", first=short[0], last=short[1], steps=4)
    assert [candidate["number"] for candidate in found] == [1, 2, 3, 4]
    for place, melody in ((0, short[0]), (-1, short[1])):
        assert found[place]["melody"]["notes"] == melody["notes"]
        assert set(found[place]["probabilities"]) == {None}
    for candidate in found[1:-1]:
        assert candidate["melody"]["key"] == "G major"
        assert all(0 <= probability <= 1 for probability in candidate["probabilities"])
        assert candidate["verdict"]["rules"]
    ours = load("tunes-vae").interpolate(*(to_melody(melody) for melody in short), steps=4)
    assert found[1]["melody"]["notes"] == notes_json(ours[1])


@pytest.mark.parametrize("amount", [0.0, 0.6])
def test_a_melody_is_varied_by_an_amount(client: TestClient, short: list[Json], amount: float) -> None:
    body = {"melody": short[0], "amount": amount, "count": 3, "seed": 2}
    found = candidates(client, "vary", **body)
    same = [candidate["melody"]["notes"] == short[0]["notes"] for candidate in found]
    assert same == [True] * 3 if amount == 0 else not any(same)
    assert found == candidates(client, "vary", **body)


@pytest.mark.parametrize("path", ["rewrite", "interpolate", "vary"])
def test_a_stream_gives_notes_and_candidates_in_turn(client: TestClient, short: list[Json], path: str) -> None:
    body: Json = {
        "rewrite": {"model": "tunes", "melody": short[0], "first": 2, "last": 3, "count": 2},
        "interpolate": {"first": short[0], "last": short[1], "steps": 3},
        "vary": {"melody": short[0], "count": 2},
    }[path]
    whole, found = candidates(client, path, **body), events(client, path, **body)
    assert [name for name, _ in found] == ["notes", "candidate"] * len(whole) + ["done"]
    assert [data for name, data in found if name == "candidate"] == whole


@pytest.mark.parametrize(
    ("path", "change", "error"),
    [
        ("interpolate", {"model": "tunes"}, "VAE"),
        ("interpolate", {"model": "../tunes-vae"}, "no such model"),
        ("interpolate", {"steps": 1}, ""),
        ("interpolate", {"steps": 17}, ""),
        ("interpolate", {"key": "H major"}, ""),
        ("interpolate", {"range": "C9-C10"}, ""),
        ("interpolate", {"meter": "3/4"}, ""),
        ("interpolate", {"last": melody_json((60, 24), meter="3/4")}, "3/4"),
        ("vary", {"melody": melody_json()}, ""),
        ("vary", {"amount": -0.1}, ""),
        ("vary", {"amount": 1.1}, ""),
        ("vary", {"amount": "NaN"}, ""),
        ("vary", {"melody": melody_json((60, 24), length=96 * 200), "count": 16}, "512"),
    ],
)
def test_invalid_interpolations_and_variations_are_rejected(
    client: TestClient, short: list[Json], path: str, change: Json, error: str
) -> None:
    body: Json = {
        "interpolate": {"first": short[0], "last": short[1], "steps": 3},
        "vary": {"melody": short[0]},
    }[path]
    answer = client.post(f"/api/{path}", json=body | change)
    assert 400 <= answer.status_code < 500
    assert error in answer.json()["error"]


def test_a_vae_composes_like_any_model(client: TestClient) -> None:
    found = candidates(client, "compose", model="tunes-vae", bars=4, count=2, primer="C4 E4 G4")
    for candidate in found:
        assert len(candidate["probabilities"]) == len(candidate["melody"]["notes"])
    melody = found[0]["melody"]
    assert client.post("/api/probabilities", json={"model": "tunes-vae", "melody": melody}).status_code == 200
    answer = client.post("/api/rewrite", json={"model": "tunes-vae", "melody": melody, "first": 1, "last": 2})
    assert answer.status_code == 422
    assert "VAE" in answer.json()["error"]


# --- judge ---


def test_verdicts_with_other_weights_are_those_of_the_rules(client: TestClient, tune: Json) -> None:
    weights = {"key": -2.0, "cadence": 0.5, "motion": 0.0}
    answer = client.post("/api/judge", json={"melodies": [tune, melody_json()], "rules": {"weights": weights}}).json()
    first, empty = answer["verdicts"]
    judged = judge_melody(to_melody(tune), RULE_SETS["cantilena"].with_weights(**weights))
    assert first["total"] == pytest.approx(judged.total, abs=1e-6)
    ours = {note.note: note for note in judged.notes}
    for note in first["notes"]:
        expected = {name: value for name, value in ours[note["note"]].values.items() if weights.get(name, 1)}
        assert note["values"] == pytest.approx(expected)
        assert note["place"] == ours[note["note"]].place
    assert empty == {"total": 0.0, "rules": [], "notes": []}
    only = client.post("/api/judge", json={"melodies": [tune], "rules": {"only": ["key"]}}).json()["verdicts"][0]
    assert [rule["name"] for rule in only["rules"]] == ["key"]


def test_a_melody_is_composed_over_chords_that_are_written(client: TestClient, tmp_path: Path) -> None:
    body = {"model": "tunes", "bars": 4, "seed": 3, "chords": "C | Am | F G7 | C"}
    (candidate,) = candidates(client, "compose", **body)
    assert [chord["symbol"] for chord in candidate["melody"]["chords"]] == ["C", "Am", "F", "G7", "C"]
    probabilities = client.post(
        "/api/probabilities",
        json={"model": "tunes", "melody": candidate["melody"], "conditioning": candidate["conditioning"]},
    ).json()["notes"]
    assert probabilities == pytest.approx(candidate["probabilities"], abs=1e-4)
    (tmp_path / "song.cho").write_text("[C]words")
    answer = client.post("/api/compose", json={**body, "chords": str(tmp_path / "song.cho")})
    assert answer.status_code == 422
    assert "file" in answer.text


# --- bars and form ---


def test_total_bars_count_the_primer_and_bars_the_new_music(client: TestClient) -> None:
    body = {"model": "tunes", "primer": "C4 D4 E4 F4 G4/2", "seed": 3}  # which begins two bars
    (whole,) = candidates(client, "compose", **body, total_bars=4)
    assert whole["melody"]["length"] == 4 * 96
    (new,) = candidates(client, "compose", **body, bars=2)
    assert new["melody"] == whole["melody"]


def test_a_primer_that_fills_the_bars_is_an_error_in_plain_words(client: TestClient) -> None:
    answer = client.post("/api/compose", json={"primer": "C4 D4 E4 F4", "total_bars": 1})
    assert answer.status_code == 422
    assert answer.json()["error"] == "the primer fills 1 bars, and 1 are asked for"
    assert "more than 1" in answer.json()["hint"]


def test_a_form_is_obeyed_with_the_cadences_of_its_sections(client: TestClient) -> None:
    body = {"model": "tunes", "total_bars": 8, "seed": 3, "key": "C major"}
    (period,) = candidates(client, "compose", **body, form="AA'", cadences=["half", "full"])
    assert period["conditioning"]["form"] == "A4A'4"
    assert period["conditioning"]["cadences"] == ["half", "full"]
    middle, end = (
        [note for note in period["melody"]["notes"] if first <= note["onset"] < first + 384][-1]["pitches"][-1] % 12
        for first in (0, 384)
    )
    assert middle in (2, 7, 11)
    assert end == 0
    (drawn,) = candidates(client, "compose", **body, form="A4B4", cadences=[None, "open"])
    assert drawn["conditioning"]["cadences"][1] == "open"
    (half,) = candidates(client, "compose", **body, ending="half")
    assert half["conditioning"]["ending"] == "half"
    (own,) = candidates(client, "compose", model="tunes", seed=3, form="A2B2")  # whose bars are those of the form
    assert own["melody"]["length"] == 4 * 96
    (free,) = candidates(client, "compose", **body, form="free")
    assert free["conditioning"]["form"] == ""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"bars": 4, "total_bars": 4}, "total_bars"),
        ({"total_bars": 201}, "total_bars"),
        ({"total_bars": 0}, "total_bars"),
        ({"total_bars": 200, "count": 3}, "200 bars times 3"),
        ({"form": "A(B"}, "not a form"),
        ({"form": "AAB", "total_bars": 8}, "shared equally"),
        ({"form": "A8A8", "total_bars": 8}, "has 16 bars, not 8"),
        ({"form": "A100A100A100"}, "has 300 bars"),
        ({"form": "AA", "cadences": ["full"]}, "1 cadences for the 2 sections"),
        ({"cadences": ["full"]}, "without a form"),
        ({"form": "AA", "cadences": ["weak", "full"]}, "cadences"),
        ({"ending": "weak"}, "ending"),
        ({"model": "tunes+rl-tuner", "form": "AA"}, "learned no forms"),
        ({"model": "tunes+rl-tuner", "chords": "C | F"}, "not learned to follow chords"),
    ],
)
def test_forms_and_bars_that_do_not_fit_are_rejected(client: TestClient, body: Json, error: str) -> None:
    answer = client.post("/api/compose", json=body)
    assert answer.status_code == 422
    assert error in answer.json()["error"]


def test_models_tell_what_they_have_learned(client: TestClient) -> None:
    models = {one["name"]: one for one in client.get("/api/models").json()["models"]}
    told = {name: (one["has_forms"], one["follows_chords"]) for name, one in models.items()}
    assert told["tunes"] == told["classical+rl"] == (True, True)
    assert told["piano"] == (True, False)
    assert told["tunes+rl-tuner"] == told["tunes-vae"] == (False, False)


def in_bars(melody: Json, first: int, last: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """The notes that begin in bars of 4/4, counted from the start of the melody; onsets within these bars."""
    start, end = (first - 1) * 96, last * 96
    return [
        (note["onset"] - start, note["duration"], tuple(note["pitches"]))
        for note in melody["notes"]
        if start <= note["onset"] < end
    ]


@pytest.fixture(scope="module")
def aaba(client: TestClient) -> Json:
    """Eight bars in C major, with a varied return at the end."""
    body = {"model": "tunes", "total_bars": 8, "seed": 3, "key": "C major", "meter": "4/4"}
    (found,) = candidates(client, "compose", **body, form="A2A2B2A'2", cadences=["half", "half", "half", "full"])
    return found


def test_a_section_is_rewritten_with_all_its_returns(client: TestClient, aaba: Json) -> None:
    told = {name: aaba["conditioning"][name] for name in ("form", "cadences")}
    body = {"model": "tunes", "melody": aaba["melody"], **told, "seed": 5, "count": 2}
    found = candidates(client, "rewrite-section", **body, section=2)
    assert found == candidates(client, "rewrite-section", **body, section=1)
    for candidate in found:
        new = candidate["melody"]
        assert in_bars(new, 1, 2) != in_bars(aaba["melody"], 1, 2)
        assert in_bars(new, 3, 4) == in_bars(new, 1, 2)
        assert in_bars(new, 5, 6) == in_bars(aaba["melody"], 5, 6)
        assert in_bars(new, 7, 7) == in_bars(new, 1, 1)
        assert {name: new[name] for name in ("length", "pickup", "key")} == {
            name: aaba["melody"][name] for name in ("length", "pickup", "key")
        }
        sampled = [note["onset"] for note, p in zip(new["notes"], candidate["probabilities"], strict=True) if p]
        assert all(not 4 * 96 <= onset < 6 * 96 for onset in sampled)
        assert candidate["conditioning"]["form"] == "A2A2B2A'2"
    assert found[0]["melody"] != found[1]["melody"]


def test_a_section_without_returns_is_rewritten_alone(client: TestClient, aaba: Json) -> None:
    body = {"model": "tunes+rl-tuner", "melody": aaba["melody"], "form": "A2A2B2A'2", "section": 3}
    (found,) = candidates(client, "rewrite-section", **body)  # of a model that has learned no forms
    for first, last in ((1, 4), (7, 8)):
        assert in_bars(found["melody"], first, last) == in_bars(aaba["melody"], first, last)
    assert in_bars(found["melody"], 5, 6) != in_bars(aaba["melody"], 5, 6)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"section": 5}, "no section 5"),
        ({"section": 0}, "section"),
        ({"form": "A8B8"}, "the melody ends before"),
        ({"form": "A2A2B2A'2", "cadences": ["full"]}, "1 cadences"),
        ({"model": "tunes-vae"}, "VAE"),
    ],
)
def test_sections_that_do_not_exist_are_rejected(client: TestClient, aaba: Json, body: Json, error: str) -> None:
    sent = {"model": "tunes", "melody": aaba["melody"], "form": "A2A2B2A'2", "section": 2, **body}
    answer = client.post("/api/rewrite-section", json=sent)
    assert answer.status_code == 422
    assert error in answer.json()["error"]
