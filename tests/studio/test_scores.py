"""Scores, sound, its timing, and predictions belong to the melody of the request."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from cantilena.generation import harmonise
from cantilena.io import (
    INSTRUMENTS,
    PATTERNS,
    InstrumentName,
    Pattern,
    accompaniment,
    midi_bytes,
    perform,
    render_note,
    score_with_timemap,
    wav_bytes,
)
from cantilena.io.sound.accompaniment import ACCOMPANIMENT_VELOCITY
from cantilena.io.sound.render import TAIL_SECONDS
from cantilena.music import Key, Melody
from cantilena.studio.export.engraving import note_text
from cantilena.studio.schemas.melody import MelodySchema

from .conftest import Json, candidates, melody_json, to_melody


@pytest.fixture
def phrases() -> Json:
    """Eight bars in two phrases, with rests between the notes, so that each can be found in the sound."""
    phrase = [(60, 24), (None, 24), (67, 24), (None, 24)] * 3 + [(64, 24), (None, 72)]
    return melody_json(*phrase, *phrase)


def test_melodies_survive_the_conversion_to_json() -> None:
    melody = Melody.from_pitches(
        [(60, 24), (None, 12), ((60, 64, 67), 12)], key=Key.parse("Bb minor"), title="ÿ", pickup=24
    )
    assert MelodySchema.from_melody(melody).to_melody() == melody


# --- score ---


def test_the_score_contains_every_note(client: TestClient, tune: Json) -> None:
    answer = client.post("/api/score", json={"melody": tune, "width": 700}).json()
    ours = score_with_timemap(to_melody(tune), width=700, heading=False)
    assert answer["svg"] == ours.svg
    assert [head["note"] for head in answer["notes"]] == [0, 1, 2, 3, 4, 5, 6]
    assert all(f'id="{head["id"]}"' in answer["svg"] for head in answer["notes"])
    assert [head["onset"] for head in answer["timemap"]] == pytest.approx([head.onset for head in ours.timemap])


def test_a_verdict_marks_notes_by_colour_and_sign(client: TestClient, tune: Json) -> None:
    verdict = client.post("/api/judge", json={"melodies": [tune], "rules": {"set": "rl-tuner"}}).json()["verdicts"][0]
    svg = client.post("/api/score", json={"melody": tune, "verdict": {**verdict, "rule": "key"}}).json()["svg"]
    losses = [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == "note loss"]
    assert [element.get("data-note") for element in losses] == ["5"]  # F sharp is not in C major
    assert "−1" in "".join(losses[0].itertext())
    assert 'class="note gain"' not in svg


def test_no_text_of_a_request_becomes_markup(client: TestClient, tune: Json) -> None:
    evil = '<script>alert(1)</script>"]]>&'
    answer = client.post("/api/score", json={"melody": {**tune, "title": evil}, "heading": True}).json()
    root = ElementTree.fromstring(answer["svg"])
    assert evil in "".join(root.itertext())
    for element in root.iter():
        assert not element.tag.endswith("script")
        assert not any(name.startswith("on") for name in element.attrib)
    bad = {"note": 0, "values": {evil: 1}, "total": 1}
    svg = client.post("/api/score", json={"melody": tune, "verdict": {"rule": evil, "notes": [bad]}}).json()["svg"]
    assert "<script" not in svg


# --- sound ---


def fundamental(sound: np.ndarray, rate: int) -> float:
    """The frequency of a note, by the harmonic product spectrum."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**18))
    product = spectrum[: len(spectrum) // 3] * spectrum[::2][: len(spectrum) // 3] * spectrum[::3][: len(spectrum) // 3]
    lowest = int(40 / rate * 2**18)
    return float((np.argmax(product[lowest:]) + lowest) * rate / 2**18)


def test_the_sound_has_the_length_and_the_pitches_of_the_melody(client: TestClient, tune: Json) -> None:
    answer = client.post("/api/sound", json={"melody": tune})
    assert answer.headers["content-type"] == "audio/wav"
    sound, rate = soundfile.read(io.BytesIO(answer.content))
    seconds = tune["length"] / 24 * 60 / 120
    assert len(sound) / rate == pytest.approx(seconds + TAIL_SECONDS, abs=0.01)
    for note in tune["notes"]:
        start = int(note["onset"] / 48 * rate) + rate // 20
        frequency = fundamental(sound[start : start + rate * 2 // 5], rate)
        assert 12 * np.log2(frequency / 440) + 69 == pytest.approx(note["pitches"][0], abs=0.5)
    part, _ = soundfile.read(io.BytesIO(client.post("/api/sound", json={"melody": tune, "from": 96}).content))
    assert len(part) / rate == pytest.approx(seconds - 2.0 + TAIL_SECONDS, abs=0.01)


@pytest.mark.parametrize("expressive", [False, True])
def test_the_sound_is_that_of_exported_files(client: TestClient, phrases: Json, expressive: bool) -> None:
    content = client.post("/api/sound", json={"melody": phrases, "expressive": expressive}).content
    assert content == wav_bytes(to_melody(phrases), expressive=expressive)


def test_single_notes_can_be_cached(client: TestClient) -> None:
    answer = client.get("/api/note/69.wav", params={"velocity": 100})
    sound, rate = soundfile.read(io.BytesIO(answer.content))
    assert fundamental(sound[: rate // 2], rate) == pytest.approx(440, rel=0.01)
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/api/note/128.wav").status_code == 422
    assert client.get("/api/note/60.wav", params={"velocity": 0}).status_code == 422


@pytest.mark.parametrize("instrument", ["plucked", "flute", "strings", "organ"])
def test_other_instruments_play(client: TestClient, phrases: Json, instrument: InstrumentName) -> None:
    body = {"melody": phrases, "instrument": instrument, "accompaniment": "none"}
    content = client.post("/api/sound", json=body).content
    assert content == wav_bytes(to_melody(phrases), instrument=instrument, pattern="none")
    assert content == client.post("/api/export/wav", json=body).content
    answer = client.get("/api/note/69.wav", params={"instrument": instrument})
    sound, _ = soundfile.read(io.BytesIO(answer.content))
    assert np.abs(sound - render_note(69, instrument=instrument)).max() < 1e-4
    midi = client.post("/api/export/mid", json=body).content
    assert midi == midi_bytes(to_melody(phrases), instrument=instrument)
    assert client.post("/api/sound", json={**body, "instrument": "kazoo"}).status_code == 422
    assert client.get("/api/note/69.wav", params={"instrument": "kazoo"}).status_code == 422


def test_the_instruments_are_listed(client: TestClient) -> None:
    answer = client.get("/api/instruments").json()
    assert [one["name"] for one in answer["instruments"]] == list(INSTRUMENTS)
    assert {one["name"]: one["chords"] for one in answer["instruments"]}["flute"] == "piano"
    assert answer["accompaniments"] == list(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_chords_are_played_in_each_pattern(client: TestClient, tune: Json, pattern: Pattern) -> None:
    melody = {**tune, "chords": [{"onset": 0, "symbol": "C"}, {"onset": 96, "symbol": "G7"}]}
    answer = client.post("/api/accompaniment", json={"melody": melody, "pattern": pattern}).json()
    ours = accompaniment(to_melody(melody), pattern)
    assert [(note["onset"], note["duration"], tuple(note["pitches"])) for note in answer["notes"]] == [
        (note.onset, note.duration, note.pitches) for note in ours
    ]
    assert answer["velocity"] == ACCOMPANIMENT_VELOCITY
    body = {"melody": melody, "accompaniment": pattern}
    assert client.post("/api/sound", json=body).content == wav_bytes(to_melody(melody), pattern=pattern)
    assert client.post("/api/export/mid", json=body).content == midi_bytes(to_melody(melody), pattern=pattern)
    assert client.post("/api/sound", json={**body, "accompaniment": "walz"}).status_code == 422


def test_a_melody_without_chords_has_no_accompaniment(client: TestClient, tune: Json) -> None:
    assert client.post("/api/accompaniment", json={"melody": tune}).json()["notes"] == []


# --- timing ---


def timing(client: TestClient, melody: Json, **body: object) -> Json:
    answer = client.post("/api/timing", json={"melody": melody, **body})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_a_plain_melody_sounds_as_written(client: TestClient, tune: Json) -> None:
    found = timing(client, tune)
    assert [(note["onset"], note["end"]) for note in found["notes"]] == [
        (note["onset"] / 48, (note["onset"] + note["duration"]) / 48) for note in tune["notes"]
    ]
    assert [note["note"] for note in found["notes"]] == list(range(len(tune["notes"])))
    assert found["clock"] == [{"tick": 0, "seconds": 0}, {"tick": tune["length"], "seconds": tune["length"] / 48}]


@pytest.mark.parametrize("first", [0, 24, 4 * 96])
def test_expressive_times_are_those_of_the_performance(client: TestClient, phrases: Json, first: int) -> None:
    found = timing(client, phrases, expressive=True, **{"from": first})
    ours = perform(to_melody(phrases))
    numbers = [number for number, note in enumerate(phrases["notes"]) if note["onset"] >= first]
    start = ours.tempo.seconds(first)
    assert [note["note"] for note in found["notes"]] == numbers
    for name, times in (("onset", ours.onsets), ("end", ours.ends)):
        expected = [times[number] - start for number in numbers]
        assert [note[name] for note in found["notes"]] == pytest.approx(expected, abs=1e-5)
    assert [note["velocity"] for note in found["notes"]] == [ours.velocities[number] for number in numbers]
    assert found["seconds"] == pytest.approx(ours.seconds - start, abs=1e-5)


@pytest.mark.parametrize("first", [0, 2 * 96])
def test_notes_sound_when_the_timing_says(client: TestClient, phrases: Json, first: int) -> None:
    body = {"expressive": True, "from": first}
    found = timing(client, phrases, **body)
    content = client.post("/api/sound", json={"melody": phrases, **body}).content
    sound, rate = soundfile.read(io.BytesIO(content))
    assert len(sound) / rate == pytest.approx(found["seconds"] + TAIL_SECONDS, abs=0.01)
    width = rate // 100
    loudness = np.sqrt(np.convolve(sound**2, np.ones(width) / width, mode="full"))
    for note in found["notes"]:
        at = round(note["onset"] * rate)
        before = loudness[max(at - width, 0)] if at else 0.0
        assert loudness[at + 3 * width] > 2 * before + 1e-3


def test_the_clock_maps_ticks_to_seconds(client: TestClient, phrases: Json) -> None:
    found = timing(client, phrases, expressive=True)
    ticks, seconds = ([point[name] for point in found["clock"]] for name in ("tick", "seconds"))
    assert all(a < b for a, b in pairwise(ticks))
    assert all(a < b for a, b in pairwise(seconds))
    onsets = [note["onset"] for note in phrases["notes"]]
    assert [note["onset"] for note in found["notes"]] == pytest.approx(np.interp(onsets, ticks, seconds), abs=1e-5)


def test_nothing_sounds_beyond_the_end(client: TestClient, tune: Json) -> None:
    for melody, first in ((tune, tune["length"]), (tune, 10**6), (melody_json(), 0)):
        for expressive in (False, True):
            found = timing(client, melody, expressive=expressive, **{"from": first})
            assert (found["seconds"], found["notes"]) == (0, [])
            assert client.post("/api/sound", json={"melody": melody, "from": first}).status_code == 200


# --- predictions ---


def test_predictions_are_given_step_by_step(client: TestClient, tune: Json) -> None:
    body = {"model": "tunes", "melody": tune}
    table = client.post("/api/probabilities", json=body).json()
    steps = tune["length"] // table["step_ticks"]
    assert len(table["pitches"]) == len(table["off"]) == len(table["hold"]) == steps + 1
    assert len(table["names"]) == table["high"] - table["low"] + 1 == len(table["pitches"][0])
    sums = np.array(table["off"]) + np.array(table["hold"]) + np.array(table["pitches"]).sum(axis=1)
    assert np.allclose(sums, 1.0, atol=1e-4)
    assert table["names"][60 - table["low"]] == "C4"
    flat = client.post("/api/probabilities", json={**body, "temperature": 50}).json()
    assert max(flat["pitches"][-1]) < max(table["pitches"][-1])
    empty = client.post("/api/probabilities", json={"melody": melody_json()}).json()
    assert len(empty["pitches"]) == 1


@pytest.mark.parametrize("model", ["tunes+rl", "tunes", "tunes+rl-tuner"])
@pytest.mark.parametrize(
    "more", [{"key": "G major"}, {"key": "A major", "style": "oneill"}, {"primer": "C4 E4/8 G4/8"}]
)
def test_predictions_for_a_composition_are_its_probabilities(client: TestClient, model: str, more: Json) -> None:
    (candidate,) = candidates(client, "compose", model=model, bars=4, seed=6, **more)
    melody, chances = candidate["melody"], candidate["probabilities"]
    body = {"model": model, "melody": melody, "conditioning": candidate["conditioning"]}
    table = client.post("/api/probabilities", json=body).json()
    assert sum(chance is None for chance in chances) == (3 if "primer" in more else 0)
    rows = [note["onset"] // table["step_ticks"] for note in melody["notes"]]
    for note, row, chance, predicted in zip(melody["notes"], rows, chances, table["notes"], strict=True):
        if chance is not None:
            assert predicted == pytest.approx(chance, abs=1e-4)
        if rows.count(row) == 1:  # of several notes that begin in one sixteenth the table has the last
            assert table["pitches"][row][note["pitches"][0] - table["low"]] == predicted


@pytest.mark.parametrize("model", ["tunes+rl", "tunes+rl-tuner"])
def test_predictions_for_a_rewritten_melody_are_its_probabilities(
    client: TestClient, model: str, phrases: Json
) -> None:
    (candidate,) = candidates(client, "rewrite", model=model, melody=phrases, first=2, last=3, seed=6)
    body = {"model": model, "melody": candidate["melody"], "conditioning": candidate["conditioning"]}
    predicted = client.post("/api/probabilities", json=body).json()["notes"]
    drawn = [(one, p) for one, p in zip(predicted, candidate["probabilities"], strict=True) if p is not None]
    assert drawn
    assert [one for one, _ in drawn] == pytest.approx([p for _, p in drawn], abs=1e-4)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"style_id": 100}, "no style 100"),
        ({"register_id": 100}, "register_id"),
        ({"form": "A4-B4"}, "form"),
        ({"form": "A4", "ending": "sudden"}, "ending"),
        ({"semitones": -100}, ""),
        ({"length": -1}, "length"),
        ({"mood": 1}, "mood"),
    ],
)
@pytest.mark.parametrize("model", ["tunes+rl", "tunes+rl-tuner"])
def test_what_cannot_have_been_told_is_rejected(
    client: TestClient, tune: Json, model: str, given: Json, error: str
) -> None:
    answer = client.post("/api/probabilities", json={"model": model, "melody": tune, "conditioning": given})
    assert answer.status_code == 422
    assert error in answer.json()["error"]


@pytest.mark.parametrize("model", ["tunes+rl", "tunes+rl-tuner", "piano"])
def test_a_form_and_a_length_of_another_melody_do_no_harm(client: TestClient, tune: Json, model: str) -> None:
    for given in ({"length": 7, "form": "A1"}, {"length": 10**5, "form": "A99A'99", "register_id": 20}):
        table = client.post("/api/probabilities", json={"model": model, "melody": tune, "conditioning": given}).json()
        sums = np.array(table["off"]) + np.array(table["hold"]) + np.array(table["pitches"]).sum(axis=1)
        assert np.allclose(sums, 1.0, atol=1e-4)


# --- notes as text ---


def test_notes_as_text_are_parsed(client: TestClient, tune: Json) -> None:
    answer = client.post("/api/primer", json={"text": " C4  Eb4/8 r/8 C4+E4/2. "}).json()
    assert answer["primer"] == "C4 D#4/8 r/8 C4+E4/2."
    assert [note["duration"] for note in answer["melody"]["notes"]] == [24, 12, 72]
    assert client.post("/api/primer", json={"text": "  "}).json()["notes"] == 0
    wrong = client.post("/api/primer", json={"text": "C4 D4/7 E4"})
    assert wrong.status_code == 422
    assert "D4/7" in wrong.json()["error"]
    again = client.post("/api/primer", json={"text": note_text(to_melody(tune))}).json()
    assert again["melody"]["notes"] == tune["notes"]


def test_harmonies_of_a_melody_are_those_of_python(client: TestClient) -> None:
    melody = melody_json((60, 24), (64, 24), (67, 48), (65, 24), (62, 24), (60, 48))
    body = {"melody": melody, "style": "chorale", "every": "half-bar", "count": 3, "seed": 4}
    found = client.post("/api/harmonise", json=body).json()["harmonies"]
    mine = harmonise(to_melody(melody), 3, style="chorale", every="half-bar", seed=4)
    assert [row["chords"] for row in found] == [one.chords_json() for one in mine]
    assert found[0]["melody"]["chords"] == [{"onset": tick, "symbol": str(chord)} for tick, chord in mine[0].chords]
    score = client.post("/api/score", json={"melody": found[0]["melody"]}).json()
    assert score["svg"] != client.post("/api/score", json={"melody": melody}).json()["svg"]
    sound, plain = (client.post("/api/sound", json={"melody": one}).content for one in (found[0]["melody"], melody))
    assert sound != plain


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"style": "jazz"}, 422), ({"count": 17}, 422), ({"melody": {"notes": []}}, 422), ({"every": "year"}, 422)],
)
def test_what_cannot_be_harmonised_is_refused(client: TestClient, changes: dict[str, Any], status: int) -> None:
    body = {"melody": melody_json((60, 24), (64, 24)), **changes}
    assert client.post("/api/harmonise", json=body).status_code == status


