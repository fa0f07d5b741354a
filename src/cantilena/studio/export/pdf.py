"""Scores as PDF to print and as PNG to look at, both from the engraved SVG.

The PDF is drawn from the few SVG elements that our scores contain. General converters are ten times slower, and the one
that needs no system library fails after ten thousand elements, which a long score has.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cantilena.errors import InputError

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

Extent = tuple[float, float]
"""Top and bottom in pixels of the SVG."""

_PNG_SCALE = 2.0
"""Pixels of the PNG per pixel of the SVG, as for high-resolution screens."""

_MAX_PNG_HEIGHT = 12_000
_PAGE_SIZE = (595.28, 841.89)
"""A4, in points."""

_PAGE_MARGIN = 28.0
_CLIP_MARGIN = 100.0
"""Pixels by which text below a system may extend beyond its paths."""

_INK = 0x1B1A18
_DEJAVU = {"": "DejaVuSerif.ttf", "bold": "DejaVuSerif-Bold.ttf", "italic": "DejaVuSerif-Italic.ttf"}
_TIMES = {"": "Times-Roman", "bold": "Times-Bold", "italic": "Times-Italic"}

_SVG = "{http://www.w3.org/2000/svg}"
_GROUP = f"{_SVG}g"
_HREF = "{http://www.w3.org/1999/xlink}href"
_TEXT_STYLE = ("font-size", "font-style", "font-weight", "text-anchor")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COMMAND = re.compile(r"([MmLlHhVvCcSsZz])([^MmLlHhVvCcSsZz]*)")
_COMMAND_LENGTHS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4}
_TRANSFORM = re.compile(r"(translate|scale)\(([^)]*)\)")
_PAGE_TRANSFORM = re.compile(r"translate\([-\d.]+[ ,]+([-\d.]+)\) scale\(([\d.]+)")


def png_bytes(svg: str) -> bytes:
    """Draw a score as PNG, dark on white.

    The font is always DejaVu Serif, which comes with matplotlib: the picture is the same on every system.

    Args:
        svg: a score of `score_svg`.

    Raises:
        InputError: it cannot be drawn.
    """
    import resvg_py

    height = float(ElementTree.fromstring(svg).attrib["height"])  # noqa: S314  (our own score)
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=min(_PNG_SCALE, _MAX_PNG_HEIGHT / height),
            background="#ffffff",
            skip_system_fonts=True,
            font_files=[str(path) for path in _dejavu_files().values()],
            font_family="DejaVu Serif",
            serif_family="DejaVu Serif",
        )
    except ValueError as error:
        raise InputError(f"this score cannot be drawn as PNG: {error}", "export it as SVG") from error
    return bytes(png)


def pdf_bytes(svg: str) -> bytes:
    """Draw a score as a PDF of A4 pages, broken between systems; paths stay vectors.

    Args:
        svg: a score of `score_svg`.
    """
    from reportlab.pdfgen.canvas import Canvas

    root = ElementTree.fromstring(svg)  # noqa: S314  (our own score)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=_PAGE_SIZE, invariant=True)
    canvas.setTitle(next((element.text or "" for element in root if element.tag.endswith("title")), ""))
    systems = system_extents(root)
    painter = _Painter(canvas, root, systems)
    scale = (_PAGE_SIZE[0] - 2 * _PAGE_MARGIN) / width
    for top, bottom in page_extents(systems.values(), height, (_PAGE_SIZE[1] - 2 * _PAGE_MARGIN) / scale):
        canvas.saveState()
        # Turn the y axis, which points down in SVG and up in PDF.
        canvas.transform(scale, 0, 0, -scale, _PAGE_MARGIN, _PAGE_SIZE[1] - _PAGE_MARGIN + top * scale)
        painter.paint(top, bottom)
        canvas.restoreState()
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def page_extents(systems: Iterable[Extent], height: float, page_height: float) -> list[Extent]:
    """Divide a score into pages of as many whole systems as fit.

    Args:
        systems: the extent of each system.
        height: height of the score in pixels.
        page_height: height of a page in the same pixels.
    """
    breaks = [0.0, *((above + below) / 2 for (_, above), (below, _) in pairwise(sorted(systems))), height]
    pages, top = [], 0.0
    for previous, current in pairwise(breaks):
        if current - top > page_height and previous > top:
            pages.append((top, previous))
            top = previous
    return [*pages, (top, height)]


def system_extents(root: ElementTree.Element) -> dict[ElementTree.Element, Extent]:
    """Return the systems of a score with their extents."""
    extents = {}
    for page in root.iterfind(_GROUP):
        transform = _PAGE_TRANSFORM.match(page.get("transform", ""))
        if transform is None:
            continue
        offset, scale = float(transform[1]), float(transform[2])
        for system in page.iter(_GROUP):
            if system.get("class") == "system":
                heights = [y for element in system.iter() for y in _heights(element)]
                extents[system] = (offset + scale * min(heights), offset + scale * max(heights))
    return extents


def _heights(element: ElementTree.Element) -> list[float]:
    """Return the y coordinates of an element; verovio's paths outside of glyphs are absolute."""
    transform = element.get("transform", "").partition(")")[0]
    texts = (element.get("d", ""), element.get("points", ""), transform)
    return [y for text in texts for y in _numbers(text)[1::2]]


