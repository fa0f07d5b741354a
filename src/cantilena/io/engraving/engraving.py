"""Engraved scores: SVG that any browser shows, through verovio.

Verovio only ever sees MusicXML that `musicxml_writer` wrote: given files of strangers it leaks state from one tune to
the next and can take the process down. Each call has a toolkit of its own (3 ms to make), so that calls never meet.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import verovio

from cantilena.errors import UsageError
from cantilena.io.engraving.svg_sheet import Page, margins, svg_sheet
from cantilena.io.engraving.systems import line_breaks
from cantilena.io.midi.clock import clock
from cantilena.io.notation.musicxml_writer import musicxml_with_heads
from cantilena.io.notation.note_looks import NoteLook, dress, room_for_words
from cantilena.music import Melody

_UNITS_PER_PIXEL = 2.25  # verovio's units; a staff is 32 pixels high
_NARROWEST, _WIDEST = 200, 4000
_RESOURCES = str(Path(verovio.__file__).parent / "data")  # its fonts
_MOST_PHRASED_BARS = 200  # longer scores break where verovio says, which takes half the time
verovio.enableLog(verovio.LOG_OFF)  # it warns on stderr of each bar that is crowded

# What stands before the notes of a line, in verovio's units.
_CLEF_AND_METER, _SHARP_OR_FLAT = 130, 18

_OPTIONS: dict[str, object] = {
    "adjustPageHeight": True,
    "footer": "none",
    "header": "none",
    "minLastJustification": 0.65,
    "pageHeight": 5000,  # a dozen systems; layout takes time with the square of it, and we join the pages anyway
    "pageMarginBottom": 0,
    "pageMarginLeft": 0,
    "pageMarginRight": 0,
    "pageMarginTop": 0,
    "smuflTextFont": "none",
    "svgFormatRaw": True,
    "svgViewBox": True,
}


@dataclass(frozen=True, slots=True)
class TimedHead:
    """When one note head of a score sounds.

    Args:
        id: the `id` of its group in the SVG, whose class is `note`.
        note: index in `melody.sounding` of the note that it shows; a tied note has several heads, one after another.
        onset: seconds from the start of the melody.
        end: seconds likewise, of this head alone.
    """

    id: str
    note: int
    onset: float
    end: float


@dataclass(frozen=True, slots=True)
class Engraving:
    """A score and how to follow it.

    Args:
        svg: the score as SVG text.
        timemap: its note heads in the order of time.
    """

    svg: str
    timemap: tuple[TimedHead, ...]


def score_svg(melody: Melody, *, width: int = 800, heading: bool = True) -> str:
    """Engrave a melody.

    Args:
        melody: the melody.
        width: pixels, 200 to 4,000; the height follows from the content, however long that is.
        heading: whether title and source stand above.

    Returns:
        A self-contained SVG, the same for the same melody; dark on light, or light on dark where the reader's system
        says so.

    Raises:
        UsageError: another width, or more bars than a score can hold.

    Example:
        >>> score_svg(Melody.of([(60, 24), (62, 24), (64, 48)])).count('class="note"')
        3
    """
    return score_with_timemap(melody, width=width, heading=heading).svg


def score_with_timemap(
    melody: Melody,
    *,
    width: int = 800,
    heading: bool = True,
    looks: Mapping[int, NoteLook] | None = None,
    style: str = "",
) -> Engraving:
    """Engrave a melody, and say when each note head sounds, so that a player's cursor can follow.

    Args:
        melody: the melody.
        width: pixels, 200 to 4,000.
        heading: whether title and source stand above.
        looks: what is added to notes, by their index in `melody.sounding`; no two of these may begin together.
        style: rules of CSS for the classes that the looks name.

    Example:
        >>> engraving = score_with_timemap(Melody.of([(60, 24), (62, 96)]))
        >>> [(head.note, head.onset, head.end) for head in engraving.timemap]
        [(0, 0.0, 0.5), (1, 0.5, 2.0), (1, 2.0, 2.5)]
    """
    if not _NARROWEST <= width <= _WIDEST:
        raise UsageError(f"a score {width} pixels wide", f"give a width from {_NARROWEST} to {_WIDEST}")
    looks = looks or {}
    words = room_for_words(looks)
    document, heads = musicxml_with_heads(melody, words=words)
    # Ids carry a hash of the score: the same score gives the same SVG, and two scores can share a page.
    seed = zlib.crc32(f"{width} {heading} {document}".encode()) % 2**31 or 1
    prefix = f"n{seed:08x}-"
    room = round((width - margins()) * _UNITS_PER_PIXEL)
    verovio.setDefaultResourcePath(_RESOURCES)  # each thread has a path of its own, which importing sets for one alone
    toolkit, breaks = verovio.toolkit(), []
    if melody.bars <= _MOST_PHRASED_BARS:
        signs = _CLEF_AND_METER + _SHARP_OR_FLAT * abs(melody.key.fifths if melody.key else 0)
        line = _pages(toolkit, document, breaks="none", adjustPageWidth=True, xmlIdSeed=seed)
        first, *others = (bar for page in line for bar in page.bar_widths())
        has_pickup = melody.pickup % melody.meter.ticks_per_bar > 0
        breaks = line_breaks([first - signs, *others], room - signs, has_pickup=has_pickup)
    document, heads = musicxml_with_heads(melody, prefix, breaks, words)
    layout = {"breaks": "line" if breaks else "auto", "adjustPageWidth": False, "pageWidth": room, "xmlIdSeed": seed}
    pages = _pages(toolkit, document, **layout)
    for page in pages if looks else ():
        dress(page.content, heads, looks)
    svg = svg_sheet(
        pages,
        width=width,
        units_per_pixel=_UNITS_PER_PIXEL,
        keep_ids=prefix,
        title=melody.title if heading else "",
        source=melody.source if heading else "",
        style=style,
    )
    seconds = clock(melody.tempo)
    timemap = tuple(TimedHead(head.id, head.note, seconds(head.start), seconds(head.end)) for head in heads)
    return Engraving(svg, timemap)


def _pages(toolkit: verovio.toolkit, document: str, **options: object) -> list[Page]:
    """What verovio draws of MusicXML that we wrote."""
    toolkit.setOptions({**_OPTIONS, **options})
    toolkit.setInputFrom("musicxml")
    if not toolkit.loadData(document):
        raise UsageError("this melody cannot be engraved", "write it as .musicxml and report it")
    return [Page.read(toolkit.renderToSVG(number)) for number in range(1, toolkit.getPageCount() + 1)]
