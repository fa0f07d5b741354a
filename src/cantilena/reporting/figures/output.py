"""Figures as files and as parts of a page: PNG on white, SVG in the colours of the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib

from cantilena.reporting.figures.style import INK, LINE, STYLE, Figure

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG on white, to keep beside the report."""
    file = io.BytesIO()
    with _drawing():
        _settle(figure)
        figure.savefig(file, format="png", dpi=150, facecolor="white", metadata={"Software": None})
    return file.getvalue()


def svg_text(figure: Figure, name: str) -> str:
    """A figure as an SVG element that can stand in a page: its ink is the page's, its ids carry its name.

    Args:
        figure: what to draw.
        name: a word that no other figure of the page has.
    """
    file = io.StringIO()
    with _drawing():
        _settle(figure)
        figure.savefig(file, format="svg", dpi=150, transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(LINE, "var(--line, #d4d7dd)")
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    head = f'<svg xmlns="{_SVG}" xmlns:xlink="{_XLINK}" style="--width: {110 * figure.get_figwidth():.0f}px"'
    svg = re.sub(r'<svg\b[^>]*?( viewBox="[^"]*")[^>]*>', rf"{head}\1>", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)


@contextmanager
def _drawing() -> Iterator[None]:
    """Our style; a letter that the font lacks is a box in a PNG, without a warning: pages have fonts."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def _settle(figure: Figure) -> None:
    """Lay a figure out once and for all: it takes longer than drawing."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
