"""What the machine listener answered of each system, read from its JSON for a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.metrics import Interval
from cantilena.reporting.difference_table import in_words


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
