"""Sheets: what is engraved in a process of its own, as that process is told and as it answers.

Verovio holds Python's one lock for as long as it draws, seconds for a long score, and whoever else asked would wait.
This module is read in that process, and so it imports nothing that is not needed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cantilena.io import Engraving, NoteLook, score_with_timemap
from cantilena.music import Melody

Picture = Literal["svg", "pdf", "png"]
"""The files that show a score."""


@dataclass(frozen=True)
class Sheet:
    """A melody to engrave.

    Args:
        melody: the melody.
        width: pixels.
        heading: whether title and source stand above.
        looks: what is added to notes, by their index.
        picture: the file to make of it; none where the score itself is asked for, and how to follow it.
    """

    melody: Melody
    width: int
    heading: bool
    looks: Mapping[int, NoteLook] = field(default_factory=dict)
    picture: Picture | None = None


@dataclass(frozen=True)
class Engraved:
    """A sheet that was engraved.

    Args:
        score: the SVG and when each note head sounds; None where a file was asked for.
        picture: the bytes of the file, or none.
    """

    score: Engraving | None
    picture: bytes = b""


def engrave(sheet: Sheet) -> Engraved:
    """Engrave a sheet, here and now.

    Args:
        sheet: what to engrave.

    Raises:
        UsageError: it cannot be engraved.

    Example:
        >>> engrave(Sheet(Melody.of([(60, 24)]), 400, False)).score.svg[:4]
        '<svg'
    """
    score = score_with_timemap(sheet.melody, width=sheet.width, heading=sheet.heading, looks=sheet.looks)
    if sheet.picture is None:
        return Engraved(score)
    from cantilena.studio.export.pdf import pdf_bytes, png_bytes

    drawn: dict[Picture, Callable[[str], bytes]] = {"svg": str.encode, "pdf": pdf_bytes, "png": png_bytes}
    return Engraved(None, drawn[sheet.picture](score.svg))
