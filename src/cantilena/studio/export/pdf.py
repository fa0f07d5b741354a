"""Scores as pictures: PNG to look at, PDF to print, both from the SVG that was engraved."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from cantilena.errors import InputError
from cantilena.studio.export.vector_drawing import GROUP, Drawing, Extent, numbers_in

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
