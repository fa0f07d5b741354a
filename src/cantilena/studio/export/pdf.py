"""Scores as pictures: PNG to look at, PDF to print, both from the SVG that was engraved.

A score's SVG drawn on a PDF: the few shapes of which our scores consist, as outlines and letters.

General converters of SVG are ten times slower, and the one that needs no library of the system stops after ten
thousand signs, which a long score has.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from cantilena.errors import InputError

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas


SVG = "{http://www.w3.org/2000/svg}"
GROUP = f"{SVG}g"
Extent = tuple[float, float]
"""From where to where something reaches, pixels of the sheet."""

_HREF = "{http://www.w3.org/1999/xlink}href"
_INK = 0x1B1A18
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_STEP = re.compile(r"([MmLlHhVvCcSsQqTtZz])([^MmLlHhVvCcSsQqTtZz]*)")
_MOVE = re.compile(r"(translate|scale)\(([^)]*)\)")
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2}
_IS_STROKED = frozenset({"path", "polyline"})


def numbers_in(text: str) -> list[float]:
    """All numbers in a text.

    Example:
        >>> numbers_in("M-1.5 2,3")
        [-1.5, 2.0, 3.0]
    """
    return [float(number) for number in _NUMBER.findall(text)]


class Drawing:
    """A sheet that is drawn, a part a page.

    Args:
        canvas: of the PDF, in the sheet's coordinates when something is drawn.
        root: the sheet, as `formats.score_svg` makes it.
        letters: names of fonts by style: "", `bold` and `italic`.
        extents: where some of its groups lie, so that they are left out where nobody would see them.
    """

    def __init__(
        self,
        canvas: Canvas,
        root: ElementTree.Element,
        letters: dict[str, str],
        extents: Mapping[ElementTree.Element, Extent],
    ) -> None:
        self.canvas = canvas
        self.root = root
        self.letters = letters
        self.extents = extents
        self._shown: Extent = (0.0, 0.0)
        self._signs: set[str] = set()
        self._width = float(root.attrib["width"])
        for sign in root.iterfind(f"{SVG}defs/{GROUP}"):
            self._keep(sign)

    def draw(self, top: float, bottom: float) -> None:
        """Draw what lies between two heights of the sheet."""
        self._shown = top, bottom
        clip = self.canvas.beginPath()
        clip.rect(0, top, self._width, bottom - top)
        self.canvas.clipPath(clip, stroke=0, fill=0)
        self.canvas.setFillColor(_colour())
        self.canvas.setStrokeColor(_colour())
        for part in self.root:
            if part.get("class") != "paper":
                self._part(part, 0.0, {})

    def _keep(self, sign: ElementTree.Element) -> None:
        """Write the outline of a sign once, to be shown wherever it stands."""
        name = sign.attrib["id"]
        self.canvas.beginForm(name, -10_000, -10_000, 10_000, 10_000)
        for outline in sign:
            self.canvas.saveState()
            self._move(outline)
            self._outline(outline.get("d", ""), fill=True, stroke=False)
            self.canvas.restoreState()
        self.canvas.endForm()
        self._signs.add(name)

    def _part(self, part: ElementTree.Element, stroke: float, style: dict[str, str]) -> None:
        """Draw an element and what is in it; stroke and the style of letters are handed down."""
        kind = part.tag.removeprefix(SVG)
        if (extent := self.extents.get(part)) and not self._is_seen(extent):
            return
        if kind in ("defs", "style", "title", "desc"):
            return
        stroke = float(part.get("stroke-width", stroke))
        style = style | {name: part.attrib[name] for name in _STYLE if name in part.attrib}
        self.canvas.saveState()
        self._move(part)
        if kind in ("g", "svg"):
            for inner in part:
                self._part(inner, stroke, style)
        elif kind == "use":
            name = part.get(_HREF, part.get("href", "")).removeprefix("#")
            if name in self._signs:
                self.canvas.doForm(name)
        elif kind == "text":
            self._words(part, style)
        else:
            is_line = part.get("fill") == "none" or (kind in _IS_STROKED and "fill" not in part.attrib and stroke > 0)
            self.canvas.setLineWidth(stroke)
            self._outline(_path_of(part, kind), fill=part.get("fill") != "none", stroke=is_line or stroke > 0)
        self.canvas.restoreState()

    def _is_seen(self, extent: Extent) -> bool:
        margin = 100.0  # what stands beside a system, such as words under it, may reach beyond its points
        return extent[1] + margin > self._shown[0] and extent[0] - margin < self._shown[1]

    def _move(self, part: ElementTree.Element) -> None:
        for kind, text in _MOVE.findall(part.get("transform", "")):
            x, y = [*numbers_in(text), *numbers_in(text)][:2]
            if kind == "translate":
                self.canvas.translate(x, y)
            else:
                self.canvas.scale(x, y)

    def _outline(self, d: str, *, fill: bool, stroke: bool) -> None:
        path = self.canvas.beginPath()
        for step, points in _steps(d):
            match step:
                case "M":
                    path.moveTo(*points)
                case "L":
                    path.lineTo(*points)
                case "C":
                    path.curveTo(*points)
                case _:
                    path.close()
        self.canvas.drawPath(path, stroke=int(stroke), fill=int(fill))

    def _words(self, text: ElementTree.Element, style: dict[str, str]) -> None:
        words = "".join(text.itertext())
        for span in text.iter(f"{SVG}tspan"):
            style = style | {name: span.attrib[name] for name in _STYLE if name in span.attrib}
        size = float(style.get("font-size", "16").removesuffix("px"))
        look = "bold" if style.get("font-weight") == "bold" else style.get("font-style", "")
        font = self.letters.get(look, self.letters[""])
        x, y = float(text.get("x", "0")), float(text.get("y", "0"))
        self.canvas.translate(x, y)
        self.canvas.scale(1, -1)  # letters stand upright though y runs down
        self.canvas.setFont(font, size)
        match style.get("text-anchor"):
            case "middle":
                self.canvas.drawCentredString(0, 0, words)
            case "end":
                self.canvas.drawRightString(0, 0, words)
            case _:
                self.canvas.drawString(0, 0, words)


_STYLE = ("font-size", "font-style", "font-weight", "text-anchor")


def _colour() -> Any:  # noqa: ANN401  (a colour of reportlab's)
    from reportlab.lib.colors import HexColor

    return HexColor(_INK)


def _path_of(part: ElementTree.Element, kind: str) -> str:
    """A shape as a path."""
    if kind in ("polygon", "polyline"):
        points = numbers_in(part.get("points", ""))
        return (
            "M"
            + " L".join(f"{x} {y}" for x, y in zip(points[::2], points[1::2], strict=True))
            + ("Z" if kind == "polygon" else "")
        )
    if kind == "rect":
        x, y, width, height = (float(part.get(name, "0")) for name in ("x", "y", "width", "height"))
        return f"M{x} {y}H{x + width}V{y + height}H{x}Z"
    if kind in ("ellipse", "circle"):
        cx, cy = float(part.get("cx", "0")), float(part.get("cy", "0"))
        rx, ry = (float(part.get(name, part.get("r", "0"))) for name in ("rx", "ry"))
        k = 0.5523  # a quarter of a circle as a cubic curve
        return (
            f"M{cx + rx} {cy}C{cx + rx} {cy + k * ry} {cx + k * rx} {cy + ry} {cx} {cy + ry}"
            f"S{cx - rx} {cy + k * ry} {cx - rx} {cy}S{cx - k * rx} {cy - ry} {cx} {cy - ry}"
            f"S{cx + rx} {cy - k * ry} {cx + rx} {cy}Z"
        )
    return part.get("d", "")


def _steps(d: str) -> Iterator[tuple[str, list[float]]]:
    """A path in absolute coordinates: M, L, C and Z alone.

    Example:
        >>> list(_steps("m1 1h2z"))
        [('M', [1.0, 1.0]), ('L', [3.0, 1.0]), ('Z', [])]
    """
    x = y = begin_x = begin_y = 0.0
    control: tuple[float, float] | None = None  # the last control point, which smooth curves mirror
    for letter, text in _STEP.findall(d):
        kind, values = letter.upper(), numbers_in(text)
        if kind == "Z":
            yield "Z", []
            x, y, control = begin_x, begin_y, None
            continue
        takes = _TAKES[kind]
        for first in range(0, len(values) - takes + 1, takes):
            given = values[first : first + takes]
            if letter.islower():
                moves = (y,) if kind == "V" else (x, y) if takes > 1 else (x,)
                given = [value + moves[place % len(moves)] for place, value in enumerate(given)]
            end = [given[0], y] if kind == "H" else [x, given[0]] if kind == "V" else given[-2:]
            mirrored = [2 * x - control[0], 2 * y - control[1]] if control is not None else [x, y]
            match kind:
                case "M" if first == 0:
                    yield "M", end
                    begin_x, begin_y, control = *end, None
                case "M" | "L" | "H" | "V":
                    yield "L", end
                    control = None
                case "C":
                    yield "C", given
                    control = given[2], given[3]
                case "S":
                    yield "C", [*mirrored, *given]
                    control = given[0], given[1]
                case _:
                    middle = given[:2] if kind == "Q" else mirrored
                    yield "C", [*_between((x, y), middle), *_between(end, middle), *end]
                    control = middle[0], middle[1]
            x, y = end


def _between(end: Any, middle: Any) -> list[float]:  # noqa: ANN401  (two numbers each)
    """The control point of a cubic curve for that of a quadratic one: two thirds of the way to it."""
    return [end[0] + (middle[0] - end[0]) * 2 / 3, end[1] + (middle[1] - end[1]) * 2 / 3]


_SHARP = 2.0
"""Pixels of a PNG for one of the SVG: as many as good screens have."""

_MOST_PIXELS = 12_000
"""Pixels that no PNG is higher than."""

_PAPER = (595.28, 841.89)
"""Points of a page of A4."""

_MARGIN = 28.0
_FACES = {"": "DejaVuSerif.ttf", "bold": "DejaVuSerif-Bold.ttf", "italic": "DejaVuSerif-Italic.ttf"}
_TIMES = {"": "Times-Roman", "bold": "Times-Bold", "italic": "Times-Italic"}


def png_bytes(svg: str) -> bytes:
    """A score as a PNG, dark on white.

    The letters are those of DejaVu, which every installation has: the same picture everywhere.

    Args:
        svg: what `score_svg` gave.

    Raises:
        InputError: it cannot be drawn.
    """
    import resvg_py

    height = float(ElementTree.fromstring(svg).attrib["height"])  # noqa: S314  (our own score)
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=min(_SHARP, _MOST_PIXELS / height),
            background="#ffffff",
            skip_system_fonts=True,
            font_files=[str(path) for path in _faces().values()],
            font_family="DejaVu Serif",
            serif_family="DejaVu Serif",
        )
    except ValueError as error:
        raise InputError(f"this score cannot be drawn: {error}", "take it as SVG") from error
    return bytes(drawn)


def pdf_bytes(svg: str) -> bytes:
    """A score as a PDF of pages of A4, cut between its systems; lines and signs stay outlines.

    Args:
        svg: what `score_svg` gave.
    """
    from reportlab.pdfgen.canvas import Canvas

    root = ElementTree.fromstring(svg)  # noqa: S314  (our own score)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=_PAPER, invariant=True)
    canvas.setTitle(next((text.text or "" for text in root if text.tag.endswith("title")), ""))
    systems = _systems(root)
    drawing = Drawing(canvas, root, _letters_for(root), systems)
    scale = (_PAPER[0] - 2 * _MARGIN) / width
    for top, bottom in slices(systems.values(), height, (_PAPER[1] - 2 * _MARGIN) / scale):
        canvas.saveState()
        # From the sheet's coordinates, whose y runs down, to the paper's.
        canvas.transform(scale, 0, 0, -scale, _MARGIN, _PAPER[1] - _MARGIN + top * scale)
        drawing.draw(top, bottom)
        canvas.restoreState()
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def slices(systems: Iterable[Extent], height: float, room: float) -> list[Extent]:
    """From where to where each page shows a sheet: as many whole systems as there is room for.

    Args:
        systems: from where to where each line of staves reaches.
        height: of the sheet, pixels.
        room: pixels that a page shows.
    """
    cuts = [0.0, *((above + below) / 2 for (_, above), (below, _) in pairwise(sorted(systems))), height]
    found, top = [], 0.0
    for before, after in pairwise(cuts):
        if after - top > room and before > top:
            found.append((top, before))
            top = before
    return [*found, (top, height)]


_PLACED = re.compile(r"translate\([-\d.]+[ ,]+([-\d.]+)\) scale\(([\d.]+)")


def _systems(root: ElementTree.Element) -> dict[ElementTree.Element, Extent]:
    """From where to where each line of staves reaches, pixels of the sheet."""
    found = {}
    for page in root.iterfind(GROUP):
        placed = _PLACED.match(page.get("transform", ""))
        if placed is None:
            continue
        shift, scale = float(placed[1]), float(placed[2])
        for system in page.iter(GROUP):
            if system.get("class") == "system":
                heights = [y for part in system.iter() for y in _heights(part)]
                found[system] = (shift + scale * min(heights), shift + scale * max(heights))
    return found


def _heights(element: ElementTree.Element) -> list[float]:
    """The heights at which an element has points; all of verovio's paths are absolute outside of its signs."""
    placed = element.get("transform", "").partition(")")[0]
    texts = (element.get("d", ""), element.get("points", ""), placed)
    return [y for text in texts for y in numbers_in(text)[1::2]]


def _letters_for(root: ElementTree.Element) -> dict[str, str]:
    """The names of fonts by style: Times, which every reader of PDF has, where it has all letters, else DejaVu."""
    words = "".join(element.text or "" for element in root.iter() if element.tag.endswith(("text", "tspan")))
    if all(ord(letter) < 256 for letter in words):
        return _TIMES
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    names = {}
    for style, path in _faces().items():
        names[style] = f"DejaVuSerif-{style}"
        pdfmetrics.registerFont(TTFont(names[style], str(path)))
    return names


@cache
def _faces() -> dict[str, Path]:
    """The files of the letters, which come with matplotlib; it is not imported for that."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise InputError("the letters of matplotlib are missing", "install cantilena anew")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return {style: folder / name for style, name in _FACES.items()}