def test_chords_are_put_over_a_melody_bar_by_bar(client: TestClient, phrases: Json) -> None:
    bars = ["Am", "F", "C C C G7/B", "", "N.C.", "%", "Dm7 G7", "C"]
    lane = client.post("/api/chords", json={"melody": phrases, "bars": bars}).json()
    assert lane["bars"] == ["Am", "F", "C C C G7/B", "", "N.C.", "", "Dm7 G7", "C"]
    onsets = [(chord["onset"], chord["symbol"], chord["roman"]) for chord in lane["chords"]]
    assert onsets == [
        (0, "Am", "vi"), (96, "F", "IV"), (192, "C", "I"), (264, "G7/B", "V65"), (384, "N.C.", "N.C."),
        (576, "Dm7", "ii7"), (624, "G7", "V7"), (672, "C", "I"),
    ]  # fmt: skip
    again = client.post("/api/chords", json={"melody": lane["melody"]}).json()
    assert again == lane
    assert lane["melody"]["notes"] == phrases["notes"]
    assert {one["origin"] for one in lane["palette"]} == {"diatonic", "borrowed", "applied dominant"}
    without = client.post("/api/chords", json={"melody": lane["melody"], "bars": [""] * 8}).json()
    assert without["melody"]["chords"] == []


def test_chords_are_counted_from_the_first_barline(client: TestClient) -> None:
    melody = melody_json((67, 24), (60, 96), (62, 72), pickup=24)
    lane = client.post("/api/chords", json={"melody": melody, "bars": ["C", "G"]}).json()
    assert [chord["onset"] for chord in lane["chords"]] == [24, 120]
    assert lane["bars"] == ["C", "G"]


@pytest.mark.parametrize(
    ("bars", "error"),
    [
        (["C", "H7"], "in bar 2, 'H7' is not a chord symbol"),
        (["C"] * 9, "the melody has 8"),
        (["C | F"], "bar 1 has several"),
        (["C F G Am Dm"], "in bar 1, 5 chords cannot share a bar"),
    ],
)
def test_what_is_no_chord_is_said_with_its_bar(client: TestClient, phrases: Json, bars: list[str], error: str) -> None:
    answer = client.post("/api/chords", json={"melody": phrases, "bars": bars})
    assert answer.status_code == 422
    assert error in answer.json()["error"]