class _Painter:
    """Draws parts of an SVG on a PDF canvas.

    Args:
        canvas: the canvas; its coordinates are those of the SVG while something is drawn.
        root: the SVG.
        extents: the extents of some of its groups, which are skipped where they are not visible.
    """

    def __init__(
        self, canvas: Canvas, root: ElementTree.Element, extents: Mapping[ElementTree.Element, Extent]
    ) -> None:
        from reportlab.lib.colors import HexColor

        self.canvas, self.root, self.extents = canvas, root, extents
        self.fonts = _register_fonts(root)
        self.ink = HexColor(_INK)
        self._visible: Extent = (0.0, 0.0)
        self._glyphs = {glyph.attrib["id"] for glyph in root.iterfind(f"{_SVG}defs/{_GROUP}")}
        for glyph in root.iterfind(f"{_SVG}defs/{_GROUP}"):
            self._define_glyph(glyph)

    def paint(self, top: float, bottom: float) -> None:
        """Draw what lies between two heights."""
        self._visible = top, bottom
        clip = self.canvas.beginPath()
        clip.rect(0, top, float(self.root.attrib["width"]), bottom - top)
        self.canvas.clipPath(clip, stroke=0, fill=0)
        self.canvas.setFillColor(self.ink)
        self.canvas.setStrokeColor(self.ink)
        for element in self.root:
            if element.get("class") != "paper":
                self._paint_element(element, 0.0, {})

    def _define_glyph(self, glyph: ElementTree.Element) -> None:
        """Write the outline of a glyph once, as a form that is drawn wherever the glyph occurs."""
        self.canvas.beginForm(glyph.attrib["id"], -10_000, -10_000, 10_000, 10_000)
        for outline in glyph:
            self.canvas.saveState()
            self._transform(outline)
            self._paint_path(outline.get("d", ""), fill=True, stroke=False)
            self.canvas.restoreState()
        self.canvas.endForm()

    def _paint_element(self, element: ElementTree.Element, stroke: float, style: dict[str, str]) -> None:
        """Draw an element with its children, which inherit stroke width and text style."""
        kind = element.tag.removeprefix(_SVG)
        if kind in ("defs", "style", "title", "desc") or not self._is_visible(element):
            return
        stroke = float(element.get("stroke-width", stroke))
        style = style | {name: element.attrib[name] for name in _TEXT_STYLE if name in element.attrib}
        self.canvas.saveState()
        self._transform(element)
        if kind in ("g", "svg"):
            for child in element:
                self._paint_element(child, stroke, style)
        elif kind == "use":
            glyph = element.get(_HREF, element.get("href", "")).removeprefix("#")
            if glyph in self._glyphs:
                self.canvas.doForm(glyph)
        elif kind == "text":
            self._paint_text(element, style)
        else:
            is_filled = element.get("fill") != "none"
            self.canvas.setLineWidth(stroke)
            self._paint_path(_path_data(element, kind), fill=is_filled, stroke=not is_filled or stroke > 0)
        self.canvas.restoreState()

    def _is_visible(self, element: ElementTree.Element) -> bool:
        extent, (top, bottom) = self.extents.get(element), self._visible
        return extent is None or (extent[1] + _CLIP_MARGIN > top and extent[0] - _CLIP_MARGIN < bottom)

    def _transform(self, element: ElementTree.Element) -> None:
        for kind, text in _TRANSFORM.findall(element.get("transform", "")):
            x, y = [*_numbers(text), *_numbers(text)][:2]
            if kind == "translate":
                self.canvas.translate(x, y)
            else:
                self.canvas.scale(x, y)

    def _paint_path(self, data: str, *, fill: bool, stroke: bool) -> None:
        path = self.canvas.beginPath()
        for command, points in _absolute_path(data):
            match command:
                case "M":
                    path.moveTo(*points)
                case "L":
                    path.lineTo(*points)
                case "C":
                    path.curveTo(*points)
                case _:
                    path.close()
        self.canvas.drawPath(path, stroke=int(stroke), fill=int(fill))

    def _paint_text(self, element: ElementTree.Element, style: dict[str, str]) -> None:
        for span in element.iter(f"{_SVG}tspan"):
            style = style | {name: span.attrib[name] for name in _TEXT_STYLE if name in span.attrib}
        face = "bold" if style.get("font-weight") == "bold" else style.get("font-style", "")
        self.canvas.translate(float(element.get("x", "0")), float(element.get("y", "0")))
        self.canvas.scale(1, -1)  # text must stand upright although the y axis points down
        self.canvas.setFont(
            self.fonts.get(face, self.fonts[""]), float(style.get("font-size", "16").removesuffix("px"))
        )
        draw = {"middle": self.canvas.drawCentredString, "end": self.canvas.drawRightString}.get(
            style.get("text-anchor", ""), self.canvas.drawString
        )
        draw(0, 0, "".join(element.itertext()))


