"""An HTML page with score and piano roll of several melodies, self-contained."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cantilena.io.engraving.engraving import score_svg
from cantilena.io.engraving.piano_roll import piano_roll_svg
from cantilena.io.printable import printable
from cantilena.music import Melody

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1a18; --faint: #6f6a62; --ground: #f4f2ee; --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece8e1; --faint: #a29c92; --ground: #141312; --card: #1e1d1b; }
}
body { margin: 0 auto; padding: 2rem 1rem; max-width: 54rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.45 Georgia, "Times New Roman", serif; }
h1 { font-size: 1.6rem; font-weight: normal; margin: 0 0 1.5rem; }
article { background: var(--card); border-radius: 8px; padding: 1.2rem; margin: 0 0 1.5rem; }
h2 { font-size: 1.15rem; margin: 0; }
p { margin: .1rem 0 .6rem; color: var(--faint); font-size: .9rem; }
svg { display: block; max-width: 100%; height: auto; }
@media print { body { background: none; } article { break-inside: avoid; padding: 0; } }
"""


def sheet_html(melodies: Sequence[Melody], title: str) -> str:
    """Return a self-contained HTML page with score and piano roll of each melody.

    Args:
        melodies: the melodies, in order.
        title: the heading of the page.

    Raises:
        UsageError: a melody is too long to draw.

    Examples:
        >>> melody = Melody.from_pitches([(60, 24), (62, 24), (64, 48)], title="Three notes")
        >>> page = sheet_html([melody], "A first page")
        >>> page.count("<svg"), "<h2>1. Three notes</h2>" in page
        (2, True)
    """
    heading = escape(printable(title))
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{heading}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{heading}</h1>",
    ]
    for number, melody in enumerate(melodies, start=1):
        score, roll = score_svg(melody, heading=False), piano_roll_svg(melody)
        facts = [printable(melody.source), melody.key.name if melody.key else "", str(melody.meter)]
        facts.append(f"{melody.bars} {'bar' if melody.bars == 1 else 'bars'}, {melody.seconds:.0f} s")
        lines += [
            "<article>",
            f"<h2>{number}. {escape(printable(melody.title)) or 'Melody'}</h2>",
            f"<p>{escape(' · '.join(fact for fact in facts if fact))}</p>",
            score,
            roll,
            "</article>",
        ]
    return "\n".join([*lines, "</body></html>", ""])
