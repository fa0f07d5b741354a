"""A study, everything that is fixed before the first listener, and its file.

The file is a ZIP archive of `study.json` and the clips, whose names do not reveal their arms. The digest is the SHA-256
of the study as canonical JSON, which contains the hash of every clip: it proves that no clip and no rule was changed
later. The same study gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from cantilena.errors import InputError
from cantilena.listening.stats.hypothesis_tests import MARGIN
from cantilena.listening.trials import HUMAN
from cantilena.runtime import json_text, write_bytes

ClipRole = Literal["item", "anchor", "attention", "practice", "headphones"]
"""The purpose of a clip: `item` belongs to an arm; `anchor` has shuffled notes, which nobody should call human;
`attention` repeats one note, and listeners are told the answer to give; `practice` and `headphones` (a check that
listeners wear them) come before the trials."""

TrialKind = Literal["item", "anchor", "repeat", "attention"]
"""The purpose of a trial: a repeat plays an item again."""

FORMAT = "cantilena listening study 1"
"""The value of `format` in `study.json`."""

_MAX_BYTES = 2 * 2**30
_MAX_MEMBER_BYTES = 64 * 2**20
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_ID = re.compile(r"[0-9a-f]{16}")
_HINT = "give a file written by `cantilena listen create`"
_EXACT = ConfigDict(extra="forbid", allow_inf_nan=False)


@with_config(_EXACT)
@dataclass(frozen=True)
class Clip:
    """A clip of a study.

    Args:
        id: 16 random hexadecimal digits, the name of the clip's file.
        role: its purpose.
        arm: its arm; "" if it belongs to none.
        seconds: duration of the sound.
        loudness: LUFS, measured in the file (ITU-R BS.1770).
        sha256: hash of the file.
        source: the melody from which it was cut.
        about: further properties, such as key and number of notes.
    """

    id: str
    role: ClipRole
    arm: str
    seconds: float
    loudness: float
    sha256: str
    source: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@with_config(_EXACT)
@dataclass(frozen=True)
class Trial:
    """One trial of a session: its purpose and the ID of its clip."""

    kind: TrialKind
    clip: str


@with_config(_EXACT)
@dataclass(frozen=True)
class Screening:
    """Rules by which listeners and trials are excluded, fixed before the first listener.

    Args:
        headphones: exclude listeners who failed the headphone check.
        attention: exclude listeners who failed the attention check.
        most_anchors: exclude listeners who called more anchors human than this.
        least_answered: exclude listeners who answered a smaller share of the trials than this.
        one_answer: exclude listeners who gave the same answer with the same confidence to every item.
        least_heard: exclude trials in which a smaller share of the clip was heard than this.
        known: exclude trials of pieces that the listener knows.
    """

    headphones: bool = True
    attention: bool = True
    most_anchors: int = 1
    least_answered: float = 0.8
    one_answer: bool = True
    least_heard: float = 0.5
    known: bool = True


@with_config(_EXACT)
@dataclass(frozen=True)
class Study:
    """Everything that is fixed before the first listener.

    Args:
        title: title that listeners see.
        arms: names of the arms, `human` first.
        clips: all clips.
        sessions: the trials of each session in order; each listener hears one session.
        screening: rules for exclusion.
        margin: equivalence margin of the share of correct answers.
        preset: the design: `full` or `paper`.
        seed: random seed of the study.
        checks: result of the check for leaks, by arm.
        words: texts that listeners read.
        digest: SHA-256 of all of the above; "" if not yet computed.

    Raises:
        InputError: the parts are inconsistent.
    """

    title: str
    arms: tuple[str, ...]
    clips: tuple[Clip, ...]
    sessions: tuple[tuple[Trial, ...], ...]
    screening: Screening = Screening()
    margin: float = MARGIN
    preset: str = "full"
    seed: int = 1
    checks: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if self.arms[:1] != (HUMAN,) or len(self.arms) < 2 or len(set(self.arms)) < len(self.arms):
            raise InputError(
                f"the study's arms are {', '.join(self.arms) or 'missing'}",
                "a study needs the arm `human`, which comes first, and other arms; create the study again",
            )
        if len(self.by_id) < len(self.clips):
            raise InputError("two clips of the study have the same ID", "create the study again")
        if unknown := {clip.arm for clip in self.clips if clip.role == "item"} - set(self.arms):
            raise InputError(
                f"the study has clips of {min(unknown)[:40]!r}, which is not one of its arms", "create the study again"
            )
        if unknown := {trial.clip for session in self.sessions for trial in session} - self.by_id.keys():
            raise InputError(
                f"a session plays clip {min(unknown)[:40]}, which does not exist", "create the study again"
            )

    def clip(self, clip_id: str) -> Clip:
        """Return a clip by its ID."""
        return self.by_id[clip_id]

    @cached_property
    def by_id(self) -> dict[str, Clip]:
        """All clips by their IDs."""
        return {clip.id: clip for clip in self.clips}

    @property
    def items(self) -> tuple[Clip, ...]:
        """The clips of the arms, in the order of the arms."""
        return tuple(clip for arm in self.arms for clip in self.clips if clip.role == "item" and clip.arm == arm)

    def to_json(self) -> dict[str, Any]:
        """Return the study without its digest as JSON values."""
        value = asdict(self)
        del value["digest"]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any], digest: str) -> Study:
        """Make a study from JSON values.

        Raises:
            InputError: the values are not those of a study.
        """
        try:
            return replace(TypeAdapter(Study).validate_python(value), digest=digest)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))[:60]
            raise InputError(f"the study file is invalid at {where!r}: {first['msg']}", _HINT) from error


def study_digest(study: Study) -> str:
    """Compute the SHA-256 of a study.

    Examples:
        >>> len(study_digest(Study("Ours", ("human", "lstm"), (), ())))
        64
    """
    return _digest(study.to_json())


def _digest(value: Any) -> str:  # noqa: ANN401  (JSON)
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_study(study: Study, sounds: Mapping[str, bytes], path: Path, *, overwrite: bool = False) -> str:
    """Write a study and the FLAC file of each clip (by ID), completely or not at all, and return the digest.

    Raises:
        RunError: the file exists and `overwrite` is off.
        InputError: the file cannot be written.
    """
    value = study.to_json()
    digest = _digest(value)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        record = {"format": FORMAT, "digest": digest, "study": value}
        archive.writestr(zipfile.ZipInfo("study.json", _ZIP_TIME), json_text(record))
        for clip_id in sorted(study.by_id):
            archive.writestr(zipfile.ZipInfo(f"clips/{clip_id}.flac", _ZIP_TIME), sounds[clip_id])
    write_bytes(path, content.getvalue(), overwrite=overwrite)
    return digest


def read_study(path: Path) -> Study:
    """Read a study without its clips, and check its digest.

    Raises:
        InputError: the file cannot be read, is not a study, or was changed.
    """
    with _open_archive(path) as archive:
        try:
            record = json.loads(_read_member(archive, "study.json"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not a study", _HINT) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT or not isinstance(record.get("study"), dict):
        raise InputError(f"{path} is not a study", _HINT)
    if _digest(record["study"]) != record.get("digest"):
        raise InputError(f"{path} was changed after it was created", "use the original file, or create another study")
    study = Study.from_json(record["study"], str(record["digest"]))
    if not all(_ID.fullmatch(clip_id) for clip_id in study.by_id):
        raise InputError(f"{path} has a clip whose ID is not 16 hexadecimal digits", _HINT)
    return study


def clip_bytes(path: Path, study: Study, clip_id: str) -> bytes:
    """Read the FLAC file of a clip from a study file, and check its hash.

    Raises:
        InputError: there is no such clip, or it was changed.
    """
    clip = study.by_id.get(clip_id)
    if clip is None:
        raise InputError(f"the study has no clip {clip_id[:20]!r}", "give the ID of one of its clips")
    with _open_archive(path) as archive:
        content = _read_member(archive, f"clips/{clip.id}.flac")
    if hashlib.sha256(content).hexdigest() != clip.sha256:
        raise InputError(f"clip {clip.id} of {path} was changed after it was created", "use the original file")
    return content


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        if not path.is_file():
            raise InputError(f"there is no study at {path}", _HINT)
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a study", _HINT)
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as a study", _HINT) from error


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member into memory, up to the size limit, whatever size its header claims."""
    try:
        with archive.open(name) as file:
            content = file.read(_MAX_MEMBER_BYTES + 1)
    except (KeyError, OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{archive.filename} has no readable {name}", _HINT) from error
    if len(content) > _MAX_MEMBER_BYTES:
        raise InputError(f"{name} in {archive.filename} is too large", _HINT)
    return content
