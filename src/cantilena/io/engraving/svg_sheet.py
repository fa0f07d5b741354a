"""One sheet of paper from the pages that verovio draws: a single self-contained SVG.

What verovio writes needs care before it can be shown anywhere: its metronome marks ask for an embedded music font of
60 KB (drawn as outlines here), its ids are random, its colour is fixed, and it breaks into pages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

import verovio

from cantilena.io.printable import printable

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
