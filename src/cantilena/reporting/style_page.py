"""A page of styles: a map of the melodies, and each style in words, in numbers, and in its most central melodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.io import piano_roll_svg, score_svg
from cantilena.music import Melody


@dataclass(frozen=True)
class ShownStyle:
    """One style on the page.

    Args:
        name: of the style.
        words: what it is like.
        facts: what else is told, a sentence or two.
        colour: of its dots on the map.
        rows: of its table: the number, its melodies' mean, the mean of the rest, the difference.
        melodies: some of it, and where the files of each lie, by kind (`wav`, `mid`, ..), as links.
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
    """The page as HTML text, complete without a script.

    Args:
        title: the heading.
        summary: what was found, a few sentences.
        drawn: figures as SVG elements of ours, each with what stands under it.
        styles: in order.
        over_figures: the heading of the figures.
        over_melodies: the heading of each style's melodies.

    Returns:
        A document that is the same for the same styles; the recordings lie beside it.

    Raises:
        UsageError: a melody that cannot be engraved.

    Example:
        >>> tune = Melody.from_pitches([(60, 24), (62, 72)], title="Two <notes>")
        >>> shown = ShownStyle("style-1", "slow", [], "#000000", [], [(tune, {"wav": "style-1/001.wav"})])
        >>> page = style_page("A corpus", "One style.", [], [shown])
        >>> "Two &lt;notes&gt;" in page, page.count("<svg"), page.count("<audio")
        (True, 2, 1)
    """
    environment = Environment(
        loader=PackageLoader("cantilena.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("styles.html").render(
        title=title,
        version=__version__,
        css=Markup(_template_text("report.css") + _template_text("styles.css")),  # noqa: S704  (our own)
        summary=summary,
        figures=[{"svg": Markup(svg), "caption": caption} for svg, caption in drawn],  # noqa: S704  (drawn by us)
        styles=[_shown(style) for style in styles],
        over_figures=over_figures,
        over_melodies=over_melodies,
    )


def _shown(style: ShownStyle) -> dict[str, object]:
    return {
        "name": style.name,
        "words": style.words,
        "facts": style.facts,
        "colour": style.colour,
        "rows": style.rows,
        "melodies": [
            {
                "title": melody.title or "Melody",
                "facts": " · ".join(_facts(melody)),
                "score": Markup(score_svg(melody, heading=False)),  # noqa: S704  (engraved by us)
                "roll": Markup(piano_roll_svg(melody)),  # noqa: S704  (drawn by us)
                "files": dict(files),
            }
            for melody, files in style.melodies
        ],
    }


def _facts(melody: Melody) -> list[str]:
    facts = [melody.source, melody.key.name if melody.key else "", str(melody.meter), f"{melody.seconds:.0f} s"]
    return [fact for fact in facts if fact]


def _template_text(name: str) -> str:
    return (resources.files("cantilena.reporting") / "templates" / name).read_text(encoding="utf-8")
