"""A study: its arms and clips, who hears what in which order, and the rules that were fixed before anybody listened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args

from cantilena.errors import InputError
from cantilena.listening.stats.hypothesis_tests import MARGIN
from cantilena.listening.trials import HUMAN

Role = Literal["item", "anchor", "attention", "practice", "headphones"]
"""What a clip is for: `item` is of an arm; `anchor` is shuffled notes, which nobody should call human; `attention` is
one note again and again, to which the answer was told; `practice` comes before; `headphones` tells loudspeakers."""

Kind = Literal["item", "anchor", "repeat", "attention"]
"""What a trial is: a repeat is an item that the listener heard before."""


@dataclass(frozen=True)
class Clip:
    """A clip of the study.

    Args:
        id: 16 hexadecimal digits that tell nothing of the arm; the clip's file is named so.
        role: what it is for.
        arm: whose it is; "" where it is of no arm.
        seconds: how long the sound is.
        loudness: LUFS, measured in the file (ITU-R BS.1770).
        sha256: of the file.
        source: which melody it was cut from.
        about: what else is known: key, bars, mean pitch, ..
    """

    id: str
    role: Role
    arm: str
    seconds: float
    loudness: float
    sha256: str
    source: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Slot:
    """One trial of a session: which clip, and what it is there for."""

    kind: Kind
    clip: str


@dataclass(frozen=True)
class Screening:
    """Whose answers, and which, do not count; fixed in the study file before the first listener.

    Args:
        headphones: leave out who did not pass the headphone check.
        attention: leave out who answered the attention check otherwise than told.
        most_anchors: leave out who called more negative anchors human than this.
        least_answered: leave out who answered a smaller share of the trials than this.
        one_answer: leave out who gave the same answer with the same confidence to every item.
        least_heard: leave out a trial in which a smaller share of the clip was heard than this.
        known: leave out a trial whose piece the listener knows.
    """

    headphones: bool = True
    attention: bool = True
    most_anchors: int = 1
    least_answered: float = 0.8
    one_answer: bool = True
    least_heard: float = 0.5
    known: bool = True


@dataclass(frozen=True)
class Study:
    """Everything that is fixed before the first listener.

    Args:
        title: what listeners are told it is called.
        arms: names, `human` first.
        clips: all of them.
        sessions: for each listener, the trials in order.
        screening: whose answers do not count.
        margin: how far from chance right answers may be where an arm counts as not to be told.
        preset: the design it was made by: `full` or `paper`.
        seed: of every draw.
        checks: what the check for leaks found, by arm.
        words: what listeners read: consent, the question, ratings.
        digest: SHA-256 of all of this; "" while it is made.

    Raises:
        InputError: the parts do not fit each other.
    """

    title: str
    arms: tuple[str, ...]
    clips: tuple[Clip, ...]
    sessions: tuple[tuple[Slot, ...], ...]
    screening: Screening = Screening()
    margin: float = MARGIN
    preset: str = "full"
    seed: int = 1
    checks: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        known = {clip.id: clip for clip in self.clips}
        if self.arms[:1] != (HUMAN,) or len(self.arms) < 2 or len(set(self.arms)) < len(self.arms):
            raise InputError("a study needs the arm `human` and another", "make the study anew")
        if len(known) < len(self.clips):
            raise InputError("two clips of the study have one name", "make the study anew")
        if strange := {clip.arm for clip in self.clips if clip.role == "item"} - set(self.arms):
            raise InputError(f"clips of an arm that the study does not have: {min(strange)}", "make the study anew")
        for slot in (slot for session in self.sessions for slot in session):
            if slot.clip not in known:
                raise InputError(f"a session plays clip {slot.clip}, which there is not", "make the study anew")

    def clip(self, name: str) -> Clip:
        """A clip by its id."""
        return self.by_id[name]

    @cached_property
    def by_id(self) -> dict[str, Clip]:
        """All clips by their ids."""
        return {clip.id: clip for clip in self.clips}

    @property
    def items(self) -> tuple[Clip, ...]:
        """The clips of the arms, in the order of the arms."""
        items = (clip for clip in self.clips if clip.role == "item")
        return tuple(sorted(items, key=lambda clip: self.arms.index(clip.arm)))

    def to_json(self) -> dict[str, Any]:
        """As JSON values, without the digest."""
        value = asdict(self)
        del value["digest"]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any], digest: str) -> Study:
        """From JSON values.

        Raises:
            InputError: they are not those of a study.
        """
        try:
            return cls(
                title=str(value["title"]),
                arms=tuple(map(str, value["arms"])),
                clips=tuple(_of(Clip, clip) for clip in value["clips"]),
                sessions=tuple(tuple(_of(Slot, slot) for slot in session) for session in value["sessions"]),
                screening=_of(Screening, value["screening"]),
                margin=float(value["margin"]),
                preset=str(value["preset"]),
                seed=int(value["seed"]),
                checks=dict(value["checks"]),
                words=dict(value["words"]),
                digest=digest,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                "this is not a study of ours", "name a file that `cantilena listen create` wrote"
            ) from error


T = TypeVar("T", Clip, Slot, Screening)

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "str": str, "float": (int, float), "int": int, "bool": bool, "Mapping[str, Any]": dict, "Role": str, "Kind": str,
}  # fmt: skip
_ROLES, _TRIALS = get_args(Role), get_args(Kind)


def _of(kind: type[T], value: Mapping[str, Any]) -> T:
    """A record from JSON values, each of which is what it should be.

    Raises:
        TypeError: one is not, or is missing or unknown.
        ValueError: a role or a kind that there is not, or a number that is none.
    """
    for field_of in fields(kind):
        cell = value.get(field_of.name)
        if field_of.name in value and not isinstance(cell, _KINDS[str(field_of.type)]):
            raise TypeError(f"{field_of.name} is {type(cell).__name__}")
        if isinstance(cell, float) and not math.isfinite(cell):
            raise ValueError(f"{field_of.name} is {cell}")
    if value.get("role", _ROLES[0]) not in _ROLES or value.get("kind", _TRIALS[0]) not in _TRIALS:
        raise ValueError("a clip or a trial of a kind that there is not")
    return kind(**value)
