"""A study: its arms and clips, who hears what in which order, and the rules that were fixed before anybody listened.

A study as one file: a ZIP of `study.json` and the clips, named so that they tell nothing, each with its hash.

The digest is the SHA-256 of the study as canonical JSON, which holds the hash of every clip: whoever has the digest can
show that neither a clip nor a rule was changed after the first listener. The same study gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from cantilena.errors import InputError
from cantilena.listening.stats.hypothesis_tests import MARGIN
from cantilena.listening.trials import HUMAN
from cantilena.runtime import json_text, write_bytes

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


FORMAT = "cantilena listening study 1"
"""What `study.json` says it is."""

_MOST_BYTES = 2 * 2**30
_MOST_JSON = 64 * 2**20
_MOST_CLIP = 64 * 2**20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_ID = re.compile(r"[0-9a-f]{16}")
_HINT = "name a file that `cantilena listen create` wrote"


def digest_of(study: Study) -> str:
    """The SHA-256 of a study.

    Example:
        >>> len(digest_of(Study("Ours", ("human", "lstm"), (), ())))
        64
    """
    return _digest(study.to_json())


def write_study(study: Study, sounds: Mapping[str, bytes], path: Path, *, overwrite: bool = False) -> str:
    """Write a study and its clips, whole or not at all.

    Args:
        study: the study.
        sounds: the file of each clip, by its id.
        path: where to.
        overwrite: whether a file that is there may be replaced.

    Returns:
        The digest.

    Raises:
        RunError: something is there and `overwrite` is off.
        InputError: the disk said no.
    """
    value = study.to_json()
    digest = _digest(value)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        whole = {"format": FORMAT, "digest": digest, "study": value}
        archive.writestr(zipfile.ZipInfo("study.json", _LONG_AGO), json_text(whole))
        for clip in sorted(study.clips, key=lambda clip: clip.id):
            archive.writestr(zipfile.ZipInfo(f"clips/{clip.id}.flac", _LONG_AGO), sounds[clip.id])
    write_bytes(path, content.getvalue(), overwrite=overwrite)
    return digest


def read_study(path: Path) -> Study:
    """Read a study without its clips, and check that nothing in it was changed.

    Raises:
        InputError: it cannot be read, is no study, or was changed.
    """
    with _opened(path) as archive:
        try:
            whole = json.loads(_member(archive, "study.json", _MOST_JSON))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not a study", _HINT) from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT or not isinstance(whole.get("study"), dict):
        raise InputError(f"{path} is not a study", _HINT)
    if _digest(whole["study"]) != whole.get("digest"):
        raise InputError(f"{path} was changed after it was made", "use the file as it was made, or make another")
    study = Study.from_json(whole["study"], str(whole["digest"]))
    for clip in study.clips:
        if not isinstance(clip.id, str) or not _ID.fullmatch(clip.id):
            raise InputError(f"{path} names a clip as we do not", _HINT)
    return study


def clip_bytes(path: Path, study: Study, name: str) -> bytes:
    """The FLAC file of one clip, checked by its hash.

    Args:
        path: of the study.
        study: as it was read.
        name: the clip's id.

    Raises:
        InputError: there is no such clip, or it was changed.
    """
    clip = study.by_id.get(name)
    if clip is None:
        raise InputError(f"the study has no clip {name[:20]!r}", "name one of its clips")
    with _opened(path) as archive:
        content = _member(archive, f"clips/{clip.id}.flac", _MOST_CLIP)
    if hashlib.sha256(content).hexdigest() != clip.sha256:
        raise InputError(f"clip {clip.id} of {path} was changed after it was made", "use the file as it was made")
    return content


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        if not path.is_file():
            raise InputError(f"there is no study at {path}", _HINT)
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is too large for a study", _HINT)
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as a study", _HINT) from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A file of the archive, which is never unpacked to disk; one that says it is too large is not read."""
    try:
        with archive.open(name) as file:
            content = file.read(most + 1)
    except (KeyError, OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{archive.filename} holds no {name} that can be read", _HINT) from error
    if len(content) > most:
        raise InputError(f"{name} in {archive.filename} is too large", _HINT)
    return content


def _digest(value: Any) -> str:  # noqa: ANN401  (JSON)
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
