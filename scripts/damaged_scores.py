"""Damaged scores in notation, for `fuzz_readers.py`: flipped bits, cuts, splices, odd archives, extreme sizes."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from cantilena.data import load_builtin
from cantilena.io.notation.abc_writer import abc
from cantilena.io.notation.musicxml_writer import musicxml

FORMATS = (".abc", ".musicxml", ".mxl", ".krn")
DEFAULT_SIZE = 2**16
RARE = 50
"""One in so many scores is not damaged but extreme: of one long line, nested deeply, or with very many voices."""

EXTREMES = {
    ".abc": ("X:1\nK:C\nC", ("C", "(", "[", "{", "C-", "|:C:|", "[V:@]C|\n", "\nX:@\nK:D\nC\n", "&C", "(9:9:@C")),
    ".krn": (
        "**kern\n",
        ("c", "4c ", "4c\t", "*^\n", "=:|!\n4c\n", "[4c\n(4d\n", "*>@\n4c\n", "@c\n", "**kern\n4c\n*-\n"),
    ),
    ".musicxml": (
        "<score-partwise><part id='P1'><measure>",
        (
            "9",
            "<part>",
            "</measure><measure>",
            "</measure></part><part id='P@'><measure>",
            "<note><chord/>",
            "<!--@-->",
        ),
    ),
}
"""What extreme scores begin with, and pieces that they repeat, @ being a number."""

SIGNS = (
    b"\t \n 0 99999999999999999999 -1 |: [1 ] (3 *^ *v *- %0 <note> </part> &x; K: V:2 \xff\xfe \xed\xa0\x80 \r".split(
        b" "
    )
)

KERN = """**kern	**text	**kern	**mxhm
*>[A,A]	*	*>[A,A]	*
*>A	*>A	*>A	*>A
*G:	*	*G:	*
*M3/4	*	*M3/4	*
=1	=1	=1:|!|:	=1
*	*	*^	*
[2.G 2.B	lo-	8g(L	4r	G major
.	.	8a	.	.
.	.	20%3b)J	6.dd	D:7/F#
.	.	20%3.cc	.	.
=2	=2	=2	=2	=2
*	*	*v	*v	*
2.G] 2.c	ve.	2.dd;}	.
*-	*-	*-	*-
"""


def small_scores() -> dict[str, list[bytes]]:
    """Return small scores by format, from the package's own writers."""
    melodies = list(load_builtin("tunes"))[:8]
    xml = [musicxml(melody).encode() for melody in melodies]
    return {
        ".abc": [abc(melody).encode() for melody in melodies] + ["\n".join(map(abc, melodies)).encode()],
        ".musicxml": xml,
        ".mxl": [archive([("score.xml", content)]) for content in xml],
        ".krn": [KERN.encode()],
    }


def archive(members: Sequence[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of some files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as written:
        for name, content in members:
            written.writestr(name, content)
    return buffer.getvalue()


def flip(content: bytes, random: Random) -> bytes:
    """Flip a few bits."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 3, 20))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def place(content: bytes, random: Random) -> bytes:
    """Put signs of music, markup or numbers in a place, or in the place of some."""
    start = random.randrange(len(content))
    return content[:start] + random.choice(SIGNS) + content[start + random.randrange(4) :]


def rearrange(content: bytes, random: Random) -> bytes:
    """Cut a score off, or leave out, repeat or move a block."""
    start, end = sorted(random.randrange(len(content) + 1) for _ in range(2))
    block, rest = content[start:end], content[:start] + content[end:]
    target = random.randrange(len(rest) + 1)
    return random.choice(
        (content[:start], content[start:], rest, rest[:target] + block + rest[target:], content[:end] + block * 5)
    )


def renumber(content: bytes, random: Random) -> bytes:
    """Change a few numbers, which leaves the syntax whole."""
    for _ in range(random.choice((1, 1, 5))):
        numbers = list(re.finditer(rb"\d+", content))
        if numbers:
            start, end = random.choice(numbers).span()
            content = (
                content[:start] + random.choice((b"0", b"1", b"3", b"7", b"64", b"1000", b"9" * 30)) + content[end:]
            )
    return content


def relist(content: bytes, random: Random) -> bytes:
    """Leave out, repeat or exchange lines, or elements of XML."""
    pieces = re.split(rb"(?<=\n)|(?<=>)(?=<[a-z])", content)
    for _ in range(random.choice((1, 1, 5))):
        one, other = random.randrange(len(pieces)), random.randrange(len(pieces))
        pieces[one] = random.choice((b"", pieces[one] * 2, pieces[other]))
    return b"".join(pieces)


def encode(content: bytes, random: Random) -> bytes:
    """Write a score in another encoding than it says."""
    text = content.decode("latin-1")
    return text.encode(random.choice(("utf-16", "utf-16-be", "utf-32", "utf-7", "cp500", "utf-8-sig")), "replace")


def repack(content: bytes, random: Random) -> bytes:
    """Pack a score in an archive with something odd about it."""
    if content[:2] == b"PK":
        return archive([(random.choice(("inner.mxl", "score.xml")), content)])
    way = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED))
    name = random.choice(
        ("score.xml", "../../etc/score.xml", "/score.xml", "C:\\score.xml", "a" * 60000 + ".xml", ".xml")
    )
    container = f'<rootfile full-path="{random.choice((name, "x.xml", ""))}"/>'
    packed = archive([("META-INF/container.xml", container.encode()), (name, content)], way)
    directory = packed.rfind(b"PK\x01\x02") + 20
    sizes = struct.pack("<II", *random.choices((0, 1, 2**31, 2**32 - 2), k=2))
    return random.choice((packed, packed[:directory] + sizes + packed[directory + 8 :], flip(packed, random)))


def extreme(suffix: str, random: Random, size: int) -> bytes:
    """Return a score of about `size` bytes, seldom of 100 MB, that has very much of one thing."""
    before, pieces = EXTREMES[".musicxml" if suffix == ".mxl" else suffix]
    if random.random() < 0.05 and size >= DEFAULT_SIZE:
        content = before.encode() + pieces[0].encode() * 10**8
    else:
        piece = random.choice(pieces)
        content = (before + "".join(piece.replace("@", str(number)) for number in range(size // len(piece)))).encode()
    return archive([("score.xml", content)]) if suffix == ".mxl" else content


def damaged(
    scores: Mapping[str, Sequence[bytes]], formats: Sequence[str], seed: int, count: int, size: int
) -> Iterator[tuple[str, bytes]]:
    """Yield damaged scores, the same for the same arguments: their formats and contents.

    Args:
        scores: the scores to damage, by format.
        formats: the formats to take in turn.
        seed: of the draws.
        count: how many.
        size: bytes of extreme ones.
    """
    for number in range(count):
        random = Random(f"{seed} {number}")
        suffix = formats[number % len(formats)]
        if number // len(formats) % RARE == RARE - 1:
            yield suffix, extreme(suffix, random, size)
            continue
        # Half of the archives are whole, with a damaged score in them.
        is_packed = suffix == ".mxl" and random.random() < 0.5
        among = scores[".musicxml" if is_packed else suffix]
        content = random.choice(among)
        for _ in range(random.choice((1, 1, 2, 4))):
            content = (
                random.choice((flip, place, rearrange, renumber, renumber, relist, relist, encode))(content, random)
                or b"\n"
            )
        if random.random() < 0.1:
            other = random.choice(among)
            content = content[: len(content) // 2] + other[random.randrange(len(other)) :]
        yield suffix, repack(content, random) if is_packed or (suffix == ".mxl" and random.random() < 0.2) else content
