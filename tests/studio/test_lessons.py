"""The numbers in the lessons are those of the models that ship with Cantilena."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from fastapi.testclient import TestClient

from .conftest import Json, candidates

LESSONS = Path(__file__).resolve().parents[2] / "docs" / "lessons"
LINK = re.compile(r"http://127\.0\.0\.1:8000/#(\S+?)\)")


def numbers(lesson: str, pattern: str) -> list[int]:
    """The numbers that a lesson says, where a pattern has groups."""
    found = re.findall(pattern, " ".join((LESSONS / f"{lesson}.md").read_text(encoding="utf-8").split()))
    assert found, f"the lesson {lesson} does not say {pattern}"
    return [int(number) for one in found for number in ([one] if isinstance(one, str) else one)]


def links(lesson: str) -> list[Json]:
    """The parameters of the links of a lesson."""
    text = (LESSONS / f"{lesson}.md").read_text(encoding="utf-8")
    return [{name: one for name, (one, *_) in parse_qs(found).items()} for found in LINK.findall(text)]


def parse_notes(client: TestClient, text: str, key: str) -> Json:
    return {**client.post("/api/primer", json={"text": text}).json()["melody"], "key": key}


def compose(client: TestClient, link: Json, model: str = "") -> list[Json]:
    """The candidates that the page shows for a link."""
    numbers = {name: int(link[name]) for name in ("bars", "count", "seed")}
    idea = parse_notes(client, link["primer"], link["key"])
    more = {"temperature": float(link.get("temperature", 1)), "constrain": link.get("constrain", "")}
    body = {"model": model or link["model"], "idea": idea, "key": link["key"], "greedy": "greedy" in link}
    return candidates(client, "compose", **body, **numbers, **more)


def rule_total(candidate: Json, rule: str) -> float:
    return float(next(one["total"] for one in candidate["verdict"]["rules"] if one["name"] == rule))


def judge(client: TestClient, link: Json, rule_set: str = "cantilena") -> Json:
    """For each rule the numbers of the notes that it affects, or its total if there are none."""
    melody = parse_notes(client, link["melody"], link["key"])
    verdict = client.post("/api/judge", json={"melodies": [melody], "rules": {"set": rule_set}}).json()["verdicts"][0]
    return {
        one["name"]: [note["note"] for note in verdict["notes"] if one["name"] in note["values"]] or one["total"]
        for one in verdict["rules"]
    }


def longest_run(candidate: Json) -> int:
    """The length of the longest run of one pitch."""
    tops = "".join(chr(max(note["pitches"])) for note in candidate["melody"]["notes"])
    return max(len(found[0]) for found in re.finditer(r"(.)\1*", tops, re.DOTALL))


def count_affected(client: TestClient, link: Json) -> int:
    """The number of melodies of a link that its rule affects."""
    return sum(rule_total(one, link["rule"]) != 0 for one in compose(client, link))


@pytest.mark.e2e
def test_melodies_get_stuck_as_the_lesson_says(client: TestClient) -> None:
    steps = links("repetition")
    side_by_side = [link for link in steps if "compare" in link]
    found = [longest_run(compose(client, link, model)[0]) for link in side_by_side for model in ("tunes", "tunes+rl")]
    said = numbers("repetition", r"has (\d+) notes with the plain model, and (\d+) with the tuned one")
    assert found == said + numbers("repetition", r"it is the other way round: (\d+) and (\d+)")
    assert found[0] > 4 > found[1]
    assert found[2] < 4 < found[3]
    assert [count_affected(client, link) for link in steps if link.get("count") == "16"] == numbers(
        "repetition", r"(\d+) of 16"
    )


@pytest.mark.e2e
def test_notes_outside_the_key_are_as_the_lesson_says(client: TestClient) -> None:
    steps = links("key")
    scale, pair, *counts = steps[1], *(link for link in steps if "primer" in link)
    assert judge(client, scale)["key"] == [3]
    (outside,) = numbers("key", r"(\d+) notes outside the key on the left, none on the right")
    assert [rule_total(compose(client, pair, model)[0], "key") for model in ("tunes", "tunes+rl")] == [-outside, 0]
    assert outside > 1
    assert [count_affected(client, link) for link in counts] == [*numbers("key", r"(\d+) of 16"), 0]
    minor, elise = (link for link in steps if link["key"] == "A minor")
    assert judge(client, minor)["key"] == 0
    assert judge(client, minor, "paper")["key"] == [6, 9, 13]
    assert judge(client, elise)["key"] == judge(client, elise, "paper")["key"] == [1, 3]


def test_the_note_outside_the_key_is_the_least_likely(client: TestClient) -> None:
    melody = parse_notes(client, links("key")[2]["melody"], "C major")
    table = client.post("/api/probabilities", json={"model": "tunes", "melody": melody}).json()
    rows = [(note["onset"] // table["step_ticks"], note["pitches"][0] - table["low"]) for note in melody["notes"]]
    chances = [table["pitches"][row][column] for row, column in rows]
    assert chances.index(min(chances)) == 3


def test_motifs_return_as_the_lesson_says(client: TestClient) -> None:
    steps = links("motif")
    slow, fast, song = steps[1:4]
    assert judge(client, slow, "rl-tuner")["repeated_motif"] == [23, 24, 25]
    assert judge(client, fast, "rl-tuner")["repeated_motif"] == [7, 13, 25]
    verdict = judge(client, song)
    assert verdict["motif_return"] == [31]
    assert {"phrase_2", "phrase_4", "phrase_8"} <= {name for name, notes in verdict.items() if notes == [41]}
    assert judge(client, slow)["motif_return"] == 0
    plain, tuned = (count_affected(client, link) for link in steps if link.get("count") == "16")
    assert [plain, tuned] == numbers("motif", r"(\d+) of 16")
    assert plain < tuned


@pytest.mark.parametrize("lesson", ["repetition", "key", "motif"])
def test_every_step_has_a_link(lesson: str) -> None:
    text = (LESSONS / f"{lesson}.md").read_text(encoding="utf-8")
    steps = re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]
    assert len(steps) >= 5
    assert all(LINK.search(step) for step in steps)
