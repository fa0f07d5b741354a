"""Bring docs/styles.md up to date: what the built-in corpus falls into, and its map.

python scripts/draw_styles.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from cantilena.reporting import figures
from cantilena.runtime import write_bytes
from cantilena.workflows import CorpusStyles, find_styles
from cantilena.workflows.styles.files import style_map

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = CHECKOUT / "docs" / "styles.md", CHECKOUT / "docs" / "pictures" / "styles.png"
BEGIN, END = "<!-- the table, by scripts/draw_styles.py -->", "<!-- end of the table -->"


def main() -> int:
    """Write the table and the picture."""
    found = find_styles("tunes")
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}", encoding="utf-8")
    write_bytes(PICTURE, figures.png_bytes(style_map(found)))
    return 0


def table(found: CorpusStyles) -> str:
    """The styles as Markdown."""
    rows = ["| style | melodies | silhouette | what it is like | from |", "|---|---|---|---|---|"]
    for style in found.styles:
        shares = [f"{name} {100 * count / len(style.rows):.0f} %" for name, count in style.collections.items()]
        rows.append(
            f"| {style.name} | {len(style.rows):,} | {style.silhouette:.2f} | {style.words} | {', '.join(shares[:2])} |"
        )
    curve = ", ".join(f"{k}: {value:.2f}" for k, value in found.clusters.curve.items())
    return "\n".join([found.summary(), "", *rows, "", f"Mean silhouette by number of clusters: {curve}."])


if __name__ == "__main__":
    sys.exit(main())
