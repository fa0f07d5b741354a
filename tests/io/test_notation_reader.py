"""MusicXML, ABC and kern: small scores by hand, and malicious files."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from cantilena.errors import ScoreError
from cantilena.io import read_score
from cantilena.music import Key, Meter

Q = 10080
"""Ticks a quarter note in notation."""


def read_notation(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"score{suffix}"
        path.write_bytes(content)
        return read_score(path)


def notes(part, per_quarter=4):
    """(onset, duration, pitch), times in fractions of a quarter."""
    return [
        (onset * per_quarter / Q, duration * per_quarter / Q, pitch)
        for onset, duration, pitch in zip(part.onset.tolist(), part.duration.tolist(), part.pitch.tolist(), strict=True)
    ]


def xml_note(step, octave, duration, *, voice=1, staff=1, extra="", chord=False):
    return (
        f"<note>{'<chord/>' if chord else ''}<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
        f"<duration>{duration}</duration>{extra}<voice>{voice}</voice><staff>{staff}</staff></note>"
    )


def xml(*parts, title="Piece", key="<key><fifths>1</fifths><mode>minor</mode></key>", transpose=""):
    """A score of parts, each a list of bars; four divisions a quarter, 3/4."""
    names = "".join(f'<score-part id="P{n}"><part-name>Part {n}</part-name></score-part>' for n in range(len(parts)))
    attributes = (
        f"<attributes><divisions>4</divisions>{key}<time><beats>3</beats><beat-type>4</beat-type></time>"
        f"{transpose}</attributes>"
    )
    bodies = "".join(
        f'<part id="P{n}">'
        + "".join(f'<measure number="{k}">{"" if k else attributes}{bar}</measure>' for k, bar in enumerate(bars))
        + "</part>"
        for n, bars in enumerate(parts)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0"><work><work-title>{title}</work-title>'
        f"</work><part-list>{names}</part-list>{bodies}</score-partwise>"
    )


TIE = '<tie type="{0}"/>'
MELODY = [
    xml_note("B", 4, 4),
    xml_note("E", 5, 8) + xml_note("G", 5, 4, extra=TIE.format("start")),
    xml_note("G", 5, 12, extra=TIE.format("stop") + TIE.format("start")),
    xml_note("G", 5, 2, extra=TIE.format("stop"))
    + "<note><grace/><pitch><step>A</step><octave>5</octave></pitch><voice>1</voice></note>"
    + xml_note("F", 5, 2)
    + xml_note("E", 5, 8)
    + xml_note("B", 5, 8, chord=True),
]


def test_musicxml():
    (score,) = read_notation(xml(MELODY).encode(), ".musicxml")
    (part,) = score.parts
    assert notes(part) == [
        (0, 4, 71), (4, 8, 76), (12, 18, 79), (30, 2, 77), (32, 8, 76), (32, 8, 83),
    ]  # fmt: skip
    assert (score.title, score.pickup, score.lost) == ("Piece", Q, 1)
    assert score.meters == ((0, Meter(3, 4)),)
    assert score.keys == ((0, Key.parse("E minor")),)
    assert score.keys_are_explicit
    assert part.name == "Part 0"


def test_a_key_without_mode_is_not_meant():
    (score,) = read_notation(xml(MELODY, key="<key><fifths>-2</fifths></key>").encode(), ".xml")
    assert score.keys == ((0, Key.parse("Bb major")),)
    assert not score.keys_are_explicit


def test_a_transposing_instrument_sounds_as_played():
    transpose = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    (score,) = read_notation(xml([xml_note("D", 5, 12)], transpose=transpose).encode(), ".xml")
    assert score.parts[0].pitch.tolist() == [72]


def test_voices_are_parts():
    bar = xml_note("C", 5, 12) + "<backup><duration>12</duration></backup>" + xml_note("E", 4, 6, voice=2) * 2
    (score,) = read_notation(xml([bar], [xml_note("C", 3, 12)]).encode(), ".xml")
    assert [notes(part) for part in score.parts] == [[(0, 12, 72)], [(0, 6, 64), (6, 6, 64)], [(0, 12, 48)]]
    assert [part.track for part in score.parts] == [0, 0, 1]


def test_tempo_and_repeats_not_played_twice():
    sound = "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>60</per-minute></metronome></direction-type></direction>"  # noqa: E501
    repeat = '<barline location="right"><repeat direction="backward"/></barline>'
    (score,) = read_notation(xml([sound + xml_note("C", 5, 12) + repeat]).encode(), ".xml")
    assert score.tempos == ((0, 120.0),)
    assert notes(score.parts[0]) == [(0, 12, 72)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_of_musicxml(encoding):
    text = xml(MELODY, title="Prélude").replace('"UTF-8"', f'"{encoding.removesuffix("-sig")}"')
    (score,) = read_notation(text.encode(encoding), ".xml")
    assert score.title == "Prélude"


def archive(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members:
            written.writestr(name, content)
    return buffer.getvalue()


CONTAINER = '<container><rootfiles><rootfile full-path="music/piece.xml"/></rootfiles></container>'


def test_an_archive():
    content = archive(("META-INF/container.xml", CONTAINER), ("decoy.xml", "<no/>"), ("music/piece.xml", xml(MELODY)))
    assert read_notation(content, ".mxl")[0].title == "Piece"
    assert read_notation(archive(("piece.musicxml", xml(MELODY))), ".mxl")[0].title == "Piece"


def test_an_archive_whose_names_lead_elsewhere_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (score,) = read_notation(archive(("../../../piece.xml", xml(MELODY))), ".mxl")
    assert score.title == "Piece"
    assert not list(tmp_path.iterdir())


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE score-partwise [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<score-partwise>&b;</score-partwise>"
)
HARMFUL = {
    "empty": (b"", ".xml", "it is empty"),
    "blank": (b" \n ", ".abc", "it is empty"),
    "not xml": (b"hello", ".xml", "it is not MusicXML"),
    "other xml": (b"<svg/>", ".xml", "it is not MusicXML"),
    "by time and empty": (b"<score-timewise/>", ".xml", "it has no notes"),
    "cut short": (xml(MELODY)[:-60].encode(), ".xml", "its XML is damaged"),
    "no notes": (xml([""]).encode(), ".xml", "it has no notes"),
    "no parts": (b"<score-partwise/>", ".xml", ""),
    "entities": (LAUGHS.encode(), ".xml", "it declares entities"),
    "entities in UTF-16": (LAUGHS.encode("utf-16"), ".xml", "it declares entities"),
    "wrong encoding": (xml(MELODY, title="é").encode("latin-1"), ".xml", "its text is not UTF-8"),
    "no such encoding": (
        b"<?xml version='1.0' encoding='klingon'?><score-partwise/>",
        ".xml",
        "its text is not klingon",
    ),
    "bomb": (archive(("a.xml", b" " * 2**26)), ".mxl", "it unpacks to more than 32 MB"),
    "bad archive": (archive(("a.xml", xml(MELODY)))[:-30], ".mxl", "its archive is damaged"),
    "archive of nothing": (archive(("readme.txt", "hello")), ".mxl", "its archive holds no score"),
    "abc of zeros": (b"\0" * 99, ".abc", "it is not a text file"),
    "abc without key": (b"X:1\nT:nothing\n", ".abc", "it has no notes"),
    "abc without tunes": (b"A letter about tunes.\n", ".abc", "it holds no tune"),
    "abc without notes": (b"X:1\nK:C\nz4|\n", ".abc", "it has no notes"),
    "not kern": (b"hello", ".krn", "it is not in kern"),
    "kern of rubbish": (b"**kern\n\tx\n4c\t4d\n*v\n", ".krn", ""),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_means_harm_is_refused(name):
    content, suffix, reason = HARMFUL[name]
    with pytest.raises(ScoreError) as caught:
        read_notation(content, suffix)
    assert caught.value.text.startswith(reason)
    assert "\n" not in caught.value.text


BOOK = """%abc
M:3/4

