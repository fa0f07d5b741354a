"""The text of an untrusted score in notation: archives and XML entities are bounded."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from cantilena.errors import ScoreError

_MAX_TEXT = 32 * 2**20
"""Bytes of an unpacked score; a larger archive is not unpacked further."""

_EXPORT = "export it from a notation program as uncompressed MusicXML"


def musicxml_text(content: bytes) -> str:
    """Return the text of a MusicXML file.

    Args:
        content: the file, plain or as an archive (.mxl).

    Raises:
        ScoreError: it is not MusicXML, damaged, larger than 32 MB, or declares entities.
    """
    if content[:4] == b"PK\x03\x04":
        content = _unpacked(content)
    text = _decoded(content)
    # Checked before parsing: declared entities can expand without bound or name files.
    if "<!ENTITY" in text:
        raise ScoreError("it declares entities, which a score does not need", _EXPORT)
    if "<score-timewise" in text:
        raise ScoreError("it is MusicXML by time (score-timewise)", "export it by part (score-partwise)")
    if "<score-partwise" not in text:
        raise ScoreError("it is not MusicXML, whatever its name says", _EXPORT)
    return text


def plain_text(content: bytes) -> str:
    """Return the text of an ABC or kern file, in UTF-8 or else in Latin-1.

    Raises:
        ScoreError: it is empty or no text.
    """
    if not content.strip():
        raise ScoreError("it is empty", "name a file with music in it")
    if b"\0" in content:
        raise ScoreError("it is not a text file, whatever its name says", "name a file that opens in a text editor")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _unpacked(content: bytes) -> bytes:
    """The score in an archive; nothing is written to disk, so paths outside it are harmless."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = _score_name(archive)
            with archive.open(name) as member:
                text = member.read(_MAX_TEXT + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, NotImplementedError, OSError) as error:
        raise ScoreError(f"its archive is damaged: {error}", _EXPORT) from error
    if len(text) > _MAX_TEXT:
        raise ScoreError(f"it unpacks to more than {_MAX_TEXT // 2**20} MB", _EXPORT)
    return text


def _score_name(archive: zipfile.ZipFile) -> str:
    """The member that is the score: the first that the container names, else the first with its suffix."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        with archive.open("META-INF/container.xml") as member:
            container = member.read(2**16).decode("utf-8", "replace")
        for path in re.findall(r"""<rootfile\b[^>]*?\bfull-path\s*=\s*["']([^"']*)""", container):
            if path in names:
                return str(path)
    for name in names:
        if name.lower().endswith((".musicxml", ".xml")) and not name.startswith("META-INF/"):
            return name
    raise ScoreError("its archive holds no score", _EXPORT)


def _decoded(content: bytes) -> str:
    if not content.strip():
        raise ScoreError("it is empty", "name a file with music in it")
    declared = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})""", content)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif content[:3] == b"\xef\xbb\xbf" or declared is None:
        encoding = "utf-8-sig"
    else:
        encoding = declared[1].decode("ascii")
    try:
        # Without its declaration, which holds for the bytes and not for the text.
        return re.sub(r"\A\s*<\?xml[^>]*\?>", "", content.decode(encoding))
    except (UnicodeDecodeError, LookupError) as error:
        raise ScoreError(f"its text is not {encoding}, as it says", _EXPORT) from error
