"""What `evaluate --styles` found: numbers, a table, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import Interval, StylePredictions, holm
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator
from cantilena.workflows.styles.probe_options import HeardStylesOptions

COLUMN_WORDS: Mapping[str, str] = {
    "people": "people's, not heard before",
    "people_held_back": "people's, their piece held back",
    "people_without_bars": "people's, not heard before, no bars heard",
    "people_held_back_without_bars": "people's, their piece held back, no bars heard",
    "told": "told a style, in its own meter and key",
    "meter_alone": "told no style, in the meter and key of one",
    "same_meter": "told a style, all in 4/4 and C major",
    "untold": "told no style, all in 4/4 and C major",
}
"""What was heard, by the name of its column."""

_LEVEL = 0.05
_PERMUTATIONS, _RESAMPLES = 999, 1000


@dataclass(frozen=True)
class HeardColumn:
    """What a listener answered on one set of melodies.

    Args:
        name: one of `COLUMN_WORDS`.
        balanced_accuracy: the share that was right, the mean over styles.
        auc: the macro area under the curve.
        p: how often styles dealt at random are told as well.
        recalls: of each style the share that was right; NaN where there is no melody of it.
        reasons: of each style why its number or its bounds are undefined; "" where they are not.
        confusion: `(styles, styles)`: of each style the share taken for each; NaN where there is no melody of it.
        melodies: `(styles,)`: how many there are of each.
        by_draw: the balanced accuracy of each draw; nothing of people's melodies.
    """

    name: str
    balanced_accuracy: Interval
    auc: Interval
    p: float
    recalls: Sequence[Interval]
    reasons: Sequence[str]
    confusion: NDArray[np.float64]
    melodies: NDArray[np.int64]
    by_draw: Sequence[float] = ()


def heard_column(
    name: str, answers: StylePredictions, options: HeardStylesOptions, by_draw: Sequence[float] = ()
) -> HeardColumn:
    """The numbers of what a listener answered.

    Args:
        name: of the column.
        answers: on its melodies.
        options: the seed of intervals and permutations.
        by_draw: the balanced accuracy of each draw.

    Example:
        >>> answers = StylePredictions(np.array([0, 1] * 20), np.eye(2)[[0, 1] * 20], np.arange(40))
        >>> column = heard_column("told", answers, HeardStylesOptions())
        >>> column.balanced_accuracy, column.p
        (Interval(value=1.0, low=1.0, high=1.0), 0.001)
    """

    def rng(purpose: str) -> np.random.Generator:
        return generator(options.seed, "heard styles", name, purpose)

    return HeardColumn(
        name,
        answers.balanced_accuracy(rng("accuracy"), resamples=_RESAMPLES),
        answers.auc(rng("auc"), resamples=_RESAMPLES),
        answers.p_value(rng("p"), permutations=_PERMUTATIONS),
        answers.recalls(rng("recalls"), resamples=_RESAMPLES),
        [answers.reason(style) for style in range(answers.styles)],
        answers.confusion,
        answers.melodies,
        by_draw,
    )


@dataclass(frozen=True)
class HeardStyles:
    """How well a listener tells the styles of a model's melodies.

    Args:
        system: the model.
        names: of the styles that are heard.
        left_out: those that are not, with the reason.
        by: what told people's styles.
        corpus: whose melodies they are.
        sha256: of that corpus.
        learned: `(styles,)`: people's excerpts of each that were learned from.
        steps: sixteenths of each melody.
        listeners: with bars and without, the setting that was chosen, and how well each did on pieces held back.
        columns: what was heard, by name.
    """

    system: str
    names: tuple[str, ...]
    left_out: Mapping[str, str]
    by: str
    corpus: str
    sha256: str
    learned: NDArray[np.int64]
    steps: int
    listeners: Mapping[bool, tuple[str, Mapping[str, float]]]
    columns: Mapping[str, HeardColumn]

    @property
    def chance(self) -> float:
        """What guessing gets right."""
        return 1 / len(self.names)

    @cached_property
    def adjusted(self) -> Mapping[str, float]:
        """The p-values after Holm's correction for all columns, by name."""
        corrected = holm([column.p for column in self.columns.values()])
        return {name: float(p or 0.0) for name, p in zip(self.columns, corrected, strict=True)}

    def is_told(self, name: str) -> bool:
        """Whether the styles of a column are told better than chance."""
        low = self.columns[name].balanced_accuracy.low
        return bool(self.adjusted[name] <= _LEVEL and low > self.chance)

    def verdict(self) -> str:
        """What follows, in sentences."""
        share = {name: _percent(column.balanced_accuracy.value) for name, column in self.columns.items()}
        people = share["people" if self._all_tested else "people_held_back"]
        without = share["people_without_bars" if self._all_tested else "people_held_back_without_bars"]
        styles = f"the {len(self.names)} styles"
        if self.is_told("told"):
            said = f"The listener tells {styles} apart in {share['told']} of the melodies that were told one"
        else:
            said = f"The listener does not tell {styles} apart better than chance: {share['told']} of the melodies"
        said += f" (chance {100 * self.chance:.3g} %; people's {people}; {self._by_meter(share['meter_alone'])})."
        better = "" if self.is_told("same_meter") else ", which is no better than chance"
        said += f" All in 4/4 and C major it tells {share['same_meter']} (people's without bars {without}){better}."
        if self.is_told("untold"):
            return f"{said} But it also tells melodies that were told no style, {share['untold']}: something leaks."
        return f"{said} Melodies that were told no style come out at {share['untold']}, as they must."

    def _by_meter(self, share: str) -> str:
        return f"the style's meter and key alone {share}"

    @property
    def _all_tested(self) -> bool:
        """Whether people's test part has melodies of every style."""
        return bool((self.columns["people"].melodies > 0).all())

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints: fractions from 0 to 1, None with a reason where a number is undefined."""
        return {
            "styles": {
                "names": list(self.names),
                "chance": self.chance,
                "verdict": self.verdict(),
                **{name: self._column_json(column) for name, column in self.columns.items()},
                "confusion": {name: _rows_json(column.confusion) for name, column in self.columns.items()},
                "left_out": dict(self.left_out),
                "learned": dict(zip(self.names, self.learned.tolist(), strict=True)),
                "listeners": {
                    "with_bars" if bars else "without_bars": {"setting": setting, "held_back": dict(tried)}
                    for bars, (setting, tried) in self.listeners.items()
                },
                "steps": self.steps,
                "by": self.by,
            },
            "system": self.system,
            "against": {"corpus": self.corpus, "sha256": self.sha256},
        }

    def _column_json(self, column: HeardColumn) -> dict[str, Any]:
        none = "" if column.melodies.any() else "there is no melody as long"
        return {
            "balanced_accuracy": _interval_json(column.balanced_accuracy, none),
            "auc": _interval_json(column.auc, none),
            "p": column.p,
            "adjusted_p": self.adjusted[column.name],
            "above_chance": self.is_told(column.name),
            "recall": {
                name: _interval_json(one, reason)
                for name, one, reason in zip(self.names, column.recalls, column.reasons, strict=True)
            },
            "melodies": dict(zip(self.names, column.melodies.tolist(), strict=True)),
            **({"by_draw": list(column.by_draw)} if column.by_draw else {}),
        }

    def rows(self) -> list[tuple[str, ...]]:
        """The table, its head first: a row for everything that was heard."""
        head = ("heard", "melodies", "right", "95 %", "AUC", "p", *self.names)
        rows = [head]
        for name, column in self.columns.items():
            right, auc = column.balanced_accuracy, column.auc
            p = self.adjusted[name]
            rows.append(
                (
                    COLUMN_WORDS[name],
                    f"{int(column.melodies.sum()):,}",
                    _percent(right.value),
                    "–" if math.isnan(right.low) else f"{100 * right.low:.0f} to {100 * right.high:.0f}",
                    "–" if math.isnan(auc.value) else f"{auc.value:.2f}",
                    f"{p:.3f}",
                    *(_percent(one.value) for one in column.recalls),
                )
            )
        return rows

    def notes(self) -> list[str]:
        """What a reader of the table must know."""
        settings = {setting for setting, _ in self.listeners.values()}
        pieces = [
            f"{name}: {reason}"
            for name, reason in zip(self.names, self.columns["people"].reasons, strict=True)
            if reason
        ]
        left = [f"{name}: {reason}" for name, reason in self.left_out.items()]
        learned = f"{counted(int(self.learned.sum()), 'excerpt')} of {self.corpus}"
        said = [
            f"Chance is {100 * self.chance:.3g} %. Right: the mean over styles. p after Holm's correction.",
            f"The listener ({listed(sorted(settings))}) learned from {learned}, {self.steps} sixteenths each.",
        ]
        said += [f"Of people's melodies not heard before, {'; '.join(pieces)}."] if pieces else []
        return said + ([f"Not heard: {'; '.join(left)}."] if left else [])

    def markdown(self) -> str:
        """The table for notes and documents."""
        head, *rows = [tuple(_cell(cell) for cell in row) for row in self.rows()]
        lines = [" | ".join(row) for row in (head, ("---", *["---:"] * (len(head) - 1)), *rows)]
        table = "\n".join(f"| {line} |" for line in lines)
        return "\n\n".join([self.verdict(), table, *self.notes()]) + "\n"

    def text(self) -> str:
        """The same for a terminal: the styles' own columns stand in the files."""
        rows = [row[:6] for row in self.rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(wide) if place == 0 else cell.rjust(wide) for place, (cell, wide) in enumerate(pairs))
            for pairs in ([*zip(row, widths, strict=True)] for row in rows)
        ]
        return "\n".join([self.verdict(), "", *lines, "", *self.notes()])


def _interval_json(one: Interval, reason: str) -> dict[str, Any]:
    numbers = {"value": one.value, "low": one.low, "high": one.high}
    told = {name: None if math.isnan(value) else value for name, value in numbers.items()}
    return told | ({"reason": reason or "there are too few pieces"} if None in told.values() else {})


def _rows_json(shares: NDArray[np.float64]) -> list[list[float] | None]:
    """A row a style; None of a style without melodies, as its recall says."""
    return [None if math.isnan(row[0]) else row for row in shares.tolist()]


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f} %"


def _cell(text: str) -> str:
    """A name as a cell of Markdown takes it."""
    return text.replace("|", "\\|").replace("\n", " ")
