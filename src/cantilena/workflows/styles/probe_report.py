"""What the listener to styles heard as a folder: numbers, a table, a picture, and melodies of each style to hear."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.generation import ComposeOptions, Composer, WrittenMelody, load, take_away, write_melodies
from cantilena.music import Meter
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page
from cantilena.runtime import options_record, progress, run_folder, write_bytes, write_json, write_text
from cantilena.workflows.evaluate.systems import contestants
from cantilena.workflows.runs import clear_earlier_run
from cantilena.workflows.styles.probe import hear_styles
from cantilena.workflows.styles.probe_options import HeardStylesOptions
from cantilena.workflows.styles.probe_results import COLUMN_WORDS, HeardStyles

_RESULTS, _TABLE, _PICTURE, _PAGE = "results.json", "table.md", "heard-styles.png", "styles.html"

_BARS = 8
"""Of each melody to hear."""


@dataclass(frozen=True)
class WrittenStyles:
    """What was heard, and where it lies.

    Args:
        heard: the numbers.
        folder: where the page and the melodies are; None where none was asked for.
    """

    heard: HeardStyles
    folder: Path | None

    def to_json(self) -> dict[str, Any]:
        """What `evaluate --styles --json` prints."""
        return self.heard.to_json()

    def text(self) -> str:
        """The same for a terminal."""
        where = [f"Open {self.folder / _PAGE} to hear each style."] if self.folder is not None else []
        return "\n".join([self.heard.text(), *where])


def run_heard_styles(
    words: Sequence[str],
    options: HeardStylesOptions,
    folder: Path | None = None,
    *,
    resume: bool = False,
    force: bool = False,
) -> WrittenStyles:
    """Hear the styles of a model, and write what was heard.

    Args:
        words: one bundle.
        options: people's melodies, how many of the model's, how long.
        folder: for `results.json`, `table.md`, `heard-styles.png`, `styles.html` and a folder of melodies for each
            style; None to answer only.
        resume: go on with a run that was interrupted; it is begun again, to the identical result.
        force: start anew in a folder that holds another run.

    Raises:
        UsageError: not one bundle that knows styles, or people's melodies that cannot be found or learned from.
        RunError: the folder is taken.
    """
    if folder is None:
        return WrittenStyles(hear_styles(words, options), None)
    with run_folder(folder, {"systems": list(words), **options_record(options)}, resume=resume, force=force) as run:
        clear_earlier_run(run, _RESULTS, _TABLE, _PICTURE, _PAGE)
        heard = hear_styles(words, options)
        write_json(folder / _RESULTS, heard.to_json())  # first: a full disk shall not take the numbers with the sound
        write_text(folder / _TABLE, heard.markdown())
        write_bytes(folder / _PICTURE, figures.png_bytes(heard_picture(heard)))
        _write_page(heard, load(contestants(words)[0].source), options, folder)
        run.finish()
    return WrittenStyles(heard, folder)


def heard_picture(heard: HeardStyles) -> figures.Figure:
    """What each style was taken for, people's and the model's side by side, and what was right beside chance."""
    matrices = {"people": "People", "told": "The model, own meters", "same_meter": "The model, all in 4/4"}
    shown = {title: heard.columns[name].confusion for name, title in matrices.items()}
    right = {COLUMN_WORDS[name]: column.balanced_accuracy for name, column in heard.columns.items()}
    return figures.heard_styles(heard.names, shown, right, heard.chance)


def style_folders(names: Sequence[str]) -> list[str]:
    """The names of styles as those of folders, each one of its own.

    Example:
        >>> style_folders(["Johann Sebastian Bach", "../x", "jig", "Jig", "?"])
        ['johann-sebastian-bach', 'x', 'jig', 'jig-4', 'style-5']
    """
    found: list[str] = []
    for number, name in enumerate(names, 1):
        plain = re.sub(r"[^\w]+", "-", name.casefold()).strip("-_")[:40] or f"style-{number}"
        found.append(plain if plain not in found else f"{plain}-{number}")
    return found


def _write_page(heard: HeardStyles, composer: Composer, options: HeardStylesOptions, folder: Path) -> None:
    shown = []
    places = style_folders(heard.names)
    with progress("Writing melodies", total=len(places), unit="styles") as bar:
        for number, (name, place) in enumerate(zip(heard.names, places, strict=True)):
            take_away(folder / place)
            written = _written(composer, name, options, folder / place) if options.heard else []
            shown.append(_shown(heard, composer, number, written, folder))
            bar.advance(1, name)
    picture = figures.svg_text(heard_picture(heard), "heard")
    words = "Each row is a style: what the listener took its melodies for. Dotted: what guessing gets right."
    page = style_page(
        f"The styles of {heard.system}",
        " ".join([heard.verdict(), *heard.notes()]),
        [(picture, words)],
        shown,
        over_figures="What the listener heard",
        over_melodies="Composed in this style",
    )
    write_text(folder / _PAGE, page)


def _written(composer: Composer, name: str, options: HeardStylesOptions, place: Path) -> list[WrittenMelody]:
    asked = ComposeOptions(bars=_BARS, style=name)
    melodies = composer.compose_many(options.heard, asked, seed=options.seed)
    return write_melodies(melodies, place, force=True, manifest={"style": name, "seed": options.seed}, quiet=True)


def _shown(
    heard: HeardStyles, composer: Composer, number: int, written: Sequence[WrittenMelody], folder: Path
) -> ShownStyle:
    name = heard.names[number]
    right = {column: heard.columns[column].recalls[number].value for column in ("people", "told", "same_meter")}
    said = {column: "none" if math.isnan(value) else f"{100 * value:.0f} %" for column, value in right.items()}
    words = f"heard in {said['told']} of the melodies that were told it"
    facts = [
        f"All in 4/4 and C major in {said['same_meter']}; in people's melodies in {said['people']}.",
        f"Learned from {int(heard.learned[number]):,} excerpts of people's melodies.",
    ]
    style = next(one for one in composer.styles if one.name == name)
    usual = [str(one) for one in (style.meter or Meter(), style.key.name if style.key else "") if str(one)]
    colour, _ = figures.mark_of(number)
    files = [
        (one.melody, {kind: path.relative_to(folder).as_posix() for kind, path in one.files.items()}) for one in written
    ]
    return ShownStyle(name, words, [*facts, f"Usually in {', '.join(usual)}."], colour, [], files)
