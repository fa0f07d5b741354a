"""`cantilena corpus list | read | show | cluster`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Count, Flags, Positional, Seed
from cantilena.data import ReadOptions


def list_corpora(*, flags: Flags) -> Answer:
    """List the corpora that ship with Cantilena.

    Example:
        cantilena corpus list
    """
    from cantilena.data import BUILTINS, load_builtin

    rows, lines = [], []
    for builtin in BUILTINS:
        corpus = load_builtin(builtin.name)
        row = {"name": builtin.name, "description": builtin.description, "melodies": len(corpus)}
        rows.append(row | {"notes": corpus.notes, "licence": corpus.manifest.licence})
        lines.append(f"{builtin.name:<10} {len(corpus):>6,} melodies {corpus.notes:>9,} notes  {builtin.description}")
    return Answer({"corpora": rows}, text="\n".join(lines))


def read(folder: Positional[Path], options: ReadOptions, *, out: Path, force: bool = False, flags: Flags) -> Answer:
    """Read a folder of scores into a corpus file: MIDI, MusicXML, ABC and kern.

    Files that cannot be used are listed with the reasons. Near-duplicates are left out, and the rest is split by piece
    into training, validation and test parts.

    Args:
        folder: A folder of scores, with its sub-folders.
        out: The corpus file to write, usually ending in .arrow.
        force: Replace the file if it exists.

    Example:
        cantilena corpus read scores --out scores.arrow --voice all --seconds 30
    """
    from cantilena.workflows import read_corpus

    report = read_corpus(folder, options, out, force=force)
    return Answer(report.to_json(), text=f"{report.text()}\n\nwritten to {out}")


def show(
    name: Positional[str],
    *,
    n: Count = 12,
    collection: str = "",
    out: Path = Path("corpus.html"),
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Write a page with scores and piano rolls of randomly drawn melodies of a corpus.

    Args:
        name: A corpus that ships with Cantilena, a corpus file, or a folder of scores.
        collection: Only melodies of this collection.
        out: The HTML page to write.
        force: Replace the page if it exists.

    Example:
        cantilena corpus show ryan -n 6 --out ryan.html
    """
    from cantilena.workflows import show_corpus

    report = show_corpus(name, out, melodies=n, collection=collection, seed=seed, force=force)
    text = f"{report.text()}\n\nOpen {out} to see {n} of its melodies."
    return Answer(report.to_json() | {"page": str(out)}, text=text)


def cluster(
    name: Positional[str],
    *,
    clusters: int | None = None,
    out: Path | None = None,
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Cluster the melodies of a corpus into styles, and describe each style in words.

    Melodies are compared by speed, rhythm, range, intervals, mode, meter and repetition.

    Args:
        name: A corpus that ships with Cantilena, a corpus file, or a folder of scores.
        clusters: The number of styles. Default: the number from 2 to 12 that separates them best.
        out: A folder for a page with a map, the most central melodies of each style, and clusters.json with the style
            of each melody.
        force: Replace the styles in the folder.

    Example:
        cantilena corpus cluster tunes --out styles
    """
    from cantilena.runtime import check_folder
    from cantilena.workflows import find_styles, write_styles

    if out is not None:
        check_folder(out, force=force)
    styles = find_styles(name, clusters=clusters, seed=seed)
    if out is None:
        return Answer(styles.to_json(), text=styles.text())
    files = write_styles(styles, out, force=force)
    value = styles.to_json() | {kind: str(path) for kind, path in files.items()}
    return Answer(value, text=f"{styles.text()}\n\nOpen {files['page']} to see and hear them.")
