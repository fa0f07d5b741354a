"""What melodies have in common with the corpus, arranged for a report: the longest passages first, with both scores.

What the machine listener answered of each system, read from its JSON for a report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.io import NoteAnnotation
from cantilena.metrics import Interval
from cantilena.music import Melody
from cantilena.reporting.data import CopiedPassage, ReportData, SystemMelodies
from cantilena.reporting.scores import followed, packed
from cantilena.reporting.tables import in_words
from cantilena.reporting.text import counted

MOST_DRAWN = 8
"""Passages whose scores are drawn; the others are told in a table."""

COPIED = "copied"
"""The class of notes that are copied."""

_WIDTH = 520


@dataclass(frozen=True)
class Staff:
    """One of the two scores of a passage.

    Args:
        title: whose it is.
        bars: which bars, in words.
        seconds: how long it lasts.
        payload: its score and notes, packed; nothing where it has no notes.
    """

    title: str
    bars: str
    seconds: float
    payload: str


@dataclass(frozen=True)
class CopiedRow:
    """A passage as the page shows it.

    Args:
        anchor: by which it is linked.
        passage: the passage.
        card: the anchor of its melody's card; nothing if the melody is not one of those that are shown.
        staves: the melody's bars and the piece's; none where they are not drawn.
    """

    anchor: str
    passage: CopiedPassage
    card: str
    staves: tuple[Staff, ...] = ()

    @property
    def brief(self) -> str:
        """What a melody's card says of it."""
        return f"{counted(self.passage.notes, 'note')} as in {self.passage.source_title or self.passage.source_file}"


def copied_rows(data: ReportData) -> tuple[CopiedRow, ...]:
    """The passages, the longest first; the first eight with their scores.

    Args:
        data: what the report is made of.
    """
    ordered = sorted(data.copies, key=lambda one: (-one.notes, one.system, one.label))
    cards = {id(one): _card_of(one, data.melodies) for one in ordered}
    return tuple(
        CopiedRow(f"copy-{number}", one, cards[id(one)], _staves(one) if number <= MOST_DRAWN else ())
        for number, one in enumerate(ordered, start=1)
    )


def by_card(rows: Sequence[CopiedRow]) -> dict[str, CopiedRow]:
    """The longest passage of each melody that has a card, by the card's anchor."""
    longest: dict[str, CopiedRow] = {}
    for row in rows:
        if row.card:
            longest.setdefault(row.card, row)
    return longest


def card_anchor(system: int, melody: int) -> str:
    """By what a melody's card is linked: the system's place among those that can be heard, and the melody's.

    Example:
        >>> card_anchor(0, 11)
        'melody-1-12'
    """
    return f"melody-{system + 1}-{melody + 1}"


def bars_in_words(bars: str) -> str:
    """Which bars.

    Example:
        >>> bars_in_words("5-8"), bars_in_words("5")
        ('bars 5–8', 'bar 5')
    """
    return f"bars {bars.replace('-', '–')}" if "-" in bars else f"bar {bars}"


def heard(data: ReportData) -> list[SystemMelodies]:
    """The systems whose melodies can be heard."""
    return [system for system in data.melodies if system.melodies]


def _card_of(passage: CopiedPassage, melodies: Sequence[SystemMelodies]) -> str:
    there = [system for system in melodies if system.melodies]
    for place, system in enumerate(there):
        if system.name != passage.system:
            continue
        if passage.melody is not None:
            return card_anchor(place, passage.melody) if 0 <= passage.melody < len(system.melodies) else ""
        for index, melody in enumerate(system.melodies):
            if passage.label in (system.stem(index).rsplit("/", 1)[-1], melody.source, melody.title):
                return card_anchor(place, index)
    return ""


def _staves(passage: CopiedPassage) -> tuple[Staff, ...]:
    whose = f"{passage.system}, {passage.label}"
    return (
        _staff(whose, passage.bars, passage.excerpt, passage.first, passage.notes),
        _staff(passage.source, passage.source_bars, passage.source_excerpt, passage.source_first, passage.notes),
    )


