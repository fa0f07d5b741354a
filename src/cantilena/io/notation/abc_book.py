"""Books of tunes in ABC, split into tunes and reduced to what affects the notes.

music21 drops notes that carry some decorations (`HA2`), passes over fields within a line (`[K:G]`), and lets an
accidental last for one note unless the file names version 2 of the standard. The output has the same notes without
such constructs.
Source: The ABC Music Standard 2.1, abcnotation.com.
"""

from __future__ import annotations

import re

_FIELD = re.compile(r"([A-Za-z]):(?![|:])(.*)\Z")
_MUSICAL_FIELDS = frozenset("MLQKV")
_REMOVED = re.compile(
    r"""  "[^"]*"?                  # chord names and annotations
        | ![^!\s]{1,30}! | \+[a-z]+\+  # decorations by name
        | \{[^}]*\}?              # grace notes
        | \((?!\d) | \)           # slurs, not tuplets
        | [~.`HJ-Wh-wyu$*]        # decorations by letter; spacing
    """,
    re.VERBOSE,
)
_INLINE = re.compile(r"\[(?:([MLQKV]:[^\]]*)|[A-Za-z]:[^\]]*)\]")


def plain_tunes(book: str) -> list[str]:
    r"""Return the tunes of a book in order, each as an ABC text of its own.

    Fields above the first tune apply to all. Chord names, words, decorations and grace notes are removed.

    Args:
        book: the text of a file.

    Returns:
        One text a tune that has a key (the field K ends a tune's head; without it there is no tune).

    Examples:
        >>> print(plain_tunes('X:1\nT:Jig\nM:6/8\nK:G\n"G"~G2G {a}B2d|HG6|]')[0])
        %abc-2.1
        X:1
        T:Jig
        M:6/8
        L:1/8
        K:G
        G2G B2d|G6||
    """
    lines = [_without_comment(line) for line in book.splitlines()]
    starts = [number for number, line in enumerate(lines) if re.match(r"X:\s*\d", line)]
    if not starts:
        starts = [0] if any(line.startswith("K:") for line in lines) else []
    above = [line for line in lines[: starts[0]] if line[:2] in ("M:", "L:", "Q:")] if starts else []
    blocks = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    return [_plain(above, block) for block in blocks if any(line.startswith("K:") for line in block)]


def _plain(above: list[str], block: list[str]) -> str:
    head: dict[str, str] = {line[0]: line[2:].strip() for line in above}
    body: list[str] = []
    in_body = False
    for line in block:
        field = _FIELD.match(line)
        if field is None:
            if in_body and line.strip():
                body.append(_plain_music(line))
        elif in_body and field[1] in _MUSICAL_FIELDS:
            body.append(f"{field[1]}:{_value(field)}")
        elif not in_body and field[1] in "TMLQ":
            if field[1] != "T" or "T" not in head:
                head[field[1]] = _value(field)
        elif not in_body and field[1] == "K":
            head["K"] = _value(field)
            in_body = True
    head.setdefault("L", _unit(head.get("M", "")))
    fields = [f"{name}:{head[name]}" for name in "TMLQK" if head.get(name)]
    return "\n".join(["%abc-2.1", "X:1", *fields, *body])


def _unit(meter: str) -> str:
    """The unit note length where the head names none: a 16th in meters shorter than 3/4, else an eighth."""
    fraction = re.match(r"(\d{1,3})\s*/\s*(\d{1,3})", meter)
    return "1/16" if fraction and 4 * int(fraction[1]) < 3 * int(fraction[2]) else "1/8"


def _value(field: re.Match[str]) -> str:
    name, value = field[1], " ".join(field[2].split())
    if name == "Q":
        # Without the words beside it, such as "Allegro".
        rate = re.search(r"(\d+/\d+\s*=\s*)?\d+\s*\Z", re.sub(r'"[^"]*"', "", value).strip())
        return rate[0] if rate else ""
    return value


def _plain_music(line: str) -> str:
    kept: list[str] = []
    place = 0
    for inline in _INLINE.finditer(line):
        # On a line of its own, where music21 reads it.
        kept += [_REMOVED.sub("", line[place : inline.start()]), f"\n{inline[1]}\n" if inline[1] else ""]
        place = inline.end()
    kept.append(_REMOVED.sub("", line[place:]))
    music = "".join(kept).rstrip("\\ ")
    return music.replace("[|]", " ").replace("|]", "||").replace("[|", "||").replace("::", ":|:")


def _without_comment(line: str) -> str:
    return re.split(r"(?<!\\)%", line, maxsplit=1)[0].strip()
