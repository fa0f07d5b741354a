"""Draw the packages of Cantilena in their layers: docs/pictures/architecture.svg.

    python scripts/draw_architecture.py

The layers are those that import-linter checks (pyproject.toml); the captions are the first lines of the packages'
docstrings.
"""

from __future__ import annotations

import ast
import tomllib
from html import escape
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src" / "cantilena"
PICTURE = CHECKOUT / "docs" / "pictures" / "architecture.svg"
WIDTH, ROW, GAP = 960, 50, 10
STYLE = """
  .box { fill: #eef2f8; stroke: #5b7aa6; }
  .name { font: bold 15px sans-serif; fill: #1b2a41; }
  .note { font: 12px sans-serif; fill: #44546a; }
  .arrow { stroke: #5b7aa6; stroke-width: 2; marker-end: url(#head); }
"""


def layers() -> list[list[str]]:
    """The layers from top to bottom, each with its packages."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def caption(package: str) -> str:
    """The first line of the package's docstring, without its full stop."""
    path = SOURCE / package / "__init__.py"
    path = path if path.exists() else SOURCE / f"{package}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def shortened(text: str, width: float) -> str:
    """Text that fits into so many pixels at about 6.1 pixels a character."""
    most = int(width / 6.1)
    return text if len(text) <= most else text[: most - 2].rsplit(" ", 1)[0] + " .."


def picture() -> str:
    """The whole drawing as SVG."""
    rows, parts = layers(), []
    for row, packages in enumerate(rows):
        y, width = row * (ROW + GAP) + 5, (WIDTH - 60 - GAP * (len(packages) - 1)) / len(packages)
        for column, package in enumerate(packages):
            x = 50 + column * (width + GAP)
            parts.append(f'<rect class="box" x="{x:.0f}" y="{y}" width="{width:.0f}" height="{ROW}" rx="6"/>')
            parts.append(f'<text class="name" x="{x + 12:.0f}" y="{y + 20}">{package}</text>')
            note = escape(shortened(caption(package), width - 20))
            parts.append(f'<text class="note" x="{x + 12:.0f}" y="{y + 38}">{note}</text>')
    height = len(rows) * (ROW + GAP) + 5
    head = '<marker id="head" markerWidth="8" markerHeight="8" refX="4" refY="4" orient="auto">'
    arrow = f'<line class="arrow" x1="24" y1="20" x2="24" y2="{height - 25}"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>The packages in their layers; imports point downwards</title><style>{STYLE}</style>",
            f'<defs>{head}<path d="M1 1 L7 4 L1 7 Z" fill="#5b7aa6"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            arrow,
            f'<text class="note" transform="translate(16 {height / 2:.0f}) rotate(-90)">imports</text>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
