"""Exported files contain the melody, and uploaded ones do no harm."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import mido
import numpy as np
import pypdfium2
import pytest
from fastapi.testclient import TestClient
from matplotlib.image import imread

from cantilena.io import midi_bytes, score_with_timemap
from cantilena.music import Key, Melody
from cantilena.studio.export.engraving import EngravingTask, engrave
from cantilena.studio.export.pdf import page_extents, system_extents

from .conftest import Json, melody_json, to_melody


def export(client: TestClient, suffix: str, melody: Json, **more: object) -> bytes:
    answer = client.post(f"/api/export/{suffix}", json={"melody": melody, **more})
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-disposition"] == f'attachment; filename="A-tune.{suffix}"'
    return answer.content


def velocities(midi: bytes) -> list[int]:
    messages = mido.MidiFile(file=io.BytesIO(midi))
    return [message.velocity for message in messages if message.type == "note_on" and message.velocity]


def test_another_reader_finds_the_notes_in_the_midi_file(client: TestClient, tune: Json) -> None:
    content = export(client, "mid", tune)
    assert content == midi_bytes(to_melody(tune))
    messages = [message for track in mido.MidiFile(file=io.BytesIO(content)).tracks for message in track]
    pitches = [message.note for message in messages if message.type == "note_on" and message.velocity]
    assert pitches == [note["pitches"][0] for note in tune["notes"]]


@pytest.mark.parametrize("suffix", ["mid", "musicxml", "abc"])
def test_exported_files_can_be_read_again(client: TestClient, tune: Json, suffix: str) -> None:
    content = export(client, suffix, tune)
    answer = client.post("/api/read", params={"name": f"My tune.{suffix.upper()}"}, content=content)
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json()["melody"]["notes"] == tune["notes"]
    assert answer.json()["notes"] == len(tune["notes"])


def test_expressive_files_vary_in_velocity(client: TestClient, tune: Json) -> None:
    plain, expressive = (velocities(export(client, "mid", tune, expressive=flag)) for flag in (False, True))
    assert len(plain) == len(expressive) == len(tune["notes"])
    assert len(set(plain)) == 1
    assert len(set(expressive)) > 2
    straight = client.post("/api/sound", json={"melody": tune}).content
    assert client.post("/api/sound", json={"melody": tune, "expressive": True}).content != straight
    assert export(client, "wav", tune) == straight


def test_abc_is_text(client: TestClient, tune: Json) -> None:
    text = export(client, "abc", tune).decode()
    assert "\nX:1\nT:A tune\n" in text
    assert "K:C" in text


# --- pictures ---


def png_pixels(content: bytes) -> np.ndarray:
    """`(rows, columns)` of brightness, 0 to 1."""
    return np.asarray(imread(io.BytesIO(content)))[..., :3].mean(axis=-1)


def pdf_pixels(page: pypdfium2.PdfPage, scale: float) -> np.ndarray:
    return page.render(scale=scale).to_numpy()[..., :3].mean(axis=-1) / 255.0


def darkness(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The darkness of a picture in a coarse grid."""
    down = np.linspace(0, picture.shape[0], rows, endpoint=False).astype(int)
    across = np.linspace(0, picture.shape[1], columns, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(1.0 - picture, down, axis=0), across, axis=1)
    return sums / (picture.size / (rows * columns))


def test_the_png_shows_staves_and_notes(client: TestClient, tune: Json) -> None:
    pixels = png_pixels(export(client, "png", tune))
    assert pixels.shape[1] == 1800
    dark = pixels < 0.5
    assert 0.005 < dark.mean() < 0.2
    assert (dark[:, 50:750].mean(axis=1) > 0.9).sum() >= 5  # five lines run through the three bars


def test_the_pdf_shows_the_same_as_the_png(client: TestClient, tune: Json) -> None:
    document = pypdfium2.PdfDocument(export(client, "pdf", tune))
    assert len(document) == 1
    page = document[0]
    assert page.get_size() == pytest.approx((595.28, 841.89), abs=0.1)
    png = png_pixels(export(client, "png", tune))
    scale = 1800 / (595.28 - 56)  # the score fills the page between its margins of 28 points
    margin = round(28 * scale)
    pdf = pdf_pixels(page, scale)[margin : margin + png.shape[0], margin : margin + 1800]
    coarse = [darkness(pixels, 50, 300)[15:].ravel() for pixels in (pdf, png)]  # the title has another font
    assert np.corrcoef(*coarse)[0, 1] > 0.9
    assert "A tune" in page.get_textpage().get_text_range()
    assert document.get_metadata_value("Title") == "A tune"


@pytest.mark.e2e
def test_a_long_score_is_broken_into_pages_between_systems() -> None:
    long = to_melody(melody_json(*[(60 + (number * 7) % 12, 12) for number in range(8 * 60)], title="A tune"))
    document = pypdfium2.PdfDocument(engrave(EngravingTask(long, 900, heading=True, picture="pdf")).picture)
    assert len(document) >= 2
    root = ElementTree.fromstring(score_with_timemap(long, width=900).svg)
    height = float(root.attrib["height"])
    extents = page_extents(system_extents(root).values(), height, 1300.0)
    assert extents[0][0] == 0.0
    assert extents[-1][1] == height
    assert all(before[1] == after[0] for before, after in pairwise(extents))
    png = png_pixels(engrave(EngravingTask(long, 900, heading=True, picture="png")).picture) < 0.5
    pages = [pdf_pixels(page, 2) < 0.5 for page in document]
    for dark in pages:  # every page begins at its top, and reaches from edge to edge
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        assert 40 < rows[0] < 160
        assert (columns[0], columns[-1]) == pytest.approx((80, 1110), abs=30)
    # No system is lost at a page break or drawn twice: the pages are as dark as the PNG.
    scale = (595.28 - 2 * 28) / 900
    assert sum(dark.sum() for dark in pages) == pytest.approx(png.sum() * scale**2, rel=0.25)


