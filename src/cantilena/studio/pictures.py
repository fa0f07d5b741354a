"""Scores as pictures: PNG to look at, PDF to print, both from the SVG that was engraved."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from cantilena.errors import InputError

_SHARP = 2.0
"""Pixels of a PNG for one of the SVG: as many as good screens have."""

_MOST_PIXELS = 12_000
"""Pixels that no PNG is higher than."""

_PAPER = (595.28, 841.89)
"""Points of a page of A4."""

_MARGIN = 28.0
_FAMILY = re.compile(r'font-family="[^"]*"')
_SVG = "{http://www.w3.org/2000/svg}"
_FACES = {"": "DejaVuSerif.ttf", "bold": "DejaVuSerif-Bold.ttf", "italic": "DejaVuSerif-Italic.ttf"}


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
    faces = _faces()
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=min(_SHARP, _MOST_PIXELS / height),
            background="#ffffff",
            skip_system_fonts=True,
            font_files=[str(path) for path in faces.values()],
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

    Raises:
        InputError: it cannot be drawn.
    """
    from reportlab.graphics import renderPDF
    from reportlab.pdfgen.canvas import Canvas
    from svglib.svglib import svg2rlg

    root = ElementTree.fromstring(svg)  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    title = root.findtext(f"{_SVG}title") or ""
    drawing = svg2rlg(io.BytesIO(_in_known_letters(svg).encode()))
    if drawing is None:
        raise InputError("this score cannot be drawn", "take it as SVG")
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=_PAPER, invariant=True)
    canvas.setTitle(title)
    scale = (_PAPER[0] - 2 * _MARGIN) / width
    points = drawing.width / width  # svglib counts in points
    canvas.beginForm("score", 0, 0, drawing.width, drawing.height)
    renderPDF.draw(drawing, canvas, 0, 0)
    canvas.endForm()
    for top, bottom in _slices(root, height, (_PAPER[1] - 2 * _MARGIN) / scale):
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(0, _PAPER[1] - _MARGIN - (bottom - top) * scale, _PAPER[0], (bottom - top) * scale)
        canvas.clipPath(clip, stroke=0, fill=0)
        canvas.translate(_MARGIN, _PAPER[1] - _MARGIN - (height - top) * scale)
        canvas.scale(scale / points, scale / points)
        canvas.doForm("score")
        canvas.restoreState()
        canvas.showPage()
    canvas.save()
    return file.getvalue()


@dataclass(frozen=True)
class _System:
    """One line of staves: from where to where, in pixels of the sheet."""

    top: float
    bottom: float


_HEIGHTS = re.compile(r"-?\d+(?:\.\d+)?[ ,]+(-?\d+(?:\.\d+)?)")
_PLACED = re.compile(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\) scale\(([\d.]+)")


def _slices(root: ElementTree.Element, height: float, room: float) -> list[tuple[float, float]]:
    """From where to where each page shows the sheet: as many whole systems as there is room for."""
    systems = sorted(_systems(root), key=lambda system: system.top)
    cuts = [0.0, *((above.bottom + below.top) / 2 for above, below in pairwise(systems)), height]
    slices, top = [], 0.0
    for before, after in pairwise(cuts):
        if after - top > room and before > top:
            slices.append((top, before))
            top = before
    return [*slices, (top, height)]


def _systems(root: ElementTree.Element) -> list[_System]:
    found = []
    for page in root.iterfind(f"{_SVG}g"):
        placed = _PLACED.match(page.get("transform", ""))
        if placed is None:
            continue
        shift, scale = float(placed[2]), float(placed[3])
        for system in page.iter(f"{_SVG}g"):
            if system.get("class") != "system":
                continue
            heights = [float(y) for part in system.iter() for y in _HEIGHTS.findall(_geometry(part))]
            if heights:
                found.append(_System(shift + scale * min(heights), shift + scale * max(heights)))
    return found


def _geometry(element: ElementTree.Element) -> str:
    placed = element.get("transform", "").partition(")")[0].removeprefix("translate(")
    return " ".join((element.get("d", ""), element.get("points", ""), placed))


def _in_known_letters(svg: str) -> str:
    """The SVG in letters that a PDF has: Times where that has them all, else DejaVu, which is put into the file."""
    words = "".join(text for element in ElementTree.fromstring(svg).iter() for text in (element.text or "",))  # noqa: S314
    if all(ord(letter) < 256 for letter in words):
        return _FAMILY.sub('font-family="Times"', svg)
    from svglib.fonts import register_font

    for style, path in _faces().items():
        register_font(
            "DejaVu Serif",
            str(path),
            weight="bold" if style == "bold" else "normal",
            style="italic" if style == "italic" else "normal",
        )
    return _FAMILY.sub('font-family="DejaVu Serif"', svg)


@cache
def _faces() -> dict[str, Path]:
    """The files of the letters, which come with matplotlib; it is not imported for that."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise InputError("the letters of matplotlib are missing", "install cantilena anew")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return {style: folder / name for style, name in _FACES.items()}
