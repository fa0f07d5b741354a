"""The styles of a corpus as a folder: a page to open, central melodies to hear, and which melody is of which style."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from cantilena.generation import WrittenMelody, remove_melodies, write_melodies
from cantilena.metrics import STYLE_COLUMNS, components
from cantilena.metrics.styles.names import describe_axis
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page
from cantilena.reporting.text import counted
from cantilena.runtime import check_folder, progress, write_bytes, write_text
from cantilena.workflows.styles.cluster import CorpusStyles, Style

_PAGE, _ASSIGNMENT, _MAP = "styles.html", "clusters.json", "styles.png"


def write_styles(found: CorpusStyles, out: Path, *, force: bool = False) -> dict[str, Path]:
    """Write `styles.html`, `clusters.json`, `styles.png`, and a folder of central melodies for each style.

    Args:
        found: what `find_styles` gave.
        out: the folder; made if missing.
        force: replace the styles that are there.

    Returns:
        `page`, `assignment` and `map`: where they are.

    Raises:
        RunError: something is in the folder, and `force` is off.
        InputError: the disk said no.
    """
    check_folder(out, force=force)
    for older in out.glob("style-*"):
        if older.is_dir():
            remove_melodies(older)
            with suppress(OSError):  # something else is in it
                older.rmdir()
    written = {}
    with progress("Writing styles", total=len(found.styles), unit="styles") as bar:
        for style in found.styles:
            written[style.name] = write_melodies(found.heard(style), out / style.name, force=force, quiet=True)
            bar.advance()
    files = {"page": out / _PAGE, "assignment": out / _ASSIGNMENT, "map": out / _MAP}
    found.assignment.save(files["assignment"], found.corpus, overwrite=force)
    drawn = style_map(found)
    write_bytes(files["map"], figures.png_bytes(drawn), overwrite=force)
    shown = [(figures.svg_text(drawn, "map"), "Each dot is a melody, near those like it; the large marks are means.")]
    if len(found.clusters.curve) > 1:
        curve = figures.silhouette_curve(found.clusters.curve, found.clusters.k)
        words = "How well each number of clusters tells the melodies apart; the best was taken. 1 is the most there is."
        shown.append((figures.svg_text(curve, "curve"), words))
    styles = [_shown(style, number, written[style.name], out) for number, style in enumerate(found.styles)]
    page = style_page(f"The styles of {found.corpus.manifest.name}", found.summary(), shown, styles)
    write_text(files["page"], page, overwrite=force)
    return files


def style_map(found: CorpusStyles) -> figures.Figure:
    """The melodies by their two main components."""
    places, directions, shares = components(found.clusters.points)
    words = [describe_axis(dict(zip(STYLE_COLUMNS, numbers, strict=True))) for numbers in directions.tolist()]
    said = [f"{what} ({100 * share:.0f} % of the variance)" for what, share in zip(words, shares.tolist(), strict=True)]
    names = [f"{style.name} ({len(style.rows):,})" for style in found.styles]
    return figures.style_map(places, found.clusters.labels, names, (said[0], said[1]))


def _shown(style: Style, number: int, written: list[WrittenMelody], out: Path) -> ShownStyle:
    sure = "" if np.isnan(style.silhouette) else f", mean silhouette {style.silhouette:.2f}"
    facts = [f"{counted(len(style.rows), 'melody')}{sure}.", style.made_of()]
    rows = [
        (name.replace("_", " "), *(_number(value) for value in (one.mean, one.rest)), f"{one.difference:+.2f}")
        for name, one in sorted(style.features.items(), key=lambda pair: -abs(np.nan_to_num(pair[1].difference)))
    ]
    melodies = [
        (one.melody, {kind: path.relative_to(out).as_posix() for kind, path in one.files.items()}) for one in written
    ]
    colour, _ = figures.mark_of(number)
    shown = [(name, mean, rest, "–" if "nan" in apart else apart) for name, mean, rest, apart in rows]
    return ShownStyle(style.name, style.words, [fact for fact in facts if fact], colour, shown, melodies)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"
