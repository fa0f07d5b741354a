"""The numbers in the lessons are those of the models that ship with Cantilena."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from fastapi.testclient import TestClient

from cantilena.music import Chord

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
    numbers = {"total_bars": int(link["bars"]), "count": int(link["count"]), "seed": int(link["seed"])}
    idea = parse_notes(client, link.get("primer", ""), link["key"])
    more = {"temperature": float(link.get("temperature", 1)), "constrain": link.get("constrain", "")}
    more |= {name: link[name] for name in ("meter", "form", "ending", "chords") if name in link}
    if "cadences" in link:
        more["cadences"] = link["cadences"].split(",")
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


def with_chords(client: TestClient, melody: Json, chords: str) -> Json:
    """A melody with the chords of a link over it."""
    answer = client.post("/api/chords", json={"melody": melody, "bars": chords.split("|")})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["melody"]
    return found


def crosses(melody: Json) -> tuple[int, int]:
    """The notes outside their chord, and all notes over a chord."""
    marks = []
    for note in melody["notes"]:
        sounding = [chord["symbol"] for chord in melody["chords"] if chord["onset"] <= note["onset"]]
        if sounding:
            marks.append(not {pitch % 12 for pitch in note["pitches"]} <= set(Chord.parse(sounding[-1]).pitch_classes))
    return sum(marks), len(marks)


@pytest.mark.e2e
def test_chords_are_as_the_lesson_says(client: TestClient) -> None:
    song, _, other, bare, over, without, of_key, borrowed = links("chords")
    tune = parse_notes(client, song["melody"], song["key"])
    assert crosses(with_chords(client, tune, song["chords"])) == (0, 42)
    assert list(crosses(with_chords(client, tune, other["chords"]))) == numbers(
        "chords", r"Step 3: (\d+) of (\d+) notes"
    )
    body = {"melody": parse_notes(client, bare["melody"], bare["key"]), "style": "chorale", "every": "half-bar"}
    suggested = client.post("/api/harmonise", json=body).json()["harmonies"][0]["chords"]
    assert [len(suggested)] == numbers("chords", r"suggestion has (\d+) chords")
    assert [chord["roman"] for chord in suggested[-2:]] == ["V7", "I"]
    told = crosses(compose(client, over)[0]["melody"])
    untold = crosses(with_chords(client, compose(client, without)[0]["melody"], over["chords"]))
    assert [*told, *untold] == numbers("chords", r"Step 5: (\d+) of (\d+) notes .* and (\d+) of (\d+) in the other")
    said = numbers("chords", r"over F there are (\d+) notes A in the four melodies, over F minor (\d+)")
    assert [count_over(compose(client, link), symbol, 9) for link, symbol in ((of_key, "F"), (borrowed, "Fm"))] == said
    assert count_over(compose(client, borrowed), "Fm", 8) < 3


def count_over(found: list[Json], symbol: str, pitch_class: int) -> int:
    """The notes of a pitch class that begin over a chord."""
    count = 0
    for melody in (candidate["melody"] for candidate in found):
        for note in melody["notes"]:
            sounding = [chord["symbol"] for chord in melody["chords"] if chord["onset"] <= note["onset"]]
            count += sounding[-1:] == [symbol] and note["pitches"][-1] % 12 == pitch_class
    return count


def section(melody: Json, first: int, last: int) -> list[tuple[int, int, int]]:
    """The onset, duration and pitch of the notes in bars of 4/4, counted from the first of them."""
    start, end = (first - 1) * 96, last * 96
    notes = [note for note in melody["notes"] if start <= note["onset"] < end]
    return [(note["onset"] - start, note["duration"], note["pitches"][-1]) for note in notes]


@pytest.mark.e2e
def test_forms_are_as_the_lesson_says(client: TestClient) -> None:
    song, period, full, half, open_end, whole, planned, free, _ = links("form")
    tune = parse_notes(client, song["melody"], song["key"])
    assert section(tune, 1, 4) == section(tune, 9, 12)
    assert section(tune, 5, 6) == section(tune, 7, 8)
    melody = compose(client, period)[0]["melody"]
    asks, answers = section(melody, 1, 4), section(melody, 5, 8)
    assert (asks[-1][2] % 12, answers[-1][2] % 12) == (7, 0)
    common = numbers("form", r"(\d+) of the (\d+) notes of the second phrase")
    assert [sum(note in asks for note in answers), len(answers)] == common
    ends = [
        [one["melody"]["notes"][-1]["pitches"][-1] % 12 for one in compose(client, link)]
        for link in (full, half, open_end)
    ]
    assert ends == [[0] * 4, [11, 7, 7, 2], [4, 9, 9, 9]]
    melody = compose(client, whole)[0]["melody"]
    parts = [section(melody, first, first + 3) for first in (1, 5, 9, 13)]
    assert parts[0] == parts[1] == parts[3]
    both = [len(parts[0]) + len(parts[2]), len(parts[0]), len(parts[2])]
    assert both == numbers("form", r"(\d+) notes: (\d+) of A, and (\d+) of B")
    assert [count_affected(client, link) for link in (planned, free)] == numbers("form", r"(\d+) of 16")


@pytest.mark.parametrize("lesson", ["repetition", "key", "motif", "chords", "form"])
def test_every_step_has_a_link(lesson: str) -> None:
    text = (LESSONS / f"{lesson}.md").read_text(encoding="utf-8")
    steps = re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]
    assert len(steps) >= 5
    assert all(LINK.search(step) for step in steps)
