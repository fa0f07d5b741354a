"""A page of styles: figures, and each style with its description, its numbers and some of its melodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cantilena.io import piano_roll_svg, score_svg
from cantilena.music import Melody
from cantilena.reporting.templates import read_template, render


@dataclass(frozen=True)
class ShownStyle:
    """One style on the page.

    Args:
        name: of the style.
        words: its description.
        facts: further sentences.
        colour: of its dots on the map.
        rows: of its table: the number, the mean of its melodies, the mean of the rest, the difference.
        melodies: some of it, with links to the files of each by kind (`wav`, `mid`, ..).
    """

    name: str
    words: str
    facts: Sequence[str]
    colour: str
    rows: Sequence[tuple[str, str, str, str]]
    melodies: Sequence[tuple[Melody, Mapping[str, str]]]


def style_page(
    title: str,
    summary: str,
    drawn: Sequence[tuple[str, str]],
    styles: Sequence[ShownStyle],
    *,
    over_figures: str = "The map",
    over_melodies: str = "Its most central melodies",
) -> str:
    """Render the page as HTML; it needs no script.

    Args:
        title: the heading.
        summary: a few sentences.
        drawn: figures as trusted SVG elements, each with its caption.
        styles: in order.
        over_figures: the heading of the figures.
        over_melodies: the heading of each style's melodies.

    Returns:
        A document that is the same for the same styles, to be saved beside the recordings.

    Raises:
        UsageError: a melody cannot be engraved.

    Examples:
        >>> tune = Melody.from_pitches([(60, 24), (62, 72)], title="Two <notes>")
        >>> shown = ShownStyle("style-1", "slow", [], "#000000", [], [(tune, {"wav": "style-1/001.wav"})])
        >>> page = style_page("A corpus", "One style.", [], [shown])
        >>> "Two &lt;notes&gt;" in page, page.count("<svg"), page.count("<audio")
        (True, 2, 1)
    """
    return render(
        "styles.html",
        css=read_template("report.css") + read_template("styles.css"),
        title=title,
        summary=summary,
        figures=[{"svg": Markup(svg), "caption": caption} for svg, caption in drawn],  # noqa: S704  (trusted)
        styles=[(style, [_melody(melody, files) for melody, files in style.melodies]) for style in styles],
        over_figures=over_figures,
        over_melodies=over_melodies,
    )


def _melody(melody: Melody, files: Mapping[str, str]) -> dict[str, object]:
    facts = [melody.source, melody.key.name if melody.key else "", str(melody.meter), f"{melody.seconds:.0f} s"]
    return {
        "title": melody.title or "Melody",
        "facts": " · ".join(fact for fact in facts if fact),
        "score": Markup(score_svg(melody, heading=False)),  # noqa: S704  (our own)
        "roll": Markup(piano_roll_svg(melody)),  # noqa: S704  (our own)
        "files": dict(files),
    }
