"""The text of an untrusted score in notation: its encoding, archives and XML declarations, all bounded.

Sources: XML 1.0 (fifth edition), 2.8 and 4.3.3; MusicXML 4.0, "Compressed .mxl files".
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from urllib.parse import unquote
from xml.etree import ElementTree

from cantilena.errors import ScoreError

_MAX_TEXT = 32 * 2**20
"""Bytes of an unpacked score; a larger archive is not unpacked further."""

_MAX_MARKUP = 2_000_000
"""Tags and attributes of a score: what a tree of them takes stays below a gigabyte."""

_MAX_MEMBERS = 1000
_MAX_CONTAINER = 2**16

_EXPORT = "export it from a notation program as uncompressed MusicXML"

_ENCODING = re.compile(
    r"utf-?8|utf-?16(?:-?[lb]e)?|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?\d|(?:windows-|cp-?)125\d|koi8-[ru]|macintosh"
    r"|shift-?jis|sjis|cp932|windows-31j|euc-(?:jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5(?:-hkscs)?"
)
"""Encodings of documents, with - for _ (Python also knows names such as punycode, which take minutes)."""

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")
_OPENS_SUBSET = re.compile(r"<!DOCTYPE(?:[^>\[\"']|\"[^\"]*\"|'[^']*')*\[(?!\s*\])")

_NOT_WESTERN = re.compile(rb"[\x80-\xff]{4}|[\x81-\x84\x86-\x90\x98-\x9f]")
"""What accented letters and quotation marks of Windows-1252 rarely hold: long runs, and most of 0x80 to 0x9f."""

_KANA = re.compile("[\u3041-\u30ff]")
_OTHER_ENCODINGS = ("cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp1251", "koi8_r")


def musicxml_text(content: bytes) -> str:
    """Return the text of a MusicXML file; whether it is an archive is seen from its bytes.

    Args:
        content: the file, plain or as an archive (.mxl).

    Raises:
        ScoreError: it is not MusicXML, damaged, larger than 32 MB, in an unusual encoding, or declares entities.
    """
    if content[:2] == b"PK" and content[2:4] in (b"\x03\x04", b"\x05\x06"):
        content = _unpacked(content)
    if len(content) > _MAX_TEXT:
        raise ScoreError(f"it is larger than {_MAX_TEXT // 2**20} MB", "cut it into pieces")
    text = _checked(_decoded(content))
    if "score-partwise" not in text and "score-timewise" not in text:
        if "<opus" in text:
            raise ScoreError("it is a list of scores (opus) and holds none itself", "name the scores that it lists")
        raise ScoreError("it is not MusicXML, whatever its name says", _EXPORT)
    return text


def plain_text(content: bytes) -> str:
    """Return the text of an ABC or kern file: UTF-8, UTF-16 with its mark, what it seems to be, or else Latin-1.

    Raises:
        ScoreError: it is empty or no text.
    """
    if not content.strip():
        raise ScoreError("it is empty", "name a file with music in it")
    if content[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\0" in content:
        raise ScoreError("it is not a text file, whatever its name says", "name a file that opens in a text editor")
    text = decoded(content)
    return content.decode("latin-1") if text is None else text


def decoded(content: bytes) -> str | None:
    """Return the text of bytes that do not state their encoding, or None if none fits.

    Args:
        content: a whole file or a short title, such as a name in MIDI.

    Examples:
        >>> decoded("Prélude".encode("latin-1")), decoded("さくら".encode("shift-jis"))
        ('Prélude', 'さくら')
    """
    is_utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Only lines with letters beyond ASCII tell something, and some hundred of them suffice.
    lines = [line for line in content.splitlines() if not line.isascii()]
    evidence = b"\n".join(lines[:200])[:20_000]
    for encoding in ("cp1252", "latin-1") if not _NOT_WESTERN.search(evidence) else _guesses(evidence):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _guesses(evidence: bytes) -> list[str]:
    """Encodings that are not Western, the likeliest first; a few bytes are too little for statistics alone."""
    import charset_normalizer

    guesses = []
    for encoding in ("cp932", "euc_jp"):  # kana is all but certain
        text = evidence.decode(encoding, "ignore")
        if len(_KANA.findall(text)) * 4 >= sum(not letter.isascii() for letter in text):
            guesses.append(encoding)
    runs = re.findall(rb"[\x80-\xff]+", evidence)
    letters = b"".join(runs)
    # Pairs of bytes from 0xa1, where Cyrillic would begin at 0xc0: Hangul begins up to 0xc8, Chinese later too.
    if all(len(run) % 2 == 0 for run in runs) and 0xA1 <= min(letters) < 0xC0:
        guesses.append("euc_kr" if max(letters[::2]) <= 0xC8 else "gb18030")
    found = charset_normalizer.from_bytes(evidence, cp_isolation=list(_OTHER_ENCODINGS)).best()
    return guesses + ([found.encoding] if found else [])


def _unpacked(content: bytes) -> bytes:
    """The score in an archive; nothing is written to disk, so paths outside it are harmless."""
    if content.count(b"PK\x01\x02") > _MAX_MEMBERS:
        raise ScoreError(f"its archive holds more than {_MAX_MEMBERS:,} files", _EXPORT)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = _member(archive, _score_name(archive), _MAX_TEXT)
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, RuntimeError, OSError, ValueError,
    ) as error:  # fmt: skip
        reason = str(error)[:100] or "it ends too early"
        raise ScoreError(f"its archive is damaged: {reason}", _EXPORT) from error
    if text[:4] == b"PK\x03\x04":
        raise ScoreError("its archive holds another archive", "unpack it and name the score in it")
    return text


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise ScoreError("its archive is encrypted", _EXPORT)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ScoreError("its archive is packed by another method than MusicXML's (deflate)", _EXPORT)
    with archive.open(info) as member:
        content = member.read(most + 1)
    if len(content) > most:
        raise ScoreError(f"it unpacks to more than {most / 2**20:g} MB", _EXPORT)
    return content


def _score_name(archive: zipfile.ZipFile) -> str:
    """The member that is the score: the first one of MusicXML that the container names, else the first by its suffix.

    Names are compared as archivers and exporters vary them: in case, with backslashes, from the root, and as URLs.
    """
    names = {_plain_name(name): name for name in reversed(archive.namelist()) if not name.endswith(("/", "\\"))}
    container = names.get("meta-inf/container.xml")
    for path in _root_files(_member(archive, container, _MAX_CONTAINER)) if container else ():
        if found := names.get(_plain_name(path)) or names.get(_plain_name(unquote(path))):
            return found
    scores = [
        name
        for plain, name in reversed(names.items())
        if plain.endswith((".musicxml", ".xml"))
        and not plain.startswith(("meta-inf/", "__macosx/"))
        and not plain.rpartition("/")[2].startswith(".")
    ]
    if not scores:
        raise ScoreError("its archive holds no score", _EXPORT)
    return scores[0]


def _plain_name(name: str) -> str:
    return "/".join(part for part in name.lower().replace("\\", "/").split("/") if part not in ("", "."))


def _root_files(container: bytes) -> list[str]:
    """The paths that a container names, without those that it says are not MusicXML."""
    try:
        root = ElementTree.fromstring(_checked(_decoded(container)))  # noqa: S314  (without entities)
    except (ElementTree.ParseError, ScoreError):
        return []
    files = [element for element in root.iter() if element.tag.rpartition("}")[2] == "rootfile"]
    return [
        file.get("full-path", "") for file in files if re.search("xml|^$", file.get("media-type", ""), re.IGNORECASE)
    ]


def _decoded(content: bytes) -> str:
    """The text of an XML document, in the encoding that its first bytes or its declaration state."""
    if not content.strip(b"\0 \t\r\n"):
        raise ScoreError("it is empty", "name a file with music in it")
    declared = _DECLARATION.match(content[:400].decode("latin-1"))
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif content[:2] in (b"<\0", b"\0<"):
        encoding = "utf-16-le" if content[:1] == b"<" else "utf-16-be"
    elif content[:3] == b"\xef\xbb\xbf" or declared is None or declared[1].lower().startswith(("utf-16", "utf16")):
        encoding = "utf-8"  # two bytes a letter would not have matched as a declaration
    else:
        encoding = declared[1]
    if not _ENCODING.fullmatch(encoding.lower().replace("_", "-")):
        raise ScoreError(f"its text is not {encoding} as it says, or that is no encoding of documents", _EXPORT)
    try:
        # Without its declaration, which holds for the bytes and not for the text.
        return re.sub(r"\A\ufeff?\s*<\?xml[^>]{0,400}\?>", "", content.decode(encoding)).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        if declared is None:
            raise ScoreError(f"it is not MusicXML in {encoding}, whatever its name says", _EXPORT) from error
        raise ScoreError(f"its text is not {encoding}, as it says", _EXPORT) from error


def _checked(text: str) -> str:
    """An XML document that a parser may read: declarations can expand without bound or name files."""
    if re.search("<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)", text):
        raise ScoreError("it declares entities, which a score does not need", _EXPORT)
    place = text.find("<!DOCTYPE")
    if place >= 0 and _OPENS_SUBSET.match(text, place):
        raise ScoreError("its document type has declarations of its own, which a score does not need", _EXPORT)
    if text.count("<") + text.count("=") > _MAX_MARKUP:
        raise ScoreError(f"it has more than {_MAX_MARKUP:,} tags", "cut it into pieces")
    return text
