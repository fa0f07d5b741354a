"""Engraved scores: SVG that any browser shows, through verovio.

Verovio only ever sees MusicXML that `musicxml_writer` wrote: given files of strangers it leaks state from one tune to
the next and can take the process down. Each call has a toolkit of its own (3 ms to make), so that calls never meet.

One sheet of paper from the pages that verovio draws: a single self-contained SVG.

What verovio writes needs care before it can be shown anywhere: its metronome marks ask for an embedded music font of
60 KB (drawn as outlines here), its ids are random, its colour is fixed, and it breaks into pages.

Where the lines of a score break.

An engraver fills line after line and leaves what remains, so that eight bars become six and two. People read phrases:
four or eight bars a line where they fit and leave no bar alone, else lines of about equal width.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

import verovio

from cantilena.errors import UsageError
from cantilena.io.midi.reader import clock
from cantilena.io.notation.musicxml_writer import NoteLook, dress, musicxml_with_heads, room_for_words
from cantilena.io.printable import printable
from cantilena.music import Melody

_MARGIN = 20.0
_TITLE_SIZE, _SOURCE_SIZE = 22.0, 12.0
_SCALE = 10  # of the coordinates inside verovio's drawing to its page units
_BELOW = 250  # how far signs may reach below the point where they are put, in the drawing's coordinates
_NOT_DRAWN = {"placeholder", "pageMilestone", "systemMilestone", "pageMilestoneEnd", "systemMilestoneEnd"}
_HEIGHTS = re.compile(r"-?\d+(?:\.\d+)?[ ,]+(-?\d+)")
_LINE = re.compile(r"[ML](-?\d+) ")
# Inks and papers of both colour schemes; renderers that know no media queries take the light one.
_INK, _PAPER = "#1b1a18", "#ffffff"
_STYLE = (
    "@media (prefers-color-scheme: dark) {"
    " .cantilena-score { color: #ece8e1; } .cantilena-score > .paper { fill: #1e1d1b; } }"
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page as verovio drew it.

    Args:
        content: the drawing.
        glyphs: outlines of the music font that it uses.
        height: in page units.
    """

    content: ElementTree.Element
    glyphs: tuple[ElementTree.Element, ...]
    height: float

    @classmethod
    def read(cls, svg: str) -> Self:
        """Take apart what `renderToSVG` gave (with `svgViewBox` and `svgFormatRaw`, from a score of ours)."""
        # Names without namespaces are easier to work with; the sheet declares them again.
        plain = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href=", "href=")
        root = ElementTree.fromstring(plain)  # noqa: S314  (verovio's own output)
        drawing = root.find("svg/g")
        assert drawing is not None
        for parent in drawing.iter():
            for child in [one for one in parent if set(one.get("class", "").split()) & _NOT_DRAWN]:
                parent.remove(child)
        lowest = max((float(y) for part in drawing.iter() for y in _HEIGHTS.findall(_geometry(part))), default=0)
        return cls(drawing, tuple(root.iterfind("defs/g")), (lowest + _BELOW) / _SCALE)

    def bar_widths(self) -> list[float]:
        """How wide each bar is, in page units: the length of its first staff line."""
        lines = (bar.find(".//g[@class='staff']/path") for bar in self.content.iterfind(".//g[@class='measure']"))
        ends = ([float(x) for x in _LINE.findall(line.attrib["d"])] for line in lines if line is not None)
        return [(right - left) / _SCALE for left, right in ends]


def margins() -> float:
    """Pixels of the sheet's width that are not the score's."""
    return 2 * _MARGIN


def svg_sheet(
    pages: Sequence[Page],
    *,
    width: int,
    units_per_pixel: float,
    keep_ids: str,
    title: str,
    source: str,
    style: str = "",
) -> str:
    """Join pages under a heading into one tall sheet.

    Args:
        pages: what `Page.read` gave; their elements are changed.
        width: of the sheet, in pixels.
        units_per_pixel: page units a pixel.
        keep_ids: how the ids begin that matter; all others are dropped.
        title: the heading, or "".
        source: where the music comes from, under the heading, or "".
        style: further rules of CSS.
    """
    head, top = _heading(printable(title), printable(source), width)
    glyphs, body = {}, []
    for page in pages:
        glyphs.update({glyph.attrib["id"]: glyph for glyph in page.glyphs})
        _clean(page.content, keep_ids)
        page.content.set("transform", f"translate({_MARGIN:g} {top:.2f}) scale({1 / _SCALE / units_per_pixel:.6f})")
        body.append(page.content)
        top += page.height / units_per_pixel
    height = round(top + _MARGIN)
    sheet = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "xmlns:xlink": "http://www.w3.org/1999/xlink",
            "class": "cantilena-score",
            "width": str(width),
            "height": str(height),
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "color": _INK,
            "fill": "currentColor",
            "stroke": "currentColor",
            "stroke-width": "0",
            "font-family": "Times, 'Times New Roman', 'Liberation Serif', serif",
        },
    )
    ElementTree.SubElement(sheet, "title").text = printable(title) or "Score"
    ElementTree.SubElement(sheet, "style").text = f"{_STYLE} {style}".rstrip()
    ElementTree.SubElement(sheet, "defs").extend(glyphs.values())
    ElementTree.SubElement(sheet, "rect", {"class": "paper", "width": "100%", "height": "100%", "fill": _PAPER})
    sheet.extend([*head, *body])
    return ElementTree.tostring(sheet, encoding="unicode") + "\n"


