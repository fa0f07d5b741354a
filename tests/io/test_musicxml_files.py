"""Files of MusicXML: encodings, archives, and what is damaged or means harm."""

from __future__ import annotations

import contextlib
import io
import random
import time
import zipfile

import pytest

from cantilena.errors import ScoreError
from cantilena.io.notation.musicxml_reader import read_musicxml


def note(duration: int | str, before: str = "", after: str = "") -> str:
    """A C4; elements `before` the pitch and `after` the duration."""
    pitch = "<pitch><step>C</step><octave>4</octave></pitch>"
    return f"<note>{before}{pitch}<duration>{duration}</duration>{after}</note>"


def document(*parts: list[str], head: str = "") -> str:
    """Parts of bars, in quarters."""
    bodies = "".join(
        f'<part id="P{place}">{"".join(f"<measure>{bar}</measure>" for bar in bars)}</part>'
        for place, bars in enumerate(parts)
    )
    return f'<score-partwise version="4.0">{head}<part-list/>{bodies}</score-partwise>'


WHOLE = note(4)
REST = '<note><rest measure="yes"/><duration>4</duration></note>'

DOCTYPE = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://x.org/[a].dtd">'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "shift_jis", "gb18030"])
def test_encodings(encoding):
    title = {"shift_jis": "荒城の月", "gb18030": "茉莉花"}.get(encoding, "Prélude")
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{DOCTYPE}' + document(
        [WHOLE], head=f"<work><work-title>{title}</work-title></work>"
    )
    assert read_musicxml(text.encode(encoding)).title == title


