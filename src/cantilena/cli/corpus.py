"""`cantilena corpus list | read | show | cluster`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Count, Flags, Positional, Seed
from cantilena.data import ReadOptions


def list_corpora(*, flags: Flags) -> Answer:
    """List the corpora that ship with Cantilena.

    Example:
        cantilena corpus list
    """
    from cantilena.data import BUILTINS, load_builtin

    rows = []
    for builtin in BUILTINS:
        corpus = load_builtin(builtin.name)
        rows.append(
            {
                "name": builtin.name,
                "description": builtin.description,
                "melodies": len(corpus),
                "notes": corpus.notes,
                "licence": corpus.manifest.licence,
            }
        )
    text = [
        f"{row['name']:<10} {row['melodies']:>6,} melodies {row['notes']:>9,} notes  {row['description']}"
        for row in rows
    ]
    return Answer({"corpora": rows}, text="\n".join(text))


def read(folder: Positional[Path], options: ReadOptions, *, out: Path, force: bool = False, flags: Flags) -> Answer:
    """Read a folder of scores into a corpus file: MIDI, MusicXML, ABC and kern.

    Every file that cannot be used is named with its reason. Near-duplicates are left out, and the rest is split by
    piece into training, validation and test parts.

    Args:
        folder: A folder of scores; folders in it are read too.
        out: The corpus file to write, by custom ending in .arrow.
        force: Replace the file if it is there.

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
    """Draw a page of a corpus: scores and piano rolls of some of its melodies, drawn at random.

    Args:
        name: A corpus that ships with Cantilena, a corpus file, or a folder of scores.
        collection: Only melodies of this collection.
        out: The HTML page to write.
        force: Replace the page if it is there.

    Example:
        cantilena corpus show ryan -n 6 --out ryan.html
    """
    from cantilena.workflows import show_corpus

    shown = show_corpus(name, out, melodies=n, collection=collection, seed=seed, force=force)
    return Answer(
        shown.to_json() | {"page": str(out)}, text=f"{shown.text()}\n\nOpen {out} to see {n} of its melodies."
    )


def cluster(
    name: Positional[str],
    *,
    clusters: int | None = None,
    out: Path | None = None,
    force: bool = False,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Find the styles that the melodies of a corpus fall into, and say in words what each is like.

    Melodies are near each other that are alike in speed, rhythm, range, intervals, mode, meter and in what comes back.

    Args:
        name: A corpus that ships with Cantilena, a corpus file, or a folder of scores.
        clusters: How many styles; from 2 to 12 those that are told apart best, where left out.
        out: A folder for a page with a map, the most central melodies of each style, and clusters.json: which melody
            is of which style.
        force: Replace the styles that are there.

    Example:
        cantilena corpus cluster tunes --out styles
    """
    from cantilena.runtime import check_folder
    from cantilena.workflows import find_styles, write_styles

    if out is not None:
        check_folder(out, force=force)
    found = find_styles(name, clusters=clusters, seed=seed)
    if out is None:
        return Answer(found.to_json(), text=found.text())
    files = write_styles(found, out, force=force)
    value = found.to_json() | {kind: str(path) for kind, path in files.items()}
    return Answer(value, text=f"{found.text()}\n\nOpen {files['page']} to see and hear them.")