def _heading(title: str, source: str, width: int) -> tuple[list[ElementTree.Element], float]:
    """The lines above the score, and where the score begins."""
    lines, top = [], _MARGIN
    for text, size, style in ((title, _TITLE_SIZE, {}), (source, _SOURCE_SIZE, {"font-style": "italic"})):
        if not text:
            continue
        room = int((width - 2 * _MARGIN) / (0.5 * size))  # a serif letter is about half as wide as high
        top += size
        place = {"x": f"{width / 2:g}", "y": f"{top:g}", "text-anchor": "middle", "font-size": f"{size:g}"}
        line = ElementTree.Element("text", {**place, **style})
        line.text = text if len(text) <= room else text[: room - 1].rstrip() + "…"
        lines.append(line)
        top += 0.4 * size
    return lines, top


def _clean(element: ElementTree.Element, keep_ids: str) -> None:
    """Drop ids and groups that nobody needs, and draw metronome marks, at all depths."""
    if not element.get("id", keep_ids).startswith(keep_ids):
        del element.attrib["id"]
    if reference := element.attrib.pop("href", None):
        element.set("xlink:href", reference)
    kind = element.get("class", "").split()[:1]
    if kind == ["mNum"]:
        element.set("font-style", "italic")
    if kind == ["tempo"]:
        element[:] = _tempo_mark(element)
        return
    for child in list(element):
        _clean(child, keep_ids)
        if child.tag == "g" and len(child) == 0:
            element.remove(child)


def _geometry(element: ElementTree.Element) -> str:
    """The coordinates of one element as they stand, x before y."""
    transform = element.get("transform", "").partition(")")[0].removeprefix("translate(")
    return " ".join((element.get("d", ""), element.get("points", ""), transform))


def _tempo_mark(mark: ElementTree.Element) -> list[ElementTree.Element]:
    """A metronome mark whose note is an outline instead of a letter of a music font."""
    text = mark.find("text")
    if text is None or "y" not in text.attrib:  # verovio drew nothing there
        return []
    x, y = float(text.attrib["x"]), text.attrib["y"]
    drawn, words, size = [], "", "405px"
    for span in text.iter("tspan"):
        letters, size = span.text or "", span.get("font-size", size)
        if span.get("font-family") is None:
            words += letters
            continue
        scale = float(size.removesuffix("px")) / 1000  # glyphs are drawn on a thousand units
        for letter in letters:
            outline, advance = _glyph(f"{ord(letter):04X}")
            place = f"translate({x:g} {y}) scale({scale:g} {-scale:g})"
            drawn.append(ElementTree.Element("path", {"d": outline, "transform": place}))
            x += advance * scale
    x += 0.2 * float(size.removesuffix("px"))  # a space; those at the beginning of a text are not drawn
    label = ElementTree.Element("text", {"x": f"{x:g}", "y": y, "font-size": size, "font-weight": "bold"})
    label.text = " ".join(words.split())
    return [*drawn, label]


@lru_cache
def _glyph(code: str) -> tuple[str, float]:
    """Outline and width of a sign of verovio's music font, from the file that verovio itself reads."""
    folder = Path(verovio.__file__).parent / "data"
    outline = re.search(r' d="([^"]*)"', (folder / "Leipzig" / f"{code}.xml").read_text(encoding="utf-8"))
    width = re.search(rf'<g c="{code}"[^>]*h-a-x="([\d.]+)"', (folder / "Leipzig.xml").read_text(encoding="utf-8"))
    return outline[1] if outline else "", float(width[1]) if width else 0.0


_PHRASES = (8, 4)
_TIGHTER = 1.12  # how far beyond its natural spacing a line may be filled for the sake of a phrase


def line_breaks(widths: Sequence[float], room: float, *, has_pickup: bool) -> list[int]:
    """Choose the bars that begin a new line.

    Args:
        widths: of each bar at its natural spacing.
        room: what a line holds, in the same unit.
        has_pickup: whether the first bar is a pickup, which joins the line of the bar after it.

    Returns:
        Indices of bars, ascending, without the first.

    Example:
        >>> line_breaks([2.0] * 8, room=13.0, has_pickup=False)
        [4]
        >>> line_breaks([3.0] * 7, room=10.0, has_pickup=False)
        [3, 5]
    """
    bars = len(widths) - has_pickup
    for phrase in _PHRASES:
        breaks = list(range(phrase + has_pickup, len(widths), phrase))
        fits = all(sum(widths[a:b]) <= _TIGHTER * room for a, b in pairwise((0, *breaks, len(widths))))
        if fits and (bars % phrase == 0 or (phrase == 4 and bars % phrase > 1)):
            return breaks
    return _balanced(widths, room)


def _balanced(widths: Sequence[float], room: float) -> list[int]:
    """As few lines as possible, and of those ways the one whose lines leave least room, squared and summed."""
    upto = [0.0, *accumulate(widths)]
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # lines, badness, minus where the last line begins
    for end in range(1, len(upto)):
        choices = []
        for start in range(end - 1, -1, -1):
            width = upto[end] - upto[start]
            if width > room and start < end - 1:
                break
            lines, badness, _ = best[start]
            choices.append((lines + 1, badness + (room - width) ** 2, -start))
        best.append(min(choices))
    breaks, end = [], len(widths)
    while (end := -best[end][2]) > 0:
        breaks.append(end)
    return breaks[::-1]


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
        >>> score_svg(Melody.from_pitches([(60, 24), (62, 24), (64, 48)])).count('class="note"')
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
        >>> engraving = score_with_timemap(Melody.from_pitches([(60, 24), (62, 96)]))
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
