"""What a page adds to the notes of a score: words under them, and a class by which a style colours them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from cantilena.io.notation.musicxml_writer import Head
from cantilena.io.printable import printable

_HALF_A_HEAD = 106  # in the drawing's coordinates, where a staff space is 180
_LETTERS = 270  # how high they are, smaller than the room that verovio leaves for them


@dataclass(frozen=True, slots=True)
class NoteLook:
    """What is added to one note of a score.

    Args:
        words: stand under it; room is left for them. Nothing if empty.
        kind: a class that the note's heads, stems and words get beside `note`, such as `gain`.
        room: wider words that a page may put there later, for which room is left too.
    """

    words: str = ""
    kind: str = ""
    room: str = ""


def room_for_words(looks: Mapping[int, NoteLook]) -> dict[int, str]:
    """Words a letter longer than those that may stand there, by note: room that an engraver leaves under each."""
    widest = {note: max(printable(look.words), printable(look.room), key=len) for note, look in looks.items()}
    return {note: f"{words}–" for note, words in widest.items() if words}


def dress(drawing: ElementTree.Element, heads: Sequence[Head], looks: Mapping[int, NoteLook]) -> None:
    """Give the notes of a drawing their looks: a class, the attribute `data-note`, and words centred under the head.

    Args:
        drawing: what verovio drew; it is changed.
        heads: which head shows which note.
        looks: by the index of the note.
    """
    by_id = {head.id: head.note for head in heads if head.note in looks}
    for group in drawing.iter("g"):
        note = by_id.get(group.get("id", ""))
        if note is None or group.get("class") != "note":
            continue
        group.set("class", f"note {looks[note].kind}".rstrip())
        group.set("data-note", str(note))
        for verse in group.findall("g[@class='verse']"):
            group.remove(verse)
            group.append(_centred(verse, group, printable(looks[note].words)))


def _centred(verse: ElementTree.Element, note: ElementTree.Element, words: str) -> ElementTree.Element:
    """The words as verovio placed them, but in the middle under the head."""
    placed, head = verse.find(".//text"), note.find("g[@class='notehead']/use")
    assert placed is not None
    assert head is not None
    left = re.match(r"translate\((-?[\d.]+)", head.attrib["transform"])
    assert left is not None
    text = ElementTree.Element(
        "text",
        {
            "class": "words",
            "x": f"{float(left[1]) + _HALF_A_HEAD:g}",
            "y": placed.attrib["y"],
            "text-anchor": "middle",
            "font-size": f"{_LETTERS}px",
        },
    )
    text.text = words
    return text
