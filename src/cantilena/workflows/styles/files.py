"""Write the styles of a corpus: a page, central melodies to play, and the style of each melody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from cantilena.generation import WrittenMelody, remove_melodies, write_melodies
from cantilena.metrics import STYLE_COLUMNS, components
from cantilena.metrics.styles.names import describe_axis
from cantilena.music import Melody
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page
from cantilena.reporting.text import counted
from cantilena.runtime import check_folder, progress, write_bytes, write_text
from cantilena.workflows.styles.cluster import CorpusStyles, Style


def write_styles(styles: CorpusStyles, out: Path, *, force: bool = False) -> dict[str, Path]:
    """Write `styles.html`, `clusters.json`, `styles.png`, and a folder of central melodies for each style.

    Args:
        styles: of a corpus.
        out: the folder; created if missing.
        force: replace the styles in the folder.

    Returns:
        The paths of the `page`, the `assignment` and the `map`.

    Raises:
        RunError: the folder is not empty, and `force` is off.
        InputError: a file cannot be written.
    """
    check_folder(out, force=force)
    for older in out.glob("style-*"):
        if older.is_dir():
            remove_melodies(older)
            with suppress(OSError):  # it holds other files
                older.rmdir()
    shown = []
    with progress("Writing styles", total=len(styles.styles), unit="styles") as bar:
        for number, style in enumerate(styles.styles):
            written = write_melodies(styles.excerpts(style), out / style.name, force=force, quiet=True)
            shown.append(_shown(style, number, linked_melodies(written, out)))
            bar.advance()
    files = {"page": out / "styles.html", "assignment": out / "clusters.json", "map": out / "styles.png"}
    styles.assignment.save(files["assignment"], styles.corpus, overwrite=force)
    drawn = style_map(styles)
    write_bytes(files["map"], figures.png_bytes(drawn), overwrite=force)
    captions = [(figures.svg_text(drawn, "map"), "Each dot is a melody, near similar ones. Large marks are means.")]
    if len(styles.clusters.curve) > 1:
        curve = figures.silhouette_curve(styles.clusters.curve, styles.clusters.k)
        caption = "The mean silhouette by number of clusters, at most 1. The number with the highest was chosen."
        captions.append((figures.svg_text(curve, "curve"), caption))
    page = style_page(f"The styles of {styles.corpus.manifest.name}", styles.summary(), captions, shown)
    write_text(files["page"], page, overwrite=force)
    return files


def style_map(styles: CorpusStyles) -> figures.Figure:
    """The melodies by their two main components."""
    places, directions, shares = components(styles.clusters.points)
    axes = [
        f"{describe_axis(dict(zip(STYLE_COLUMNS, direction, strict=True)))} ({100 * share:.0f} % of the variance)"
        for direction, share in zip(directions.tolist(), shares.tolist(), strict=True)
    ]
    names = [f"{style.name} ({len(style.rows):,})" for style in styles.styles]
    return figures.style_map(places, styles.clusters.labels, names, (axes[0], axes[1]))


def linked_melodies(written: Sequence[WrittenMelody], page: Path) -> list[tuple[Melody, Mapping[str, str]]]:
    """Melodies with the links to their files, by kind, from a page in the folder `page`."""
    return [
        (one.melody, {kind: path.relative_to(page).as_posix() for kind, path in one.files.items()}) for one in written
    ]


def _shown(style: Style, number: int, melodies: Sequence[tuple[Melody, Mapping[str, str]]]) -> ShownStyle:
    silhouette = "" if np.isnan(style.silhouette) else f", mean silhouette {style.silhouette:.2f}"
    facts = [f"{counted(len(style.rows), 'melody')}{silhouette}.", style.made_of()]
    rows = []
    for name, one in sorted(style.features.items(), key=lambda pair: -abs(np.nan_to_num(pair[1].difference))):
        mean, rest, difference = (
            "–" if "nan" in text else text for text in (f"{one.mean:.2f}", f"{one.rest:.2f}", f"{one.difference:+.2f}")
        )
        rows.append((name.replace("_", " "), mean, rest, difference))
    return ShownStyle(style.name, style.words, list(filter(None, facts)), figures.mark_of(number)[0], rows, melodies)
