"""The sheets for teachers: what they say of the shipped models is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

LESSONS = Path(__file__).resolve().parents[2] / "docs" / "lessons"
LINK = re.compile(r"http://127\.0\.0\.1:8000/#(\S+?)\)")

Asked = dict[str, Any]


def links(sheet: str) -> list[Asked]:
    """What the links of a sheet ask for, one value a name."""
    text = (LESSONS / f"{sheet}.md").read_text(encoding="utf-8")
    return [{name: one for name, (one, *_) in parse_qs(found).items()} for found in LINK.findall(text)]


def typed(client: Any, text: str, key: str) -> Asked:
    return {**client.post("/api/primer", json={"text": text}).json()["melody"], "key": key}


def composed(client: Any, link: Asked, model: str = "") -> list[Asked]:
    """The candidates that the page shows for a link."""
    numbers = {name: int(link[name]) for name in ("bars", "count", "seed")}
    idea = typed(client, link["primer"], link["key"])
    more = {"temperature": float(link.get("temperature", 1)), "constrain": link.get("constrain", "")}
    asked = {"model": model or link["model"], "idea": idea, "key": link["key"], "greedy": "greedy" in link}
    return list(client.post("/api/compose", json={**asked, **numbers, **more}).json()["candidates"])


def spoken(candidate: Asked, rule: str) -> float:
    return float(next(one["total"] for one in candidate["verdict"]["rules"] if one["name"] == rule))


def judged(client: Any, link: Asked, kinds: str = "cantilena") -> Asked:
    melody = typed(client, link["melody"], link["key"])
    verdict = client.post("/api/judge", json={"melodies": [melody], "rules": {"set": kinds}}).json()["verdicts"][0]
    return {
        one["name"]: [note["note"] for note in verdict["notes"] if one["name"] in note["values"]] or one["total"]
        for one in verdict["rules"]
    }


def strokes(candidate: Asked) -> int:
    """The most notes of one pitch in a row."""
    tops = "".join(chr(max(note["pitches"])) for note in candidate["melody"]["notes"])
    return max(len(found[0]) for found in re.finditer(r"(.)\1*", tops, re.DOTALL))


def counted(client: Any, link: Asked) -> int:
    """In how many of the melodies of a link its rule speaks."""
    return sum(spoken(one, link["rule"]) != 0 for one in composed(client, link))


def test_a_melody_gets_stuck_as_the_sheet_says(client: Any) -> None:
    sheet = links("repetition")
    side_by_side = [link for link in sheet if "compare" in link]
    found = [[strokes(composed(client, link, model)[0]) for model in ("tunes", "tunes+rl")] for link in side_by_side]
    assert found == [[9, 2], [8, 31]]
    assert [counted(client, link) for link in sheet if link.get("count") == "16"] == [2, 3, 7]


def test_foreign_notes_are_as_the_sheet_says(client: Any) -> None:
    sheet = links("key")
    scale, pair, *counts = sheet[1], *(link for link in sheet if "primer" in link)
    assert judged(client, scale)["key"] == [3]
    assert [spoken(composed(client, pair, model)[0], "key") for model in ("tunes", "tunes+rl")] == [-5, 0]
    assert [counted(client, link) for link in counts] == [10, 2, 0]
    minor, elise = (link for link in sheet if link["key"] == "A minor")
    assert judged(client, minor)["key"] == 0
    assert judged(client, minor, "paper")["key"] == [6, 9, 13]
    assert judged(client, elise)["key"] == judged(client, elise, "paper")["key"] == [1, 3]


def test_the_model_holds_the_foreign_note_for_the_least_likely(client: Any) -> None:
    melody = typed(client, links("key")[2]["melody"], "C major")
    table = client.post("/api/probabilities", json={"model": "tunes", "melody": melody}).json()
    rows = [(note["onset"] // table["step_ticks"], note["pitches"][0] - table["low"]) for note in melody["notes"]]
    chances = [table["pitches"][row][column] for row, column in rows]
    assert chances.index(min(chances)) == 3


def test_motifs_return_as_the_sheet_says(client: Any) -> None:
    sheet = links("motif")
    slow, fast, song = sheet[1:4]
    assert judged(client, slow, "rl-tuner")["repeated_motif"] == [23, 24, 25]
    assert judged(client, fast, "rl-tuner")["repeated_motif"] == [7, 13, 25]
    verdict = judged(client, song)
    assert verdict["motif_return"] == [31]
    assert {"phrase_2", "phrase_4", "phrase_8"} <= {name for name, notes in verdict.items() if notes == [41]}
    assert judged(client, slow)["motif_return"] == 0
    assert [counted(client, link) for link in sheet if link.get("count") == "16"] == [2, 10]


@pytest.mark.parametrize("sheet", ["repetition", "key", "motif"])
def test_every_step_is_a_link(sheet: str) -> None:
    text = (LESSONS / f"{sheet}.md").read_text(encoding="utf-8")
    steps = re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]
    assert len(steps) >= 5
    assert all(LINK.search(step) for step in steps)
