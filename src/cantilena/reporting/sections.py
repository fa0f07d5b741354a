"""Sections of a report: copied passages with both scores, and the results of the classifier two-sample test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.io import NoteAnnotation
from cantilena.metrics import Interval
from cantilena.music import Melody
from cantilena.reporting.data import CopiedPassage, ReportData, SystemMelodies, read_interval
from cantilena.reporting.scores import packed, score_and_notes
from cantilena.reporting.tables import p_text
from cantilena.reporting.text import counted

MOST_DRAWN = 8
"""The number of passages with scores; the others are listed in a table."""

COPIED = "copied"
"""The class of copied notes."""

_WIDTH = 520


@dataclass(frozen=True)
class Staff:
    """One of the two scores of a passage.

    Args:
        title: of the melody or the piece.
        bars: in words.
        seconds: its duration.
        payload: its score and notes, packed; "" without notes.
    """

    title: str
    bars: str
    seconds: float
    payload: str


@dataclass(frozen=True)
class CopiedRow:
    """A passage as the page shows it.

    Args:
        anchor: its id in the page.
        passage: the passage.
        card: the id of its melody's card; "" if the melody is not shown.
        staves: the melody's bars and the piece's; none where they are not drawn.
    """

    anchor: str
    passage: CopiedPassage
    card: str
    staves: tuple[Staff, ...] = ()

    @property
    def brief(self) -> str:
        """The text of the link on the melody's card."""
        return f"{counted(self.passage.notes, 'note')} as in {self.passage.source_title or self.passage.source_file}"


def copied_rows(data: ReportData) -> tuple[CopiedRow, ...]:
    """The passages, the longest first; the first eight with their scores."""
    ordered = sorted(data.copies, key=lambda one: (-one.notes, one.system, one.label))
    return tuple(
        CopiedRow(f"copy-{number}", one, _card_of(one, data), _staves(one) if number <= MOST_DRAWN else ())
        for number, one in enumerate(ordered, start=1)
    )


def by_card(rows: Sequence[CopiedRow]) -> dict[str, CopiedRow]:
    """The longest passage of each melody that has a card, by the id of the card."""
    longest: dict[str, CopiedRow] = {}
    for row in rows:
        if row.card:
            longest.setdefault(row.card, row)
    return longest


def card_anchor(system: int, melody: int) -> str:
    """The id of a melody's card, from the index of the system among those with melodies and of the melody.

    Examples:
        >>> card_anchor(0, 11)
        'melody-1-12'
    """
    return f"melody-{system + 1}-{melody + 1}"


def bars_text(bars: str) -> str:
    """Bars in words.

    Examples:
        >>> bars_text("5-8"), bars_text("5")
        ('bars 5–8', 'bar 5')
    """
    return f"bars {bars.replace('-', '–')}" if "-" in bars else f"bar {bars}"


def systems_with_melodies(data: ReportData) -> list[SystemMelodies]:
    """The systems that have melodies to listen to."""
    return [system for system in data.melodies if system.melodies]


def _card_of(passage: CopiedPassage, data: ReportData) -> str:
    for place, system in enumerate(systems_with_melodies(data)):
        if system.name != passage.system:
            continue
        if passage.melody is not None:
            return card_anchor(place, passage.melody) if 0 <= passage.melody < len(system.melodies) else ""
        for index, melody in enumerate(system.melodies):
            if passage.label in (system.stem(index).rsplit("/", 1)[-1], melody.source, melody.title):
                return card_anchor(place, index)
    return ""


def _staves(passage: CopiedPassage) -> tuple[Staff, ...]:
    title = f"{passage.system}, {passage.label}"
    return (
        _staff(title, passage.bars, passage.excerpt, passage.first, passage.notes),
        _staff(passage.source, passage.source_bars, passage.source_excerpt, passage.source_first, passage.notes),
    )