X:1
T:First
L:1/8
Q:"Fast" 1/4=90
K:Dm
A2|d2f2a2|"Am"{g}Ha3 ^c cd-|(d4 [df]2)|]
w: la la

X:2
T:No notes
K:C
z3|

X:3
T:Voices
M:4/4
L:1/4
K:Ddor
V:1
abc'd|e4|
V:2
A,B,CD|[K:G]F4|
"""


def test_a_book_of_tunes():
    first, silent, voices = read_notation(BOOK.encode(), ".abc")
    # The sharp holds to the end of its bar; the tie goes over the barline; decorations cost no note.
    assert notes(first.parts[0]) == [
        (0, 4, 69), (4, 4, 74), (8, 4, 77), (12, 4, 81), (16, 6, 81), (22, 2, 73), (24, 2, 73), (26, 10, 74),
        (36, 4, 74), (36, 4, 77),
    ]  # fmt: skip
    assert (first.title, first.pickup, first.tempos) == ("First", Q, ((0, 90.0),))
    assert first.keys == ((0, Key.parse("D minor")),)
    assert first.meters == ((0, Meter(3, 4)),)
    assert (silent.parts, silent.error) == ((), "it has no notes")
    assert [part.pitch.tolist() for part in voices.parts] == [[81, 83, 84, 74, 76], [57, 59, 60, 62, 66]]
    assert voices.keys[0] == (0, Key.parse("D dorian"))


KERN = """!!!OTL: Chorale
**kern\t**kern
*staff2\t*staff1
*k[f#]\t*k[f#]
*G:\t*G:
*M3/4\t*M3/4
4G\t8g
.\t8a
2D\t[2b
=1\t=1
2.G\t4b]
.\tggq
.\t2d 2g
==\t==
*-\t*-
"""


def test_kern():
    (score,) = read_notation(KERN.encode(), ".krn")
    assert sorted(notes(part)[0] for part in score.parts) == [(0, 2, 67), (0, 4, 55)]
    upper = next(part for part in score.parts if part.pitch[0] == 67)
    assert notes(upper) == [(0, 2, 67), (2, 2, 69), (4, 12, 71), (16, 8, 62), (16, 8, 67)]
    assert score.keys[0] == (0, Key.parse("G major"))
    assert score.meters[0] == (0, Meter(3, 4))
    assert score.lost == 1


def test_reading_leaves_nothing_behind_and_nothing_on_the_screen(tmp_path):
    home, temporary, path = (tmp_path / name for name in ("home", "tmp", "tune.abc"))
    home.mkdir()
    temporary.mkdir()
    path.write_text(BOOK)
    script = f"from pathlib import Path; from cantilena.io import read_safely; read_safely(Path({str(path)!r}))"
    environment = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not [*home.iterdir(), *temporary.iterdir()]