def _staff(title: str, bars: str, melody: Melody, first: int, notes: int) -> Staff:
    told = bars_in_words(bars)
    if not melody.sounding:
        return Staff(title, told, 0.0, "")
    annotations = {note: NoteAnnotation(kind=COPIED) for note in range(first, min(first + notes, len(melody.sounding)))}
    return Staff(
        title, told, melody.seconds, packed(followed(melody, width=_WIDTH, annotations=annotations, with_roll=False))
    )


@dataclass(frozen=True)
class ToldApart:
    """How well something tells two sets apart.

    Args:
        name: of the family of classifiers, or of the control.
        accuracy: the share of answers that are right on melodies that were kept back; None where there is none.
        auc: the chance that one of the system's sounds more generated than one of people's; None likewise.
    """

    name: str
    accuracy: Interval | None
    auc: Interval | None


@dataclass(frozen=True)
class LengthHeard:
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
class ListenerRow:
    """What the machine listener answered of one system.

    Args:
        system: its name.
        headline: the family that tells best, "" where the listener refuses to say.
        families: what each family of classifiers found.
        controls: the same for what must not be told apart, or not by so little.
        p: how often labels drawn at random are told as well; None where it was not tested.
        refused: why there is no answer, or nothing.
        lengths: accuracy by the length of excerpts.
    """

    system: str
    headline: str
    families: tuple[ToldApart, ...]
    controls: tuple[ToldApart, ...]
    p: float | None
    refused: str
    lengths: tuple[LengthHeard, ...]

    @property
    def best(self) -> ToldApart | None:
        """What the headline's family found."""
        return next((one for one in self.families if one.name == self.headline), None)

    @property
    def chance(self) -> str:
        """The p-value in words."""
        return in_words(self.p)


def listener_rows(listener: Mapping[str, Any]) -> tuple[ListenerRow, ...]:
    """Read what the machine listener answered; what is missing is left out.

    Args:
        listener: by system, `{"headline", "families": {NAME: {"accuracy", "auc"}}, "controls", "p", "refused",
            "by_bars": [{"bars", "accuracy", "reason"}]}`; numbers as `{"value", "low", "high"}`.

    Example:
        >>> told = {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}}
        >>> (row,) = listener_rows({"lstm": {"headline": "boosting", "families": {"boosting": told}}})
        >>> row.best.accuracy
        Interval(value=0.8, low=0.7, high=0.9)
    """
    return tuple(_row(name, answer) for name, answer in listener.items() if isinstance(answer, Mapping))


def _row(system: str, answer: Mapping[str, Any]) -> ListenerRow:
    p = answer.get("p")
    return ListenerRow(
        system,
        str(answer.get("headline") or ""),
        tuple(_told(answer.get("families"))),
        tuple(_told(answer.get("controls"))),
        float(p) if isinstance(p, int | float) else None,
        str(answer.get("refused") or ""),
        tuple(_lengths(answer.get("by_bars"))),
    )


def _told(several: Any) -> Iterator[ToldApart]:  # noqa: ANN401  (anything JSON can hold)
    if isinstance(several, Mapping):
        for name, found in several.items():
            if isinstance(found, Mapping):
                yield ToldApart(str(name), _interval(found.get("accuracy")), _interval(found.get("auc")))


def _lengths(rows: Any) -> Iterator[LengthHeard]:  # noqa: ANN401  (anything JSON can hold)
    if isinstance(rows, Sequence) and not isinstance(rows, str):
        for row in rows:
            yield LengthHeard(float(row["bars"]), _interval(row.get("accuracy")), str(row.get("reason") or ""))


def _interval(number: Any) -> Interval | None:  # noqa: ANN401  (anything JSON can hold)
    """A number with its bounds; without bounds it is its own."""
    entry = number if isinstance(number, Mapping) else {"value": number}
    value, low, high = (entry.get(name) for name in ("value", "low", "high"))
    if not isinstance(value, int | float):
        return None
    return Interval(float(value), float(value if low is None else low), float(value if high is None else high))