def archive(*members: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as written:
        for name, content in members:
            written.writestr(name, content)
    return buffer.getvalue()


PIECE = document([WHOLE, note(1) + note(1) + note(2)], [WHOLE, WHOLE])
CONTAINER = '<?xml version="1.0"?><container><rootfiles><rootfile full-path="a/b.xml"/></rootfiles></container>'


def test_archives():
    assert (
        len(
            read_musicxml(
                archive(("decoy.xml", "<a/>"), ("META-INF/container.xml", CONTAINER), ("a/b.xml", PIECE))
            ).parts
        )
        == 2
    )
    assert len(read_musicxml(archive(("META-INF/container.xml", "<broken"), ("a/b.xml", PIECE))).parts) == 2
    assert len(read_musicxml(archive(("b.musicxml", PIECE), method=zipfile.ZIP_STORED)).parts) == 2


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("a\\b.xml", "a/b.xml"), ("/a/b.xml", "a/b.xml"), ("./a/b.xml", "a/b.xml"), ("A/B.XML", "a/b.xml"),
        ("a%20b.xml", "a b.xml"), ("a/b.xml", "a\\b.xml"), ("a/b.xml", "/a/b.xml"), ("a/", "b.xml"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("container", ["META-INF/container.xml", "META-INF\\container.xml", "meta-inf/Container.xml"])
def test_names_in_archives(path, member, container):
    pdf = '<rootfile full-path="p.pdf" media-type="application/pdf"/>'
    files = CONTAINER.replace("a/b.xml", path).replace("<rootfile ", pdf + "<rootfile ")
    decoy = ("a.txt" if path == "a/" else "a.xml", document([WHOLE]))
    packed = archive(("p.pdf", "%PDF"), (container, files), ("._b.xml", "x"), ("a/", ""), decoy, (member, PIECE))
    assert len(read_musicxml(packed).parts) == 2


def encrypted() -> bytes:
    content = bytearray(archive(("a.xml", PIECE)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


REFUSED = {
    "entity": ('<!DOCTYPE a [<!ENTITY b "c">]>' + PIECE, "it declares entities"),
    "entity in UTF-16": (('<!DOCTYPE a [<!ENTITY b "c">]>' + PIECE).encode("utf-16"), "it declares entities"),
    "attributes by default": ('<!DOCTYPE a [<!ATTLIST note x CDATA "yy">]>' + PIECE, "it declares entities"),
    "internal subset": ("<!DOCTYPE a SYSTEM 'b]>' [ %c; ]>" + PIECE, "its document type"),
    "undefined entity": (PIECE.replace("<part-list/>", "&nbsp;"), "its XML is damaged"),
    "punycode": ('<?xml version="1.0" encoding="punycode"?>' + PIECE, "its text is not punycode"),
    "cut": (PIECE[:-40], "its XML is damaged"),
    "no notes": (document([REST]), "it has no notes"),
    "opus": ("<opus><score/></opus>", "it is a list of scores"),
    "other root": ("<a><score-partwise/></a>", "it is not MusicXML"),
    "too many tags": ("<score-partwise>" + "<a>" * 2_000_001, "it has more than 2,000,000 tags"),
    "one line": (PIECE + " " * (32 * 2**20), "it is larger than 32 MB"),
    "bomb": (archive(("a.xml", b" " * 2**26)), "it unpacks to more than 32 MB"),
    "nested archive": (archive(("a.xml", archive(("a.xml", PIECE)))), "its archive holds another archive"),
    "lzma": (archive(("a.xml", PIECE), method=zipfile.ZIP_LZMA), "its archive is packed by another method"),
    "bzip2": (archive(("a.xml", PIECE), method=zipfile.ZIP_BZIP2), "its archive is packed by another method"),
    "many members": (archive(*((f"{k}.txt", "") for k in range(1001))), "its archive holds more than 1,000 files"),
    "encrypted": (encrypted(), "its archive is encrypted"),
    "empty archive": (archive(), "its archive holds no score"),
    "many parts": (document(*[[WHOLE]] * 501), "it has more than 500 parts"),
    "too long": (document([note(999999999999)]), "it is longer than"),
    "no common measure": (
        document(
            ["".join(f"<attributes><divisions>{p}</divisions></attributes>" for p in (99991, 99989, 99971)) + WHOLE]
        ),
        "its divisions",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    content, reason = REFUSED[name]
    began = time.process_time()
    with pytest.raises(ScoreError) as caught:
        read_musicxml(content if isinstance(content, bytes) else content.encode())
    assert caught.value.text.startswith(reason)
    assert time.process_time() - began < 10


HOSTILE = {
    "deep": "<score-partwise>" + "<a>" * 200_000,
    "many chords": document([WHOLE + note(1, before="<chord/>", after='<tie type="start"/>') * 10_000]),
    "many ties": document([(note(1, after='<tie type="stop"/><tie type="start"/>')) * 10_000]),
    "many voices": document(
        ["".join(note(1, after=f"<voice>{k}</voice>") + "<backup><duration>1</duration></backup>" for k in range(5000))]
    ),
    "many bars": document([note(1)] * 8000),
    "repeated bars": document(
        [note(1) * 1000]
        + ["<attributes><measure-style><measure-repeat type='start'>1</measure-repeat></measure-style></attributes>"]
        * 100
    ),
    "huge numbers": document([WHOLE + "<backup><duration>1e999999</duration></backup>", note("9" * 5000)]),
    "parts of one bar": document([WHOLE] * 5000, *[[WHOLE]] * 499),
    "parts at the end": "<score-timewise>"
    + "<measure/>" * 20_000
    + "<measure>"
    + "".join(f'<part id="{k}"/>' for k in range(20_000))
    + "</measure></score-timewise>",
    "many words": document(
        [f"<direction><direction-type><words>{'x' * 2_000_000}</words></direction-type></direction>{WHOLE}"]
    ),
}


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scores_take_bounded_time(name):
    began = time.process_time()
    with contextlib.suppress(ScoreError):
        read_musicxml(HOSTILE[name].encode())
    assert time.process_time() - began < 8


def test_damaged_scores_are_refused_or_read():
    rng = random.Random(7)
    plain, packed = PIECE.encode(), archive(("META-INF/container.xml", CONTAINER), ("a/b.xml", PIECE))
    for turn in range(600):
        content = bytearray((plain, packed)[turn % 2])
        for _ in range(rng.randint(1, 6)):
            if not content:
                break
            place, other = rng.randrange(len(content)), rng.randrange(len(content))
            action = rng.randrange(4)
            if action == 0:
                content[place] ^= 1 << rng.randrange(8)
            elif action == 1:
                del content[place : place + rng.randrange(40)]
            elif action == 2:
                content[place:place] = content[other : other + rng.randrange(200)]
            else:
                content = content[:place] or content
        with contextlib.suppress(ScoreError):  # and nothing else
            read_musicxml(bytes(content))