def _path_data(element: ElementTree.Element, kind: str) -> str:
    """Return a shape as the data of a path."""
    if kind in ("polygon", "polyline"):
        points = _numbers(element.get("points", ""))
        pairs = " L".join(f"{x} {y}" for x, y in zip(points[::2], points[1::2], strict=True))
        return f"M{pairs}{'Z' if kind == 'polygon' else ''}"
    if kind == "rect":
        x, y, width, height = (float(element.get(name, "0")) for name in ("x", "y", "width", "height"))
        return f"M{x} {y}H{x + width}V{y + height}H{x}Z"
    if kind in ("ellipse", "circle"):
        cx, cy = float(element.get("cx", "0")), float(element.get("cy", "0"))
        rx, ry = (float(element.get(name, element.get("r", "0"))) for name in ("rx", "ry"))
        k = 0.5523  # a quarter of a circle as a cubic Bézier curve
        return (
            f"M{cx + rx} {cy}C{cx + rx} {cy + k * ry} {cx + k * rx} {cy + ry} {cx} {cy + ry}"
            f"S{cx - rx} {cy + k * ry} {cx - rx} {cy}S{cx - k * rx} {cy - ry} {cx} {cy - ry}"
            f"S{cx + rx} {cy - k * ry} {cx + rx} {cy}Z"
        )
    return element.get("d", "")


def _absolute_path(data: str) -> Iterator[tuple[str, list[float]]]:
    """Convert path data to absolute coordinates and to the commands M, L, C and Z.

    Examples:
        >>> list(_absolute_path("m1 1h2z"))
        [('M', [1.0, 1.0]), ('L', [3.0, 1.0]), ('Z', [])]
    """
    x = y = start_x = start_y = 0.0
    control: Sequence[float] | None = None  # the last control point, which smooth curves mirror
    for letter, text in _COMMAND.findall(data):
        kind, values = letter.upper(), _numbers(text)
        if kind == "Z":
            yield "Z", []
            x, y, control = start_x, start_y, None
            continue
        length = _COMMAND_LENGTHS[kind]
        for first in range(0, len(values) - length + 1, length):
            points = values[first : first + length]
            if letter.islower():
                origin = (y,) if kind == "V" else (x, y) if length > 1 else (x,)
                points = [value + origin[index % len(origin)] for index, value in enumerate(points)]
            end = [points[0], y] if kind == "H" else [x, points[0]] if kind == "V" else points[-2:]
            mirrored = [2 * x - control[0], 2 * y - control[1]] if control is not None else [x, y]
            match kind:
                case "M" if first == 0:
                    yield "M", end
                    start_x, start_y, control = *end, None
                case "M" | "L" | "H" | "V":
                    yield "L", end
                    control = None
                case "C":
                    yield "C", points
                    control = points[2:4]
                case _:
                    yield "C", [*mirrored, *points]
                    control = points[:2]
            x, y = end


def _numbers(text: str) -> list[float]:
    """Return all numbers in a text.

    Examples:
        >>> _numbers("M-1.5 2,3")
        [-1.5, 2.0, 3.0]
    """
    return [float(number) for number in _NUMBER.findall(text)]


def _register_fonts(root: ElementTree.Element) -> dict[str, str]:
    """Return font names by style: Times, which needs no embedding, if it has all letters, else DejaVu."""
    text = "".join(element.text or "" for element in root.iter() if element.tag.endswith(("text", "tspan")))
    if all(ord(letter) < 256 for letter in text):
        return _TIMES
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    names = {style: f"DejaVuSerif-{style}" for style in _DEJAVU}
    for style, path in _dejavu_files().items():
        pdfmetrics.registerFont(TTFont(names[style], str(path)))
    return names


@cache
def _dejavu_files() -> dict[str, Path]:
    """Return the font files that come with matplotlib, without importing it."""
    matplotlib = find_spec("matplotlib")
    if matplotlib is None or matplotlib.origin is None:
        raise InputError("the fonts of matplotlib are missing", "install cantilena again")
    folder = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf"
    return {style: folder / name for style, name in _DEJAVU.items()}
