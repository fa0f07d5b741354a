"""The results of the style probe: numbers, a table, a verdict in words, and a page with melodies of each style."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cantilena.generation import ComposeOptions, Composer, WrittenMelody, remove_melodies, write_melodies
from cantilena.metrics import Interval, StylePredictions, holm
from cantilena.music import Meter
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator, progress, write_bytes, write_json, write_text
from cantilena.workflows.evaluate.options import EvaluateOptions
from cantilena.workflows.styles.files import linked_melodies

COMPOSED = {"told": (True, True), "meter_alone": (False, True), "same_meter": (True, False), "untold": (False, False)}
"""Columns of melodies by the model: whether a style is given, and whether its usual meter and key are."""

COLUMN_LABELS: Mapping[str, str] = {
    "people": "human, test part",
    "people_held_back": "human, cross-validated",
    "people_without_bars": "human, test part, without bars",
    "people_held_back_without_bars": "human, cross-validated, without bars",
    "told": "style given, in its usual meter and key",
    "meter_alone": "no style given, in the meter and key of one",
    "same_meter": "style given, all in 4/4 and C major",
    "untold": "no style given, all in 4/4 and C major",
}
"""The melodies that were classified, by the name of their column."""

FILES = ("results.json", "table.md", "heard-styles.png", "styles.html")
"""The results, the table, the figure and the page of a probe."""

_BARS = 8
"""Length of each melody on the page."""

_SIGNIFICANCE = 0.05
_PERMUTATIONS, _RESAMPLES = 999, 1000


@dataclass(frozen=True)
class StyleProbe:
    """The results of a style probe.

    Args:
        results: as in results.json, from `probe_results`.
        folder: of the page, if one was written.
    """

    results: Mapping[str, Any]
    folder: Path | None = None

    @property
    def styles(self) -> Mapping[str, Any]:
        """`names`, `chance`, `verdict`, the columns by name, `confusion`, and what the classifiers were trained on."""
        styles: Mapping[str, Any] = self.results["styles"]
        return styles

    def to_json(self) -> dict[str, Any]:
        """The answer of `evaluate --styles --json`: fractions from 0 to 1; None, with a reason, where undefined."""
        return dict(self.results)

    def notes(self) -> list[str]:
        """What a reader of the table needs to know."""
        styles, corpus = self.styles, self.results["against"]["corpus"]
        settings = listed(sorted({one["setting"] for one in styles["listeners"].values()}))
        excerpts = (
            f"{counted(sum(styles['learned'].values()), 'excerpt')} of {corpus}, {styles['steps']} sixteenths each"
        )
        left_out = [f"{name}: {reason}" for name, reason in styles["left_out"].items()]
        return [
            f"Chance is {100 * styles['chance']:.3g} %. Accuracy: the mean over styles. p after Holm's correction.",
            f"The classifier ({settings}) was trained on {excerpts}.",
            *([f"Left out: {'; '.join(left_out)}."] if left_out else []),
        ]

    def markdown(self) -> str:
        """The verdict, the table and its notes as Markdown."""
        return "\n\n".join([self.styles["verdict"], self._table(), *self.notes()]) + "\n"

    def text(self) -> str:
        """The same for a terminal, without the recall of each style."""
        where = [f"Open {self.folder / FILES[-1]} to hear each style."] if self.folder is not None else []
        return "\n".join([self.styles["verdict"], "", self._table(6), "", *self.notes(), *where])

    def _table(self, columns: int | None = None) -> str:
        """The first columns of the table: one row per set of melodies."""
        rows = [("melodies", "number", "accuracy", "95 %", "AUC", "p", *self.styles["names"])]
        for name, label in COLUMN_LABELS.items():
            column = self.styles[name]
            accuracy, auc = column["balanced_accuracy"], column["auc"]["value"]
            interval = (
                "–" if accuracy["low"] is None else f"{100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f}"
            )
            numbers = (percent(accuracy["value"]), interval, "–" if auc is None else f"{auc:.2f}")
            recalls = (percent(one["value"]) for one in column["recall"].values())
            rows.append(
                (label, f"{sum(column['melodies'].values()):,}", *numbers, f"{column['adjusted_p']:.3f}", *recalls)
            )
        table = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row[:columns]] for row in rows]
        widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
        table.insert(1, ["-" * widths[0], *("-" * (wide - 1) + ":" for wide in widths[1:])])
        lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in table)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def probe_results(
    names: Sequence[str], answers: Mapping[str, Sequence[StylePredictions]], seed: int, **facts: object
) -> dict[str, Any]:
    """The `styles` of results.json from what the classifiers answered, by column and draw, and further facts.

    Examples:
        >>> answers = StylePredictions(np.array([0, 1] * 20), np.eye(2)[[0, 1] * 20], np.arange(40))
        >>> styles = probe_results(["a", "b"], dict.fromkeys(COLUMN_LABELS, [answers]), seed=1)
        >>> styles["told"]["balanced_accuracy"], styles["told"]["p"]
        ({'value': 1.0, 'low': 1.0, 'high': 1.0}, 0.001)
    """
    whole = {name: _joined(draws) for name, draws in answers.items()}
    columns = {name: _column(name, one, names, seed) for name, one in whole.items()}
    for (name, column), p in zip(columns.items(), holm([one["p"] for one in columns.values()]), strict=True):
        column["adjusted_p"], low = float(p or 0.0), column["balanced_accuracy"]["low"]
        column["above_chance"] = column["adjusted_p"] <= _SIGNIFICANCE and low is not None and low > 1 / len(names)
        if name in COMPOSED:
            column["by_draw"] = [one.balanced_accuracy_of_all for one in answers[name]]
    confusion = {
        name: [None if math.isnan(row[0]) else row for row in one.confusion.tolist()] for name, one in whole.items()
    }
    styles = {"names": list(names), "chance": 1 / len(names), "verdict": "", **columns, "confusion": confusion, **facts}
    return styles | {"verdict": _verdict(styles)}


def _joined(draws: Sequence[StylePredictions]) -> StylePredictions:
    if len(draws) == 1:
        return draws[0]
    style, probabilities = (
        np.concatenate([one.style for one in draws]),
        np.concatenate([one.probabilities for one in draws]),
    )
    return StylePredictions(style, probabilities, np.arange(len(style)))


def _column(name: str, answers: StylePredictions, names: Sequence[str], seed: int) -> dict[str, Any]:
    """How well the styles of one set of melodies are recognised."""

    def rng(purpose: str) -> np.random.Generator:
        return generator(seed, "heard styles", name, purpose)

    none = "" if answers.melodies.any() else "there is no melody as long"
    accuracy = answers.balanced_accuracy(rng("accuracy"), resamples=_RESAMPLES)
    recalls = answers.recalls(rng("recalls"), resamples=_RESAMPLES)
    return {
        "balanced_accuracy": _interval_json(accuracy, none),
        "auc": _interval_json(answers.auc(rng("auc"), resamples=_RESAMPLES), none),
        "p": answers.p_value(rng("p"), permutations=_PERMUTATIONS),
        "adjusted_p": None,
        "above_chance": None,
        "recall": {
            style: _interval_json(recalls[number], answers.reason(number)) for number, style in enumerate(names)
        },
        "melodies": dict(zip(names, answers.melodies.tolist(), strict=True)),
    }


def _interval_json(one: Interval, reason: str) -> dict[str, Any]:
    numbers = {"value": one.value, "low": one.low, "high": one.high}
    known = {name: None if math.isnan(value) else value for name, value in numbers.items()}
    return known | ({"reason": reason or "there are too few pieces"} if None in known.values() else {})


def _verdict(styles: Mapping[str, Any]) -> str:
    """The conclusion, in three sentences."""
    share = {name: percent(styles[name]["balanced_accuracy"]["value"]) for name in COLUMN_LABELS}
    above = {name: "" if styles[name]["above_chance"] else ", not above chance" for name in COLUMN_LABELS}
    tested = "people" if all(styles["people"]["melodies"].values()) else "people_held_back"
    leak = "as expected" if above["untold"] else "above chance: something else reveals the style"
    return (
        f"Given one of {len(styles['names'])} styles, {share['told']} of the melodies are classified as that style"
        f"{above['told']} (chance {100 * styles['chance']:.3g} %, human melodies {share[tested]}, meter and key alone "
        f"{share['meter_alone']}). All in 4/4 and C major, it is {share['same_meter']}{above['same_meter']} (human "
        f"melodies without bars {share[f'{tested}_without_bars']}). Given no style, it is {share['untold']}, {leak}."
    )


def percent(share: float | None) -> str:
    """A share as it is read; a dash if it is undefined."""
    return "–" if share is None else f"{100 * share:.0f} %"


def write_probe(probe: StyleProbe, composer: Composer, options: EvaluateOptions, folder: Path) -> None:
    """Write the results, the table, the figure, and a page with melodies that are composed in each style."""
    results, table, figure, page = (folder / name for name in FILES)
    write_json(results, probe.to_json())  # first: the numbers shall survive a disk that the sound fills
    write_text(table, probe.markdown())
    write_bytes(figure, figures.png_bytes(probe_figure(probe)))
    write_text(page, _page(probe, composer, options, folder))


def probe_figure(probe: StyleProbe) -> figures.Figure:
    """The confusion matrices of human and composed melodies, and the accuracies beside chance."""
    styles, titles = probe.styles, {"people": "Human", "told": "The model, usual meters"}
    titles["same_meter"] = "The model, all in 4/4"
    none = [math.nan] * len(styles["names"])
    confusions = {title: np.array([row or none for row in styles["confusion"][name]]) for name, title in titles.items()}
    intervals = {label: styles[name]["balanced_accuracy"] for name, label in COLUMN_LABELS.items()}
    accuracies = {
        label: Interval(*(math.nan if one[part] is None else one[part] for part in ("value", "low", "high")))
        for label, one in intervals.items()
    }
    return figures.style_confusion(styles["names"], confusions, accuracies, styles["chance"])


def style_folders(names: Sequence[str]) -> list[str]:
    """A distinct folder name for each style.

    Examples:
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
    results, shown, usual = probe.styles, [], {style.name: style for style in composer.styles}
    names: list[str] = results["names"]
    with progress("Writing melodies", total=len(names), unit="styles") as bar:
        for number, (name, place) in enumerate(zip(names, style_folders(names), strict=True)):
            remove_melodies(folder / place)
            written: Sequence[WrittenMelody] = ()
            if options.heard:
                wanted, manifest = ComposeOptions(bars=_BARS, style=name), {"style": name, "seed": options.seed}
                melodies = composer.compose_many(options.heard, wanted, seed=options.seed)
                written = write_melodies(melodies, folder / place, force=True, manifest=manifest, quiet=True)
            share = {column: percent(results[column]["recall"][name]["value"]) for column in COLUMN_LABELS}
            meter, key = usual[name].meter or Meter(), usual[name].key
            facts = [
                f"All in 4/4 and C major: {share['same_meter']}; human melodies: {share['people']}.",
                f"Trained on {results['learned'][name]:,} excerpts of human melodies.",
                f"Usually in {', '.join(filter(None, [str(meter), key.name if key else '']))}.",
            ]
            summary, (colour, _) = f"recognised in {share['told']} of its melodies", figures.mark_of(number)
            shown.append(ShownStyle(name, summary, facts, colour, [], linked_melodies(written, folder)))
            bar.advance(1, name)
    caption = "Each row is a style: how its melodies were classified. Dotted: the accuracy of guessing."
    return style_page(
        f"The styles of {probe.results['system']}",
        " ".join([results["verdict"], *probe.notes()]),
        [(figures.svg_text(probe_figure(probe), "heard"), caption)],
        shown,
        over_figures="Classified styles",
        over_melodies="Composed in this style",
    )
