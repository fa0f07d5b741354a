"""Update docs/styles.md: the styles of the built-in corpus, and their map.

python scripts/draw_styles.py
"""

from __future__ import annotations

from pathlib import Path

from cantilena.reporting import figures
from cantilena.runtime import write_bytes
from cantilena.workflows import CorpusStyles, find_styles
from cantilena.workflows.styles.files import style_map

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = CHECKOUT / "docs" / "styles.md", CHECKOUT / "docs" / "pictures" / "styles.png"
BEGIN, END = "<!-- the table, by scripts/draw_styles.py -->", "<!-- end of the table -->"


def main() -> None:
    """Write the table and the picture."""
    styles = find_styles("tunes")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table(styles)}\n\n{END}{after}", encoding="utf-8")
    write_bytes(PICTURE, figures.png_bytes(style_map(styles)))


def table(styles: CorpusStyles) -> str:
    """The styles as Markdown."""
    rows = ["| style | melodies | silhouette | what it is like | from |", "|---|---|---|---|---|"]
    for style in styles.styles:
        size, shares = len(style.rows), list(style.collections.items())[:2]
        source = ", ".join(f"{name} {100 * count / size:.0f} %" for name, count in shares)
        rows.append(f"| {style.name} | {size:,} | {style.silhouette:.2f} | {style.words} | {source} |")
    curve = ", ".join(f"{k}: {value:.2f}" for k, value in styles.clusters.curve.items())
    return "\n".join([styles.summary(), "", *rows, "", f"Mean silhouette by number of clusters: {curve}."])


if __name__ == "__main__":
    main()