def _staff(title: str, bars: str, melody: Melody, first: int, notes: int) -> Staff:
    if not melody.sounding:
        return Staff(title, bars_text(bars), 0.0, "")
    annotations = {note: NoteAnnotation(kind=COPIED) for note in range(first, min(first + notes, len(melody.sounding)))}
    payload = packed(score_and_notes(melody, width=_WIDTH, annotations=annotations, with_roll=False))
    return Staff(title, bars_text(bars), melody.seconds, payload)


@dataclass(frozen=True)
class ClassifierRow:
    """How well a classifier separates two sets.

    Args:
        name: of the family of classifiers, or of the control.
        accuracy: on held-out melodies; None where there is none.
        auc: the area under the ROC curve; None where there is none.
    """

    name: str
    accuracy: Interval | None
    auc: Interval | None


@dataclass(frozen=True)
class GroupRow:
    """How well a group of musical features separates two sets.

    Args:
        name: of the group.
        auc: of a classifier on the group alone.
        drop: by how much the AUC of all groups falls without it; None where it alone is as good as all.
    """

    name: str
    auc: Interval | None
    drop: Interval | None


@dataclass(frozen=True)
class LengthRow:
    """The accuracy on excerpts of one length.

    Args:
        bars: of each excerpt.
        accuracy: None where it could not be measured.
        reason: why, if so.
    """

    bars: float
    accuracy: Interval | None
    reason: str = ""


@dataclass(frozen=True)
class TwoSampleRow:
    """The result of the classifier two-sample test for one system.

    Args:
        system: its name.
        headline: the family with the best accuracy, "" where the test gives no answer.
        families: the result of each family of classifiers.
        controls: the same for pairs of sets that should not be separable, or only by chance.
        p: the p-value; None where it was not tested.
        refused: why there is no answer, or nothing.
        lengths: the accuracy by the length of excerpts.
        groups: the result of each group of features, the best first.
    """

    system: str
    headline: str
    families: tuple[ClassifierRow, ...]
    controls: tuple[ClassifierRow, ...]
    p: float | None
    refused: str
    lengths: tuple[LengthRow, ...]
    groups: tuple[GroupRow, ...] = ()

    @property
    def best(self) -> ClassifierRow | None:
        """The result of the headline's family."""
        return next((one for one in self.families if one.name == self.headline), None)

    @property
    def p_value(self) -> str:
        """The formatted p-value."""
        return p_text(self.p)


def two_sample_rows(answers: Mapping[str, Any]) -> tuple[TwoSampleRow, ...]:
    """Read the answers of the classifier two-sample test; what is missing is left out.

    Args:
        answers: by system, `{"headline", "families": {NAME: {"accuracy", "auc"}}, "controls", "p", "refused",
            "by_bars": [{"bars", "accuracy", "reason"}], "groups": [{"group", "auc", "drop"}]}`; numbers as
            `{"value", "low", "high"}`.

    Examples:
        >>> result = {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}}
        >>> (row,) = two_sample_rows({"lstm": {"headline": "boosting", "families": {"boosting": result}}})
        >>> row.best.accuracy
        Interval(value=0.8, low=0.7, high=0.9)
    """
    return tuple(_row(name, answer) for name, answer in answers.items() if isinstance(answer, Mapping))


def _row(system: str, answer: Mapping[str, Any]) -> TwoSampleRow:
    families, controls = (
        tuple(
            ClassifierRow(str(name), read_interval(one.get("accuracy")), read_interval(one.get("auc")))
            for name, one in (answer.get(part) or {}).items()
            if isinstance(one, Mapping)
        )
        for part in ("families", "controls")
    )
    p = answer.get("p")
    return TwoSampleRow(
        system,
        str(answer.get("headline") or ""),
        families,
        controls,
        float(p) if isinstance(p, int | float) else None,
        str(answer.get("refused") or ""),
        tuple(
            LengthRow(float(row["bars"]), read_interval(row.get("accuracy")), str(row.get("reason") or ""))
            for row in answer.get("by_bars") or ()
        ),
        tuple(
            GroupRow(str(one["group"]), read_interval(one.get("auc")), read_interval(one.get("drop")))
            for one in answer.get("groups") or ()
        ),
    )
