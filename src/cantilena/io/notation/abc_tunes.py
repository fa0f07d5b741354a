"""Splitting the text of a book in ABC into its tunes.

A tune begins with `X:` and ends at an empty line (The ABC Music Standard 2.1, 2.2 "Abc file structure"). Two usual
departures are read too: books of tunes without `X:` that an empty line separates, and music that an empty line
separates from the head of its tune.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cantilena.io.notation.build import one_line

FIELD = re.compile(r"[ \t]{0,8}([H-Zh-z+]|[A-G](?!:[ \t]*[|:])):(?![|:])(.*)\Z", re.DOTALL)
"""A line that is a field: its letter and its value. `D:|` is music."""

_LINE = re.compile(r"([^\r\n]*)(?:\r{0,2}\n|\r|\Z)")
_START = re.compile(r"\s{0,8}X:")
_TEXT_BLOCK = re.compile(r"(?:%%|I:)\s*begin([a-z]+)", re.IGNORECASE)
_TAG = re.compile(
    r"<(?:html|head|body|pre|br|p|div|span|font|h[1-6]|title|meta|link|hr|table|tr|td|th|tt|code|center|script|style|s)"
    r"(?:\s[^<>]{0,1000}|/?)>|<a\s+[a-z]+=[^<>]{0,1000}>|<!(?:doctype|--)[^<>]{0,1000}>|</[a-z]{1,9}[1-6]?>",
    re.IGNORECASE,
)
_FIELDS = re.compile(r"\s{0,8}((?:[LM]:\S+\s+){1,2}K:\S+)(?:\s+|\Z)")
_PARAGRAPH = re.compile(r"</?(?:pre|p|body|html)\b", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#39|#34);")
_SHARED = re.compile(r"[MLQIVUmK]:|%%")
_MOST_SHARED = 50
_NO_MUSIC = re.compile(r'"[^"]*"|![^!]{1,30}!|\{[^}]{0,200}\}')
_WORD = re.compile(r"[h-wH-W]{2}[A-Za-z]|[A-Za-z][h-wH-W]{2}")
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", "/": "", "c": "\u0327",
    ",": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", ";": "\u0328", "o": "\u030a", ".": "\u0307",
}  # fmt: skip
_LIGATURES = {"ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "ss": "ß", "/o": "ø", "/O": "Ø", "aa": "å", "AA": "Å"}
_ESCAPE = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|(ae|AE|oe|OE|ss|/o|/O|aa|AA)|(['`^\"~=,cvuH;o.])([A-Za-z])|([%&\\]))", re.ASCII
)


@dataclass(frozen=True, slots=True)
class TuneText:
    """One tune of a book.

    Args:
        text: its lines, with the fields of the book's head in front that apply to it.
        number: its place in the book, from 1.
        reference: the value of its X: field, or "".
        title: its first title (T:), or "".
    """

    text: str
    number: int
    reference: str
    title: str


def split_tunes(book: str) -> Iterator[TuneText]:
    r"""Yield the tunes of a book in order; each is found before the book is read further.

    Text between tunes and blocks of text (`%%begintext`) are left out. Fields above the first tune go to every tune.

    Args:
        book: the text of a file.

    Examples:
        >>> for tune in split_tunes("M:6/8\n\nX:7\nT:Jig\nK:G\nG3 B3|\n\nA note on it.\n\nX:8\nT:Reel\nK:D\nA4|\n"):
        ...     print(tune.number, tune.reference, tune.title, repr(tune.text))
        1 7 Jig 'M:6/8\nX:7\nT:Jig\nK:G\nG3 B3|'
        2 8 Reel 'M:6/8\nX:8\nT:Reel\nK:D\nA4|'
    """
    shared: list[str] = []
    tune: list[str] = []
    number = 0
    has_references = False
    for block in _blocks(_without_text_blocks(_lines(book))):
        is_start = _START.match(block[0]) is not None
        has_references |= is_start
        names = {field[1] for field in map(FIELD.match, block) if field}
        has_music = any(map(looks_like_music, block))
        is_body = has_music or ("K" in names and any(map(_is_music, block)))
        if is_start and (len(names) > 1 or has_music):
            is_tune = True
        elif is_start:
            continue
        elif tune and is_body and not _has_music(tune):
            tune += ["", *block]
            continue
        else:
            is_tune = is_body and ("K" in names or (not has_references and bool(names & set("MLQ"))))
        if is_tune:
            if tune:
                number += 1
                yield _tune(shared, tune, number)
            tune = block
        elif tune:
            # The reader says that it is not read.
            tune += ["", *block] if has_music else []
        else:
            shared += [line for line in block if _SHARED.match(line) and len(line) <= 200]
            del shared[_MOST_SHARED:]
    if tune:
        yield _tune(shared, tune, number + 1)


def looks_like_music(line: str) -> bool:
    """Whether a line is music by its characters: notes and barlines, and no words.

    Examples:
        >>> looks_like_music('"G"GABc d2 ef|'), looks_like_music("first | second | third")
        (True, False)
    """
    if "|" not in line or not _is_music(line):
        return False
    plain = _NO_MUSIC.sub("", line)
    return not _WORD.search(plain) and re.search("[A-Ga-gZzXx]", plain) is not None


def decode_title(text: str) -> str:
    r"""Return a text with its escapes replaced, in one line.

    Examples:
        >>> decode_title(r"Caf\'e \u00e0 la Rh\^one &eacute;t\'e")
        'Café à la Rhône été'
    """
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    if "&" in text:
        text = html.unescape(text)
    return one_line(text)


def _unescaped(escape: re.Match[str]) -> str:
    if escape[1]:
        character = chr(int(escape[1], 16))
        return character if character.isprintable() else ""
    if escape[2]:
        return _LIGATURES[escape[2]]
    return unicodedata.normalize("NFC", escape[4] + _ACCENTS[escape[3]]) if escape[3] else escape[5]


def _tune(shared: list[str], lines: list[str], number: int) -> TuneText:
    fields = [field for field in map(FIELD.match, lines) if field]
    names = {field[1] for field in fields}
    above = [line for line in shared if not line.startswith("K:")]
    if "K" not in names:  # the head ends with the key
        at = next((place for place, line in enumerate(lines) if _is_music(line)), len(lines))
        lines = [*lines[:at], *[line for line in shared if line.startswith("K:")][-1:], *lines[at:]]
    titles = (decode_title(field[2]) for field in fields if field[1] == "T")
    reference = next((one_line(field[2], 40) for field in fields if field[1] == "X"), "")
    return TuneText("\n".join([*above, *lines]), number, reference, next(filter(None, titles), ""))


def _is_music(line: str) -> bool:
    """Whether a line is neither empty nor a field, a directive or a comment."""
    return bool(line) and not line.isspace() and line[0] != "%" and FIELD.match(line) is None


def _has_music(lines: Iterable[str]) -> bool:
    """Whether some lines hold music after a key, or what can be nothing else."""
    has_key = False
    for line in lines:
        if line.lstrip().startswith("K:"):
            has_key = True
        elif (has_key and _is_music(line)) or looks_like_music(line):
            return True
    return False


def _lines(book: str) -> Iterator[str]:
    """The lines of a book without HTML; a tune in one line, as models write them, is divided."""
    is_alone = False
    for match in _LINE.finditer(book):
        line = match[1].strip("\x1a\ufeff")
        if "<" in line and ">" in line:
            plain = _TAG.sub("", line)
            if plain != line and not plain.strip() and not _PARAGRAPH.search(line):
                continue
            if _PARAGRAPH.match(line):
                yield ""
            line = plain
        line = _ENTITY.sub(lambda entity: html.unescape(entity[0]), line) if "&" in line else line
        fields = _FIELDS.match(line)
        if fields is None:
            yield line
            continue
        if is_alone:
            yield ""
        yield from fields[1].split()
        is_alone = fields.end() < len(line)
        if is_alone:
            yield line[fields.end() :]


def _without_text_blocks(lines: Iterable[str]) -> Iterator[str]:
    """Lines without blocks such as `%%begintext` to `%%endtext`; one without its end is no block."""
    ending = ""
    held: list[str] = []
    for line in lines:
        begins = _TEXT_BLOCK.match(line)
        if ending and begins is None:
            if line.replace(" ", "").lower().startswith(ending):
                ending, held = "", []
            else:
                held.append(line)
            continue
        yield from held
        ending, held = "", []
        if begins:
            ending = ("%%end" if line[0] == "%" else "i:end") + begins[1].lower()
        else:
            yield line
    yield from held


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Runs of lines, ended by an empty line or by the start of a tune."""
    block: list[str] = []
    for line in lines:
        is_empty = not line.strip()
        if block and (is_empty or _START.match(line)):
            yield block
            block = []
        if not is_empty:
            block.append(line)
    if block:
        yield block
