"""The results of the style probe: numbers, a table, a verdict in words, and a page with melodies of each style."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.generation import ComposeOptions, Composer, WrittenMelody, take_away, write_melodies
from cantilena.metrics import Interval, StyleAnswers, holm
from cantilena.music import Meter
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator, progress, write_bytes, write_json, write_text
from cantilena.workflows.evaluate.options import EvaluateOptions
from cantilena.workflows.styles.files import linked_melodies

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
class ProbeColumn:
    """How well a classifier recognises the styles of one set of melodies.

    Args:
        answers: of the classifier.
        accuracy: the balanced accuracy: the mean recall over styles.
        auc: the macro area under the ROC curve.
        p: the share of permutations of the styles with the same accuracy or more.
        recalls: by style; NaN without melodies.
        by_draw: the balanced accuracy of each draw; empty for human melodies.
    """

    answers: StyleAnswers
    accuracy: Interval
    auc: Interval
    p: float
    recalls: Sequence[Interval]
    by_draw: Sequence[float] = ()

    @classmethod
    def from_answers(cls, name: str, answers: StyleAnswers, seed: int, by_draw: Sequence[float] = ()) -> ProbeColumn:
        """Measure what a classifier answered; the name of the column and the seed give the random streams.

        Example:
            >>> answers = StyleAnswers(np.array([0, 1] * 20), np.eye(2)[[0, 1] * 20], np.arange(40))
            >>> column = ProbeColumn.from_answers("told", answers, seed=1)
            >>> column.accuracy, column.p
            (Interval(value=1.0, low=1.0, high=1.0), 0.001)
        """
        accuracy, auc, p, recalls = (
            generator(seed, "heard styles", name, purpose) for purpose in ("accuracy", "auc", "p", "recalls")
        )
        return cls(
            answers,
            answers.balanced_accuracy(accuracy, resamples=_RESAMPLES),
            answers.auc(auc, resamples=_RESAMPLES),
            answers.p_value(p, permutations=_PERMUTATIONS),
            answers.recalls(recalls, resamples=_RESAMPLES),
            by_draw,
        )


@dataclass(frozen=True)
class StyleProbe:
    """The results of a style probe.

    Args:
        system: the name of the model.
        names: of the styles; `left_out` are others with the reasons, `by` is the source of the labels.
        corpus: of the human melodies, with its `sha256`.
        learned: `(styles,)`: the human excerpts of each that the classifiers were trained on.
        steps: sixteenths of each melody.
        classifiers: with and without bars, the chosen setting, and the cross-validated accuracy of each setting.
        columns: by name.
        folder: of the page; None if none was written.
    """

    system: str
    names: tuple[str, ...]
    left_out: Mapping[str, str]
    by: str
    corpus: str
    sha256: str
    learned: NDArray[np.int64]
    steps: int
    classifiers: Mapping[bool, tuple[str, Mapping[str, float]]]
    columns: Mapping[str, ProbeColumn]
    folder: Path | None = None

    @property
    def chance(self) -> float:
        """The expected accuracy of guessing."""
        return 1 / len(self.names)

    @cached_property
    def adjusted(self) -> Mapping[str, float]:
        """The p-values by column, corrected by Holm's method."""
        corrected = holm([column.p for column in self.columns.values()])
        return {name: float(p or 0.0) for name, p in zip(self.columns, corrected, strict=True)}

    def is_above_chance(self, name: str) -> bool:
        """Whether the styles of a column are recognised better than by chance."""
        return bool(self.adjusted[name] <= _SIGNIFICANCE and self.columns[name].accuracy.low > self.chance)

    def verdict(self) -> str:
        """The conclusion, in three sentences."""
        share = {name: percent(column.accuracy.value) for name, column in self.columns.items()}
        tested = "people" if (self.columns["people"].answers.melodies > 0).all() else "people_held_back"
        above = {name: "" if self.is_above_chance(name) else ", not above chance" for name in self.columns}
        leak = ", above chance: something else reveals the style" if self.is_above_chance("untold") else ", as expected"
        return (
            f"Given one of {len(self.names)} styles, {share['told']} of the melodies are classified as that style"
            f"{above['told']} (chance {100 * self.chance:.3g} %, human melodies {share[tested]}, meter and key alone "
            f"{share['meter_alone']}). All in 4/4 and C major, it is {share['same_meter']}{above['same_meter']} (human "
            f"melodies without bars {share[f'{tested}_without_bars']}). Given no style, it is {share['untold']}{leak}."
        )

    def to_json(self) -> dict[str, Any]:
        """The answer of `evaluate --styles --json`: fractions from 0 to 1; None, with a reason, where undefined."""
        confusions = {name: column.answers.confusion.tolist() for name, column in self.columns.items()}
        return {
            "styles": {
                "names": list(self.names),
                "chance": self.chance,
                "verdict": self.verdict(),
                **{name: self._column_json(name, column) for name, column in self.columns.items()},
                "confusion": {
                    name: [None if math.isnan(row[0]) else row for row in rows] for name, rows in confusions.items()
                },
                "left_out": dict(self.left_out),
                "learned": dict(zip(self.names, self.learned.tolist(), strict=True)),
                "listeners": {
                    "with_bars" if bars else "without_bars": {"setting": setting, "held_back": dict(tried)}
                    for bars, (setting, tried) in self.classifiers.items()
                },
                "steps": self.steps,
                "by": self.by,
            },
            "system": self.system,
            "against": {"corpus": self.corpus, "sha256": self.sha256},
        }

    def _column_json(self, name: str, column: ProbeColumn) -> dict[str, Any]:
        melodies = column.answers.melodies
        none = "" if melodies.any() else "there is no melody as long"
        return {
            "balanced_accuracy": _interval_json(column.accuracy, none),
            "auc": _interval_json(column.auc, none),
            "p": column.p,
            "adjusted_p": self.adjusted[name],
            "above_chance": self.is_above_chance(name),
            "recall": {
                style: _interval_json(one, column.answers.reason(number))
                for number, (style, one) in enumerate(zip(self.names, column.recalls, strict=True))
            },
            "melodies": dict(zip(self.names, melodies.tolist(), strict=True)),
            **({"by_draw": list(column.by_draw)} if column.by_draw else {}),
        }

    def notes(self) -> list[str]:
        """What a reader of the table needs to know."""
        settings = listed(sorted({setting for setting, _ in self.classifiers.values()}))
        excerpts = f"{counted(int(self.learned.sum()), 'excerpt')} of {self.corpus}, {self.steps} sixteenths each"
        left_out = [f"{name}: {reason}" for name, reason in self.left_out.items()]
        return [
            f"Chance is {100 * self.chance:.3g} %. Accuracy: the mean over styles. p after Holm's correction.",
            f"The classifier ({settings}) was trained on {excerpts}.",
            *([f"Left out: {'; '.join(left_out)}."] if left_out else []),
        ]

    def markdown(self) -> str:
        """The verdict, the table and its notes as Markdown."""
        return "\n\n".join([self.verdict(), self._table(), *self.notes()]) + "\n"

    def text(self) -> str:
        """The same for a terminal, without the recall of each style."""
        where = [f"Open {self.folder / FILES[-1]} to hear each style."] if self.folder is not None else []
        return "\n".join([self.verdict(), "", self._table(6), "", *self.notes(), *where])

    def _table(self, columns: int | None = None) -> str:
        """The first columns of the table: one row per set of melodies."""
        rows = [("melodies", "number", "accuracy", "95 %", "AUC", "p", *self.names)]
        for name, column in self.columns.items():
            low, high, auc = column.accuracy.low, column.accuracy.high, column.auc.value
            interval = "–" if math.isnan(low) else f"{100 * low:.0f} to {100 * high:.0f}"
            numbers = (percent(column.accuracy.value), interval, "–" if math.isnan(auc) else f"{auc:.2f}")
            recalls = (percent(one.value) for one in column.recalls)
            count = f"{int(column.answers.melodies.sum()):,}"
            rows.append((COLUMN_LABELS[name], count, *numbers, f"{self.adjusted[name]:.3f}", *recalls))
        table = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row[:columns]] for row in rows]
        widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
        table.insert(1, ["-" * widths[0], *("-" * (wide - 1) + ":" for wide in widths[1:])])
        lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in table)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval_json(one: Interval, reason: str) -> dict[str, Any]:
    numbers = {"value": one.value, "low": one.low, "high": one.high}
    known = {name: None if math.isnan(value) else value for name, value in numbers.items()}
    return known | ({"reason": reason or "there are too few pieces"} if None in known.values() else {})


def percent(share: float) -> str:
    """A share as it is read; a dash if it is undefined."""
    return "–" if math.isnan(share) else f"{100 * share:.0f} %"


def write_probe(probe: StyleProbe, composer: Composer, options: EvaluateOptions, folder: Path) -> None:
    """Write the results, the table, the figure, and a page with melodies that are composed in each style.

    Raises:
        InputError: a file cannot be written.
    """
    results, table, figure, page = (folder / name for name in FILES)
    write_json(results, probe.to_json())  # first: the numbers shall survive a disk that the sound fills
    write_text(table, probe.markdown())
    write_bytes(figure, figures.png_bytes(probe_figure(probe)))
    write_text(page, _page(probe, composer, options, folder))


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
