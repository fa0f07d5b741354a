"""Rewriting over the wire: other music in the bars that were asked for, and every other note as it was."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cantilena.generation import BarRange, Gap, load
from cantilena.generation.infilling import fill
from cantilena.music import Melody
from cantilena.studio.schemas.melody import MelodySchema
from cantilena.studio.schemas.requests import RewriteRequest
from cantilena.studio.schemas.responses import Candidate
from cantilena.studio.services.compose import ComposeService, NewNotes
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.judge import VerdictCache
from cantilena.studio.services.models import ModelRegistry, TunedModels


@pytest.fixture
def composed(client: TestClient) -> dict[str, Any]:
    answer = client.post("/api/compose", json={"model": "tunes", "bars": 8, "seed": 3, "key": "G major"})
    melody: dict[str, Any] = answer.json()["candidates"][0]["melody"]
    return melody


def test_only_the_bars_that_were_asked_for_are_other(client: TestClient, composed: dict[str, Any]) -> None:
    asked = {"model": "tunes", "melody": composed, "first": 3, "last": 4, "seed": 1, "count": 3}
    candidates = client.post("/api/rewrite", json=asked).json()["candidates"]
    start, end = 2 * 96, 4 * 96
    kept = [note for note in composed["notes"] if not start <= note["onset"] < end]
    assert [candidate["number"] for candidate in candidates] == [1, 2, 3]
    for candidate in candidates:
        notes = candidate["melody"]["notes"]
        assert [note for note in notes if not start <= note["onset"] < end] == kept
        new = [start <= note["onset"] < end for note in notes]
        assert [chance is not None for chance in candidate["probabilities"]] == new
        assert candidate["primer_notes"] == sum(note["onset"] < start for note in notes)
        assert candidate["melody"]["key"] == "G major"
        assert candidate["verdict"]["rules"]
    assert any(candidate["melody"]["notes"] != composed["notes"] for candidate in candidates)


def test_it_is_the_composer_s_own_rewriting(client: TestClient, composed: dict[str, Any]) -> None:
    asked = {"model": "tunes", "melody": composed, "first": 5, "last": 6, "seed": 9}
    (candidate,) = client.post("/api/rewrite", json=asked).json()["candidates"]
    (ours,) = load("tunes").rewrite(MelodySchema.model_validate(composed).to_melody(), 5, 6, seed=9)
    assert candidate["melody"]["notes"] == MelodySchema.from_melody(ours).model_dump()["notes"]


def test_a_stream_tells_the_new_notes_and_the_same_candidates(client: TestClient, composed: dict[str, Any]) -> None:
    asked = {"model": "tunes", "melody": composed, "first": 2, "last": 3, "count": 2}
    whole = client.post("/api/rewrite", json=asked).json()["candidates"]
    text = client.post("/api/rewrite", json=asked, headers={"Accept": "text/event-stream"}).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert names == ["notes", "candidate", "notes", "candidate", "done"]
    assert len(whole) == 2


@pytest.mark.parametrize(("first", "last"), [(9, 9), (4, 3), (1, 20), (0, 0)])
def test_bars_that_are_not_there_are_refused(
    client: TestClient, composed: dict[str, Any], first: int, last: int
) -> None:
    answer = client.post("/api/rewrite", json={"melody": composed, "first": first, "last": last})
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_an_empty_melody_has_nothing_to_rewrite(client: TestClient, sent: Any) -> None:
    assert client.post("/api/rewrite", json={"melody": sent(), "first": 1, "last": 1}).status_code == 422


def bars_of(tune: Melody, first: int, last: int) -> tuple[int, int]:
    gap = Gap.of(tune, BarRange(first, last))
    return gap.start, gap.end


def test_a_pickup_is_bar_nought(sent: Any) -> None:
    tune = MelodySchema.model_validate(sent((67, 24), (60, 192), pickup=24)).to_melody()
    assert bars_of(tune, 0, 0) == (0, 24)
    assert bars_of(tune, 0, 1) == (0, 120)
    assert bars_of(tune, 1, 2) == (24, 216)


def test_each_candidate_is_there_before_the_next_is_begun(sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def counted(*words: Any, **options: Any) -> Any:
        begun.append(1)
        return fill(*words, **options)

    monkeypatch.setattr(import_module("cantilena.generation.infilling"), "fill", counted)
    asked = RewriteRequest(
        melody=MelodySchema.model_validate(sent(*[(60, 24), (64, 24), (67, 24), (64, 24)] * 4)),
        first=2,
        last=3,
        count=3,
    )
    service = ComposeService(ModelRegistry(TunedModels(Path("nowhere"))), VerdictCache())
    told = []
    for one in service.rewrite(asked, Deadline(30)):
        told.append((type(one), len(begun)))
    assert told == [(kind, number) for number in (1, 2, 3) for kind in (NewNotes, Candidate)]