def test_titles_in_any_script_can_be_printed(client: TestClient, tune: Json) -> None:
    answer = client.post("/api/export/pdf", json={"melody": {**tune, "title": "Песня № 1 — ♪"}})
    assert "Песня" in pypdfium2.PdfDocument(answer.content)[0].get_textpage().get_text_range()
    assert answer.headers["content-disposition"] == 'attachment; filename="1.pdf"'


# --- uploads ---


def zip_bomb() -> bytes:
    """A small compressed MusicXML file of 600 MB."""
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


def entity_bomb() -> bytes:
    """Nested entities: a few bytes that expand to gigabytes ("billion laughs")."""
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE a [<!ENTITY l0 "ha">{levels}]><score-partwise><work>&l9;</work></score-partwise>'.encode()


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("tune.exe", b"MZ", "not a music file"),
        ("tune", b"MThd", "not a music file"),
        ("../../etc/passwd", b"root", "not a music file"),
        ("tune.mid", b"", "empty"),
        ("tune.mid", b"MThd", ""),
        pytest.param("tune.mid", b"\x00" * 5000, "", marks=pytest.mark.e2e),
        ("tune.mid", b"MThd\x00\x00\x00\x06\x00\x01\xff\xff\x01\xe0" + b"MTrk\xff\xff\xff\xff" * 50, ""),
        pytest.param(
            "tune.mid",
            b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk\0\0\0\4\0\xff\x2f\0",
            "",
            marks=pytest.mark.e2e,
        ),
        ("tune.musicxml", b"<score-partwise", ""),
        pytest.param("tune.musicxml", b"\xff\xfe" * 100, "", marks=pytest.mark.e2e),
        pytest.param("tune.musicxml", b"<?xml version='1.0'?><html/>", "", marks=pytest.mark.e2e),
        (
            "tune.xml",
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><score-partwise><work>&x;</work></score-partwise>',
            "",
        ),
        ("tune.mxl", b"PK\x03\x04 no zip", ""),
        ("tune.abc", b"X:1\nK:C\n" + b"[" * 10_000, ""),
        pytest.param("tune.krn", b"**kern\n" * 1000, "", marks=pytest.mark.e2e),
        ("bomb.musicxml", entity_bomb, ""),
        pytest.param("bomb.mxl", zip_bomb, "", marks=pytest.mark.e2e),
    ],
)
def test_broken_and_malicious_files_are_rejected(
    client: TestClient, name: str, content: bytes | Callable[[], bytes], error: str
) -> None:
    sent = content if isinstance(content, bytes) else content()
    assert len(sent) < 2**20
    answer = client.post("/api/read", params={"name": name}, content=sent)
    assert answer.status_code == 422, answer.text[:300]
    assert set(answer.json()) == {"error", "hint"}
    assert error in answer.json()["error"]
    assert "/tmp" not in answer.text
    assert "root:" not in answer.text
    assert client.get("/api/rules").status_code == 200


def test_without_space_for_temporary_files_reading_is_unavailable(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    answer = client.post("/api/read", params={"name": "a.mid"}, content=b"MThd")
    assert answer.status_code == 503
    assert "temporary file" in answer.json()["error"]


def test_a_long_file_is_cut_to_the_limits_of_requests(client: TestClient) -> None:
    melody = Melody.from_pitches([(60 + number % 12, 12) for number in range(2500)])
    answer = client.post("/api/read", params={"name": "long.mid"}, content=midi_bytes(melody)).json()
    assert 0 < answer["notes"] <= 2000
    assert to_melody(answer["melody"]).bars <= 200


def duet() -> bytes:
    """Two parts of eight bars in MusicXML."""
    upper = Melody.from_pitches([(72 + step % 5, 24) for step in range(32)], key=Key(), title="Duet")
    lower = Melody.from_pitches([(48 + step % 5, 48) for step in range(16)], key=Key())
    music21 = pytest.importorskip("music21")
    score = music21.stream.Score()
    for name, melody in (("Flute", upper), ("Cello", lower)):
        part = music21.stream.Part()
        part.partName = name
        for note in melody.notes:
            part.append(music21.note.Note(note.pitches[0], quarterLength=note.duration / 24))
        score.insert(0, part)
    return bytes(music21.musicxml.m21ToXml.GeneralObjectExporter(score).parse())


def test_a_voice_and_bars_of_a_score_are_chosen_and_what_is_left_out_is_said(client: TestClient) -> None:
    content = duet()

    def read(**params: Any) -> Any:
        return client.post("/api/read", params={"name": "duet.musicxml", **params}, content=content)

    whole = read().json()
    assert (whole["voices"], whole["voice"], whole["bars"]) == (["Flute", "Cello"], 0, 8)
    assert "16 notes of other voices" in whole["left_out"]
    cello = read(voice=2).json()
    assert cello["notes"] == 16
    assert cello["melody"]["notes"][0]["pitches"] == [48]
    part = read(voice=1, first=3, last=4).json()
    assert part["notes"] == 8
    assert part["melody"]["notes"][0] == {"onset": 0, "duration": 24, "pitches": [75]}
    assert "6 of 8 bars" in part["left_out"]
    for params in ({"voice": 3}, {"first": 9}, {"last": 12}, {"first": 4, "last": 3}, {"first": 0}):
        answer = read(**params)
        assert answer.status_code == 422
        assert answer.json()["hint"]
