"""Run the style probe and write its results: numbers, a table, a figure, and melodies of each style to play."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer, WrittenMelody, load, take_away, write_melodies
from cantilena.music import Meter
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page
from cantilena.runtime import options_record, progress, run_folder, write_bytes, write_json, write_text
from cantilena.workflows.evaluate.options import EvaluateOptions
from cantilena.workflows.evaluate.systems import parse_systems
from cantilena.workflows.runs import clear_earlier
from cantilena.workflows.styles.files import linked_melodies
from cantilena.workflows.styles.probe import DRAWS, STEPS, probe_styles
from cantilena.workflows.styles.probe_results import COLUMN_LABELS, PAGE, StyleProbe, percent

_RESULTS, _TABLE, _FIGURE = "results.json", "table.md", "heard-styles.png"

_BARS = 8
"""Length of each melody on the page."""

_APPLYING = ("against", "steps", "melodies", "temperature", "heard", "seed", "jobs")
"""Options of `evaluate` that apply."""


def run_style_probe(
    words: Sequence[str],
    options: EvaluateOptions,
    folder: Path | None = None,
    *,
    styles_by: str = "",
    resume: bool = False,
    force: bool = False,
) -> StyleProbe:
    """Probe the styles of a model.

    Args:
        words: one bundle.
        options: of the probe; those that do not apply must have their defaults.
        folder: for `results.json`, `table.md`, `heard-styles.png`, `styles.html` and the melodies; None for the answer
            alone.
        styles_by: the source of the style labels; by default as the bundle records.
        resume: start an interrupted run again, with the same result.
        force: replace another run in the folder.

    Raises:
        UsageError: not one bundle with styles, human melodies that are missing or too few, an option that does not
            apply.
        RunError: the folder holds another run.
    """
    for name, default in options_record(EvaluateOptions()).items():
        if name not in (*_APPLYING, "device") and getattr(options, name) != default:  # small networks stay on the CPU
            raise UsageError(f"--{name} does not apply to --styles", f"leave out --{name}")
    if folder is None:
        return probe_styles(words, options, styles_by)
    record = {"systems": list(words), "styles_by": styles_by, "draws": DRAWS}
    record |= {name: getattr(options, name) for name in _APPLYING} | {"steps": options.steps or STEPS}
    with run_folder(folder, record, resume=resume, force=force) as run:
        clear_earlier(run, _RESULTS, _TABLE, _FIGURE, PAGE)
        probe = replace(probe_styles(words, options, styles_by), folder=folder)
        write_json(folder / _RESULTS, probe.to_json())  # first: the numbers shall survive a disk that the sound fills
        write_text(folder / _TABLE, probe.markdown())
        write_bytes(folder / _FIGURE, figures.png_bytes(probe_figure(probe)))
        composer = load(str(parse_systems(words)[0].source))
        write_text(folder / PAGE, _page(probe, composer, options, folder))
        run.finish()
    return probe


def probe_figure(probe: StyleProbe) -> figures.Figure:
    """The confusion matrices of human and composed melodies, and the accuracies beside chance."""
    titles = {"people": "Human", "told": "The model, usual meters", "same_meter": "The model, all in 4/4"}
    confusions = {title: probe.columns[name].answers.confusion for name, title in titles.items()}
    accuracies = {COLUMN_LABELS[name]: column.accuracy for name, column in probe.columns.items()}
    return figures.heard_styles(probe.names, confusions, accuracies, probe.chance)


def style_folders(names: Sequence[str]) -> list[str]:
    """A distinct folder name for each style.

    Example:
        >>> style_folders(["Johann Sebastian Bach", "../x", "jig", "Jig", "?"])
        ['johann-sebastian-bach', 'x', 'jig', 'jig-4', 'style-5']
    """
    folders: list[str] = []
    for number, name in enumerate(names, 1):
        safe = re.sub(r"[^\w]+", "-", name.casefold()).strip("-_")[:40] or f"style-{number}"
        folders.append(safe if safe not in folders else f"{safe}-{number}")
    return folders


def _page(probe: StyleProbe, composer: Composer, options: EvaluateOptions, folder: Path) -> str:
    """Compose melodies in each style, and show them with their numbers."""
    shown, styles = [], {style.name: style for style in composer.styles}
    with progress("Writing melodies", total=len(probe.names), unit="styles") as bar:
        for number, (name, place) in enumerate(zip(probe.names, style_folders(probe.names), strict=True)):
            take_away(folder / place)
            written: Sequence[WrittenMelody] = ()
            if options.heard:
                wanted, manifest = ComposeOptions(bars=_BARS, style=name), {"style": name, "seed": options.seed}
                melodies = composer.compose_many(options.heard, wanted, seed=options.seed)
                written = write_melodies(melodies, folder / place, force=True, manifest=manifest, quiet=True)
            share = {key: percent(column.recalls[number].value) for key, column in probe.columns.items()}
            meter, key = styles[name].meter or Meter(), styles[name].key
            facts = [
                f"All in 4/4 and C major: {share['same_meter']}; human melodies: {share['people']}.",
                f"Trained on {int(probe.learned[number]):,} excerpts of human melodies.",
                f"Usually in {', '.join(filter(None, [str(meter), key.name if key else '']))}.",
            ]
            summary, (colour, _) = f"recognised in {share['told']} of its melodies", figures.mark_of(number)
            shown.append(ShownStyle(name, summary, facts, colour, [], linked_melodies(written, folder)))
            bar.advance(1, name)
    caption = "Each row is a style: how its melodies were classified. Dotted: the accuracy of guessing."
    return style_page(
        f"The styles of {probe.system}",
        " ".join([probe.verdict(), *probe.notes()]),
        [(figures.svg_text(probe_figure(probe), "heard"), caption)],
        shown,
        over_figures="Classified styles",
        over_melodies="Composed in this style",
    )
