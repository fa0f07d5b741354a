"""Scores, sound and files: what is seen, heard and taken away is the melody that was sent."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import mido
import numpy as np
import pypdfium2
import pytest
import soundfile
from fastapi.testclient import TestClient
from matplotlib.image import imread

from cantilena.io import midi_bytes, score_with_timemap
from cantilena.io.sound.piano import TAIL_SECONDS
from cantilena.music import Melody
from cantilena.studio.export.engraving import note_text
from cantilena.studio.export.pdf import page_extents as slices_of
from cantilena.studio.export.pdf import system_extents as _systems
from cantilena.studio.schemas.melody import MelodySchema


def melody_of(sent: dict[str, Any]) -> Melody:
    return MelodySchema.model_validate(sent).to_melody()


def test_the_score_is_the_engraver_s_with_every_note_in_it(client: TestClient, tune: Any) -> None:
    answer = client.post("/api/score", json={"melody": tune, "width": 700}).json()
    ours = score_with_timemap(melody_of(tune), width=700, heading=False)
    assert answer["svg"] == ours.svg
    assert [head["note"] for head in answer["notes"]] == [0, 1, 2, 3, 4, 5, 6]
    assert all(f'id="{head["id"]}"' in answer["svg"] for head in answer["notes"])
    assert [head["onset"] for head in answer["timemap"]] == pytest.approx([head.onset for head in ours.timemap])


def test_a_verdict_colours_notes_and_signs_tell_gain_from_loss(client: TestClient, tune: Any) -> None:
    verdict = client.post("/api/judge", json={"melodies": [tune], "rules": {"set": "rl-tuner"}}).json()["verdicts"][0]
    svg = client.post("/api/score", json={"melody": tune, "verdict": {**verdict, "rule": "key"}}).json()["svg"]
    losses = [one for one in ElementTree.fromstring(svg).iter() if one.get("class") == "note loss"]
    assert [one.get("data-note") for one in losses] == ["5"]  # F sharp is foreign to C major
    assert "−1" in "".join(losses[0].itertext())
    assert 'class="note gain"' not in svg


def test_no_text_of_a_person_becomes_markup(client: TestClient, tune: Any) -> None:
    evil = '<script>alert(1)</script>"]]>&'
    answer = client.post("/api/score", json={"melody": {**tune, "title": evil}, "heading": True}).json()
    root = ElementTree.fromstring(answer["svg"])
    assert evil in "".join(root.itertext())
    assert not [
        one for one in root.iter() if one.tag.endswith("script") or any(name[:2] == "on" for name in one.attrib)
    ]
    bad = {"note": 0, "values": {evil: 1}, "total": 1}
    svg = client.post("/api/score", json={"melody": tune, "verdict": {"rule": evil, "notes": [bad]}}).json()["svg"]
    assert "<script" not in svg


def frequency(sound: np.ndarray[Any, Any], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**18))
    # The fundamental: of the harmonics of a note, the product of the spectrum with itself, stretched, peaks there.
    product = spectrum[: len(spectrum) // 3] * spectrum[::2][: len(spectrum) // 3] * spectrum[::3][: len(spectrum) // 3]
    lowest = int(40 / rate * 2**18)
    return float((np.argmax(product[lowest:]) + lowest) * rate / 2**18)


def test_the_sound_is_as_long_as_the_melody_and_at_its_pitches(client: TestClient, tune: Any) -> None:
    answer = client.post("/api/sound", json={"melody": tune})
    assert answer.headers["content-type"] == "audio/wav"
    sound, rate = soundfile.read(io.BytesIO(answer.content))
    seconds = tune["length"] / 24 * 60 / 120
    assert len(sound) / rate == pytest.approx(seconds + TAIL_SECONDS, abs=0.01)
    for note in tune["notes"]:
        begin = int(note["onset"] / 48 * rate) + rate // 20
        heard = frequency(sound[begin : begin + rate * 2 // 5], rate)
        assert 12 * np.log2(heard / 440) + 69 == pytest.approx(note["pitches"][0], abs=0.5)
    later = client.post("/api/sound", json={"melody": tune, "from": 96})
    rest, _ = soundfile.read(io.BytesIO(later.content))
    assert len(rest) / rate == pytest.approx(seconds - 2.0 + TAIL_SECONDS, abs=0.01)


def test_one_note_sounds_and_may_be_kept_by_the_browser(client: TestClient) -> None:
    answer = client.get("/api/note/69.wav", params={"velocity": 100})
    sound, rate = soundfile.read(io.BytesIO(answer.content))
    assert frequency(sound[: rate // 2], rate) == pytest.approx(440, rel=0.01)
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/api/note/128.wav").status_code == 422
    assert client.get("/api/note/60.wav", params={"velocity": 0}).status_code == 422


def export(client: TestClient, ending: str, sent: dict[str, Any], **more: Any) -> bytes:
    answer = client.post(f"/api/export/{ending}", json={"melody": sent, **more})
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-disposition"] == f'attachment; filename="A-tune.{ending}"'
    return answer.content


def test_midi_holds_the_notes_for_another_reader_too(client: TestClient, tune: Any) -> None:
    content = export(client, "mid", tune)
    assert content == midi_bytes(melody_of(tune))
    file = mido.MidiFile(file=io.BytesIO(content))
    struck = [
        message.note for track in file.tracks for message in track if message.type == "note_on" and message.velocity
    ]
    assert struck == [note["pitches"][0] for note in tune["notes"]]


def test_what_was_written_can_be_read_again(client: TestClient, tune: Any) -> None:
    pytest.importorskip("music21")
    for ending in ("mid", "musicxml", "abc"):
        answer = client.post(
            "/api/read", params={"name": f"My tune.{ending.upper()}"}, content=export(client, ending, tune)
        )
        assert answer.status_code == 200, answer.text[:300]
        assert answer.json()["melody"]["notes"] == tune["notes"], ending
        assert answer.json()["notes"] == len(tune["notes"])


def test_an_expressive_melody_is_shaped_and_a_plain_one_is_not(client: TestClient, tune: Any) -> None:
    plain, shaped = (
        [
            message.velocity
            for message in mido.MidiFile(file=io.BytesIO(export(client, "mid", tune, expressive=expressive)))
            if message.type == "note_on" and message.velocity
        ]
        for expressive in (False, True)
    )
    assert len(plain) == len(shaped) == len(tune["notes"])
    assert len(set(plain)) == 1
    assert len(set(shaped)) > 2
    straight = client.post("/api/sound", json={"melody": tune}).content
    assert client.post("/api/sound", json={"melody": tune, "expressive": True}).content != straight
    assert export(client, "wav", tune) == straight


def test_abc_can_be_copied_as_text(client: TestClient, tune: Any) -> None:
    text = export(client, "abc", tune).decode()
    assert "\nX:1\nT:A tune\n" in text
    assert "K:C" in text


def of_png(content: bytes) -> np.ndarray[Any, Any]:
    """A picture as `(rows, columns)` of brightness, 0 to 1."""
    return np.asarray(imread(io.BytesIO(content)))[..., :3].mean(axis=-1)


def of_page(page: pypdfium2.PdfPage, scale: float) -> np.ndarray[Any, Any]:
    return page.render(scale=scale).to_numpy()[..., :3].mean(axis=-1) / 255.0


def blurred(picture: np.ndarray[Any, Any], rows: int, columns: int) -> np.ndarray[Any, Any]:
    """The darkness of a picture in so many fields."""
    down = np.linspace(0, picture.shape[0], rows, endpoint=False).astype(int)
    across = np.linspace(0, picture.shape[1], columns, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(1.0 - picture, down, axis=0), across, axis=1)
    return sums / (picture.size / (rows * columns))


def test_the_png_shows_staves_and_notes(client: TestClient, tune: Any) -> None:
    picture = of_png(export(client, "png", tune))
    assert picture.shape[1] == 1800
    dark = picture < 0.5
    assert 0.005 < dark.mean() < 0.2
    staff = dark[:, 50:750].mean(axis=1)
    assert (staff > 0.9).sum() >= 5  # five lines run through the three bars


def test_the_pdf_shows_the_same_as_the_png(client: TestClient, tune: Any) -> None:
    document = pypdfium2.PdfDocument(export(client, "pdf", tune))
    assert len(document) == 1
    page = document[0]
    assert page.get_size() == pytest.approx((595.28, 841.89), abs=0.1)
    shown = of_png(export(client, "png", tune))
    # The sheet is printed as wide as the page without its margins of 28 points.
    scale = 1800 / (595.28 - 56)
    margin = round(28 * scale)
    printed = of_page(page, scale)[margin : margin + shown.shape[0], margin : margin + 1800]
    # The title, at the top, is in other letters.
    small = [blurred(one, 50, 300)[15:] for one in (printed, shown)]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.9
    assert "A tune" in page.get_textpage().get_text_range()
    assert document.get_metadata_value("Title") == "A tune"


def test_a_long_score_is_cut_into_pages_between_its_systems(client: TestClient, sent: Any) -> None:
    long = sent(*[(60 + (number * 7) % 12, 12) for number in range(8 * 60)], title="A tune")
    document = pypdfium2.PdfDocument(export(client, "pdf", long))
    assert len(document) >= 2
    svg = score_with_timemap(melody_of(long), width=900).svg
    root = ElementTree.fromstring(svg)
    height = float(root.attrib["height"])
    slices = slices_of(_systems(root).values(), height, 1300.0)
    assert slices[0][0] == 0.0
    assert slices[-1][1] == height
    assert all(before[1] == after[0] for before, after in pairwise(slices))
    shown = of_png(export(client, "png", long)) < 0.5
    printed = [of_page(page, 2) < 0.5 for page in document]
    for dark in printed:  # every page begins at its top, and reaches from edge to edge
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        assert 40 < rows[0] < 160
        assert (columns[0], columns[-1]) == pytest.approx((80, 1110), abs=30)
    # A run of dark rows is a system or a part of one: none is lost where the sheet was cut, and none is drawn twice.
    scale = (595.28 - 2 * 28) / 900
    assert sum(dark.sum() for dark in printed) == pytest.approx(shown.sum() * scale**2, rel=0.25)


def test_titles_in_any_letters_can_be_printed(client: TestClient, tune: Any) -> None:
    answer = client.post("/api/export/pdf", json={"melody": {**tune, "title": "Песня № 1 — ♪"}})
    text = pypdfium2.PdfDocument(answer.content)[0].get_textpage().get_text_range()
    assert "Песня" in text
    assert answer.headers["content-disposition"] == 'attachment; filename="1.pdf"'


def test_typed_notes_are_checked_and_told_back(client: TestClient, tune: Any) -> None:
    answer = client.post("/api/primer", json={"text": " C4  Eb4/8 r/8 C4+E4/2. "}).json()
    assert answer["primer"] == "C4 D#4/8 r/8 C4+E4/2."
    assert [note["duration"] for note in answer["melody"]["notes"]] == [24, 12, 72]
    assert client.post("/api/primer", json={"text": "  "}).json()["notes"] == 0
    wrong = client.post("/api/primer", json={"text": "C4 D4/7 E4"})
    assert wrong.status_code == 422
    assert "D4/7" in wrong.json()["error"]
    again = client.post("/api/primer", json={"text": note_text(melody_of(tune))}).json()
    assert again["melody"]["notes"] == tune["notes"]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("tune.exe", b"MZ", "not a file of music"),
        ("tune", b"MThd", "not a file of music"),
        ("../../etc/passwd", b"root", "not a file of music"),
        ("tune.mid", b"", "empty"),
        ("tune.mid", b"MThd", ""),
        ("tune.mid", b"\x00" * 5000, ""),
        ("tune.mid", b"MThd\x00\x00\x00\x06\x00\x01\xff\xff\x01\xe0" + b"MTrk\xff\xff\xff\xff" * 50, ""),
        ("tune.mid", b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk\0\0\0\4\0\xff\x2f\0", ""),
        ("tune.musicxml", b"<score-partwise", ""),
        ("tune.musicxml", b"\xff\xfe" * 100, ""),
        ("tune.musicxml", b"<?xml version='1.0'?><html/>", ""),
        (
            "tune.xml",
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><score-partwise><work>&x;</work></score-partwise>',
            "",
        ),
        ("tune.mxl", b"PK\x03\x04 no zip", ""),
        ("tune.abc", b"X:1\nK:C\n" + b"[" * 10_000, ""),
        ("tune.krn", b"**kern\n" * 1000, ""),
    ],
)
def test_broken_files_are_answered_with_a_sentence(client: TestClient, name: str, content: bytes, word: str) -> None:
    pytest.importorskip("music21")
    answer = client.post("/api/read", params={"name": name}, content=content)
    assert answer.status_code == 422, answer.text[:300]
    assert set(answer.json()) == {"error", "hint"}
    assert word in answer.json()["error"]
    assert "/tmp" not in answer.text
    assert "root:" not in answer.text


def test_a_file_that_cannot_be_put_aside_is_a_sentence(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    answer = client.post("/api/read", params={"name": "a.mid"}, content=b"MThd")
    assert answer.status_code == 503
    assert "put aside" in answer.json()["error"]


def bomb() -> bytes:
    """A small compressed MusicXML file of a gigabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
        )
        with archive.open("a.xml", "w", force_zip64=True) as inner:
            inner.write(b"<score-partwise>")
            for _ in range(600):
                inner.write(b" " * 2**20)
    return file.getvalue()


def laughter() -> bytes:
    """Entities within entities: a few bytes that want to be a gigabyte."""
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE a [<!ENTITY l0 "ha">{levels}]><score-partwise><work>&l9;</work></score-partwise>'.encode()


@pytest.mark.parametrize(("name", "made"), [("a.mxl", bomb), ("a.musicxml", laughter)])
def test_small_files_that_become_large_do_no_harm(client: TestClient, name: str, made: Any) -> None:
    pytest.importorskip("music21")
    content = made()
    assert len(content) < 2**20
    answer = client.post("/api/read", params={"name": name}, content=content)
    assert answer.status_code == 422, answer.text[:300]
    assert client.get("/api/rules").status_code == 200


def test_a_long_file_is_cut_to_what_a_request_may_hold(client: TestClient) -> None:
    tune = Melody.of([(60 + number % 12, 12) for number in range(5000)])
    answer = client.post("/api/read", params={"name": "long.mid"}, content=midi_bytes(tune)).json()
    assert 0 < answer["notes"] <= 2000
    assert MelodySchema.model_validate(answer["melody"]).to_melody().bars <= 200
